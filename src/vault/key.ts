import { createSecretKey, hkdfSync, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import { SafestateError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'

/** A key of the vault. `id` is derived from the key (and does not reveal it), so the same key has the same id wherever it comes from. */
export interface VaultKey {
  readonly id: string
  /** 256 bits; a KeyObject, which neither `inspect` nor JSON shows. */
  readonly key: KeyObject
}

const KEY_BYTES = 32
const LABEL = /^[A-Za-z0-9._-]{1,64}$/
const BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/

/** Makes a vault key of 32 bytes; its bytes are copied. */
export function vaultKey(bytes: Uint8Array): VaultKey {
  const key = createSecretKey(bytes)
  return { id: derive(key, '', 'id', 8).toString('hex'), key }
}

/** A new random vault key. */
export function newVaultKey(): VaultKey {
  return vaultKey(randomBytes(KEY_BYTES))
}

/**
 * Reads `[label:]base64` entries, separated by commas, blanks or lines; `#` begins a comment. The first is current, the others only open.
 * Labels are for people; envelopes name the derived id. Throws `vault_unavailable` naming `where` and the place of a bad entry, never its text.
 */
export function parseVaultKeys(text: Secret, where: string): VaultKey[] {
  const entries = text
    .reveal()
    .split('\n')
    .map(line => line.replace(/#.*/, ''))
    .join(' ')
    .split(/[\s,]+/)
    .filter(entry => entry !== '')
  if (entries.length === 0)
    throw new SafestateError('vault_unavailable', `${where} holds no key: give 32 random bytes in base64 (openssl rand -base64 32)`)
  const keys = entries.map((entry, index) => parseEntry(entry, `${where}, key ${index + 1}`))
  return keys.filter((key, index) => keys.findIndex(other => other.id === key.id) === index)
}

function parseEntry(entry: string, where: string): VaultKey {
  const colon = entry.indexOf(':')
  const text = entry.slice(colon + 1)
  const labelled = colon < 0 || LABEL.test(entry.slice(0, colon))
  const bytes = BASE64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  if (!labelled || bytes.length !== KEY_BYTES) {
    throw new SafestateError('vault_unavailable', `${where} is not [label:]base64 of exactly 32 bytes (openssl rand -base64 32)`)
  }
  return vaultKey(bytes)
}

/** The keys as `parseVaultKeys` reads them, one a line, labelled with their ids: for the key file only. */
export function formatVaultKeys(keys: readonly VaultKey[]): Secret {
  const lines = keys.map(
    ({ id, key }, index) => `${id}:${key.export().toString('base64')} # ${index === 0 ? 'current' : 'older: opens only'}`,
  )
  return new Secret(`${lines.join('\n')}\n`)
}

/** A value by which a store knows its key again without holding it: HKDF-SHA-256 (RFC 5869) of the key with the store's own `salt`. */
export function checkValue(key: VaultKey, salt: string): string {
  return derive(key.key, salt, 'check', KEY_BYTES).toString('base64url')
}

/** Whether `check` was made from this key and salt; compared in constant time. */
export function matchesCheck(key: VaultKey, salt: string, check: string): boolean {
  const own = Buffer.from(checkValue(key, salt))
  const other = Buffer.from(check)
  return own.length === other.length && timingSafeEqual(own, other)
}

function derive(key: KeyObject, salt: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, `safestate vault ${purpose} v1`, bytes))
}
