import type { Transaction } from '../../core/documents.ts'
import { SafestateError } from '../../core/errors.ts'
import type { Endpoint } from '../../core/job.ts'
import type { Actor } from '../../core/store.ts'
import type { Device } from '../../core/topology.ts'
import { endpointOf } from './lease.ts'
import { KIND } from './shared.ts'

/**
 * One name that a driver has for an endpoint, and what is under it. `joined`: everything under this name is under another by now, because both turned
 * out to lead to one machine (S6). `names`: those that joined this one.
 *
 * A name that joined stays joined while anything is left under the other, even when the devices are gone that brought the two together: whoever comes to it
 * shares a lease that he may not have to share, which costs turns and nothing else. With the last device the names go, too.
 */
export interface Host {
  joined?: string
  devices: string[]
  names: string[]
}

const NOTHING: Host = { devices: [], names: [] }

async function hostOf(tx: Pick<Transaction, 'get'>, name: string): Promise<Host> {
  return (await tx.get<Host>(KIND.host, name)) ?? NOTHING
}

/** The endpoint that a name stands for. */
export async function leaseNameOf(tx: Pick<Transaction, 'get'>, name: string): Promise<string> {
  // No loop: only what joined nothing is ever joined.
  for (let at = name; ; ) {
    const { joined } = await hostOf(tx, at)
    if (joined === undefined) return at
    at = joined
  }
}

/** Puts a device under its endpoint, and takes it from the one before. */
export async function placeDevice(tx: Transaction, device: string, before: string | undefined, after: string | undefined): Promise<void> {
  if (after !== undefined) {
    const host = await hostOf(tx, after)
    if (!host.devices.includes(device)) tx.put<Host>(KIND.host, after, { ...host, devices: [...host.devices, device] })
  }
  if (before === undefined || before === after) return
  const host = await hostOf(tx, before)
  if (host.joined !== undefined) return
  const devices = host.devices.filter(name => name !== device)
  if (devices.length > 0) tx.put<Host>(KIND.host, before, { ...host, devices })
  else for (const name of [before, ...host.names]) tx.delete(KIND.host, name)
}

/**
 * Brings everything under `name` under `winner`: every device of a service shares one lease (S6), also those that know nothing of the machine that two
 * services have in common. Moved are only names: holds and waiting jobs look up where their devices are, and a command is announced only under its
 * device's own endpoint. What is known of commands under the old one moves along (S8). Refused (`in_use`) while somebody else than `actor` works under
 * `name`, or a command there is not settled: what settles it is known there only (S3).
 */
export async function joinHosts(
  tx: Transaction,
  args: { name: string; winner: string; newcomer: string; actor: Actor | undefined },
  put: (device: Device) => void,
): Promise<void> {
  const { name, winner, newcomer, actor } = args
  if (name === winner) return
  const [loser, host] = [await hostOf(tx, name), await hostOf(tx, winner)]
  const moved = loser.devices.filter(one => one !== newcomer)
  if (moved.length > 0) await moveHistory(tx, args, await endpointOf(tx, name), actor)
  for (const one of moved) {
    const device = await tx.get<Device>(KIND.device, one)
    if (device) put({ ...device, endpoint: winner })
  }
  const names = [...new Set([...host.names, name, ...loser.names])]
  tx.put<Host>(KIND.host, winner, { devices: [...new Set([...host.devices, ...loser.devices])], names })
  for (const joined of [name, ...loser.names]) tx.put<Host>(KIND.host, joined, { joined: winner, devices: [], names: [] })
}

async function moveHistory(
  tx: Transaction,
  { name, winner, newcomer }: { name: string; winner: string; newcomer: string },
  from: Endpoint,
  actor: Actor | undefined,
): Promise<void> {
  const { lease, intents, outlived = [], settled } = from
  const isOthers = lease !== undefined && lease.until > tx.now && lease.actor !== actor?.id
  if (isOthers || intents.length > 0) {
    const why = isOthers ? 'somebody is talking to it' : 'a command there is not settled'
    const message = `${newcomer} shows that ${name} and ${winner} lead to one machine; they can't be brought together now: ${why}`
    throw new SafestateError('in_use', message, { device: newcomer })
  }
  const to = await endpointOf(tx, winner)
  const later = { ...to.settled }
  for (const command of ['on', 'off'] as const) {
    const [known, brought] = [to.settled[command], settled[command]]
    if (brought && (!known || known.at.wall < brought.at.wall)) later[command] = brought
  }
  // Those that never tell of it can be of processes that are gone: no reason to wait.
  const late = [...(to.outlived ?? []), ...outlived]
  tx.put<Endpoint>(KIND.endpoint, winner, { ...to, settled: later, ...(late.length > 0 ? { outlived: late } : {}) })
}
