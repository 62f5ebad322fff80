import { type Clock, rfc3339 } from '../core/clock.ts'
import type { Documents } from '../core/documents.ts'
import type { Receipt } from '../core/receipt.ts'
import type { SigningKey } from './key.ts'
import { signJson, TYPES } from './signer.ts'

/** The payload of the signed revocation list: every receipt that no longer stands because its node was found otherwise. */
export interface RevocationList {
  iss: string
  issuedAt: string
  revoked: { jti: string; revokedAt: string; reason: string }[]
}

/** The index of revoked receipts (scores 0). */
export const REVOKED_INDEX = 'revoked'

/** A signed list is given out again for this long at most, in ms: who checks its age wants a young one. */
const KEEP_MS = 10_000
const PAGE = 500

/** Gives out the signed revocation list. */
export interface Revocations {
  /**
   * The list as a compact JWS, signed anew when anything changed in the store or the last one is 10 s old. It is never older than what the store
   * held when it was asked for: whoever has just been told of a receipt, or of its end, gets a list that speaks for it.
   */
  list(): Promise<string>
}

/** Makes the list from the store's receipts. `iss` is the same as in the receipts. */
export function makeRevocations(documents: Documents, key: SigningKey, iss: string, clock: Clock): Revocations {
  let kept: { jws: Promise<string>; cursor: string; at: number } | undefined
  return {
    async list() {
      // The store is asked, not the news from it: those come a little later, and not at all while the connection is away.
      const cursor = await documents.lastCursor()
      const now = clock.mono()
      if (kept !== undefined && kept.cursor === cursor && now - kept.at < KEEP_MS) return kept.jws
      const made = { jws: build(documents, key, iss, clock), cursor, at: now }
      kept = made
      made.jws.catch(() => {
        if (kept === made) kept = undefined
      })
      return made.jws
    },
  }
}

async function build(documents: Documents, key: SigningKey, iss: string, clock: Clock): Promise<string> {
  // Taken before the store is read: the list says nothing about what came after this time.
  const issuedAt = rfc3339(clock.now())
  const revoked: RevocationList['revoked'] = []
  for (let after: string | undefined; ; ) {
    const ids = await documents.byMember(REVOKED_INDEX, { limit: PAGE, ...(after !== undefined && { after }) })
    for (const receipt of await documents.getMany<Receipt>('receipt', ids)) {
      if (receipt?.status !== 'revoked') continue
      revoked.push({ jti: receipt.id, revokedAt: receipt.revokedAt ?? receipt.issuedAt, reason: receipt.revokedBecause ?? 'revoked' })
    }
    after = ids.at(-1)
    if (after === undefined) break
  }
  const list: RevocationList = { iss, issuedAt, revoked }
  return signJson(key, TYPES.revocations, list)
}
