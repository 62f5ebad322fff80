import type { Documents } from '../core/documents.ts'
import type { Hold } from '../core/job.ts'
import { nodeKey } from '../core/topology.ts'
import { type Lane, type LaneParts, Lanes } from './lanes.ts'
import type { RunnerParts } from './parts.ts'
import { runJob } from './runner.ts'
import { watchHold } from './watch.ts'

/** How often overdue jobs and holds are looked for, ms (INTERFACES: recovery scan). */
const SCAN_MS = 2_000

/** At the end a read under way has so long to end by itself: cut off in its log-in it would leave a session behind at the BMC, ms. */
const GRACE_MS = 1_000

/** How many overdue jobs or holds one scan takes. */
const SCAN_LIMIT = 500

/** Signals of the store that the engine listens to; they belong to the store's verbs. */
export interface Channels {
  wake: string
  preempt: string
}

/**
 * The moving part of a gateway: lanes that wake jobs, the recovery scan that finds what was lost, the watch over holds, and preemption: an off
 * makes a running read give way, in whichever process it runs.
 */
export class Engine {
  readonly lanes: Lanes
  readonly #parts: RunnerParts
  readonly #documents: Documents
  readonly #preemptible = new Map<string, Set<AbortController>>()
  readonly #stops: (() => void)[] = []
  readonly #stop = new AbortController()
  readonly #watching = new Set<string>()
  readonly #reads = new Set<Promise<unknown>>()
  #scanning: Promise<void> = Promise.resolve()
  #lastScanMono: number

  constructor(parts: RunnerParts, documents: Documents, channels: Channels, lanes: Omit<LaneParts, 'run' | 'rules' | 'log'>) {
    this.#parts = parts
    this.#documents = documents
    this.#lastScanMono = parts.clock.mono()
    const preempted = (endpoints: string[]) => this.#onPreempt(endpoints)
    this.lanes = new Lanes({ ...lanes, rules: parts.rules, log: parts.log, run: jobId => runJob(parts, jobId, preempted) })
    this.#stops.push(documents.onSignal(channels.wake, message => this.#onWake(message)))
    this.#stops.push(documents.onSignal(channels.preempt, endpoint => this.#preempt(endpoint)))
  }

  /** Notes what was settled before this process began, and starts the scan. */
  async start(): Promise<void> {
    this.#parts.delays.sweep(await this.#parts.reads.endpoints())
    this.#scanning = this.#scanLoop()
  }

  /** Reads a held node now. */
  async readHold(holdId: string): Promise<Hold | undefined> {
    const read = watchHold(this.#parts, holdId, endpoints => this.#onPreempt(endpoints))
    this.#reads.add(read)
    try {
      return await read
    } finally {
      this.#reads.delete(read)
    }
  }

  /** False when the scan has not come round for a while: the gateway is not working. */
  get isLive(): boolean {
    return this.#parts.clock.mono() - this.#lastScanMono < SCAN_MS * 10
  }

  /** Lets running steps end (mere reads give way after a moment), logs out of all devices, and stops. */
  async close(): Promise<void> {
    this.#stop.abort()
    for (const stop of this.#stops) stop()
    await this.#scanning
    const grace = new AbortController()
    await Promise.race([Promise.allSettled(this.#reads), this.#parts.clock.sleep(GRACE_MS, grace.signal).catch(() => undefined)])
    grace.abort()
    for (const endpoint of [...this.#preemptible.keys()]) this.#preempt(endpoint)
    await this.lanes.close()
    // One that still ran would log in again behind the log-outs.
    await Promise.allSettled(this.#reads)
    await this.#parts.sessions.close()
  }

  #onPreempt(endpoints: string[]): AbortSignal {
    const controller = new AbortController()
    for (const endpoint of endpoints) {
      const set = this.#preemptible.get(endpoint) ?? new Set()
      // One read at a time runs on an endpoint: what is left of earlier ones is over.
      set.clear()
      this.#preemptible.set(endpoint, set.add(controller))
    }
    return controller.signal
  }

  #preempt(endpoint: string): void {
    for (const controller of this.#preemptible.get(endpoint) ?? []) controller.abort(new Error('a more urgent job wants the device'))
    this.#preemptible.delete(endpoint)
  }

  #onWake(message: string): void {
    const { jobId, lane, name } = JSON.parse(message) as { jobId: string; lane?: Lane; name?: string }
    const woken = lane && name ? this.lanes.wake(jobId, lane, name) : this.#wakeById(jobId)
    woken.catch(error =>
      this.#parts.log('warn', { jobId, error: (error as Error).message }, 'a wake-up failed; the recovery scan will repeat it'),
    )
  }

  async #wakeById(jobId: string): Promise<void> {
    const job = await this.#parts.reads.job(jobId)
    if (!job) return this.#parts.store.dismiss(jobId)
    await this.lanes.wake(
      jobId,
      job.action === 'status' ? 'status' : 'fence',
      `${job.action} ${nodeKey({ cluster: job.cluster, name: job.node })}`,
    )
  }

  async #scanLoop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const now = await this.#documents.time()
        for (const jobId of await this.#parts.store.dueJobs(SCAN_LIMIT)) await this.#wakeById(jobId)
        for (const holdId of await this.#parts.store.dueHolds(SCAN_LIMIT)) this.#watch(holdId)
        // Not waited for: devices that are gone would hold the scan up.
        void this.#parts.sessions.dropIdle()
        if (now > 0) this.#lastScanMono = this.#parts.clock.mono()
      } catch (error) {
        this.#parts.log('warn', { error: (error as Error).message }, 'the recovery scan failed; it is repeated')
      }
      await this.#parts.clock.sleep(SCAN_MS, this.#stop.signal).catch(() => undefined)
    }
  }

  #watch(holdId: string): void {
    if (this.#watching.has(holdId)) return
    this.#watching.add(holdId)
    this.readHold(holdId)
      .catch(error => this.#parts.log('warn', { holdId, error: (error as Error).message }, 'a hold could not be read'))
      .finally(() => this.#watching.delete(holdId))
  }
}
