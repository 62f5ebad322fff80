import type { Completion } from './completion.ts'
import { Reader } from './cursor.ts'
import { FrameError } from './failure.ts'

/** What a session may do (§6.8). Callback and the makers' own levels are not used. */
export type Privilege = 'user' | 'operator' | 'administrator'

/** The levels' numbers in packets. */
export const PRIVILEGE_LEVELS: Readonly<Record<Privilege, 2 | 3 | 4>> = { user: 2, operator: 3, administrator: 4 }

/** The privilege of a number, or undefined for callback (1), the maker's own (5) and numbers without meaning. */
export function privilegeOf(level: number): Privilege | undefined {
  return level === 2 ? 'user' : level === 3 ? 'operator' : level === 4 ? 'administrator' : undefined
}

/** One command, both directions: a console uses `encode` and `decode`, a BMC the other two. Decoders throw FrameError and nothing else. */
export interface CommandSpec<Args, Reply> {
  name: string
  /** The request's network function; the answer has the next one. */
  netFn: number
  command: number
  /** The least privilege that a session needs. */
  privilege: Privilege
  /** May be asked without any session. */
  sessionless?: true
  /** Section of the IPMI 2.0 specification (revision 1.1). */
  section: string
  /** What the command's own completion codes (0x80 to 0xBE) mean. */
  completions?: ReadonlyMap<number, Completion>
  encode(args: Args): Buffer
  /** Only for completion 0. */
  decode(data: Buffer): Reply
  decodeArgs(data: Buffer): Args
  encodeReply(reply: Reply): Buffer
}

/** No data at all. */
export const NOTHING: Buffer = Buffer.alloc(0)

/** Reads data from beginning to end: what is left over is refused. */
export function whole<T>(data: Buffer, read: (reader: Reader) => T): T {
  const reader = new Reader(data)
  const value = read(reader)
  reader.end()
  return value
}

/** Refuses any data. */
export function nothing(data: Buffer): void {
  if (data.length > 0) throw new FrameError('long', `${data.length} bytes where none belong`)
}
