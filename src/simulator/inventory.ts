import type { Bmc, SimulatedSystem } from './redfish/bmc.ts'

/** What `safestate import` reads: the devices with their credentials, and the nodes with one level each. */
export interface SimulatedInventory {
  readonly devices: readonly SimulatedDevice[]
  readonly nodes: readonly { readonly name: string; readonly systemUuid?: string; readonly levels: readonly (readonly string[])[] }[]
}

/** One device of the inventory: the Redfish or the IPMI side of a BMC. IPMI has no TLS. */
export interface SimulatedDevice {
  readonly name: string
  readonly driver: 'redfish' | 'ipmi'
  readonly address: string
  readonly username: string
  readonly password: string
  readonly systemId?: string
  readonly tls?: 'pin' | 'insecure'
}

/** Twenty to a rack: `rack1-node01`, `rack1-node02` … */
const NODES_PER_RACK = 20

/** The name of the BMC with this number. */
export function bmcName(index: number): string {
  return `bmc-${nodeName(index)}`
}

function nodeName(index: number): string {
  return `rack${Math.floor(index / NODES_PER_RACK) + 1}-node${String((index % NODES_PER_RACK) + 1).padStart(2, '0')}`
}

/**
 * The inventory of these BMCs. A BMC with several systems has a Redfish device for each one that is a node, told apart by `systemId`; IPMI
 * knows only the first of them. A node with both has Redfish on its first level and IPMI on its second.
 * `systemUuid`, which binds a node to its hardware, is there only where every device of the node shows a UUID that can be matched.
 */
export function inventoryOf(bmcs: readonly Bmc[]): SimulatedInventory {
  const entries = bmcs.flatMap((bmc, index) => {
    const nodes = bmc.systems.filter(({ spec }) => spec.isNode)
    return nodes.map((system, position) => {
      const suffix = nodes.length > 1 ? `-${system.spec.id.toLowerCase()}` : ''
      const redfish = bmc.url === '' ? undefined : redfishDevice(bmc, system, suffix)
      const ipmi = position === 0 ? ipmiDevice(bmc, suffix) : undefined
      const devices = [redfish, ipmi].filter(device => device !== undefined)
      const { uuid } = system.spec
      const isMatchable = redfish === undefined || uuid === 'random' || uuid === 'upper' || uuid === 'service-tag'
      const node = {
        name: `${nodeName(index)}${suffix}`,
        ...(isMatchable ? { systemUuid: system.identity.systemUuid } : {}),
        levels: devices.map(({ name }) => [name]),
      }
      return { devices, nodes: devices.length > 0 ? [node] : [] }
    })
  })
  return { devices: entries.flatMap(({ devices }) => devices), nodes: entries.flatMap(({ nodes }) => nodes) }
}

function redfishDevice(bmc: Bmc, { spec }: SimulatedSystem, suffix: string): SimulatedDevice {
  return {
    name: `${bmc.name}${suffix}`,
    driver: 'redfish',
    address: bmc.url,
    username: bmc.username,
    password: bmc.password,
    ...(bmc.systems.length > 1 ? { systemId: spec.id } : {}),
    tls: bmc.url.startsWith('https:') ? 'pin' : 'insecure',
  }
}

function ipmiDevice({ name, ipmi, username, password }: Bmc, suffix: string): SimulatedDevice | undefined {
  return ipmi && { name: `${name}${suffix}-ipmi`, driver: 'ipmi', address: ipmi.url, username, password }
}
