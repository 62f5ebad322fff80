import type { Driver } from '../../src/core/driver.ts'
import type { JobRequest } from '../../src/core/gateway.ts'
import { type Endpoint, type Hold, isTerminal, type Job, type NodePower } from '../../src/core/job.ts'
import type { Command } from '../../src/core/power.ts'
import type { Receipt, ReceiptPayload } from '../../src/core/receipt.ts'
import { RULES, type Rules } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Accepted, Reads, Store } from '../../src/core/store.ts'
import type { Device } from '../../src/core/topology.ts'
import { nodeKey } from '../../src/core/topology.ts'
import { submit } from '../../src/fencing/intake.ts'
import { MemoryData, MemoryStore } from '../../src/store/memory.ts'
import { createReads, createStore, INDEX, KIND, WAKE } from '../../src/store/verbs/index.ts'
import { VirtualTime } from '../clock.ts'
import { FakeBmc } from './bmc.ts'
import { Gateway } from './gateway.ts'

/** How a world differs from the plain one: one node `n1` with one BMC `b1`. */
export interface WorldOptions {
  /** Rules switched off, to see their promise break. */
  off?: (keyof Rules['switches'])[]
  rules?: (rules: Rules) => Rules
  /** Levels of `n1`, by device; a device is its own BMC unless `endpointOf` says otherwise. */
  levels?: string[][]
  systemUuid?: string
  gateways?: number
  /** Each step of a job is handed to the next gateway, as BullMQ may do; else it stays with one. */
  handsRound?: boolean
}

const CALLER = { tokenId: 'admin', name: 'admin', scopes: [] }

/** A store, some gateways, some BMCs and a node, in virtual time; and the oracle that watches them. */
export class World {
  readonly time = new VirtualTime()
  readonly data = new MemoryData()
  readonly rules: Rules
  readonly documents: MemoryStore
  readonly store: Store
  readonly reads: Reads
  readonly bmcs = new Map<string, FakeBmc>()
  readonly gateways: Gateway[] = []
  /** Promises seen broken, by the property's name in `reference/schedules.md`. */
  readonly violations: string[] = []
  readonly log: string[] = []
  /** What truly is off or on, where it is not simply "any of its BMCs' machines". */
  isOn: () => boolean = () => [...this.bmcs.values()].some(({ power }) => power === 'on')
  /** Set while somebody else than the gateway switches: a receipt may then stand for a moment on a running node. */
  othersSwitch = false
  readonly #handsRound: boolean
  #ids = 0
  #keys = 0

  constructor(options: WorldOptions = {}) {
    this.#handsRound = options.handsRound ?? false
    const base = options.rules?.(RULES) ?? RULES
    const switches = { ...base.switches }
    for (const name of options.off ?? []) switches[name] = false
    this.rules = { ...base, switches }
    this.documents = new MemoryStore(this.time, this.data)
    this.store = createStore(this.documents, { rules: this.rules, newId: () => this.newId() })
    this.reads = createReads(this.documents)
    this.time.atRest = () => this.#checkStanding()
  }

  /** Makes the inventory and starts the gateways. */
  static async make(options: WorldOptions = {}): Promise<World> {
    const world = new World(options)
    const levels = options.levels ?? [['b1']]
    for (const name of levels.flat()) await world.addBmc(name)
    await world.addNode('n1', levels, options.systemUuid)
    world.#watch()
    for (let i = 0; i < (options.gateways ?? 1); i++) await world.startGateway()
    return world
  }

  newId(): string {
    return `id-${String(++this.#ids).padStart(6, '0')}`
  }

  async addBmc(name: string): Promise<FakeBmc> {
    const bmc = new FakeBmc(name, this.time)
    bmc.hardware = { uuid: `1111${this.bmcs.size + 1}111-2222-3333-4444-555555555555`, system: '/Systems/1' }
    this.bmcs.set(name, bmc)
    bmc.onPower = (power, why) => this.#onPower(name, power, why)
    const device: Device = {
      name,
      driver: 'redfish',
      address: name,
      endpoint: name,
      tls: { mode: 'pin' },
      status: 'verified',
      hardware: bmc.hardware,
      createdAt: new Date(this.time.now()).toISOString(),
      revision: 0,
    }
    await this.store.addDevice({ device, credential: 'sealed', hardwareKeys: [`uuid:${bmc.hardware.uuid}`] })
    return bmc
  }

