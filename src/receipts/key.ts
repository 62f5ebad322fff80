import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { rfc3339 } from '../core/clock.ts'
import type { Documents } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { Vault } from '../core/vault.ts'

/** The public half of a signing key as a JWK (RFC 8037): `kid` is its thumbprint (RFC 7638). */
export interface PublicKey {
  kty: 'OKP'
  crv: 'Ed25519'
  x: string
  kid: string
  use: 'sig'
  alg: 'EdDSA'
}

/** The store's signing key, opened: the private half can sign and nothing else, it can't be exported. */
export interface SigningKey {
  kid: string
  publicKey: PublicKey
  privateKey: CryptoKey
}

/** The key as it is stored in `meta/signing-key`; `sealed` is the private JWK. */
interface StoredKey {
  kid: string
  publicKey: PublicKey
  sealed: string
  createdAt: string
}

const PLACE = { kind: 'meta', id: 'signing-key' } as const

/** For whom the signing key is sealed. */
export const SIGNING_KEY_SUBJECT = 'signing-key'

/**
 * Opens the store's Ed25519 key, or makes it: once per store, by whichever gateway comes first. Throws `vault_unavailable` where it does not open,
 * or where the public half that is stored in the clear is not its own.
 */
export async function openSigningKey(documents: Documents, vault: Vault): Promise<SigningKey> {
  const stored = (await documents.get<StoredKey>(PLACE.kind, PLACE.id)) ?? (await makeKey(documents, vault))
  const jwk = JSON.parse(vault.open(SIGNING_KEY_SUBJECT, stored.sealed).reveal()) as JWK
  // The public half is taken from what was sealed: whoever can write to the store must not be able to put in a key of theirs.
  const publicKey = await publicHalf(jwk)
  if (publicKey.kid !== stored.kid) throw new SafestateError('vault_unavailable', `the signing key ${stored.kid} of the store was changed`)
  return { kid: publicKey.kid, publicKey, privateKey: await importPrivate(jwk) }
}

async function makeKey(documents: Documents, vault: Vault): Promise<StoredKey> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const jwk = await exportJWK(privateKey)
  const publicKey = await publicHalf(jwk)
  const text = new Secret(JSON.stringify(jwk))
  return documents.transact(async tx => {
    const there = await tx.get<StoredKey>(PLACE.kind, PLACE.id)
    if (there !== undefined) return there
    const stored = { kid: publicKey.kid, publicKey, sealed: vault.seal(SIGNING_KEY_SUBJECT, text), createdAt: rfc3339(tx.now) }
    tx.put<StoredKey>(PLACE.kind, PLACE.id, stored)
    return stored
  })
}

async function publicHalf(jwk: JWK): Promise<PublicKey> {
  const bare = { kty: 'OKP', crv: 'Ed25519', x: jwk.x ?? '' } as const
  return { ...bare, kid: await calculateJwkThumbprint(bare, 'sha256'), use: 'sig', alg: 'EdDSA' }
}

async function importPrivate(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, 'EdDSA', { extractable: false })
  if (key instanceof Uint8Array) throw new SafestateError('vault_unavailable', 'the signing key of the store is not an Ed25519 key')
  return key
}
