/**
 * The small port that both stores implement (ADR 0009): JSON documents with revisions, sorted indexes and an event stream, changed only by
 * optimistic transactions. A transaction reads what it needs, decides in plain code, and is committed in ONE atomic step that first compares
 * the revisions of everything it read; if anything changed, it is run again. So each verb of the store is written once, and the store in
 * memory speaks for the real one.
 */

/** One change of something, for SSE and long-polls. `topic` is the resource kind; `id` is the resource's id. */
export interface StoreEvent {
  topic: 'job' | 'hold' | 'receipt' | 'device' | 'node'
  id: string
  cluster?: string
  node?: string
}

/** An event with its place in the stream: `cursor` is what `Last-Event-ID` carries. Cursors rise. */
export interface PlacedEvent extends StoreEvent {
  cursor: string
}

/** One step that is all or nothing. Reads see one another's past: the commit fails if any document read has changed since. */
export interface Transaction {
  /** The store's clock when the transaction began, ms since the epoch. */
  readonly now: number
  /** The document, or undefined. Reads its own earlier `put`s. The value must not be modified: put a new one. */
  get<T>(kind: string, id: string): Promise<T | undefined>
  put<T>(kind: string, id: string, data: T): void
  delete(kind: string, id: string): void
  /** Adds to or moves in a sorted index: by score, then by member. Indexes are not compared at commit: they are hints to find documents by. */
  indexAdd(index: string, member: string, score: number): void
  indexRemove(index: string, member: string): void
  emit(event: StoreEvent): void
  /** The commit is refused (and the transaction run again) when the store's clock is past `time` by then: a lease that it relied on ran out. */
  notAfter(time: number): void
  /** Live messages to all processes once committed: not kept. */
  signal(channel: string, message: string): void
}

/** What a store can say about itself, for `/readyz`. */
export interface StoreHealth {
  kind: 'memory' | 'redis' | 'child' | 'embedded'
  durable: boolean
  warning?: string
}

/** The port. Times are ms; every method rejects with SafestateError `store_unavailable` where the store is away, ambiguous writes included. */
export interface Documents {
  readonly health: StoreHealth
  /**
   * Runs `body` until its commit goes through, and resolves with its result only once the commit is durable (`durable: false`: once it is applied;
   * for leases and hints). `body` may be run several times: it must have no effects outside the transaction. An error thrown by `body` commits nothing.
   */
  transact<T>(body: (tx: Transaction) => Promise<T>, options?: { durable?: boolean }): Promise<T>
  get<T>(kind: string, id: string): Promise<T | undefined>
  getMany<T>(kind: string, ids: string[]): Promise<(T | undefined)[]>
  /** Members with `min ≤ score ≤ max`, ordered by score then member, at most `limit`. */
  byScore(index: string, min: number, max: number, limit: number): Promise<string[]>
  /** Members in order of their text (for indexes whose scores are all 0), after `after`, at most `limit`; `reverse`: from the end, before `after`. */
  byMember(index: string, options: { after?: string; limit: number; reverse?: boolean }): Promise<string[]>
  count(index: string): Promise<number>
  /** Events after `cursor` (exclusive), at most `limit`, oldest first. */
  eventsAfter(cursor: string, limit: number): Promise<PlacedEvent[]>
  /** The newest cursor, or `0-0`. */
  lastCursor(): Promise<string>
  /** Calls `listener` for each event committed from now on, by any process, at least once, in order. Returns how to stop. */
  onEvent(listener: (event: PlacedEvent) => void): () => void
  onSignal(channel: string, listener: (message: string) => void): () => void
  /** The store's clock now. */
  time(): Promise<number>
  /** Answers when the store is writable; rejects otherwise. */
  ping(): Promise<void>
  close(): Promise<void>
}
