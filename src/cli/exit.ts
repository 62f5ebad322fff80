import { ProblemError } from '../client/problem.ts'
import type { Job } from '../client/types.ts'

/** 0 succeeded · 1 ended without its goal, and nothing of it can still land · 2 not taken · 3 not known (INTERFACES, "Exit codes"). */
export type ExitCode = 0 | 1 | 2 | 3

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** The command line, or a file that it names, is wrong. `next` says what to do. */
export class UsageError extends Error {
  readonly next: string | undefined

  constructor(message: string, next?: string) {
    super(message)
    this.name = 'UsageError'
    this.next = next
  }
}

/** Several things went wrong in one command (an import): reported one by one, the worst decides. */
export class SeveralErrors extends Error {
  readonly errors: readonly Error[]

  constructor(message: string, errors: readonly Error[]) {
    super(message)
    this.name = 'SeveralErrors'
    this.errors = errors
  }
}

/**
 * Failures after which it is known that nothing of the job can still land. All others, those that this version does not know too, are "not known":
 * a script that acts on 1 must be able to rely on it.
 */
const NOTHING_CAN_LAND: ReadonlySet<string> = new Set([
  'refused',
  'identity_mismatch',
  'auth_failed',
  'superseded',
  'cancelled',
  'unsupported',
  'ambiguous_system',
  'tls_mismatch',
  'bad_address',
  'bad_credential',
  'no_level',
  'held',
])

/**
 * The exit code of a command that ended with this job or this error. A job that has not ended is not known. `taken`: a job had been accepted before
 * the error, so that even a refused read of it is "not known".
 */
export function exitCode(outcome: Job | Error, taken = false): ExitCode {
  return outcome instanceof Error ? ofError(outcome, taken) : ofJob(outcome)
}

function ofJob(job: Job): ExitCode {
  switch (job.state) {
    case 'succeeded':
      return job.action === 'status' && (job.power === undefined || job.power === 'unknown') ? 3 : 0
    case 'cancelled':
      return 1
    case 'failed':
      return job.failure !== undefined && NOTHING_CAN_LAND.has(job.failure.code) ? 1 : 3
    default:
      return 3
  }
}

function ofError(error: Error, taken: boolean): ExitCode {
  if (taken) return 3
  if (error instanceof SeveralErrors) return error.errors.some(each => ofError(each, false) === 3) ? 3 : 2
  if (error instanceof UsageError) return 2
  return error instanceof ProblemError && error.status >= 400 && error.status < 500 ? 2 : 3
}
