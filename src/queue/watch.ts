import type { Observation } from '../core/evidence.ts'
import type { Hold } from '../core/job.ts'
import { isTerminal } from '../core/job.ts'
import type { Power } from '../core/power.ts'
import type { Actor } from '../core/store.ts'
import type { Device } from '../core/topology.ts'
import { nodeKey } from '../core/topology.ts'
import { heard } from '../fencing/confirm.ts'
import { sameHardware } from '../fencing/identity.ts'
import { devicesOf } from '../fencing/intake.ts'
import { limited } from './limit.ts'
import type { RunnerParts } from './parts.ts'
import { keepOff } from './policy.ts'

/** A hold is read every `EARLY_MS` for the first ten minutes, then every `LATE_MS` (S7). */
const EARLY_MS = 10_000
const LATE_MS = 60_000
const EARLY_FOR_MS = 600_000

/**
 * Reads a held node once and keeps what it says with the hold: found on, hold and receipt are revoked (S7). Gives way to any job that wants the
 * endpoint. Returns the hold as it is then; undefined where it is gone.
 */
export async function watchHold(
  parts: RunnerParts,
  holdId: string,
  preempted: (endpoints: string[]) => AbortSignal,
): Promise<Hold | undefined> {
  const hold = await parts.reads.hold(holdId)
  if (!hold || hold.state === 'released') return hold
  const node = await parts.reads.node(nodeKey({ cluster: hold.cluster, name: hold.node }))
  const devices = node ? await devicesOf(parts.reads, node) : new Map<string, Device>()
  const watched = hold.restore.devices.flatMap(name => devices.get(name) ?? [])
  const endpoints = [...new Set(watched.map(({ endpoint }) => endpoint))].sort()
  const jobId = `watch:${holdId}`
  const actor = { id: `${parts.process}/${parts.newId()}`, jobId, leases: [] as { endpoint: string; token: number }[] }
  const taken = await parts.store.take({ jobId, actor: actor.id, endpoints, urgency: 9, preemptible: true, park: false })
  const age = parts.clock.now() - Date.parse(hold.confirmedAt ?? hold.createdAt)
  const next = { nextAt: parts.clock.now() + (age < EARLY_FOR_MS ? EARLY_MS : LATE_MS), holdId }
  // A busy endpoint is being read by somebody who will tell; a waiting place for a mere watch would only be in the way.
  if (taken.kind === 'parked') return hold
  actor.leases = taken.leases
  // Shorter than the lease, which a mere read does not renew: its answer must not be older than somebody else's verdict.
  const { exchangeMs } = parts.rules.exchange
  try {
    return await limited(parts.clock, exchangeMs, preempted(endpoints), signal => look(parts, { hold, watched, actor, next, signal }))
  } finally {
    await parts.store.release(actor)
    await parts.store.dismiss(jobId)
  }
}

/** What one look at a hold goes by. */
interface Look {
  hold: Hold
  watched: Device[]
  actor: Actor
  next: { nextAt: number; holdId: string }
  signal: AbortSignal
}

async function look(parts: RunnerParts, { hold, watched, actor, next, signal }: Look): Promise<Hold | undefined> {
  const powers: Power[] = []
  const right: { device: Device; observation: Observation }[] = []
  let asked = parts.clock.now()
  for (const device of watched) {
    try {
      const observation = await parts.sessions.get(device).observe(signal)
      asked = Math.min(asked, observation.startedAt)
      const isRight = !device.hardware || sameHardware(device.hardware, observation.hardware)
      powers.push(isRight ? heard(observation, 'off', parts.rules) : 'unknown')
      if (isRight) right.push({ device, observation })
    } catch {
      powers.push('unknown')
    }
  }
  const power: Power = powers.includes('on') ? 'on' : powers.length > 0 && powers.every(one => one === 'off') ? 'off' : 'unknown'
  const job = await parts.reads.job(hold.jobId)
  const seen = await parts.store.observeHold({ ...next, actor, power, at: new Date(asked).toISOString() })
  const facts = { holdId: hold.id, node: `${hold.cluster}/${hold.node}` }
  if (seen?.state === 'revoked' && hold.state !== 'revoked') {
    parts.log('error', facts, 'A HELD NODE WAS FOUND ON: its receipt is revoked')
  } else if (hold.state === 'pending' && power === 'off' && hold.power !== 'off' && job && isTerminal(job.state)) {
    parts.log('warn', facts, 'an off without a verdict has landed late: the node reads off now')
  }
  // A job that is under way sees to it itself, after its command.
  const isOver = seen?.state === 'confirmed' || (job !== undefined && isTerminal(job.state))
  if (isOver) for (const one of right) await keepOff(parts, { ...one, actor, holdId: hold.id, signal })
  return seen
}
