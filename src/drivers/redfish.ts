import type { Driver, DriverContext, DriverSession, Probe, SessionTicket } from '../core/driver.ts'
import type { CommandReply, Hardware, Observation, Witness } from '../core/evidence.ts'
import type { Command, Power, RestorePolicy } from '../core/power.ts'
import { Secret } from '../core/secret.ts'
import type { Device } from '../core/topology.ts'
import { endpointOf, lastSegment, parseAddress } from '../wire/redfish/address.ts'
import { chooseSystem, type OtherSystem } from '../wire/redfish/choice.ts'
import { RedfishClient } from '../wire/redfish/client.ts'
import { RedfishError } from '../wire/redfish/failure.ts'
import { isObject, textOf } from '../wire/redfish/json.ts'
import { setPolicy } from '../wire/redfish/policy.ts'
import { type Traits, traitsOf, vendorOf } from '../wire/redfish/quirks.ts'
import { type ResetCapability, resetOf } from '../wire/redfish/reset.ts'
import type { Auth } from '../wire/redfish/session.ts'
import { chassisOf, type SystemReading, systemOf } from '../wire/redfish/system.ts'
import { addressError, choiceError, driverError, resetError } from './redfish-failure.ts'

/** The system that a session is about, and how to switch it. */
interface Located {
  path: string
  reset: ResetCapability
  traits: Traits
  others: OtherSystem[]
}

/** Any BMC that speaks Redfish. */
export const redfish: Driver = {
  kind: 'redfish',
  mechanism: 'direct',
  title: 'Redfish: any BMC with a Redfish service (iDRAC, iLO, XCC, OpenBMC, MegaRAC, …)',

  endpoint(address) {
    try {
      return endpointOf(parseAddress(address))
    } catch (error) {
      throw addressError(error)
    }
  },

  open(device, context) {
    return new RedfishSession(device, context)
  },

  async probe(device, context, signal) {
    const session = new RedfishSession(device, context)
    try {
      return await session.probe(signal)
    } finally {
      await session.close()
    }
  },

  async closeSession(device, closing, context, signal) {
    const ticket: unknown = JSON.parse(closing.reveal())
    const location = isObject(ticket) ? textOf(ticket, 'location') : undefined
    const token = isObject(ticket) ? textOf(ticket, 'token') : undefined
    if (location === undefined || token === undefined) return 'unknown'
    try {
      const client = clientOf(device, context)
      const closed = await client.closeSession({ location, token: new Secret(token) }, signal)
      client.close()
      return closed
    } catch {
      return 'unknown'
    }
  },
}

class RedfishSession implements DriverSession {
  readonly #device: Device
  readonly #context: DriverContext
  #client: RedfishClient | undefined
  #located: Located | undefined
  /** The log-in that the last ticket named: commands go over this one only. */
  #named: Auth | undefined
  #logIn: Auth | undefined
  #logIns = 0

  constructor(device: Device, context: DriverContext) {
    this.#device = device
    this.#context = context
  }

