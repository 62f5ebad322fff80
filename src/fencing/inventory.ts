import type { Clock } from '../core/clock.ts'
import type { Credential, Driver, LogIns, Probe } from '../core/driver.ts'
import { DriverError, SafestateError } from '../core/errors.ts'
import type { DeviceInput, NodeInput, Readiness } from '../core/gateway.ts'
import type { RestorePolicy } from '../core/power.ts'
import type { Rules } from '../core/rules.ts'
import { Secret } from '../core/secret.ts'
import type { Reads, Store } from '../core/store.ts'
import type { Binding, Device, Node, PolicyTrouble } from '../core/topology.ts'
import { nodeKey } from '../core/topology.ts'
import type { Vault } from '../core/vault.ts'
import { bindingOf, hardwareKeys } from './identity.ts'
import { devicesOf, mustNode } from './intake.ts'

/** What the inventory stands on. */
export interface InventoryParts {
  store: Store
  reads: Reads
  vault: Vault
  rules: Rules
  clock: Clock
  drivers: readonly Driver[]
  /** Told when a device's address or credential changed, so that kept sessions are dropped. */
  changed(device: string): void
  /** The breaker of each BMC's accounts, which jobs and hold reads use too. */
  logIns: LogIns
}

/** The associated data of a device's sealed credential. */
export function credentialSubject(device: string): string {
  return `device:${device}`
}

/** Seals a log-in for the store. */
export function sealCredential(vault: Vault, device: string, credential: Credential): string {
  const { username, password, kg } = credential
  const plain = { username, password: password.reveal(), ...(kg === undefined ? {} : { kg: kg.reveal() }) }
  return vault.seal(credentialSubject(device), new Secret(JSON.stringify(plain)))
}

/** Opens a sealed log-in: at the start of a session, and nowhere else. */
export function openCredential(vault: Vault, device: string, envelope: string): Credential {
  const opened: unknown = JSON.parse(vault.open(credentialSubject(device), envelope).reveal())
  const { username, password, kg } = opened as { username: string; password: string; kg?: string }
  return { username, password: new Secret(password), ...(kg === undefined ? {} : { kg: new Secret(kg) }) }
}

/** The driver of a device, or `unknown_driver`. */
export function driverOf(drivers: readonly Driver[], kind: string): Driver {
  const driver = drivers.find(one => one.kind === kind)
  if (!driver)
    throw new SafestateError('unknown_driver', `there is no driver ${kind}; there are: ${drivers.map(one => one.kind).join(', ')}`)
  return driver
}

/**
 * Registers a device. It is contacted first: what contradicts the input is refused (wrong credential, ambiguous system, hardware that has a name
 * already); one that can't be reached is kept as `unverified` and checked before its first command.
 */
export async function addDevice(parts: InventoryParts, input: DeviceInput): Promise<{ device: Device; warnings: string[] }> {
  const driver = driverOf(parts.drivers, input.driver)
  const { ipmi, kg } = input
  refuseForeign(driver, { ...input, kg })
  const credential: Credential = { username: input.username, password: input.password, ...(kg === undefined ? {} : { kg }) }
  driver.checkCredential?.(credential)
  if (await parts.reads.device(input.name)) {
    throw new SafestateError('exists', `a device ${input.name} is registered already`, { device: input.name })
  }
  const device: Device = {
    name: input.name,
    driver: driver.kind,
    address: input.address,
    endpoint: driver.endpoint(input.address),
    ...(input.systemId === undefined ? {} : { systemId: input.systemId }),
    tls: tlsOf(input),
    ...(ipmi === undefined ? {} : { ipmi }),
    status: 'unverified',
    createdAt: new Date(parts.clock.now()).toISOString(),
    revision: 0,
  }
  const { probe, warnings } = await firstContact(parts, driver, device, credential)
  const verified = probe ? verify(device, probe) : device
  const sealed = sealCredential(parts.vault, device.name, credential)
  const add = (one: Device) => parts.store.addDevice({ device: one, credential: sealed, hardwareKeys: one.hardwareKeys ?? [] })
  let stored: Device
  try {
    stored = await add(verified)
  } catch (error) {
    if (!(error instanceof SafestateError) || error.code !== 'in_use') throw error
    warnings.push(`registered as unverified, until its first job recognises it: ${error.message}`)
    stored = await add(device)
  }
  const shared = `the same machine is registered with another protocol: they take turns as ${stored.endpoint}`
  return { device: stored, warnings: stored.endpoint === device.endpoint ? warnings : [...warnings, shared] }
}

