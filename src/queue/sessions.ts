import type { Clock } from '../core/clock.ts'
import type { Credential, Driver, DriverSession } from '../core/driver.ts'
import { DriverError } from '../core/errors.ts'
import type { Rules } from '../core/rules.ts'
import type { Device } from '../core/topology.ts'

/** How long a session may lie unused before it is logged out, ms. */
const IDLE_MS = 120_000

/** One log-in that a BMC refused. */
interface FailedLogIn {
  mono: number
  device: string
  revision: number
}

interface Kept {
  session: DriverSession
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
 * only one actor uses it at a time. Log-ins that fail are counted per BMC, over all its protocols: two within the window, and no more are tried
 * (accounts get locked).
 */
export class Sessions {
  readonly #parts: SessionParts
  readonly #kept = new Map<string, Kept>()
  /** By endpoint: accounts belong to the BMC, and its protocols share them. */
  readonly #failures = new Map<string, FailedLogIn[]>()
  readonly #refusals = new WeakSet<Error>()

  constructor(parts: SessionParts) {
    this.#parts = parts
  }

  /** The device's session, opened lazily by its first exchange. Throws `auth_failed` while its log-ins keep failing. */
  get(device: Device): DriverSession {
    this.check(device)
    const kept = this.#kept.get(device.name)
    if (kept && sameReach(kept.device, device)) {
      kept.usedMono = this.#parts.clock.mono()
      return kept.session
    }
    if (kept) void this.drop(device.name)
    const context = {
      clock: this.#parts.clock,
      limits: this.#parts.rules.exchange,
      credential: this.#parts.credentialOf(device.name),
      logInsLeft: () => this.left(device),
    }
    const session = this.#parts.driverOf(device.driver).open(device, context)
    this.#kept.set(device.name, { session, device, usedMono: this.#parts.clock.mono() })
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

  /** Counts failed log-ins, as many as the error stands for; the breaker's own refusals are none. */
  failed(device: Device, error: DriverError): void {
    const count = error.facts.logIns ?? (error.code === 'auth_failed' ? 1 : 0)
    if (count === 0 || this.#refusals.has(error)) return
    const { endpoint, name, revision } = device
    const one = { mono: this.#parts.clock.mono(), device: name, revision }
    this.#failures.set(endpoint, [...this.#recent(device), ...Array<FailedLogIn>(count).fill(one)])
  }

  /** How many log-ins may still fail at this device's BMC; never less than 1: whether any is tried at all is `check`'s to say. */
  left(device: Device): number {
    return Math.max(1, this.#parts.rules.login.failures - this.#recent(device).length)
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

  /** What counts at this device's BMC: a device that was given another address or credential since starts afresh (each change raises its revision). */
  #recent({ endpoint, name, revision }: Device): FailedLogIn[] {
    const since = this.#parts.clock.mono() - this.#parts.rules.login.windowMs
    const recent = (this.#failures.get(endpoint) ?? []).filter(one => one.mono > since && !(one.device === name && one.revision < revision))
    if (recent.length > 0) this.#failures.set(endpoint, recent)
    else this.#failures.delete(endpoint)
    return recent
  }

  /** Throws `auth_failed` while log-ins at this device's BMC keep failing. */
  check(device: Device): void {
    const recent = this.#recent(device)
    const { failures, windowMs } = this.#parts.rules.login
    if (recent.length < failures) return
    const freed = recent.at(-failures)?.mono ?? 0
    const waitMs = Math.max(0, freed + windowMs - this.#parts.clock.mono())
    const { name, endpoint } = device
    const message = `${recent.length} log-ins at ${endpoint} failed; none is tried for another ${Math.ceil(waitMs / 1000)} s`
    const refusal = new DriverError('auth_failed', message, { device: name, retryAfterMs: waitMs })
    this.#refusals.add(refusal)
    throw refusal
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
