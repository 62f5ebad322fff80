import type { Clock } from '../../src/core/clock.ts'
import type { Driver, DriverContext, DriverSession, SessionTicket } from '../../src/core/driver.ts'
import { type DeviceFailure, DriverError } from '../../src/core/errors.ts'
import type { CommandReply, Hardware, Observation, Witness } from '../../src/core/evidence.ts'
import type { Command, Power, RestorePolicy } from '../../src/core/power.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import type { VirtualTime } from '../clock.ts'

/** What happens to one power command. */
export interface CommandFault {
  /** `lost`: carried out, but the answer never comes. `swallowed`: neither. `ignored`: answered well and not carried out. */
  reply?: 'answered' | 'lost' | 'swallowed' | 'ignored' | 'refused' | 'unsent'
  /** How long its bytes lie in the network before they reach the BMC. */
  arriveMs?: number
  /** How long the BMC waits before it acts. */
  effectMs?: number
}

/** What one read says instead of the truth. */
export interface ReadFault {
  power?: Power
  witnesses?: Witness[]
  fails?: DeviceFailure
  /** Never answered: given up after the exchange's time. */
  hangs?: boolean
}

/** What one attempt to set the restore policy meets, instead of being done. */
export interface PolicyFault {
  fails?: DeviceFailure
  /** Answered and not done. */
  refused?: boolean
  /** How long it takes; longer than the exchange's time: it is given up, and what was asked for is done all the same. */
  takesMs?: number
}

/** A command on its way: through the network, or waiting in the BMC. */
export interface Flying {
  id: number
  command: Command
  session: string | null
  /** Arrived, accepted and waiting for its effect. */
  accepted: boolean
  executions: number
  over: boolean
}

interface Login {
  id: string
  open: boolean
}

/** One BMC and the machine behind it, in virtual time. */
export class FakeBmc {
  power: 'on' | 'off' = 'on'
  hardware: Hardware = { uuid: '11111111-2222-3333-4444-555555555555', system: '/Systems/1' }
  witnessRequired = false
  /** The certificate that it shows, where it is reached over TLS. */
  fingerprint: string | undefined
  /** The IPMI cipher suite that its sessions are read under. */
  cipherSuite: 17 | 3 | undefined
  /** What witnesses say when nothing is scripted; undefined: there is none. */
  witness: (() => Power) | undefined
  auth: 'session' | 'basic' = 'session'
  /** False: sessions can't be closed. */
  closes = true
  reachable = true
  passwordRight = true
  /** What it does when mains power returns; null: it has no such setting. */
  restorePolicy: RestorePolicy | null = 'off'
  /** Every change of it that was asked for, done or not. */
  readonly policies: RestorePolicy[] = []
  readonly policyFaults: PolicyFault[] = []
  /** A driver that breaks its contract: a lost session is an occasion to log in again and send (F4). */
  logsInAgain = false
  logIns = 0
  readonly commandFaults: Record<Command, CommandFault[]> = { on: [], off: [] }
  readonly readFaults: ReadFault[] = []
  /** Everything that reached the wire. */
  readonly flying: Flying[] = []
  readonly history: string[] = []
  onPower: (power: 'on' | 'off', why: string) => void = () => {}
  readonly #logins = new Map<string, Login>()
  readonly #time: VirtualTime
  readonly name: string
  #sessions = 0

  constructor(name: string, time: VirtualTime) {
    this.name = name
    this.#time = time
  }

  /** Somebody presses the button. */
  press(power: 'on' | 'off'): void {
    this.#become(power, 'pressed')
  }

  hasNoPolicy(): void {
    this.restorePolicy = null
  }

  /** Mains power goes and comes back. */
  cutMains(): void {
    const { power, restorePolicy } = this
    if (power === 'on') this.#become('off', 'mains power went')
    if (restorePolicy === 'on' || (restorePolicy === 'previous' && power === 'on')) this.#become('on', 'mains power came back')
  }

