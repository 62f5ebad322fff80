import { Reader } from './cursor.ts'
import { FrameError } from './failure.ts'
import type { Algorithms } from './suites.ts'

/** Payload 10 (§13.17): asks for a session. */
export interface OpenRequest {
  /** Comes back in the answer. */
  tag: number
  /** 2 user, 3 operator, 4 administrator; 0 the highest there is. The same as in RAKP1, or some firmware hashes another one. */
  privilege: number
  /** Our id for the session; not 0. */
  consoleId: number
  /** The algorithms proposed: a `Suite` when we ask, whatever was asked for when a BMC reads it. */
  suite: Algorithms
}

/** Payload 11 (§13.18). Everything but tag and status is there only where the status is 0. */
export interface OpenResponse {
  tag: number
  /** See `status.ts`. Not authenticated: never final by itself. */
  status: number
  privilege?: number
  consoleId?: number
  bmcId?: number
  /** What the BMC chose: has to be what was proposed. */
  algorithms?: Algorithms
}

/** Payload 12 (§13.20): who logs in. */
export interface Rakp1 {
  tag: number
  bmcId: number
  /** 16 bytes, fresh for every handshake. */
  random: Buffer
  /** The whole byte, as it is hashed: privilege, and 0x10 where the user is looked up by name alone. */
  role: number
  /** The name's bytes; at most 16 (the pad-user-16 quirk: exactly 16). */
  user: Buffer
}

/** Payload 13 (§13.21). Code and names are there only where the status is 0. */
export interface Rakp2 {
  tag: number
  status: number
  /** 0 where an error reply leaves it out. */
  consoleId: number
  /** 16 bytes; empty in an error. */
  random: Buffer
  /** 16 bytes; empty in an error. Under the code, so it is the BMC's identity once that is checked. */
  guid: Buffer
  /** 20 or 32 bytes; empty in an error. */
  code: Buffer
}

/** Payload 14 (§13.22). With a status that is not 0 it has no code: it tells the BMC to forget the handshake. */
export interface Rakp3 {
  tag: number
  status: number
  bmcId: number
  /** 20 or 32 bytes; empty with an error. */
  code: Buffer
}

/** Payload 15 (§13.23). */
export interface Rakp4 {
  tag: number
  status: number
  /** 0 where an error reply leaves it out. */
  consoleId: number
  /** 12 or 16 bytes; empty in an error. */
  code: Buffer
}

const NONE = Buffer.alloc(0)
/** Specified error replies have 8 bytes; ipmi_sim answers with tag and status alone. */
const BARE_ERROR = 2

/** Payload only; `encodeSetup('openRequest', …)` wraps it. */
export function encodeOpenRequest(request: OpenRequest): Buffer {
  const bytes = Buffer.alloc(32)
  bytes[0] = request.tag
  bytes[1] = request.privilege
  bytes.writeUInt32LE(request.consoleId, 4)
  writeAlgorithms(bytes, 8, request.suite)
  return bytes
}

/** Throws FrameError for another length or algorithm records that are not the three of 8 bytes. */
export function decodeOpenRequest(payload: Buffer): OpenRequest {
  const reader = new Reader(payload)
  const tag = reader.u8()
  const privilege = reader.u8() & 0x0f
  reader.skip(2)
  const consoleId = reader.u32()
  const suite = readAlgorithms(reader)
  reader.end()
  return { tag, privilege, consoleId, suite }
}

/** Payload only. An error has 8 bytes, an acceptance 36 and needs all its fields. */
export function encodeOpenResponse(response: OpenResponse): Buffer {
  const { algorithms } = response
  const accepted = response.status === 0 && algorithms !== undefined
  const bytes = Buffer.alloc(accepted ? 36 : 8)
  bytes[0] = response.tag
  bytes[1] = response.status
  bytes[2] = response.privilege ?? 0
  bytes.writeUInt32LE(response.consoleId ?? 0, 4)
  if (accepted) {
    bytes.writeUInt32LE(response.bmcId ?? 0, 8)
    writeAlgorithms(bytes, 12, algorithms)
  }
  return bytes
}

/** Throws FrameError. An error may have 2 bytes (ipmi_sim), 8 (the specification) or all 36; an acceptance has 36 and a BMC id that is not 0. */
export function decodeOpenResponse(payload: Buffer): OpenResponse {
  const reader = new Reader(payload)
  const tag = reader.u8()
  const status = reader.u8()
  if (status !== 0) {
    errorLength(payload, [8, 36])
    if (payload.length === BARE_ERROR) return { tag, status }
    return { tag, status, privilege: reader.u8() & 0x0f, consoleId: payload.readUInt32LE(4) }
  }
  const privilege = reader.u8() & 0x0f
  reader.skip(1)
  const consoleId = reader.u32()
  const bmcId = reader.u32()
  const algorithms = readAlgorithms(reader)
  reader.end()
  if (bmcId === 0) throw new FrameError('field', 'an open session with the id 0')
  return { tag, status, privilege, consoleId, bmcId, algorithms }
}

/** Payload only: 28 bytes and the user's name. */
export function encodeRakp1(rakp1: Rakp1): Buffer {
  const bytes = Buffer.alloc(28 + rakp1.user.length)
  bytes[0] = rakp1.tag
  bytes.writeUInt32LE(rakp1.bmcId, 4)
  fixed(rakp1.random, 16).copy(bytes, 8)
  bytes[24] = rakp1.role
  bytes.writeUInt8(rakp1.user.length, 27)
  rakp1.user.copy(bytes, 28)
  return bytes
}

