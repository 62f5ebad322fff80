import { Type } from 'typebox'
import { named, Time, words } from './common.ts'

/** A receipt: the signed statement, and whether it still stands. */
export const ReceiptSchema = named(
  'Receipt',
  Type.Object(
    {
      id: Type.String(),
      cluster: Type.String(),
      node: Type.String(),
      jobId: Type.String(),
      holdId: Type.String(),
      jws: Type.String({ description: 'Compact JWS, `typ: safestate-receipt+jwt`, EdDSA; the key is in `/.well-known/jwks.json`.' }),
      issuedAt: Time,
      status: words(['standing', 'released', 'revoked']),
      revokedAt: Type.Optional(Time),
      revokedBecause: Type.Optional(Type.String()),
    },
    {
      description: 'The signed statement that a node was definitely off at a time, and since then only while its hold stands.',
      examples: [
        {
          id: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c13',
          cluster: 'default',
          node: 'worker-3',
          jobId: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c11',
          holdId: '0190f3c2-6f0e-7d3c-9b55-1d2f6f1d1c12',
          jws: 'eyJhbGciOiJFZERTQSJ9.eyJub2RlIjoid29ya2VyLTMifQ.c2lnbmF0dXJl',
          issuedAt: '2026-11-22T13:22:12.480Z',
          status: 'standing',
        },
      ],
    },
  ),
)

/** The public keys that receipts verify with (RFC 7517). */
export const JwksSchema = named(
  'Jwks',
  Type.Object({
    keys: Type.Array(
      Type.Object({ kty: Type.String(), kid: Type.String() }, { additionalProperties: true, description: 'A public key (RFC 7517).' }),
    ),
  }),
)
