import type { Moment } from './clock.ts'
import type { EvidenceItem } from './evidence.ts'
import type { Endpoint, Failure, Hold, Intent, Job, JobPhase, Progress, Settlement, Warning } from './job.ts'
import type { Assurance, Command, Power, RestorePolicy } from './power.ts'
import type { Receipt } from './receipt.ts'
import type { Device, Node, PolicyTrouble } from './topology.ts'

/** A lease in hand: what every step of an actor names so that a late one has no effect. */
export interface Lease {
  endpoint: string
  token: number
}

/** Who acts: one run of one gateway process. Two workers of one process are two actors. */
export interface Actor {
  id: string
  jobId: string
  leases: Lease[]
}

/** What became of a request to create a job. `replayed`: this Idempotency-Key was answered before, with this job. */
export interface Accepted {
  job: Job
  /** Whether this key's request joined a running job; also in a replay. */
  joined: boolean
  outcome: 'created' | 'joined' | 'replayed'
}

/** Why a checked step was not done: the actor has to stop, re-read and start again (or end). */
export type Lost = 'ended' | 'lease' | 'hold' | 'intent-open' | 'changed'

/** The outcome of a checked step. */
export type Checked<T = object> = ({ ok: true } & T) | { ok: false; lost: Lost }

/** How a job ends, or, for a reboot's off, goes on. */
export type Ending =
  | { kind: 'off'; receipt: Receipt; holdRevision: number; readAt: string; assurance: Assurance; then: 'end' | 'on'; progress?: Progress }
  | { kind: 'power'; power: Power }
  | { kind: 'failed'; failure: Failure; power?: Power }

/** What a progress record changes in a job. Lists are appended to. */
export interface JobPatch {
  state?: 'queued' | 'running'
  phase?: JobPhase
  progress?: Progress
  evidence?: EvidenceItem[]
  warnings?: Warning[]
  power?: Power
  /** Store clock, ms; null: not by time. */
  wakeAt?: number | null
}

/** A release of a hold by one of its holders, or by force. */
export interface Release {
  holdId: string
  holder: string
  attempt: number
  /** Switch the node on again when this was the last holder and the hold owes it. */
  restore: boolean
  force: boolean
  reason: string
  by: string
}

/** What is kept with a device about its power restore policy (S7). */
export interface PolicyNote {
  /** What it was before it is set to off: kept unless something else is kept already (`off` is never kept). Null: it was put back. */
  before?: RestorePolicy | null
  /** Why it could not be set to off; null: it could. */
  trouble?: PolicyTrouble | null
}

/** The verbs: every change of a job, hold or lease goes through one of them, each one atomic step. Refusals are SafestateErrors. */
export interface Store {
  /** S1, S5, S19: idempotency entry, job record, hold and turn in one step; joins a running off; cancels queued `on` jobs; supersedes a running on or reboot. `release` lets the last holder go and queues the `on` in the same step. */
  accept(args: { job: Job; idempotency: { id: string; hash: string }; release?: Release }): Promise<Accepted>
  /** What an Idempotency-Key led to before, if it did: asked first, because a replay must not depend on what has changed since. */
  replay(idempotency: { id: string; hash: string }): Promise<Accepted | undefined>
  /** All leases or none; parked where one is busy. `preempted` names endpoints whose holder is a read that should give way. */
  take(args: {
    jobId: string
    actor: string
    endpoints: string[]
    urgency: number
    preemptible: boolean
    /** False: where an endpoint is busy, nothing is written and nobody is asked to give way. */
    park?: boolean
  }): Promise<{ kind: 'taken'; leases: Lease[]; endpoints: Record<string, Endpoint> } | { kind: 'parked'; retryMs: number }>
  renew(actor: Actor): Promise<boolean>
  /** Lets go of the leases; returns the jobs that may take them now. */
  release(actor: Actor): Promise<string[]>
  /** S2: checks hold, leases, job and open intents, and writes the intent and the job's progress, in one durable step. */
  intend(args: { actor: Actor; intent: Intent; endpoint: string; progress: Progress; phase: JobPhase }): Promise<Checked>
  /** S3: an intent's exchange was answered (by its own actor) or its session is closed or its time to live is over (by the lease's holder). */
  settle(args: {
    actor: Actor
    endpoint: string
    intentId: string
    how: 'answered' | 'closed' | 'expired' | 'unsent'
    at: Moment
    evidence?: EvidenceItem
    progress?: Progress
    warnings?: Warning[]
  }): Promise<Checked<{ endpoint: Endpoint }>>
  record(args: { actor: Actor; patch: JobPatch }): Promise<Checked<{ job: Job }>>
  conclude(args: { actor: Actor; ending: Ending; patch: JobPatch }): Promise<Checked<{ job: Job; woken: string[] }>>
  /**
   * S7, S2: a change of a device's power restore policy, announced or done, durable. Checked like the command `leg`, or, with `holdId` in place of
   * a job, that this hold stands and the leases are the actor's.
   */
  notePolicy(args: {
    actor: Actor
    device: string
    leg: Command
    holdId?: string
    note: PolicyNote
    patch?: JobPatch
  }): Promise<Checked<{ device: Device; job?: Job }>>
  releaseHold(release: Release): Promise<{ hold: Hold; job?: Job }>
  /** S16. Takes back one holder's wish; the job ends only when nobody wants it. `no_change` after the intent. */
  cancel(args: { jobId: string; holder: string }): Promise<Job>
  /** S22: by Idempotency-Key, leaving a tombstone where the key was not used yet. */
  cancelKey(args: { idempotencyId: string; holder: string }): Promise<Job | undefined>
  /** A read of a held node, made under the actor's leases; `at` is when it was asked for, and an older one than is known is ignored. Keeps `lastReadAt`; found on, it revokes the receipt and the hold (S7). */
  observeHold(args: { actor: Actor; holdId: string; power: Power; at: string; nextAt: number }): Promise<Hold | undefined>
  /** A job that has ended wants no more wake-ups. */
  dismiss(jobId: string): Promise<void>
  /** Jobs whose wake time is past, oldest first. */
  dueJobs(limit: number): Promise<string[]>
  /** Holds whose next read is due. */
  dueHolds(limit: number): Promise<string[]>

