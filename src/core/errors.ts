/**
 * One table of everything that can go wrong and be told to a user. `status` is the HTTP status where the API answers with it;
 * codes without one end jobs or device exchanges. `next` says what to do, in the user's words.
 */
export const FAILURES = {
  // World: what devices do. These end jobs.
  unreachable: {
    status: 504,
    retryable: true,
    next: 'check the network path to the device and its address; the next level of the topology was tried',
  },
  auth_failed: {
    status: 422,
    retryable: false,
    next: 'correct the credential (PUT /v1/devices/{name}/credential); no further log-in is tried meanwhile',
  },
  bad_credential: {
    status: 422,
    retryable: false,
    next: 'the protocol can not carry this user name, password or key: give the device one that it can',
  },
  suite_refused: {
    status: 422,
    retryable: true,
    next: 'the BMC takes none of the cipher suites that may be used, or less than it took before: find out why, then set ipmi.cipherSuite',
  },
  session_limit: { status: 503, retryable: true, next: 'close stale sessions on the device or wait until they expire' },
  tls_mismatch: { status: 409, retryable: false, next: 'find out why the certificate changed; if it is right, pin it anew' },
  identity_mismatch: {
    status: 409,
    retryable: false,
    next: 'another machine answers at this address: check cabling, address and registration',
  },
  ambiguous_system: { status: 422, retryable: false, next: 'name one of the listed systems with systemId' },
  unsupported: { status: 422, retryable: false, next: 'the device offers no such power command; use another device or level' },
  refused: { status: 502, retryable: false, next: 'see the evidence for the answer of the device' },
  bad_answer: { status: 502, retryable: true, next: 'the device answered nonsense; see the evidence, and its firmware' },
  device_busy: { status: 503, retryable: true, next: 'the device asked to wait; it is asked again' },
  deadline: { retryable: true, next: 'see the evidence for how far it came; ask again with a longer deadline' },
  indeterminate: {
    retryable: true,
    next: 'a command was sent and no verdict reached: the hold stays; look at the node, then ask again or release the hold',
  },
  superseded: { retryable: false, next: 'an off of somebody else took this node over' },
  cancelled: { retryable: true, next: 'nothing: it was cancelled before any command' },
  internal: { status: 500, retryable: true, next: 'report this with the job id; the job ended without being lost' },
  // Callers: what requests get wrong.
  bad_request: { status: 400, retryable: false, next: 'correct the named fields' },
  bad_address: {
    status: 422,
    retryable: false,
    next: 'give http[s]://HOST[:PORT][/prefix] (redfish; http needs tls insecure) or ipmi://HOST[:PORT] (ipmi); IPv6 in brackets',
  },
  unknown_driver: { status: 422, retryable: false, next: 'use one of the drivers listed at /v1/drivers' },
  unknown_device: { status: 404, retryable: false, next: 'register the device first' },
  unknown_node: { status: 404, retryable: false, next: 'register the node first: safestate node add' },
  not_found: { status: 404, retryable: false, next: 'check the id' },
  idempotency_key_missing: { status: 400, retryable: false, next: 'send an Idempotency-Key header of your own' },
  idempotency_key_reused: { status: 422, retryable: false, next: 'this key was used with another body: use a new key' },
  idempotency_key_cancelled: {
    status: 409,
    retryable: false,
    next: 'this key was cancelled before it was used: use a new key if the job is still wanted',
  },
  unauthenticated: { status: 401, retryable: false, next: 'send Authorization: Bearer TOKEN' },
  forbidden: { status: 403, retryable: false, next: 'use a token with the named scope and cluster' },
  held: { status: 409, retryable: false, next: 'the node is held off: its holders must release first' },
  hardware_taken: { status: 409, retryable: false, next: 'this hardware is registered under another name: remove that first' },
  exists: { status: 409, retryable: false, next: 'choose another name, or remove the old one first' },
  in_use: { status: 409, retryable: false, next: 'a node, job or hold still needs it' },
  no_level: { status: 422, retryable: false, next: 'no level of the topology can reach this with these mechanisms and assurance words' },
  plan_too_long: { status: 422, retryable: false, next: 'ask for a longer deadline; the time needed is named' },
  not_affected: { status: 422, retryable: false, next: 'alsoNodes may only name nodes that the action affects' },
  no_change: { status: 409, retryable: false, next: 'the job has ended or sent its command: it runs on to its verdict' },
  stale_release: { status: 409, retryable: false, next: 'the release names an older attempt or hold: read the hold again' },
  revision_missing: { status: 428, retryable: false, next: 'send If-Match with the ETag you read' },
  revision_changed: { status: 412, retryable: true, next: 'read it again: it changed meanwhile' },
  too_large: { status: 413, retryable: false, next: 'send at most 1 MiB' },
  unsupported_media_type: { status: 415, retryable: false, next: 'send application/json' },
  // Ourselves.
  store_unavailable: {
    status: 503,
    retryable: true,
    next: 'the store is away or refused the write: ask again with the same Idempotency-Key',
  },
  vault_unavailable: { status: 503, retryable: true, next: 'the key of the vault is not there: see /readyz' },
} as const satisfies Record<string, { status?: number; retryable: boolean; next: string }>

/** Every failure code there is; an enum in the OpenAPI document. */
export type FailureCode = keyof typeof FAILURES

/** All failure codes, for schemas. */
export const FAILURE_CODES = Object.keys(FAILURES) as FailureCode[]

/** One wrong field of a request. */
export interface FieldError {
  field: string
  message: string
}

/** Further facts that an error can carry to the user. Never secrets. */
export interface ErrorFacts {
  node?: string
  device?: string
  jobId?: string
  retryAfterMs?: number
  /** How many failed log-ins at the device this stands for, where more than one: the breaker counts them (INTERFACES). */
  logIns?: number
  errors?: FieldError[]
}

/** The one error class of the project: a code of the table, a sentence that says what happened, and facts. */
export class SafestateError extends Error {
  readonly code: FailureCode
  readonly facts: ErrorFacts

  constructor(code: FailureCode, message: string, facts: ErrorFacts = {}) {
    super(message)
    this.name = 'SafestateError'
    this.code = code
    this.facts = facts
  }

  /** Whether the same request can succeed later without being changed. */
  get retryable(): boolean {
    return FAILURES[this.code].retryable
  }
}

/** What a device exchange can fail with. */
export type DeviceFailure =
  | 'unreachable'
  | 'auth_failed'
  | 'bad_credential'
  | 'suite_refused'
  | 'session_limit'
  | 'tls_mismatch'
  | 'identity_mismatch'
  | 'ambiguous_system'
  | 'unsupported'
  | 'bad_answer'
  | 'device_busy'
  | 'bad_address'

/** A failed exchange with a device. A read that throws this says nothing about power. */
export class DriverError extends SafestateError {
  declare readonly code: DeviceFailure

  constructor(code: DeviceFailure, message: string, facts: ErrorFacts = {}) {
    super(code, message, facts)
    this.name = 'DriverError'
  }
}
