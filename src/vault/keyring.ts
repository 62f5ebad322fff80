import { SafestateError } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import type { Vault } from '../core/vault.ts'
import { openEnvelope, sealEnvelope } from './envelope.ts'
import type { VaultKey } from './key.ts'

/** How often the key source may be asked again for a key that is missing, in ms. */
const RELOAD_MS = 1_000

/** Where a keyring finds keys that it was not given, and the clock that bounds how often it looks. */
export interface KeyringOptions {
  /** Reads the key source again: a mounted Secret changes while we run. May throw. */
  reload?: () => VaultKey[]
  mono?: () => number
}

/** The vault: all keys that open, one of which seals. Which one that is, the store says (`meta/vault`), so that all gateways agree. */
export class Keyring implements Vault {
  readonly #keys = new Map<string, VaultKey>()
  readonly #reload: (() => VaultKey[]) | undefined
  readonly #mono: () => number
  #current: VaultKey
  #reloadedAt = Number.NEGATIVE_INFINITY

  /** `keys` must hold `currentId`; throws `vault_unavailable` otherwise. */
  constructor(keys: readonly VaultKey[], currentId: string, options: KeyringOptions = {}) {
    for (const key of keys) this.#keys.set(key.id, key)
    this.#reload = options.reload
    this.#mono = options.mono ?? (() => performance.now())
    this.#current = this.#want(currentId)
  }

  get keyId(): string {
    return this.#current.id
  }

  seal(subject: string, secret: Secret): string {
    return sealEnvelope(this.#current, subject, secret)
  }

  open(subject: string, envelope: string): Secret {
    return openEnvelope(id => this.find(id), subject, envelope)
  }

  /** The key of this id; the key source is asked again (at most once a second) where it is not known. */
  find(id: string): VaultKey | undefined {
    const known = this.#keys.get(id)
    const now = this.#mono()
    if (known !== undefined || this.#reload === undefined || now - this.#reloadedAt < RELOAD_MS) return known
    this.#reloadedAt = now
    try {
      this.add(this.#reload())
    } catch {
      // The source is away or refused now; whoever needs the key is told that it is missing.
    }
    return this.#keys.get(id)
  }

  /** Adds keys that open. */
  add(keys: readonly VaultKey[]): void {
    for (const key of keys) this.#keys.set(key.id, key)
  }

  /** Seals with the key of this id from now on; older keys go on opening what was read before. Throws `vault_unavailable` where it is not known. */
  use(id: string): void {
    this.#current = this.#want(id)
  }

  #want(id: string): VaultKey {
    const key = this.find(id)
    if (key === undefined) throw new SafestateError('vault_unavailable', `the vault key ${id} of this store is not configured here`)
    return key
  }
}
