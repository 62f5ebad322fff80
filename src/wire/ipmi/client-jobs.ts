import { IpmiError, type IpmiFacts } from './failure.ts'

/** One thing that somebody asked of a client. */
export interface Job {
  /** Its turn has come. */
  start(): void
  /** It ends without what was asked for. Called at most once, and never after `finish`. */
  fail(error: Error): void
}

interface Entry {
  job: Job
  signal: AbortSignal | undefined
  onAbort: (() => void) | undefined
  done: boolean
}

/** One job after the other: BMCs do one thing at a time (§6.12). Aborted ones end at once, in turn or not. */
export class Jobs {
  readonly #interrupt: () => IpmiFacts
  #waiting: Entry[] = []
  #current: Entry | undefined
  #closed = false

  /** `interrupt` is called when the job whose turn it is is ended from outside: what it started has to stop. The facts that it leaves behind go with the job's error. */
  constructor(interrupt: () => IpmiFacts) {
    this.#interrupt = interrupt
  }

  /** Puts a job at the end of the line. */
  add(job: Job, signal: AbortSignal | undefined): void {
    if (this.#closed || signal?.aborted) {
      job.fail(this.#closed ? new IpmiError('closed', 'the client is closed') : aborted())
      return
    }
    const entry: Entry = { job, signal, onAbort: undefined, done: false }
    if (signal !== undefined) {
      entry.onAbort = () => this.#abort(entry)
      signal.addEventListener('abort', entry.onAbort, { once: true })
    }
    this.#waiting.push(entry)
    this.#next()
  }

  /** Whether it is this job's turn and it was not ended from outside. */
  has(job: Job): boolean {
    return this.#current?.job === job
  }

  /** The job has got what it wanted, or failed by itself: tells so with `act`, and goes on with the next. */
  finish(job: Job, act: () => void): void {
    const entry = this.#current
    if (entry?.job !== job) return
    this.#current = undefined
    settle(entry)
    act()
    this.#next()
  }

  /** Ends everything; nothing begins any more. `facts` go with the error of the job whose turn it is. */
  close(facts: IpmiFacts): void {
    if (this.#closed) return
    this.#closed = true
    const current = this.#current
    const all = [...(current === undefined ? [] : [current]), ...this.#waiting]
    this.#waiting = []
    this.#current = undefined
    for (const entry of all) {
      settle(entry)
      entry.job.fail(new IpmiError('closed', 'the client was closed', entry === current ? facts : {}))
    }
  }

  #abort(entry: Entry): void {
    if (entry.done) return
    settle(entry)
    let facts: IpmiFacts = {}
    if (this.#current === entry) {
      this.#current = undefined
      facts = this.#interrupt()
    } else {
      this.#waiting = this.#waiting.filter(one => one !== entry)
    }
    entry.job.fail(aborted(facts))
    this.#next()
  }

  #next(): void {
    while (this.#current === undefined) {
      const entry = this.#waiting.shift()
      if (entry === undefined) return
      this.#current = entry
      entry.job.start()
    }
  }
}

function settle(entry: Entry): void {
  entry.done = true
  if (entry.onAbort !== undefined) entry.signal?.removeEventListener('abort', entry.onAbort)
}

function aborted(facts: IpmiFacts = {}): IpmiError {
  return new IpmiError('aborted', 'aborted by the caller', facts)
}
