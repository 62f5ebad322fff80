import { type Clock, rfc3339 } from '../core/clock.ts'
import type { Documents } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import { envelopeHead } from './envelope.ts'
import { newVaultKey, type VaultKey } from './key.ts'
import type { Keyring } from './keyring.ts'
import type { KeySource } from './keys.ts'
import { type OpenedVault, retireOlder } from './open.ts'
import { recordKey, VAULT_CHANNEL, VAULT_RECORD, type VaultRecord } from './record.ts'
import { envelopesOf, mapEnvelopes, SEALED_KINDS, type SealedKind, sealedDocuments } from './sealed.ts'

/** How often documents under the old key may turn up anew before a rotation says that it can't end. */
const MAX_PASSES = 20

/** What a rotation did. */
export interface Rotation {
  /** The key that seals now. */
  keyId: string
  /** Documents that were sealed anew. */
  resealed: number
  /** Documents that no configured key opens: they were lost before, and are left as they are. */
  unreadable: { kind: string; id: string }[]
}

/** Arguments of a rotation that tests set. */
export interface RotationOptions {
  clock: Clock
  /**
   * How long after the change of keys to sweep once more, in ms: longer than what lies between sealing and committing anywhere. The default is
   * past the device lease (6 s), which refuses what an actor commits later than that.
   */
  settleMs?: number
  kinds?: readonly SealedKind[]
}

/**
 * Seals everything anew under a new key, document by document in small transactions, while jobs run; the old key opens until the end.
 * The own key file gets its new key first; where people bring the keys, the first configured one must be new and the old one stand after it
 * (else `bad_request`, saying so). Can be cut short anywhere: called again, by any gateway, it goes on. Returns when nothing needs the old key.
 */
export async function rotateVault(documents: Documents, opened: OpenedVault, options: RotationOptions): Promise<Rotation> {
  const kinds = options.kinds ?? SEALED_KINDS
  const record = await begin(documents, opened)
  opened.vault.use(record.keyId)
  const done: Rotation = { keyId: record.keyId, resealed: 0, unreadable: [] }
  await sweep(documents, opened.vault, kinds, done)
  // What was sealed under the old key right before the change may be committed after the sweep came by.
  await options.clock.sleep(options.settleMs ?? 7_000)
  for (let pass = 1; await sweep(documents, opened.vault, kinds, done); pass += 1) {
    if (pass < MAX_PASSES) continue
    throw new SafestateError(
      'vault_unavailable',
      'a gateway goes on sealing with the old vault key: give it the new one, then run safestate vault rotate again',
    )
  }
  await finish(documents, record.keyId)
  if (opened.source.own) retireOlder(opened.source, record.keyId)
  return done
}

/** Decides on the new key and makes it the store's, or finds the rotation that is under way. */
async function begin(documents: Documents, opened: OpenedVault): Promise<VaultRecord> {
  const fresh = await documents.get<VaultRecord>(VAULT_RECORD.kind, VAULT_RECORD.id)
  if (fresh === undefined) throw new SafestateError('vault_unavailable', 'the store no longer knows its vault key (meta/vault)')
  const next = fresh.rotation === undefined ? nextKey(opened.source, fresh.keyId) : undefined
  if (next !== undefined) opened.vault.add([next])
  return documents.transact(async tx => {
    const record = (await tx.get<VaultRecord>(VAULT_RECORD.kind, VAULT_RECORD.id)) ?? fresh
    // Another gateway was faster: its key, not ours.
    if (next === undefined || record.keyId !== fresh.keyId || record.rotation !== undefined) return record
    const changed: VaultRecord = {
      ...record,
      ...recordKey(next),
      rotation: { from: [record.keyId], startedAt: rfc3339(tx.now) },
    }
    tx.put(VAULT_RECORD.kind, VAULT_RECORD.id, changed)
    tx.signal(VAULT_CHANNEL, changed.keyId)
    return changed
  })
}

/** The first configured key where it is not the current one; else a new one, written to the own file before anything is sealed with it. */
function nextKey(source: KeySource, currentId: string): VaultKey {
  const keys = source.own ? source.update(before => (before[0]?.id === currentId ? [newVaultKey(), ...before] : before)) : source.read()
  const first = keys?.[0]
  if (first === undefined || !keys?.some(key => key.id === currentId)) {
    throw new SafestateError(
      'bad_request',
      `${source.where} must keep the current vault key ${currentId} after the new one until the rotation has ended`,
    )
  }
  if (first.id === currentId) {
    throw new SafestateError(
      'bad_request',
      `put a new key first in ${source.where} (openssl rand -base64 32), keep the old one after it, at every gateway, then run safestate vault rotate again`,
    )
  }
  return first
}

/** Seals anew what is not under the vault's key. Resolves true where there was something to do. */
async function sweep(documents: Documents, vault: Keyring, kinds: readonly SealedKind[], done: Rotation): Promise<boolean> {
  const before = done.resealed
  done.unreadable = []
  for await (const { kind, id, data } of sealedDocuments(documents, kinds)) {
    if (!envelopesOf(data, kind.fields).some(envelope => isStale(envelope, vault))) continue
    const outcome = await resealDocument(documents, vault, kind, id)
    if (outcome === 'unreadable') done.unreadable.push({ kind: kind.kind, id })
    if (outcome === 'resealed') done.resealed += 1
  }
  return done.resealed > before
}

function isStale(envelope: string, vault: Keyring): boolean {
  return envelopeHead(envelope)?.keyId !== vault.keyId
}

/** One document, one transaction: whoever changes it meanwhile makes this run again. What can be opened is sealed anew, also beside what can't. */
function resealDocument(
  documents: Documents,
  vault: Keyring,
  kind: SealedKind,
  id: string,
): Promise<'resealed' | 'unreadable' | 'current'> {
  return documents.transact(async tx => {
    let unreadable = false
    const data = await tx.get<unknown>(kind.kind, id)
    const changed = mapEnvelopes(data, kind.fields, envelope => {
      const head = envelopeHead(envelope)
      if (head?.keyId === vault.keyId) return envelope
      try {
        return head === undefined ? envelope : vault.seal(head.subject, vault.open(head.subject, envelope))
      } catch {
        unreadable = true
        return envelope
      }
    })
    unreadable ||= envelopesOf(changed, kind.fields).some(envelope => isStale(envelope, vault))
    if (changed !== data) tx.put(kind.kind, id, changed)
    if (unreadable) return 'unreadable'
    return changed === data ? 'current' : 'resealed'
  })
}

async function finish(documents: Documents, keyId: string): Promise<void> {
  await documents.transact(async tx => {
    const record = await tx.get<VaultRecord>(VAULT_RECORD.kind, VAULT_RECORD.id)
    if (record?.rotation === undefined || record.keyId !== keyId) return
    const { rotation: _done, ...rest } = record
    tx.put(VAULT_RECORD.kind, VAULT_RECORD.id, { ...rest, rotatedAt: rfc3339(tx.now) })
  })
}
