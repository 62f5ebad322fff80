import type { Moment } from './clock.ts'
import type { FailureCode } from './errors.ts'
import type { EvidenceItem, Hardware, RunningDraw, Witness } from './evidence.ts'
import type { Action, Assurance, Command, Mechanism, Power, RestorePolicy } from './power.ts'
import type { Binding } from './topology.ts'

/** Where a job stands, as everybody sees it. */
export type JobState = 'queued' | 'blocked' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** All job states, for schemas. */
export const JOB_STATES = ['queued', 'blocked', 'running', 'succeeded', 'failed', 'cancelled'] as const satisfies readonly JobState[]

/** True once nothing will happen in the job any more. */
export function isTerminal(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

/** What a running job is doing, for people. */
export type JobPhase = 'waiting-turn' | 'waiting-device' | 'opening' | 'settling' | 'reading' | 'commanding' | 'confirming' | 'restoring'

/** Who wants a node off, and in which of its tries. */
export interface HolderRef {
  holder: string
  attempt: number
}

/** A warning that a job carries without failing: `not_restored`, `declared_binding`, `late_hand_bounded`, `insecure_tls`, ... */
export interface Warning {
  code: 'not_restored' | 'declared_binding' | 'late_hand_bounded' | 'insecure_tls' | 'restore_policy' | 'evidence_trimmed'
  message: string
  device?: string
}

/** Why a job ended without its goal. */
export interface Failure {
  code: FailureCode
  message: string
  device?: string
}

/** One level of a plan: the devices that must conclude together. */
export interface PlanLevel {
  /** The level's place in the node's topology, counted from 1. */
  level: number
  mechanism: Mechanism
  devices: string[]
  /** The best assurance that this level can reach. */
  assurance: Assurance
}

/** The steps of a job, made once at acceptance from the node's topology and the request's limits. */
export interface Plan {
  levels: PlanLevel[]
}

/** One read that counts towards a verdict. Times are this process's monotonic milliseconds. */
export interface CountedRead {
  startedMono: number
  endedMono: number
  at: string
  source: string
  raw: string
  witnesses: Witness[]
}

/** What a job knows about one device of the current level and leg. */
export interface DeviceProgress {
  device: string
  endpoint: string
  /** The first power read in this leg. */
  found?: Power
  /** `contradicted`: the witness that an off was not taken from, for people. */
  last?: { power: Power; startedMono: number; endedMono: number; contradicted?: string }
  /** Power commands announced (intents written) in this leg. */
  commands: number
  lastCommand?: { settledMono: number; refused: boolean; retryAfterMs?: number }
  /** What the machine drew before the last command, where it was seen (S11). */
  draw?: RunningDraw
  /** True when the goal's power was read after the last command: it was carried out, so a contrary read means a new cause. */
  reachedSinceCommand: boolean
  /** The first and the newest counted reads in a row, and how many there were. */
  streak: CountedRead[]
  counted: number
  /** Reads that failed in a row, and the last reason. */
  misses: number
  error?: Failure
  /** Identity as read in this leg, and how it is bound to the node. */
  hardware?: Hardware
  binding?: Binding
  /** The power restore policy in the last read (S7): null where there is none, absent where the driver does not see it. */
  restorePolicy?: RestorePolicy | null
  /** The power restore policy was seen to in this leg, well or not: it is tried once. */
  policyDone?: true
  /** Not before: of the next read, and of the end of waiting out a session that can't be closed (S3). */
  nextReadMono: number
}

/** The job machine's state: what is left to do and what was seen. Stored after every step; see `fencing/machine.ts`. */
export interface Progress {
  /** The process whose monotonic clock the times below are on; a different one starts the waits again (S23). */
  process: string
  leg: 'off' | 'on' | 'status'
  /** Index into `plan.levels`. */
  levelIndex: number
  /** End of the current level's share of the deadline. */
  levelEndsMono: number
  deadlineMono: number
  devices: DeviceProgress[]
  /** Failures of the levels that gave way. */
  failures: Failure[]
  /** True from the first intent of the job on, over all levels and legs of `off`. */
  commandedOff: boolean
  commandedOn: boolean
  /** When this leg began: reads slow down with time. */
  legSinceMono: number
  /** Set when the off of a reboot has concluded. */
  offReceiptId?: string
  /** The node's hold was confirmed by an earlier job when this one began: reads suffice while they say off (S5). */
  readsOnly: boolean
}

/** One requested action on a node, as it is stored. `publicJob` (in `core/views.ts`) shows it without the machine's inside. */
export interface Job {
  id: string
  cluster: string
  node: string
  action: Action
  state: JobState
  phase?: JobPhase
  revision: number
  reason: string
  holders: HolderRef[]
  /** Those of `holders` that this job brought into the hold: given back when it ends without a command (S5, S17). */
  broughtHolders: HolderRef[]
  holdId?: string
  mechanisms?: Mechanism[]
  acceptAssurance?: Assurance[]
  createdAt: string
  deadlineAt: string
  deadlineSeconds: number
  endedAt?: string
  power?: Power
  assurance?: Assurance
  receiptId?: string
  failure?: Failure
  warnings: Warning[]
  evidence: EvidenceItem[]
  /** The API token that asked: scopes what its holder may see and cancel. */
  tokenId: string
  plan: Plan
  /** An `on` after a hold without a verdict: a late off may still land, so it waits for the off delay before it acts (S17). */
  cautious?: boolean
  progress?: Progress
  /** When the job wants to be woken next, on the store's clock (ms); absent once terminal or while it waits for its turn. */
  wakeAt?: number
  /** Idempotency entry to keep as long as the job and its hold live (S19). */
  idempotencyId?: string
}

/** The state of a node's hold (S1). */
export type HoldState = 'pending' | 'confirmed' | 'revoked' | 'released'

/** A node's fenced state, kept until the last of its holders lets go. */
export interface Hold {
  id: string
  cluster: string
  node: string
  state: HoldState
  holders: (HolderRef & { since: string })[]
  /** From the first off intent, or from superseding an on or reboot: whatever empties the hold powers the node on again (S5). */
  owesOn: boolean
  jobId: string
  receiptId?: string
  power?: Power
  lastReadAt?: string
  revision: number
  /** What to switch on again at the end: all devices that got an off intent, and the level that concluded. */
  restore: PlanLevel
  /** All receipts issued under this hold: they end with it. */
  receiptIds: string[]
  /** Why it was revoked or released by force; for the audit. */
  note?: string
  createdAt: string
  /** When the hold is to be read next, on the store's clock (ms). */
  watchAt?: number
  confirmedAt?: string
}

/** What is going on with one node: at most one power job at a time, others wait their turn. */
export interface NodePower {
  holdId?: string
  active?: string
  waiting: string[]
  /** No `on` before this (store ms): a hold was released by force, and its holders have not seen it yet (S7). */
  onNotBefore?: number
}

/** The announcement of one command (S2), open until settled (S3). */
export interface Intent {
  id: string
  jobId: string
  device: string
  command: Command
  actor: string
  token: number
  sessionId: string
  /** What closes the session, sealed; null where it can't be closed and the time to live is waited out. */
  closing: string | null
  at: Moment
  ttlMs: number
}

/** When the last command of a kind was settled on an endpoint (S8). `id` tells one settlement from the next. */
export interface Settlement {
  id: string
  at: Moment
}

/** Everything that is decided per BMC: the lease, who waits for it, open intents, last settlements. */
export interface Endpoint {
  lease?: { jobId: string; actor: string; token: number; until: number; preemptible: boolean }
  /** The fencing token's counter: rises with every lease. */
  counter: number
  waiters: { jobId: string; urgency: number; since: number }[]
  /** After a release the most urgent waiter has this long (store clock, ms) to take the lease before others may. */
  reserved?: { jobId: string; until: number; urgency: number }
  intents: Intent[]
  settled: { on?: Settlement; off?: Settlement }
  /** Commands of other processes that were only outlived (S3): a stopped one can still wake and write. Gone once its process tells that it is done. */
  outlived?: string[]
}
