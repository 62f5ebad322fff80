import type { Redis } from 'ioredis'
import type { Documents, PlacedEvent, StoreHealth, Transaction } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import { Barrier } from './barrier.ts'
import { commitScript, commitSha, encode, type Keys, keysOf } from './commit.ts'
import { connected, type Endpoint, failFast, listening } from './connect.ts'
import { parseCursor } from './cursor.ts'
import { Draft, documentName, fromText, type Stored } from './draft.ts'
import { isUnknownScript, unavailable } from './failure.ts'
import { EventReader, newestCursor, placed, readBlockMs, SignalReader } from './news.ts'
import { transact } from './transact.ts'

/** How a Redis is used as the store. */
export interface RedisStoreOptions {
  health: StoreHealth
  /** Starts all keys and must hold a hash tag. Default `{safestate}`. */
  prefix?: string
  /** How a commit becomes durable beyond the server's own AOF: by `SAVE` (embedded), or once so many replicas have it. */
  flush?: 'save' | { replicas: number; timeoutMs: number }
  /** The server is given up after this much silence, in ms. Default 5000. */
  answerMs?: number
  /** Chance in [0, 1) for the pauses between conflicts. Default `Math.random`. */
  random?: () => number
}

/** The store port on Redis ≥ 6.2 or Valkey. Made by `openRedisStore`. */
export class RedisStore implements Documents {
  readonly health: StoreHealth
  readonly #redis: Redis
  readonly #keys: Keys
  readonly #events: EventReader
  readonly #signals: SignalReader
  readonly #barrier: Barrier | undefined
  readonly #replicated: boolean
  readonly #random: () => number
  /** Counts connections: what was read over an earlier one may come from another server (fail-over), whose revisions mean nothing here. */
  #connection = 0
  /** How many transactions wait after a conflict. */
  #waiting = 0

  constructor(redis: Redis, events: EventReader, signals: SignalReader, keys: Keys, options: RedisStoreOptions) {
    this.health = options.health
    this.#redis = redis
    this.#events = events
    this.#signals = signals
    this.#keys = keys
    this.#random = options.random ?? Math.random
    this.#replicated = typeof options.flush === 'object'
    const { flush } = options
    if (flush) this.#barrier = new Barrier(() => (flush === 'save' ? this.#save() : this.#replicate(flush.replicas, flush.timeoutMs)))
    redis.on('close', () => {
      this.#connection++
    })
  }

