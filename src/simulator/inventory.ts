import type { Bmc } from './redfish/bmc.ts'

/** What `safestate import` reads: the devices with their credentials, and the nodes with one level each. */
export interface SimulatedInventory {
  readonly devices: readonly {
    readonly name: string
    readonly driver: 'redfish'
    readonly address: string
    readonly username: string
    readonly password: string
    readonly systemId?: string
    readonly tls: 'pin' | 'insecure'
  }[]
  readonly nodes: readonly { readonly name: string; readonly systemUuid?: string; readonly levels: readonly (readonly string[])[] }[]
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
 * The inventory of these BMCs. A BMC with several systems has a device for each one that is a node, told apart by `systemId`.
 * `systemUuid`, which binds a node to its hardware, is there only where the BMC shows a UUID that can be matched.
 */
export function inventoryOf(bmcs: readonly Bmc[]): SimulatedInventory {
  const entries = bmcs.flatMap((bmc, index) => {
    const nodes = bmc.systems.filter(({ spec }) => spec.isNode)
    return nodes.map(({ spec, identity }) => {
      const suffix = nodes.length > 1 ? `-${spec.id.toLowerCase()}` : ''
      const device = `${bmc.name}${suffix}`
      const isMatchable = spec.uuid === 'random' || spec.uuid === 'upper' || spec.uuid === 'service-tag'
      return {
        device: {
          name: device,
          driver: 'redfish' as const,
          address: bmc.url,
          username: bmc.username,
          password: bmc.password,
          ...(bmc.systems.length > 1 ? { systemId: spec.id } : {}),
          tls: bmc.url.startsWith('https:') ? ('pin' as const) : ('insecure' as const),
        },
        node: {
          name: `${nodeName(index)}${suffix}`,
          ...(isMatchable ? { systemUuid: identity.systemUuid } : {}),
          levels: [[device]],
        },
      }
    })
  })
  return { devices: entries.map(({ device }) => device), nodes: entries.map(({ node }) => node) }
}
