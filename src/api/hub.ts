import type { PlacedEvent } from '../core/documents.ts'
import type { GatewayService } from '../core/gateway.ts'

/**
 * One subscription to the store's events for all long-polls and streams of this process. Events are wake-ups here: whoever is woken reads what it wants
 * to know, so that nothing queues up for those who are slow.
 */
export class EventHub {
  readonly #events: Pick<GatewayService['events'], 'listen'>
  readonly #listeners = new Map<string, Set<() => void>>()
  #stop: (() => void) | undefined

  constructor(events: Pick<GatewayService['events'], 'listen'>) {
    this.#events = events
  }

  /** Calls `listener` at each event of this topic and id, or at every event. Returns how to stop. */
  on(what: { topic: PlacedEvent['topic']; id: string } | 'all', listener: () => void): () => void {
    const key = what === 'all' ? 'all' : `${what.topic}:${what.id}`
    const set = this.#listeners.get(key) ?? new Set()
    this.#listeners.set(key, set.add(listener))
    this.#stop ??= this.#events.listen(event => {
      for (const each of [`${event.topic}:${event.id}`, 'all']) for (const wake of [...(this.#listeners.get(each) ?? [])]) wake()
    })
    return () => {
      set.delete(listener)
      if (set.size === 0 && this.#listeners.get(key) === set) this.#listeners.delete(key)
    }
  }

  /** A bell that remembers: `wait` returns at once when it rang since the last `wait` began. */
  bell(what: { topic: PlacedEvent['topic']; id: string } | 'all'): Bell {
    return new Bell(ring => this.on(what, ring))
  }

  /** How many wait now; for tests and metrics. */
  get size(): number {
    return [...this.#listeners.values()].reduce((sum, set) => sum + set.size, 0)
  }

  /** Stops listening. */
  close(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#listeners.clear()
  }
}

/** See `EventHub.bell`. */
export class Bell {
  readonly #unsubscribe: () => void
  #rang = false
  #ring: (() => void) | undefined

  constructor(subscribe: (ring: () => void) => () => void) {
    this.#unsubscribe = subscribe(() => {
      this.#rang = true
      this.#ring?.()
    })
  }

  /** Resolves at the next ring, at once where one is owed, or when `until` does. */
  async wait(until: Promise<unknown>): Promise<void> {
    if (!this.#rang) {
      await Promise.race([
        new Promise<void>(resolve => {
          this.#ring = resolve
        }),
        until,
      ])
    }
    this.#ring = undefined
    this.#rang = false
  }

  /** Stops listening. */
  close(): void {
    this.#unsubscribe()
  }
}
