import type { Command } from 'commander'
import { ask, type SafestateClient } from '../../client/client.ts'
import { GatewayAwayError, ProblemError } from '../../client/problem.ts'
import type { Device, Node } from '../../client/types.ts'
import { type Cli, note, say } from '../cli.ts'
import { SeveralErrors, UsageError } from '../exit.ts'
import type { Inventory, InventoryDevice } from '../inventory.ts'
import { clean, isLive, styleOf } from '../output/text.ts'
import { allPages } from './lists.ts'
import { examples, type Shell } from './shell.ts'

/** Registering contacts the device: several at once, so that one that does not answer holds up little. */
const AT_ONCE = 8

/** `import FILE`: many devices and nodes, in one go, as often as wanted. */
export function addImport(program: Command, shell: Shell): void {
  const command = program
    .command('import')
    .summary('register what is in an inventory file')
    .description('register the devices and nodes of an inventory file; what is there already is kept, so it can be run again')
    .argument('<file>', 'YAML or JSON: {devices: [...], nodes: [...]}; passwordFile and kgFile are relative to it')
    .action(async (file: string) => {
      const client = shell.connect(command)
      const { readInventory } = await import('../inventory.ts')
      await importInventory(shell.cli, client, readInventory(file), file)
    })
  examples(command, 'safestate import inventory.yaml').addHelpText(
    'after',
    `
An inventory:
  devices:
    - { name: bmc1, driver: redfish, address: 'https://10.0.0.11', username: fence, passwordFile: bmc1.password, tls: pin }
    - { name: bmc2, driver: redfish, address: 'https://10.0.0.12', username: fence, passwordFile: bmc2.password, tls: 'ca:ca.pem' }
    - { name: ipmi1, driver: ipmi, address: 'ipmi://10.0.0.11', username: fence, passwordFile: bmc1.password, ipmi: { cipherSuite: auto } }
  nodes:
    - { name: node1, cluster: rack7, systemUuid: 4c4c4544-0044-4810-8031-c2c04f333233, levels: [[bmc1], [ipmi1]] }`,
  )
}

async function importInventory(cli: Cli, client: SafestateClient, inventory: Inventory, file: string): Promise<void> {
  const show = (problems: string[]): void => {
    for (const problem of problems) note(cli, `  ${clean(problem)}`)
  }
  const known = Promise.all([knownDevices(client), knownNodes(client), knownDrivers(client)])
  const [devices, nodes, drivers] = await known.catch((error: unknown) => {
    show(inventory.problems)
    throw error
  })
  const problems = [...inventory.problems, ...againstGateway(inventory, devices, nodes, drivers)]
  if (problems.length > 0) {
    show(problems)
    throw new UsageError(`${file}: ${problems.length} problem${problems.length === 1 ? '' : 's'}; nothing was registered`)
  }
  const errors: Error[] = []
  const keptDevices = inventory.devices.filter(each => devices.has(each.name))
  const newDevices = inventory.devices.filter(each => !devices.has(each.name))
  const unverified: string[] = []
  await eachOf(cli, 'devices', newDevices, keptDevices.length, errors, async device => {
    const added = await ask(client, (api, signal) => api.POST('/v1/devices', { body: device, signal }))
    if (added.status === 'unverified') unverified.push(added.name)
  })
  const failed = new Set(errors.map(error => (error instanceof ItemError ? error.item : '')))
  const keptNodes = inventory.nodes.filter(each => nodes.has(keyOf(each)))
  const newNodes = inventory.nodes.filter(each => !nodes.has(keyOf(each)))
  const possible = newNodes.filter(node => !node.levels.flat().some(device => failed.has(device)))
  for (const node of newNodes.filter(each => !possible.includes(each)))
    note(cli, `left out: node ${clean(keyOf(node))}, because of its device`)
  await eachOf(cli, 'nodes', possible, keptNodes.length, errors, async node => {
    await ask(client, (api, signal) => api.POST('/v1/nodes', { body: node, signal }))
  })
  if (unverified.length > 0) {
    note(cli, `warning: not reached yet, and checked before their first command: ${clean(unverified.sort().join(', '), 2_000)}`)
  }
  if (errors.length > 0) throw new SeveralErrors(`${file}: ${errors.length} not registered; put that right and import it again`, errors)
}

function keyOf(node: { cluster: string; name: string }): string {
  return `${node.cluster}/${node.name}`
}

async function knownDevices(client: SafestateClient): Promise<Map<string, Device>> {
  const items = await allPages(after =>
    ask(client, (api, signal) =>
      api.GET('/v1/devices', { params: { query: { limit: 100, ...(after === undefined ? {} : { after }) } }, signal }),
    ),
  )
  return new Map(items.map(device => [device.name, device]))
}