  async addNode(name: string, levels: string[][], systemUuid?: string): Promise<void> {
    const createdAt = new Date(this.time.now()).toISOString()
    await this.store.addNode({
      node: { cluster: 'default', name, levels, createdAt, revision: 0, ...(systemUuid === undefined ? {} : { systemUuid }) },
    })
  }

  /** A gateway process of its own, with its own monotonic clock. */
  async startGateway(): Promise<Gateway> {
    const gateway = new Gateway(this, `P${this.gateways.length + 1}`, (this.gateways.length + 1) * 1_000_003)
    this.gateways.push(gateway)
    await gateway.start()
    return gateway
  }

  /** Who gets a job's next wake-up. */
  nextWorker(present: Gateway): Gateway {
    if (!this.#handsRound) return present
    const working = this.gateways.filter(({ works }) => works)
    return working[(working.indexOf(present) + 1) % working.length] ?? present
  }

  gateway(index = 0): Gateway {
    const gateway = this.gateways[index]
    if (!gateway) throw new Error(`no gateway ${index}`)
    return gateway
  }

  bmc(name = 'b1'): FakeBmc {
    const bmc = this.bmcs.get(name)
    if (!bmc) throw new Error(`no BMC ${name}`)
    return bmc
  }

  /** The one driver: each device's BMC is the one at its address. */
  driver(): Driver {
    const of = (device: Device) => this.bmc(device.address).driver()
    return {
      ...this.bmc([...this.bmcs.keys()][0]).driver(),
      open: (device, context) => of(device).open(device, context),
      closeSession: (device, closing, context, signal) => of(device).closeSession(device, closing, context, signal),
    }
  }

  // What people and controllers do.

  async post(action: JobRequest['action'], request: Partial<JobRequest> = {}, key = `key-${++this.#keys}`): Promise<Accepted> {
    const intake = {
      store: this.store,
      reads: this.reads,
      rules: this.rules,
      clock: this.time,
      newId: () => this.newId(),
      mechanismOf: () => 'direct' as const,
    }
    const accepted = await submit(intake, { node: 'n1', action, reason: 'test', ...request }, key, CALLER)
    this.log.push(`${this.time.now() - Date.UTC(2026, 0, 1)} post ${action} ${accepted.outcome} ${accepted.job.id}`)
    return accepted
  }

  off(holder = 'A', request: Partial<JobRequest> = {}): Promise<Accepted> {
    return this.post('off', { holder, ...request })
  }

  async cancelKey(key: string, holder = 'token:admin'): Promise<Job | undefined> {
    return this.store.cancelKey({ idempotencyId: `${CALLER.tokenId}:${key}`, holder })
  }

  async release(
    holder = 'A',
    options: { attempt?: number; holdId?: string; force?: boolean; restore?: boolean } = {},
  ): Promise<Job | undefined> {
    const hold = await this.hold()
    const released = await this.store.releaseHold({
      holdId: options.holdId ?? hold?.id ?? 'none',
      holder,
      attempt: options.attempt ?? hold?.holders.find(one => one.holder === holder)?.attempt ?? 1,
      restore: options.restore ?? true,
      force: options.force ?? false,
      reason: 'test',
      by: 'tester',
    })
    return released.job
  }

  // What is.

  async job(id: string): Promise<Job> {
    const job = await this.reads.job(id)
    if (!job) throw new Error(`no job ${id}`)
    return job
  }

  hold(node = 'default/n1'): Promise<Hold | undefined> {
    return this.reads.holdOf(node)
  }

  async receipt(id: string | undefined): Promise<Receipt & { payload: ReceiptPayload }> {
    const receipt = await this.reads.receipt(id ?? 'none')
    if (!receipt) throw new Error(`no receipt ${id}`)
    return { ...receipt, payload: JSON.parse(Buffer.from(receipt.jws, 'base64url').toString()) as ReceiptPayload }
  }

  jobs(): Job[] {
    return this.#all<Job>(KIND.job)
  }

  receipts(): Receipt[] {
    return this.#all<Receipt>(KIND.receipt)
  }

  /** Lets time pass until the job has ended, and returns it; the time is given up after `ms`. */
  async ended(id: string, ms = 4_000_000): Promise<Job> {
    const seen = () => {
      const job = this.jobs().find(one => one.id === id)
      return job !== undefined && isTerminal(job.state)
    }
    await this.time.run(ms, seen)
    return this.job(id)
  }

  /** Lets time pass until all jobs have ended and everything on the wire has landed, then checks how it all ended (P3). */
  async settle(ms = 4_000_000): Promise<void> {
    const done = () =>
      this.jobs().every(job => isTerminal(job.state)) &&
      [...this.bmcs.values()].every(bmc => bmc.pending('on').length + bmc.pending('off').length === 0)
    if (!(await this.time.run(ms, done))) {
      for (const job of this.jobs().filter(one => !isTerminal(one.state))) this.broken('P3', `${job.action} ${job.id} never ends`)
    }
    await this.time.run(100)
    const held = this.#all<Hold>(KIND.hold).some(({ state }) => state !== 'released')
    if (!held && !this.isOn()) this.broken('P3', 'nobody wants the node off, and it is off')
    for (const bmc of this.bmcs.values()) {
      for (const one of bmc.flying) if (one.executions > 1) this.broken('P4', `command ${one.id} was carried out ${one.executions} times`)
    }
  }

  broken(property: string, what: string): void {
    const line = `${property}: ${what}`
    if (!this.violations.includes(line)) this.violations.push(line)
  }

  /** Commands that were announced for a job. */
  sent(command: Command, name = 'b1'): number {
    return this.bmc(name).flying.filter(one => one.command === command).length
  }

  /** Whether an intent of this node's endpoints is open. */
  openIntents(): number {
    return this.#all<Endpoint>(KIND.endpoint).reduce((sum, { intents }) => sum + intents.length, 0)
  }

  power(): NodePower | undefined {
    return this.#all<NodePower>(KIND.power)[0]
  }

  secret(text: string): Secret {
    return new Secret(text)
  }

  #all<T>(kind: string): T[] {
    const found: T[] = []
    for (const [name, { text }] of this.data.documents) if (name.startsWith(`${kind}:`)) found.push(JSON.parse(text) as T)
    return found
  }

