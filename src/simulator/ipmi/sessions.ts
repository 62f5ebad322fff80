import type { Suite } from '../../wire/ipmi/suites.ts'
import type { SimulatorClock } from '../clock.ts'
import type { IpmiUser } from './options.ts'
import { InboundWindow } from './window.ts'

/** The keys of an active session (§13.31, §13.32). */
export interface Keys {
  readonly sik: Buffer
  readonly k1: Buffer
  readonly k2: Buffer
}

/** What RAKP1 and RAKP2 settled. */
export interface Handshake {
  readonly user: IpmiUser
  /** The name as the console sent it. */
  readonly name: Buffer
  /** The whole role byte of RAKP1. */
  readonly role: number
  readonly consoleRandom: Buffer
  readonly bmcRandom: Buffer
  readonly guid: Buffer
  /** The password as the BMC has it (a fault may give it another). */
  readonly password: Buffer
}

/** One session of a BMC, from Open Session on. `suite` is undefined for suite 0. */
export interface IpmiSession {
  /** The number that the BMC gave it, never 0. */
  readonly id: number
  readonly consoleId: number
  readonly suite: Readonly<Suite> | undefined
  /** `ADDRESS:PORT` of the console. */
  readonly from: string
  readonly openedAt: number
  lastUsedAt: number
  handshake: Handshake | undefined
  /** There once RAKP3 was right: then the session is active. */
  keys: Keys | undefined
  /** The level in force, and the highest that Set Session Privilege may give (§6.8). */
  privilege: number
  limit: number
  readonly window: InboundWindow
  /** The sequence number of the next packet to the console. */
  nextSequence: number
}

/**
 * The session table of one BMC: bounded, half-open sessions count. A full table with a half-open session in it gives that one up (the oldest);
 * else Open Session is refused with 01h. Expiry is worked out when somebody looks, so that thousands of BMCs need no timers for it.
 */
export class IpmiSessionTable {
  readonly limit: number
  timeoutMs: number
  readonly #clock: SimulatorClock
  readonly #newId: () => number
  readonly #byId = new Map<number, IpmiSession>()

  constructor(options: { clock: SimulatorClock; limit: number; timeoutMs: number; newId: () => number }) {
    this.#clock = options.clock
    this.limit = options.limit
    this.timeoutMs = options.timeoutMs
    this.#newId = options.newId
  }

  /** The sessions that are there now, half-open ones too, the oldest first. */
  list(): readonly IpmiSession[] {
    for (const session of this.#byId.values()) this.#dropExpired(session)
    return [...this.#byId.values()]
  }

  /** Those that are logged in. */
  active(): readonly IpmiSession[] {
    return this.list().filter(({ keys }) => keys !== undefined)
  }

  /** Opens one for an Open Session Request; a repeated request gets the same again. Undefined when the table is full. */
  open(from: string, consoleId: number, suite: Readonly<Suite> | undefined, limit: number): IpmiSession | undefined {
    const there = this.list()
    const same = there.find(session => session.from === from && session.consoleId === consoleId && session.keys === undefined)
    if (same !== undefined && same.suite === suite && same.limit === limit && same.handshake === undefined) return same
    if (same !== undefined) this.#byId.delete(same.id)
    if (this.#byId.size >= this.limit) {
      const halfOpen = there.find(({ keys }) => keys === undefined)
      if (halfOpen === undefined) return undefined
      this.#byId.delete(halfOpen.id)
    }
    let id = this.#newId()
    while (id === 0 || this.#byId.has(id)) id = this.#newId()
    const now = this.#clock.now()
    const session: IpmiSession = {
      id,
      consoleId,
      suite,
      from,
      openedAt: now,
      lastUsedAt: now,
      handshake: undefined,
      keys: undefined,
      privilege: 0,
      limit,
      window: new InboundWindow(),
      nextSequence: 1,
    }
    this.#byId.set(id, session)
    return session
  }

  /** The session of an id; undefined when it is unknown or has expired. */
  find(id: number): IpmiSession | undefined {
    const session = this.#byId.get(id)
    return session === undefined || this.#dropExpired(session) ? undefined : session
  }

  /** Notes that a session was used just now. */
  touch(session: IpmiSession): void {
    session.lastUsedAt = this.#clock.now()
  }

  /** Ends a session; false when there is none. */
  close(id: number): boolean {
    return this.find(id) !== undefined && this.#byId.delete(id)
  }

  /** Ends all, as a reset of the BMC does. */
  clear(): void {
    this.#byId.clear()
  }

  #dropExpired(session: IpmiSession): boolean {
    return this.#clock.now() - session.lastUsedAt >= this.timeoutMs && this.#byId.delete(session.id)
  }
}
