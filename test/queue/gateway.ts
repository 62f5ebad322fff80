import type { Clock } from '../../src/core/clock.ts'
import type { Driver, DriverContext, DriverSession } from '../../src/core/driver.ts'
import type { Hold } from '../../src/core/job.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Reads, Store } from '../../src/core/store.ts'
import type { Vault } from '../../src/core/vault.ts'
import { Delays } from '../../src/queue/delays.ts'
import type { RunnerParts } from '../../src/queue/parts.ts'
import { type Outcome, runJob } from '../../src/queue/runner.ts'
import { Sessions } from '../../src/queue/sessions.ts'
import { watchHold } from '../../src/queue/watch.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { createReads, createStore, PREEMPT } from '../../src/store/verbs/index.ts'
import type { World } from './world.ts'

const SCAN_MS = 2_000

/** Seals nothing: what is sealed is the business of other tests. */
const vault: Vault = { keyId: 'k', seal: (_subject, secret) => secret.reveal(), open: (_subject, envelope) => new Secret(envelope) }

/**
 * One gateway process: the real verbs, runner, sessions and watch, on its own connection and monotonic clock, woken by a trivial scheduler in
 * place of BullMQ. It can be stopped and killed between any two of its awaits: everything outside comes through `gate`.
 */
export class Gateway {
  readonly name: string
  readonly parts: RunnerParts
  /** Called at each gate with its name (`before store.intend`, `after driver.request`, …) and its count. */
  onGate: (label: string, count: number) => void = () => {}
  gates = 0
  /** Gates at which whoever comes by is held for ever. */
  readonly frozen = new Set<string>()
  /** Steps that threw: a lane runs them again. */
  readonly errors: unknown[] = []
  #stopped: Promise<void> | undefined
  #resume: () => void = () => {}
  #killed = false
  readonly #world: World
  readonly #running = new Set<string>()
  readonly #delayed = new Map<string, () => void>()
  readonly #watching = new Set<string>()
  readonly #preemptible = new Map<string, AbortController>()

  constructor(world: World, name: string, monoOffset: number) {
    this.#world = world
    this.name = name
    const plain = world.time.clockOf(monoOffset)
    const clock: Clock = {
      now: () => plain.now(),
      mono: () => plain.mono(),
      sleep: async (ms, signal) => {
        await plain.sleep(ms, signal)
        await this.gate('after clock.sleep')
      },
    }
    const documents = new MemoryStore(world.time, world.data)
    const { rules } = world
    const newId = () => world.newId()
    const store = this.#gated<Store>('store', createStore(documents, { rules, newId }))
    const plainReads = createReads(documents)
    const reads = this.#gated<Reads>('reads', plainReads)
    const driver = this.#gatedDriver(world.driver())
    documents.onSignal(PREEMPT, endpoint => {
      if (this.works) this.#preemptible.get(endpoint)?.abort(new Error('preempted'))
    })
    const context: DriverContext = { clock, limits: rules.exchange, credential: async () => ({ username: 'u', password: new Secret('p') }) }
    this.parts = {
      store,
      reads,
      vault,
      signer: {
        kid: 'test',
        sign: async payload => {
          await this.gate('signer')
          return Buffer.from(JSON.stringify(payload)).toString('base64url')
        },
      },
      issuer: { iss: 'test', storeEpoch: '1', storeDurable: true },
      rules,
      clock,
      process: name,
      delays: new Delays(name, clock),
      sessions: new Sessions({
        clock,
        rules,
        driverOf: () => driver,
        // `sealed` is what a world's devices are registered with.
        credentialOf: device => async () => {
          const envelope = await plainReads.credential(device)
          return { username: 'u', password: new Secret(envelope === undefined || envelope === 'sealed' ? 'p' : envelope) }
        },
      }),
      metrics: { read() {}, miss() {}, command() {}, ended() {} },
      newId,
      closeSession: async (device, closing, signal) => driver.closeSession(device, closing, context, signal),
      log() {},
    }
  }

  /** Notes what was settled before, and scans for what is due, as the engine does. */
  async start(): Promise<void> {
    this.parts.delays.sweep(await createReads(this.#world.documents).endpoints())
    this.#scan()
  }

  /** Whether it runs: neither stopped nor killed. */
  get works(): boolean {
    return !this.#killed && this.#stopped === undefined
  }

  running(jobId: string): boolean {
    return this.#running.has(jobId)
  }

  /** Stops the process where it is (SIGSTOP). */
  stop(): void {
    this.#stopped ??= new Promise(resolve => {
      this.#resume = resolve
    })
  }

