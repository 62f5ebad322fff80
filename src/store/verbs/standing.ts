import type { Transaction } from '../../core/documents.ts'
import type { Hold, Job } from '../../core/job.ts'
import { isTerminal } from '../../core/job.ts'
import type { Actor, Lost } from '../../core/store.ts'
import { nodeKey } from '../../core/topology.ts'
import { hasLeases } from './lease.ts'
import { activeHold, KIND, powerOf, type VerbContext } from './shared.ts'

/**
 * S2's one check: this job is running and has its turn, the leases and tokens are the actor's, and the hold is as the command needs it:
 * there and this job's for an off, not there for an on. `waitingToo`: a job whose turn has not come may end, and nothing else. Returns the job and its hold, or what was lost.
 */
export async function standing(
  tx: Transaction,
  context: VerbContext,
  actor: Actor,
  command: 'on' | 'off' | undefined,
  waitingToo = false,
): Promise<{ ok: true; job: Job; hold: Hold | undefined } | { ok: false; lost: Lost }> {
  const job = await tx.get<Job>(KIND.job, actor.jobId)
  if (!job || isTerminal(job.state)) return { ok: false, lost: 'ended' }
  if (context.rules.switches.tokenChecked && !(await hasLeases(tx, actor))) return { ok: false, lost: 'lease' }
  if (job.action === 'status') return { ok: true, job, hold: undefined }
  const power = await powerOf(tx, nodeKey({ cluster: job.cluster, name: job.node }))
  if (power.active !== job.id && !(waitingToo && power.waiting.includes(job.id))) return { ok: false, lost: 'ended' }
  const hold = await activeHold(tx, power)
  if (context.rules.switches.holdChecked) {
    if (command === 'off' && (!hold || hold.id !== job.holdId)) return { ok: false, lost: 'hold' }
    if (command === 'on' && hold) return { ok: false, lost: 'hold' }
    if (command === 'on' && tx.now < (power.onNotBefore ?? 0)) return { ok: false, lost: 'changed' }
  }
  return { ok: true, job, hold }
}