  async ticket(signal: AbortSignal): Promise<SessionTicket> {
    return this.#guard(async client => {
      // All reads that a command needs come before it is announced: one of them may have to log in again. This one also finds a session
      // that died meanwhile, and leaves the connection warm.
      await this.#locate(client, signal)
      const auth = await client.logIn(signal)
      this.#named = auth
      const id = this.#nameOf(auth)
      if (auth.kind === 'basic' || auth.ref.location === null) return { id, closing: null }
      const { location, token } = auth.ref
      return { id, closing: new Secret(JSON.stringify({ location, token: token.reveal() })) }
    })
  }

  async observe(signal: AbortSignal): Promise<Observation> {
    const startedAt = this.#context.clock.now()
    const startedMono = this.#context.clock.mono()
    return this.#guard(async client => {
      const located = this.#located
      const reading = located === undefined ? await this.#locate(client, signal) : await this.#read(client, located.path, signal)
      // Named before the witnesses are asked: one of those reads may have to log in again.
      const session = this.#nameOf(client.auth)
      const power = powerOf(reading.powerState)
      const { fingerprint } = client
      const cached = reading.ageSeconds === undefined ? '' : ` (a copy, ${reading.ageSeconds} s old)`
      return {
        device: this.#device.name,
        // A copy may be older than the question: it says nothing.
        power: cached === '' ? power : 'unknown',
        source: `redfish ${reading.path} PowerState`,
        raw: rawOf(reading.powerState) + cached,
        hardware: hardwareOf(reading),
        // Only an off can be contradicted; other reads are spared the second question.
        witnesses: power === 'off' ? await this.#witnesses(client, reading, signal) : [],
        witnessRequired: this.#located?.traits.chassisOffRequired ?? false,
        session,
        restorePolicy: reading.restorePolicy ?? null,
        ...(fingerprint === undefined ? {} : { fingerprint }),
        startedAt,
        startedMono,
        endedAt: this.#context.clock.now(),
        endedMono: this.#context.clock.mono(),
      }
    })
  }

  async request(command: Command, signal: AbortSignal, expiresAtMono: number): Promise<CommandReply> {
    const client = this.#client
    const located = this.#located
    const auth = this.#named
    if (client === undefined || located === undefined || auth === undefined) return { kind: 'unsent', raw: 'no session was named' }
    const resetType = located.reset[command]
    if (resetType === null) return { kind: 'unsent', raw: refusalOf(command, located.reset) }
    const timeToLiveMs = Math.min(this.#context.limits.commandTtlMs, expiresAtMono - this.#context.clock.mono())
    if (timeToLiveMs <= 0) return { kind: 'unsent', raw: 'its time to live was over before it was sent' }
    const freshConnection = located.traits.freshConnectionForCommand
    const result = await client.command({ path: located.reset.target, resetType, auth, timeToLiveMs, freshConnection }, signal)
    if (result.kind !== 'answered') return { kind: result.kind, raw: `${resetType}: ${result.reason}` }
    const wait = result.retryAfterMs
    return {
      kind: 'answered',
      accepted: result.accepted,
      raw: `${resetType}: ${result.raw}`,
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
    }
  }

  async setRestorePolicy(policy: RestorePolicy, signal: AbortSignal): Promise<RestorePolicy | null> {
    return this.#guard(async client => {
      const path = this.#located?.path ?? (await this.#locate(client, signal)).path
      return setPolicy(client, path, policy, ms => this.#context.clock.sleep(ms, signal), signal)
    })
  }

  async close(): Promise<'closed' | 'unknown'> {
    const client = this.#client
    if (client === undefined) return 'closed'
    const closed = await client.logOut()
    client.close()
    return closed
  }

  /** First contact. */
  async probe(signal: AbortSignal): Promise<Probe> {
    return this.#guard(async client => {
      const reading = await this.#locate(client, signal)
      const located = this.#located as Located
      const auth = await client.logIn(signal)
      const witnesses = await this.#witnesses(client, reading, signal)
      const { off, on } = located.reset
      const { fingerprint } = client
      return {
        hardware: hardwareOf(reading),
        power: powerOf(reading.powerState),
        product: await this.#product(client, reading, signal),
        systemId: reading.id ?? lastSegment(reading.path),
        others: located.others.map(({ id, reason }) => ({ id, reason })),
        commands: { on, off },
        refusals: (['off', 'on'] as const)
          .filter(command => located.reset[command] === null)
          .map(command => ({ command, reason: refusalOf(command, located.reset) })),
        witnesses: witnesses.map(witness => witness.source),
        session: auth.kind,
        offers: [],
        restorePolicy: reading.restorePolicy ?? null,
        ...(fingerprint === undefined ? {} : { fingerprint }),
        warnings: warningsOf(this.#device, reading, located, auth, witnesses),
      }
    })
  }

  /** A name for a log-in that is not secret and never the same for two: a service may call each of its sessions alike, and Basic has no name. */
  #nameOf(auth: Auth | undefined): string {
    if (auth !== this.#logIn) {
      this.#logIn = auth
      this.#logIns += 1
    }
    if (auth?.kind !== 'session') return `basic-${this.#logIns}`
    const name = auth.ref.location === null ? '' : lastSegment(auth.ref.location)
    const shown = name === '' || auth.ref.token.reveal().includes(name) ? 'session' : name.slice(0, 40)
    return `${shown}-${this.#logIns}`
  }

  /** Runs one use of the client and turns what it throws into the port's errors. */
  async #guard<T>(use: (client: RedfishClient) => Promise<T>): Promise<T> {
    try {
      this.#client ??= clientOf(this.#device, this.#context)
      return await use(this.#client)
    } catch (error) {
      // The resource moved (a restarted BMC numbers anew): it is looked for again by the next read.
      if (error instanceof RedfishError && error.reason === 'not_found') this.#located = undefined
      throw driverError(error, this.#device.name)
    }
  }

  async #read(client: RedfishClient, path: string, signal: AbortSignal): Promise<SystemReading> {
    return systemOf(await client.get(path, signal), reference => client.resolve(reference))
  }

  /** Finds the system by its configured id, else by the pinned path, else as the only one, and reads it. */
  async #locate(client: RedfishClient, signal: AbortSignal): Promise<SystemReading> {
    const { name, systemId, hardware } = this.#device
    const known = this.#located
    if (known !== undefined) return this.#read(client, known.path, signal)
    const wanted = systemId ?? hardware?.system
    const choice = await chooseSystem(client, wanted === undefined ? {} : { systemId: wanted }, signal)
    if (choice.kind === 'refused') throw choiceError(choice, name)
    const { system } = choice
    const resolve = (reference: unknown): string | undefined => client.resolve(reference)
    const reset = await resetOf(system, resolve, async path => {
      try {
        return (await client.get(path, signal)).body
      } catch (error) {
        if (error instanceof RedfishError && (error.reason === 'not_found' || error.reason === 'http_error')) return undefined
        throw error
      }
    })
    if (typeof reset === 'string') throw resetError(reset, name)
    const { signs } = await client.service(signal)
    const { manufacturer, model } = system
    const traits = traitsOf(vendorOf({ ...signs, manager: signs.manager ?? system.manager, manufacturer, model }))
    this.#located = { path: system.path, reset, traits, others: choice.others }
    return system
  }

  /**
   * Chassis.PowerState where the system links to a chassis of its own. One that holds several systems says nothing about this one, and no more does
   * an enclosure or a rack (sushy-tools' enclosure is On for ever), but where a chassis off is required they are asked too: then better no verdict.
   */
  async #witnesses(client: RedfishClient, reading: SystemReading, signal: AbortSignal): Promise<Witness[]> {
    const witnesses: Witness[] = []
    for (const path of reading.chassis) {
      try {
        const chassis = chassisOf(await client.get(path, signal))
        if (chassis.powerState === undefined || chassis.powerState === null) continue
        const isShared = (chassis.systems ?? 1) > 1 || /^(Enclosure|Rack|Row|Pod|Shelf|RackGroup)$/.test(chassis.type ?? '')
        if (isShared && this.#located?.traits.chassisOffRequired !== true) continue
        witnesses.push({ source: `redfish ${path} PowerState`, power: powerOf(chassis.powerState), raw: rawOf(chassis.powerState) })
      } catch (error) {
        // A chassis that isn't there is no witness; one that can't be asked at the moment makes the read fail.
        if (!(error instanceof RedfishError) || !['not_found', 'http_error', 'forbidden', 'bad_resource'].includes(error.reason))
          throw error
      }
    }
    return witnesses
  }

  /** E.g. `HPE ProLiant DL385, iLO 5 v2.72`: the manager is read for its firmware where it can be. */
  async #product(client: RedfishClient, reading: SystemReading, signal: AbortSignal): Promise<string> {
    const machine = [reading.manufacturer, reading.model].filter(text => text !== undefined).join(' ')
    const { product, version } = await client.service(signal)
    let service = product ?? `Redfish ${version ?? '(version unknown)'}`
    if (reading.manager !== undefined) {
      try {
        const { body } = await client.get(reading.manager, signal)
        const model = textOf(body, 'Model') ?? ''
        const firmware = textOf(body, 'FirmwareVersion') ?? ''
        const words = firmware.startsWith(model) ? firmware : `${model} ${firmware}`
        if (words.trim() !== '') service = words.trim()
      } catch (error) {
        if (!(error instanceof RedfishError)) throw error
      }
    }
    return (machine === '' ? service : `${machine}, ${service}`).slice(0, 120)
  }
}

