import type { Clock, Moment } from '../core/clock.ts'
import type { Settlement } from '../core/job.ts'

/**
 * Puts other processes' moments on this one's clock. Another process's monotonic time can't be compared, so a settlement of its counts from when
 * this process first saw it (S23): a little later than true, never earlier. `sweep` at the start makes "first seen" the start for all there are.
 */
export class Delays {
  readonly #process: string
  readonly #clock: Clock
  readonly #seen = new Map<string, number>()

  constructor(process: string, clock: Clock) {
    this.#process = process
    this.#clock = clock
  }

  /** Notes all settlements that there are, at the start of the process. */
  sweep(endpoints: { settled: { on?: Settlement; off?: Settlement } }[]): void {
    for (const { settled } of endpoints) {
      for (const settlement of [settled.on, settled.off]) if (settlement) this.monoOf(settlement.id, settlement.at)
    }
  }

  /** When it happened, in this process's monotonic ms. `id` tells one event from the next. */
  monoOf(id: string, at: Moment): number {
    if (at.process === this.#process) return at.mono
    const known = this.#seen.get(id)
    if (known !== undefined) return known
    const now = this.#clock.mono()
    this.#seen.set(id, now)
    return now
  }

  /** A moment of this process, now. */
  now(): Moment {
    return { process: this.#process, mono: this.#clock.mono(), wall: this.#clock.now() }
  }
}
