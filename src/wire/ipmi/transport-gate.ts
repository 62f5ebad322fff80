/** A place among those who may have a packet under way. */
export interface Place {
  /** Whether it was granted. */
  readonly inside: boolean
  /** Gives it back, or gives up waiting for it. May be called more than once. */
  leave(): void
}

interface Waiting extends Place {
  start: (() => void) | undefined
  inside: boolean
}

/**
 * Lets so many requests be under way at a time that their answers fit into the socket's buffer. First come, first served.
 * A place stands for an answer that may come at any moment: who was silent for one retransmit period gives it back, so that dead BMCs hold up nobody.
 */
export class Gate {
  readonly #limit: number
  #inside = 0
  #waiting: Waiting[] = []
  #next = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** A place: `inside` at once where there is room, and then `start` is not called; else `start` is called when there is. */
  enter(start: () => void): Place {
    const inside = this.#inside < this.#limit
    const place: Waiting = { start: inside ? undefined : start, inside, leave: () => this.#leave(place) }
    if (inside) this.#inside++
    else this.#waiting.push(place)
    return place
  }

  #leave(place: Waiting): void {
    if (!place.inside) {
      // Stays in the line as an empty seat.
      place.start = undefined
      return
    }
    place.inside = false
    this.#inside--
    while (this.#inside < this.#limit) {
      const next = this.#waiting[this.#next]
      if (next === undefined) break
      this.#next++
      const { start } = next
      if (start === undefined) continue
      next.start = undefined
      next.inside = true
      this.#inside++
      start()
    }
    if (this.#next > this.#waiting.length / 2) {
      this.#waiting = this.#waiting.slice(this.#next)
      this.#next = 0
    }
  }
}
