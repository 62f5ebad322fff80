import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Credential, DriverContext, LogInGate, LogIns } from '../core/driver.ts'
import { DriverError } from '../core/errors.ts'
import type { Rules } from '../core/rules.ts'
import type { Device } from '../core/topology.ts'

/** One log-in that a BMC refused. */
interface Failure {
  mono: number
  device: string
  address: string
  proof: string
}

/** Whose turn it is to log in. */
interface Turn {
  gate: Gate
  since: number
  over: Promise<void>
  end(): void
}

/** One account of one BMC: BMCs lock accounts. All protocols of the BMC share it. */
interface Account {
  failures: Failure[]
  /** What logged in last, and did not fail since. */
  proven?: string
  turn?: Turn
}

/** What log-ins go by. */
interface Parts {
  clock: Clock
  rules: Rules
}

/**
 * The breaker before every log-in of this process. BMCs lock accounts, so no account of a BMC sees more than two failed log-ins in five minutes
 * (`rules.login`), but for a person who corrects the credential of a registered device, which is tried at once. Two things keep that true: log-ins
 * of one account go one after the other, so that each knows what became of the one before, and a driver that tries more than once keeps to
 * `logInsLeft`. An open session is not touched: who is logged in goes on.
 *
 * While a user name and password that logged in last are known to be right, the last failure is theirs: whatever else is tried with that user name (a
 * registration with a typing error, another device's stale password) may fail once, so that a fence can still log in, and the sum stays two. So may what a
 * registration or a probe tries where other devices are registered: this process may just not have logged in for them yet.
 */
export class Breaker implements LogIns {
  readonly #parts: Parts
  readonly #accounts = new Map<string, Account>()
  /** Passwords are compared by their digest under a key that nobody else has: nothing here can give one away. */
  readonly #key = randomBytes(32)
  readonly #refusals = new WeakSet<Error>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  gate(device: Device, credential: () => Promise<Credential>, spares = false): Gate {
    return new Gate(this, device, credential, spares)
  }

  corrected(device: string): void {
    for (const account of this.#accounts.values()) account.failures = account.failures.filter(one => one.device !== device)
  }

  /** Names a user name with its password, for this process. */
  proofOf({ username, password }: Credential): string {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([username, password.reveal()]))
      .digest('hex')
  }

  account(endpoint: string, username: string): Account {
    const key = JSON.stringify([endpoint, username])
    const account = this.#accounts.get(key) ?? { failures: [] }
    this.#accounts.set(key, account)
    return account
  }

  /** Resolves with the gate's turn to log in; the caller has opened the account. Throws `auth_failed` where no log-in may be tried now. */
  async enter(gate: Gate, account: Account, proof: string): Promise<void> {
    const { clock, rules } = this.#parts
    const longest = rules.exchange.connectMs + rules.exchange.exchangeMs
    while (account.turn !== undefined && account.turn.gate !== gate) {
      // Longer than that no log-in takes: what goes on is an exchange of somebody who does not tell that he is in.
      const rest = account.turn.since + longest - clock.mono()
      if (rest <= 0) break
      const stop = new AbortController()
      await Promise.race([account.turn.over, clock.sleep(rest, stop.signal)])
      stop.abort()
    }
    if (!gate.isRunning) throw new DriverError('unreachable', 'the log-in was given up before its turn came', { device: gate.device.name })
    this.#check(gate, account, proof)
    let end: () => void = () => undefined
    const over = new Promise<void>(resolve => {
      end = resolve
    })
    account.turn?.end()
    account.turn = { gate, since: clock.mono(), over, end }
  }

  /** How many log-ins may still fail; never less than 1: whether any is tried at all is for `enter` to say. */
  left(gate: Gate, account: Account, proof: string): number {
    return Math.max(1, this.#limit(gate, account, proof) - this.#recent(gate.device, account, proof).length)
  }

  /** Counts failed log-ins, as many as the error stands for, once for each error; the breaker's own refusals are none. */
  failed(device: Device, account: Account, proof: string, error: DriverError): void {
    const count = error.facts.logIns ?? (error.code === 'auth_failed' ? 1 : 0)
    if (count === 0 || this.#refusals.has(error)) return
    this.#refusals.add(error)
    if (account.proven === proof) delete account.proven
    const one: Failure = { mono: this.#parts.clock.mono(), device: device.name, address: device.address, proof }
    account.failures = [...account.failures, ...Array<Failure>(count).fill(one)]
  }

  #limit({ spares }: Gate, { proven }: Account, proof: string): number {
    const { failures } = this.#parts.rules.login
    return proven === proof || (proven === undefined && !spares) ? failures : failures - 1
  }

  /**
   * What counts. A registered device that was given another credential or address since its failures starts afresh: a person corrected it. Nothing else
   * that changes a device (pins, suites, notes about its restore policy) says anything about its log-in.
   */
  #recent({ name, address, revision }: Device, account: Account, proof: string): Failure[] {
    const since = this.#parts.clock.mono() - this.#parts.rules.login.windowMs
    account.failures = account.failures.filter(({ mono }) => mono > since)
    const isCorrected = (one: Failure) => revision > 0 && one.device === name && (one.proof !== proof || one.address !== address)
    return account.failures.filter(one => !isCorrected(one))
  }

  #check(gate: Gate, account: Account, proof: string): void {
    const { device } = gate
    const recent = this.#recent(device, account, proof)
    const limit = this.#limit(gate, account, proof)
    if (recent.length < limit) return
    const { failures, windowMs } = this.#parts.rules.login
    const waitMs = Math.max(0, (recent.at(-limit)?.mono ?? 0) + windowMs - this.#parts.clock.mono())
    const why = limit < failures ? ', and the last that may fail is kept for devices that work' : ''
    const failed = recent.length === 1 ? '1 log-in' : `${recent.length} log-ins`
    const message = `${failed} of this user at ${device.endpoint} failed${why}; none is tried for another ${Math.ceil(waitMs / 1000)} s`
    const refusal = new DriverError('auth_failed', message, { device: device.name, retryAfterMs: waitMs })
    this.#refusals.add(refusal)
    throw refusal
  }
}

