/** A source of repeatable identities: the same seed gives the same rack. Not for secrets. */
export interface Random {
  /** An integer from 0 to `below` - 1. */
  integer(below: number): number
  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string
  /** A version 4 UUID, lower case. */
  uuid(): string
  /** A text by `pattern`: `#` becomes a digit, `@` a letter or digit, all else stays. */
  pattern(pattern: string): string
}

const ALPHANUMERIC = 'ABCDEFGHJKLMNPQRSTUVWXYZ0123456789'

/** Makes a generator from a seed and a stream number (mulberry32: small, fast, good enough for serial numbers). */
export function createRandom(seed: number, stream = 0): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const integer = (below: number): number => Math.floor((next() / 0x1_0000_0000) * below)
  const hex = (length: number): string => {
    let text = ''
    while (text.length < length) text += next().toString(16).padStart(8, '0')
    return text.slice(0, length)
  }
  return {
    integer,
    hex,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${'89ab'[integer(4)]}${hex(3)}-${hex(12)}`,
    pattern: pattern =>
      pattern.replace(/[#@]/g, mark => (mark === '#' ? String(integer(10)) : (ALPHANUMERIC[integer(ALPHANUMERIC.length)] ?? 'X'))),
  }
}
