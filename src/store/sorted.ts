import { compareBytes } from './text.ts'

interface Entry {
  member: string
  score: number
}

/** A sorted index in memory: what a Redis sorted set is, by score and then by the bytes of the member. */
export class SortedIndex {
  readonly #scores = new Map<string, number>()
  readonly #entries: Entry[] = []

  get size(): number {
    return this.#entries.length
  }

  add(member: string, score: number): void {
    if (this.#scores.get(member) === score) return
    this.remove(member)
    this.#scores.set(member, score)
    this.#entries.splice(
      this.#placeOf(entry => compare(entry, { member, score })),
      0,
      { member, score },
    )
  }

  remove(member: string): void {
    const score = this.#scores.get(member)
    if (score === undefined) return
    this.#scores.delete(member)
    this.#entries.splice(
      this.#placeOf(entry => compare(entry, { member, score })),
      1,
    )
  }

  byScore(min: number, max: number, limit: number): string[] {
    const found: string[] = []
    for (let i = this.#placeOf(entry => entry.score - min); i < this.#entries.length && found.length < limit; i++) {
      const entry = this.#entries[i]
      if (!entry || entry.score > max) break
      found.push(entry.member)
    }
    return found
  }

  /** Members after `after` in the order of their bytes (`reverse`: before it, from the end). All scores are the same. */
  byMember(after: string | undefined, limit: number, reverse: boolean): string[] {
    const members = this.#entries.map(entry => entry.member)
    if (reverse) members.reverse()
    const direction = reverse ? -1 : 1
    return members.filter(member => after === undefined || compareBytes(member, after) * direction > 0).slice(0, Math.max(0, limit))
  }

  /** The first place whose entry is not before what is sought. */
  #placeOf(side: (entry: Entry) => number): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle]
      if (entry && side(entry) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

function compare(a: Entry, b: Entry): number {
  return a.score - b.score || compareBytes(a.member, b.member)
}
