import { checksum } from './checksum.ts'
import { FrameError } from './failure.ts'

/** A command as it is asked: what a BMC reads. */
export interface Request {
  /** Even. */
  netFn: number
  command: number
  /** 6 bits; the answer has the same. */
  sequence: number
  data: Buffer
}

/** The answer to a command. */
export interface Response {
  /** The request's and one: odd. */
  netFn: number
  command: number
  sequence: number
  /** 0 where it was done (`completion.ts`). */
  completion: number
  /** What follows the completion code. */
  data: Buffer
  /** Whom it is addressed to, where that is not a remote console's 0x81. */
  requester?: number
}

/** How far a message is checked. */
export interface MessageChecks {
  /** False only under a code that was checked, for BMCs that get them wrong (the skip-checksum quirk). */
  checkSums: boolean
}

/** The BMC's address on its own bus. */
const BMC = 0x20
/** A remote console's software id, as ipmitool, FreeIPMI and pyghmi send it. */
const CONSOLE = 0x81
/** Whom an answer may be addressed to: go-ipmi's server (0.9.1) writes the BMC's own address there. Sequence and code say whose answer it is. */
const ADDRESSEES: readonly number[] = [CONSOLE, BMC]
/** Addresses, functions, check sums, sequence and command: what a message has besides data. */
const OVERHEAD = 7

/** An IPMI message to a BMC, both check sums included (§13.8). */
export function encodeRequest({ netFn, command, sequence, data }: Request): Buffer {
  const bytes = Buffer.allocUnsafe(OVERHEAD + data.length)
  writeHead(bytes, BMC, netFn, CONSOLE, sequence, command)
  bytes.set(data, 6)
  bytes[bytes.length - 1] = checksum(bytes, 3, bytes.length - 1)
  return bytes
}

/** What a BMC was asked. Throws FrameError: too short, wrong addresses, a response's function, wrong check sums. */
export function decodeRequest(bytes: Buffer): Request {
  const netFn = readHead(bytes, OVERHEAD, [BMC], CONSOLE, true)
  if ((netFn & 1) !== 0) throw new FrameError('net_function', `network function ${netFn} is of a response`)
  return { netFn, command: bytes.readUInt8(5), sequence: bytes.readUInt8(4) >> 2, data: bytes.subarray(6, -1) }
}

/** A BMC's answer; `netFn` is the answer's, so odd. */
export function encodeResponse({ netFn, command, sequence, completion, data, requester = CONSOLE }: Response): Buffer {
  const bytes = Buffer.allocUnsafe(OVERHEAD + 1 + data.length)
  writeHead(bytes, requester, netFn, BMC, sequence, command)
  bytes[6] = completion
  bytes.set(data, 7)
  bytes[bytes.length - 1] = checksum(bytes, 3, bytes.length - 1)
  return bytes
}

/** What a BMC answered. Throws FrameError: too short, wrong addresses, a request's function, wrong check sums. Whether it is the awaited answer is for the session to say. */
export function decodeResponse(bytes: Buffer, { checkSums }: MessageChecks): Response {
  const netFn = readHead(bytes, OVERHEAD + 1, ADDRESSEES, BMC, checkSums)
  const requester = bytes.readUInt8(0)
  if ((netFn & 1) === 0) throw new FrameError('net_function', `network function ${netFn} is of a request`)
  const response = {
    netFn,
    command: bytes.readUInt8(5),
    sequence: bytes.readUInt8(4) >> 2,
    completion: bytes.readUInt8(6),
    data: bytes.subarray(7, -1),
  }
  return requester === CONSOLE ? response : { ...response, requester }
}

function writeHead(bytes: Buffer, to: number, netFn: number, from: number, sequence: number, command: number): void {
  bytes[0] = to
  bytes[1] = netFn << 2
  bytes[2] = -(to + (netFn << 2)) & 0xff
  bytes[3] = from
  bytes[4] = (sequence & 0x3f) << 2
  bytes[5] = command
}

/** Checks what both directions have in common and returns the network function. The units' numbers (LUN) are not looked at: a BMC has one. */
function readHead(bytes: Buffer, atLeast: number, to: readonly number[], from: number, checkSums: boolean): number {
  if (bytes.length < atLeast) throw new FrameError('short', `a message of ${bytes.length} bytes`)
  if (checkSums && (checksum(bytes, 0, 3) !== 0 || checksum(bytes, 3, bytes.length) !== 0)) {
    throw new FrameError('checksum', 'a check sum of the message is wrong')
  }
  if (!to.includes(bytes.readUInt8(0)) || bytes[3] !== from) throw new FrameError('addresses', `from ${bytes[3]} to ${bytes[0]}`)
  return bytes.readUInt8(1) >> 2
}