  // The oracle.

  #watch(): void {
    this.documents.onEvent(event => {
      if (event.topic !== 'receipt') return
      const receipt = this.receipts().find(({ id }) => id === event.id)
      if (receipt?.status !== 'standing') return
      if (this.isOn() && !this.othersSwitch) this.broken('P1', `receipt ${event.id} is stored while the node is on`)
      for (const bmc of this.bmcs.values()) {
        if (bmc.pending('on').length > 0) this.broken('P1', `receipt ${event.id} is stored while an on is on its way`)
      }
    })
    this.documents.onSignal(WAKE, message => {
      const { jobId } = JSON.parse(message) as { jobId: string }
      const knows = this.gateways.find(gateway => gateway.works && gateway.running(jobId))
      if (knows) knows.promote(jobId)
      else this.gateways.find(gateway => gateway.works)?.wake(jobId)
    })
  }

  #onPower(name: string, power: 'on' | 'off', why: string): void {
    this.log.push(`${this.time.now() - Date.UTC(2026, 0, 1)} ${name} is ${power}: ${why}`)
    if (power === 'on' && this.isOn() && why !== 'pressed') {
      if (this.receipts().some(({ status }) => status === 'standing')) this.broken('P1', `${name} came on under a standing receipt: ${why}`)
    }
  }

  #checkStanding(): void {
    if (this.othersSwitch || !this.isOn()) return
    if (this.receipts().some(({ status }) => status === 'standing')) this.broken('P1', 'a receipt stands on a running node')
  }

  /** Checked by a gateway's store right before an intent is written: no on under a hold. */
  onIntent(command: Command): void {
    const hold = this.#all<Hold>(KIND.hold).find(({ state }) => state !== 'released')
    if (command === 'on' && hold) this.broken('S1', 'an on was announced under a hold')
  }

  /** Jobs that the store says are due. */
  async due(): Promise<string[]> {
    return this.documents.byScore(INDEX.due, 0, await this.documents.time(), 100)
  }

  node(name = 'n1'): string {
    return nodeKey({ cluster: 'default', name })
  }
}

/** Promise 3, from a job's evidence: each further command comes after a fresh read of the contrary power. */
export function isBlind(job: Job, command: 'off' | 'on'): boolean {
  const contrary = command === 'off' ? 'on' : 'off'
  let sent = false
  let contraryRead = false
  for (const { kind, power, source, command: what } of job.evidence) {
    if (kind === 'read' && power === contrary) contraryRead = true
    if (kind !== 'command' || what !== command || source.startsWith('settled')) continue
    if (sent && !contraryRead) return true
    sent = true
    contraryRead = false
  }
  return false
}
