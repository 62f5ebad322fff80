import type { Transaction } from '../../core/documents.ts'
import type { EvidenceItem } from '../../core/evidence.ts'
import { type Hold, isTerminal, type Job } from '../../core/job.ts'
import type { Actor, Checked, Ending, JobPatch } from '../../core/store.ts'
import { nodeKey } from '../../core/topology.ts'
import { leaveHold } from './empty.ts'
import { endpointOf } from './lease.ts'
import { endJob, INDEX, KIND, nextTurn, powerOf, putHold, putJob, type VerbContext } from './shared.ts'
import { standing } from './standing.ts'

/** Lines of evidence kept per job; a long wait's middle reads are dropped first, commands never. */
const MOST_EVIDENCE = 400

/** How long after a confirmed off the hold is read first (S7), store ms. */
const FIRST_WATCH_MS = 10_000

/** Appends evidence; over the limit the oldest reads behind the first fifty go, and the job says so. */
function addEvidence(job: Job, items: EvidenceItem[]): Job {
  const evidence = [...job.evidence, ...items]
  if (evidence.length <= MOST_EVIDENCE) return { ...job, evidence }
  const drop = evidence.findIndex((item, index) => index >= 50 && item.kind === 'read')
  const warned = job.warnings.some(({ code }) => code === 'evidence_trimmed')
  const warning = { code: 'evidence_trimmed' as const, message: `only the first 50 and the newest of over ${MOST_EVIDENCE} lines are kept` }
  const kept = evidence.filter((_, index) => index !== drop)
  return { ...job, evidence: kept.slice(-MOST_EVIDENCE), warnings: warned ? job.warnings : [...job.warnings, warning] }
}

/** A job with what a step brought: lists are appended to, warnings once each. */
export function patched(job: Job, patch: JobPatch): Job {
  const { evidence = [], warnings = [], wakeAt, ...rest } = patch
  const known = new Set(job.warnings.map(({ code, device }) => `${code} ${device ?? ''}`))
  const fresh = warnings.filter(({ code, device }) => !known.has(`${code} ${device ?? ''}`))
  const { wakeAt: _wake, ...base } = addEvidence(job, evidence)
  return { ...base, ...rest, warnings: [...base.warnings, ...fresh], ...(wakeAt ? { wakeAt } : {}) }
}

/** See `Store.record`. */
export async function record(
  tx: Transaction,
  context: VerbContext,
  args: { actor: Actor; patch: JobPatch },
): Promise<Checked<{ job: Job }>> {
  const stands = await standing(tx, context, args.actor, undefined)
  if (!stands.ok) return stands
  if (args.patch.wakeAt === null) tx.indexRemove(INDEX.due, stands.job.id)
  else if (args.patch.wakeAt !== undefined) tx.indexAdd(INDEX.due, stands.job.id, args.patch.wakeAt)
  return { ok: true, job: putJob(tx, patched(stands.job, args.patch)) }
}

/** See `Store.conclude`: S2's check once more, and then the job, its receipt, its hold and the next turn in one step. */
export async function conclude(
  tx: Transaction,
  context: VerbContext,
  args: { actor: Actor; ending: Ending; patch: JobPatch },
): Promise<Checked<{ job: Job; woken: string[] }>> {
  const { ending } = args
  const unchecked: VerbContext = {
    ...context,
    rules: { ...context.rules, switches: { ...context.rules.switches, tokenChecked: false, holdChecked: false } },
  }
  const command = ending.kind === 'off' ? 'off' : undefined
  const stands = await standing(
    tx,
    context.rules.switches.concludeChecked ? context : unchecked,
    args.actor,
    command,
    ending.kind === 'failed',
  )
  if (!stands.ok) return stands
  if (ending.kind !== 'failed' && context.rules.switches.openIntentsSettled && stands.job.action !== 'status') {
    for (const { endpoint } of args.actor.leases) {
      if ((await endpointOf(tx, endpoint)).intents.length > 0) return { ok: false, lost: 'intent-open' }
    }
  }
  const job = patched(stands.job, args.patch)
  if (ending.kind === 'off') return concludeOff(tx, context, job, stands.hold, ending)
  if (ending.kind === 'failed') return concludeFailed(tx, context, job, stands.hold, ending)
  const ended = endJob(tx, job, { state: 'succeeded', power: ending.power })
  await passTurn(tx, ended)
  return { ok: true, job: ended, woken: [] }
}