  async transact<T>(body: (tx: Transaction) => Promise<T>, options: { durable?: boolean } = {}): Promise<T> {
    const durable = options.durable ?? true
    const connections = new WeakMap<Draft, number>()
    const current = (draft: Draft): boolean => connections.get(draft) === this.#connection
    return transact(
      {
        begin: async () => {
          const connection = this.#connection
          const draft = new Draft(await this.time(), names => this.#read(names))
          connections.set(draft, connection)
          return draft
        },
        commit: async draft => current(draft) && (await this.#commit(draft, durable)),
        stands: async draft => current(draft) && (await this.#run(draft, true)),
        pause: attempt => this.#fallOutOfStep(attempt),
      },
      body,
    )
  }

  async get<T>(kind: string, id: string): Promise<T | undefined> {
    return (await this.getMany<T>(kind, [id]))[0]
  }

  async getMany<T>(kind: string, ids: string[]): Promise<(T | undefined)[]> {
    if (ids.length === 0) return []
    const found = await this.#ask(() => this.#read(ids.map(id => documentName(kind, id))))
    return found.map(({ text }) => fromText<T>(text))
  }

  async byScore(index: string, min: number, max: number, limit: number): Promise<string[]> {
    if (limit <= 0) return []
    return this.#ask(() => this.#redis.zrangebyscore(this.#keys.index(index), bound(min), bound(max), 'LIMIT', 0, limit))
  }

  async byMember(index: string, options: { after?: string; limit: number; reverse?: boolean }): Promise<string[]> {
    const { after, limit, reverse } = options
    if (limit <= 0) return []
    const key = this.#keys.index(index)
    const from = after === undefined ? undefined : `(${after}`
    return this.#ask(() =>
      reverse
        ? this.#redis.zrevrangebylex(key, from ?? '+', '-', 'LIMIT', 0, limit)
        : this.#redis.zrangebylex(key, from ?? '-', '+', 'LIMIT', 0, limit),
    )
  }

  async count(index: string): Promise<number> {
    return this.#ask(() => this.#redis.zcard(this.#keys.index(index)))
  }

  async eventsAfter(cursor: string, limit: number): Promise<PlacedEvent[]> {
    parseCursor(cursor)
    if (limit <= 0) return []
    return placed(await this.#ask(() => this.#redis.xrange(this.#keys.events, `(${cursor}`, '+', 'COUNT', limit)))
  }

  async lastCursor(): Promise<string> {
    return this.#ask(() => newestCursor(this.#redis, this.#keys))
  }

  onEvent(listener: (event: PlacedEvent) => void): () => void {
    return this.#events.listeners.add(listener)
  }

  onSignal(channel: string, listener: (message: string) => void): () => void {
    return this.#signals.add(channel, listener)
  }

  async time(): Promise<number> {
    const [seconds, micros] = await guarded(() => this.#redis.time())
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  }

  async ping(): Promise<void> {
    await this.#probe()
    await this.#barrier?.reach()
  }

  async close(): Promise<void> {
    this.#signals.close()
    await this.#events.close()
    this.#redis.disconnect()
  }

  /** Waits by chance, the longer the more wait here: so about one of all who want the same document tries at a time. */
  async #fallOutOfStep(attempt: number): Promise<void> {
    if (attempt <= 3) return
    this.#waiting++
    const longest = Math.min(2000, Math.max(Math.min(attempt, 25), this.#waiting * 2))
    await new Promise(resolve => setTimeout(resolve, this.#random() * longest))
    this.#waiting--
  }

  /** Reads together what was asked for together; all of it was true at one moment. */
  async #read(names: string[]): Promise<Stored[]> {
    const texts = await guarded(() => this.#redis.mget(names.map(this.#keys.document)))
    return texts.map(text => {
      if (text === null) return { revision: 0, text: undefined }
      const space = text.indexOf(' ')
      return { revision: Number(text.slice(0, space)), text: text.slice(space + 1) }
    })
  }

  /** A read outside of transactions: it reveals nothing that is not durable yet. */
  async #ask<T>(read: () => Promise<T>): Promise<T> {
    const answer = await guarded(read)
    await this.#barrier?.revealed()
    return answer
  }

  async #commit(draft: Draft, durable: boolean): Promise<boolean> {
    const barrier = this.#barrier
    if (!durable || !barrier) return this.#apply(draft)
    if (!draft.writes && !this.#replicated) {
      const stood = await this.#apply(draft)
      if (stood) await barrier.revealed()
      return stood
    }
    return barrier.covering(async () => {
      if (!(await this.#apply(draft))) return false
      // What was read may be another process's commit that the replicas don't have yet. WAIT waits for our own last write, so there must be one.
      if (!draft.writes) await this.#probe()
      await barrier.reach()
      return true
    })
  }

  async #apply(draft: Draft): Promise<boolean> {
    return draft.looks || this.#run(draft, false)
  }

  /**
   * Runs the script. Where the connection breaks meanwhile, nobody knows whether it was applied: this rejects, and must never send it again by
   * itself. NOSCRIPT is sure not to have been applied.
   */
  async #run(draft: Draft, compareOnly: boolean): Promise<boolean> {
    const { names, args } = encode(draft, this.#keys, compareOnly)
    const connection = this.#connection
    return guarded(async () => {
      try {
        return (await this.#redis.evalsha(commitSha, names.length, ...names, ...args)) === 1
      } catch (error) {
        if (!isUnknownScript(error)) throw error
        if (connection !== this.#connection) return false
        return (await this.#redis.eval(commitScript, names.length, ...names, ...args)) === 1
      }
    })
  }

  async #probe(): Promise<void> {
    await guarded(() => this.#redis.set(this.#keys.probe, '1'))
  }

  async #save(): Promise<void> {
    await guarded(() => this.#redis.save())
  }

  async #replicate(replicas: number, timeoutMs: number): Promise<void> {
    const reached = await guarded(() => this.#redis.wait(replicas, timeoutMs))
    if (reached < replicas) {
      throw new SafestateError('store_unavailable', `the change reached ${reached} of ${replicas} replicas of the store in ${timeoutMs} ms`)
    }
  }
}

/** Connects to the server at `endpoint` and resolves once reads, commits, events and signals work; else rejects with `store_unavailable`. */
export async function openRedisStore(endpoint: Endpoint, options: RedisStoreOptions): Promise<RedisStore> {
  const keys = keysOf(options.prefix ?? '{safestate}')
  const redis = failFast(endpoint, options.answerMs ?? 5000)
  const forEvents = listening(endpoint, readBlockMs * 2)
  const forSignals = listening(endpoint)
  try {
    await Promise.all([redis, forEvents, forSignals].map(connected))
    const events = new EventReader(forEvents, keys)
    const signals = new SignalReader(forSignals, keys)
    await Promise.all([events.start(), signals.start()])
    return new RedisStore(redis, events, signals, keys, options)
  } catch (error) {
    for (const one of [redis, forEvents, forSignals]) one.disconnect()
    throw unavailable(error)
  }
}

/** Runs what asks the client; its failures become `store_unavailable`. */
async function guarded<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw unavailable(error)
  }
}

function bound(score: number): string {
  return score === Infinity ? '+inf' : score === -Infinity ? '-inf' : String(score)
}
