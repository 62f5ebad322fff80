import type { Clock } from '../core/clock.ts'

/** Runs `work` with a signal that also fires after `ms`, on our own clock. */
export async function limited<T>(clock: Clock, ms: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController()
  const done = new AbortController()
  clock.sleep(ms, done.signal).then(
    () => late.abort(new Error(`given up after ${ms} ms`)),
    () => undefined,
  )
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } finally {
    done.abort()
  }
}
