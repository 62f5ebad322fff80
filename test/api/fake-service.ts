import type { PlacedEvent, StoreEvent } from '../../src/core/documents.ts'
import type { Probe } from '../../src/core/driver.ts'
import { SafestateError } from '../../src/core/errors.ts'
import type { Caller, DeviceInput, GatewayService, JobRequest, NodeInput } from '../../src/core/gateway.ts'
import type { Hold, Job } from '../../src/core/job.ts'
import type { Receipt } from '../../src/core/receipt.ts'
import type { Secret } from '../../src/core/secret.ts'
import type { Device, Node } from '../../src/core/topology.ts'
import { nodeKey } from '../../src/core/topology.ts'

const AT = '2026-11-22T13:22:07.123Z'

/** A job as it is stored: with the machine's inside, which must not be shown. */
export function jobLike(changes: Partial<Job> = {}): Job {
  return {
    id: 'job-1',
    cluster: 'default',
    node: 'worker-3',
    action: 'off',
    state: 'running',
    revision: 1,
    reason: 'test',
    holders: [{ holder: 'token:t1', attempt: 1 }],
    broughtHolders: [],
    createdAt: AT,
    deadlineAt: AT,
    deadlineSeconds: 120,
    warnings: [],
    evidence: [],
    tokenId: 'INSIDE-token',
    plan: { levels: [{ level: 1, mechanism: 'direct', devices: ['INSIDE-plan'], assurance: 'confirmed' }] },
    wakeAt: 1,
    idempotencyId: 'INSIDE-key',
    ...changes,
  }
}

/** A hold as it is stored. */
export function holdLike(changes: Partial<Hold> = {}): Hold {
  return {
    id: 'hold-1',
    cluster: 'default',
    node: 'worker-3',
    state: 'confirmed',
    holders: [{ holder: 'token:t1', attempt: 1, since: AT }],
    owesOn: true,
    jobId: 'job-1',
    revision: 3,
    restore: { level: 1, mechanism: 'direct', devices: ['INSIDE-restore'], assurance: 'confirmed' },
    receiptIds: ['INSIDE-receipt'],
    createdAt: AT,
    watchAt: 1,
    ...changes,
  }
}

/** What a probe finds. */
export const PROBE: Probe = {
  hardware: { uuid: '4c4c4544-0051-3010-8052-b4c04f564433' },
  power: 'on',
  product: 'Fake BMC',
  systemId: '1',
  others: [],
  commands: { on: 'On', off: 'ForceOff' },
  refusals: [],
  witnesses: [],
  session: 'session',
  offers: [],
  restorePolicy: 'previous',
  warnings: [],
}

/** The gateway behind the edge, in memory: remembers what it was asked, and decides next to nothing. */
export class FakeService implements GatewayService {
  readonly store = {
    jobs: new Map<string, Job>(),
    holds: new Map<string, Hold>(),
    devices: new Map<string, Device>(),
    nodes: new Map<string, Node>(),
    receipts: new Map<string, Receipt>(),
    keys: new Map<string, { body: string; jobId?: string }>(),
  }
  /** Token → caller. */
  readonly callers = new Map<string, Caller>()
  readonly made: { id: string; name: string; scopes: string[]; clusters?: string[]; createdAt: string; revokedAt?: string }[] = []
  readonly passwords: Secret[] = []
  readonly log: PlacedEvent[] = []
  readonly listeners = new Set<(event: PlacedEvent) => void>()
  readonly asked: unknown[] = []
  ready = true
  /** Thrown by the next call of jobs, devices or nodes. */
  fault: Error | undefined

