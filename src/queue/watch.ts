import { DriverError } from '../core/errors.ts'
import type { Hold } from '../core/job.ts'
import { isTerminal } from '../core/job.ts'
import type { Power } from '../core/power.ts'
import { nodeKey } from '../core/topology.ts'
import { heard } from '../fencing/confirm.ts'
import { sameHardware } from '../fencing/identity.ts'
import { devicesOf } from '../fencing/intake.ts'
import type { RunnerParts } from './parts.ts'

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
  const devices = node ? await devicesOf(parts.reads, node) : new Map()
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
  try {
    const signal = AbortSignal.any([preempted(endpoints), AbortSignal.timeout(parts.rules.exchange.exchangeMs)])
    const powers: Power[] = []
    let asked = parts.clock.now()
    for (const device of watched) {
      try {
        const observation = await parts.sessions.get(device).observe(signal)
        asked = Math.min(asked, observation.startedAt)
        const right = !device.hardware || sameHardware(device.hardware, observation.hardware)
        powers.push(right ? heard(observation, 'off', parts.rules) : 'unknown')
      } catch (error) {
        if (error instanceof DriverError) parts.sessions.failed(device, error)
        powers.push('unknown')
      }
    }
    const power: Power = powers.includes('on') ? 'on' : powers.length > 0 && powers.every(one => one === 'off') ? 'off' : 'unknown'
    const job = await parts.reads.job(hold.jobId)
    const seen = await parts.store.observeHold({ ...next, actor, power, at: new Date(asked).toISOString() })
    if (seen?.state === 'revoked' && hold.state !== 'revoked') {
      parts.log('error', { holdId, node: `${hold.cluster}/${hold.node}` }, 'A HELD NODE WAS FOUND ON: its receipt is revoked')
    } else if (hold.state === 'pending' && power === 'off' && hold.power !== 'off' && job && isTerminal(job.state)) {
      parts.log(
        'warn',
        { holdId, node: `${hold.cluster}/${hold.node}` },
        'an off without a verdict has landed late: the node reads off now',
      )
    }
    return seen
  } finally {
    await parts.store.release(actor)
    await parts.store.dismiss(jobId)
  }
}
