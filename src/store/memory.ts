import type { Clock } from '../core/clock.ts'
import type { Documents, PlacedEvent, StoreHealth, Transaction } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import { comparePlaces, parseCursor } from './cursor.ts'
import { Draft, documentName, fromText, type Stored } from './draft.ts'
import { Listeners } from './listeners.ts'
import { SortedIndex } from './sorted.ts'
import { transact } from './transact.ts'

/** As many events as the real store keeps. */
const mostEvents = 100_000

/** What is in a store in memory. Several `MemoryStore`s on one of these are several gateways on one Redis. */
export class MemoryData {
  readonly documents = new Map<string, { revision: number; text: string }>()
  readonly indexes = new Map<string, SortedIndex>()
  readonly events: PlacedEvent[] = []
  readonly eventListeners = new Listeners<PlacedEvent>()
  readonly signalListeners = new Map<string, Listeners<string>>()
  revision = 0
  conflicts = 0
  #last: [ms: number, sequence: number] = [0, 0]

  /** The next cursor: rises also when the clock goes back, as in Redis. */
  nextCursor(now: number): string {
    const ms = Math.floor(now)
    this.#last = ms > this.#last[0] ? [ms, 0] : [this.#last[0], this.#last[1] + 1]
    return this.#last.join('-')
  }
}

/**
 * The store port in memory: the model that simulations run on and that the contract suite holds against Redis. Deterministic: no time but
 * `clock`'s `now`, no chance. Nothing outlives the process, so a gateway must not run on it.
 */
export class MemoryStore implements Documents {
  readonly health: StoreHealth = { kind: 'memory', durable: false, warning: 'the store is in memory: nothing outlives this process' }
  readonly #clock: Pick<Clock, 'now'>
  readonly #data: MemoryData
  readonly #undo = new Set<() => void>()
  #closed = false

  constructor(clock: Pick<Clock, 'now'>, data: MemoryData = new MemoryData()) {
    this.#clock = clock
    this.#data = data
  }

  async transact<T>(body: (tx: Transaction) => Promise<T>): Promise<T> {
    this.#open()
    return transact(
      {
        begin: async () => new Draft(this.#now(), async names => names.map(name => this.#stored(name))),
        commit: async draft => this.#commit(draft),
        stands: async draft => this.#stands(draft),
        pause: attempt => this.#fallOutOfStep(attempt),
      },
      body,
    )
  }

  async get<T>(kind: string, id: string): Promise<T | undefined> {
    return fromText<T>(this.#stored(documentName(kind, id)).text)
  }

  async getMany<T>(kind: string, ids: string[]): Promise<(T | undefined)[]> {
    return ids.map(id => fromText<T>(this.#stored(documentName(kind, id)).text))
  }

  async byScore(index: string, min: number, max: number, limit: number): Promise<string[]> {
    return this.#index(index)?.byScore(min, max, limit) ?? []
  }

  async byMember(index: string, options: { after?: string; limit: number; reverse?: boolean }): Promise<string[]> {
    return this.#index(index)?.byMember(options.after, options.limit, options.reverse ?? false) ?? []
  }

  async count(index: string): Promise<number> {
    return this.#index(index)?.size ?? 0
  }

  async eventsAfter(cursor: string, limit: number): Promise<PlacedEvent[]> {
    this.#open()
    const after = parseCursor(cursor)
    const events = this.#data.events
    let start = events.length
    while (start > 0 && comparePlaces(parseCursor(events[start - 1]?.cursor ?? '0-0'), after) > 0) start--
    return structuredClone(events.slice(start, start + Math.max(0, limit)))
  }

  async lastCursor(): Promise<string> {
    this.#open()
    return this.#data.events.at(-1)?.cursor ?? '0-0'
  }

  onEvent(listener: (event: PlacedEvent) => void): () => void {
    this.#open()
    return this.#keep(this.#data.eventListeners.add(event => listener(structuredClone(event))))
  }

  onSignal(channel: string, listener: (message: string) => void): () => void {
    this.#open()
    const listeners = this.#data.signalListeners.get(channel) ?? new Listeners<string>()
    this.#data.signalListeners.set(channel, listeners)
    return this.#keep(listeners.add(listener))
  }

  async time(): Promise<number> {
    this.#open()
    return this.#now()
  }

  async ping(): Promise<void> {
    this.#open()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const undo of this.#undo) undo()
    this.#undo.clear()
  }

  /** Many that change one document at once would all run in step, and only one of them win each round: lets each wait another while, without chance. */
  async #fallOutOfStep(attempt: number): Promise<void> {
    if (attempt <= 3) return
    for (let turns = (this.#data.conflicts++ % 64) * 4; turns > 0; turns--) await undefined
  }

  /** Redis counts whole milliseconds. */
  #now(): number {
    return Math.floor(this.#clock.now())
  }

  #open(): void {
    if (this.#closed) throw new SafestateError('store_unavailable', 'the store is closed')
  }

  #stored(name: string): Stored {
    this.#open()
    return this.#data.documents.get(name) ?? { revision: 0, text: undefined }
  }

  #index(index: string): SortedIndex | undefined {
    this.#open()
    return this.#data.indexes.get(index)
  }

  #keep(undo: () => void): () => void {
    this.#undo.add(undo)
    return () => {
      this.#undo.delete(undo)
      undo()
    }
  }

  #stands(draft: Draft): boolean {
    return [...draft.reads].every(([name, read]) => this.#stored(name).revision === read.revision)
  }

  /** One step of one thread: nothing comes between the compares and the writes. */
  #commit(draft: Draft): boolean {
    this.#open()
    if (draft.looks) return true
    const data = this.#data
    if (draft.limit !== undefined && this.#now() > draft.limit) return false
    if (!this.#stands(draft)) return false
    for (const [name, text] of draft.documents) {
      if (text === undefined) data.documents.delete(name)
      else data.documents.set(name, { revision: ++data.revision, text })
    }
    for (const { index, member, score } of draft.indexes.values()) this.#write(index, member, score)
    const placed = draft.events.map((event): PlacedEvent => ({ ...event, cursor: data.nextCursor(this.#now()) }))
    data.events.push(...placed)
    if (data.events.length > mostEvents) data.events.splice(0, data.events.length - mostEvents)
    // Later, as over a network: a listener must not run inside of somebody else's commit.
    queueMicrotask(() => {
      for (const event of placed) data.eventListeners.tell(event)
      for (const { channel, message } of draft.signals) data.signalListeners.get(channel)?.tell(message)
    })
    return true
  }

  #write(index: string, member: string, score: number | undefined): void {
    const sorted = this.#data.indexes.get(index) ?? new SortedIndex()
    if (score === undefined) sorted.remove(member)
    else sorted.add(member, score)
    if (sorted.size === 0) this.#data.indexes.delete(index)
    else this.#data.indexes.set(index, sorted)
  }
}
