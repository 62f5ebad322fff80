import type { CipherSuite } from '../../core/power.ts'

/** The three algorithm numbers that an Open Session proposes and a BMC chooses (§13.27 to §13.30). Ids of suites are advisory: these count. */
export interface Algorithms {
  /** 0 none, 1 RAKP-HMAC-SHA1, 2 RAKP-HMAC-MD5, 3 RAKP-HMAC-SHA256 (table 13-17). */
  auth: number
  /** 0 none, 1 HMAC-SHA1-96, 2 HMAC-MD5-128, 3 MD5-128, 4 HMAC-SHA256-128 (table 13-18). */
  integrity: number
  /** 0 none, 1 AES-CBC-128, 2 xRC4-128, 3 xRC4-40 (table 13-19). */
  confidentiality: number
}

/** One cipher suite that may be used, with the lengths that follow from it. */
export interface Suite extends Algorithms {
  id: CipherSuite
  hash: 'sha1' | 'sha256'
  /** Bytes of the code behind every packet of a session. */
  authCodeBytes: 12 | 16
  /** Bytes of RAKP4's integrity check value. */
  icvBytes: 12 | 16
  /** Bytes of the key exchange codes of RAKP2 and RAKP3. */
  kecBytes: 20 | 32
}

/** The only suites there are for us: authenticated by SHA-1 or SHA-256, signed, and encrypted by AES. */
export const SUITES: Readonly<Record<CipherSuite, Readonly<Suite>>> = {
  3: { id: 3, auth: 1, integrity: 1, confidentiality: 1, hash: 'sha1', authCodeBytes: 12, icvBytes: 12, kecBytes: 20 },
  17: { id: 17, auth: 3, integrity: 4, confidentiality: 1, hash: 'sha256', authCodeBytes: 16, icvBytes: 16, kecBytes: 32 },
}

/** Why a suite other than 3 and 17 is refused, always: one sentence for people (table 22-20 lists the ids). */
export function REFUSED_SUITES(id: number): string {
  if (id === 0) return 'suite 0 checks no password: anybody is let in'
  if (id === 1 || id === 2 || id === 15 || id === 16) return `suite ${id} does not encrypt`
  if (id === 4 || id === 5 || id === 18 || id === 19) return `suite ${id} encrypts with RC4`
  if (id >= 6 && id <= 14) return `suite ${id} rests on MD5`
  return `suite ${id} is not one of those that may be used (17 and 3)`
}

/** The suite with exactly these algorithms, or undefined where none that may be used has them. */
export function suiteOf(algorithms: Algorithms): Readonly<Suite> | undefined {
  return [SUITES[17], SUITES[3]].find(suite => sameAlgorithms(suite, algorithms))
}

/** Whether a BMC chose exactly what was proposed: the guard against a downgrade on the way. */
export function sameAlgorithms(a: Algorithms, b: Algorithms): boolean {
  return a.auth === b.auth && a.integrity === b.integrity && a.confidentiality === b.confidentiality
}
