import type { DriverContext, DriverSession, Probe, SessionTicket } from '../core/driver.ts'
import { DriverError } from '../core/errors.ts'
import type { CommandReply, Hardware, Observation, RunningDraw } from '../core/evidence.ts'
import type { Command, RestorePolicy } from '../core/power.ts'
import { Secret } from '../core/secret.ts'
import type { Device } from '../core/topology.ts'
import { parseAddress } from '../wire/ipmi/address.ts'
import type { ChassisStatus } from '../wire/ipmi/chassis.ts'
import { IpmiClient, type SessionFacts } from '../wire/ipmi/client.ts'
import type { ClientOptions } from '../wire/ipmi/client-options.ts'
import type { IpmiPorts } from '../wire/ipmi/client-ports.ts'
import type { SessionTicketData } from '../wire/ipmi/client-ticket.ts'
import { COMMANDS } from '../wire/ipmi/commands.ts'
import { completionOf } from '../wire/ipmi/completion.ts'
import { IpmiError } from '../wire/ipmi/failure.ts'
import { isUsable, renderGuid } from '../wire/ipmi/guid.ts'
import { driverError } from './ipmi-failure.ts'
import { probeIpmi } from './ipmi-probe.ts'
import { type ClosedSessions, sealable } from './ipmi-tickets.ts'
import { Watts } from './ipmi-watts.ts'
import type { WattsMemory } from './ipmi-watts-memory.ts'

/** What a BMC that is busy with something else is left alone for, ms: updates and starts take minutes, and a read tells sooner. */
const BUSY_MS = 5_000

/** How a device is spoken to, with what its settings say. Its credential is opened by each log-in, and by nothing else. */
export function optionsOf(device: Device, context: DriverContext): ClientOptions {
  const { cipherSuite = 'auto', privilege = 'operator', quirks = [] } = device.ipmi ?? {}
  const options: ClientOptions = {
    address: parseAddress(device.address),
    username: '',
    password: new Secret(''),
    privilege,
    suite: cipherSuite === 'auto' ? 'auto' : cipherSuite === '17' ? 17 : 3,
    ...(device.cipherSuite === undefined ? {} : { provenSuite: device.cipherSuite }),
    quirks,
    exchangeMs: context.limits.exchangeMs,
    connectMs: context.limits.connectMs,
    beforeLogIn: async () => {
      const { username, password, kg } = await context.credential()
      const left = context.logInsLeft?.()
      Object.assign(options, { username, password })
      if (kg === undefined) delete options.kg
      else options.kg = kg
      if (left !== undefined) options.maxBadLogIns = left
    },
    afterLogIn: () => context.loggedIn?.(),
  }
  return options
}

/** What all conversations of one driver share. */
export interface Shared {
  ports: IpmiPorts
  closed: ClosedSessions
  watts: WattsMemory
}

/** One device's conversation: at most one session at the BMC. */
export class IpmiSession implements DriverSession {
  readonly #device: Device
  readonly #context: DriverContext
  readonly #ports: IpmiPorts
  readonly #closed: ClosedSessions
  readonly #watts: Watts
  #client: { client: IpmiClient; options: ClientOptions } | undefined
  /** The GUID that was asked for in a session whose log-in told none. */
  #asked: { session: string; guid: Buffer | null } | undefined
  /** The machine is known by a GUID: pinned, or told over an earlier log-in. */
  #hasGuid: boolean
  #tickets: SessionTicketData[] = []
  #commanded = false
  /** A client was given up with a command that may still be carried out. */
  #isDoubtful = false
  #ended = false

  constructor(device: Device, context: DriverContext, { ports, closed, watts }: Shared) {
    this.#device = device
    this.#context = context
    this.#ports = ports
    this.#closed = closed
    this.#hasGuid = device.hardware?.guid !== undefined
    this.#watts = new Watts(watts, device.address, device.ipmi?.quirks?.includes('ignore-watts') ?? false)
  }

