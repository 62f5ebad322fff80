import type { Clock } from '../core/clock.ts'
import type { Credential, Driver, DriverSession } from '../core/driver.ts'
import type { Rules } from '../core/rules.ts'
import type { Device } from '../core/topology.ts'
import { Breaker, type Gate } from './log-ins.ts'

/** How long a session may lie unused before it is logged out, ms. */
const IDLE_MS = 120_000

interface Kept {
  session: DriverSession
  gate: Gate
  device: Device
  usedMono: number
  /** The log-in over which the identity was last read and found right; a command goes over no other (promise 4). */
  verifiedTicket?: string
}

/** What the sessions stand on. */
export interface SessionParts {
  clock: Clock
  rules: Rules
  driverOf(kind: string): Driver
  credentialOf(device: string): () => Promise<Credential>
}

/**
 * At most one session per device in this process, kept warm between jobs and logged out when idle. The lease of the endpoint sees to it that
 * only one actor uses it at a time.
 */
export class Sessions {
  /** What every log-in of this process goes through. */
  readonly logIns: Breaker
  readonly #parts: SessionParts
  readonly #kept = new Map<string, Kept>()

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.logIns = new Breaker(parts)
  }

  /** The device's session, opened lazily by its first exchange. */
  get(device: Device): DriverSession {
    const kept = this.#kept.get(device.name)
    if (kept && sameReach(kept.device, device)) {
      kept.usedMono = this.#parts.clock.mono()
      kept.gate.device = device
      return kept.session
    }
    if (kept) void this.drop(device.name)
    const gate = this.logIns.gate(device, this.#parts.credentialOf(device.name))
    const context = { clock: this.#parts.clock, limits: this.#parts.rules.exchange, ...gate.context }
    const session = counted(this.#parts.driverOf(device.driver).open(device, context), gate)
    this.#kept.set(device.name, { session, gate, device, usedMono: this.#parts.clock.mono() })
    return session
  }

  /** Notes over which log-in the identity was read and found right. */
  verified(device: string, ticket: string): void {
    const kept = this.#kept.get(device)
    if (kept) kept.verifiedTicket = ticket
  }

  /** Whether the identity was read over this log-in. */
  isVerified(device: string, ticket: string): boolean {
    return this.#kept.get(device)?.verifiedTicket === ticket
  }

  /** Logs out and forgets one session. */
  async drop(device: string): Promise<'closed' | 'unknown'> {
    const kept = this.#kept.get(device)
    this.#kept.delete(device)
    return kept ? kept.session.close() : 'closed'
  }

  /** Logs out what has not been used for a while. */
  async dropIdle(): Promise<void> {
    const before = this.#parts.clock.mono() - IDLE_MS
    const idle = [...this.#kept].filter(([, { usedMono }]) => usedMono < before)
    await Promise.all(idle.map(([device]) => this.drop(device)))
  }

  /** Logs out everywhere. */
  async close(): Promise<void> {
    await Promise.all([...this.#kept.keys()].map(device => this.drop(device)))
  }

  /** How many sessions are kept, for the metrics. */
  get size(): number {
    return this.#kept.size
  }
}

/** The session, with each exchange that may log in run through the gate. */
function counted(session: DriverSession, gate: Gate): DriverSession {
  return {
    ticket: signal => gate.run(() => session.ticket(signal)),
    observe: (...args) => gate.run(() => session.observe(...args)),
    request: (...args) => gate.run(() => session.request(...args)),
    setRestorePolicy: (...args) => gate.run(() => session.setRestorePolicy(...args)),
    close: () => session.close(),
  }
}

/** A device whose address, system, TLS or IPMI settings or identity changed needs a new session. */
function sameReach(a: Device, b: Device): boolean {
  return (
    a.address === b.address &&
    a.systemId === b.systemId &&
    JSON.stringify(a.tls) === JSON.stringify(b.tls) &&
    JSON.stringify(a.ipmi) === JSON.stringify(b.ipmi) &&
    a.hardware?.system === b.hardware?.system
  )
}
