import type { SimulatorClock } from '../clock.ts'
import { FaultBoard } from '../faults/board.ts'
import type { IpmiOptions } from '../ipmi/options.ts'
import { IpmiSide } from '../ipmi/side.ts'
import { drawIdentities, type Personality, type ResetType, type SystemIdentity, type SystemSpec } from '../personality.ts'
import { type PowerDelays, type PowerEvent, PowerModel, type PowerState } from '../power.ts'
import type { Executed } from '../press.ts'
import { createRandom, type Random } from '../random.ts'
import { type CertificatePair, createCertificate } from './certificate.ts'
import { SessionTable } from './sessions.ts'
import { TaskTable } from './tasks.ts'

/** What a BMC has seen so far. */
export interface BmcCounters {
  /** TCP connections taken in. */
  connections: number
  /** TLS handshakes that came to their end. */
  tlsHandshakes: number
  requests: number
  byMethod: Record<string, number>
  /** Requests that carried Basic credentials. */
  basicRequests: number
  logins: number
  loginFailures: number
  logouts: number
  /** Requests refused for want of a valid session or password. */
  unauthorized: number
  /** Reset commands received, done or not. */
  resets: number
  /** The most requests that were worked on at once. Reads without latency and faults take no time and do not show. */
  peakInFlight: number
}

/** One reset command as it came in, for tests to judge by. `status` is 0 when nothing was answered. */
export interface ReceivedCommand {
  readonly at: number
  readonly systemId: string
  readonly type: string
  /** The session's id, or `basic`. */
  readonly session: string
  /** What became of it: pressed now, to be pressed later, or never. */
  executed: Executed
  status: number
}

/** One ComputerSystem of a simulated BMC. */
export interface SimulatedSystem {
  readonly spec: SystemSpec
  readonly power: PowerModel
  identity: SystemIdentity
  restorePolicy: string | null
  /** Rises with each change that is not of the power; part of the key of the rendered resource. */
  version: number
}

/** What a BMC is made of. Times are milliseconds. */
export interface BmcOptions extends Partial<PowerDelays> {
  readonly name: string
  readonly personality: Personality
  readonly clock: SimulatorClock
  readonly username: string
  readonly password: string
  readonly seed: number
  /** Number of the BMC in its simulator: with the seed it settles all identities. */
  readonly index: number
  readonly latencyMs?: number
  /** Members to a page of a collection; larger collections are paged by `@odata.nextLink`. */
  readonly pageSize?: number
  readonly sessionLimit?: number
  readonly sessionTimeoutMs?: number
  /** Present where it speaks IPMI. */
  readonly ipmi?: IpmiOptions
}

/** A rendered resource, kept until what it says changes. */
export interface RenderedResource {
  readonly key: string
  readonly body: Buffer
  /** Allow, Link and, where the personality has one, ETag. */
  readonly headers: Readonly<Record<string, string>>
}

/** The bound of the command log, for runs of hours. */
const COMMAND_LIMIT = 10_000

/**
 * One simulated BMC: its machines, its sessions, its faults and what it saw. It knows nothing of sockets. What is here is the machine and
 * the Redfish side; `ipmi` is the other side of the same BMC, over the same machine.
 */
export class Bmc {
  readonly name: string
  readonly personality: Personality
  readonly clock: SimulatorClock
  readonly username: string
  readonly password: string
  readonly basicCredentials: string
  readonly pageSize: number
  readonly serviceUuid: string
  readonly systems: readonly SimulatedSystem[]
  readonly sessions: SessionTable
  readonly tasks: TaskTable
  readonly faults: FaultBoard
  readonly counters: BmcCounters
  readonly commands: ReceivedCommand[] = []
  /** Undefined where it speaks no IPMI. */
  readonly ipmi: IpmiSide | undefined
  readonly random: Random
  /** Rendered resources by URL; see `resources.ts`. */
  readonly rendered = new Map<string, RenderedResource>()
  /** What can be cut: the open connections. */
  readonly connections = new Set<{ destroy(): void }>()
  /** Requests that are being worked on now. */
  inFlight = 0
  /** Where Redfish listens, as `https://HOST:PORT`; empty until it does, and where there is none. */
  url = ''
  /** Milliseconds that every answer takes. */
  latencyMs: number
  #certificate: CertificatePair | undefined
  readonly #certificateListeners = new Set<() => void>()

