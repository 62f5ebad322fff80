import type { Credential } from '../core/driver.ts'
import { type DeviceFailure, DriverError, type FieldError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { logInOf } from '../wire/ipmi/client-options.ts'
import { completionOf } from '../wire/ipmi/completion.ts'
import { IpmiError, type IpmiReason } from '../wire/ipmi/failure.ts'

/** What each failure of the wire means to the rest of the house. */
const CODES: Record<IpmiReason, DeviceFailure> = {
  bad_address: 'bad_address',
  unreachable: 'unreachable',
  exchange_timeout: 'unreachable',
  socket: 'unreachable',
  aborted: 'unreachable',
  closed: 'unreachable',
  auth_failed: 'auth_failed',
  bad_credential: 'bad_credential',
  privilege: 'auth_failed',
  suite_refused: 'suite_refused',
  suite_downgrade: 'suite_refused',
  session_limit: 'session_limit',
  other_machine: 'identity_mismatch',
  busy: 'device_busy',
  completion: 'bad_answer',
  bad_answer: 'bad_answer',
}

/** Any error of an exchange as the port's own. What is not of the wire (the vault's errors, the breaker's) passes unchanged. */
export function driverError(error: unknown, device: string): unknown {
  if (!(error instanceof IpmiError)) return error
  const { retryAfterMs, completion } = error.facts
  // An account that logs in well and may not do it is no failed log-in: the breaker must not count it.
  const logIns = error.facts.logIns ?? (error.reason === 'privilege' ? 0 : undefined)
  const code = completion !== undefined && completionOf(completion).handling === 'unsupported' ? 'unsupported' : CODES[error.reason]
  return new DriverError(code, `${device}: ${messageOf(error)}`, {
    device,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(logIns === undefined ? {} : { logIns }),
  })
}

function messageOf({ reason, message, facts }: IpmiError): string {
  if (reason === 'session_limit') {
    const wait = facts.retryAfterMs === undefined ? '' : `; it is asked again in ${Math.ceil(facts.retryAfterMs / 1000)} s`
    return `its session table is full: ${message}${wait} (idle sessions end after a minute)`
  }
  if (reason === 'suite_downgrade') return `a downgrade of the cipher suite is not followed: ${message}`
  return message
}

/** An address that can't be parsed. It is not repeated: people paste addresses with a password in them. */
export function addressError(error: unknown): unknown {
  if (!(error instanceof IpmiError)) return error
  return new DriverError(CODES[error.reason], error.message, { errors: [{ field: 'address', message: error.message }] })
}

/** Throws `bad_credential` with every field that IPMI has no room for (16 bytes of name, 20 of password and BMC key); nothing of them is repeated. */
export function checkCredential({ username, password, kg }: Credential): void {
  const fits = { username: 'x', password: new Secret('x'), privilege: 'operator', suite: 'auto', address: { host: 'x', port: 1 } } as const
  const tries = {
    username: { ...fits, username },
    password: { ...fits, password },
    ...(kg === undefined ? {} : { kg: { ...fits, kg } }),
  }
  const errors: FieldError[] = []
  for (const [field, options] of Object.entries(tries)) {
    try {
      logInOf(options)
    } catch (error) {
      if (!(error instanceof IpmiError)) throw error
      errors.push({ field, message: error.message })
    }
  }
  if (errors.length > 0) throw new DriverError('bad_credential', errors.map(({ message }) => message).join('; '), { errors })
}
