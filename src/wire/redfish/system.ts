import type { RestorePolicy } from '../../core/power.ts'
import type { Resource } from './client.ts'
import { isObject, type JsonObject, linkOf, objectOf, textOf } from './json.ts'
import { policyOf } from './policy.ts'

/** One read of a ComputerSystem. Absent texts are undefined; `powerState` is exactly what was sent, of whatever type. */
export interface SystemReading {
  path: string
  /** A string where the service is sane; null, undefined (missing), numbers and all else are passed on as they came. */
  powerState: unknown
  id?: string
  uuid?: string
  serial?: string
  manufacturer?: string
  model?: string
  /** BootProgress.LastState. */
  bootProgress?: string
  /** PowerRestorePolicy, where it is one of the standard's three. */
  restorePolicy?: RestorePolicy
  /** Resolved paths of Links.Chassis. */
  chassis: string[]
  /** Resolved path of the first of Links.ManagedBy. */
  manager?: string
  etag?: string
  date?: string
  ageSeconds?: number
  /** The `#ComputerSystem.Reset` member of Actions, where there is one. */
  reset?: JsonObject
}

/** One read of a Chassis. */
export interface ChassisReading {
  path: string
  powerState: unknown
  /** How many systems it holds by its own account; with more than one its power says nothing about a single system. Undefined: it doesn't say. */
  systems?: number
  /** ChassisType, e.g. `RackMount`, `Blade`, `Enclosure`. */
  type?: string
}

type Resolve = (reference: unknown) => string | undefined

/** Most chassis links that are looked at. */
const MAX_LINKS = 16

/** Reads a ComputerSystem resource. Never throws: what is absent or odd is left out. */
export function systemOf(resource: Resource, resolve: Resolve): SystemReading {
  const { body, path } = resource
  const links = objectOf(body, 'Links')
  const reset = objectOf(body, 'Actions')['#ComputerSystem.Reset']
  const reading: SystemReading = { path, powerState: body['PowerState'], chassis: pathsOf(links['Chassis'], resolve) }
  // Assigned one by one: this runs for every read of every device, and spreads of conditional objects cost more.
  const id = textOf(body, 'Id')
  if (id !== undefined) reading.id = id
  const uuid = filled(textOf(body, 'UUID'))
  if (uuid !== undefined) reading.uuid = uuid
  const serial = filled(textOf(body, 'SerialNumber'))
  if (serial !== undefined) reading.serial = serial
  const manufacturer = filled(textOf(body, 'Manufacturer'))
  if (manufacturer !== undefined) reading.manufacturer = manufacturer
  const model = filled(textOf(body, 'Model'))
  if (model !== undefined) reading.model = model
  const bootProgress = textOf(objectOf(body, 'BootProgress'), 'LastState')
  if (bootProgress !== undefined) reading.bootProgress = bootProgress
  const restorePolicy = policyOf(body['PowerRestorePolicy'])
  if (restorePolicy !== undefined) reading.restorePolicy = restorePolicy
  const manager = pathsOf(links['ManagedBy'], resolve)[0]
  if (manager !== undefined) reading.manager = manager
  const etag = resource.etag ?? textOf(body, '@odata.etag')
  if (etag !== undefined) reading.etag = etag
  if (resource.date !== undefined) reading.date = resource.date
  if (resource.ageSeconds !== undefined) reading.ageSeconds = resource.ageSeconds
  if (isObject(reset)) reading.reset = reset
  return reading
}

/** Reads a Chassis resource. */
export function chassisOf(resource: Resource): ChassisReading {
  const systems = objectOf(resource.body, 'Links')['ComputerSystems']
  const type = textOf(resource.body, 'ChassisType')
  return {
    path: resource.path,
    powerState: resource.body['PowerState'],
    ...(Array.isArray(systems) ? { systems: systems.length } : {}),
    ...(type === undefined ? {} : { type }),
  }
}

/** Vendors fill unknown texts with blanks, dots or `N/A`; none of these identifies anything. */
function filled(text: string | undefined): string | undefined {
  const trimmed = text?.trim()
  return trimmed === undefined || /^(n\/?a|none|null|unknown|not specified|to be filled.*|default string|[.\-_0 ]*)$/i.test(trimmed)
    ? undefined
    : trimmed
}

function pathsOf(links: unknown, resolve: Resolve): string[] {
  if (!Array.isArray(links)) return []
  const paths: string[] = []
  for (const member of links.slice(0, MAX_LINKS)) {
    const path = resolve(linkOf({ member }, 'member'))
    if (path !== undefined) paths.push(path)
  }
  return paths
}
