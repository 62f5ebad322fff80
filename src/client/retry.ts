import type { SafestateClient } from './client.ts'
import { GatewayAwayError, ProblemError } from './problem.ts'

/** How long and how loudly to go on when the gateway is away. */
export interface Patience {
  signal?: AbortSignal | undefined
  /** The moment (client.clock.mono, ms) after which nothing is tried again. */
  until: number
  /** Told of each failure that is tried again, with the pause in ms before the next try. */
  onTrouble?: ((error: GatewayAwayError | ProblemError, pauseMs: number) => void) | undefined
}

const FIRST_MS = 250
const MAX_MS = 5_000

/**
 * Repeats `work` while the gateway is away or says that the same request can succeed later (503, 429, a proxy's 502 and 504), with growing, spread
 * pauses (a gateway's Retry-After is honoured), until `until`; then rejects with the last error. `work` must be safe to repeat: a read, or a write
 * with an Idempotency-Key.
 */
export async function patiently<T>(client: SafestateClient, work: () => Promise<T>, { signal, until, onTrouble }: Patience): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (!passes(error)) throw error
      const spread = 0.5 + client.random() / 2
      const asked = error instanceof ProblemError ? (error.problem.retryAfter ?? 0) * 1000 : 0
      const pause = Math.max(Math.min(FIRST_MS * 2 ** Math.min(tries, 10), MAX_MS) * spread, asked)
      if (client.clock.mono() + pause >= until) throw error
      onTrouble?.(error, pause)
      await client.clock.sleep(pause, signal)
    }
  }
}

/** Whether a failure may be over soon. */
function passes(error: unknown): error is GatewayAwayError | ProblemError {
  if (error instanceof GatewayAwayError) return error.retryable
  return error instanceof ProblemError && error.retryable && (error.status >= 500 || error.status === 429)
}
