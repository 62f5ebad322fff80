import { randomBytes } from 'node:crypto'
import type { Documents } from '../core/documents.ts'
import { checkValue, matchesCheck, type VaultKey } from './key.ts'

/** What a store remembers of its vault key (`meta/vault`): enough to know it again, nothing to open with. */
export interface VaultRecord {
  /** Id of the key that seals now. */
  keyId: string
  salt: string
  check: string
  createdAt: string
  rotatedAt?: string
  /** A rotation that has begun: documents may still be sealed under `from`. */
  rotation?: { from: string[]; startedAt: string }
}

/** The record's place. */
export const VAULT_RECORD = { kind: 'meta', id: 'vault' } as const

/** The channel on which gateways tell one another that another key seals now. The message is its id. */
export const VAULT_CHANNEL = 'vault'

/** Identity of `key` for a record. */
export function recordKey(key: VaultKey): Pick<VaultRecord, 'keyId' | 'salt' | 'check'> {
  const salt = randomBytes(16).toString('base64url')
  return { keyId: key.id, salt, check: checkValue(key, salt) }
}

/** Whether `key` is the one of the record. */
export function isRecorded(record: VaultRecord, key: VaultKey): boolean {
  return record.keyId === key.id && matchesCheck(key, record.salt, record.check)
}

/** Reads the record; undefined in a store that no vault was used with. */
export function readRecord(documents: Documents): Promise<VaultRecord | undefined> {
  return documents.get<VaultRecord>(VAULT_RECORD.kind, VAULT_RECORD.id)
}
