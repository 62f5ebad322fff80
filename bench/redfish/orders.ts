/** One BMC, as a client is told of it. `system` is the path of the System to read and to switch. */
export interface Target {
  readonly name: string
  readonly url: string
  readonly system: string
  readonly username: string
  readonly password: string
}

/** When an off is concluded: consecutive reads of off, so far apart, over such a dwell; read every `pollMs`. */
export interface ConfirmRule {
  readonly reads: number
  readonly spacingMs: number
  readonly dwellMs: number
  readonly pollMs: number
}

/**
 * What a client is told to do, one JSON line each. `n` works on the first n BMCs, all at once as far as the client can. `open` logs in everywhere
 * and reads once. `reuse` is gofish's ReuseConnections.
 */
export type Order =
  | { op: 'open'; targets: readonly Target[]; auth: 'session' | 'basic'; reuse?: boolean }
  | { op: 'status'; n: number; sweeps: number }
  | { op: 'off'; n: number; rules: ConfirmRule }
  | { op: 'close' }

/** What a client answers, one JSON line for each order. */
export interface Result {
  /** User and system time of the client's process (of the agent's processes for fence_redfish) in what was measured. */
  readonly cpuMs: number
  readonly wallMs: number
  /** How long after the beginning of its burst each operation ended. */
  readonly ms: readonly number[]
  /** What went wrong, one text an operation. */
  readonly failed: readonly string[]
}
