import type { Suite } from '../../wire/ipmi/suites.ts'
import type { GuidOrder } from './guid.ts'

/** Privilege levels by their number (§6.8); the BMC compares numbers. */
export const PRIVILEGES = { callback: 1, user: 2, operator: 3, administrator: 4 } as const

/** The name of a privilege level. */
export type PrivilegeName = keyof typeof PRIVILEGES

/** One account of a BMC. Names are at most 16 bytes, passwords at most 20 (§22.28, §22.30). */
export interface IpmiUser {
  readonly name: string
  readonly password: string
  /** The highest level that it may ask for. */
  readonly privilege: PrivilegeName
}

/** How the IPMI side of a simulated BMC behaves. All have defaults; times are milliseconds. */
export interface IpmiOptions {
  /** The suites that it accepts. Default 3 and 17. */
  readonly suites?: readonly Suite['id'][]
  /** Whether the list of suites names suite 0, as most BMCs did; it is refused all the same (fault `acceptSuite0`). Default true. */
  readonly offersSuite0?: boolean
  /** Accounts beside the simulator's own, which is an administrator. */
  readonly users?: readonly IpmiUser[]
  /** The key of the BMC, at most 20 bytes; without it the user's password stands in (§13.25). */
  readonly kg?: string
  /** Sessions at once, half-open ones included. Default 4, the specification's minimum. */
  readonly sessionLimit?: number
  /** A session ends when it was idle for so long. Default 60 s (§6.12.15). */
  readonly sessionTimeoutMs?: number
  /** The byte order of its GUIDs. Default `smbios`. */
  readonly guidOrder?: GuidOrder
  /** RAKP1 with an unknown name: refused with 0Dh, or answered with a code that fits no password (go-ipmi). Default `refused`. */
  readonly unknownUser?: 'refused' | 'bogus'
  /** DCMI power reading: measured, with a time stamp that stands still, or no DCMI at all (C1h). Default: measured where the personality has watts. */
  readonly watts?: 'measured' | 'frozen' | 'absent'
  /** Bytes that nobody can guess: random numbers of RAKP2, session ids, initialisation vectors. Default `crypto.randomBytes`. */
  readonly randomBytes?: (count: number) => Buffer
}

const NAME_BYTES = 16
const SECRET_BYTES = 20

/** Throws where an account or the key is longer than IPMI has room for. */
export function checkUsers(users: readonly IpmiUser[], kg: string | undefined): void {
  for (const { name, password } of users) {
    if (Buffer.byteLength(name) > NAME_BYTES) throw new Error(`ipmi: the user name "${name}" is longer than ${NAME_BYTES} bytes`)
    if (Buffer.byteLength(password) > SECRET_BYTES) throw new Error(`ipmi: the password of "${name}" is longer than ${SECRET_BYTES} bytes`)
  }
  if (kg !== undefined && Buffer.byteLength(kg) > SECRET_BYTES) throw new Error(`ipmi: the BMC key is longer than ${SECRET_BYTES} bytes`)
}
