import type { Hold, Job } from './job.ts'

/** A job as the API shows it (INTERFACES, "JSON"): without the machine's inside. */
export type PublicJob = Omit<Job, 'progress' | 'plan' | 'tokenId' | 'wakeAt' | 'idempotencyId' | 'deadlineSeconds'> & { joined: boolean }

/** Shows a job; `joined` is true only in the answer to a POST that joined it. */
export function publicJob(job: Job, joined = false): PublicJob {
  const { progress: _progress, plan: _plan, tokenId: _token, wakeAt: _wake, idempotencyId: _key, deadlineSeconds: _seconds, ...shown } = job
  return { ...shown, joined }
}

/** A hold as the API shows it. */
export type PublicHold = Omit<Hold, 'devices' | 'watchAt'>

/** Shows a hold without what only the gateway needs. */
export function publicHold(hold: Hold): PublicHold {
  const { devices: _devices, watchAt: _watch, ...shown } = hold
  return shown
}
