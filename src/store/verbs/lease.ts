import type { Transaction } from '../../core/documents.ts'
import { type Endpoint, isTerminal, type Job } from '../../core/job.ts'
import type { Actor, Lease } from '../../core/store.ts'
import { INDEX, KIND, PREEMPT, type VerbContext, WAKE } from './shared.ts'

/** How long the most urgent waiter has the lease for itself after a release, store ms. */
const RESERVED_MS = 1_000

/** A parked job asks again after this even if nobody woke it, store ms. */
const PARKED_MS = 5_000

/** An endpoint that nobody has used yet. */
const UNUSED: Endpoint = { counter: 0, waiters: [], intents: [], settled: {} }

/** The endpoint's document. */
export async function endpointOf(tx: Transaction, id: string): Promise<Endpoint> {
  return (await tx.get<Endpoint>(KIND.endpoint, id)) ?? UNUSED
}

/** See `Store.take`: all leases or none. */
export async function take(
  tx: Transaction,
  context: VerbContext,
  args: { jobId: string; actor: string; endpoints: string[]; urgency: number; preemptible: boolean; park?: boolean },
): Promise<{ kind: 'taken'; leases: Lease[]; endpoints: Record<string, Endpoint> } | { kind: 'parked'; retryMs: number }> {
  const found = new Map<string, Endpoint>()
  for (const id of args.endpoints) found.set(id, await endpointOf(tx, id))
  const busy = [...found].filter(([, endpoint]) => !free(endpoint, args, tx.now))
  if (busy.length > 0) {
    const ends = busy.map(([, { lease, reserved }]) => Math.max(lease?.until ?? 0, reserved?.until ?? 0))
    // A killed holder's lease just runs out, and nobody is woken by that.
    const retryMs = Math.min(PARKED_MS, Math.max(...ends) - tx.now + 50)
    if (args.park === false) return { kind: 'parked', retryMs }
    for (const [id, endpoint] of busy) {
      const others = endpoint.waiters.filter(({ jobId }) => jobId !== args.jobId)
      const since = endpoint.waiters.find(({ jobId }) => jobId === args.jobId)?.since ?? tx.now
      tx.put<Endpoint>(KIND.endpoint, id, { ...endpoint, waiters: [...others, { jobId: args.jobId, urgency: args.urgency, since }] })
      if (endpoint.lease?.preemptible && !args.preemptible) tx.signal(PREEMPT, id)
    }
    tx.indexAdd(INDEX.due, args.jobId, tx.now + retryMs)
    return { kind: 'parked', retryMs }
  }
  const leases: Lease[] = []
  const endpoints: Record<string, Endpoint> = {}
  for (const [id, endpoint] of found) {
    const { reserved: _reserved, ...rest } = endpoint
    const token = endpoint.counter + 1
    const taken: Endpoint = {
      ...rest,
      counter: token,
      waiters: endpoint.waiters.filter(({ jobId }) => jobId !== args.jobId),
      lease: { jobId: args.jobId, actor: args.actor, token, until: tx.now + context.rules.lease.ttlMs, preemptible: args.preemptible },
    }
    if (endpoint.counter === 0) tx.indexAdd(INDEX.endpoints, id, 0)
    tx.put(KIND.endpoint, id, taken)
    leases.push({ endpoint: id, token })
    endpoints[id] = taken
  }
  claim(tx, context, args.jobId)
  return { kind: 'taken', leases, endpoints }
}

/** While an actor works on a job the recovery scan leaves it alone; a killed one's job comes due a little after its lease ran out. */
function claim(tx: Transaction, context: VerbContext, jobId: string): void {
  tx.indexAdd(INDEX.due, jobId, tx.now + context.rules.lease.ttlMs + 500)
}

/** Free for this job: no lease of another actor stands, and it is not kept for a waiter that is at least as urgent. */
function free(endpoint: Endpoint, args: { jobId: string; actor: string; urgency: number }, now: number): boolean {
  const { lease, reserved } = endpoint
  if (lease && lease.until > now && lease.actor !== args.actor) return false
  return !(reserved && reserved.until > now && reserved.jobId !== args.jobId && reserved.urgency <= args.urgency)
}

/** Whether the actor still has all its leases; the commit is refused when they run out before it. */
export async function hasLeases(tx: Transaction, actor: Actor): Promise<boolean> {
  for (const { endpoint, token } of actor.leases) {
    const { lease } = await endpointOf(tx, endpoint)
    if (!lease || lease.token !== token || lease.actor !== actor.id || lease.until <= tx.now) return false
    tx.notAfter(lease.until)
  }
  return true
}

/** See `Store.renew`. */
export async function renew(tx: Transaction, context: VerbContext, actor: Actor): Promise<boolean> {
  if (!(await hasLeases(tx, actor))) return false
  for (const { endpoint } of actor.leases) {
    const present = await endpointOf(tx, endpoint)
    if (!present.lease) return false
    tx.put<Endpoint>(KIND.endpoint, endpoint, { ...present, lease: { ...present.lease, until: tx.now + context.rules.lease.ttlMs } })
  }
  claim(tx, context, actor.jobId)
  return true
}

/** See `Store.release`: the most urgent waiter is woken and has the endpoint reserved for a moment. */
export async function release(tx: Transaction, actor: Actor): Promise<string[]> {
  const woken: string[] = []
  for (const { endpoint, token } of actor.leases) {
    const present = await endpointOf(tx, endpoint)
    if (present.lease?.token !== token || present.lease.actor !== actor.id) continue
    const { lease: _lease, ...rest } = present
    const waiters = await living(tx, present.waiters)
    const [next, ...others] = waiters.sort((a, b) => a.urgency - b.urgency || a.since - b.since)
    if (!next) {
      tx.put<Endpoint>(KIND.endpoint, endpoint, { ...rest, waiters: [] })
      continue
    }
    tx.put<Endpoint>(KIND.endpoint, endpoint, {
      ...rest,
      waiters: others,
      reserved: { jobId: next.jobId, until: tx.now + RESERVED_MS, urgency: next.urgency },
    })
    tx.indexAdd(INDEX.due, next.jobId, tx.now)
    tx.signal(WAKE, JSON.stringify({ jobId: next.jobId }))
    woken.push(next.jobId)
  }
  return woken
}

/** Those who still wait: a job that ended while it was parked would keep the others waiting for its turn to pass. */
async function living(tx: Transaction, waiters: Endpoint['waiters']): Promise<Endpoint['waiters']> {
  const jobs = await Promise.all(waiters.map(({ jobId }) => tx.get<Job>(KIND.job, jobId)))
  return waiters.filter((_, place) => {
    const job = jobs[place]
    return job !== undefined && !isTerminal(job.state)
  })
}
