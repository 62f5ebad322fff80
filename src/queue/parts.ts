import type { Clock } from '../core/clock.ts'
import type { Command, Power } from '../core/power.ts'
import type { Signer } from '../core/receipt.ts'
import type { Rules } from '../core/rules.ts'
import type { Secret } from '../core/secret.ts'
import type { Reads, Store } from '../core/store.ts'
import type { Device } from '../core/topology.ts'
import type { Vault } from '../core/vault.ts'
import type { Issuer } from '../fencing/receipt.ts'
import type { Delays } from './delays.ts'
import type { Sessions } from './sessions.ts'

/** What the runner counts; prom-client in the gateway, nothing in tests. */
export interface RunnerMetrics {
  read(driver: string, power: Power): void
  miss(code: string): void
  command(driver: string, command: Command, reply: string): void
  ended(action: string, state: string, code: string, seconds: number): void
}

/** Everything a run of a job stands on: all of it comes in as an argument. */
export interface RunnerParts {
  store: Store
  reads: Reads
  vault: Vault
  signer: Signer
  issuer: Issuer
  rules: Rules
  clock: Clock
  /** This process's name: a different one can't compare monotonic times (S23). */
  process: string
  delays: Delays
  sessions: Sessions
  metrics: RunnerMetrics
  newId(): string
  /** Closes another actor's session with its ticket alone (S3). Never throws. */
  closeSession(device: Device, closing: Secret, signal: AbortSignal): Promise<'closed' | 'unknown'>
  /** Told about what a person should know; never secrets. */
  log(level: 'info' | 'warn' | 'error', facts: object, message: string): void
}