  /**
   * Hardware that a device of another driver claims is shared: the newcomer joins its endpoint, with all devices of the endpoint that it was reached at
   * (S6). Refused (`hardware_taken`): two of one driver, or of two nodes; (`in_use`): those others are being worked on, or a command there is not settled.
   */
  addDevice(args: { device: Device; credential: string; hardwareKeys: string[] }): Promise<Device>
  /** Changes a device; `expected` is the revision of If-Match. With `hardwareKeys` it claims hardware as in `addDevice` (the leases of `actor` are no hindrance), and may come back under another endpoint: the leases of whoever asked are for the old one then. */
  updateDevice(args: {
    name: string
    expected?: number
    change: (device: Device) => Device
    credential?: string
    hardwareKeys?: string[]
    actor?: Actor
  }): Promise<Device>
  removeDevice(name: string): Promise<void>
  addNode(args: { node: Node }): Promise<Node>
  removeNode(key: string): Promise<void>
}

/** One page of a list; `next` is the cursor of the page after it. */
export interface Page<T> {
  items: T[]
  next?: string
}

/** Filters of the job list. */
export interface JobFilter {
  node?: string
  cluster?: string
  state?: string
  action?: string
}

/** Plain reads, by the same documents. `clusters` limits what a caller may see (undefined: all). */
export interface Reads {
  job(id: string): Promise<Job | undefined>
  jobs(filter: JobFilter, page: { after?: string; limit: number; clusters?: string[] }): Promise<Page<Job>>
  device(name: string): Promise<Device | undefined>
  devices(page: { after?: string; limit: number }): Promise<Page<Device>>
  /** The sealed credential of a device. */
  credential(name: string): Promise<string | undefined>
  node(key: string): Promise<Node | undefined>
  nodes(page: { after?: string; limit: number; clusters?: string[] }): Promise<Page<Node>>
  hold(id: string): Promise<Hold | undefined>
  /** The node's present hold, if it is not released. */
  holdOf(key: string): Promise<Hold | undefined>
  holds(page: { after?: string; limit: number; clusters?: string[] }): Promise<Page<Hold>>
  receipt(id: string): Promise<Receipt | undefined>
  endpoint(id: string): Promise<Endpoint | undefined>
  /** The endpoint that a driver's name for one stands for (itself, or what it joined, S6), and the devices under it. */
  whatIsAt(name: string): Promise<{ endpoint: string; devices: string[] }>
  endpoints(): Promise<{ id: string; settled: { on?: Settlement; off?: Settlement } }[]>
}

/** The other command: what an off has to outlast, and the other way round (S8). */
export function otherCommand(command: Command): Command {
  return command === 'off' ? 'on' : 'off'
}
