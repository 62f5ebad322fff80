import type { Transaction } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import type { Draft } from './draft.ts'

/** What a store does for a transaction. */
export interface Committer {
  /** A draft with the store's clock as it is now. */
  begin(): Promise<Draft>
  /** Writes all or nothing. False: something it read has changed, or its time is over. */
  commit(draft: Draft): Promise<boolean>
  /** Compares only: whether all that was read still stands. */
  stands(draft: Draft): Promise<boolean>
  /** Waits a little before the try with this number (from 1), so that those who conflict fall out of step. */
  pause(attempt: number): Promise<void>
}

/** More tries than a conflict that ends can need; a body that can't ever be committed must not run for ever. */
const mostTries = 200

/**
 * Runs `body` on drafts until one is committed, and resolves with what it returned. An error of `body` commits nothing and is thrown, once
 * it is sure that it did not come from documents that don't fit together (read one by one while somebody changed them).
 * Rejects with `store_unavailable` after 200 conflicts.
 */
export async function transact<T>(store: Committer, body: (tx: Transaction) => Promise<T>): Promise<T> {
  for (let attempt = 1; attempt <= mostTries; attempt++) {
    if (attempt > 1) await store.pause(attempt)
    const draft = await store.begin()
    let result: T
    try {
      result = await body(draft)
    } catch (error) {
      draft.end()
      if (error instanceof SafestateError && error.code === 'store_unavailable') throw error
      if (draft.answers > 1 && !(await store.stands(draft))) continue
      throw error
    }
    draft.end()
    if (await store.commit(draft)) return result
  }
  throw new SafestateError('store_unavailable', `the store refused a change ${mostTries} times because what it rests on changed meanwhile`)
}
