import { type DeviceFailure, DriverError } from '../core/errors.ts'
import type { Choice } from '../wire/redfish/choice.ts'
import { type FailureReason, RedfishError } from '../wire/redfish/failure.ts'
import type { ResetRefusal } from '../wire/redfish/reset.ts'

/** What each failure of the wire means to the rest of the house. */
const CODES: Record<FailureReason, DeviceFailure> = {
  bad_address: 'bad_address',
  unreachable: 'unreachable',
  connect_timeout: 'unreachable',
  exchange_timeout: 'unreachable',
  expired: 'unreachable',
  connection_lost: 'unreachable',
  truncated: 'unreachable',
  aborted: 'unreachable',
  closed: 'unreachable',
  tls: 'tls_mismatch',
  pin_mismatch: 'tls_mismatch',
  bad_http: 'bad_answer',
  headers_too_large: 'bad_answer',
  too_large: 'bad_answer',
  bad_encoding: 'bad_answer',
  not_json: 'bad_answer',
  duplicate_keys: 'bad_answer',
  too_deep: 'bad_answer',
  bad_resource: 'bad_answer',
  redirect_refused: 'bad_answer',
  foreign_reference: 'bad_answer',
  collection_loop: 'bad_answer',
  collection_too_large: 'bad_answer',
  not_found: 'bad_answer',
  http_error: 'bad_answer',
  unauthorized: 'auth_failed',
  bad_credentials: 'auth_failed',
  password_change_required: 'auth_failed',
  forbidden: 'auth_failed',
  session_limit: 'session_limit',
  busy: 'device_busy',
}

/** Any error of an exchange as the port's own. What is not of the wire (the vault's errors) passes unchanged. */
export function driverError(error: unknown, device: string): unknown {
  if (!(error instanceof RedfishError)) return error
  const { retryAfterMs } = error.facts
  return new DriverError(CODES[error.reason], `${device}: ${error.message}`, {
    device,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** An address that can't be parsed. It is not repeated: people paste addresses with a password in them. */
export function addressError(error: unknown): unknown {
  if (!(error instanceof RedfishError)) return error
  return new DriverError(CODES[error.reason], error.message, { errors: [{ field: 'address', message: error.message }] })
}

/** A refused choice of the system, with every system behind the service and the reason why it was not chosen. */
export function choiceError(choice: Extract<Choice, { kind: 'refused' }>, device: string): DriverError {
  const list = choice.others.map(other => `${other.id} (${other.reason})`).join(', ')
  const code: DeviceFailure = choice.reason === 'no_candidate' || choice.reason === 'not_usable' ? 'unsupported' : 'ambiguous_system'
  const errors = choice.others.map(other => ({ field: 'systemId', message: `${other.id}: ${other.reason}` }))
  return new DriverError(code, `${device}: ${CHOICE[choice.reason]}; found: ${list === '' ? 'none' : list}`, { device, errors })
}

/** A system without a Reset action that may be used. */
export function resetError(refusal: ResetRefusal, device: string): DriverError {
  return new DriverError('unsupported', `${device}: the system can't be switched: ${refusal}`, { device })
}

const CHOICE: Record<Extract<Choice, { kind: 'refused' }>['reason'], string> = {
  no_such_system: 'the service has no such system',
  not_usable: "the named system can't be switched",
  no_candidate: 'the service has no system that can be switched',
  ambiguous: 'the service has several systems and none was named',
  incomplete_collection: 'the service hides some of its systems and none was named',
}
