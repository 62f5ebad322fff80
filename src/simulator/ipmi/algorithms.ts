import type { Algorithms } from '../../wire/ipmi/suites.ts'

const KNOWN: Readonly<Record<number, Algorithms>> = {
  0: { auth: 0, integrity: 0, confidentiality: 0 },
  3: { auth: 1, integrity: 1, confidentiality: 1 },
  17: { auth: 3, integrity: 4, confidentiality: 1 },
}

/** The algorithms of a suite as the specification lists them (table 22-20), suite 0 too. Throws for suites that this BMC never has. */
export function algorithmsOf(suite: number): Algorithms {
  const known = KNOWN[suite]
  if (known === undefined) throw new Error(`suite ${suite} is none of ${Object.keys(KNOWN).join(', ')}`)
  return known
}