async function knownNodes(client: SafestateClient): Promise<Map<string, Node>> {
  const items = await allPages(after =>
    ask(client, (api, signal) =>
      api.GET('/v1/nodes', { params: { query: { limit: 100, ...(after === undefined ? {} : { after }) } }, signal }),
    ),
  )
  return new Map(items.map(node => [keyOf(node), node]))
}

async function knownDrivers(client: SafestateClient): Promise<string[]> {
  const { items } = await ask(client, (api, signal) => api.GET('/v1/drivers', { signal }))
  return items.map(driver => driver.kind)
}

/** What does not fit what the gateway has: other settings under the same name, unknown drivers, devices that are nowhere. */
function againstGateway(inventory: Inventory, devices: Map<string, Device>, nodes: Map<string, Node>, drivers: string[]): string[] {
  const problems: string[] = []
  inventory.devices.forEach((device, index) => {
    if (device.driver !== '' && !drivers.includes(device.driver)) {
      problems.push(`devices[${index}].driver: ${device.driver} is not known; this gateway has: ${drivers.join(', ')}`)
    }
    const there = devices.get(device.name)
    const other = there === undefined ? [] : differences(device, there)
    if (other.length > 0) problems.push(`devices[${index}]: ${device.name} is registered with another ${other.join(', ')}; remove it first`)
  })
  inventory.nodes.forEach((node, index) => {
    node.levels.forEach((level, step) => {
      level.forEach((name, place) => {
        if (name === '' || devices.has(name) || inventory.devices.some(device => device.name === name)) return
        problems.push(`nodes[${index}].levels[${step}][${place}]: there is no device ${name}, here or at the gateway`)
      })
    })
    const there = nodes.get(keyOf(node))
    if (there === undefined) return
    const uuid = node.systemUuid?.toLowerCase() !== there.systemUuid?.toLowerCase()
    if (uuid || JSON.stringify(node.levels) !== JSON.stringify(there.levels)) {
      problems.push(`nodes[${index}]: ${keyOf(node)} is registered with another ${uuid ? 'systemUuid' : 'topology'}; remove it first`)
    }
  })
  return problems
}

function differences(wanted: InventoryDevice, there: Device): string[] {
  const other: string[] = []
  if (wanted.driver !== there.driver) other.push('driver')
  if (wanted.address.replace(/\/+$/, '') !== there.address.replace(/\/+$/, '')) other.push('address')
  if (wanted.systemId !== undefined && wanted.systemId !== there.systemId) other.push('systemId')
  if (there.tls !== undefined && (wanted.tls?.mode ?? 'pin') !== there.tls.mode) other.push('tls')
  // Only what the file says: the rest may have been set since.
  const { cipherSuite, privilege, quirks } = { ...there.ipmi, ...wanted.ipmi }
  const is = there.ipmi ?? {}
  if (cipherSuite !== is.cipherSuite || privilege !== is.privilege || JSON.stringify(quirks) !== JSON.stringify(is.quirks))
    other.push('ipmi')
  return other
}

/** One item that could not be registered: its name in front of the reason. */
class ItemError extends ProblemError {
  readonly item: string

  constructor(what: string, item: string, cause: ProblemError) {
    super(cause.status, { ...cause.problem, title: `${what} ${item}: ${cause.title}` })
    this.item = item
  }
}

/** Registers items, several at once, with progress. A refused item spoils no other; a gateway that is away ends it all. */
async function eachOf<T extends { name: string; cluster?: string }>(
  cli: Cli,
  what: 'devices' | 'nodes',
  items: T[],
  kept: number,
  errors: Error[],
  register: (item: T) => Promise<void>,
): Promise<void> {
  const live = isLive(cli, cli.stdout)
  const style = styleOf(cli, cli.stdout)
  let done = 0
  let added = 0
  let stopped: GatewayAwayError | undefined
  const queue = items.values()
  const show = (): void => {
    if (live) cli.stdout.write(`\r\x1b[K${done}/${items.length} ${what}`)
  }
  const work = async (): Promise<void> => {
    for (const item of queue) {
      if (stopped) return
      try {
        await register(item)
        added++
      } catch (error) {
        if (error instanceof GatewayAwayError) stopped = error
        else if (error instanceof ProblemError) errors.push(new ItemError(what === 'devices' ? 'device' : 'node', item.name, error))
        else throw error
      }
      done++
      show()
      if (!live && done % 10 === 0 && done < items.length) say(cli, `${done}/${items.length} ${what}`)
    }
  }
  show()
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (live) cli.stdout.write('\r\x1b[K')
  if (items.length + kept > 0) {
    const parts = [
      `${added} registered`,
      ...(kept > 0 ? [`${kept} there already, kept`] : []),
      ...(added < items.length ? [style.bad(`${items.length - added} not`)] : []),
    ]
    say(cli, `${what}: ${parts.join(', ')}`)
  }
  if (stopped) throw stopped
}
