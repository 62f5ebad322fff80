import type { StoreEvent, Transaction } from '../core/documents.ts'

/** A document as it is stored: its revision (0: it is absent) and its JSON text. */
export interface Stored {
  revision: number
  text: string | undefined
}

/** The stores' name for a document. Kinds have no colon, so that no two documents share a name. */
export function documentName(kind: string, id: string): string {
  if (kind.includes(':')) throw new TypeError(`a kind must have no colon: ${kind}`)
  return `${kind}:${id}`
}

/** A value as it is stored. JSON on both stores, so that both lose the same things (undefined fields, prototypes). */
export function toText(data: unknown): string {
  const text: string | undefined = JSON.stringify(data)
  if (text === undefined) throw new TypeError('only what JSON can say can be stored')
  return text
}

/** A fresh copy of a stored value: whoever changes it changes nothing in the store. */
export function fromText<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as T)
}

/** One change of a sorted index; `score` undefined takes the member out. */
export interface IndexWrite {
  index: string
  member: string
  score: number | undefined
}

/**
 * A transaction while its body runs: what it read (with the revisions to compare) and what it wants written. Both stores use it and
 * differ only in how they read and how they commit.
 */
export class Draft implements Transaction {
  readonly now: number
  /** What was read, by name: the revisions that the commit compares. */
  readonly reads = new Map<string, Stored>()
  /** Documents to write, by name; undefined deletes. */
  readonly documents = new Map<string, string | undefined>()
  /** Changes of indexes, by index and member: the last one counts. */
  readonly indexes = new Map<string, IndexWrite>()
  readonly events: StoreEvent[] = []
  readonly signals: { channel: string; message: string }[] = []
  /** The earliest of all times that `notAfter` named. */
  limit: number | undefined
  /** How many times the store was asked: what came in one answer fits together without a compare. */
  answers = 0
  readonly #read: (names: string[]) => Promise<Stored[]>
  readonly #loads = new Map<string, Promise<Stored>>()
  #batch: { names: string[]; answer: Promise<Stored[]> } | undefined
  #over = false

  /** `read` answers for all names at once, in their order. */
  constructor(now: number, read: (names: string[]) => Promise<Stored[]>) {
    this.now = now
    this.#read = read
  }

  async get<T>(kind: string, id: string): Promise<T | undefined> {
    this.#open()
    const name = documentName(kind, id)
    if (this.documents.has(name)) return fromText<T>(this.documents.get(name))
    return fromText<T>((await this.#load(name)).text)
  }

  put<T>(kind: string, id: string, data: T): void {
    this.#open()
    this.documents.set(documentName(kind, id), toText(data))
  }

  delete(kind: string, id: string): void {
    this.#open()
    this.documents.set(documentName(kind, id), undefined)
  }

  indexAdd(index: string, member: string, score: number): void {
    // A score that Redis refuses would fail in the midst of the commit, where nothing may fail any more.
    if (!Number.isFinite(score)) throw new TypeError(`a score must be a finite number: ${score}`)
    this.#index({ index, member, score })
  }

  indexRemove(index: string, member: string): void {
    this.#index({ index, member, score: undefined })
  }

  emit(event: StoreEvent): void {
    this.#open()
    this.events.push(structuredClone(event))
  }

  notAfter(time: number): void {
    this.#open()
    this.limit = Math.min(time, this.limit ?? time)
  }

  signal(channel: string, message: string): void {
    this.#open()
    this.signals.push({ channel, message })
  }

  /** Whether there is anything to write. */
  get writes(): boolean {
    return this.documents.size + this.indexes.size + this.events.length + this.signals.length > 0
  }

  /** Whether this is a mere look: one answer, of one moment. It took place then, whatever has changed since: there is nothing to commit. */
  get looks(): boolean {
    return !this.writes && this.limit === undefined && this.answers <= 1
  }

  /** Ends the draft: calls that come later are mistakes and throw. */
  end(): void {
    this.#over = true
  }

  #open(): void {
    if (this.#over) throw new Error('this transaction is over: its body did not wait for all it began')
  }

  #index(write: IndexWrite): void {
    this.#open()
    this.indexes.set(JSON.stringify([write.index, write.member]), write)
  }

  /** Reads a document once: the body must not see two versions of it. Reads that are asked for together go together. */
  #load(name: string): Promise<Stored> {
    const earlier = this.#loads.get(name)
    if (earlier !== undefined) return earlier
    const batch = this.#batch ?? this.#newBatch()
    const place = batch.names.push(name) - 1
    const load = batch.answer.then(found => {
      const stored = found[place] ?? { revision: 0, text: undefined }
      this.reads.set(name, stored)
      return stored
    })
    this.#loads.set(name, load)
    return load
  }

  #newBatch(): { names: string[]; answer: Promise<Stored[]> } {
    const names: string[] = []
    const answer = Promise.resolve().then(() => {
      this.#batch = undefined
      this.answers++
      return this.#read(names)
    })
    this.#batch = { names, answer }
    return this.#batch
  }
}
