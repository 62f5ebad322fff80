import { createCipheriv, createHmac } from 'node:crypto'
import { encodeSetup, encodeV15, type SetupType } from '../../wire/ipmi/rmcp.ts'
import type { IpmiSession } from './sessions.ts'

/** A response message before it is bytes (§13.8). */
export interface ResponseMessage {
  netFn: number
  command: number
  /** rqSeq of the request. */
  sequence: number
  completion: number
  data: Buffer
}

/**
 * An answer before it is a datagram; faults change it. `packet` names the exchange. In a session the protection is made at the very end, so
 * that a lie about a length or a sequence number comes with a good code: a bad code is a fault of its own.
 */
export interface Draft {
  readonly packet: string
  readonly body:
    | { readonly kind: 'bytes'; readonly bytes: Buffer }
    | { readonly kind: 'setup'; readonly type: SetupType; payload: Buffer; readonly code: { at: number; bytes: number } | undefined }
    | { readonly kind: 'message'; readonly message: ResponseMessage }
  /** How a message is wrapped: in its session, or outside of any, in the wrapper of 1.5 or 2.0. */
  wrapper: 'session' | 'v15' | 'v20'
  readonly session: IpmiSession | undefined
  /** Session sequence number; settled when the draft is made. */
  sequence: number
  encrypted: boolean
  authenticated: boolean
  /** Added to the payload length field. */
  lengthBy: number
  /** Padding of the ciphertext by the book, with a pad length of 16 and more, or with wrong pad bytes. */
  padding: 'right' | 'long' | 'wrong'
  /** Whether the inner checksums are right. */
  checksums: boolean
  /** AuthCode or code of RAKP2 and RAKP4: right, or other bytes; and cut to so many bytes. */
  code: 'right' | 'wrong'
  codeBytes: number
}

const HEADER = 16
const BLOCK = 16

/** Makes the datagram of a draft. `iv`: 16 bytes. */
export function build(draft: Draft, iv: Buffer): Buffer {
  const { body } = draft
  switch (body.kind) {
    case 'bytes':
      return body.bytes
    case 'setup':
      return withLength(encodeSetup(body.type, spoilCode(body.payload, body.code, draft)), draft.lengthBy)
    case 'message': {
      const message = encodeMessage(body.message, draft.checksums)
      if (draft.wrapper === 'v15') return encodeV15(message)
      if (draft.wrapper === 'v20' || draft.session === undefined) return wrap(draft, 0, message)
      return protect(draft, draft.session, message, iv)
    }
  }
}

/** The bytes of a response, with checksums (§13.8). Written here once more, so that our own decoder meets a second opinion. */
function encodeMessage({ netFn, command, sequence, completion, data }: ResponseMessage, checksums: boolean): Buffer {
  const bytes = Buffer.alloc(8 + data.length)
  bytes.set([0x81, (netFn << 2) & 0xff, 0, 0x20, (sequence << 2) & 0xff, command, completion])
  data.copy(bytes, 7)
  bytes[2] = sumToZero(bytes.subarray(0, 2))
  bytes[7 + data.length] = sumToZero(bytes.subarray(3, 7 + data.length))
  if (!checksums) {
    bytes[2] ^= 0xff
    bytes[7 + data.length] = (bytes[7 + data.length] ?? 0) ^ 0xff
  }
  return bytes
}

function sumToZero(bytes: Buffer): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff
}

function protect(draft: Draft, { suite, keys, consoleId }: IpmiSession, message: Buffer, iv: Buffer): Buffer {
  const payload = draft.encrypted && keys !== undefined ? encrypt(draft, keys.k2, message, iv) : message
  const open = wrap(draft, consoleId, payload)
  if (!draft.authenticated || suite === undefined || keys === undefined) return open
  // What is signed, from the authentication type to the next header, is a multiple of 4 (§13.28.4).
  const pad = -(open.length - 4 + 2) & 3
  const signed = Buffer.concat([open, Buffer.alloc(pad, 0xff), Buffer.from([pad, 0x07])])
  const code = createHmac(suite.hash, keys.k1).update(signed.subarray(4)).digest().subarray(0, suite.authCodeBytes)
  if (draft.code === 'wrong') code[0] = (code[0] ?? 0) ^ 0x5a
  return Buffer.concat([signed, code.subarray(0, draft.codeBytes)])
}

function encrypt(draft: Draft, k2: Buffer, message: Buffer, iv: Buffer): Buffer {
  const short = (BLOCK - ((message.length + 1) % BLOCK)) % BLOCK
  const count = draft.padding === 'long' ? short + BLOCK : short
  const pad = Buffer.from(Array.from({ length: count }, (_, index) => (draft.padding === 'wrong' ? 0xee : index + 1)))
  const cipher = createCipheriv('aes-128-cbc', k2.subarray(0, 16), iv).setAutoPadding(false)
  return Buffer.concat([iv, cipher.update(Buffer.concat([message, pad, Buffer.from([count])])), cipher.final()])
}

function wrap(draft: Draft, sessionId: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER + payload.length)
  bytes.set([0x06, 0x00, 0xff, 0x07, 0x06, (draft.encrypted ? 0x80 : 0) | (draft.authenticated ? 0x40 : 0)])
  bytes.writeUInt32LE(sessionId, 6)
  bytes.writeUInt32LE(draft.sequence, 10)
  bytes.writeUInt16LE(payload.length, 14)
  payload.copy(bytes, HEADER)
  return withLength(bytes, draft.lengthBy)
}

function withLength(datagram: Buffer, by: number): Buffer {
  if (by !== 0) datagram.writeUInt16LE((datagram.readUInt16LE(14) + by) & 0xffff, 14)
  return datagram
}

function spoilCode(payload: Buffer, place: { at: number; bytes: number } | undefined, draft: Draft): Buffer {
  if (place === undefined) return payload
  const bytes = Buffer.from(payload)
  if (draft.code === 'wrong') bytes[place.at] = (bytes[place.at] ?? 0) ^ 0x5a
  return bytes.subarray(0, place.at + Math.min(place.bytes, draft.codeBytes))
}

/** A draft as an honest BMC makes it. */
export function draftOf(packet: string, body: Draft['body'], session?: IpmiSession): Draft {
  const isProtected = session?.suite !== undefined
  return {
    packet,
    body,
    wrapper: session === undefined ? 'v15' : 'session',
    session,
    sequence: 0,
    encrypted: isProtected,
    authenticated: isProtected,
    lengthBy: 0,
    padding: 'right',
    checksums: true,
    code: 'right',
    codeBytes: Number.POSITIVE_INFINITY,
  }
}
