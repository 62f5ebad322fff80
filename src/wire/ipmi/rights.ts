import { PRIVILEGE_LEVELS, type Privilege, privilegeOf, whole } from './command.ts'
import { FrameError } from './failure.ts'

/** Set Session Privilege Level (§22.18): one byte. */
export function encodePrivilege({ privilege }: { privilege: Privilege }): Buffer {
  return Buffer.from([PRIVILEGE_LEVELS[privilege]])
}

/** Throws FrameError `field` for callback, the maker's own and 0 (which changes nothing). */
export function decodePrivilege(data: Buffer): { privilege: Privilege } {
  const level = whole(data, reader => reader.u8()) & 0x0f
  const privilege = privilegeOf(level)
  if (privilege === undefined) throw new FrameError('field', `privilege level ${level}`)
  return { privilege }
}

/** Close Session (§22.19): the BMC's id of the session, 4 bytes. */
export function encodeSessionId({ sessionId }: { sessionId: number }): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(sessionId, 0)
  return bytes
}

/** 4 bytes; a handle behind an id of 0 is not taken. */
export function decodeSessionId(data: Buffer): { sessionId: number } {
  return { sessionId: whole(data, reader => reader.u32()) }
}

/** Get Session Info (§22.20), about the session that asks. */
export interface SessionInfo {
  /** 0: no session. */
  handle: number
  /** How many sessions there can be. */
  limit: number
  /** How many there are. */
  active: number
  /** About the session itself, where there is one. */
  session?: { user: number; privilege: number; channel: number; rmcpPlus: boolean }
}

/** One byte, 0: the session that asks. Other sessions are not asked for. */
export function encodeInfoArgs(): Buffer {
  return Buffer.from([0])
}

/** Throws FrameError for other sessions than the asking one. */
export function decodeInfoArgs(data: Buffer): void {
  const index = whole(data, reader => reader.u8())
  if (index !== 0) throw new FrameError('field', `session index ${index}`)
}

/** 3 bytes without a session, 6 with one, 18 with one over the network (whose address we know, so it is not read). */
export function decodeSessionInfo(data: Buffer): SessionInfo {
  return whole(data, reader => {
    const info = { handle: reader.u8(), limit: reader.u8() & 0x3f, active: reader.u8() & 0x3f }
    if (reader.left === 0) return info
    const user = reader.u8() & 0x3f
    const privilege = reader.u8() & 0x0f
    const channel = reader.u8()
    if (reader.left > 0) reader.skip(12)
    return { ...info, session: { user, privilege, channel: channel & 0x0f, rmcpPlus: channel >> 4 === 1 } }
  })
}

/** The other direction, for a BMC: 3 bytes or 6. */
export function encodeSessionInfo({ handle, limit, active, session }: SessionInfo): Buffer {
  const bytes = Buffer.from([handle, limit, active])
  if (session === undefined) return bytes
  return Buffer.from([...bytes, session.user, session.privilege, session.channel | (session.rmcpPlus ? 0x10 : 0)])
}
