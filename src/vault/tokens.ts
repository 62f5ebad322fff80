import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { rfc3339 } from '../core/clock.ts'
import type { Documents, Transaction } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import type { Caller } from '../core/gateway.ts'
import { isScope, SCOPES, type Scope } from '../core/scopes.ts'
import { Secret } from '../core/secret.ts'

/** An API token as it is stored: never its text, only the SHA-256 of the secret part (256 random bits need no slow hash). */
export interface StoredToken {
  id: string
  name: string
  hash: string
  scopes: Scope[]
  /** Undefined: all clusters. */
  clusters?: string[]
  createdAt: string
  revokedAt?: string
}

/** A token as lists show it. */
export type ShownToken = Omit<StoredToken, 'hash'>

/** The index of all tokens (scores 0). */
export const TOKEN_INDEX = 'tokens'

/** Where the administrator's first token lies sealed, and for whom. */
export const ADMIN_TOKEN = { kind: 'meta', id: 'admin-token', subject: 'admin-token' } as const

const FORM = /^sst_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const PAGE = 500

/** Makes a token's id, text (`sst_<id>_<secret>`) and hash. */
function mint(): { id: string; hash: string; text: Secret } {
  const id = randomBytes(8).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  return { id, hash: hashOf(secret), text: new Secret(`sst_${id}_${secret}`) }
}

// The text is hashed, not the bytes that it stands for: base64url has spare bits, and only the one text given out may pass.
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

/** Writes a new token in a transaction that found its name free; its text leaves with the answer and is not kept. */
export function putToken(
  tx: Transaction,
  input: { name: string; scopes: Scope[]; clusters?: string[] | undefined },
): { token: StoredToken; text: Secret } {
  const { id, hash, text } = mint()
  const token: StoredToken = { id, name: input.name, hash, scopes: input.scopes, createdAt: rfc3339(tx.now) }
  if (input.clusters !== undefined) token.clusters = input.clusters
  tx.put('token', id, token)
  tx.put('token-name', token.name, { id })
  tx.indexAdd(TOKEN_INDEX, id, 0)
  return { token, text }
}

/**
 * Makes an API token. Scopes must be of `SCOPES`, the name free among living tokens; `clusters` undefined means all. Throws `bad_request` naming
 * the fields, or `exists`. Whether the caller may hand these rights out is for the caller to ask (`covers` in core/scopes.ts).
 */
export async function createToken(
  documents: Documents,
  input: { name: string; scopes: string[]; clusters?: string[] | undefined },
): Promise<{ id: string; token: Secret }> {
  const scopes = checkInput(input)
  return documents.transact(async tx => {
    // A document of the name, so that two creations at once can't both have it.
    const named = await tx.get<{ id: string }>('token-name', input.name)
    if (named !== undefined) throw new SafestateError('exists', `a token named ${input.name} exists`)
    const { token, text } = putToken(tx, { ...input, scopes })
    return { id: token.id, token: text }
  })
}

function checkInput(input: { name: string; scopes: string[]; clusters?: string[] | undefined }): Scope[] {
  const errors: { field: string; message: string }[] = []
  if (!NAME.test(input.name)) errors.push({ field: 'name', message: 'must be 1 to 63 letters, digits, dots, dashes or underscores' })
  if (input.scopes.length === 0) errors.push({ field: 'scopes', message: `must name at least one of ${SCOPES.join(', ')}` })
  for (const [place, scope] of input.scopes.entries()) {
    if (!isScope(scope)) errors.push({ field: `scopes/${place}`, message: `must be one of ${SCOPES.join(', ')}` })
  }
  if (input.clusters?.length === 0) errors.push({ field: 'clusters', message: 'must name a cluster, or be left out for all' })
  if (errors.length > 0) throw new SafestateError('bad_request', 'the token is not as it must be', { errors })
  return [...new Set(input.scopes.filter(isScope))]
}

/**
 * Whose token this is; undefined where it is unknown, wrong, malformed or revoked. One read of the store each time, so that a revocation counts
 * at once, at every gateway.
 */
export async function verifyToken(documents: Documents, text: Secret): Promise<Caller | undefined> {
  const [, id, secret] = FORM.exec(text.reveal()) ?? []
  if (id === undefined || secret === undefined) return
  const token = await documents.get<StoredToken>('token', id)
  if (token === undefined || token.revokedAt !== undefined) return
  const given = Buffer.from(hashOf(secret))
  const kept = Buffer.from(token.hash)
  if (given.length !== kept.length || !timingSafeEqual(given, kept)) return
  return { tokenId: token.id, name: token.name, scopes: token.scopes, ...(token.clusters && { clusters: token.clusters }) }
}

/** All tokens, revoked ones too, by id. */
export async function listTokens(documents: Documents): Promise<ShownToken[]> {
  const shown: ShownToken[] = []
  for (let after: string | undefined; ; ) {
    const ids = await documents.byMember(TOKEN_INDEX, { limit: PAGE, ...(after !== undefined && { after }) })
    for (const token of await documents.getMany<StoredToken>('token', ids)) {
      if (token === undefined) continue
      const { hash: _hash, ...rest } = token
      shown.push(rest)
    }
    after = ids.at(-1)
    if (after === undefined) return shown
  }
}

/** Revokes a token by id or name, at once and for good; its name is free again. Throws `not_found`. Revoking twice is no error. */
export async function revokeToken(documents: Documents, idOrName: string): Promise<void> {
  await documents.transact(async tx => {
    // Ids first: a token that is named like another's id must not be revoked in its place.
    const byId = await tx.get<StoredToken>('token', idOrName)
    const named = byId ? undefined : await tx.get<{ id: string }>('token-name', idOrName)
    const token = byId ?? (named && (await tx.get<StoredToken>('token', named.id)))
    if (token === undefined) throw new SafestateError('not_found', `there is no such token`)
    if (token.revokedAt !== undefined) return
    tx.put('token', token.id, { ...token, revokedAt: rfc3339(tx.now) })
    tx.delete('token-name', token.name)
    const admin = await tx.get<{ tokenId: string }>(ADMIN_TOKEN.kind, ADMIN_TOKEN.id)
    if (admin?.tokenId === token.id) tx.delete(ADMIN_TOKEN.kind, ADMIN_TOKEN.id)
  })
}
