/** Which sequence numbers of a session were seen already, of the BMC's or, at a BMC, of the console's (§6.12.13). A value: `accept` returns the next one. */
export interface SequenceWindow {
  /** The highest number so far; 0 before the first. */
  highest: number
  /** 32 bits: bit n stands for `highest` minus n. */
  seen: number
}

/** Sequence numbers go from 1 to 0xFFFFFFFF and then on with 1. */
const NUMBERS = 0xffff_ffff
const WIDTH = 32
const FRESH: SequenceWindow = { highest: 0, seen: 0 }

/** Nothing seen yet: any first number is taken. */
export function freshWindow(): SequenceWindow {
  return FRESH
}

/**
 * Whether a packet with this number is new. For packets whose code was checked only. Jumps forward are taken (ASRock counts 1, 3, 5), late ones within 32 as well, each once;
 * 0, repeats and anything older are not.
 */
export function accept(window: SequenceWindow, sequence: number): { accepted: boolean; window: SequenceWindow } {
  if (sequence === 0) return { accepted: false, window }
  if (window.highest === 0) return { accepted: true, window: { highest: sequence, seen: 1 } }
  const forward = distance(window.highest, sequence)
  if (forward !== 0 && forward <= NUMBERS / 2) {
    const seen = forward < WIDTH ? (window.seen << forward) | 1 : 1
    return { accepted: true, window: { highest: sequence, seen: seen >>> 0 } }
  }
  const back = distance(sequence, window.highest)
  if (back >= WIDTH) return { accepted: false, window }
  const bit = 1 << back
  if ((window.seen & bit) !== 0) return { accepted: false, window }
  return { accepted: true, window: { highest: window.highest, seen: (window.seen | bit) >>> 0 } }
}

/** Steps from one number to another, going upwards and around; 0 is no number and is stepped over. */
function distance(from: number, to: number): number {
  return (to - from + NUMBERS) % NUMBERS
}