  #refuse(): void {
    const fault = this.fault
    this.fault = undefined
    if (fault) throw fault
  }

  emit(event: StoreEvent): void {
    const placed = { ...event, cursor: `1-${this.log.length + 1}` }
    this.log.push(placed)
    for (const listener of [...this.listeners]) listener(placed)
  }

  /** Stores a job and says so, as the store does in one step. */
  put(job: Job): Job {
    this.store.jobs.set(job.id, job)
    this.emit({ topic: 'job', id: job.id, cluster: job.cluster, node: job.node })
    return job
  }

  jobs: GatewayService['jobs'] = {
    submit: async (request: JobRequest, key: string, caller: Caller) => {
      this.#refuse()
      this.asked.push({ request, key, caller: caller.tokenId })
      const id = `${caller.tokenId} ${key}`
      const body = JSON.stringify(request)
      const known = this.store.keys.get(id)
      if (known && known.body !== body) throw new SafestateError('idempotency_key_reused', 'another body')
      const before = known?.jobId === undefined ? undefined : this.store.jobs.get(known.jobId)
      if (before) return { job: before, joined: false, replayed: true }
      if (!this.store.nodes.has(`${request.cluster}/${request.node}`)) {
        throw new SafestateError('unknown_node', 'this node is not registered', { node: `${request.cluster}/${request.node}` })
      }
      const running = [...this.store.jobs.values()].find(
        job => job.node === request.node && job.state === 'running' && request.action === 'off',
      )
      const job =
        running ??
        this.put(
          jobLike({
            id: `job-${this.store.jobs.size + 1}`,
            node: request.node,
            cluster: request.cluster ?? 'default',
            action: request.action,
          }),
        )
      this.store.keys.set(id, { body, jobId: job.id })
      return { job, joined: running !== undefined, replayed: false }
    },
    get: async id => {
      this.#refuse()
      return this.store.jobs.get(id)
    },
    list: async (filter, page) => {
      this.asked.push({ filter, page })
      const items = [...this.store.jobs.values()].filter(job => page.clusters?.includes(job.cluster) ?? true)
      return { items: items.slice(0, page.limit), ...(items.length > page.limit ? { next: 'more' } : {}) }
    },
    cancel: async (id, caller, holder) => {
      this.asked.push({ cancel: id, by: caller.tokenId, holder })
      const job = this.store.jobs.get(id) ?? jobLike()
      if (job.state === 'running') throw new SafestateError('no_change', 'its command was sent', { jobId: id })
      return this.put({ ...job, state: 'cancelled', revision: job.revision + 1 })
    },
    cancelKey: async (key, caller) => {
      this.asked.push({ cancelKey: key, by: caller.tokenId })
      const jobId = this.store.keys.get(`${caller.tokenId} ${key}`)?.jobId
      return jobId === undefined ? undefined : this.store.jobs.get(jobId)
    },
  }

  holds: GatewayService['holds'] = {
    get: async id => this.store.holds.get(id),
    ofNode: async (key, maxAgeSeconds) => {
      this.asked.push({ holdOf: key, maxAgeSeconds })
      return [...this.store.holds.values()].find(hold => nodeKey({ cluster: hold.cluster, name: hold.node }) === key)
    },
    list: async page => ({ items: [...this.store.holds.values()].filter(hold => page.clusters?.includes(hold.cluster) ?? true) }),
    release: async (id, body, caller) => {
      this.asked.push({ release: id, body, by: caller.tokenId })
      return {
        hold: { ...(this.store.holds.get(id) ?? holdLike()), state: 'released', holders: [] },
        job: jobLike({ id: 'job-on', action: 'on', state: 'queued' }),
      }
    },
  }

  devices: GatewayService['devices'] = {
    add: async (input: DeviceInput) => {
      this.#refuse()
      this.passwords.push(input.password, ...(input.kg === undefined ? [] : [input.kg]))
      const device: Device = {
        name: input.name,
        driver: input.driver,
        address: input.address,
        endpoint: input.address,
        tls: input.tls ?? { mode: 'pin' },
        ...(input.ipmi === undefined ? {} : { ipmi: input.ipmi }),
        status: 'verified',
        createdAt: AT,
        revision: 1,
      }
      this.store.devices.set(device.name, device)
      return { device, warnings: ['insecure_tls'] }
    },
    get: async name => this.store.devices.get(name),
    list: async () => ({ items: [...this.store.devices.values()] }),
    change: async (name, expected, change) => {
      const device = this.store.devices.get(name)
      if (!device) throw new SafestateError('unknown_device', 'no such device', { device: name })
      if (device.revision !== expected) throw new SafestateError('revision_changed', `it is at ${device.revision}`)
      const changed = { ...device, ...change, revision: device.revision + 1 }
      this.store.devices.set(name, changed)
      return changed
    },
    setCredential: async (name, { password, kg }) => {
      this.passwords.push(password, ...(kg === undefined ? [] : [kg]))
      return this.devices.change(name, this.store.devices.get(name)?.revision ?? 0, {})
    },
    remove: async name => {
      if (!this.store.devices.delete(name)) throw new SafestateError('unknown_device', 'no such device', { device: name })
    },
    probe: async () => {
      this.#refuse()
      return PROBE
    },
  }

  nodes: GatewayService['nodes'] = {
    add: async (input: NodeInput) => {
      const node: Node = { cluster: 'default', ...input, createdAt: AT, revision: 1 }
      this.store.nodes.set(nodeKey(node), node)
      return node
    },
    get: async key => {
      this.#refuse()
      return this.store.nodes.get(key)
    },
    list: async page => ({ items: [...this.store.nodes.values()].filter(node => page.clusters?.includes(node.cluster) ?? true) }),
    remove: async key => {
      this.store.nodes.delete(key)
    },
    readiness: async () => ({ ready: true, binding: 'proven', problems: [], warnings: [], devices: [] }),
  }

  receipts: GatewayService['receipts'] = {
    get: async id => this.store.receipts.get(id),
    jwks: async () => ({ keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'k', x: 'AA', use: 'sig' }] }),
    revocations: async () => 'aa.bb.cc',
  }

  tokens: GatewayService['tokens'] = {
    verify: async token => this.callers.get(token.reveal()),
    create: async input => {
      const id = `t${this.made.length + 100}`
      this.made.push({ id, ...input, createdAt: AT })
      const { Secret } = await import('../../src/core/secret.ts')
      return { id, token: new Secret(`sst_${id}`) }
    },
    list: async () => this.made,
    revoke: async idOrName => {
      this.asked.push({ revoke: idOrName })
    },
  }

  vault = { rotate: async () => ({ keyId: 'k2', resealed: 3 }) }

  events: GatewayService['events'] = {
    after: async (cursor, limit) => {
      const place = Number(cursor.split('-')[1])
      return this.log.filter(event => Number(event.cursor.split('-')[1]) > place).slice(0, limit)
    },
    lastCursor: async () => this.log.at(-1)?.cursor ?? '0-0',
    listen: listener => {
      this.listeners.add(listener)
      return () => this.listeners.delete(listener)
    },
  }

  drivers = () => [
    { kind: 'redfish', mechanism: 'direct', title: 'Redfish service of a BMC' },
    { kind: 'ipmi', mechanism: 'direct', title: 'IPMI 2.0' },
  ]

  health: GatewayService['health'] = async () => ({
    ready: this.ready,
    store: { kind: 'embedded', durable: true, warning: 'for first steps only' },
    checks: [{ name: 'store', ok: this.ready, ...(this.ready ? {} : { message: 'not writable' }) }],
  })
}