/** A device with what its first contact told: identity, pinned certificate, the better of the cipher suites that it spoke, claims on its hardware. */
export function verify(
  device: Device,
  probe: Pick<Probe, 'hardware' | 'product' | 'fingerprint' | 'cipherSuite'> & { restorePolicy?: RestorePolicy | null },
): Device {
  const fingerprint = device.tls.mode === 'pin' && device.tls.fingerprint === undefined ? probe.fingerprint : undefined
  const suite = device.cipherSuite === 17 ? 17 : probe.cipherSuite
  return {
    ...device,
    status: 'verified',
    hardware: probe.hardware,
    hardwareKeys: hardwareKeys(probe.hardware),
    product: probe.product,
    ...(probe.restorePolicy === null ? { restorePolicyTrouble: 'none' as const } : {}),
    ...(suite === undefined ? {} : { cipherSuite: suite }),
    ...(fingerprint === undefined ? {} : { tls: { mode: 'pin' as const, fingerprint } }),
  }
}

/** Settings of one protocol say nothing to another: refused by field, rather than taken and ignored. */
function refuseForeign(driver: Driver, given: { tls?: unknown; systemId?: unknown; ipmi?: unknown; kg?: unknown }): void {
  const foreign = driver.kind === 'ipmi' ? (['tls', 'systemId'] as const) : (['ipmi', 'kg'] as const)
  const errors = foreign
    .filter(field => given[field] !== undefined)
    .map(field => ({ field, message: `does not go with driver ${driver.kind}` }))
  if (errors.length > 0) throw new SafestateError('bad_request', `these settings are of another driver than ${driver.kind}`, { errors })
}

function tlsOf(input: DeviceInput): Device['tls'] {
  const tls = input.tls ?? { mode: 'pin' as const }
  if (input.address.startsWith('http:') && tls.mode !== 'insecure') {
    throw new SafestateError('bad_address', 'http sends credentials in the clear: it needs tls insecure, said out loud', {
      device: input.name,
      errors: [{ field: 'tls', message: 'must be insecure for an http address' }],
    })
  }
  return tls
}

async function firstContact(
  parts: InventoryParts,
  driver: Driver,
  device: Device,
  credential: Credential,
): Promise<{ probe?: Probe; warnings: string[] }> {
  try {
    const probe = await look(parts, driver, device, async () => credential, AbortSignal.timeout(30_000))
    return {
      probe,
      warnings: [...probe.warnings, ...probe.refusals.map(({ command, reason }) => `${command} would be refused: ${reason}`)],
    }
  } catch (error) {
    if (!(error instanceof DriverError) || (error.code !== 'unreachable' && error.code !== 'device_busy')) throw error
    return { warnings: [`not reached, registered as unverified: ${error.message}`] }
  }
}

/** One probe with this source of the credential. No more often than jobs does it try a log-in that fails: accounts get locked. */
async function look(
  parts: InventoryParts,
  driver: Driver,
  device: Device,
  credential: () => Promise<Credential>,
  signal: AbortSignal,
): Promise<Probe> {
  // Its log-ins count where those of the machine do; what is only looked at leaves the others of it a log-in.
  const { endpoint, devices } = await parts.reads.whatIsAt(device.endpoint)
  const gate = parts.logIns.gate(
    { ...device, endpoint },
    credential,
    devices.some(name => name !== device.name),
  )
  return gate.run(() => driver.probe(device, { clock: parts.clock, limits: parts.rules.exchange, ...gate.context }, signal))
}

/** The stored log-in of a device, opened when the driver asks for it. */
export function storedCredential(parts: Pick<InventoryParts, 'reads' | 'vault'>, device: string): () => Promise<Credential> {
  return async () => {
    const envelope = await parts.reads.credential(device)
    if (envelope === undefined) throw new SafestateError('unknown_device', `device ${device} has no credential`, { device })
    return openCredential(parts.vault, device, envelope)
  }
}

/**
 * Changes where and how a device is reached; it has to be contacted anew. `expected` is the revision of If-Match. Setting the cipher suite is the one
 * way to let a device that spoke 17 go below it: what it spoke before is forgotten then.
 */
export async function changeDevice(
  parts: InventoryParts,
  name: string,
  expected: number,
  change: Partial<Pick<DeviceInput, 'address' | 'systemId' | 'tls' | 'ipmi'>>,
): Promise<Device> {
  const before = await mustDevice(parts.reads, name)
  const driver = driverOf(parts.drivers, before.driver)
  refuseForeign(driver, change)
  const endpoint = change.address === undefined ? undefined : driver.endpoint(change.address)
  const apply = (device: Device): Device => {
    const { cipherSuite, ...rest } = device
    const kept = change.ipmi?.cipherSuite === undefined && cipherSuite !== undefined ? { cipherSuite } : {}
    return { ...rest, ...kept, ...change, ...(endpoint === undefined ? {} : { endpoint }) }
  }
  const changed = await parts.store.updateDevice({ name, expected, change: apply })
  parts.changed(name)
  return changed
}