function clientOf(device: Device, context: DriverContext): RedfishClient {
  return new RedfishClient({
    address: parseAddress(device.address),
    tls: device.tls,
    limits: context.limits,
    credential: () => context.credential(),
    loggedIn: () => context.loggedIn?.(),
    wallNow: () => context.clock.now(),
  })
}

/** Exact words only: `off`, `OFF `, `Sleeping`, null and numbers are all unknown. */
function powerOf(powerState: unknown): Power {
  if (powerState === 'On') return 'on'
  if (powerState === 'Off') return 'off'
  return powerState === 'PoweringOn' || powerState === 'PoweringOff' ? 'transitioning' : 'unknown'
}

function rawOf(value: unknown): string {
  return value === undefined ? '(missing)' : JSON.stringify(value).slice(0, 200)
}

function hardwareOf(reading: SystemReading): Hardware {
  const { uuid, serial, manufacturer, model, path } = reading
  return {
    ...(uuid === undefined ? {} : { uuid }),
    ...(serial === undefined ? {} : { serial }),
    ...(manufacturer === undefined ? {} : { manufacturer }),
    ...(model === undefined ? {} : { model }),
    system: path,
  }
}

function refusalOf(command: Command, reset: ResetCapability): string {
  const needed = command === 'off' ? 'ForceOff' : 'On or ForceOn'
  return `the service doesn't list ${needed} (it lists: ${reset.values?.join(', ') ?? 'nothing'})`.slice(0, 200)
}

function warningsOf(device: Device, reading: SystemReading, located: Located, auth: Auth, witnesses: Witness[]): string[] {
  const warnings: string[] = []
  if (device.tls.mode === 'insecure') warnings.push('the connection is not secured: no certificate is checked')
  if (auth.kind === 'basic') warnings.push('no session: a late command can only be waited for, not closed off')
  else if (auth.ref.location === null)
    warnings.push('the service does not tell where its session is: it can only be waited for, not closed')
  if (located.reset.values === undefined) warnings.push('the service does not list its reset types: the standard ones are sent')
  if (located.traits.chassisOffRequired && witnesses.length === 0)
    warnings.push('off counts here only together with Chassis off, and no chassis tells its power')
  if (reading.uuid === undefined && reading.serial === undefined) warnings.push('the system tells neither UUID nor serial number')
  return warnings
}
