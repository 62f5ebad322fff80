import { SafestateError } from '../core/errors.ts'
import type { Plan, PlanLevel } from '../core/job.ts'
import type { Action, Assurance, Mechanism } from '../core/power.ts'
import { DEFAULT_ASSURANCE } from '../core/power.ts'
import type { Rules } from '../core/rules.ts'
import type { Device, Node } from '../core/topology.ts'
import { nodeKey } from '../core/topology.ts'

/** What a request limits a plan to. */
export interface PlanLimits {
  action: Action
  deadlineSeconds: number
  mechanisms?: Mechanism[]
  acceptAssurance?: Assurance[]
}

/** The best words that a mechanism can reach, best first. */
const REACHABLE: Record<Mechanism, Assurance[]> = {
  direct: ['corroborated', 'confirmed'],
  metal3: ['reported'],
  machine: ['removed', 'reported'],
  'poison-pill': ['rebooted', 'elapsed'],
  meatware: ['attested'],
}

/**
 * Turns a node's topology into the steps of a job: levels in order, those left out that are not wanted or can't reach a wanted assurance
 * (`no_level` when none is left), refused when the deadline can't hold them (S18, `plan_too_long` with the time needed).
 */
export function makePlan(
  node: Node,
  devices: Map<string, Device>,
  mechanismOf: (device: Device) => Mechanism,
  limits: PlanLimits,
  rules: Rules,
): Plan {
  const key = nodeKey(node)
  const accept = limits.acceptAssurance ?? DEFAULT_ASSURANCE
  const levels: PlanLevel[] = []
  for (const [index, names] of node.levels.entries()) {
    const mechanisms = new Set(names.map(name => mechanismOf(must(devices, name, key))))
    const [mechanism] = mechanisms
    if (mechanism === undefined || mechanisms.size > 1) continue
    if (limits.mechanisms && !limits.mechanisms.includes(mechanism)) continue
    const assurance = REACHABLE[mechanism].find(word => accept.includes(word))
    if (limits.action !== 'off' && limits.action !== 'reboot')
      levels.push({ level: index + 1, mechanism, devices: names, assurance: 'confirmed' })
    else if (assurance) levels.push({ level: index + 1, mechanism, devices: names, assurance })
  }
  const first = levels[0]
  if (!first) {
    throw new SafestateError(
      'no_level',
      `no level of ${key} is left: asked for ${limits.mechanisms?.join(', ') ?? 'any mechanism'} with ${accept.join(', ')}`,
      { node: key },
    )
  }
  if (limits.action === 'on') return { levels: [first] }
  // A reboot's on can't be believed before the off's delay is over (S8).
  const restore = limits.action === 'reboot' ? rules.powerOffDelayMs + rules.confirm.dwellMs : 0
  const needed = limits.action === 'status' ? 0 : neededMs(levels.length, rules) + restore
  if (needed > limits.deadlineSeconds * 1000) {
    const seconds = Math.ceil(needed / 1000)
    throw new SafestateError(
      'plan_too_long',
      `${levels.length} level(s) need at least ${seconds} s, the deadline is ${limits.deadlineSeconds} s`,
      {
        node: key,
        errors: [{ field: 'deadlineSeconds', message: `must be at least ${seconds}` }],
      },
    )
  }
  return { levels }
}

/** One level needs its dwell and an exchange before it; several need the least share each. */
function neededMs(levels: number, rules: Rules): number {
  return levels === 1 ? rules.confirm.dwellMs + 1_000 : levels * rules.levelMinMs
}

function must(devices: Map<string, Device>, name: string, node: string): Device {
  const device = devices.get(name)
  if (!device) throw new SafestateError('unknown_device', `${node} names ${name}, which is not registered`, { node, device: name })
  return device
}

/** S18: what a level gets of the time that is left: an even share, at least the minimum, at most all. */
export function levelShareMs(remainingMs: number, levelsLeft: number, rules: Rules): number {
  return Math.min(remainingMs, Math.max(rules.levelMinMs, remainingMs / Math.max(1, levelsLeft)))
}
