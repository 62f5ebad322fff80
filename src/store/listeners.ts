/** Who wants to hear of something. One listener that throws neither stops the others nor the one who calls. */
export class Listeners<T> {
  readonly #all = new Set<{ listener: (value: T) => void }>()

  /** Adds a listener, also one that is there already (it is then called twice). Returns how to remove it. */
  add(listener: (value: T) => void): () => void {
    const entry = { listener }
    this.#all.add(entry)
    return () => {
      this.#all.delete(entry)
    }
  }

  /** Calls all that are there now, in the order they came. */
  tell(value: T): void {
    for (const entry of [...this.#all]) {
      if (!this.#all.has(entry)) continue
      try {
        entry.listener(value)
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }

  clear(): void {
    this.#all.clear()
  }
}
