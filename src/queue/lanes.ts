import { type Job as BullJob, DelayedError, Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Rules } from '../core/rules.ts'
import type { Outcome } from './runner.ts'

/** The two lanes: a slot held by a hung read must not delay a fence. */
export const LANES = ['fence', 'status'] as const

/** One lane's name. */
export type Lane = (typeof LANES)[number]

/** What a BullMQ job carries: a wake-up of our job, and nothing that is secret. */
export interface WakeUp {
  jobId: string
}

/** What the lanes stand on. */
export interface LaneParts {
  connection(): Redis
  /** Keys of BullMQ start with this; it holds the store's hash tag. */
  prefix: string
  rules: Rules
  concurrency: Record<Lane, number>
  run(jobId: string): Promise<Outcome>
  log(level: 'info' | 'warn' | 'error', facts: object, message: string): void
}

/** BullMQ as a source of wake-ups: a lost or doubled BullMQ job is harmless, because the store's records decide (ADR 0002). */
export class Lanes {
  readonly queues: Record<Lane, Queue<WakeUp>>
  readonly #workers: Worker<WakeUp>[]
  readonly #parts: LaneParts

  constructor(parts: LaneParts) {
    this.#parts = parts
    const shared = parts.connection()
    const queue = (lane: Lane) =>
      new Queue<WakeUp>(lane, {
        connection: shared,
        prefix: parts.prefix,
        defaultJobOptions: { removeOnComplete: { count: 1_000, age: 3_600 }, removeOnFail: { count: 1_000 }, attempts: 1 },
      })
    this.queues = { fence: queue('fence'), status: queue('status') }
    this.#workers = LANES.map(lane => this.#worker(lane))
    for (const one of Object.values(this.queues)) one.on('error', (error: Error) => this.#complain(error))
    for (const worker of this.#workers) worker.on('error', (error: Error) => this.#complain(error))
  }

  /** Makes a job run soon; `name` is for people (`off default/node1`). Rejects when Redis is away: the recovery scan will find it. */
  async wake(jobId: string, lane: Lane, name: string): Promise<void> {
    const queue = this.queues[lane]
    const id = `wake-${jobId}`
    const known = await queue.getJob(id)
    const state = known ? await known.getState() : 'unknown'
    if (known && state === 'delayed') {
      // Promoted or taken meanwhile: both are what is wanted.
      await known.promote().catch(() => undefined)
      return
    }
    if (state === 'waiting' || state === 'prioritized' || state === 'active') return
    if (known) await known.remove().catch(() => undefined)
    await queue.add(name, { jobId }, { jobId: id })
  }

  /** Lets running steps end, then closes. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.close()))
    await Promise.all(Object.values(this.queues).map(queue => queue.close()))
  }

  #worker(lane: Lane): Worker<WakeUp> {
    return new Worker<WakeUp>(lane, (job, token) => this.#process(job, token), {
      connection: this.#parts.connection(),
      prefix: this.#parts.prefix,
      concurrency: this.#parts.concurrency[lane],
      lockDuration: 5_000,
      stalledInterval: 2_000,
      maxStalledCount: 1_000,
    })
  }

  async #process(job: BullJob<WakeUp>, token: string | undefined): Promise<void> {
    let outcome: Outcome
    try {
      outcome = await this.#parts.run(job.data.jobId)
    } catch (error) {
      this.#parts.log(
        'error',
        { jobId: job.data.jobId, error: error instanceof Error ? error.message : 'unknown' },
        'a step failed; it is run again',
      )
      outcome = { kind: 'wait', delayMs: 1_000 }
    }
    if (outcome.kind === 'done') return
    await job.moveToDelayed(Date.now() + outcome.delayMs, token)
    throw new DelayedError()
  }

  #lastComplaint = 0

  /** BullMQ repeats its errors thousands of times while Redis is away or full: one line a second tells as much. */
  #complain(error: Error): void {
    const now = Date.now()
    if (now - this.#lastComplaint < 1_000) return
    this.#lastComplaint = now
    this.#parts.log('warn', { error: error.message.replace(/\/\/[^@/]*@/, '//***@') }, 'the queue reports an error')
  }
}
