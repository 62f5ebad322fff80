import type { Transaction } from '../../core/documents.ts'
import type { Hold, HolderRef, Job, NodePower } from '../../core/job.ts'
import type { Receipt } from '../../core/receipt.ts'
import { INDEX, KIND, nextTurn, owedOn, putHold, type VerbContext } from './shared.ts'

/** What becomes of a hold when holders leave it. */
export interface Leaving {
  holders: HolderRef[]
  reason: string
  tokenId: string
  /** Whether an `on` that is owed is queued. A person may say no (`--keep-off`). */
  restore: boolean
  /** Store ms by which every `on` of the node is held back, so that holders who were not asked can see it coming (S7). */
  delayMs?: number
  /** The receipts are revoked, not just released: whoever relied on them did not agree. */
  revokeBecause?: string
}

/**
 * Takes holders out of a hold. When that empties it, it is released and the `on` that it owes is queued in the same step (S5, S17).
 * Returns the node's power state, which the caller puts, and the `on`.
 */
export async function leaveHold(
  tx: Transaction,
  context: VerbContext,
  power: NodePower,
  hold: Hold,
  leaving: Leaving,
): Promise<{ power: NodePower; hold: Hold; on?: Job }> {
  const left = hold.holders.filter(
    holder => !leaving.holders.some(leaver => leaver.holder === holder.holder && leaver.attempt === holder.attempt),
  )
  if (left.length > 0) return { power, hold: putHold(tx, { ...hold, holders: left }) }
  for (const id of hold.receiptIds) {
    const receipt = await tx.get<Receipt>(KIND.receipt, id)
    if (receipt?.status === 'standing') endReceipt(tx, receipt, leaving.revokeBecause)
  }
  const { watchAt: _watch, ...rest } = hold
  const released = putHold(tx, { ...rest, holders: [], state: 'released', note: leaving.reason })
  const { holdId: _hold, ...without } = power
  const free = leaving.delayMs === undefined ? without : { ...without, onNotBefore: tx.now + leaving.delayMs }
  if (!leaving.restore || !hold.owesOn) return { power: free, hold: released }
  const on = owedOn(tx, context, hold, leaving.reason, leaving.tokenId)
  return { power: await nextTurn(tx, { ...free, waiting: [...free.waiting, on.id] }), hold: released, on }
}

/** A receipt that no longer stands: released in the normal way, or revoked, which the signed list shows. */
export function endReceipt(tx: Transaction, receipt: Receipt, revokedBecause?: string): void {
  tx.put<Receipt>(
    KIND.receipt,
    receipt.id,
    revokedBecause === undefined
      ? { ...receipt, status: 'released' }
      : { ...receipt, status: 'revoked', revokedAt: new Date(tx.now).toISOString(), revokedBecause },
  )
  if (revokedBecause !== undefined) tx.indexAdd(INDEX.revoked, receipt.id, 0)
  tx.emit({ topic: 'receipt', id: receipt.id, cluster: receipt.cluster, node: receipt.node })
}
