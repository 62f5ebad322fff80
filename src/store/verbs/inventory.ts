import type { Transaction } from '../../core/documents.ts'
import { SafestateError } from '../../core/errors.ts'
import type { Actor } from '../../core/store.ts'
import type { Device, Node } from '../../core/topology.ts'
import { nodeKey } from '../../core/topology.ts'
import { joinHosts, leaseNameOf, placeDevice } from './hosts.ts'
import { endpointOf } from './lease.ts'
import { INDEX, KIND, powerOf } from './shared.ts'

/** Who claims a piece of hardware: at most one device of each driver, all of one node (S6). */
interface HardwareClaim {
  devices: string[]
}

/** See `Store.addDevice`. */
export async function addDevice(tx: Transaction, args: { device: Device; credential: string; hardwareKeys: string[] }): Promise<Device> {
  const { device, hardwareKeys } = args
  if (await tx.get<Device>(KIND.device, device.name)) {
    throw new SafestateError('exists', `a device ${device.name} is registered already`, { device: device.name })
  }
  const others = await claimHardware(tx, { ...device, hardwareKeys: [] }, hardwareKeys)
  const endpoint = await oneEndpoint(tx, device.endpoint, others, device.name)
  await placeDevice(tx, device.name, undefined, endpoint)
  tx.put(KIND.credential, device.name, args.credential)
  tx.indexAdd(INDEX.devices, device.name, 0)
  return putDevice(tx, { ...device, hardwareKeys, endpoint })
}

/** See `Store.updateDevice`. */
export async function updateDevice(
  tx: Transaction,
  args: {
    name: string
    expected?: number
    change: (device: Device) => Device
    credential?: string
    hardwareKeys?: string[]
    actor?: Actor
  },
): Promise<Device> {
  const device = await tx.get<Device>(KIND.device, args.name)
  if (!device) throw new SafestateError('unknown_device', `no device ${args.name}`, { device: args.name })
  if (args.expected !== undefined && args.expected !== device.revision) {
    throw new SafestateError('revision_changed', `the device is at revision ${device.revision} by now`, { device: args.name })
  }
  const hardwareKeys = args.hardwareKeys ?? device.hardwareKeys ?? []
  const others = await claimHardware(tx, device, hardwareKeys)
  if (args.credential !== undefined) tx.put(KIND.credential, args.name, args.credential)
  const wanted = args.change(device)
  // A new address may be another way to the same machine: what others claim as well stays under the one lease.
  const endpoint = await oneEndpoint(tx, wanted.endpoint, others, args.name, args.actor)
  const changed = { ...wanted, hardwareKeys, endpoint }
  // What was never recognised was never commanded: it may join in the middle of the job that recognised it, which then takes the other lease.
  const isFirstPin = device.hardware === undefined && changed.hardware !== undefined
  const joins = changed.endpoint !== device.endpoint && !isFirstPin
  if (joins || wanted.endpoint !== device.endpoint || changed.systemId !== device.systemId) await checkIdle(tx, device)
  await placeDevice(tx, args.name, device.endpoint, endpoint)
  return putDevice(tx, changed)
}

/** How long after a command a device keeps its address: what a late one could still do is known under the old one only (S3, S8), store ms. */
const QUIET_MS = 120_000

/** A device that is being worked on, held by, or was just commanded under its address keeps it. */
async function checkIdle(tx: Transaction, device: Device): Promise<void> {
  const { name } = device
  const user = await nodeOf(tx, name)
  const power = user === undefined ? undefined : await powerOf(tx, user)
  const { lease, intents, settled, outlived } = await endpointOf(tx, device.endpoint)
  const commanded = Math.max(settled.on?.at.wall ?? 0, settled.off?.at.wall ?? 0)
  const why =
    power?.holdId || power?.active
      ? `node ${user} is held or has a running job`
      : intents.length > 0 || (outlived?.length ?? 0) > 0 || (lease && lease.until > tx.now)
        ? 'somebody is talking to its endpoint'
        : tx.now - commanded < QUIET_MS
          ? 'it was commanded less than two minutes ago'
          : undefined
  if (why) throw new SafestateError('in_use', `${name} can't be moved now: ${why}`, { device: name, ...(user ? { node: user } : {}) })
}

/** See `Store.removeDevice`: the credential goes with it. */
export async function removeDevice(tx: Transaction, name: string): Promise<void> {
  const device = await tx.get<Device>(KIND.device, name)
  if (!device) throw new SafestateError('unknown_device', `no device ${name}`, { device: name })
  const user = await nodeOf(tx, name)
  if (user) throw new SafestateError('in_use', `node ${user} uses this device`, { device: name, node: user })
  await dropClaims(tx, name, device.hardwareKeys ?? [])
  await placeDevice(tx, name, device.endpoint, undefined)
  tx.delete(KIND.credential, name)
  tx.delete(KIND.device, name)
  tx.indexRemove(INDEX.devices, name)
  tx.emit({ topic: 'device', id: name })
}

