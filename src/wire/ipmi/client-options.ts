import type { CipherSuite } from '../../core/power.ts'
import type { Secret } from '../../core/secret.ts'
import type { IpmiQuirk } from '../../core/topology.ts'
import type { IpmiAddress } from './address.ts'
import { PRIVILEGE_LEVELS, type Privilege } from './command.ts'
import { IpmiError } from './failure.ts'
import { userBytes } from './rakp.ts'
import type { LogIn } from './session-state.ts'

/** One BMC and how it is spoken to. */
export interface ClientOptions {
  address: IpmiAddress
  /** At most 16 bytes in UTF-8. */
  username: string
  /** At most 20 bytes in UTF-8. */
  password: Secret
  /** The BMC key, where the BMC has one: text, or `0x` and hexadecimal digits; at most 20 bytes. */
  kg?: Secret
  /** What the session may come to; it starts as `user`. */
  privilege: Privilege
  /** `auto`: 17, and 3 only where the BMC says repeatedly that it has no 17 and `provenSuite` is not 17. */
  suite: 'auto' | CipherSuite
  /** The best suite that ever worked with this BMC: tried first, and never gone below by `auto`. */
  provenSuite?: CipherSuite
  quirks?: readonly IpmiQuirk[]
  /** Limit of one exchange, and of one log-in, in ms; default 5,000. */
  exchangeMs?: number
  /** Within this a BMC must have answered a log-in at all, in ms; default 3,000. */
  connectMs?: number
  /** First repetition of an unanswered packet, in ms; default 250. Later ones come a little slower. */
  retransmitMs?: number
  /** After so many refused handshakes a log-in is given up; default, and at most, 2 (one may be a flipped bit). Less where an account is about to be locked. */
  maxBadLogIns?: number
  /** Awaited right before each log-in, which goes by the options as it leaves them: a place to open the credential. Its rejection ends what needed the log-in. */
  beforeLogIn?(): Promise<void>
  /** Told of each log-in that succeeded. */
  afterLogIn?(): void
}

/** The three durations, with their defaults. */
export interface Limits {
  exchangeMs: number
  connectMs: number
  retransmitMs: number
}

/** Within this a BMC, or a name server, must have answered at all where nobody says otherwise, in ms. */
export const CONNECT_MS = 3_000

/** The durations in force. */
export function limitsOf({ exchangeMs = 5_000, connectMs = CONNECT_MS, retransmitMs = 250 }: ClientOptions): Limits {
  return { exchangeMs, connectMs, retransmitMs }
}

const USER_BYTES = 16
const KEY_BYTES = 20

/**
 * What a log-in goes by. Reveals the password, so it is called at log-in only. Throws IpmiError `bad_credential` for what the protocol can not carry:
 * firmware that cuts off in silence would let in whoever knows the beginning.
 */
export function logInOf(options: ClientOptions): LogIn {
  const quirks = new Set(options.quirks)
  const name = Buffer.byteLength(options.username)
  if (name > USER_BYTES) throw new IpmiError('bad_credential', `a user name of ${name} bytes: IPMI has room for ${USER_BYTES}`)
  if (options.username.includes('\0')) throw new IpmiError('bad_credential', 'a user name with a zero in it: IPMI ends names there')
  return {
    user: userBytes(options.username, { padUser16: quirks.has('pad-user-16') }),
    password: keyBytes('password', Buffer.from(options.password.reveal())),
    kg: options.kg === undefined ? undefined : bmcKey(options.kg.reveal()),
    privilege: PRIVILEGE_LEVELS[options.privilege],
    suite: options.suite,
    provenSuite: options.provenSuite,
    quirks,
    ...limitsOf(options),
    ...(options.maxBadLogIns === undefined ? {} : { maxBadLogIns: options.maxBadLogIns }),
  }
}

/** Both are zero-padded to 20 bytes in a BMC (§13.31): a zero at the end would be lost without a word. */
function keyBytes(what: 'password' | 'BMC key', bytes: Buffer): Buffer {
  if (bytes.length > KEY_BYTES) throw new IpmiError('bad_credential', `a ${what} of ${bytes.length} bytes: IPMI has room for ${KEY_BYTES}`)
  return bytes
}

function bmcKey(text: string): Buffer | undefined {
  const hex = /^0x((?:[0-9a-f]{2})+)$/i.exec(text)?.[1]
  if (hex === undefined && /^0x/i.test(text))
    throw new IpmiError('bad_credential', 'a BMC key that begins with 0x needs pairs of hexadecimal digits')
  const bytes = keyBytes('BMC key', hex === undefined ? Buffer.from(text) : Buffer.from(hex, 'hex'))
  // A key of nothing but zeros is how a BMC says that it has none.
  return bytes.every(byte => byte === 0) ? undefined : bytes
}
