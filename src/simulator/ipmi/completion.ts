/** The completion codes that a simulated BMC gives (table 5-2); those from 80h to 87h mean something only with their command. */
export const CODES = {
  ok: 0x00,
  /** Set Session Privilege: the level is not for this user, or above the session's limit. Close Session: no such session. */
  notForUser: 0x80,
  aboveLimit: 0x81,
  noSession: 0x87,
  command: 0xc1,
  length: 0xc7,
  field: 0xcc,
  privilege: 0xd4,
  state: 0xd5,
} as const
