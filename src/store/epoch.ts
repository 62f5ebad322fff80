import type { Documents } from '../core/documents.ts'

/** The document that says which life of the store this is (S23). */
export interface EpochDocument {
  /** Rises: the store's clock, in ms, when this life began. */
  epoch: string
  /** The server's run id then. */
  runId: string
}

/** The store's epoch. Made on the first start on an empty store; the same ever after. */
export function storeEpoch(documents: Documents, runId: string): Promise<EpochDocument> {
  return documents.transact(async tx => {
    const stored = await tx.get<EpochDocument>('meta', 'epoch')
    if (stored) return stored
    const fresh: EpochDocument = { epoch: String(tx.now), runId }
    tx.put('meta', 'epoch', fresh)
    return fresh
  })
}
