import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Suite } from './suites.ts'

/** What both sides of a handshake know and hash. Ids as they go over the wire in little-endian order; `role` is the whole byte of RAKP1. */
export interface Handshake {
  consoleId: number
  bmcId: number
  /** 16 bytes of RAKP1. */
  consoleRandom: Buffer
  /** 16 bytes of RAKP2. */
  bmcRandom: Buffer
  /** 16 bytes of RAKP2. */
  guid: Buffer
  role: number
  /** The name's bytes, as in RAKP1. */
  user: Buffer
}

/** The two keys of a session that its packets need; each as long as the hash. Secret. */
export interface SessionKeys {
  /** Signs. */
  k1: Buffer
  /** Encrypts: the first 16 bytes are AES's key. */
  k2: Buffer
}

/** Bit 4 of the role byte: the user is looked up by name alone, not by name and privilege (§13.20). */
const NAME_ONLY = 0x10
/** 20 bytes also under SHA-256 (FreeIPMI's IPMI_KEY_CONSTANT_LENGTH, ipmitool, pyghmi and go-ipmi agree): with 32 other BMCs drop every packet. */
const K1_CONSTANT = Buffer.alloc(20, 0x01)
const K2_CONSTANT = Buffer.alloc(20, 0x02)

/** RAKP1's role byte. `nameOnlyLookup: false` is the no-name-only-lookup quirk. */
export function roleByte(privilege: number, options: { nameOnlyLookup?: boolean } = {}): number {
  return privilege | (options.nameOnlyLookup === false ? 0 : NAME_ONLY)
}

/** The user's name as RAKP1 and every hash carry it: UTF-8, with the pad-user-16 quirk filled up to 16 bytes with zeros. */
export function userBytes(name: string, options: { padUser16?: boolean } = {}): Buffer {
  const bytes = Buffer.from(name, 'utf8')
  return options.padUser16 === true ? Buffer.concat([bytes], 16) : bytes
}

/** RAKP2's key exchange authentication code: proves that the BMC knows the password, and puts its GUID under it (§13.31). */
export function rakp2Code(suite: Suite, facts: Handshake & { password: Buffer }): Buffer {
  const { user } = facts
  const bytes = Buffer.allocUnsafe(58 + user.length)
  bytes.writeUInt32LE(facts.consoleId, 0)
  bytes.writeUInt32LE(facts.bmcId, 4)
  bytes.set(facts.consoleRandom, 8)
  bytes.set(facts.bmcRandom, 24)
  bytes.set(facts.guid, 40)
  writeUser(bytes, 56, facts)
  return createHmac(suite.hash, facts.password).update(bytes).digest()
}

/** RAKP3's key exchange authentication code: proves that we know the password (§13.31). */
export function rakp3Code(
  suite: Suite,
  facts: Pick<Handshake, 'bmcRandom' | 'consoleId' | 'role' | 'user'> & { password: Buffer },
): Buffer {
  const bytes = Buffer.allocUnsafe(22 + facts.user.length)
  bytes.set(facts.bmcRandom, 0)
  bytes.writeUInt32LE(facts.consoleId, 16)
  writeUser(bytes, 20, facts)
  return createHmac(suite.hash, facts.password).update(bytes).digest()
}

/** The keys that follow from a handshake (§13.31, §13.32). `kg` is the BMC's key, or the password where it has none. Derive once and keep. */
export function sessionKeys(
  suite: Suite,
  facts: Pick<Handshake, 'consoleRandom' | 'bmcRandom' | 'role' | 'user'> & { kg: Buffer },
): SessionKeys & { sik: Buffer } {
  const bytes = Buffer.allocUnsafe(34 + facts.user.length)
  bytes.set(facts.consoleRandom, 0)
  bytes.set(facts.bmcRandom, 16)
  writeUser(bytes, 32, facts)
  const sik = createHmac(suite.hash, facts.kg).update(bytes).digest()
  return { sik, k1: createHmac(suite.hash, sik).update(K1_CONSTANT).digest(), k2: createHmac(suite.hash, sik).update(K2_CONSTANT).digest() }
}

/** RAKP4's integrity check value: proves that the BMC has the same keys, so also the same Kg (§13.28.1). */
export function rakp4Code(suite: Suite, facts: Pick<Handshake, 'consoleRandom' | 'bmcId' | 'guid'> & { sik: Buffer }): Buffer {
  const bytes = Buffer.allocUnsafe(36)
  bytes.set(facts.consoleRandom, 0)
  bytes.writeUInt32LE(facts.bmcId, 16)
  bytes.set(facts.guid, 20)
  return createHmac(suite.hash, facts.sik).update(bytes).digest().subarray(0, suite.icvBytes)
}

/** Whether two codes are the same, in a time that says nothing about where they differ. False for unequal lengths, which are no secret. */
export function sameCode(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function writeUser(bytes: Buffer, at: number, { role, user }: Pick<Handshake, 'role' | 'user'>): void {
  bytes[at] = role
  bytes[at + 1] = user.length
  bytes.set(user, at + 2)
}
