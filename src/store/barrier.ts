/**
 * Makes applied commits durable, many at once: whoever comes while a flush runs shares the next one. (A flush that was under way may have
 * missed what came after its start.)
 */
export class Barrier {
  readonly #flush: () => Promise<void>
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  readonly #pending = new Set<Promise<unknown>>()
  /** A flush failed, and none succeeded since: what was applied before may be seen but not kept. */
  #owed = false

  /** `flush` makes durable all that was applied before it was called. */
  constructor(flush: () => Promise<void>) {
    this.#flush = flush
  }

  /** Resolves once a flush that began after this call is through; rejects where it failed. */
  reach(): Promise<void> {
    if (!this.#running) return this.#start()
    this.#next ??= this.#running.catch(() => {}).then(() => this.#start())
    return this.#next
  }

  /** Runs a commit that ends with `reach`: until then, what it wrote is not revealed to readers of this process (S23). */
  async covering<T>(commit: () => Promise<T>): Promise<T> {
    const pending = commit()
    this.#pending.add(pending)
    try {
      return await pending
    } finally {
      this.#pending.delete(pending)
    }
  }

  /** Resolves once all that a read of now may have seen is durable. */
  async revealed(): Promise<void> {
    if (this.#pending.size > 0) await Promise.allSettled([...this.#pending])
    if (this.#owed) await this.reach()
  }

  #start(): Promise<void> {
    this.#next = undefined
    const run = this.#run().finally(() => {
      if (this.#running === run) this.#running = undefined
    })
    this.#running = run
    return run
  }

  async #run(): Promise<void> {
    // After the replies that arrived in the same packet, so that their commits share this flush.
    await new Promise(resolve => setImmediate(resolve))
    try {
      await this.#flush()
      this.#owed = false
    } catch (error) {
      this.#owed = true
      throw error
    }
  }
}
