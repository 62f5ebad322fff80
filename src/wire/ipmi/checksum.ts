/** IPMI's checksum over `bytes[from..to)`: what makes the sum of all, itself included, 0 modulo 256 (§13.8). `to` must not exceed the length. */
export function checksum(bytes: Buffer, from: number, to: number): number {
  let sum = 0
  for (let at = from; at < to; at++) sum += bytes[at] ?? 0
  return -sum & 0xff
}
