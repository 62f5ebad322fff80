import { rfc3339 } from '../core/clock.ts'
import type { Documents } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import { envelopeHead } from './envelope.ts'
import type { VaultKey } from './key.ts'
import { Keyring } from './keyring.ts'
import { chooseKeySource, type KeySettings, type KeySource } from './keys.ts'
import { isRecorded, readRecord, recordKey, VAULT_CHANNEL, VAULT_RECORD, type VaultRecord } from './record.ts'
import { envelopesOf, SEALED_KINDS, type SealedKind, sealedDocuments } from './sealed.ts'

/** A vault that fits its store. */
export interface OpenedVault {
  readonly vault: Keyring
  readonly source: KeySource
  /** True where a rotation was cut short: call `rotateVault`, in the background, to finish it. */
  readonly rotating: boolean
  /** Reads from the store which key seals now. Called by itself when another gateway says so. */
  refresh(): Promise<void>
  /** Stops listening. */
  close(): void
}

/**
 * Finds the vault's keys and checks that they are this store's; on a first start with an empty store and no key configured makes `DATA_DIR/vault-key`.
 * Throws `vault_unavailable`, saying what to do, where there is no key, it is readable by others, or the store's key is another.
 */
export async function openVault(
  documents: Documents,
  settings: KeySettings,
  kinds: readonly SealedKind[] = SEALED_KINDS,
): Promise<OpenedVault> {
  const source = chooseKeySource(settings)
  const found = source.read()
  const before = await readRecord(documents)
  if (before === undefined && (await holdsEnvelopes(documents, kinds))) {
    throw new SafestateError(
      'vault_unavailable',
      'the store holds sealed documents, but no longer knows its vault key (meta/vault): restore it from a backup',
    )
  }
  if (found === undefined && before !== undefined) {
    throw new SafestateError(
      'vault_unavailable',
      `the store is sealed with the vault key ${before.keyId}, and no key is configured: put it at ${source.where} (mode 0600), or set SAFESTATE_VAULT_KEY or SAFESTATE_VAULT_KEY_FILE`,
    )
  }
  const keys = found ?? source.create()
  const record = before ?? (await claim(documents, keys))
  checkKeys(record, keys, source)
  const vault = new Keyring(keys, record.keyId, { reload: () => source.read() ?? [] })
  if (source.own) await tidy(documents, source, record, kinds)

  const refresh = async () => {
    const now = await readRecord(documents)
    if (now !== undefined && now.keyId !== vault.keyId) vault.use(now.keyId)
  }
  // A failed refresh is not lost: the rotation waits and sweeps again, and reads go on by the key id of each envelope.
  const close = documents.onSignal(VAULT_CHANNEL, () => void refresh().catch(() => {}))
  return { vault, source, rotating: record.rotation !== undefined, refresh, close }
}

/** First writer wins: of two gateways that start with an empty store one finds the other's key recorded. */
function claim(documents: Documents, keys: readonly VaultKey[]): Promise<VaultRecord> {
  return documents.transact(async tx => {
    const there = await tx.get<VaultRecord>(VAULT_RECORD.kind, VAULT_RECORD.id)
    if (there !== undefined) return there
    const [first] = keys
    if (first === undefined) throw new SafestateError('vault_unavailable', 'there is no vault key')
    const record: VaultRecord = { ...recordKey(first), createdAt: rfc3339(tx.now) }
    tx.put(VAULT_RECORD.kind, VAULT_RECORD.id, record)
    return record
  })
}

function checkKeys(record: VaultRecord, keys: readonly VaultKey[], source: KeySource): void {
  const own = keys.find(key => key.id === record.keyId)
  if (own === undefined || !isRecorded(record, own)) {
    throw new SafestateError(
      'vault_unavailable',
      `the store is sealed with the vault key ${record.keyId}; ${source.where} has ${keys.map(key => key.id).join(', ')}: configure the key of this store`,
    )
  }
  const missing = record.rotation?.from.filter(id => !keys.some(key => key.id === id)) ?? []
  if (missing.length > 0) {
    throw new SafestateError(
      'vault_unavailable',
      `a rotation from the vault key ${missing.join(', ')} is not finished: keep it after the current one in ${source.where} until safestate vault rotate has ended`,
    )
  }
}

async function holdsEnvelopes(documents: Documents, kinds: readonly SealedKind[]): Promise<boolean> {
  for await (const { kind, data } of sealedDocuments(documents, kinds)) if (envelopesOf(data, kind.fields).length > 0) return true
  return false
}

/** A crash between the end of a rotation and the last write of the key file leaves the old key in it: it goes now, if nothing needs it. */
async function tidy(documents: Documents, source: KeySource, record: VaultRecord, kinds: readonly SealedKind[]): Promise<void> {
  if (record.rotation !== undefined || (source.read()?.length ?? 0) < 2) return
  for await (const { kind, data } of sealedDocuments(documents, kinds)) {
    if (envelopesOf(data, kind.fields).some(envelope => envelopeHead(envelope)?.keyId !== record.keyId)) return
  }
  retireOlder(source, record.keyId)
}

/** Takes the keys after the current one out of the own file. What stands before it belongs to a rotation that is about to begin. */
export function retireOlder(source: KeySource, currentId: string): void {
  source.update(keys => keys.slice(0, keys.findIndex(key => key.id === currentId) + 1 || keys.length))
}
