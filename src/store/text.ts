/** Orders two strings as Redis orders members: by their UTF-8 bytes. (UTF-16 order, JavaScript's own, puts U+E000…U+FFFF behind the emoji.) */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return aboveSurrogates(left) - aboveSurrogates(right)
  }
  return a.length - b.length
}

/** Lifts surrogates over the rest of the plane below them: their code points are the higher ones. */
function aboveSurrogates(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