/** See `Store.addNode`: a device belongs to one node, and so does the hardware that it shares with devices of other drivers. */
export async function addNode(tx: Transaction, args: { node: Node }): Promise<Node> {
  const key = nodeKey(args.node)
  if (await tx.get<Node>(KIND.node, key)) throw new SafestateError('exists', `node ${key} is registered already`, { node: key })
  for (const name of args.node.levels.flat()) {
    const device = await tx.get<Device>(KIND.device, name)
    if (!device) throw new SafestateError('unknown_device', `no device ${name} is registered`, { device: name })
    const user = await nodeOf(tx, name)
    if (user) throw new SafestateError('hardware_taken', `device ${name} belongs to node ${user}`, { device: name, node: user })
    for (const other of await claimants(tx, name, device.hardwareKeys ?? [])) await checkNode(tx, device.name, other, key)
    tx.put('device-node', name, key)
  }
  const node = { ...args.node, revision: args.node.revision + 1 }
  tx.put(KIND.node, key, node)
  tx.indexAdd(INDEX.nodes, key, 0)
  tx.emit({ topic: 'node', id: key, cluster: node.cluster, node: node.name })
  return node
}

/** See `Store.removeNode`: not while anything holds it or runs on it. */
export async function removeNode(tx: Transaction, key: string): Promise<void> {
  const node = await tx.get<Node>(KIND.node, key)
  if (!node) throw new SafestateError('unknown_node', `no node ${key} is registered`, { node: key })
  const power = await powerOf(tx, key)
  if (power.holdId || power.active) throw new SafestateError('in_use', `node ${key} is held or has a running job`, { node: key })
  for (const name of node.levels.flat()) tx.delete('device-node', name)
  tx.delete(KIND.node, key)
  tx.indexRemove(INDEX.nodes, key)
  tx.emit({ topic: 'node', id: key, cluster: node.cluster, node: node.name })
}

function nodeOf(tx: Transaction, device: string): Promise<string | undefined> {
  return tx.get<string>('device-node', device)
}

/** The other devices that claim any of these keys. */
async function claimants(tx: Transaction, device: string, keys: string[]): Promise<Device[]> {
  const claims = await Promise.all(keys.map(key => tx.get<HardwareClaim>(KIND.hardware, key)))
  const names = new Set(claims.flatMap(claim => claim?.devices ?? []))
  names.delete(device)
  const found = await Promise.all([...names].map(name => tx.get<Device>(KIND.device, name)))
  return found.filter(one => one !== undefined)
}

/**
 * The one endpoint of a device that is reached under `name`: that of the first device of another driver that claims the same hardware, so that all
 * protocols of one BMC share a lease (S6), and with it everything else under either name.
 */
async function oneEndpoint(tx: Transaction, name: string, others: Device[], newcomer: string, actor?: Actor): Promise<string> {
  const own = await leaseNameOf(tx, name)
  const winner = others[0]?.endpoint ?? own
  for (const one of new Set([own, ...others.map(({ endpoint }) => endpoint)])) {
    await joinHosts(tx, { name: one, winner, newcomer, actor }, device => putDevice(tx, device))
  }
  return winner
}

/** Claims hardware for a device. Returns the devices of other drivers that claim it too. Two devices of one driver, or of two nodes, are refused. */
async function claimHardware(tx: Transaction, device: Device, keys: string[]): Promise<Device[]> {
  const others = await claimants(tx, device.name, keys)
  const rival = others.find(({ driver }) => driver === device.driver)
  if (rival) {
    const message = `this hardware (${keys.join(', ')}) is registered as ${rival.name}`
    throw new SafestateError('hardware_taken', message, { device: rival.name })
  }
  const node = await nodeOf(tx, device.name)
  if (node !== undefined) for (const other of others) await checkNode(tx, device.name, other, node)
  const before = device.hardwareKeys ?? []
  await dropClaims(
    tx,
    device.name,
    before.filter(key => !keys.includes(key)),
  )
  for (const key of keys) {
    const devices = (await tx.get<HardwareClaim>(KIND.hardware, key))?.devices ?? []
    if (!devices.includes(device.name)) tx.put<HardwareClaim>(KIND.hardware, key, { devices: [...devices, device.name] })
  }
  return others
}

/** One hardware identity belongs to one node (S6): refused where a device of the same hardware is another node's. */
async function checkNode(tx: Transaction, name: string, other: Device, node: string): Promise<void> {
  const user = await nodeOf(tx, other.name)
  if (user === undefined || user === node) return
  const message = `${name} is the same machine as ${other.name}, which belongs to node ${user}`
  throw new SafestateError('hardware_taken', message, { device: other.name, node: user })
}

/** Takes one device's claims back; those of others stand. */
async function dropClaims(tx: Transaction, device: string, keys: string[]): Promise<void> {
  for (const key of keys) {
    const devices = (await tx.get<HardwareClaim>(KIND.hardware, key))?.devices.filter(name => name !== device) ?? []
    if (devices.length > 0) tx.put<HardwareClaim>(KIND.hardware, key, { devices })
    else tx.delete(KIND.hardware, key)
  }
}

/** Writes a device with its next revision and tells who listens. */
export function putDevice(tx: Transaction, device: Device): Device {
  const next = { ...device, revision: device.revision + 1 }
  tx.put(KIND.device, device.name, next)
  tx.emit({ topic: 'device', id: device.name })
  return next
}
