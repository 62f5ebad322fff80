import type { Transaction } from '../../core/documents.ts'
import { SafestateError } from '../../core/errors.ts'
import type { Hold, HolderRef, Job, NodePower } from '../../core/job.ts'
import { isTerminal } from '../../core/job.ts'
import type { Accepted, Release } from '../../core/store.ts'
import { nodeKey } from '../../core/topology.ts'
import { leaveHold } from './empty.ts'
import { checkRelease, leavers } from './release.ts'
import {
  activeHold,
  addJob,
  endJob,
  INDEX,
  KIND,
  makeDue,
  mustNode,
  nextTurn,
  powerOf,
  putHold,
  putJob,
  type VerbContext,
} from './shared.ts'

/** What an Idempotency-Key led to. Lives as long as the job and its hold, and at least 24 h (S19). */
export interface IdempotencyEntry {
  hash: string
  jobId?: string
  /** Whose wish it was: what a cancel by this key takes back. */
  holder?: string
  joined?: boolean
  /** S22: cancelled before it was used; a later POST is refused. */
  cancelled?: boolean
  createdAt: string
}

/** See `Store.replay`. */
export async function replay(tx: Transaction, idempotency: { id: string; hash: string }): Promise<Accepted | undefined> {
  const entry = await tx.get<IdempotencyEntry>(KIND.idempotency, idempotency.id)
  if (entry?.cancelled) throw new SafestateError('idempotency_key_cancelled', 'this Idempotency-Key was cancelled before it was used')
  if (!entry?.jobId) return undefined
  if (entry.hash !== idempotency.hash) throw new SafestateError('idempotency_key_reused', 'this Idempotency-Key was used with another body')
  const job = await tx.get<Job>(KIND.job, entry.jobId)
  return job && { job, outcome: 'replayed', joined: entry.joined ?? false }
}

/** S1, S5, S19: see `Store.accept`. */
export async function accept(
  tx: Transaction,
  context: VerbContext,
  args: { job: Job; idempotency: { id: string; hash: string }; release?: Release },
): Promise<Accepted> {
  const { idempotency } = args
  const earlier = await replay(tx, idempotency)
  if (earlier) return earlier
  const accepted = await place(tx, context, { ...args.job, idempotencyId: idempotency.id }, args.release)
  tx.put<IdempotencyEntry>(KIND.idempotency, idempotency.id, {
    hash: idempotency.hash,
    jobId: accepted.job.id,
    joined: accepted.outcome === 'joined',
    ...(args.job.holders[0] ? { holder: args.job.holders[0].holder } : {}),
    createdAt: new Date(tx.now).toISOString(),
  })
  return accepted
}

async function place(tx: Transaction, context: VerbContext, asked: Job, release?: Release): Promise<Accepted> {
  let job = asked
  const key = nodeKey({ cluster: job.cluster, name: job.node })
  await mustNode(tx, key)
  if (job.action === 'status') {
    const added = addJob(tx, job)
    makeDue(tx, added, tx.now)
    return { job: added, outcome: 'created', joined: false }
  }
  let power = await powerOf(tx, key)
  if (release) {
    const hold = await checkRelease(tx, context, power, release)
    job = { ...job, plan: { levels: [hold.restore] }, ...(hold.state === 'pending' ? { cautious: true } : {}) }
    const holders = leavers(hold, release)
    power = (await leaveHold(tx, context, power, hold, { holders, reason: release.reason, tokenId: job.tokenId, restore: false })).power
  }
  const hold = await activeHold(tx, power)
  if (job.action === 'on') {
    if (hold && context.rules.switches.onChecksHold) throw heldError(key, hold)
    return { job: await enqueue(tx, key, power, job), outcome: 'created', joined: false }
  }
  if (job.action === 'reboot' && hold) throw heldError(key, hold)
  const active = power.active ? await tx.get<Job>(KIND.job, power.active) : undefined
  if (job.action === 'off' && hold && active?.action === 'off' && !isTerminal(active.state) && joinable(active, job)) {
    return { job: join(tx, context, hold, active, job), outcome: 'joined', joined: true }
  }
  const cleared = await clearWay(tx, power)
  const held = context.rules.switches.holdAtAcceptance ? holdFor(tx, context, hold, job, cleared) : undefined
  const placed = held ? { ...job, holdId: held.hold.id, broughtHolders: held.brought } : job
  const withHold = held ? { ...cleared.power, holdId: held.hold.id } : cleared.power
  return { job: await enqueue(tx, key, withHold, placed), outcome: 'created', joined: false }
}

function heldError(key: string, hold: Hold): SafestateError {
  const holders = hold.holders.map(({ holder }) => holder).join(', ')
  return new SafestateError('held', `${key} is held off by ${holders || 'a hold that is being rebuilt'}`, { node: key })
}

