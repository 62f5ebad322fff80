import type { Redis } from 'ioredis'
import type { PlacedEvent } from '../core/documents.ts'
import type { Keys } from './commit.ts'
import { unavailable } from './failure.ts'
import { Listeners } from './listeners.ts'

type Entries = [cursor: string, fields: string[]][]

/** How long one XREAD waits for an event: shorter than the silence after which its connection is given up. */
export const readBlockMs = 5000

/** Entries of the stream as events. */
export function placed(entries: Entries): PlacedEvent[] {
  return entries.map(([cursor, fields]) => ({ ...(JSON.parse(fields[1] ?? '{}') as Omit<PlacedEvent, 'cursor'>), cursor }))
}

/** The newest cursor of the stream, or `0-0`. */
export async function newestCursor(redis: Redis, keys: Keys): Promise<string> {
  return (await redis.xrevrange(keys.events, '+', '-', 'COUNT', 1))[0]?.[0] ?? '0-0'
}

/** Hands every event on to the listeners, at least once and in order: one blocking XREAD, which resumes from the last cursor after each failure. */
export class EventReader {
  readonly listeners = new Listeners<PlacedEvent>()
  readonly #redis: Redis
  readonly #keys: Keys
  #cursor = '0-0'
  #closed = false
  #done: Promise<void> = Promise.resolve()

  /** `redis` is this reader's own, connected. */
  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  /** Resolves when no event committed from now on can be missed. */
  async start(): Promise<void> {
    try {
      this.#cursor = await newestCursor(this.#redis, this.#keys)
    } catch (error) {
      throw unavailable(error)
    }
    this.#done = this.#run()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.listeners.clear()
    this.#redis.disconnect()
    await this.#done
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        const answer = await this.#redis.xread('COUNT', 500, 'BLOCK', readBlockMs, 'STREAMS', this.#keys.events, this.#cursor)
        for (const event of placed((answer?.[0]?.[1] ?? []) as Entries)) {
          this.#cursor = event.cursor
          this.listeners.tell(event)
        }
      } catch {
        // The client reconnects by itself; commands wait in its queue meanwhile, so this pause only keeps a refusing server from being asked in a loop.
        if (!this.#closed) await new Promise(resolve => setTimeout(resolve, 50))
      }
    }
  }
}

/** Hands signals on: one subscription to all channels from the start, so that who begins to listen misses nothing that is sent from then on. */
export class SignalReader {
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #channels = new Map<string, Listeners<string>>()

  /** `redis` is this reader's own, connected. */
  constructor(redis: Redis, keys: Keys) {
    this.#redis = redis
    this.#keys = keys
  }

  async start(): Promise<void> {
    this.#redis.on('pmessage', (_pattern: string, channel: string, message: string) => this.#channels.get(channel)?.tell(message))
    // After each reconnect; where that breaks again, the next one repeats it.
    this.#redis.on('ready', () => void this.#redis.psubscribe(this.#keys.channel('*')).catch(() => undefined))
    try {
      await this.#redis.psubscribe(this.#keys.channel('*'))
    } catch (error) {
      throw unavailable(error)
    }
  }

  add(channel: string, listener: (message: string) => void): () => void {
    const name = this.#keys.channel(channel)
    const listeners = this.#channels.get(name) ?? new Listeners<string>()
    this.#channels.set(name, listeners)
    return listeners.add(listener)
  }

  close(): void {
    this.#channels.clear()
    this.#redis.disconnect()
  }
}
