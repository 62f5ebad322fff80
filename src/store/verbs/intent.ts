import type { Moment } from '../../core/clock.ts'
import type { Transaction } from '../../core/documents.ts'
import type { EvidenceItem } from '../../core/evidence.ts'
import type { Endpoint, Intent, Job, JobPhase, Progress, Warning } from '../../core/job.ts'
import { isTerminal } from '../../core/job.ts'
import type { Actor, Checked } from '../../core/store.ts'
import type { Device } from '../../core/topology.ts'
import { endpointOf, hasLeases } from './lease.ts'
import { patched } from './progress.ts'
import { KIND, putHold, putJob, type VerbContext } from './shared.ts'
import { standing } from './standing.ts'

/** See `Store.intend`. */
export async function intend(
  tx: Transaction,
  context: VerbContext,
  args: { actor: Actor; intent: Intent; endpoint: string; progress: Progress; phase: JobPhase },
): Promise<Checked> {
  const { intent } = args
  const stands = await standing(tx, context, args.actor, intent.command)
  if (!stands.ok) return stands
  // The lease must be the device's own: it may have been moved to another endpoint since its run read it (S6).
  const device = await tx.get<Device>(KIND.device, intent.device)
  if (device && device.endpoint !== args.endpoint) return { ok: false, lost: 'changed' }
  const endpoint = await endpointOf(tx, args.endpoint)
  if (endpoint.intents.length > 0 && context.rules.switches.openIntentsSettled) return { ok: false, lost: 'intent-open' }
  tx.put<Endpoint>(KIND.endpoint, args.endpoint, { ...endpoint, intents: [...endpoint.intents, intent] })
  if (intent.command === 'off' && stands.hold) {
    // What was switched off is what is switched on again and watched; the level of the acceptance only while an on is owed to it from before.
    const before = stands.hold.owesOn ? stands.hold.restore.devices : []
    const devices = [...new Set([...before, intent.device])]
    putHold(tx, { ...stands.hold, owesOn: true, restore: { ...stands.hold.restore, devices } })
  }
  putJob(tx, { ...stands.job, state: 'running', phase: args.phase, progress: args.progress })
  return { ok: true }
}

/**
 * See `Store.settle`. An answer settles its own intent whoever has the lease by now: nothing of it can still arrive. Closing or waiting it out
 * is the lease holder's act. The moment of settling, not of the intent, is what the other command has to outlast (S8).
 */
export async function settle(
  tx: Transaction,
  context: VerbContext,
  args: {
    actor: Actor
    endpoint: string
    intentId: string
    how: 'answered' | 'closed' | 'expired' | 'unsent'
    at: Moment
    evidence?: EvidenceItem
    progress?: Progress
    warnings?: Warning[]
  },
): Promise<Checked<{ endpoint: Endpoint }>> {
  const endpoint = await endpointOf(tx, args.endpoint)
  const intent = endpoint.intents.find(({ id }) => id === args.intentId)
  const told = args.how === 'answered' || args.how === 'unsent'
  const own = told && (intent?.actor === args.actor.id || (endpoint.outlived ?? []).includes(args.intentId))
  if (!own && context.rules.switches.tokenChecked && !(await hasLeases(tx, args.actor))) return { ok: false, lost: 'lease' }
  const settled: Endpoint = intent
    ? {
        ...endpoint,
        intents: endpoint.intents.filter(({ id }) => id !== intent.id),
        ...lateHands(endpoint, intent, args),
        settled: args.how === 'unsent' ? endpoint.settled : { ...endpoint.settled, [intent.command]: { id: intent.id, at: args.at } },
      }
    : { ...endpoint, ...lateHands(endpoint, undefined, args) }
  if (intent || settled.outlived?.length !== endpoint.outlived?.length) tx.put(KIND.endpoint, args.endpoint, settled)
  const job = await tx.get<Job>(KIND.job, args.actor.jobId)
  if (!job || isTerminal(job.state)) return { ok: false, lost: 'ended' }
  if (args.evidence || args.progress) {
    const { evidence, progress, warnings = [] } = args
    putJob(tx, patched(job, { evidence: evidence ? [evidence] : [], warnings, ...(progress ? { progress } : {}) }))
  }
  return { ok: true, endpoint: settled }
}

/** Outlived commands kept per endpoint: the newest. */
const MOST_OUTLIVED = 50

/** S3: a command of another process that was only outlived is remembered until that process tells that its exchange is over. */
function lateHands(
  endpoint: Endpoint,
  intent: Intent | undefined,
  args: { intentId: string; how: string; at: Moment },
): Pick<Endpoint, 'outlived'> {
  const before = endpoint.outlived ?? []
  if (args.how !== 'expired') return before.includes(args.intentId) ? { outlived: before.filter(id => id !== args.intentId) } : {}
  if (!intent || intent.at.process === args.at.process) return {}
  return { outlived: [...before, intent.id].slice(-MOST_OUTLIVED) }
}
