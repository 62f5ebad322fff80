import { bodyFaults } from './bodies.ts'
import { identityFaults } from './identity.ts'
import { ipmiAnswerFaults } from './ipmi-answers.ts'
import { ipmiBmcFaults } from './ipmi-bmc.ts'
import { ipmiWayFaults } from './ipmi-way.ts'
import { powerFaults } from './power.ts'
import { sessionFaults } from './sessions.ts'
import { transportFaults } from './transport.ts'
import type { FaultDefinition, FaultValue } from './types.ts'

/** Faults that only the IPMI side has. */
export const IPMI_FAULTS = { ...ipmiWayFaults, ...ipmiAnswerFaults, ...ipmiBmcFaults }

/** The fault switchboard: every fault that a BMC can be given, by name. Which of the others act on the IPMI side, too, their summaries say. */
export const FAULTS = { ...transportFaults, ...bodyFaults, ...sessionFaults, ...powerFaults, ...identityFaults, ...IPMI_FAULTS }

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS

/** The parameters of a fault. */
export type FaultParameters<N extends FaultName> = (typeof FAULTS)[N]['defaults']

/** The definition of a fault with its parameters as plain values, for code that treats all faults alike. Throws on an unknown name. */
export function findFault(name: string): FaultDefinition<Record<string, FaultValue>> {
  const known = Object.entries(FAULTS).find(([candidate]) => candidate === name)
  if (known === undefined) throw new Error(`unknown fault "${name}"; there are ${Object.keys(FAULTS).join(', ')}`)
  // Each definition is typed by its own defaults, and `checkParameters` lets only values of those types through.
  return known[1] as unknown as FaultDefinition<Record<string, FaultValue>>
}

/**
 * Fills in the defaults and refuses what the fault does not know. Throws an error that names the parameter.
 * A parameter whose default is null takes any plain value.
 */
export function checkParameters(name: string, given: Readonly<Record<string, unknown>>): Record<string, FaultValue> {
  const { defaults } = findFault(name)
  const parameters = { ...defaults }
  for (const [key, value] of Object.entries(given)) {
    const usual = defaults[key]
    if (usual === undefined)
      throw new Error(`fault "${name}" has no parameter "${key}"; it has ${Object.keys(defaults).join(', ') || 'none'}`)
    const isPlain = value === null || ['number', 'string', 'boolean'].includes(typeof value)
    if (!isPlain || (usual !== null && typeof value !== typeof usual)) {
      throw new Error(`parameter "${key}" of fault "${name}" is to be a ${usual === null ? 'plain value' : typeof usual}`)
    }
    parameters[key] = value as FaultValue
  }
  return parameters
}
