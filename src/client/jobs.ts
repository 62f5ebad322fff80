import { ask, call, type SafestateClient } from './client.ts'
import { type GatewayAwayError, ProblemError, WaitTimeoutError } from './problem.ts'
import { patiently } from './retry.ts'
import type { Job, JobRequest } from './types.ts'

/** Told when the gateway is away and will be asked again after `pauseMs`. */
export type Trouble = (error: GatewayAwayError | ProblemError, pauseMs: number) => void

/** How to submit a job. */
export interface SubmitOptions {
  /** The Idempotency-Key: the same for every try of the same wish. */
  key: string
  signal?: AbortSignal
  /** How long to go on when the gateway is away, in ms; default 30 s. */
  patienceMs?: number
  onTrouble?: Trouble
}

/**
 * Asks for a job. The same key goes with every retry, so that one wish is one job however often the network fails. Resolves once the gateway has
 * stored the job (202); its `joined` tells whether it is an earlier one. Rejects with ProblemError (refused) or GatewayAwayError (may have been taken).
 */
export function submitJob(
  client: SafestateClient,
  request: JobRequest,
  { key, signal, patienceMs = 30_000, onTrouble }: SubmitOptions,
): Promise<Job> {
  const submit = (): Promise<Job> =>
    ask(client, (api, inner) => api.POST('/v1/jobs', { params: { header: { 'Idempotency-Key': key } }, body: request, signal: inner }), {
      signal,
      timeoutMs: 30_000,
    })
  return patiently(client, submit, { signal, until: client.clock.mono() + patienceMs, onTrouble })
}

/** How to wait for a job. */
export interface WaitOptions {
  signal?: AbortSignal
  /** The caller's time limit in ms; none by default. */
  timeoutMs?: number
  /** Called with the job as first seen and after each change. */
  onUpdate?: (job: Job) => void
  onTrouble?: Trouble
}

const POLL_SECONDS = 30
/** A server or proxy that answers 304 at once must not be asked in a tight loop. */
const PACE_MS = 500

/** True once nothing will happen in the job any more. */
export function hasEnded(job: Job): boolean {
  return job.state === 'succeeded' || job.state === 'failed' || job.state === 'cancelled'
}

/**
 * Waits until a job has ended, by long polls: one request per change, none lost. Outlives restarts of the gateway. Rejects with WaitTimeoutError
 * after the caller's limit (the job goes on), ProblemError where the job can't be read (unknown, token revoked), and the signal's reason.
 */
export async function waitForJob(client: SafestateClient, id: string, options: WaitOptions = {}): Promise<Job> {
  const { signal, timeoutMs = Number.POSITIVE_INFINITY, onUpdate, onTrouble } = options
  const { clock } = client
  const until = clock.mono() + timeoutMs
  let job: Job | undefined
  let etag: string | undefined
  for (;;) {
    const left = until - clock.mono()
    if (left <= 0) throw new WaitTimeoutError(`job ${id} has not ended yet`, job)
    const asked = clock.mono()
    const seconds = Math.max(1, Math.min(POLL_SECONDS, Math.ceil(left / 1000)))
    const headers = etag === undefined ? {} : { 'if-none-match': etag, prefer: `wait=${seconds}` }
    const read = () =>
      call(client, (api, inner) => api.GET('/v1/jobs/{id}', { params: { path: { id } }, headers, signal: inner }), {
        signal,
        timeoutMs: (seconds + 15) * 1000,
      })
    const answer = await patiently(client, read, { signal, until, onTrouble }).catch((error: unknown) => {
      if (clock.mono() + 5_000 >= until && !(error instanceof ProblemError && error.status < 500) && !signal?.aborted) {
        throw new WaitTimeoutError(`job ${id} was not seen to end`, job, error)
      }
      throw error
    })
    if (answer.data !== undefined) {
      job = answer.data
      etag = answer.response.headers.get('etag') ?? undefined
      onUpdate?.(job)
      if (hasEnded(job)) return job
    }
    if ((answer.data === undefined || etag === undefined) && clock.mono() - asked < PACE_MS) await clock.sleep(PACE_MS, signal)
  }
}