  /** Asked for over a session: sets the policy, and says what it was. */
  async setPolicy(policy: RestorePolicy, context: DriverContext, signal: AbortSignal): Promise<RestorePolicy | null> {
    const fault = this.policyFaults.shift() ?? {}
    this.policies.push(policy)
    const { takesMs = 5 } = fault
    const before = this.restorePolicy
    if (before === null || fault.refused) {
      await context.clock.sleep(takesMs, signal)
      return null
    }
    // Done at the BMC whatever becomes of the one who asked.
    if (!fault.fails && this.reachable) {
      this.#time.after(takesMs, () => {
        this.restorePolicy = policy
        this.history.push(`restore policy ${policy}`)
      })
    }
    await context.clock.sleep(takesMs, signal)
    if (fault.fails || !this.reachable) throw new DriverError(fault.fails ?? 'unreachable', 'the policy was not set', { device: this.name })
    await context.clock.sleep(1, signal)
    return before
  }

  /** Commands of this kind that can still take effect, as things stand at the BMC and in the network. */
  pending(command: Command): Flying[] {
    return this.flying.filter(one => one.command === command && !one.over && (one.accepted || this.#isOpen(one.session)))
  }

  get openSessions(): number {
    return [...this.#logins.values()].filter(({ open }) => open).length
  }

  /** The BMC forgets all its sessions. */
  forgetSessions(): void {
    for (const login of this.#logins.values()) login.open = false
  }

  driver(): Driver {
    return {
      kind: 'redfish',
      mechanism: 'direct',
      title: 'fake',
      endpoint: address => address,
      open: (device, context) => new FakeSession(this, device, context),
      probe: () => Promise.reject(new Error('not needed')),
      closeSession: async (_device, closing, context) => {
        await context.clock.sleep(5)
        return this.#close(closing.reveal())
      },
    }
  }

  async logIn(clock: Clock): Promise<string> {
    await clock.sleep(5)
    this.#reach()
    this.logIns++
    if (!this.passwordRight) throw new DriverError('auth_failed', 'wrong password', { device: this.name })
    const id = `${this.name}-s${++this.#sessions}`
    this.#logins.set(id, { id, open: true })
    return id
  }

  isOpen(session: string): boolean {
    return this.#isOpen(session)
  }

  logOut(session: string): 'closed' | 'unknown' {
    return this.#close(session)
  }

  /** One read over a session. */
  async read(device: Device, session: string, context: DriverContext, signal: AbortSignal): Promise<Observation> {
    const { clock } = context
    const startedAt = clock.now()
    const startedMono = clock.mono()
    const fault = this.readFaults.shift() ?? {}
    if (fault.hangs || !this.reachable) {
      await clock.sleep(context.limits.exchangeMs, signal)
      throw new DriverError('unreachable', 'no answer', { device: this.name })
    }
    await clock.sleep(2, signal)
    if (fault.fails) throw new DriverError(fault.fails, `the read failed: ${fault.fails}`, { device: this.name })
    const power = fault.power ?? this.power
    const said = this.witness?.()
    const witnesses = fault.witnesses ?? (said ? [{ source: 'chassis', power: said, raw: said }] : [])
    await clock.sleep(3, signal)
    return {
      device: device.name,
      power,
      source: `fake ${this.name}`,
      raw: power,
      hardware: this.hardware,
      witnesses,
      witnessRequired: this.witnessRequired,
      session,
      restorePolicy: this.restorePolicy,
      ...(this.fingerprint === undefined ? {} : { fingerprint: this.fingerprint }),
      ...(this.cipherSuite === undefined ? {} : { cipherSuite: this.cipherSuite }),
      startedAt,
      startedMono,
      endedAt: clock.now(),
      endedMono: clock.mono(),
    }
  }

  /** Puts a command on the wire and says what comes back. */
  async send(command: Command, session: string | null, context: DriverContext, signal: AbortSignal): Promise<CommandReply> {
    const fault = this.commandFaults[command].shift() ?? {}
    if (fault.reply === 'unsent' || signal.aborted) return { kind: 'unsent', raw: 'nothing was written' }
    const flying: Flying = { id: this.flying.length + 1, command, session, accepted: false, executions: 0, over: false }
    this.flying.push(flying)
    const reply = new Promise<CommandReply>(resolve => {
      const { arriveMs = 3 } = fault
      this.#time.after(arriveMs, () => {
        // Sockets are destroyed at the age of the command's time to live.
        if (arriveMs > context.limits.commandTtlMs || !this.reachable || fault.reply === 'swallowed') flying.over = true
        else resolve(this.#arrive(flying, fault))
      })
    })
    const timeout = context.clock.sleep(context.limits.exchangeMs, signal).then(
      (): CommandReply => ({ kind: 'unanswered', raw: 'time-out' }),
      (): CommandReply => ({ kind: 'unanswered', raw: 'given up' }),
    )
    const answer = await Promise.race([fault.reply === 'lost' ? timeout : reply, timeout])
    if (answer.kind === 'answered' && this.logsInAgain && answer.raw.startsWith('401')) {
      return this.send(command, await this.logIn(context.clock), context, new AbortController().signal)
    }
    return answer
  }

  #arrive(flying: Flying, fault: CommandFault): CommandReply {
    if (!this.#isOpen(flying.session)) {
      flying.over = true
      this.history.push(`${flying.command} void: ${flying.session} is closed`)
      return { kind: 'answered', accepted: false, raw: '401 no such session' }
    }
    if (fault.reply === 'refused') {
      flying.over = true
      return { kind: 'answered', accepted: false, raw: '409 refused' }
    }
    if (fault.reply === 'ignored') {
      flying.over = true
      return { kind: 'answered', accepted: true, raw: '204' }
    }
    flying.accepted = true
    this.#time.after(fault.effectMs ?? 0, () => {
      flying.over = true
      flying.executions++
      this.#become(flying.command, `command ${flying.id}`)
    })
    return { kind: 'answered', accepted: true, raw: '204' }
  }

  #become(power: 'on' | 'off', why: string): void {
    this.history.push(`${power}: ${why}`)
    this.power = power
    this.onPower(power, why)
  }

  #isOpen(session: string | null): boolean {
    return session === null || (this.#logins.get(session)?.open ?? false)
  }

  #close(session: string): 'closed' | 'unknown' {
    if (!this.reachable || !this.closes) return 'unknown'
    const login = this.#logins.get(session)
    if (login) login.open = false
    return 'closed'
  }

  #reach(): void {
    if (!this.reachable) throw new DriverError('unreachable', 'no route', { device: this.name })
  }
}

