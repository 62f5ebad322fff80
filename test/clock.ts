import type { Clock } from '../src/core/clock.ts'

interface Timer {
  at: number
  order: number
  fire: () => void
}

/**
 * Virtual time: nothing passes but by `run`. Timers fire in the order of their times, and between two of them everything that can go on without
 * time goes on first, so that the same schedule gives the same history each time.
 */
export class VirtualTime implements Clock {
  #now: number
  #order = 0
  #timers: Timer[] = []
  /** Called whenever everything has come to rest: before each step of time. */
  atRest: () => void = () => {}

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  mono(): number {
    return this.#now
  }

  /** Runs `fire` in `ms`; returns how to call it off. */
  after(ms: number, fire: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, fire }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(one => one !== timer)
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const stop = (): void => {
        callOff()
        reject(signal?.reason)
      }
      const callOff = this.after(ms, () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      })
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  /** Another process's clock: the same wall, a monotonic count of its own, so that times of two processes can't be mixed up unseen. */
  clockOf(monoOffset: number): Clock {
    return { now: () => this.#now, mono: () => this.#now + monoOffset, sleep: (ms, signal) => this.sleep(ms, signal) }
  }

  /** Lets everything go on that needs no time. */
  async rest(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    this.atRest()
  }

  /** Lets `ms` pass, or less: until `done` says so. False: the time ran out first. */
  async run(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const end = this.#now + ms
    for (;;) {
      await this.rest()
      if (done()) return true
      const next = this.#timers.reduce<Timer | undefined>(
        (first, timer) => (first && (first.at < timer.at || (first.at === timer.at && first.order < timer.order)) ? first : timer),
        undefined,
      )
      if (!next || next.at > end) break
      this.#timers = this.#timers.filter(timer => timer !== next)
      this.#now = Math.max(this.#now, next.at)
      next.fire()
    }
    this.#now = end
    await this.rest()
    return done()
  }
}
