import type { Clock } from './clock.ts'
import type { DriverError } from './errors.ts'
import type { CommandReply, Hardware, Observation, RunningDraw } from './evidence.ts'
import type { CipherSuite, Command, DriverKind, Mechanism, Power, RestorePolicy } from './power.ts'
import type { Secret } from './secret.ts'
import type { Device } from './topology.ts'

/** A log-in, opened from the vault only at the start of a session. */
export interface Credential {
  username: string
  password: Secret
  /** IPMI's BMC key (Kg), where the BMC has one. */
  kg?: Secret
}

/** Limits of one exchange with a device (INTERFACES, "Defaults"). */
export interface ExchangeLimits {
  exchangeMs: number
  connectMs: number
  /** A command's sockets are destroyed at this age (S3). */
  commandTtlMs: number
  answerBytes: number
  answerDepth: number
}

/** What a driver is given to work with; nothing else reaches it. */
export interface DriverContext {
  clock: Clock
  limits: ExchangeLimits
  /** Opens the device's credential; called right before each log-in, and at no other time. Waits for its turn; throws `auth_failed` where no log-in may be tried now. */
  credential(): Promise<Credential>
  /** How many log-ins with the credential opened last may still fail before the breaker opens; at least 1. A driver that tries more than once keeps to it. */
  logInsLeft?(): number
  /** Told of each log-in that succeeded: others need not wait for the end of the call then. */
  loggedIn?(): void
  /** Told of failed log-ins that the call itself does not throw (`Driver.closeSession`): the breaker counts them too. */
  logInFailed?(error: DriverError): void
}

/** One device's way to log in, past the breaker of its BMC's account. */
export interface LogInGate {
  context: Required<Pick<DriverContext, 'credential' | 'logInsLeft' | 'loggedIn' | 'logInFailed'>>
  /** Runs one exchange that may log in. The failed log-ins that its error tells of are counted, whoever gave it up and why. */
  run<T>(work: () => Promise<T>): Promise<T>
}

/**
 * The breaker that everybody who logs in anywhere shares. `credential` opens the device's log-in. `spares`: the last failure that an account may have is not
 * for this device, unless its password is known to work.
 */
export interface LogIns {
  gate(device: Device, credential: () => Promise<Credential>, spares?: boolean): LogInGate
  /** A person gave the registered device its credential anew, the same one perhaps (the account was unlocked): its failures so far count no more. */
  corrected(device: string): void
}

/** What it takes to close a session from another process (S3): plain text here, sealed by the caller before it is stored. */
export interface SessionTicket {
  /** A name for the session that is not secret: shown in evidence. */
  id: string
  /** JSON that `Driver.closeSession` understands, or null where this session can't be closed from outside (Basic): then waits apply. */
  closing: Secret | null
  /** What the machine draws while it is on, where the driver saw it: given to `observe` by whoever reads for this command, in whichever process. */
  draw?: RunningDraw
}

/** What a device offers, as found by a probe. `refusals` says, per command, why it would not be sent. */
export interface Probe {
  hardware: Hardware
  power: Power
  /** e.g. `HPE iLO 5 v2.72`: for people. */
  product: string
  systemId: string
  /** Other systems behind the same controller, with the reason why each was not chosen. */
  others: { id: string; reason: string }[]
  commands: { on: string | null; off: string | null }
  refusals: { command: Command; reason: string }[]
  witnesses: string[]
  session: 'session' | 'basic'
  /** SHA-256 of the certificate seen, where TLS is used. */
  fingerprint?: string
  /** The IPMI cipher suite that worked, where IPMI is used. */
  cipherSuite?: CipherSuite
  /** What else the device offers, what of it is used, and what would be refused, with the reason: for people. */
  offers: { name: string; use: 'used' | 'unused' | 'refused'; reason: string }[]
  /** What it does when mains power returns; null where it can't be set (S7). */
  restorePolicy: RestorePolicy | null
  warnings: string[]
}

/** An open (or lazily opened) conversation with one device. Not shared between leases' holders: one exchange at a time. */
export interface DriverSession {
  /** Logs in where needed and says what a command over this session would need to be settled. Throws DriverError. */
  ticket(signal: AbortSignal): Promise<SessionTicket>
  /** One fresh read. May log in again. Throws DriverError; a read that fails is never `off`. `draw`: that of the last command's ticket, if any. */
  observe(signal: AbortSignal, draw?: RunningDraw): Promise<Observation>
  /** Nothing is written after `expiresAtMono` (this process's clock: the intent's moment and its time to live), and sockets are destroyed then. Sends the command once, over the session that `ticket` named and no other: a lost session is an answer, not a reason to log in again. Never throws. */
  request(command: Command, signal: AbortSignal, expiresAtMono: number): Promise<CommandReply>
  /**
   * Sets what the machine does when mains power returns, and reads it back (S7). No power command: it may be repeated. Returns what was set before,
   * or null where the machine has no such setting or refuses to change it. Throws DriverError where it can't be asked.
   */
  setRestorePolicy(policy: RestorePolicy, signal: AbortSignal): Promise<RestorePolicy | null>
  /** Logs out and destroys the sockets. Never throws. Says whether the session is known to be closed at the device. */
  close(): Promise<'closed' | 'unknown'>
}

/** One kind of device. A driver observes and requests; it never concludes. */
export interface Driver {
  kind: DriverKind
  mechanism: Mechanism
  /** One line for people. */
  title: string
  /** Checks an address; returns the endpoint that a lease covers (one BMC with all its systems), or throws a `bad_address` DriverError. */
  endpoint(address: string): string
  /** Refuses, before anything is contacted, what the protocol can't carry: throws a `bad_credential` DriverError that names the fields. */
  checkCredential?(credential: Credential): void
  open(device: Device, context: DriverContext): DriverSession
  /** First contact: discovery, identity, what would be refused. Throws DriverError. */
  probe(device: Device, context: DriverContext, signal: AbortSignal): Promise<Probe>
  /** Closes an earlier actor's session with nothing but its ticket (S3). `unknown`: the caller has to wait instead. Never throws. */
  closeSession(device: Device, closing: Secret, context: DriverContext, signal: AbortSignal): Promise<'closed' | 'unknown'>
}