async function concludeOff(
  tx: Transaction,
  context: VerbContext,
  job: Job,
  hold: Hold | undefined,
  ending: Extract<Ending, { kind: 'off' }>,
): Promise<Checked<{ job: Job; woken: string[] }>> {
  if (!hold) return { ok: false, lost: 'hold' }
  if (hold.revision !== ending.holdRevision) return { ok: false, lost: 'changed' }
  // Reads alone suffice only while the hold stands that an earlier verdict confirmed.
  if (job.progress?.readsOnly && hold.state !== 'confirmed') return { ok: false, lost: 'changed' }
  const { receipt, progress } = ending
  tx.put(KIND.receipt, receipt.id, receipt)
  tx.indexAdd(INDEX.receipts, receipt.id, 0)
  tx.emit({ topic: 'receipt', id: receipt.id, cluster: job.cluster, node: job.node })
  const level = job.plan.levels[job.progress?.levelIndex ?? 0]
  const confirmed = putHold(tx, {
    ...hold,
    state: 'confirmed',
    receiptId: receipt.id,
    receiptIds: [...hold.receiptIds, receipt.id],
    power: 'off',
    lastReadAt: ending.readAt,
    confirmedAt: ending.readAt,
    watchAt: tx.now + FIRST_WATCH_MS,
    restore: {
      ...hold.restore,
      ...(level ? { mechanism: level.mechanism, devices: [...new Set([...hold.restore.devices, ...level.devices])] } : {}),
    },
  })
  const result = { receiptId: receipt.id, assurance: ending.assurance, power: 'off' as const }
  if (ending.then === 'end') {
    const ended = endJob(tx, { ...job, ...result }, { state: 'succeeded' })
    await passTurn(tx, ended)
    return { ok: true, job: ended, woken: [] }
  }
  const key = nodeKey({ cluster: job.cluster, name: job.node })
  const left = await leaveHold(tx, context, await powerOf(tx, key), confirmed, {
    holders: job.holders,
    reason: `reboot ${job.id} goes on`,
    tokenId: job.tokenId,
    restore: false,
  })
  tx.put(KIND.power, key, left.power)
  if (left.hold.state === 'released' && progress) {
    return { ok: true, job: putJob(tx, { ...job, ...result, phase: 'restoring', progress }), woken: [] }
  }
  const warning = { code: 'not_restored' as const, message: 'the node stays off: others hold it' }
  const ended = endJob(tx, { ...job, ...result, warnings: [...job.warnings, warning] }, { state: 'succeeded' })
  await passTurn(tx, ended)
  return { ok: true, job: ended, woken: [] }
}

/** S17: after an off command the hold stays with its holders and is read on; without one the job gives back what it brought. */
async function concludeFailed(
  tx: Transaction,
  context: VerbContext,
  job: Job,
  hold: Hold | undefined,
  ending: Extract<Ending, { kind: 'failed' }>,
): Promise<Checked<{ job: Job; woken: string[] }>> {
  const ended = endJob(tx, { ...job, ...(ending.power ? { power: ending.power } : {}) }, { state: 'failed', failure: ending.failure })
  if (hold && hold.id === job.holdId) {
    if (job.progress?.commandedOff) putHold(tx, { ...hold, watchAt: tx.now + FIRST_WATCH_MS })
    else await giveBack(tx, context, job, hold, `job ${job.id} ended without a command: ${ending.failure.code}`)
  }
  await passTurn(tx, ended)
  return { ok: true, job: ended, woken: [] }
}

/**
 * Gives back the holders that a job brought (S5, S17), whatever attempt they have come to meanwhile. One that another job of the node still wants
 * stays in the hold, and that job gives it back in its turn.
 */
export async function giveBack(
  tx: Transaction,
  context: VerbContext,
  job: Job,
  hold: Hold,
  reason: string,
  brought = job.broughtHolders,
): Promise<void> {
  const key = nodeKey({ cluster: job.cluster, name: job.node })
  const power = await powerOf(tx, key)
  const leaving = new Set(brought.map(({ holder }) => holder))
  for (const id of [power.active, ...power.waiting]) {
    const other = id === undefined || id === job.id ? undefined : await tx.get<Job>(KIND.job, id)
    if (!other || isTerminal(other.state) || other.holdId !== hold.id) continue
    const wanted = other.holders.filter(({ holder }) => leaving.delete(holder))
    if (wanted.length > 0) putJob(tx, { ...other, broughtHolders: [...other.broughtHolders, ...wanted] })
  }
  const left = await leaveHold(tx, context, power, hold, {
    holders: hold.holders.filter(({ holder }) => leaving.has(holder)),
    reason,
    tokenId: job.tokenId,
    restore: context.rules.switches.emptyHoldOwesOn,
  })
  tx.put(KIND.power, key, left.power)
}

/** Passes the turn on after a job ended. */
export async function passTurn(tx: Transaction, job: Job): Promise<void> {
  if (job.action === 'status') return
  const key = nodeKey({ cluster: job.cluster, name: job.node })
  tx.put(KIND.power, key, await nextTurn(tx, await powerOf(tx, key)))
}
