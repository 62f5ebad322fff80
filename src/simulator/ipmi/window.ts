const AHEAD = 15
const BEHIND = 16
/** Sequence numbers run from 1 to FFFFFFFFh: 0 is for packets outside of sessions. */
const NUMBERS = 0xffff_ffff

/**
 * What a BMC takes of a session's sequence numbers, by the book (§6.12.13): up to 15 ahead of the highest, up to 16 behind it, none twice.
 * Narrower than the window of our client on purpose: a client that jumps is dropped here, as real BMCs drop it.
 */
export class InboundWindow {
  #highest = 0
  /** Bit n: the number n behind the highest was taken. */
  #seen = 0

  /** The highest number that was taken. */
  get highest(): number {
    return this.#highest
  }

  /** Whether a number is taken; if so, it is used up. Call it only for packets whose code is right. */
  take(sequence: number): boolean {
    if (sequence === 0) return false
    const ahead = distance(this.#highest, sequence)
    if (ahead > 0) {
      if (ahead > AHEAD) return false
      this.#seen = ((this.#seen << ahead) | 1) & 0x1_ffff
      this.#highest = sequence
      return true
    }
    const bit = 1 << -ahead
    if (-ahead > BEHIND || this.#highest === 0 || (this.#seen & bit) !== 0) return false
    this.#seen |= bit
    return true
  }
}

/** How far `to` is ahead of `from` (behind: negative), on the circle that leaves 0 out. */
function distance(from: number, to: number): number {
  const ahead = (to - from + NUMBERS) % NUMBERS
  return ahead <= NUMBERS / 2 ? ahead : ahead - NUMBERS
}