  /** Lets it go on. */
  resume(): void {
    this.#stopped = undefined
    this.#resume()
  }

  /** Ends the process: nothing it was about to do is ever done. */
  kill(): void {
    this.#killed = true
  }

  /** Stops the process the next time that it comes by this gate. */
  stopAt(label: string, times = 1): Promise<void> {
    return new Promise(resolve => {
      let left = times
      this.onGate = passed => {
        if (passed !== label || --left > 0) return
        this.onGate = () => {}
        this.stop()
        resolve()
      }
    })
  }

  /** Works on a job until it is over or this process is. Doubled calls are what a lane may do too. */
  wake(jobId: string): void {
    if (this.#killed) return
    this.#running.add(jobId)
    this.#in(0, jobId)
  }

  /** Makes a delayed job run now, as a lane does with a wake-up of one that it knows. */
  promote(jobId: string): void {
    const callOff = this.#delayed.get(jobId)
    if (!callOff) return
    callOff()
    this.#in(0, jobId)
  }

  #in(delayMs: number, jobId: string): void {
    const callOff = this.#world.time.after(delayMs, () => {
      this.#delayed.delete(jobId)
      void this.#work(jobId)
    })
    this.#delayed.set(jobId, callOff)
  }

  async #work(jobId: string): Promise<void> {
    let outcome: Outcome
    try {
      await this.gate('wake')
      outcome = await runJob(this.parts, jobId, endpoints => this.preempted(endpoints))
    } catch (error) {
      this.errors.push(error)
      outcome = { kind: 'wait', delayMs: 1_000 }
    }
    if (outcome.kind === 'done') {
      this.#running.delete(jobId)
      return
    }
    const { delayMs } = outcome
    const next = this.#world.nextWorker(this)
    if (next !== this) this.#running.delete(jobId)
    next.later(delayMs, jobId)
  }

  /** Takes a wake-up over from another process, as BullMQ hands a delayed job to any worker. */
  later(delayMs: number, jobId: string): void {
    this.#running.add(jobId)
    this.#in(delayMs, jobId)
  }

  preempted(endpoints: string[]): AbortSignal {
    const controller = new AbortController()
    for (const endpoint of endpoints) this.#preemptible.set(endpoint, controller)
    return controller.signal
  }

  readHold(holdId: string): Promise<Hold | undefined> {
    return watchHold(this.parts, holdId, endpoints => this.preempted(endpoints))
  }

  /** The recovery scan. */
  #scan(): void {
    if (this.#killed) return
    void this.#lookRound()
    this.#world.time.after(SCAN_MS, () => this.#scan())
  }

  async #lookRound(): Promise<void> {
    if (!this.works) return
    for (const jobId of await this.parts.store.dueJobs(100)) if (!this.running(jobId)) this.wake(jobId)
    for (const holdId of await this.parts.store.dueHolds(100)) {
      if (this.#watching.has(holdId)) continue
      this.#watching.add(holdId)
      void this.readHold(holdId)
        .catch(error => this.errors.push(error))
        .finally(() => this.#watching.delete(holdId))
    }
  }

  /** Where the process can be stopped or killed. */
  async gate(label: string): Promise<void> {
    this.onGate(label, ++this.gates)
    while (this.#stopped !== undefined) await this.#stopped
    if (this.#killed || this.frozen.has(label)) await new Promise(() => {})
  }

  #gated<T extends object>(room: string, target: T): T {
    return new Proxy(target, {
      get: (from, name) => {
        const value: unknown = Reflect.get(from, name)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          await this.gate(`before ${room}.${String(name)}`)
          if (room === 'store' && name === 'intend') this.#world.onIntent((args[0] as { intent: { command: 'on' | 'off' } }).intent.command)
          const result: unknown = await value.apply(from, args)
          await this.gate(`after ${room}.${String(name)}`)
          return result
        }
      },
    })
  }

  #gatedDriver(driver: Driver): Driver {
    return {
      ...driver,
      open: (device, context) => this.#gated<DriverSession>('driver', driver.open(device, context)),
      closeSession: async (...args) => {
        await this.gate('before driver.closeSession')
        const closed = await driver.closeSession(...args)
        await this.gate('after driver.closeSession')
        return closed
      },
    }
  }
}
