import { isIPv4 } from 'node:net'
import { type SimulatorClock, systemClock } from './clock.ts'
import { type Control, startControl } from './control.ts'
import { bmcName, inventoryOf, type SimulatedInventory } from './inventory.ts'
import { listenIpmi } from './ipmi/listener.ts'
import type { IpmiOptions } from './ipmi/options.ts'
import { findPersonalities } from './personalities/index.ts'
import type { PowerDelays } from './power.ts'
import { Bmc } from './redfish/bmc.ts'
import { RedfishFront } from './redfish/server.ts'

/** What to simulate. Times are milliseconds. */
export interface SimulatorOptions extends Partial<PowerDelays> {
  /** How many BMCs speak Redfish, from the first on. Default 0. */
  readonly redfish?: number
  /** How many BMCs speak IPMI, from the first on: those that speak both answer for the same machine. Default 0. */
  readonly ipmi?: number
  /** How their IPMI side behaves. */
  readonly ipmiOptions?: IpmiOptions
  /** A personality for all, or `mixed` for all personalities in turn. Default `generic`. */
  readonly personality?: string
  /** `HOST:PORT` of the first BMC, TCP for Redfish and UDP for IPMI; port 0 takes free ones. Default `127.0.0.1:0`. */
  readonly listen?: string
  /** `HOST:PORT` of the first BMC's IPMI side. Default: as `listen`. */
  readonly listenIpmi?: string
  /** Whether each further BMC has the next port, or the next address (127.0.0.0/8, on Linux) with the same port. Default `port`. */
  readonly spread?: 'port' | 'address'
  /** `HOST:PORT` of the control port. Default: a free port of 127.0.0.1. */
  readonly control?: string
  /** The host name that inventory and URLs show in place of the address; for a simulator in a container. */
  readonly advertise?: string
  readonly tls?: boolean
  readonly username?: string
  readonly password?: string
  readonly latencyMs?: number
  /** Members to a page of a collection. */
  readonly pageSize?: number
  readonly sessionLimit?: number
  readonly sessionTimeoutMs?: number
  /** The same seed gives the same identities. Default 1. */
  readonly seed?: number
  readonly clock?: SimulatorClock
}

/** A running simulator. */
export interface Simulator {
  readonly bmcs: readonly Bmc[]
  readonly control: { readonly url: string }
  /** The BMC of that number or name; throws when there is none. */
  bmc(which: number | string): Bmc
  /** What `import` reads, passwords included. */
  inventory(): SimulatedInventory
  close(): Promise<void>
}

/** Starts as many BMCs as asked for in this process. Rejects with a message when an option is wrong or an address is taken. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { redfish = 0, ipmi = 0, ...common } = options
  for (const [name, number] of Object.entries({ redfish, ipmi })) {
    if (!Number.isInteger(number) || number < 0) throw new Error(`${name}: "${number}" is no number of BMCs`)
  }
  if (redfish + ipmi < 1) throw new Error('redfish, ipmi: the number of BMCs is to be at least 1')
  const personalities = findPersonalities(options.personality ?? 'generic')
  const clock = options.clock ?? systemClock
  const bmcs = Array.from({ length: Math.max(redfish, ipmi) }, (_, index) => {
    const personality = personalities[index % personalities.length]
    if (personality === undefined) throw new Error('no personality')
    return new Bmc({
      ...common,
      ...(index < ipmi ? { ipmi: options.ipmiOptions ?? {} } : {}),
      name: bmcName(index),
      personality,
      clock,
      username: options.username ?? 'admin',
      password: options.password ?? 'simulated',
      seed: options.seed ?? 1,
      index,
    })
  })
  const front = new RedfishFront()
  const listeners: { close(): Promise<void> }[] = []
  let control: Control | undefined
  const close = async (): Promise<void> => {
    for (const bmc of bmcs) bmc.close()
    await Promise.all([...listeners.map(listener => listener.close()), control?.close()])
    front.close()
  }
  try {
    const first = parseListen(options.listen ?? '127.0.0.1:0')
    const firstIpmi = parseListen(options.listenIpmi ?? options.listen ?? '127.0.0.1:0')
    const spread = options.spread ?? 'port'
    const starts = bmcs.slice(0, redfish).map(async (bmc, index) => {
      const place = placeOf(first, index, spread)
      const listener = await front.listen(bmc, { ...place, tls: options.tls === true })
      listeners.push(listener)
      bmc.url = `${options.tls === true ? 'https' : 'http'}://${options.advertise ?? bracket(place.host)}:${listener.port}`
    })
    const startsIpmi = bmcs.map(async ({ ipmi: side }, index) => {
      if (side === undefined) return
      const place = placeOf(firstIpmi, index, spread)
      const listener = await listenIpmi(side, place)
      listeners.push(listener)
      side.url = `ipmi://${options.advertise ?? bracket(place.host)}:${listener.port}`
    })
    const failed = (await Promise.allSettled([...starts, ...startsIpmi])).find(start => start.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    control = await startControl(bmcs, parseListen(options.control ?? '127.0.0.1:0'))
  } catch (error) {
    await close()
    throw error
  }
  return {
    bmcs,
    control: { url: control.url },
    bmc: which => {
      const found = typeof which === 'number' ? bmcs[which] : bmcs.find(({ name }) => name === which)
      if (found === undefined) throw new Error(`there is no BMC ${which}`)
      return found
    },
    inventory: () => inventoryOf(bmcs),
    close,
  }
}

/** Takes `HOST:PORT` (IPv6 in brackets) apart; throws when it is malformed. */
function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/.exec(text)
  const host = match?.groups?.v6 ?? match?.groups?.host
  const port = Number(match?.groups?.port)
  if (host === undefined || port > 65_535) throw new Error(`listen: "${text}" is not HOST:PORT`)
  return { host, port }
}

/** Where the BMC of this number listens. */
function placeOf(first: { host: string; port: number }, index: number, spread: 'port' | 'address'): { host: string; port: number } {
  if (spread === 'port') {
    const port = first.port === 0 ? 0 : first.port + index
    if (port > 65_535) throw new Error(`listen: no port left for BMC ${index + 1}; begin lower or spread over addresses`)
    return { host: first.host, port }
  }
  if (!isIPv4(first.host)) throw new Error(`listen: spreading over addresses begins at an IPv4 address, not "${first.host}"`)
  const number = first.host.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + index
  return { host: [24, 16, 8, 0].map(shift => (number >>> shift) & 255).join('.'), port: first.port }
}

function bracket(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
