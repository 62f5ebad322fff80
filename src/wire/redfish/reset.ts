import { comparable } from './address.ts'
import { isObject, type JsonObject, textOf } from './json.ts'
import type { SystemReading } from './system.ts'

/** Why a system can't be commanded. */
export type ResetRefusal = 'no_reset_action' | 'no_target' | 'foreign_target' | 'target_outside_system'

/** How a system can be commanded. `off` and `on` are the values to send; null where the service lists values without a usable one. */
export interface ResetCapability {
  target: string
  /** The values the service lists, fused ones split; undefined where it lists none (then the standard values are sent). */
  values: string[] | undefined
  source: 'inline' | 'action-info' | 'none'
  /** ForceOff and nothing else: graceful, cycle and push-button never fence. */
  off: string | null
  /** On, else ForceOn. */
  on: string | null
}

/** ResetType of the ComputerSystem schema up to 1.24, and Cray's `Off`. */
const RESET_TYPES = (
  'On ForceOff GracefulShutdown GracefulRestart ForceRestart Nmi ForceOn PushPowerButton PowerCycle ' +
  'Suspend Pause Resume FullPowerCycle Sleep Hibernate Off'
).split(' ')

/**
 * Finds out how a system is reset: inline AllowableValues first; ActionInfo where they are absent, empty or without ForceOff.
 * `readActionInfo` gets a resolved path and gives undefined where that can't be read (404 on some firmwares): values are then unknown.
 */
export async function resetOf(
  system: SystemReading,
  resolve: (reference: unknown) => string | undefined,
  readActionInfo: (path: string) => Promise<JsonObject | undefined>,
): Promise<ResetCapability | ResetRefusal> {
  const target = targetOf(system, resolve)
  if (typeof target === 'string') return target
  const action = system.reset as JsonObject
  const inline = valuesOf(action['ResetType@Redfish.AllowableValues'])
  if (inline !== undefined && offOf(inline) !== null) return capability(target.path, inline, 'inline')
  const infoPath = resolve(action['@Redfish.ActionInfo'])
  const info = infoPath === undefined ? undefined : await readActionInfo(infoPath)
  const listed = info === undefined ? undefined : parameterValues(info)
  if (listed !== undefined) return capability(target.path, listed, 'action-info')
  return capability(target.path, inline, inline === undefined ? 'none' : 'inline')
}

/** The Reset target as `{path}`, or why there is none that may be used. */
export function targetOf(system: SystemReading, resolve: (reference: unknown) => string | undefined): { path: string } | ResetRefusal {
  if (system.reset === undefined) return 'no_reset_action'
  const reference = textOf(system.reset, 'target')
  if (reference === undefined || reference === '') return 'no_target'
  const path = resolve(reference)
  if (path === undefined) return 'foreign_target'
  // A target under another system's path would switch another machine.
  return path.startsWith(`${comparable(system.path)}/`) ? { path } : 'target_outside_system'
}

function capability(target: string, values: string[] | undefined, source: ResetCapability['source']): ResetCapability {
  if (values === undefined) return { target, values, source, off: 'ForceOff', on: 'On' }
  return { target, values, source, off: offOf(values), on: named(values, 'On') ?? named(values, 'ForceOn') }
}

function offOf(values: readonly string[]): string | null {
  return named(values, 'ForceOff')
}

/** The service's own spelling of a value. */
function named(values: readonly string[], wanted: string): string | null {
  return values.find(value => value === wanted) ?? values.find(value => value.toLowerCase() === wanted.toLowerCase()) ?? null
}

function parameterValues(info: JsonObject): string[] | undefined {
  const parameters = info['Parameters']
  if (!Array.isArray(parameters)) return undefined
  const found = parameters.find(one => isObject(one) && one['Name'] === 'ResetType')
  return isObject(found) ? valuesOf(found['AllowableValues']) : undefined
}

/** The texts of a list, `GracefulShutdownGracefulRestart` (Supermicro 1.14) split in two; undefined where it is no list or lists nothing. */
function valuesOf(list: unknown): string[] | undefined {
  if (!Array.isArray(list)) return undefined
  const texts = list.slice(0, 64).filter(value => typeof value === 'string')
  return texts.length === 0 ? undefined : texts.flatMap(value => split(value) ?? [value])
}

function split(text: string): string[] | undefined {
  if (text === '') return []
  if (text.length > 200) return undefined
  for (const type of RESET_TYPES) {
    if (!text.startsWith(type)) continue
    const rest = split(text.slice(type.length))
    if (rest !== undefined) return [type, ...rest]
  }
  return undefined
}
