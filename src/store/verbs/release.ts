import type { Transaction } from '../../core/documents.ts'
import { SafestateError } from '../../core/errors.ts'
import type { Hold, HolderRef, Job, NodePower } from '../../core/job.ts'
import { isTerminal } from '../../core/job.ts'
import type { Power } from '../../core/power.ts'
import type { Receipt } from '../../core/receipt.ts'
import type { Actor, Release } from '../../core/store.ts'
import { nodeKey } from '../../core/topology.ts'
import { endReceipt, leaveHold } from './empty.ts'
import { hasLeases } from './lease.ts'
import { endJob, KIND, powerOf, putHold, putJob, type VerbContext } from './shared.ts'

/** Twice the controllers' poll interval: what a forced release waits before an `on` (S7), in ms. */
const FORCED_DELAY_MS = 10_000

/** Checks that a release names a hold that stands, a holder of it and that holder's present attempt (S5). */
export async function checkRelease(tx: Transaction, context: VerbContext, power: NodePower, release: Release): Promise<Hold> {
  const hold = await tx.get<Hold>(KIND.hold, release.holdId)
  if (!hold) throw new SafestateError('not_found', `no hold ${release.holdId}`)
  if (hold.state === 'released' || power.holdId !== hold.id) throw new SafestateError('stale_release', 'this hold was released already')
  if (release.force) return hold
  const present = hold.holders.find(({ holder }) => holder === release.holder)
  if (!present) throw new SafestateError('stale_release', `${release.holder} does not hold this node`)
  if (present.attempt !== release.attempt && context.rules.switches.releaseChecksAttempt) {
    throw new SafestateError('stale_release', `${release.holder} holds this node in attempt ${present.attempt}, not ${release.attempt}`)
  }
  for (const id of jobsOf(power)) {
    const job = await tx.get<Job>(KIND.job, id)
    if (!job || isTerminal(job.state) || !job.holders.some(({ holder }) => holder === release.holder)) continue
    throw new SafestateError('no_change', `job ${id} of this holder has not ended: cancel it, or wait for its verdict`, { jobId: id })
  }
  return hold
}

/** Who leaves by a release that was checked: its holder, or by force all. */
export function leavers(hold: Hold, release: Release): HolderRef[] {
  return release.force ? hold.holders : hold.holders.filter(({ holder }) => holder === release.holder)
}

/** See `Store.releaseHold`. */
export async function releaseHold(tx: Transaction, context: VerbContext, release: Release): Promise<{ hold: Hold; job?: Job }> {
  const named = await tx.get<Hold>(KIND.hold, release.holdId)
  if (!named) throw new SafestateError('not_found', `no hold ${release.holdId}`)
  const key = nodeKey({ cluster: named.cluster, name: named.node })
  const power = await powerOf(tx, key)
  const hold = await checkRelease(tx, context, power, release)
  const left = await leaveHold(tx, context, release.force ? await endOffs(tx, power, hold, release.by) : power, hold, {
    holders: leavers(hold, release),
    reason: `${release.force ? 'forced' : 'released'} by ${release.by}: ${release.reason}`,
    tokenId: release.by,
    restore: release.restore,
    ...(release.force ? { delayMs: FORCED_DELAY_MS, revokeBecause: `released by force by ${release.by}: ${release.reason}` } : {}),
  })
  tx.put(KIND.power, key, left.power)
  return left.on ? { hold: left.hold, job: left.on } : { hold: left.hold }
}

/** A hold that is released by force takes its offs with it, the running one and those that wait: nobody is left who wants them. */
async function endOffs(tx: Transaction, power: NodePower, hold: Hold, by: string): Promise<NodePower> {
  const ended = new Set<string>()
  for (const id of jobsOf(power)) {
    const job = await tx.get<Job>(KIND.job, id)
    if (!job || isTerminal(job.state) || job.action !== 'off' || job.holdId !== hold.id) continue
    const code = job.progress?.commandedOff ? 'indeterminate' : 'superseded'
    endJob(tx, job, { state: 'failed', failure: { code, message: `its hold was released by force by ${by}` } })
    ended.add(id)
  }
  const { active, ...rest } = power
  const waiting = power.waiting.filter(id => !ended.has(id))
  return active === undefined || ended.has(active) ? { ...rest, waiting } : { ...rest, active, waiting }
}

/** All jobs of a node that have not ended, the one whose turn it is first. */
function jobsOf(power: NodePower): string[] {
  return power.active === undefined ? power.waiting : [power.active, ...power.waiting]
}

/** S11 and promise 1: a contrary read restarts the count of the off that is under way, whoever made it. */
async function restartCount(tx: Transaction, hold: Hold): Promise<void> {
  const power = await powerOf(tx, nodeKey({ cluster: hold.cluster, name: hold.node }))
  const job = power.active === undefined ? undefined : await tx.get<Job>(KIND.job, power.active)
  if (!job?.progress || isTerminal(job.state) || job.progress.leg !== 'off') return
  const devices = job.progress.devices.map(device => ({ ...device, streak: [], counted: 0 }))
  putJob(tx, { ...job, progress: { ...job.progress, devices } })
}

/** See `Store.observeHold`. */
export async function observeHold(
  tx: Transaction,
  args: { actor: Actor; holdId: string; power: Power; at: string; nextAt: number },
): Promise<Hold | undefined> {
  const hold = await tx.get<Hold>(KIND.hold, args.holdId)
  if (!hold || hold.state === 'released' || !(await hasLeases(tx, args.actor))) return hold
  const newest = [hold.lastReadAt ?? '', hold.state === 'confirmed' ? (hold.confirmedAt ?? '') : ''].sort().at(-1) ?? ''
  if (args.at < newest) return putHold(tx, { ...hold, watchAt: args.nextAt })
  const read = { ...hold, watchAt: args.nextAt, ...(args.power === 'unknown' ? {} : { power: args.power, lastReadAt: args.at }) }
  if (args.power === 'on') await restartCount(tx, hold)
  if (args.power !== 'on' || hold.state !== 'confirmed') return putHold(tx, read)
  for (const id of hold.receiptIds) {
    const receipt = await tx.get<Receipt>(KIND.receipt, id)
    if (receipt?.status === 'standing') endReceipt(tx, receipt, `the node was found on at ${args.at}`)
  }
  return putHold(tx, { ...read, state: 'revoked', note: `found on at ${args.at}` })
}
