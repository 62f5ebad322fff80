import { comparable, lastSegment } from './address.ts'
import type { RedfishClient } from './client.ts'
import { membersOf } from './collection.ts'
import { RedfishError } from './failure.ts'
import { type ResetRefusal, targetOf } from './reset.ts'
import { type SystemReading, systemOf } from './system.ts'

/** Why a member of Systems is not the one. */
export type NotChosen = ResetRefusal | 'no_power_state' | 'unreadable' | 'not_asked_for' | 'several_candidates'

/** A member that was not chosen. */
export interface OtherSystem {
  id: string
  path: string
  reason: NotChosen
}

/** What the wanted system is known by; any of them may be absent. */
export interface Wanted {
  /** `Id`, last segment of the path, or the whole path. */
  systemId?: string
  uuid?: string
  serial?: string
}

/** The outcome of a choice; `refused` lists every member with its reason, for the person who has to name one. */
export type Choice =
  | { kind: 'chosen'; system: SystemReading; others: OtherSystem[] }
  | {
      kind: 'refused'
      reason: 'no_such_system' | 'not_usable' | 'no_candidate' | 'ambiguous' | 'incomplete_collection'
      others: OtherSystem[]
    }

/** Without an id each member has to be read; a service with more must be told which one. */
const MAX_READ = 64

/**
 * Chooses the system of a service. With an id: that one, or refused. By UUID or serial: the only one that matches. With nothing: the only member
 * that has a Reset action. Never the first or last of several. Throws what reads throw, but for single members (listed as unreadable).
 */
export async function chooseSystem(client: RedfishClient, wanted: Wanted, signal?: AbortSignal): Promise<Choice> {
  const { systemsPath } = await client.service(signal)
  const members = await membersOf(
    systemsPath,
    reference => client.resolve(reference),
    path => client.get(path, signal),
  )
  const { systemId } = wanted
  if (systemId !== undefined) {
    const named = members.paths.filter(path => lastSegment(path) === systemId || comparable(path) === comparable(systemId))
    const path = named[0]
    if (path !== undefined && named.length === 1) {
      const system = systemOf(await client.get(path, signal), reference => client.resolve(reference))
      const others = members.paths.filter(other => other !== path).map(other => listed(other, 'not_asked_for'))
      return verdict(client, system, others)
    }
  }
  if (members.incomplete)
    return { kind: 'refused', reason: 'incomplete_collection', others: members.paths.map(path => listed(path, 'not_asked_for')) }
  if (members.paths.length > MAX_READ) {
    const reason = systemId === undefined ? 'ambiguous' : 'no_such_system'
    return { kind: 'refused', reason, others: members.paths.map(path => listed(path, 'not_asked_for')) }
  }
  const { systems, others } = await readAll(client, members.paths, signal)
  const asked = systems.filter(system => isWanted(system, wanted))
  const rest = systems.filter(system => !asked.includes(system)).map(system => listed(system.path, 'not_asked_for', system.id))
  if (systemId !== undefined || wanted.uuid !== undefined || wanted.serial !== undefined) {
    const only = asked[0]
    if (only === undefined) return { kind: 'refused', reason: 'no_such_system', others: [...others, ...rest] }
    if (asked.length === 1) return verdict(client, only, [...others, ...rest])
  }
  const fit = asked.filter(system => unusable(client, system) === undefined)
  const unfit = asked.flatMap(system => {
    const reason = unusable(client, system)
    return reason === undefined ? [] : [listed(system.path, reason, system.id)]
  })
  const only = fit[0]
  if (only === undefined) return { kind: 'refused', reason: 'no_candidate', others: [...others, ...rest, ...unfit] }
  // An unread member could be the one as well.
  if (fit.length === 1 && others.length === 0) return { kind: 'chosen', system: only, others: [...rest, ...unfit] }
  const several = fit.map(system => listed(system.path, hasPower(system) ? 'several_candidates' : 'no_power_state', system.id))
  return { kind: 'refused', reason: 'ambiguous', others: [...several, ...others, ...rest, ...unfit] }
}

async function readAll(
  client: RedfishClient,
  paths: string[],
  signal?: AbortSignal,
): Promise<{ systems: SystemReading[]; others: OtherSystem[] }> {
  const systems: SystemReading[] = []
  const others: OtherSystem[] = []
  for (const path of paths) {
    try {
      systems.push(systemOf(await client.get(path, signal), reference => client.resolve(reference)))
    } catch (error) {
      // The service answered, but not with this member; anything else (time-outs, lost connections) ends the choice.
      if (!(error instanceof RedfishError) || !['not_found', 'http_error', 'forbidden', 'bad_resource', 'not_json'].includes(error.reason))
        throw error
      others.push(listed(path, 'unreadable'))
    }
  }
  return { systems, others }
}

function verdict(client: RedfishClient, system: SystemReading, others: OtherSystem[]): Choice {
  const reason = unusable(client, system)
  if (reason === undefined) return { kind: 'chosen', system, others }
  return { kind: 'refused', reason: 'not_usable', others: [listed(system.path, reason, system.id), ...others] }
}

/**
 * Why a system can't be switched. A missing PowerState is no such reason: OpenBMC leaves it out while its host daemon is away, and a neighbour must not
 * be taken for the only system just then. (Stray members that are no systems, as Gigabyte's Capabilities, have no Reset action either.)
 */
function unusable(client: RedfishClient, system: SystemReading): ResetRefusal | undefined {
  const target = targetOf(system, reference => client.resolve(reference))
  return typeof target === 'string' ? target : undefined
}

function hasPower(system: SystemReading): boolean {
  return system.powerState !== undefined && system.powerState !== null
}

function isWanted(system: SystemReading, wanted: Wanted): boolean {
  if (wanted.systemId !== undefined && system.id !== wanted.systemId) return false
  if (wanted.uuid !== undefined && system.uuid?.toLowerCase() !== wanted.uuid.toLowerCase()) return false
  return wanted.serial === undefined || system.serial?.toLowerCase() === wanted.serial.toLowerCase()
}

function listed(path: string, reason: NotChosen, id?: string): OtherSystem {
  return { id: id ?? lastSegment(path), path, reason }
}
