// Names for the shapes of the OpenAPI document.
export type Action = 'off' | 'on' | 'reboot' | 'status'
export type Power = 'on' | 'off' | 'transitioning' | 'unknown'
export interface EvidenceItem {
  at: string
  device: string
  kind: 'read' | 'command'
  source: string
  raw: string
  power?: Power
  command?: 'on' | 'off'
  counted?: boolean
}
export interface Holder {
  holder: string
  attempt: number
}
export interface Job {
  id: string
  cluster: string
  node: string
  action: Action
  state: 'queued' | 'blocked' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  phase?: string
  revision: number
  joined: boolean
  reason: string
  holders: Holder[]
  holdId?: string
  mechanisms?: string[]
  acceptAssurance?: string[]
  createdAt: string
  deadlineAt: string
  endedAt?: string
  power?: Power
  assurance?: string
  receiptId?: string
  failure?: { code: string; message: string; device?: string }
  warnings: { code: string; message: string; device?: string }[]
  evidence: EvidenceItem[]
}
export interface JobRequest {
  node: string
  cluster?: string
  alsoNodes?: string[]
  action: Action
  reason: string
  deadlineSeconds?: number
  mechanisms?: string[]
  acceptAssurance?: string[]
  holder?: string
  attempt?: number
  releaseHolder?: { holdId: string; holder: string; attempt: number }
}
export interface Hold {
  id: string
  cluster: string
  node: string
  state: string
  holders: (Holder & { since: string })[]
  owesOn: boolean
  jobId: string
  receiptId?: string
  power?: Power
  lastReadAt?: string
  revision: number
  note?: string
  createdAt: string
  confirmedAt?: string
}
export type TlsSetting = { mode: 'pin'; fingerprint?: string } | { mode: 'ca'; ca: string } | { mode: 'insecure' }
export interface Device {
  name: string
  driver: string
  address: string
  endpoint: string
  systemId?: string
  tls: TlsSetting
  status: 'verified' | 'unverified'
  hardware?: { uuid?: string; serial?: string; manufacturer?: string; model?: string; system?: string }
  product?: string
  createdAt: string
  revision: number
  warnings?: string[]
}
export interface Node {
  cluster: string
  name: string
  systemUuid?: string
  levels: string[][]
  createdAt: string
  revision: number
}
export interface Receipt {
  id: string
  cluster: string
  node: string
  jobId: string
  holdId: string
  jws: string
  issuedAt: string
  status: 'standing' | 'released' | 'revoked'
  revokedAt?: string
  revokedBecause?: string
}
