import type { Transaction } from '../../core/documents.ts'
import { SafestateError } from '../../core/errors.ts'
import type { Job } from '../../core/job.ts'
import { isTerminal } from '../../core/job.ts'
import { nodeKey } from '../../core/topology.ts'
import type { IdempotencyEntry } from './accept.ts'
import { giveBack, passTurn } from './progress.ts'
import { activeHold, endJob, KIND, mustJob, powerOf, putJob, type VerbContext } from './shared.ts'

/** S16: see `Store.cancel`. An intent and a cancel exclude each other because both change the job. */
export async function cancel(tx: Transaction, context: VerbContext, args: { jobId: string; holder: string }): Promise<Job> {
  const job = await mustJob(tx, args.jobId)
  if (isTerminal(job.state)) throw new SafestateError('no_change', `the job has ended: ${job.state}`, { jobId: job.id })
  if (job.progress?.commandedOff || job.progress?.commandedOn) {
    throw new SafestateError('no_change', 'a power command was announced: the job runs on to its verdict', { jobId: job.id })
  }
  const leavers = job.holders.filter(({ holder }) => holder === args.holder)
  if (leavers.length === 0 && job.holders.length > 0) {
    throw new SafestateError('forbidden', `${args.holder} is no holder of this job`, { jobId: job.id })
  }
  const stay = job.holders.filter(({ holder }) => holder !== args.holder)
  const brought = job.broughtHolders.filter(({ holder }) => holder === args.holder)
  const left: Job = { ...job, holders: stay, broughtHolders: job.broughtHolders.filter(({ holder }) => holder !== args.holder) }
  const wanted = stay.length > 0
  const after = wanted
    ? putJob(tx, left)
    : endJob(
        tx,
        { ...left, holders: job.holders },
        { state: 'cancelled', failure: { code: 'cancelled', message: `cancelled by ${args.holder}` } },
      )
  const power = await powerOf(tx, nodeKey({ cluster: job.cluster, name: job.node }))
  const hold = await activeHold(tx, power)
  if (hold && hold.id === job.holdId && brought.length > 0) await giveBack(tx, context, job, hold, `job ${job.id} was cancelled`, brought)
  if (!wanted) await passTurn(tx, after)
  return after
}

/** S22: see `Store.cancelKey`. */
export async function cancelKey(
  tx: Transaction,
  context: VerbContext,
  args: { idempotencyId: string; holder: string },
): Promise<Job | undefined> {
  const entry = await tx.get<IdempotencyEntry>(KIND.idempotency, args.idempotencyId)
  if (entry?.jobId) return cancel(tx, context, { jobId: entry.jobId, holder: entry.holder ?? args.holder })
  tx.put<IdempotencyEntry>(KIND.idempotency, args.idempotencyId, {
    hash: '',
    cancelled: true,
    createdAt: new Date(tx.now).toISOString(),
  })
  return undefined
}