/** Both requests must be satisfied by the one job (S5): the same levels and assurance words. */
function joinable(running: Job, asked: Job): boolean {
  const shape = (job: Job) => JSON.stringify([job.plan.levels.map(level => level.devices), [...(job.acceptAssurance ?? [])].sort()])
  return shape(running) === shape(asked)
}

function join(tx: Transaction, context: VerbContext, hold: Hold, running: Job, asked: Job): Job {
  const joining = asked.holders.filter(holder => !has(running.holders, holder))
  const { holders, brought } = withHolders(hold, context.rules.switches.joinAddsHolder ? joining : [], tx.now)
  putHold(tx, { ...hold, holders })
  const later = Date.parse(asked.deadlineAt) > Date.parse(running.deadlineAt)
  return putJob(tx, {
    ...running,
    holders: [...running.holders.filter(({ holder }) => !joining.some(joiner => joiner.holder === holder)), ...joining],
    broughtHolders: [...running.broughtHolders, ...brought],
    ...(later ? { deadlineAt: asked.deadlineAt, deadlineSeconds: asked.deadlineSeconds } : {}),
  })
}

/** S1: an off (or a reboot's) ends a running on or reboot and cancels those that wait; what they wanted is owed. */
async function clearWay(tx: Transaction, power: NodePower): Promise<{ power: NodePower; superseded: boolean; left: HolderRef[] }> {
  const left: HolderRef[] = []
  const waiting: string[] = []
  let superseded = false
  for (const id of power.waiting) {
    const job = await tx.get<Job>(KIND.job, id)
    if (!job || isTerminal(job.state)) continue
    if (job.action === 'off') waiting.push(id)
    else {
      superseded = true
      left.push(...job.broughtHolders)
      endJob(tx, job, { state: 'cancelled', failure: { code: 'superseded', message: 'an off was accepted before this began' } })
    }
  }
  const active = power.active ? await tx.get<Job>(KIND.job, power.active) : undefined
  if (!active || isTerminal(active.state) || active.action === 'off') return { power: { ...power, waiting }, superseded, left }
  left.push(...active.broughtHolders)
  if (active.state === 'queued') {
    endJob(tx, active, { state: 'cancelled', failure: { code: 'superseded', message: 'an off was accepted before this began' } })
  } else
    endJob(tx, active, { state: 'failed', failure: { code: 'superseded', message: 'an off of somebody else was accepted while this ran' } })
  const { active: _active, ...rest } = power
  return { power: { ...rest, waiting }, superseded: true, left }
}

function holdFor(
  tx: Transaction,
  context: VerbContext,
  hold: Hold | undefined,
  job: Job,
  cleared: { superseded: boolean; left: HolderRef[] },
): { hold: Hold; brought: HolderRef[] } {
  const first = job.plan.levels[0]
  if (!first) throw new SafestateError('no_level', `${job.cluster}/${job.node} has no level for this job`)
  const base: Hold = hold ?? {
    id: context.newId(),
    cluster: job.cluster,
    node: job.node,
    state: 'pending',
    holders: [],
    owesOn: false,
    jobId: job.id,
    revision: 0,
    restore: first,
    receiptIds: [],
    createdAt: new Date(tx.now).toISOString(),
  }
  if (!hold) tx.indexAdd('holds', base.id, 0)
  const staying = { ...base, holders: base.holders.filter(holder => !has(cleared.left, holder)) }
  const { holders, brought } = withHolders(staying, job.holders, tx.now)
  const { receiptId: _receipt, ...revoked } = staying
  const renewed: Hold = staying.state === 'revoked' ? { ...revoked, state: 'pending', jobId: job.id } : staying
  return { hold: putHold(tx, { ...renewed, holders, owesOn: base.owesOn || cleared.superseded }), brought }
}

/** A holder's newer attempt takes the place of its older one; only what was not there before counts as brought by the job. */
function withHolders(hold: Hold, joining: HolderRef[], now: number): { holders: Hold['holders']; brought: HolderRef[] } {
  const since = new Date(now).toISOString()
  const stay = hold.holders.filter(({ holder }) => !joining.some(joiner => joiner.holder === holder))
  return {
    holders: [...stay, ...joining.map(({ holder, attempt }) => ({ holder, attempt, since }))],
    brought: joining.filter(({ holder }) => !hold.holders.some(present => present.holder === holder)),
  }
}

function has(list: HolderRef[], one: HolderRef): boolean {
  return list.some(({ holder, attempt }) => holder === one.holder && attempt === one.attempt)
}

async function enqueue(tx: Transaction, key: string, power: NodePower, job: Job): Promise<Job> {
  const added = addJob(tx, power.active ? { ...job, phase: 'waiting-turn' } : job)
  // Whose turn does not come in time is woken by its deadline; a turn that comes wakes it sooner.
  if (power.active) tx.indexAdd(INDEX.due, added.id, Date.parse(added.deadlineAt))
  tx.put(KIND.power, key, await nextTurn(tx, { ...power, waiting: [...power.waiting, added.id] }))
  return added
}
