import type { PlacedEvent, StoreHealth } from './documents.ts'
import type { Probe } from './driver.ts'
import type { Hold, Job } from './job.ts'
import type { Action, Assurance, DriverKind, Mechanism } from './power.ts'
import type { Receipt } from './receipt.ts'
import type { Secret } from './secret.ts'
import type { JobFilter, Page } from './store.ts'
import type { Binding, Device, IpmiSettings, Node, TlsSetting } from './topology.ts'

/** An authenticated caller. `clusters` undefined: all. */
export interface Caller {
  tokenId: string
  name: string
  scopes: string[]
  clusters?: string[]
}

/** The body of `POST /v1/jobs` (INTERFACES), validated in form but not yet against the inventory. */
export interface JobRequest {
  node: string
  cluster?: string
  alsoNodes?: string[]
  action: Action
  reason: string
  deadlineSeconds?: number
  mechanisms?: Mechanism[]
  acceptAssurance?: Assurance[]
  holder?: string
  attempt?: number
  releaseHolder?: { holdId: string; holder: string; attempt: number }
}

/** A device as it comes from a person: the credential is sealed at once and never given back. */
export interface DeviceInput {
  name: string
  driver: DriverKind
  address: string
  username: string
  password: Secret
  systemId?: string
  tls?: TlsSetting
  ipmi?: IpmiSettings
  /** IPMI's BMC key (Kg). */
  kg?: Secret
}

/** A node as it comes from a person. */
export interface NodeInput {
  name: string
  cluster?: string
  systemUuid?: string
  levels: string[][]
}

/** Would fencing this node work now, as far as is known? */
export interface Readiness {
  ready: boolean
  binding: Binding | 'unknown'
  problems: { code: string; message: string; device?: string }[]
  warnings: { code: string; message: string; device?: string }[]
  devices: { device: string; status: 'verified' | 'unverified'; lastReadAt?: string }[]
}

/** What the HTTP edge asks of the rest of the gateway. Refusals are SafestateErrors; the edge only translates. */
export interface GatewayService {
  jobs: {
    /** The idempotency key is scoped to the caller's token. Resolves once durable. */
    submit(request: JobRequest, key: string, caller: Caller): Promise<{ job: Job; joined: boolean; replayed: boolean }>
    get(id: string): Promise<Job | undefined>
    list(filter: JobFilter, page: { after?: string; limit: number; clusters?: string[] }): Promise<Page<Job>>
    cancel(id: string, caller: Caller, holder?: string): Promise<Job>
    cancelKey(key: string, caller: Caller): Promise<Job | undefined>
  }
  holds: {
    get(id: string): Promise<Hold | undefined>
    /** Reads the node first when its last read is older than `maxAgeSeconds`. */
    ofNode(key: string, maxAgeSeconds?: number): Promise<Hold | undefined>
    list(page: { after?: string; limit: number; clusters?: string[] }): Promise<Page<Hold>>
    release(
      id: string,
      body: { holder?: string; attempt?: number; restore: boolean; force?: boolean; reason: string },
      caller: Caller,
    ): Promise<{ hold: Hold; job?: Job }>
  }
  devices: {
    /** Contacts the device first; unreachable ones are registered as `unverified`. */
    add(input: DeviceInput): Promise<{ device: Device; warnings: string[] }>
    get(name: string): Promise<Device | undefined>
    list(page: { after?: string; limit: number }): Promise<Page<Device>>
    change(name: string, expected: number, change: Partial<Pick<DeviceInput, 'address' | 'systemId' | 'tls' | 'ipmi'>>): Promise<Device>
    /** Replaces all of it: no `kg` is none. */
    setCredential(name: string, credential: { username: string; password: Secret; kg?: Secret }): Promise<Device>
    remove(name: string): Promise<void>
    probe(name: string, signal: AbortSignal): Promise<Probe>
  }
  nodes: {
    add(input: NodeInput): Promise<Node>
    get(key: string): Promise<Node | undefined>
    list(page: { after?: string; limit: number; clusters?: string[] }): Promise<Page<Node>>
    remove(key: string): Promise<void>
    readiness(key: string): Promise<Readiness>
  }
  receipts: {
    get(id: string): Promise<Receipt | undefined>
    jwks(): Promise<{ keys: Record<string, unknown>[] }>
    revocations(): Promise<string>
  }
  tokens: {
    verify(token: Secret): Promise<Caller | undefined>
    create(input: { name: string; scopes: string[]; clusters?: string[] }): Promise<{ id: string; token: Secret }>
    list(): Promise<{ id: string; name: string; scopes: string[]; clusters?: string[]; createdAt: string; revokedAt?: string }[]>
    revoke(idOrName: string): Promise<void>
  }
  vault: { rotate(): Promise<{ keyId: string; resealed: number }> }
  events: {
    after(cursor: string, limit: number): Promise<PlacedEvent[]>
    lastCursor(): Promise<string>
    listen(listener: (event: PlacedEvent) => void): () => void
  }
  drivers(): { kind: string; mechanism: string; title: string }[]
  /** `ready` only while the store is writable and the workers run. */
  health(): Promise<{ ready: boolean; store: StoreHealth; checks: { name: string; ok: boolean; message?: string }[] }>
}
