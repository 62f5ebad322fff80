import { Type } from 'typebox'
import { SCOPES } from '../../core/scopes.ts'
import { ClusterName, named, PATTERNS, ref, strict, Time, words } from './common.ts'

/** An API token, without what it is. */
export const TokenSchema = named(
  'Token',
  Type.Object(
    {
      id: Type.String(),
      name: Type.String(),
      scopes: Type.Array(Type.String()),
      clusters: Type.Optional(Type.Array(Type.String(), { description: 'Absent: all, now and later.' })),
      createdAt: Time,
      revokedAt: Type.Optional(Time),
    },
    { examples: [{ id: '5f1c', name: 'ci', scopes: ['jobs:read'], createdAt: '2026-11-22T13:00:00.000Z' }] },
  ),
)

/** All tokens. */
export const TokenListSchema = named('TokenList', Type.Object({ items: Type.Array(ref(TokenSchema)) }))

/** Body of `POST /v1/tokens`. */
export const TokenRequestSchema = named(
  'TokenRequest',
  strict(
    {
      name: Type.String({ minLength: 1, maxLength: 100, pattern: PATTERNS.visible.pattern }),
      scopes: Type.Array(words(SCOPES), {
        minItems: 1,
        maxItems: SCOPES.length,
        uniqueItems: true,
        description: '`reboot` needs `jobs:off` and `jobs:on`; `admin` stands for all.',
      }),
      clusters: Type.Optional(
        Type.Array(ClusterName, { minItems: 1, maxItems: 1000, uniqueItems: true, description: 'Only in these; absent: in all.' }),
      ),
    },
    {
      description: 'Nobody hands out more than they have.',
      examples: [{ name: 'ci', scopes: ['jobs:off', 'jobs:read'], clusters: ['default'] }],
    },
  ),
)

/** A token as just made: shown this once. */
export const TokenCreatedSchema = named(
  'TokenCreated',
  Type.Object({
    id: Type.String(),
    name: Type.String(),
    scopes: Type.Array(Type.String()),
    clusters: Type.Optional(Type.Array(Type.String())),
    token: Type.String({ description: 'Shown this once; kept as a hash only.' }),
  }),
)

/** What a rotation of the vault's key did. */
export const RotationSchema = named(
  'Rotation',
  Type.Object({ keyId: Type.String(), resealed: Type.Integer() }, { examples: [{ keyId: 'k2', resealed: 120 }] }),
)

const StoreState = Type.Object({
  kind: words(['memory', 'redis', 'child', 'embedded']),
  durable: Type.Boolean(),
  warning: Type.Optional(Type.String()),
})
const Checks = Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), message: Type.Optional(Type.String()) }))

/** The answer of `/livez`. */
export const AliveSchema = named('Alive', Type.Object({ alive: Type.Boolean() }, { examples: [{ alive: true }] }))

/** The answer of `/readyz`. */
export const ReadySchema = named(
  'Ready',
  Type.Object(
    { ready: Type.Boolean(), store: StoreState, checks: Checks },
    { examples: [{ ready: true, store: { kind: 'redis', durable: true }, checks: [{ name: 'store', ok: true }] }] },
  ),
)

/** Problem details of a gateway that is not ready: what is missing. */
export const NotReadySchema = named(
  'NotReady',
  Type.Object(
    {
      type: Type.String(),
      title: Type.String(),
      status: Type.Integer(),
      detail: Type.String(),
      instance: Type.String(),
      code: Type.String(),
      retryable: Type.Boolean(),
      next: Type.String(),
      ready: Type.Optional(Type.Boolean()),
      store: Type.Optional(StoreState),
      checks: Type.Optional(Checks),
    },
    { description: 'Problem details (RFC 9457) with what `/readyz` shows otherwise.' },
  ),
)