/** See {@link LogInGate}. */
export class Gate implements LogInGate {
  /** As it was read last. */
  device: Device
  readonly spares: boolean
  readonly context: Required<Pick<DriverContext, 'credential' | 'logInsLeft' | 'loggedIn' | 'logInFailed'>>
  readonly #breaker: Breaker
  readonly #open: () => Promise<Credential>
  #runs = 0
  #last: { account: Account; proof: string } | undefined

  constructor(breaker: Breaker, device: Device, open: () => Promise<Credential>, spares: boolean) {
    this.spares = spares
    this.#breaker = breaker
    this.device = device
    this.#open = open
    this.context = {
      credential: () => this.#enter(),
      logInsLeft: () => (this.#last === undefined ? 1 : breaker.left(this, this.#last.account, this.#last.proof)),
      loggedIn: () => {
        if (this.#last === undefined) return
        this.#last.account.proven = this.#last.proof
        this.#leave()
      },
      logInFailed: error => this.#failed(error),
    }
  }

  get isRunning(): boolean {
    return this.#runs > 0
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#runs++
    try {
      return await work()
    } catch (error) {
      this.#failed(error)
      throw error
    } finally {
      this.#runs--
      if (this.#runs === 0) this.#leave()
    }
  }

  async #enter(): Promise<Credential> {
    const credential = await this.#open()
    const account = this.#breaker.account(this.device.endpoint, credential.username)
    const proof = this.#breaker.proofOf(credential)
    if (this.#last?.account !== account) this.#leave()
    await this.#breaker.enter(this, account, proof)
    this.#last = { account, proof }
    return credential
  }

  #failed(error: unknown): void {
    if (!(error instanceof DriverError) || this.#last === undefined) return
    this.#breaker.failed(this.device, this.#last.account, this.#last.proof, error)
  }

  #leave(): void {
    const { account } = this.#last ?? {}
    if (account?.turn?.gate !== this) return
    account.turn.end()
    delete account.turn
  }
}
