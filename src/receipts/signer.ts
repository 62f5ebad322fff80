import { CompactSign } from 'jose'
import type { Signer } from '../core/receipt.ts'
import type { PublicKey, SigningKey } from './key.ts'

/** `typ` of a receipt (S15) and of the revocation list: one can never be shown for the other. */
export const TYPES = { receipt: 'safestate-receipt+jwt', revocations: 'safestate-revocations+jwt' } as const

/** The receipts' signer: compact JWS (RFC 7515), EdDSA over Ed25519 (RFC 8037). */
export function makeSigner(key: SigningKey): Signer {
  return { kid: key.kid, sign: payload => signJson(key, TYPES.receipt, payload) }
}

/** Signs any JSON value as a compact JWS of this type. */
export function signJson(key: SigningKey, typ: string, payload: object): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'EdDSA', kid: key.kid, typ })
    .sign(key.privateKey)
}

/** The JSON Web Key Set of `/.well-known/jwks.json`: public halves only. */
export function jwks(key: SigningKey): { keys: PublicKey[] } {
  return { keys: [{ ...key.publicKey }] }
}