/** Throws FrameError for another length than the name's says. A name over 16 bytes is read: the BMC answers status 0x0C to it. */
export function decodeRakp1(payload: Buffer): Rakp1 {
  const reader = new Reader(payload)
  const tag = reader.u8()
  reader.skip(3)
  const bmcId = reader.u32()
  const random = reader.take(16)
  const role = reader.u8()
  reader.skip(2)
  const user = reader.take(reader.u8())
  reader.end()
  return { tag, bmcId, random, role, user }
}

/** Payload only. An error has 8 bytes. */
export function encodeRakp2(rakp2: Rakp2): Buffer {
  const head = encodeHead(rakp2.tag, rakp2.status, rakp2.consoleId)
  if (rakp2.status !== 0) return head
  return Buffer.concat([head, fixed(rakp2.random, 16), fixed(rakp2.guid, 16), rakp2.code])
}

/**
 * Throws FrameError for other lengths. With `slack` (the rakp2-slack quirk) one byte too many behind the code is cut off.
 * Whether the code is right, and as long as the suite's, is for `sameCode` to say.
 */
export function decodeRakp2(payload: Buffer, options: { slack?: boolean } = {}): Rakp2 {
  const { reader, tag, status, id: consoleId } = decodeHead(payload, [8, 40, 60, 72])
  if (status !== 0) return { tag, status, consoleId, random: NONE, guid: NONE, code: NONE }
  const random = reader.take(16)
  const guid = reader.take(16)
  const extra = options.slack === true && (reader.left === 21 || reader.left === 33) ? 1 : 0
  const code = oneOf(reader.take(Math.max(reader.left - extra, 0)), 20, 32)
  return { tag, status, consoleId, random, guid, code }
}

/** Payload only. With a status that is not 0 the code is left out. */
export function encodeRakp3(rakp3: Rakp3): Buffer {
  const head = encodeHead(rakp3.tag, rakp3.status, rakp3.bmcId)
  return rakp3.status === 0 ? Buffer.concat([head, rakp3.code]) : head
}

/** Throws FrameError for other lengths. */
export function decodeRakp3(payload: Buffer): Rakp3 {
  const { reader, tag, status, id: bmcId } = decodeHead(payload, [8, 28, 40])
  return { tag, status, bmcId, code: status === 0 ? oneOf(reader.rest(), 20, 32) : NONE }
}

/** Payload only. An error has 8 bytes. */
export function encodeRakp4(rakp4: Rakp4): Buffer {
  const head = encodeHead(rakp4.tag, rakp4.status, rakp4.consoleId)
  return rakp4.status === 0 ? Buffer.concat([head, rakp4.code]) : head
}

/** Throws FrameError for other lengths. */
export function decodeRakp4(payload: Buffer): Rakp4 {
  const { reader, tag, status, id: consoleId } = decodeHead(payload, [8, 20, 24])
  return { tag, status, consoleId, code: status === 0 ? oneOf(reader.rest(), 12, 16) : NONE }
}

function encodeHead(tag: number, status: number, sessionId: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes[0] = tag
  bytes[1] = status
  bytes.writeUInt32LE(sessionId, 4)
  return bytes
}

/** Tag, status, two reserved bytes and the receiver's session id: how RAKP2 to RAKP4 begin. Errors may be shorter. */
function decodeHead(payload: Buffer, errorLengths: readonly number[]): { reader: Reader; tag: number; status: number; id: number } {
  const reader = new Reader(payload)
  const tag = reader.u8()
  const status = reader.u8()
  if (status !== 0) {
    errorLength(payload, errorLengths)
    if (payload.length === BARE_ERROR) return { reader, tag, status, id: 0 }
  }
  reader.skip(2)
  return { reader, tag, status, id: reader.u32() }
}

function errorLength(payload: Buffer, lengths: readonly number[]): void {
  if (payload.length === BARE_ERROR || lengths.includes(payload.length)) return
  throw new FrameError(payload.length < 8 ? 'short' : 'long', `an error reply of ${payload.length} bytes`)
}

/** Three records of 8 bytes: kind, 0, 0, 8, algorithm, 0, 0, 0. */
function writeAlgorithms(bytes: Buffer, at: number, algorithms: Algorithms): void {
  bytes[at + 3] = bytes[at + 11] = bytes[at + 19] = 8
  bytes[at + 8] = 1
  bytes[at + 16] = 2
  bytes[at + 4] = algorithms.auth
  bytes[at + 12] = algorithms.integrity
  bytes[at + 20] = algorithms.confidentiality
}

function readAlgorithms(reader: Reader): Algorithms {
  return { auth: readAlgorithm(reader, 0), integrity: readAlgorithm(reader, 1), confidentiality: readAlgorithm(reader, 2) }
}

function readAlgorithm(reader: Reader, kind: number): number {
  const seen = reader.u8()
  reader.skip(2)
  const length = reader.u8()
  if (seen !== kind || length !== 8) throw new FrameError('field', `algorithm record ${seen} of ${length} bytes where ${kind} of 8 belongs`)
  const algorithm = reader.u8() & 0x3f
  reader.skip(3)
  return algorithm
}

function oneOf(code: Buffer, short: number, long: number): Buffer {
  if (code.length === short || code.length === long) return code
  throw new FrameError(code.length < long ? 'short' : 'long', `a code of ${code.length} bytes instead of ${short} or ${long}`)
}

/** What we send ourselves: a wrong length is a mistake of the caller. */
function fixed(bytes: Buffer, length: number): Buffer {
  if (bytes.length !== length) throw new RangeError(`${bytes.length} bytes where ${length} belong`)
  return bytes
}
