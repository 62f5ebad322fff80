import type { ClientClock } from '../client/clock.ts'

/** A stream to write to, as far as the commands need to know it. */
export interface Output {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

/** Everything outside that a command touches, so that commands run in tests as they run in a shell. */
export interface Cli {
  env: Record<string, string | undefined>
  /** Standard input; `isTTY` where a person types. */
  stdin: AsyncIterable<Uint8Array | string> & { isTTY?: boolean }
  stdout: Output
  stderr: Output
  clock: ClientClock
  fetch: (request: Request) => Promise<Response>
  /** A new Idempotency-Key. */
  newKey: () => string
  /** Who asks, for reasons that were not given: `ana@console1`. */
  user: () => string
  /** Calls the listener when the person (or the system) asks the command to stop; returns how to stop listening. */
  onInterrupt: (listener: (signal: 'SIGINT' | 'SIGTERM') => void) => () => void
}

/** Writes one line to standard output. */
export function say(cli: Cli, line: string): void {
  cli.stdout.write(`${line}\n`)
}

/** Writes one line to standard error: for people, never part of a result. */
export function note(cli: Cli, line: string): void {
  cli.stderr.write(`${line}\n`)
}

/** Writes a result for programs. */
export function sayJson(cli: Cli, value: unknown): void {
  cli.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
