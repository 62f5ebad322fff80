import type { Hold, Job } from './job.ts'

/** A job as the API shows it (INTERFACES, "JSON"): without the machine's inside. */
export type PublicJob = Omit<
  Job,
  'progress' | 'plan' | 'cautious' | 'broughtHolders' | 'tokenId' | 'wakeAt' | 'idempotencyId' | 'deadlineSeconds'
> & { joined: boolean }

/** Shows a job; `joined` is true only in the answer to a POST that joined it. */
export function publicJob(job: Job, joined = false): PublicJob {
  const {
    progress: _progress,
    plan: _plan,
    cautious: _cautious,
    broughtHolders: _brought,
    tokenId: _token,
    wakeAt: _wake,
    idempotencyId: _key,
    deadlineSeconds: _seconds,
    ...shown
  } = job
  return { ...shown, joined }
}

/** A hold as the API shows it. */
export type PublicHold = Omit<Hold, 'restore' | 'receiptIds' | 'watchAt'>

/** Shows a hold without what only the gateway needs. */
export function publicHold(hold: Hold): PublicHold {
  const { restore: _restore, receiptIds: _receipts, watchAt: _watch, ...shown } = hold
  return shown
}
