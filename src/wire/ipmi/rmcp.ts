import { FrameError } from './failure.ts'

/** Payload types of the handshake (table 13-16). */
export const SETUP_TYPES = {
  openRequest: 0x10,
  openResponse: 0x11,
  rakp1: 0x12,
  rakp2: 0x13,
  rakp3: 0x14,
  rakp4: 0x15,
} as const

/** One step of the handshake. */
export type SetupType = keyof typeof SETUP_TYPES

/** Asks whether anything speaks ASF or IPMI there (§13.2.3). Proves nothing about power, nor does its answer. */
export interface PingPacket {
  kind: 'ping'
  tag: number
}

/** The answer to a ping: the BMC's UDP stack is alive, no more. */
export interface PongPacket {
  kind: 'pong'
  tag: number
  /** Whether it says that it speaks IPMI. */
  ipmi: boolean
}

/** A message outside any session, in IPMI 1.5's wrapper (§13.6): for what may be asked before a log-in. */
export interface SessionlessPacket {
  kind: 'v15'
  message: Buffer
}

/** A step of the handshake: session 0, sequence 0, not protected (§13.17 to §13.24). */
export interface SetupPacket {
  kind: 'setup'
  type: SetupType
  payload: Buffer
}

/** A packet of a session, framed and nothing more: `unseal` says whether it is to be believed. With the id 0: a message outside any session (ipmitool asks for suites so). */
export interface SessionPacket {
  kind: 'session'
  sessionId: number
  sequence: number
  encrypted: boolean
  authenticated: boolean
  /** IV and ciphertext where encrypted. */
  payload: Buffer
  /** The bytes under the HMAC, from the authentication type to the next header; empty where unauthenticated. */
  signed: Buffer
  /** 12 or 16 bytes; empty where unauthenticated. */
  authCode: Buffer
}

/** What a datagram can be. All buffers are views of the datagram. */
export type Packet = PingPacket | PongPacket | SessionlessPacket | SetupPacket | SessionPacket

/** IANA's number of ASF; big-endian in a message, unlike everything else. */
const ASF_IANA = 4542
const ENCRYPTED = 0x80
const AUTHENTICATED = 0x40
/** RMCP header, authentication type, payload type, session id, sequence, payload length (table 13-8). */
const SESSION_HEADER = 16
/** The header of 1.5: RMCP, authentication type, sequence, session id, length. */
const V15_HEADER = 14

const SETUP_NAMES = new Map<number, SetupType>(Object.entries(SETUP_TYPES).map(([name, type]) => [type, name as SetupType]))

/** How many bytes of 0xFF follow a payload so that what is signed is a multiple of four (§13.28.4): up to the next header, from the authentication type. */
export function trailerPad(payloadBytes: number): number {
  // 12 bytes of header are signed, and the pad length and the next header with them.
  return -(payloadBytes + 14) & 3
}

/**
 * Frames a datagram: headers, kinds and lengths. Lengths are exact: what a length field says has to be there, and nothing behind it.
 * RMCP's reserved byte and sequence are not looked at: they are under no HMAC and mean nothing for IPMI (§13.2.1: 0xFF, no acknowledgement wanted).
 * Throws FrameError for anything else, and for what we never speak: acknowledgements, other classes, 1.5 sessions, OEM and serial-over-LAN payloads.
 */
export function parsePacket(datagram: Buffer): Packet {
  if (datagram.length < 5) throw new FrameError('short', `${datagram.length} bytes are no RMCP packet`)
  if (datagram[0] !== 0x06) throw new FrameError('not_rmcp', 'not RMCP version 1.0')
  const messageClass = datagram.readUInt8(3)
  if (messageClass === 0x07) {
    const authType = datagram[4]
    if (authType === 0x06) return parseSession(datagram)
    if (authType === 0x00) return parseSessionless(datagram)
    throw new FrameError('auth_type', `authentication type ${authType} is of IPMI 1.5 sessions`)
  }
  if (messageClass === 0x06) return parseAsf(datagram)
  if ((messageClass & 0x80) !== 0) throw new FrameError('acknowledgement', 'an RMCP acknowledgement carries nothing')
  throw new FrameError('message_class', `message class ${messageClass} is neither ASF nor IPMI`)
}