  constructor(options: BmcOptions) {
    const { personality, clock } = options
    this.name = options.name
    this.personality = personality
    this.clock = clock
    this.username = options.username
    this.password = options.password
    this.basicCredentials = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`
    this.latencyMs = options.latencyMs ?? 0
    this.pageSize = options.pageSize ?? Number.POSITIVE_INFINITY
    this.random = createRandom(options.seed, options.index)
    this.serviceUuid = this.random.uuid()
    const identities = drawIdentities(personality, this.random)
    this.systems = personality.systems.map((spec, index) => ({
      spec,
      identity: identities[index] ?? { systemUuid: this.random.uuid(), uuid: undefined, serial: null },
      power: new PowerModel({ ...pickDelays(options), clock, newBootId: () => this.random.uuid() }),
      restorePolicy: spec.isNode ? personality.powerRestorePolicy : null,
      version: 0,
    }))
    this.sessions = new SessionTable({
      clock,
      limit: options.sessionLimit ?? personality.sessions.limit,
      timeoutMs: options.sessionTimeoutMs ?? personality.sessions.timeoutSeconds * 1000,
    })
    this.tasks = new TaskTable(clock)
    this.faults = new FaultBoard(this)
    this.counters = freshCounters()
    const { username: name, password, ipmi } = options
    this.ipmi = ipmi && new IpmiSide(this, { name, password, privilege: 'administrator' }, ipmi, options.seed, options.index)
  }

  /** The machine that clients fence when the BMC has only one, and the first one otherwise. */
  get power(): PowerModel {
    return this.systemOrThrow(undefined).power
  }

  /** What the first machine truly is. */
  get trueState(): PowerState {
    return this.power.state
  }

  /** What truly happened to the first machine, in order. */
  get history(): readonly PowerEvent[] {
    return this.power.history
  }

  /** Its certificate and key, made when first asked for. */
  get certificate(): CertificatePair {
    this.#certificate ??= createCertificate({ commonName: this.name })
    return this.#certificate
  }

  /** Puts another certificate in place, as a restart of its web server does: open connections are cut, new ones see it. */
  set certificate(pair: CertificatePair) {
    this.#certificate = pair
    this.dropConnections()
    for (const listener of this.#certificateListeners) listener()
  }

  /** Calls `listener` whenever the certificate was changed. */
  onCertificateChange(listener: () => void): void {
    this.#certificateListeners.add(listener)
  }

  /** Cuts every open connection. */
  dropConnections(): void {
    for (const connection of this.connections) connection.destroy()
  }

  /** Finds a machine by its Redfish id. */
  system(id: string): SimulatedSystem | undefined {
    return this.systems.find(system => system.spec.id === id)
  }

  /** The machine of that id, or the first real node when no id is given. Throws when there is none. */
  systemOrThrow(id: string | undefined): SimulatedSystem {
    const system = id === undefined ? this.systems.find(({ spec }) => spec.isNode) : this.system(id)
    if (system === undefined) throw new Error(`${this.name} has no system ${id ?? 'that is a node'}`)
    return system
  }

  /** Gives a machine another identity, as a swapped blade or a moved address does. */
  changeIdentity(system: SimulatedSystem, identity: SystemIdentity): void {
    system.identity = identity
    system.version++
  }

  /** Writes a command into the log. */
  record(command: { systemId: string; type: ResetType | string; session: string }): ReceivedCommand {
    const received: ReceivedCommand = { at: this.clock.now(), ...command, executed: 'never', status: 0 }
    this.counters.resets++
    this.commands.push(received)
    if (this.commands.length > COMMAND_LIMIT) this.commands.shift()
    return received
  }

  /** Sets all counters to zero and forgets the commands (the power history stays: it is the truth). */
  resetCounters(): void {
    Object.assign(this.counters, freshCounters())
    this.commands.length = 0
    this.ipmi?.resetCounters()
  }

  /** Stops everything that would still happen by itself. */
  close(): void {
    this.faults.clear()
    for (const { power } of this.systems) power.close()
  }
}

function freshCounters(): BmcCounters {
  return {
    connections: 0,
    tlsHandshakes: 0,
    requests: 0,
    byMethod: {},
    basicRequests: 0,
    logins: 0,
    loginFailures: 0,
    logouts: 0,
    unauthorized: 0,
    resets: 0,
    peakInFlight: 0,
  }
}

function pickDelays(options: Partial<PowerDelays>): Partial<PowerDelays> {
  const { offDelayMs, onDelayMs, softOffDelayMs, cycleOffMs } = options
  return {
    ...(offDelayMs === undefined ? {} : { offDelayMs }),
    ...(onDelayMs === undefined ? {} : { onDelayMs }),
    ...(softOffDelayMs === undefined ? {} : { softOffDelayMs }),
    ...(cycleOffMs === undefined ? {} : { cycleOffMs }),
  }
}