/** Replaces a device's log-in: all of it, so that a BMC key that is not given is none. */
export async function setCredential(parts: InventoryParts, name: string, credential: Credential): Promise<Device> {
  const driver = driverOf(parts.drivers, (await mustDevice(parts.reads, name)).driver)
  refuseForeign(driver, { kg: credential.kg })
  driver.checkCredential?.(credential)
  const device = await parts.store.updateDevice({ name, change: same => same, credential: sealCredential(parts.vault, name, credential) })
  parts.changed(name)
  parts.logIns.corrected(name)
  return device
}

/** Looks at a device now. */
export async function probeDevice(parts: InventoryParts, name: string, signal: AbortSignal): Promise<Probe> {
  const device = await mustDevice(parts.reads, name)
  return look(parts, driverOf(parts.drivers, device.driver), device, storedCredential(parts, name), signal)
}

async function mustDevice(reads: Reads, name: string): Promise<Device> {
  const device = await reads.device(name)
  if (!device) throw new SafestateError('unknown_device', `no device ${name} is registered`, { device: name })
  return device
}

/** Registers a node: every device must be there, belong to no other node, and not contradict the node's systemUuid (S9). */
export async function addNode(parts: InventoryParts, input: NodeInput): Promise<Node> {
  const node: Node = {
    cluster: input.cluster ?? 'default',
    name: input.name,
    ...(input.systemUuid === undefined ? {} : { systemUuid: input.systemUuid }),
    levels: input.levels,
    createdAt: new Date(parts.clock.now()).toISOString(),
    revision: 0,
  }
  const names = node.levels.flat()
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice)
    throw new SafestateError('bad_request', 'a device can stand in one place only', {
      errors: [{ field: 'levels', message: `${twice} is named twice` }],
    })
  for (const device of (await devicesOf(parts.reads, node)).values()) {
    if (!device.hardware || bindingOf(node.systemUuid, device.hardware) !== 'contradicted') continue
    throw new SafestateError(
      'identity_mismatch',
      `${device.name} is system ${device.hardware.uuid ?? '(no UUID)'}, and ${nodeKey(node)} says that it is ${node.systemUuid}`,
      { node: nodeKey(node), device: device.name },
    )
  }
  return parts.store.addNode({ node })
}

/** S7: a hold is meant to outlast a power cut. */
function policyWarning(device: string, trouble: PolicyTrouble): Readiness['warnings'][number] {
  const why = {
    none: 'it has no setting for that',
    refused: 'it refused the setting',
    failed: 'it did not take the setting when last asked',
  }
  return { code: 'restore_policy', message: `${device} can't be kept off when mains power returns: ${why[trouble]}`, device }
}

/** Would fencing this node work now, as far as is known without asking? */
export async function readiness(parts: Pick<InventoryParts, 'reads'>, key: string): Promise<Readiness> {
  const node = await mustNode(parts.reads, key)
  const devices = await devicesOf(parts.reads, node)
  const problems: Readiness['problems'] = []
  const warnings: Readiness['warnings'] = []
  const bindings: (Binding | 'unknown')[] = []
  for (const name of node.levels.flat()) {
    const device = devices.get(name)
    if (!device) problems.push({ code: 'unknown_device', message: `${name} is not registered`, device: name })
    else if (!device.hardware) {
      problems.push({ code: 'unverified', message: `${name} was never reached: its identity is not known`, device: name })
      bindings.push('unknown')
    } else {
      const binding = bindingOf(node.systemUuid, device.hardware)
      if (binding === 'contradicted')
        problems.push({ code: 'identity_mismatch', message: `${name} is another machine than the node says`, device: name })
      else bindings.push(binding)
      if (binding === 'declared')
        warnings.push({
          code: 'declared_binding',
          message: `that ${name} is this node was typed, not proven: give its systemUuid`,
          device: name,
        })
    }
    if (device?.tls.mode === 'insecure')
      warnings.push({ code: 'insecure_tls', message: `the certificate of ${name} is not checked`, device: name })
    if (device?.restorePolicyTrouble !== undefined) warnings.push(policyWarning(name, device.restorePolicyTrouble))
  }
  return {
    ready: problems.length === 0,
    binding: bindings.includes('unknown') ? 'unknown' : bindings.every(binding => binding === 'proven') ? 'proven' : 'declared',
    problems,
    warnings,
    devices: node.levels.flat().map(name => ({ device: name, status: devices.get(name)?.status ?? 'unverified' })),
  }
}
