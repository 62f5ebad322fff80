import type { Observation, Witness } from '../core/evidence.ts'
import type { CountedRead, DeviceProgress } from '../core/job.ts'
import type { Command, Power } from '../core/power.ts'
import type { Rules } from '../core/rules.ts'

/** Counted reads kept for the receipt: the first and the newest seven. */
const KEPT = 8

/**
 * What a read says once its witnesses are heard (S11): an `off` that a witness contradicts is not off, and where the service's own word is
 * worth nothing alone (OpenBMC), an `off` without a witness that says off as well is unknown. Witnesses never make something off.
 */
export function heard(observation: Observation, goal: Command, rules: Rules): Power {
  const { power, witnesses, witnessRequired } = observation
  if (!rules.switches.exactOffOnly && goal === 'off' && power !== 'on') return 'off'
  if (goal !== 'off' || power !== 'off' || !rules.switches.witnessVetoes) return power
  if (witnesses.some(contradicts)) return 'on'
  return witnessRequired && !witnesses.some(witness => witness.power === 'off') ? 'unknown' : 'off'
}

function contradicts({ power }: Witness): boolean {
  return power === 'on' || power === 'transitioning'
}

/** Which witness contradicts the off of a read, and what it says, for people; undefined where none does. */
function contradictionOf({ power, witnesses }: Observation): string | undefined {
  const against = power === 'off' ? witnesses.find(contradicts) : undefined
  return against && `${against.source}: ${against.raw}`
}

/**
 * Counts one read of a device towards `goal` (promise 1). It counts only when it was asked for after the last command was settled and at least
 * the spacing after the read counted before; any contrary or unclear read starts the count again.
 */
export function countRead(device: DeviceProgress, observation: Observation, goal: Command, rules: Rules): DeviceProgress {
  const power = heard(observation, goal, rules)
  const contradicted = power === observation.power ? undefined : contradictionOf(observation)
  const { startedMono, endedMono } = observation
  const last = { power, startedMono, endedMono, ...(contradicted === undefined ? {} : { contradicted }) }
  const seen: DeviceProgress = { ...device, found: device.found ?? power, last, misses: 0, hardware: observation.hardware }
  delete seen.error
  if (power !== goal) return rules.switches.contraryReadRestarts ? { ...seen, streak: [], counted: 0 } : seen
  const settled = device.lastCommand?.settledMono
  const reached = {
    ...seen,
    reachedSinceCommand: device.reachedSinceCommand || (settled !== undefined && observation.startedMono >= settled),
  }
  if (rules.switches.readsAfterCommandOnly && settled !== undefined && observation.startedMono < settled) return reached
  const previous = device.streak.at(-1)
  if (previous && observation.startedMono - previous.startedMono < rules.confirm.spacingMs) return reached
  const read: CountedRead = {
    startedMono: observation.startedMono,
    endedMono: observation.endedMono,
    at: new Date(observation.startedAt).toISOString(),
    source: observation.source,
    raw: observation.raw,
    witnesses: observation.witnesses,
  }
  const streak = [...device.streak, read]
  const [first] = streak
  return { ...reached, counted: device.counted + 1, streak: streak.length > KEPT && first ? [first, ...streak.slice(1 - KEPT)] : streak }
}

/** What the verdict on a level has to wait for, per device. */
export interface VerdictContext {
  goal: Command
  rules: Rules
  /** Reads without a command suffice: an earlier job confirmed the hold (S5). */
  readsOnly: boolean
  /** Only a verdict with an agreeing witness on each read is wanted. */
  witnessWanted: boolean
  /** When the other command was last settled on this device's endpoint (this process's monotonic ms), and how long its effect may be delayed (S8). */
  otherCommand(device: DeviceProgress): { settledMono: number; delayMs: number } | undefined
}

/** Promise 1 for a whole level (S12): all devices, one common dwell. The only place that concludes. */
export function verdict(devices: DeviceProgress[], context: VerdictContext): 'reached' | 'open' {
  const { rules, goal } = context
  if (devices.length === 0) return 'open'
  let dwell = rules.confirm.dwellMs
  let begin = Number.NEGATIVE_INFINITY
  let end = Number.POSITIVE_INFINITY
  for (const device of devices) {
    const first = device.streak[0]
    const last = device.streak.at(-1)
    if (!first || !last || device.counted < rules.confirm.reads) return 'open'
    if (goal === 'off' && device.commands === 0 && !context.readsOnly && rules.switches.foundOffIsCommanded) return 'open'
    if (context.witnessWanted && !device.streak.every(({ witnesses }) => witnesses.some(({ power }) => power === goal))) return 'open'
    // Found neither on nor off it may be in somebody's power cycle just as well (S8).
    if (goal === 'off' && device.found !== 'on' && !context.readsOnly) dwell = Math.max(dwell, rules.confirm.foundOffDwellMs)
    const other = context.otherCommand(device)
    if (other && rules.switches.otherCommandOutlasted && last.startedMono < other.settledMono + other.delayMs) return 'open'
    begin = Math.max(begin, first.endedMono)
    end = Math.min(end, last.startedMono)
  }
  return end - begin >= dwell ? 'reached' : 'open'
}
