import type { Observation } from '../core/evidence.ts'
import type { Warning } from '../core/job.ts'
import type { RestorePolicy } from '../core/power.ts'
import type { Actor, PolicyNote } from '../core/store.ts'
import type { Device, PolicyTrouble } from '../core/topology.ts'
import { type Effect, policyDone } from '../fencing/machine.ts'
import { missOf, mustDevice, type Run, Superseded } from './exchange.ts'
import { limited } from './limit.ts'
import type { RunnerParts } from './parts.ts'

/** What came of it: what was set before, or why it is not set. */
type Outcome = { before: RestorePolicy } | { trouble: PolicyTrouble; why: string }

/**
 * Sets a device's power restore policy for the job's leg (S7), once, and never fails it: what does not work is a warning.
 *
 * What it was before is stored, durably, before it is changed: from the read that this follows, since `setRestorePolicy` tells only afterwards, and
 * a process that dies between the two would take it along. The step that stores it is S2's check at once. What is stored already stays: a second
 * off, or the same one taken over by another process, finds the machine at off, and that is not what the machine's owner wants back. It is forgotten
 * only after it was put back, under the same check: a process that was stopped meanwhile has lost its lease, and can't forget a later hold's.
 *
 * No check can hold back bytes that are on their way: a late put-back may still arrive after a later off has set it. The next off leg goes by what it
 * reads, and so does the watch over the hold.
 */
export async function setPolicy(parts: RunnerParts, run: Run, effect: Extract<Effect, { kind: 'policy' }>): Promise<void> {
  const { device, policy } = effect
  const leg = run.progress.leg === 'on' ? 'on' : 'off'
  const outcome = await attempt(parts, run, effect, leg)
  run.progress = policyDone(run.progress, device)
  if ('why' in outcome) {
    const { why, trouble } = outcome
    parts.log('warn', { jobId: run.job.id, device, policy, why }, 'the power restore policy was not set')
    return note(parts, run, device, leg, leg === 'off' ? { trouble } : {}, [warning(device, leg, policy, why)])
  }
  const { before } = outcome
  parts.log('info', { jobId: run.job.id, device, policy, before }, 'the power restore policy is set')
  if (leg === 'on') return note(parts, run, device, leg, { before: null })
  const { restorePolicyBefore, restorePolicyTrouble } = mustDevice(run, device)
  // A driver that does not see it in its reads tells it only now.
  const isNews = (before !== 'off' && restorePolicyBefore === undefined) || restorePolicyTrouble !== undefined
  if (isNews) await note(parts, run, device, leg, { before, trouble: null })
}

async function attempt(parts: RunnerParts, run: Run, effect: Extract<Effect, { kind: 'policy' }>, leg: 'on' | 'off'): Promise<Outcome> {
  const { device, policy, limitMs } = effect
  const seen = run.progress.devices.find(one => one.device === device)?.restorePolicy
  if (seen === null) return { trouble: 'none', why: 'it has no such setting' }
  if (seen === policy) return { before: seen }
  if (limitMs <= 0) return { trouble: 'failed', why: 'no time was left for it' }
  await note(parts, run, device, leg, leg === 'off' && seen !== undefined ? { before: seen } : {})
  try {
    const session = parts.sessions.get(mustDevice(run, device))
    const before = await limited(parts.clock, limitMs, run.signal, signal => session.setRestorePolicy(policy, signal))
    return before === null ? { trouble: 'refused', why: 'it was refused' } : { before }
  } catch (error) {
    const missed = missOf(parts, run, device, error)
    return { trouble: 'failed', why: missed.message }
  }
}

/** S2's check, and what is kept with the device and the job, in one step. */
async function note(
  parts: RunnerParts,
  run: Run,
  device: string,
  leg: 'on' | 'off',
  what: PolicyNote,
  warnings: Warning[] = [],
): Promise<void> {
  const patch = { progress: run.progress, warnings }
  const noted = await parts.store.notePolicy({ actor: run.actor, device, leg, note: what, patch })
  if (!noted.ok) throw new Superseded(noted.lost)
  run.devices.set(device, noted.device)
  if (noted.job) run.job = noted.job
}

function warning(device: string, leg: 'on' | 'off', policy: RestorePolicy, why: string): Warning {
  const message =
    leg === 'off'
      ? `${device} may come on by itself when mains power returns: its power restore policy could not be set to off: ${why}`
      : `${device} stays off when mains power returns: its power restore policy could not be put back to ${policy}: ${why}`
  return { code: 'restore_policy', message: message.slice(0, 400), device }
}

/** What an `on` has not put back, because a hold had switched that device off on another level than the `on` goes by. */
export function leftOff(run: Run): Warning[] {
  const worked = new Set(run.progress.devices.map(({ device }) => device))
  return [...run.devices.values()].flatMap(({ name, restorePolicyBefore: before }) =>
    before === undefined || worked.has(name) ? [] : [warning(name, 'on', before, 'this job did not use it')],
  )
}

/** For the watch over a hold: sets a policy to off that is not, or not any more (a late hand, a person). Not where the device refused it before. */
export async function keepOff(
  parts: RunnerParts,
  args: { actor: Actor; holdId: string; device: Device; observation: Observation; signal: AbortSignal },
): Promise<void> {
  const { actor, holdId, device, signal } = args
  const { restorePolicy: before } = args.observation
  const { restorePolicyTrouble: trouble } = device
  if (!parts.rules.switches.restorePolicyHeld || !before || (before === 'off' ? trouble === undefined : trouble === 'refused')) return
  const noteIt = (what: PolicyNote) => parts.store.notePolicy({ actor, device: device.name, leg: 'off', holdId, note: what })
  const noted = await noteIt(before === 'off' ? { trouble: null } : { before })
  if (!noted.ok || before === 'off') return
  const set = await parts.sessions
    .get(device)
    .setRestorePolicy('off', signal)
    .catch(() => undefined)
  parts.log('warn', { holdId, device: device.name, before, set: set ?? 'no' }, 'the power restore policy of a held node was not off')
  // What was only not answered is tried again by the next look.
  if (set !== undefined) await noteIt({ trouble: set === null ? 'refused' : null })
}
