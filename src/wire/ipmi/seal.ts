import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import { FrameError } from './failure.ts'
import { type SessionKeys, sameCode } from './rakp.ts'
import { type SessionPacket, trailerPad, writeSessionHeader } from './rmcp.ts'
import type { Suite } from './suites.ts'

/** Encrypted and authenticated, payload of IPMI (type 0): the only packets of a session that there are for us. */
const SEALED = 0xc0
const HEADER = 16
const IV = 16
const BLOCK = 16
/** The next header's number in the trailer (§13.28.4). */
const NEXT_HEADER = 0x07

// Keys are handed to node:crypto as buffers: KeyObjects were measured (two exchanges a session: a third slower; 200 exchanges: 5 % faster), and sessions are short.

/** What `seal` needs. */
export interface Sealing {
  suite: Suite
  keys: SessionKeys
  /** The receiver's id. */
  sessionId: number
  /** Every packet has its own, repeats as well; never 0. */
  sequence: number
  message: Buffer
  /** 16 random bytes, fresh for every packet. */
  iv: Buffer
}

/** Encrypts a message, signs it and wraps it: the whole datagram, RMCP's header included (§13.28, §13.29). */
export function seal({ suite, keys, sessionId, sequence, message, iv }: Sealing): Buffer {
  // Pad bytes 1, 2, 3, … and their number; always at least the number.
  const padBytes = -(message.length + 1) & (BLOCK - 1)
  const plain = Buffer.allocUnsafe(message.length + padBytes + 1)
  plain.set(message, 0)
  for (let pad = 1; pad <= padBytes; pad++) plain[message.length + pad - 1] = pad
  plain[plain.length - 1] = padBytes

  const payloadBytes = IV + plain.length
  const trailer = HEADER + payloadBytes
  const code = trailer + trailerPad(payloadBytes) + 2
  const bytes = Buffer.allocUnsafe(code + suite.authCodeBytes)
  writeSessionHeader(bytes, SEALED, sessionId, sequence, payloadBytes)
  bytes.set(iv, HEADER)
  // Whole blocks and no padding of OpenSSL's: `update` returns all there is, `final` would return nothing.
  const cipher = createCipheriv('aes-128-cbc', keys.k2.subarray(0, 16), iv)
  cipher.setAutoPadding(false)
  bytes.set(cipher.update(plain), HEADER + IV)
  bytes.fill(0xff, trailer, code - 2)
  bytes[code - 2] = code - 2 - trailer
  bytes[code - 1] = NEXT_HEADER
  bytes.set(createHmac(suite.hash, keys.k1).update(bytes.subarray(4, code)).digest().subarray(0, suite.authCodeBytes), code)
  return bytes
}

/**
 * The message inside a packet of a session. The code is compared first, in constant time; nothing else of the packet counts before that.
 * Throws FrameError: `unauthenticated` (there is no code), `bad_code`, `unencrypted`, `bad_trailer`, `bad_padding`. Sequence and session id are for the caller to judge.
 */
export function unseal(packet: SessionPacket, suite: Suite, keys: SessionKeys): Buffer {
  if (!packet.authenticated) throw new FrameError('unauthenticated', 'a packet of a session without a code')
  const { signed, payload } = packet
  const code = createHmac(suite.hash, keys.k1).update(signed).digest().subarray(0, suite.authCodeBytes)
  if (!sameCode(code, packet.authCode)) throw new FrameError('bad_code', 'the code does not fit packet and session')
  if (!packet.encrypted) throw new FrameError('unencrypted', 'a packet of a session in plain text')
  checkTrailer(signed, trailerPad(payload.length))
  if (payload.length < IV + BLOCK || payload.length % BLOCK !== 0)
    throw new FrameError('bad_padding', `${payload.length} bytes are no IV and blocks`)
  const decipher = createDecipheriv('aes-128-cbc', keys.k2.subarray(0, 16), payload.subarray(0, IV))
  decipher.setAutoPadding(false)
  const plain = decipher.update(payload.subarray(IV))
  const padBytes = plain.readUInt8(plain.length - 1)
  if (padBytes >= BLOCK) throw new FrameError('bad_padding', `${padBytes} bytes of padding`)
  const end = plain.length - 1 - padBytes
  for (let pad = 1; pad <= padBytes; pad++) {
    if (plain[end + pad - 1] !== pad) throw new FrameError('bad_padding', `pad byte ${pad} is ${plain[end + pad - 1]}`)
  }
  return plain.subarray(0, end)
}

/** The end of what is signed: 0xFF as often as needed, how often that was, and the next header. */
function checkTrailer(signed: Buffer, padBytes: number): void {
  const end = signed.length - 2
  if (signed[end] !== padBytes || signed[end + 1] !== NEXT_HEADER)
    throw new FrameError('bad_trailer', 'pad length or next header are wrong')
  for (let at = end - padBytes; at < end; at++) if (signed[at] !== 0xff) throw new FrameError('bad_trailer', `pad byte ${signed[at]}`)
}
