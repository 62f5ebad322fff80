/**
 * The time that a simulated machine lives in. Tests pass a virtual one, the process of its own passes `systemClock`.
 * `now` is in milliseconds since 1970; a timer may be any value that `clearTimeout` takes back.
 */
export interface SimulatorClock {
  now(): number
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

/** Real time. Its timers keep no process alive: a simulator lives as long as its sockets. */
export const systemClock: SimulatorClock = {
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms).unref(),
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout),
}
