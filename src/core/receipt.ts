import type { EvidenceItem, Hardware, Witness } from './evidence.ts'
import type { HolderRef } from './job.ts'
import type { Assurance, Mechanism, Power } from './power.ts'
import type { Binding } from './topology.ts'

/** What a receipt says about a node (S14). */
export type ReceiptState = 'off' | 'ended-boot' | 'gone'

/**
 * The signed statement (S15): the node was in `state` at `confirmedAt`, and since then only while its hold stands.
 * It is the payload of a compact JWS with `typ: safestate-receipt+jwt`, EdDSA, `kid` by RFC 7638.
 */
export interface ReceiptPayload {
  iss: string
  jti: string
  cluster: string
  node: string
  state: ReceiptState
  assurance: Assurance
  mechanism: Mechanism
  binding: Binding
  hardware: (Hardware & { device: string })[]
  job: string
  attempt: number
  hold: string
  holders: HolderRef[]
  /** `closed`: every command's session was closed or answered. `bounded`: a command's late arrival is bounded by waiting only (S3). */
  lateHand: 'closed' | 'bounded'
  observations: { device: string; at: string; source: string; raw: string; power: Power; witnesses: Witness[] }[]
  commands: Pick<EvidenceItem, 'at' | 'device' | 'source' | 'raw'>[]
  /** The figures that were in force: reads, spacingMs, dwellMs, powerOnDelayMs, ... */
  rules: Record<string, number>
  warnings: string[]
  storeEpoch: string
  /** False where the store was started with --allow-volatile-store. */
  storeDurable: boolean
  requestedAt: string
  confirmedAt: string
  issuedAt: string
}

/** A receipt as it is stored: the JWS, and whether it still stands. */
export interface Receipt {
  id: string
  cluster: string
  node: string
  jobId: string
  holdId: string
  jws: string
  issuedAt: string
  /** `released`: its hold ended in the normal way. `revoked`: the node was found on, or a sign of life came. */
  status: 'standing' | 'released' | 'revoked'
  revokedAt?: string
  revokedBecause?: string
}

/** Signs receipts and the revocation list. The only thing that can: made from the store's sealed key. */
export interface Signer {
  kid: string
  sign(payload: ReceiptPayload): Promise<string>
}
