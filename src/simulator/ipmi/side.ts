import { randomBytes } from 'node:crypto'
import type { Executed } from '../press.ts'
import { createRandom, type Random } from '../random.ts'
import type { Bmc, SimulatedSystem } from '../redfish/bmc.ts'
import { type GuidOrder, guidBytes } from './guid.ts'
import type { Datagram } from './hooks.ts'
import { checkUsers, type IpmiOptions, type IpmiUser } from './options.ts'
import { IpmiSessionTable } from './sessions.ts'

/** What the IPMI side of a BMC has seen so far. */
export interface IpmiCounters {
  /** Datagrams that came in, nonsense included, and that went out. */
  received: number
  sent: number
  /** Requests by what they are: `ping`, `open`, `rakp1`, `rakp3`, the name of a command, `other`. Duplicates count. */
  byPacket: Record<string, number>
  /** Datagrams that were dropped without an answer, by the reason. */
  dropped: Record<string, number>
  logins: number
  /** Handshakes that ended on a wrong name, password or level, whichever side found it. */
  loginFailures: number
  /** Sessions that were closed by Close Session. */
  closes: number
  /** The most sessions that were there at once, half-open ones included. */
  peakSessions: number
}

/** One chassis control command as it came in, for tests to judge by. */
export interface ReceivedControl {
  readonly at: number
  /** `down`, `up`, `cycle`, `reset`, `diagnostic` or `soft`; a number that is none of them as `unknown`. */
  readonly action: string
  /** The BMC's id of its session, as 8 hexadecimal digits. */
  readonly session: string
  readonly user: string
  /** Its session sequence number: two of one session are two sendings. */
  readonly sequence: number
  executed: Executed
  /** Null when nothing was answered. */
  completion: number | null
}

/** The bound of the command log, for runs of hours. */
const COMMAND_LIMIT = 10_000
/** A stream of random numbers of its own: identities must not shift when a fault draws lots. */
const FAULT_STREAM = 1_000_000

/** The IPMI side of one simulated BMC: accounts, sessions, what it saw, and what it knows of the machine behind it. It knows nothing of sockets. */
export class IpmiSide {
  readonly bmc: Bmc
  readonly users: readonly IpmiUser[]
  readonly kg: Buffer | undefined
  readonly suites: readonly number[]
  readonly offersSuite0: boolean
  readonly unknownUser: 'refused' | 'bogus'
  readonly watts: 'measured' | 'frozen' | 'absent'
  readonly sessions: IpmiSessionTable
  readonly counters: IpmiCounters = freshCounters()
  /** Every power command as it came in. */
  readonly received: ReceivedControl[] = []
  readonly randomBytes: (count: number) => Buffer
  /** For faults with a rate. */
  readonly random: Random
  /** Where it listens, as `ipmi://HOST:PORT`; empty until it does. */
  url = ''
  guidOrder: GuidOrder
  /** Answers that faults hold back, with the number of answers that still go before. */
  readonly held: { readonly datagram: Datagram; behind: number }[] = []
  /** The last answer to each kind of packet, as it went out: what a replay has to work with. */
  readonly lastAnswers = new Map<string, Buffer>()
  /** On the clock: until then it hears nothing. */
  deafUntil = 0
  /** When log-ins failed, on the clock. */
  readonly failedLogins: number[] = []
  /** When the first reading was asked for: a frozen time stamp stays there. */
  frozenAt: number | undefined
  /** Power restore policy where the personality shows none on Redfish. */
  #ownPolicy = 'LastState'

  constructor(bmc: Bmc, account: IpmiUser, options: IpmiOptions, seed: number, index: number) {
    this.bmc = bmc
    this.users = [account, ...(options.users ?? [])]
    checkUsers(this.users, options.kg)
    this.kg = options.kg === undefined ? undefined : Buffer.from(options.kg)
    this.suites = options.suites ?? [3, 17]
    this.offersSuite0 = options.offersSuite0 ?? true
    this.unknownUser = options.unknownUser ?? 'refused'
    this.watts = options.watts ?? 'measured'
    this.guidOrder = options.guidOrder ?? 'smbios'
    this.randomBytes = options.randomBytes ?? randomBytes
    this.random = createRandom(seed, index + FAULT_STREAM)
    this.sessions = new IpmiSessionTable({
      clock: bmc.clock,
      limit: options.sessionLimit ?? 4,
      timeoutMs: options.sessionTimeoutMs ?? 60_000,
      newId: () => this.randomBytes(4).readUInt32LE(0),
    })
  }

  /** The machine behind it: the first that is a node. IPMI has no word for a second one. */
  get system(): SimulatedSystem {
    return this.bmc.systemOrThrow(undefined)
  }

  /** The system's GUID as RAKP2 and Get System GUID give it: the UUID that the operating system sees, in this BMC's byte order. */
  get systemGuid(): Buffer {
    return guidBytes(this.system.identity.systemUuid, this.guidOrder)
  }

  /** The GUID of the BMC itself (Get Device GUID). */
  get deviceGuid(): Buffer {
    return guidBytes(this.bmc.serviceUuid, this.guidOrder)
  }

  /** What the machine does when mains power returns, in Redfish's words: one setting for both protocols. */
  get restorePolicy(): string {
    return this.system.restorePolicy ?? this.#ownPolicy
  }

  set restorePolicy(policy: string) {
    const { system } = this
    if (system.restorePolicy === null) this.#ownPolicy = policy
    else if (system.restorePolicy !== policy) {
      system.restorePolicy = policy
      system.version++
    }
  }

  /** Notes why a datagram gets no answer. */
  drop(reason: string): undefined {
    this.counters.dropped[reason] = (this.counters.dropped[reason] ?? 0) + 1
    return undefined
  }

  /** Notes a log-in that failed. */
  failLogin(): void {
    this.counters.loginFailures++
    this.failedLogins.push(this.bmc.clock.now())
  }

  /** Writes a power command into the log. */
  record(control: Omit<ReceivedControl, 'at' | 'executed' | 'completion'>): ReceivedControl {
    const entry: ReceivedControl = { at: this.bmc.clock.now(), ...control, executed: 'never', completion: null }
    this.received.push(entry)
    if (this.received.length > COMMAND_LIMIT) this.received.shift()
    return entry
  }

  /** Sets all counters to zero and forgets the commands. */
  resetCounters(): void {
    Object.assign(this.counters, freshCounters())
    this.received.length = 0
  }
}

function freshCounters(): IpmiCounters {
  return { received: 0, sent: 0, byPacket: {}, dropped: {}, logins: 0, loginFailures: 0, closes: 0, peakSessions: 0 }
}
