/**
 * Why an exchange with a Redfish service failed. `retryable` in time or not is for the driver to say; this room only names what happened.
 * None of these is ever a statement about power.
 */
export type FailureReason =
  | 'bad_address'
  // Getting there.
  | 'unreachable'
  | 'connect_timeout'
  | 'tls'
  | 'pin_mismatch'
  // Being there.
  | 'exchange_timeout'
  | 'expired'
  | 'connection_lost'
  | 'truncated'
  | 'aborted'
  | 'closed'
  | 'bad_http'
  | 'headers_too_large'
  | 'too_large'
  // What was answered.
  | 'bad_encoding'
  | 'not_json'
  | 'duplicate_keys'
  | 'too_deep'
  | 'bad_resource'
  | 'redirect_refused'
  | 'foreign_reference'
  | 'collection_loop'
  | 'collection_too_large'
  // What the service said.
  | 'unauthorized'
  | 'bad_credentials'
  | 'password_change_required'
  | 'forbidden'
  | 'session_limit'
  | 'not_found'
  | 'busy'
  | 'http_error'

/** Facts that go with a failure; none of them may be a secret (no headers, no bodies, no axios objects). */
export interface FailureFacts {
  /** HTTP status, where an answer came. */
  status?: number
  /** Last parts of the MessageIds in the error body. */
  messageIds?: string[]
  /** How long the service asked us to wait, clamped to 60 s. */
  retryAfterMs?: number
  /** False only where provably no byte of the request was handed to a socket. */
  written?: boolean
  /** True where the request went out on a kept-alive connection. */
  reused?: boolean
}

/** The one error that this room throws. It holds no reference to request, response or axios error: those carry credentials in their headers. */
export class RedfishError extends Error {
  readonly reason: FailureReason
  readonly facts: FailureFacts

  constructor(reason: FailureReason, message: string, facts: FailureFacts = {}) {
    super(message)
    this.name = 'RedfishError'
    this.reason = reason
    this.facts = facts
  }
}