class FakeSession implements DriverSession {
  readonly #bmc: FakeBmc
  readonly #device: Device
  readonly #context: DriverContext
  #login: string | undefined
  #named: string | undefined
  #closed = false

  constructor(bmc: FakeBmc, device: Device, context: DriverContext) {
    this.#bmc = bmc
    this.#device = device
    this.#context = context
  }

  async ticket(): Promise<SessionTicket> {
    const login = await this.#open()
    this.#named = login
    return { id: login, closing: this.#bmc.auth === 'session' ? new Secret(login) : null }
  }

  async observe(signal: AbortSignal): Promise<Observation> {
    const login = await this.#open()
    return this.#bmc.read(this.#device, login, this.#context, signal)
  }

  async request(command: Command, signal: AbortSignal, expiresAtMono: number): Promise<CommandReply> {
    if (this.#named === undefined || this.#closed) return { kind: 'unsent', raw: 'no session was named' }
    if (this.#context.clock.mono() >= expiresAtMono) return { kind: 'unsent', raw: 'its time to live was over' }
    return this.#bmc.send(command, this.#bmc.auth === 'session' ? this.#named : null, this.#context, signal)
  }

  async setRestorePolicy(policy: RestorePolicy, signal: AbortSignal): Promise<RestorePolicy | null> {
    await this.#open()
    return this.#bmc.setPolicy(policy, this.#context, signal)
  }

  async close(): Promise<'closed' | 'unknown'> {
    this.#closed = true
    return this.#login === undefined || this.#bmc.auth === 'basic' ? 'closed' : this.#bmc.logOut(this.#login)
  }

  async #open(): Promise<string> {
    if (!this.#bmc.reachable) {
      await this.#context.clock.sleep(this.#context.limits.connectMs)
      throw new DriverError('unreachable', 'no route', { device: this.#bmc.name })
    }
    const { tls } = this.#device
    if (tls.mode === 'pin' && tls.fingerprint !== undefined && tls.fingerprint !== this.#bmc.fingerprint) {
      throw new DriverError('tls_mismatch', 'another certificate than the one that is pinned', { device: this.#bmc.name })
    }
    if (this.#login !== undefined && this.#bmc.isOpen(this.#login)) return this.#login
    await this.#context.credential()
    this.#login = await this.#bmc.logIn(this.#context.clock)
    this.#context.loggedIn?.()
    return this.#login
  }
}