function parseSession(datagram: Buffer): SetupPacket | SessionPacket {
  if (datagram.length < SESSION_HEADER) throw new FrameError('short', 'the session header ends early')
  const flags = datagram.readUInt8(5)
  const type = flags & 0x3f
  // Before the length is believed: an OEM payload (2) has six more bytes in its header.
  const setup = SETUP_NAMES.get(type)
  if (type !== 0 && setup === undefined) throw new FrameError('payload_type', `payload type ${type} is not spoken`)
  const sessionId = datagram.readUInt32LE(6)
  const sequence = datagram.readUInt32LE(10)
  const end = SESSION_HEADER + datagram.readUInt16LE(14)
  if (end > datagram.length) throw new FrameError('short', `the payload ends ${end - datagram.length} bytes early`)
  const encrypted = (flags & ENCRYPTED) !== 0
  if ((flags & AUTHENTICATED) === 0) {
    if (end < datagram.length) throw new FrameError('long', `${datagram.length - end} bytes behind the payload`)
    const payload = datagram.subarray(SESSION_HEADER)
    if (setup === undefined)
      return { kind: 'session', sessionId, sequence, encrypted, authenticated: false, payload, signed: NONE, authCode: NONE }
    if (encrypted || sessionId !== 0 || sequence !== 0) throw new FrameError('not_sessionless', 'a step of the handshake inside a session')
    return { kind: 'setup', type: setup, payload }
  }
  if (setup !== undefined) throw new FrameError('not_sessionless', 'a signed step of the handshake')
  const signedEnd = end + trailerPad(end - SESSION_HEADER) + 2
  const codeBytes = datagram.length - signedEnd
  if (codeBytes !== 12 && codeBytes !== 16) {
    throw new FrameError(codeBytes < 16 ? 'short' : 'long', `an authentication code of ${codeBytes} bytes`)
  }
  return {
    kind: 'session',
    sessionId,
    sequence,
    encrypted,
    authenticated: true,
    payload: datagram.subarray(SESSION_HEADER, end),
    signed: datagram.subarray(4, signedEnd),
    authCode: datagram.subarray(signedEnd),
  }
}

function parseSessionless(datagram: Buffer): SessionlessPacket {
  if (datagram.length < V15_HEADER) throw new FrameError('short', 'the header of 1.5 ends early')
  if (datagram.readUInt32LE(5) !== 0 || datagram.readUInt32LE(9) !== 0) throw new FrameError('not_sessionless', 'IPMI 1.5 inside a session')
  const end = V15_HEADER + datagram.readUInt8(13)
  if (end > datagram.length) throw new FrameError('short', `the message ends ${end - datagram.length} bytes early`)
  if (end < datagram.length) throw new FrameError('long', `${datagram.length - end} bytes behind the message`)
  return { kind: 'v15', message: datagram.subarray(V15_HEADER) }
}

function parseAsf(datagram: Buffer): PingPacket | PongPacket {
  if (datagram.length < 12) throw new FrameError('short', 'the ASF header ends early')
  if (datagram.readUInt32BE(4) !== ASF_IANA) throw new FrameError('asf', 'ASF class with the number of somebody else')
  const dataBytes = datagram.readUInt8(11)
  if (datagram.length !== 12 + dataBytes) {
    throw new FrameError(
      datagram.length < 12 + dataBytes ? 'short' : 'long',
      `${datagram.length - 12} bytes of ASF data, ${dataBytes} said`,
    )
  }
  const type = datagram.readUInt8(8)
  const tag = datagram.readUInt8(9)
  if (type === 0x80 && dataBytes === 0) return { kind: 'ping', tag }
  if (type === 0x40 && dataBytes === 16) return { kind: 'pong', tag, ipmi: (datagram.readUInt8(20) & 0x80) !== 0 }
  throw new FrameError('asf', `ASF type ${type} with ${dataBytes} bytes`)
}

/** A presence ping; its answer has the same tag (0 to 254: 255 means that none is wanted). */
export function encodePing(tag: number): Buffer {
  return Buffer.from([0x06, 0, 0xff, 0x06, 0, 0, 0x11, 0xbe, 0x80, tag, 0, 0])
}

/** The answer to a ping, of a BMC that speaks IPMI and no other ASF. */
export function encodePong(tag: number): Buffer {
  const bytes = Buffer.alloc(28)
  bytes.set([0x06, 0, 0xff, 0x06, 0, 0, 0x11, 0xbe, 0x40, tag, 0, 16, 0, 0, 0x11, 0xbe, 0, 0, 0, 0, 0x81])
  return bytes
}

/** Wraps a message that needs no session, as IPMI 1.5 does (§13.6). At most 255 bytes. */
export function encodeV15(message: Buffer): Buffer {
  if (message.length > 0xff) throw new RangeError(`a message of ${message.length} bytes does not fit`)
  const bytes = Buffer.alloc(V15_HEADER + message.length)
  bytes.writeUInt32BE(0x0600ff07, 0)
  bytes.writeUInt8(message.length, 13)
  message.copy(bytes, V15_HEADER)
  return bytes
}

/** Wraps a step of the handshake: session 0, sequence 0, no flags. */
export function encodeSetup(type: SetupType, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(SESSION_HEADER + payload.length)
  writeSessionHeader(bytes, SETUP_TYPES[type], 0, 0, payload.length)
  payload.copy(bytes, SESSION_HEADER)
  return bytes
}

/** Writes RMCP's header and that of a session (table 13-8) into the first 16 bytes; `type` has the two flags in its upper bits. */
export function writeSessionHeader(bytes: Buffer, type: number, sessionId: number, sequence: number, payloadBytes: number): void {
  bytes.writeUInt32BE(0x0600ff07, 0)
  bytes[4] = 0x06
  bytes[5] = type
  bytes.writeUInt32LE(sessionId, 6)
  bytes.writeUInt32LE(sequence, 10)
  bytes.writeUInt16LE(payloadBytes, 14)
}

const NONE = Buffer.alloc(0)
