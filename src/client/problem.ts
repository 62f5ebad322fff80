import type { Job } from './types.ts'

/** One wrong field of a request, as the gateway names it. */
export interface ProblemField {
  field: string
  message: string
}

/** Problem details (RFC 9457) as the gateway sends them. Everything is optional: a proxy in between may answer with anything. */
export interface ProblemDetails {
  title?: string
  status?: number
  detail?: string
  instance?: string
  code?: string
  retryable?: boolean
  /** What to do about it, in the words of the API. */
  next?: string
  /** Seconds. */
  retryAfter?: number
  node?: string
  device?: string
  jobId?: string
  errors?: ProblemField[]
}

/** The gateway refused a request, or failed in it: its problem details as an error. */
export class ProblemError extends Error {
  readonly status: number
  /** A failure code of the OpenAPI document, or `http_<status>` where the answer was no problem document (a proxy's page). */
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly retryable: boolean
  readonly problem: ProblemDetails

  constructor(status: number, problem: ProblemDetails) {
    const title = problem.title ?? `HTTP ${status}`
    const detail = problem.detail ?? ''
    super(detail === '' ? title : `${title}: ${detail}`)
    this.name = 'ProblemError'
    this.status = status
    this.code = problem.code ?? `http_${status}`
    this.title = title
    this.detail = detail
    this.retryable = problem.retryable ?? (status === 429 || status >= 502)
    this.problem = problem
  }
}

/** No (whole) answer came: refused, reset, timed out, name not found, certificate not trusted. A request that changes something may have been taken. */
export class GatewayAwayError extends Error {
  readonly url: string
  /** What went wrong, for people: `connect ECONNREFUSED 127.0.0.1:8080`. */
  readonly reason: string
  /** False where asking again can't help: a certificate that is not trusted. */
  readonly retryable: boolean

  constructor(url: string, cause: unknown) {
    const { reason, code } = explain(cause)
    super(`no answer from ${url}: ${reason}`, { cause })
    this.name = 'GatewayAwayError'
    this.url = url
    this.reason = reason
    this.retryable = !/CERT|TLS|SSL|UNABLE_TO_|SELF_SIGNED/.test(code)
  }
}

/** The caller's time limit passed and the job had not ended. It goes on; `job` is how it was last seen. */
export class WaitTimeoutError extends Error {
  readonly job: Job | undefined

  constructor(message: string, job?: Job, cause?: unknown) {
    super(message, { cause })
    this.name = 'WaitTimeoutError'
    this.job = job
  }
}

/** `fetch` hides the reason in a chain of causes, and several addresses' reasons in an AggregateError. */
function explain(error: unknown): { reason: string; code: string } {
  let current: unknown = error
  let reason = 'unknown reason'
  let code = ''
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    const inner: unknown = current instanceof AggregateError ? current.errors[0] : current
    if (inner instanceof Error) {
      if (inner.message !== '') reason = inner.message
      if ('code' in inner && typeof inner.code === 'string') code = inner.code
    }
    current = current.cause ?? (current === inner ? undefined : inner)
  }
  return { reason: code !== '' && !reason.includes(code) ? `${reason} (${code})` : reason, code }
}
