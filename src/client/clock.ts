/**
 * Time as an argument, so that waiting can be tested in virtual time. `now` is wall-clock ms since the epoch (for people), `mono` a monotonic
 * ms count of this process (for limits). The gateway's own clock has the same shape; the client depends on nothing of the gateway.
 */
export interface ClientClock {
  now(): number
  mono(): number
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The clock of this machine. A sleep keeps the process alive until it ends or is aborted. */
export const systemClock: ClientClock = {
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
