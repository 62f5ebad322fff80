/** One BMC under measurement. */
export interface Target {
  readonly host: string
  readonly port: number
}

/** What the clients do: a session per BMC with one read; a read over sessions opened before; off, read until off. */
export type Operation = 'status' | 'kept' | 'off'

/** What our client's process is told; answered with one Result. */
export interface Order {
  readonly op: Operation
  readonly targets: readonly Target[]
  /** How often all targets are read over kept sessions. */
  readonly sweeps?: number
}

/** What came of one measured burst. */
export interface Result {
  /** From the burst's beginning until its last operation had ended, ms. */
  readonly wallMs: number
  /** User and system time of the client's processes, ms. */
  readonly cpuMs: number
  /** Operations that were tried. */
  readonly ops: number
  /** How long each took from the burst's beginning, ms; empty where the client does not say. */
  readonly ms: readonly number[]
  /** What went wrong, one text an operation. */
  readonly failed: readonly string[]
  /** Packets that the client sent; only of ours, which counts them. */
  readonly sent?: number
  /** The highest resident memory of the client's process so far, MB; only where it is one process that says so. */
  readonly rssMb?: number
}

/** User of all BMCs. */
export const USERNAME = 'admin'
/** A password of the benchmark's own BMCs, which are on loopback and gone with it. */
export const PASSWORD = 'bench-only'
/** Between two reads of a machine that is to go off, for all clients that can be told. */
export const POLL_MS = 100
