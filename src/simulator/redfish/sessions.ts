import { randomBytes } from 'node:crypto'
import type { SimulatorClock } from '../clock.ts'

/** One open session of a BMC. Times are the clock's milliseconds. */
export interface Session {
  readonly id: string
  readonly token: string
  readonly userName: string
  readonly openedAt: number
  lastUsedAt: number
}

/**
 * The session table of one BMC: bounded, and each session ends when it was idle for the time-out.
 * Expiry is worked out when somebody looks, so that thousands of BMCs need no timers for it.
 */
export class SessionTable {
  readonly limit: number
  timeoutMs: number
  readonly #clock: SimulatorClock
  readonly #byToken = new Map<string, Session>()
  #nextId = 1

  constructor(options: { clock: SimulatorClock; limit: number; timeoutMs: number }) {
    this.#clock = options.clock
    this.limit = options.limit
    this.timeoutMs = options.timeoutMs
  }

  /** The sessions that are open now, the oldest first. */
  list(): readonly Session[] {
    for (const session of this.#byToken.values()) this.#dropExpired(session)
    return [...this.#byToken.values()]
  }

  /** Opens one; undefined when the table is full. */
  open(userName: string): Session | undefined {
    if (this.#byToken.size >= this.limit && this.list().length >= this.limit) return undefined
    const now = this.#clock.now()
    const session = { id: String(this.#nextId++), token: randomBytes(16).toString('hex'), userName, openedAt: now, lastUsedAt: now }
    this.#byToken.set(session.token, session)
    return session
  }

  /** The session of a token, which thereby stays alive; undefined when it is unknown or has expired. */
  use(token: string): Session | undefined {
    const session = this.#byToken.get(token)
    if (session === undefined || this.#dropExpired(session)) return undefined
    session.lastUsedAt = this.#clock.now()
    return session
  }

  /** Finds a session by its id. */
  find(id: string): Session | undefined {
    return this.list().find(session => session.id === id)
  }

  /** Ends a session; false when there is none. */
  close(id: string): boolean {
    const session = this.find(id)
    return session !== undefined && this.#byToken.delete(session.token)
  }

  /** Ends all, as a reboot of the BMC does. */
  clear(): void {
    this.#byToken.clear()
  }

  #dropExpired(session: Session): boolean {
    return this.#clock.now() - session.lastUsedAt >= this.timeoutMs && this.#byToken.delete(session.token)
  }
}
