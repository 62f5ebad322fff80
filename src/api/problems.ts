import type { FastifyReply, FastifyRequest } from 'fastify'
import { DriverError, type ErrorFacts, FAILURES, type FailureCode, SafestateError } from '../core/errors.ts'

/** Problem details (RFC 9457) as they are sent. */
export interface Problem extends Omit<ErrorFacts, 'retryAfterMs'> {
  type: string
  title: string
  status: number
  detail: string
  instance: string
  code: FailureCode
  retryable: boolean
  next: string
  retryAfter?: number
}

/** Media type of problem details. */
export const PROBLEM_TYPE = 'application/problem+json'

/** HTTP status of the codes that the table of failures gives none, because they end jobs: for a request that meets one all the same. */
const EDGE_STATUS: Partial<Record<FailureCode, number>> = {
  indeterminate: 409,
  superseded: 409,
  cancelled: 409,
  deadline: 504,
}

/** Seconds after which a 503 may be tried again, where nobody knows better. */
const RETRY_AFTER = 2

/** The HTTP status that a code is answered with. */
export function statusOf(code: FailureCode): number {
  const entry = FAILURES[code]
  return ('status' in entry ? entry.status : undefined) ?? EDGE_STATUS[code] ?? 500
}

/** An error with an HTTP status of its own where the table's would be wrong (405 is a `bad_request`, but not 400). */
export class EdgeError extends SafestateError {
  readonly status: number

  constructor(status: number, code: FailureCode, message: string, facts: ErrorFacts = {}) {
    super(code, message, facts)
    this.status = status
  }
}

/** Problem details of an error. What isn't ours is `internal` and shows nothing of itself. `id` is the request's. */
export function problemOf(error: unknown, id: string): Problem {
  const known =
    error instanceof SafestateError
      ? error
      : new SafestateError('internal', 'the gateway failed in this request; its log has the reason under this instance')
  const { code, facts } = known
  const status = known instanceof EdgeError ? known.status : statusOf(code)
  const seconds =
    facts.retryAfterMs !== undefined ? Math.ceil(facts.retryAfterMs / 1000) : status === 503 || status === 429 ? RETRY_AFTER : undefined
  const { retryAfterMs: _ms, ...shown } = facts
  return {
    type: `tag:safestate.dev,2026:problem:${code}`,
    title: titleOf(code),
    status,
    detail: known.message,
    instance: `urn:uuid:${id}`,
    code,
    retryable: FAILURES[code].retryable,
    next: code === 'internal' ? 'report this with its instance' : FAILURES[code].next,
    ...(seconds === undefined ? {} : { retryAfter: seconds }),
    ...shown,
  }
}

function titleOf(code: FailureCode): string {
  const text = code.replaceAll('_', ' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Answers a request with problem details. `extra`: further members. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: unknown, extra: object = {}): FastifyReply {
  const problem = problemOf(error, request.id)
  if (problem.retryAfter !== undefined && problem.status !== 200) reply.header('retry-after', String(problem.retryAfter))
  // Sent as text: problems differ in their members, and one serialiser for all of them would drop some.
  return reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify({ ...problem, ...extra }))
}

/** What may be logged of an error: its text and origin, never its other properties (an HTTP client's error carries headers with credentials). */
export function plainError(error: unknown, depth = 0): { name: string; message: string; stack?: string; cause?: unknown } {
  if (!(error instanceof Error)) return { name: typeof error, message: 'thrown without being an error' }
  return {
    name: error.name,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth > 3 ? {} : { cause: plainError(error.cause, depth + 1) }),
  }
}

/** True for errors that the caller or the world caused: they need no stack in the log. */
export function expected(error: unknown): boolean {
  return error instanceof DriverError || (error instanceof SafestateError && error.code !== 'internal')
}
