import type { Documents, Transaction } from '../../src/core/documents.ts'
import type { Job, Progress } from '../../src/core/job.ts'
import { RULES } from '../../src/core/rules.ts'
import type { Actor, Reads, Store } from '../../src/core/store.ts'
import { createReads, createStore, INDEX, KIND, PREEMPT, WAKE } from '../../src/store/verbs/index.ts'
import { devices, endpoints, hardware, keys, nodes, type VerbStep } from './histories.ts'

const start = 1_795_000_000_000

/** One store with the verbs on it, in a time that only `pass` moves. */
export class World {
  readonly signals: string[] = []
  readonly #store: Store
  readonly #reads: Reads
  readonly #documents: Documents
  readonly #jobs: string[] = []
  readonly #holds: string[] = []
  readonly #actors: Actor[] = []
  #now = start
  #ids = 0

  constructor(documents: Documents) {
    this.#documents = documents
    const timed = inVirtualTime(documents, () => this.#now)
    this.#store = createStore(timed, { rules: RULES, newId: () => this.#id() })
    this.#reads = createReads(timed)
    for (const channel of [WAKE, PREEMPT]) documents.onSignal(channel, message => this.signals.push(`${channel} ${message}`))
  }

  /** Does one step and answers what its caller sees. */
  async run(step: VerbStep): Promise<unknown> {
    try {
      const result = await this.#run(step)
      if (step.verb === 'accept') await this.#meet(step.node)
      return { result }
    } catch (error) {
      return { error: String(error), code: error instanceof Error && 'code' in error ? error.code : undefined }
    }
  }

  /** All that is stored. */
  async everything(): Promise<unknown> {
    const all = { limit: 10_000 }
    const indexes = [...Object.values(INDEX).filter(index => typeof index === 'string'), ...nodes.map(INDEX.jobsOf)]
    const receipts = await this.#documents.byMember(INDEX.receipts, all)
    return {
      jobs: await this.#reads.jobs({}, all),
      holds: await this.#documents.getMany(KIND.hold, this.#holds),
      held: await this.#reads.holds(all),
      devices: await this.#reads.devices(all),
      nodes: await this.#reads.nodes(all),
      power: await this.#documents.getMany(KIND.power, [...nodes]),
      endpoints: await this.#documents.getMany(KIND.endpoint, [...endpoints]),
      keys: await this.#documents.getMany(KIND.idempotency, [...keys]),
      hardware: await this.#documents.getMany(KIND.hardware, [...hardware]),
      owners: await this.#documents.getMany('device-node', [...devices]),
      receipts: await this.#documents.getMany(KIND.receipt, receipts),
      indexes: await Promise.all(indexes.map(index => this.#documents.byScore(index, -Infinity, Infinity, 10_000))),
      events: (await this.#documents.eventsAfter('0-0', 10_000)).map(({ cursor: _, ...event }) => event),
    }
  }

  #id(): string {
    return `id-${String(++this.#ids).padStart(6, '0')}`
  }

  async #meet(node: string): Promise<void> {
    const hold = await this.#reads.holdOf(node)
    if (hold && !this.#holds.includes(hold.id)) this.#holds.push(hold.id)
  }

  #actor(index: number): Actor {
    return (
      this.#actors.at(index % Math.max(1, this.#actors.length)) ?? { id: 'nobody', jobId: 'none', leases: [{ endpoint: 'bmc1', token: 1 }] }
    )
  }

  #jobId(index: number): string {
    return this.#jobs.at(index % Math.max(1, this.#jobs.length)) ?? 'none'
  }

  async #run(step: VerbStep): Promise<unknown> {
    const store = this.#store
    switch (step.verb) {
      case 'accept':
        return this.#accept(step)
      case 'take': {
        const { endpoints, urgency, preemptible } = step
        const jobId = this.#jobId(step.job)
        const taken = await store.take({ jobId, actor: step.actor, endpoints, urgency, preemptible })
        if (taken.kind === 'taken') this.#actors.push({ id: step.actor, jobId, leases: taken.leases })
        return taken
      }
      case 'renew':
        return store.renew(this.#actor(step.actor))
      case 'release':
        return store.release(this.#actor(step.actor))
      case 'intend':
        return this.#intend(step)
      case 'settle': {
        const endpoint = await this.#reads.endpoint(step.endpoint)
        const intent = endpoint?.intents.at(step.intent % Math.max(1, endpoint.intents.length))
        const args = {
          actor: this.#actor(step.actor),
          endpoint: step.endpoint,
          intentId: intent?.id ?? 'none',
          how: step.how,
          at: this.#moment(),
        }
        return store.settle({ ...args, evidence: { at: this.#time(), device: 'd1', kind: 'command', source: 'test', raw: '204' } })
      }
      case 'record': {
        const wakeAt = step.wakeIn === null ? null : this.#now + step.wakeIn
        return store.record({ actor: this.#actor(step.actor), patch: { state: 'running', phase: 'reading', wakeAt } })
      }
      case 'conclude':
        return this.#conclude(step)
      case 'releaseHold': {
        const { holder, attempt, restore, force } = step
        return store.releaseHold({ holdId: this.#holdId(step.hold), holder, attempt, restore, force, reason: 'test', by: 'tester' })
      }
      case 'cancel':
        return store.cancel({ jobId: this.#jobId(step.job), holder: step.holder })
      case 'cancelKey':
        return store.cancelKey({ idempotencyId: step.key, holder: step.holder })
      case 'notePolicy': {
        const { leg, before, trouble, hold } = step
        const checked = hold === null ? { patch: { phase: 'confirming' as const } } : { holdId: this.#holdId(hold) }
        return store.notePolicy({ actor: this.#actor(step.actor), device: 'd1', leg, note: { before, trouble }, ...checked })
      }
      case 'observeHold':
        return store.observeHold({
          actor: { id: 'watch', jobId: 'watch', leases: [] },
          holdId: this.#holdId(step.hold),
          power: step.power,
          at: this.#time(),
          nextAt: this.#now + 10_000,
        })
      case 'dismiss':
        return store.dismiss(this.#jobId(step.job))
      case 'due':
        return { jobs: await store.dueJobs(10), holds: await store.dueHolds(10) }
      case 'addDevice':
        return store.addDevice({
          device: device(step.device, step.hardware, this.#time()),
          credential: 'sealed',
          hardwareKeys: step.hardware,
        })
      case 'updateDevice': {
        const { device: name, expected } = step
        return store.updateDevice({ name, expected, change: device => ({ ...device, product: 'x' }), hardwareKeys: step.hardware })
      }
      case 'removeDevice':
        return store.removeDevice(step.device)
      case 'addNode': {
        const [cluster = '', name = ''] = step.node.split('/')
        return store.addNode({ node: { cluster, name, levels: [step.devices], createdAt: this.#time(), revision: 0 } })
      }
      case 'removeNode':
        return store.removeNode(step.node)
      case 'pass':
        this.#now += step.ms
        return undefined
    }
  }

  async #accept(step: Extract<VerbStep, { verb: 'accept' }>): Promise<unknown> {
    const [cluster = '', name = ''] = step.node.split('/')
    const asked = { holder: step.holder, attempt: step.attempt }
    const job: Job = {
      id: this.#id(),
      cluster,
      node: name,
      action: step.action,
      state: 'queued',
      revision: 0,
      reason: 'test',
      holders: step.action === 'off' || step.action === 'reboot' ? [asked] : [],
      broughtHolders: [],
      createdAt: this.#time(),
      deadlineAt: new Date(this.#now + 120_000).toISOString(),
      deadlineSeconds: 120,
      warnings: [],
      evidence: [],
      tokenId: 'tester',
      plan: { levels: [{ level: 1, mechanism: 'direct', devices: ['d1'], assurance: 'confirmed' }] },
    }
    const release =
      step.action === 'on' && step.lastReleases !== undefined
        ? { release: { holdId: this.#holdId(step.lastReleases), ...asked, restore: true, force: false, reason: 'test', by: 'tester' } }
        : {}
    const accepted = await this.#store.accept({ job, idempotency: { id: step.key, hash: step.hash }, ...release })
    if (accepted.outcome === 'created') this.#jobs.push(accepted.job.id)
    return accepted
  }

  #intend(step: Extract<VerbStep, { verb: 'intend' }>): Promise<unknown> {
    const actor = this.#actor(step.actor)
    const intent = {
      id: this.#id(),
      jobId: actor.jobId,
      device: 'd1',
      command: step.command,
      actor: actor.id,
      token: actor.leases[0]?.token ?? 0,
      sessionId: 's',
      closing: null,
      at: this.#moment(),
      ttlMs: 15_000,
    }
    const progress = this.#progress(step.command)
    return this.#store.intend({ actor, intent, endpoint: step.endpoint, progress, phase: 'commanding' })
  }

  async #conclude(step: Extract<VerbStep, { verb: 'conclude' }>): Promise<unknown> {
    const actor = this.#actor(step.actor)
    const patch = { power: 'off' as const }
    if (step.ending === 'power') return this.#store.conclude({ actor, ending: { kind: 'power', power: 'on' }, patch })
    if (step.ending === 'failed') {
      return this.#store.conclude({ actor, ending: { kind: 'failed', failure: { code: 'deadline', message: 'test' } }, patch })
    }
    const job = await this.#reads.job(actor.jobId)
    const hold = await this.#reads.holdOf(`${job?.cluster}/${job?.node}`)
    const id = this.#id()
    const receipt = {
      id,
      cluster: 'default',
      node: job?.node ?? '',
      jobId: actor.jobId,
      holdId: hold?.id ?? '',
      jws: 'a.b.c',
      issuedAt: this.#time(),
    }
    return this.#store.conclude({
      actor,
      patch,
      ending: {
        kind: 'off',
        receipt: { ...receipt, status: 'standing' },
        holdRevision: (hold?.revision ?? 0) - (step.stale ? 1 : 0),
        readAt: this.#time(),
        assurance: 'confirmed',
        // biome-ignore lint/suspicious/noThenProperty: the port's own word, a text
        then: step.goesOn ? 'on' : 'end',
        progress: this.#progress('on'),
      },
    })
  }

  #holdId(index: number): string {
    return this.#holds.at(index % Math.max(1, this.#holds.length)) ?? 'none'
  }

  #time(): string {
    return new Date(this.#now).toISOString()
  }

  #moment(): { process: string; mono: number; wall: number } {
    return { process: 'p', mono: this.#now - start, wall: this.#now }
  }

  #progress(command: 'on' | 'off'): Progress {
    const mono = this.#now - start
    return {
      process: 'p',
      leg: command,
      levelIndex: 0,
      levelEndsMono: mono + 1,
      deadlineMono: mono + 2,
      devices: [],
      failures: [],
      commandedOff: command === 'off',
      commandedOn: command === 'on',
      legSinceMono: mono,
      readsOnly: false,
    }
  }
}

function device(name: string, hardwareKeys: string[], createdAt: string): Parameters<Store['addDevice']>[0]['device'] {
  return {
    name,
    driver: 'redfish',
    address: `https://${name}`,
    endpoint: 'bmc1',
    tls: { mode: 'pin' },
    status: 'verified',
    hardwareKeys,
    createdAt,
    revision: 0,
  }
}

/** The same documents with another clock, for `now` and for what `notAfter` is measured on: so that two stores do the same at the same moment. */
function inVirtualTime(documents: Documents, now: () => number): Documents {
  return new Proxy(documents, {
    get(target, name) {
      if (name === 'time') return async () => now()
      if (name === 'transact') {
        return (body: (tx: Transaction) => Promise<unknown>, options?: { durable?: boolean }) =>
          target.transact(tx => body(shifted(tx, now())), options)
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function shifted(tx: Transaction, now: number): Transaction {
  return {
    now,
    get: (kind, id) => tx.get(kind, id),
    put: (kind, id, data) => tx.put(kind, id, data),
    delete: (kind, id) => tx.delete(kind, id),
    indexAdd: (index, member, score) => tx.indexAdd(index, member, score),
    indexRemove: (index, member) => tx.indexRemove(index, member),
    emit: event => tx.emit(event),
    signal: (channel, message) => tx.signal(channel, message),
    notAfter: time => tx.notAfter(tx.now + (time - now)),
  }
}