  async ticket(signal: AbortSignal): Promise<SessionTicket> {
    return this.#use(async client => {
      // All reads that a command needs come before it is announced. This one also finds a session that died meanwhile.
      const { on } = await client.execute(COMMANDS.chassisStatus, undefined, signal)
      const seen = factsOf(client)
      await client.elevate(signal)
      // Last: a BMC that takes its time over this one must not lose the session over the others. In another session another machine may answer.
      const machine = factsOf(client).sessionName === seen.sessionName ? this.#machine(seen) : undefined
      if (on && machine !== undefined) await this.#watts.note(client, machine, signal)
      const draw = machine === undefined ? undefined : this.#watts.draw(machine)
      const ticket = client.ticket()
      // One a session is enough: they differ in the next number only.
      this.#tickets = [...this.#tickets.filter(({ k1 }) => k1 !== ticket.k1), ticket]
      return { id: factsOf(client).sessionName, closing: sealable(ticket), ...(draw === undefined ? {} : { draw }) }
    })
  }

  async observe(signal: AbortSignal, draw?: RunningDraw): Promise<Observation> {
    const startedAt = this.#context.clock.now()
    const startedMono = this.#context.clock.mono()
    return this.#use(async client => {
      const status = await client.execute(COMMANDS.chassisStatus, undefined, signal)
      // Named before anything else is asked: that may have to log in again.
      const facts = factsOf(client)
      const hardware = await this.#hardware(client, facts, signal)
      const machine = this.#machine(facts)
      this.#watts.recall(machine, draw)
      // Only an off can be contradicted; other reads are spared the second question.
      const witnesses = status.on ? [] : await this.#watts.witness(client, machine, signal)
      return {
        device: this.#device.name,
        power: status.on ? 'on' : 'off',
        source: 'ipmi Get Chassis Status',
        raw: rawOf(status),
        hardware,
        witnesses,
        witnessRequired: false,
        session: facts.sessionName,
        cipherSuite: facts.suite,
        restorePolicy: status.restorePolicy === 'unknown' ? null : status.restorePolicy,
        startedAt,
        startedMono,
        endedAt: this.#context.clock.now(),
        endedMono: this.#context.clock.mono(),
      }
    })
  }

  async request(command: Command, signal: AbortSignal, expiresAtMono: number): Promise<CommandReply> {
    const action = command === 'off' ? 'down' : 'up'
    if (this.#client === undefined) return { kind: 'unsent', raw: 'no session was named' }
    try {
      const { client } = this.#client
      // The caller's clock and the socket's may be two.
      const expires = expiresAtMono - this.#context.clock.mono() + this.#ports.clock.mono()
      this.#commanded = true
      const reply = await client.sendOnce(COMMANDS.chassisControl, { action }, signal, expires)
      if (reply.kind !== 'answered') return { kind: reply.kind, raw: `chassis ${action}: ${reply.raw}` }
      return answerOf(action, reply.completion)
    } catch (error) {
      return { kind: 'unsent', raw: `chassis ${action}: ${error instanceof Error ? error.message : 'no session'}` }
    }
  }

  async setRestorePolicy(policy: RestorePolicy, signal: AbortSignal): Promise<RestorePolicy | null> {
    return this.#use(async client => {
      const before = (await client.execute(COMMANDS.chassisStatus, undefined, signal)).restorePolicy
      // What it was can't be put back then.
      if (before === 'unknown') return null
      if (before === policy) return before
      try {
        await client.execute(COMMANDS.setRestorePolicy, { policy }, signal)
      } catch (error) {
        if (error instanceof IpmiError && (error.reason === 'completion' || error.reason === 'privilege')) return null
        // An answer without the list of policies: what was set is read all the same.
        if (!(error instanceof IpmiError) || error.reason !== 'bad_answer') throw error
      }
      const after = (await client.execute(COMMANDS.chassisStatus, undefined, signal)).restorePolicy
      return after === policy ? before : null
    })
  }

  async close(): Promise<'closed' | 'unknown'> {
    this.#ended = true
    const doubts = await this.#giveUp()
    return doubts ? 'unknown' : 'closed'
  }

  /** First contact. */
  async probe(signal: AbortSignal): Promise<Probe> {
    const found = await this.#use((client, options) =>
      probeIpmi(
        {
          client,
          options,
          ports: this.#ports,
          watts: facts => this.#watts.read(client, this.#machine(facts), signal),
          hardware: facts => this.#hardware(client, facts, signal),
        },
        signal,
      ),
    )
    // Whoever probes looks at the sessions of a BMC next: this one's is gone by then.
    await this.#client?.client.close({ confirmed: true })
    return found
  }

  /**
   * Ends the client. Its Close is waited for only where a command went out: else nothing can arrive late, and a BMC that is gone must not hold up whoever
   * lets go of it. True where a command may still be carried out.
   */
  async #giveUp(): Promise<boolean> {
    const opened = this.#client
    this.#client = undefined
    const [commanded, tickets] = [this.#commanded, this.#tickets]
    this.#commanded = false
    this.#tickets = []
    const result = await opened?.client.close({ confirmed: commanded })
    if (commanded && result === 'closed') for (const ticket of tickets) this.#closed.add(ticket)
    if (commanded && result === 'unknown') this.#isDoubtful = true
    return this.#isDoubtful
  }

  /** Runs one use of the client and turns what it throws into the port's errors. */
  async #use<T>(use: (client: IpmiClient, options: ClientOptions) => Promise<T>): Promise<T> {
    try {
      if (this.#ended) throw new DriverError('unreachable', `${this.#device.name}: the session is closed`, { device: this.#device.name })
      this.#client ??= this.#open()
      const { client, options } = this.#client
      try {
        return await use(client, options)
      } finally {
        // From the first session on, not only once it is stored: no later log-in of this process goes below.
        if (client.facts !== undefined && options.provenSuite !== 17) options.provenSuite = client.facts.suite
      }
    } catch (error) {
      // Whoever corrects the credential, in whichever process, finds it used by the next log-in.
      if (error instanceof IpmiError && (error.reason === 'auth_failed' || error.reason === 'bad_credential')) await this.#giveUp()
      throw driverError(error, this.#device.name)
    }
  }

  #open(): { client: IpmiClient; options: ClientOptions } {
    const options = optionsOf(this.#device, this.#context)
    return { client: new IpmiClient(this.#ports, options), options }
  }

  /** The machine by the GUID that the log-in proved, or that was asked for over it; one that has none is only known within its session. */
  #machine({ guid, sessionName }: SessionFacts): string {
    const asked = this.#asked?.session === sessionName ? this.#asked.guid : null
    return isUsable(guid) ? guid.toString('hex') : (asked?.toString('hex') ?? `of session ${sessionName}`)
  }

  /**
   * What the log-in proved about the machine; where its GUID is empty, what the session tells when asked (BMCs answer one of the two commands, or none). A
   * machine that told one before and tells none now is not read at all: a BMC that starts is no other machine, and proves nothing either.
   */
  async #hardware(client: IpmiClient, facts: SessionFacts, signal: AbortSignal): Promise<Hardware> {
    const guid = isUsable(facts.guid) ? facts.guid : await this.#askedGuid(client, facts, signal)
    if (guid !== null) {
      this.#hasGuid = true
      return hardwareOf(guid)
    }
    if (this.#hasGuid) throw new IpmiError('bad_answer', 'the machine told its GUID before, and tells none now')
    return {}
  }

  /** Once a session. Throws IpmiError where the answer is not one for good, or came over another session. */
  async #askedGuid(client: IpmiClient, { sessionName }: SessionFacts, signal: AbortSignal): Promise<Buffer | null> {
    if (this.#asked?.session === sessionName) return this.#asked.guid
    let found: Buffer | null = null
    for (const spec of [COMMANDS.systemGuid, COMMANDS.deviceGuid]) found ??= await guidBy(client, spec, signal)
    if (factsOf(client).sessionName !== sessionName) throw new IpmiError('closed', 'the session was lost while its GUID was asked for')
    this.#asked = { session: sessionName, guid: found }
    return found
  }
}

/** Codes of a BMC that has no such command, whenever it is asked: not there, not in this form, not for this account. Others pass (busy, starting, unspecified). */
const HAS_NONE: ReadonlySet<number> = new Set([0xc1, 0xc2, 0xc7, 0xc9, 0xcb, 0xcc, 0xcd, 0xd4, 0xd6])

async function guidBy(
  client: IpmiClient,
  spec: typeof COMMANDS.systemGuid | typeof COMMANDS.deviceGuid,
  signal: AbortSignal,
): Promise<Buffer | null> {
  try {
    const { guid } = await client.execute(spec, undefined, signal)
    return guid !== null && isUsable(guid) ? guid : null
  } catch (error) {
    if (!(error instanceof IpmiError)) throw error
    const { completion } = error.facts
    if (error.reason === 'bad_answer' || (completion !== undefined && HAS_NONE.has(completion))) return null
    throw error
  }
}

function hardwareOf(guid: Buffer): Hardware {
  const { raw, likely } = renderGuid(guid)
  return { uuid: likely, guid: raw }
}

function factsOf(client: IpmiClient): SessionFacts {
  if (client.facts === undefined) throw new IpmiError('closed', 'there is no session')
  return client.facts
}

function rawOf({ on, restorePolicy, fault, controlFault, interlock, overload }: ChassisStatus): string {
  const faults = Object.entries({ fault, 'control fault': controlFault, interlock, overload }).flatMap(([name, is]) => (is ? [name] : []))
  return [`power ${on ? 'on' : 'off'}`, `restore policy ${restorePolicy}`, ...faults].join(', ')
}

/** What an answered Chassis Control means (reference, completion codes). It decides nothing: the next read does. */
function answerOf(action: string, completion: number): CommandReply {
  const { name, handling } = completionOf(completion, COMMANDS.chassisControl)
  const raw = `chassis ${action}: 0x${completion.toString(16).padStart(2, '0')} ${name}`
  // FFh says nothing at all: ipmi_sim answers it where its switch failed, others where it did not.
  if (handling === 'unclear' || completion === 0xff) {
    return { kind: 'answered', accepted: true, raw: `${raw}: it may have been carried out, so it is taken as accepted` }
  }
  if (handling === 'busy') return { kind: 'answered', accepted: false, raw, retryAfterMs: BUSY_MS }
  return { kind: 'answered', accepted: handling === 'ok', raw }
}
