/**
 * Time as an argument, so that every wait can be tested in virtual time.
 * `now` is wall-clock milliseconds since the epoch (for people and records); `mono` is a monotonic millisecond count of this process,
 * and the only one that dwell times and delays are measured on.
 */
export interface Clock {
  now(): number
  mono(): number
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A moment as one process saw it. A different `process` means that `mono` can't be compared and the wait counts again from the start (S23). */
export interface Moment {
  process: string
  mono: number
  wall: number
}

/** RFC 3339 text of a wall-clock time in milliseconds. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString()
}

/** The clock of this machine. A sleep keeps the process alive until it ends or is aborted. */
export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }, ms)
      const stop = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', stop, { once: true })
    }),
}
