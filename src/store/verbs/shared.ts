import type { Transaction } from '../../core/documents.ts'
import { SafestateError } from '../../core/errors.ts'
import type { Hold, Job, NodePower } from '../../core/job.ts'
import { isTerminal } from '../../core/job.ts'
import type { Rules } from '../../core/rules.ts'
import type { Node } from '../../core/topology.ts'
import { nodeKey } from '../../core/topology.ts'

/** What the verbs are given: the rules in force and a source of new, sortable ids (UUID v7). */
export interface VerbContext {
  rules: Rules
  newId: () => string
}

/** Kinds of documents. Their ids: the resource's own id or name; `power` and `node` by `cluster/name`; `idempotency` by `tokenId:key`. */
export const KIND = {
  job: 'job',
  node: 'node',
  device: 'device',
  credential: 'credential',
  hold: 'hold',
  power: 'power',
  endpoint: 'endpoint',
  idempotency: 'idempotency',
  receipt: 'receipt',
  hardware: 'hardware',
  host: 'host',
} as const

/** Sorted indexes. Scores are store times in ms for `due` and `watch`, 0 elsewhere. */
export const INDEX = {
  due: 'due',
  watch: 'watch',
  jobs: 'jobs',
  nodes: 'nodes',
  devices: 'devices',
  holds: 'holds',
  endpoints: 'endpoints',
  receipts: 'receipts',
  revoked: 'revoked',
  jobsOf: (key: string) => `jobs:${key}`,
} as const

/** The channel on which jobs that became due are told to the workers. A hint: the recovery scan finds what gets lost. */
export const WAKE = 'wake'

/** The channel on which a read is asked to give way to a more urgent job; the message is the endpoint. */
export const PREEMPT = 'preempt'

/** Which BullMQ lane works a job. */
export function laneOf(job: Pick<Job, 'action'>): 'fence' | 'status' {
  return job.action === 'status' ? 'status' : 'fence'
}

/** Writes a job with its next revision and tells who listens. */
export function putJob(tx: Transaction, job: Job): Job {
  const next = { ...job, revision: job.revision + 1 }
  tx.put(KIND.job, job.id, next)
  tx.emit({ topic: 'job', id: job.id, cluster: job.cluster, node: job.node })
  return next
}

/** Writes a hold with its next revision and tells who listens. */
export function putHold(tx: Transaction, hold: Hold): Hold {
  const next = { ...hold, revision: hold.revision + 1 }
  tx.put(KIND.hold, hold.id, next)
  if (next.watchAt === undefined || next.state === 'released') tx.indexRemove(INDEX.watch, hold.id)
  else tx.indexAdd(INDEX.watch, hold.id, next.watchAt)
  if (next.state === 'released') tx.indexRemove(INDEX.holds, hold.id)
  tx.emit({ topic: 'hold', id: hold.id, cluster: hold.cluster, node: hold.node })
  return next
}

/** Makes a job due at `at` (store clock) and, when that is now, tells the workers. */
export function makeDue(tx: Transaction, job: Job, at: number): void {
  tx.indexAdd(INDEX.due, job.id, at)
  if (at <= tx.now)
    tx.signal(
      WAKE,
      JSON.stringify({ jobId: job.id, lane: laneOf(job), name: `${job.action} ${nodeKey({ cluster: job.cluster, name: job.node })}` }),
    )
}

/** The job, or an error that names it. */
export async function mustJob(tx: Transaction, id: string): Promise<Job> {
  const job = await tx.get<Job>(KIND.job, id)
  if (!job) throw new SafestateError('not_found', `no job ${id}`, { jobId: id })
  return job
}

/** What goes on with one node. */
export async function powerOf(tx: Transaction, key: string): Promise<NodePower> {
  return (await tx.get<NodePower>(KIND.power, key)) ?? { waiting: [] }
}

/** The node's hold, while anybody holds it. */
export async function activeHold(tx: Transaction, power: NodePower): Promise<Hold | undefined> {
  const hold = power.holdId ? await tx.get<Hold>(KIND.hold, power.holdId) : undefined
  return hold && hold.state !== 'released' ? hold : undefined
}

/** Adds a new job to the store and its lists. */
export function addJob(tx: Transaction, job: Job): Job {
  tx.indexAdd(INDEX.jobs, job.id, 0)
  tx.indexAdd(INDEX.jobsOf(nodeKey({ cluster: job.cluster, name: job.node })), job.id, 0)
  return putJob(tx, job)
}

/** Ends a job in a terminal state; its turn is passed on by `nextTurn`. */
export function endJob(tx: Transaction, job: Job, end: Partial<Job> & Pick<Job, 'state'>): Job {
  const { phase: _phase, wakeAt: _wake, ...rest } = job
  tx.indexRemove(INDEX.due, job.id)
  return putJob(tx, { ...rest, ...end, endedAt: new Date(tx.now).toISOString() })
}

/** Gives the node to the next job that waits for it: offs before all others, then by age. Returns the new state, which the caller puts. */
export async function nextTurn(tx: Transaction, power: NodePower): Promise<NodePower> {
  if (power.active !== undefined) {
    const active = await tx.get<Job>(KIND.job, power.active)
    if (active && !isTerminal(active.state)) return power
  }
  const waiting: Job[] = []
  for (const id of power.waiting) {
    const job = await tx.get<Job>(KIND.job, id)
    if (job && !isTerminal(job.state)) waiting.push(job)
  }
  const next = waiting.find(job => job.action === 'off') ?? waiting[0]
  const { active: _active, ...idle } = power
  if (!next) return { ...idle, waiting: [] }
  const at = next.action === 'on' ? Math.max(tx.now, power.onNotBefore ?? 0) : tx.now
  // An owed `on` is nobody's request: its time begins with its turn.
  const owed = next.action === 'on' && next.holders.length === 0
  makeDue(tx, owed ? putJob(tx, { ...next, deadlineAt: new Date(at + next.deadlineSeconds * 1000).toISOString() }) : next, at)
  return { ...idle, active: next.id, waiting: waiting.filter(job => job !== next).map(job => job.id) }
}

/** The `on` that an emptied hold owes (S5), as a new job of its own. */
export function owedOn(tx: Transaction, context: VerbContext, hold: Hold, reason: string, tokenId: string): Job {
  const seconds = context.rules.deadlineSeconds.default
  return addJob(tx, {
    id: context.newId(),
    cluster: hold.cluster,
    node: hold.node,
    action: 'on',
    state: 'queued',
    revision: 0,
    reason,
    holders: [],
    broughtHolders: [],
    createdAt: new Date(tx.now).toISOString(),
    deadlineAt: new Date(tx.now + seconds * 1000).toISOString(),
    deadlineSeconds: seconds,
    warnings: [],
    evidence: [],
    tokenId,
    plan: { levels: [hold.restore] },
    ...(hold.state === 'pending' ? { cautious: true } : {}),
  })
}

/** Loads a node, or says that it is unknown. */
export async function mustNode(tx: Transaction, key: string): Promise<Node> {
  const node = await tx.get<Node>(KIND.node, key)
  if (!node) throw new SafestateError('unknown_node', `no node ${key} is registered`, { node: key })
  return node
}
