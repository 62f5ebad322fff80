import type { GatewayAwayError, ProblemError } from '../../client/problem.ts'
import type { EvidenceItem, Job } from '../../client/types.ts'
import type { Cli, Output } from '../cli.ts'
import { ALIKE, brief, evidenceLine, goalOf, isAlike, standings } from './evidence.ts'
import { clean, cut, duration, isLive, styleOf, timeOfDay } from './text.ts'

/** Shows a job while it runs. */
export interface Progress {
  update(job: Job): void
  trouble(error: GatewayAwayError | ProblemError, pauseMs: number): void
  /** Ends the display and gives the cursor back. May be called twice. */
  stop(): void
}

/** The reads that confirm, by INTERFACES' defaults: only to show how far a job is. */
const USUAL_READS = 3
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 100

/** One updating block on a terminal, plain lines (one a change) elsewhere, nothing where `quiet`. */
export function progressOn(cli: Cli, stream: Output, { quiet = false }: { quiet?: boolean } = {}): Progress {
  if (isLive(cli, stream)) return new Block(cli, stream)
  return quiet ? new Silent(cli) : new Lines(cli, stream)
}

/** `default/node1 off`: what a job is, in every display of it. */
function titleOf(job: Job): string {
  return `${clean(job.cluster)}/${clean(job.node)} ${job.action}`
}

function troubleText(error: GatewayAwayError | ProblemError, pauseMs: number): string {
  const reason = 'reason' in error ? error.reason : error.message
  return `the gateway is away (${clean(reason, 120)}); trying again in ${duration(pauseMs)}`
}

class Silent implements Progress {
  readonly #cli: Cli
  #told = false

  constructor(cli: Cli) {
    this.#cli = cli
  }

  update(): void {
    this.#told = false
  }

  trouble(error: GatewayAwayError | ProblemError, pauseMs: number): void {
    if (!this.#told) this.#cli.stderr.write(`${troubleText(error, pauseMs)}\n`)
    this.#told = true
  }

  stop(): void {}
}

class Lines implements Progress {
  readonly #cli: Cli
  readonly #stream: Output
  readonly #shown = new Set<string>()
  readonly #runs = new Map<string, { last: EvidenceItem; length: number }>()
  #standing = ''
  #told = false

  constructor(cli: Cli, stream: Output) {
    this.#cli = cli
    this.#stream = stream
  }

  update(job: Job): void {
    this.#told = false
    for (const item of job.evidence) {
      const key = `${item.at} ${item.device} ${item.kind} ${item.source} ${item.raw}`
      if (this.#shown.has(key)) continue
      this.#shown.add(key)
      this.#show(item)
    }
    const standing = [job.state, ...(job.phase !== undefined && job.state === 'running' ? [job.phase] : [])].join(', ')
    if (standing === this.#standing) return
    this.#standing = standing
    this.#stream.write(`${timeOfDay(this.#cli.clock.now())} ${titleOf(job)}: ${standing}\n`)
  }

  trouble(error: GatewayAwayError | ProblemError, pauseMs: number): void {
    if (!this.#told) this.#cli.stderr.write(`${troubleText(error, pauseMs)}\n`)
    this.#told = true
  }

  stop(): void {
    for (const device of this.#runs.keys()) this.#flush(device)
    this.#runs.clear()
  }

  /** A read that says what the last ones said is no change: it is counted, and told when something else comes. */
  #show(item: EvidenceItem): void {
    const run = this.#runs.get(item.device)
    if (run !== undefined && isAlike(run.last, item)) {
      this.#runs.set(item.device, { last: item, length: run.length + 1 })
      if (run.length >= ALIKE) return
    } else {
      this.#flush(item.device)
      this.#runs.set(item.device, { last: item, length: 1 })
    }
    this.#stream.write(`${evidenceLine(item)}\n`)
  }

  #flush(device: string): void {
    const run = this.#runs.get(device)
    if (run === undefined || run.length <= ALIKE) return
    const more = run.length - ALIKE
    const line = more === 1 ? evidenceLine(run.last) : `${timeOfDay(run.last.at)}   ${clean(device)}  ${more} more like it`
    this.#stream.write(`${line}\n`)
  }
}

class Block implements Progress {
  readonly #cli: Cli
  readonly #stream: Output
  readonly #began: number
  readonly #ticking = new AbortController()
  #job: Job | undefined
  #trouble = ''
  #drawn = 0
  #frame = 0

  constructor(cli: Cli, stream: Output) {
    this.#cli = cli
    this.#stream = stream
    this.#began = cli.clock.mono()
    stream.write('\x1b[?25l')
    this.#tick().catch(() => undefined)
  }

  update(job: Job): void {
    this.#job = job
    this.#trouble = ''
    this.#draw()
  }

  trouble(error: GatewayAwayError | ProblemError, pauseMs: number): void {
    this.#trouble = troubleText(error, pauseMs)
    this.#draw()
  }

  stop(): void {
    if (this.#ticking.signal.aborted) return
    this.#ticking.abort()
    this.#erase()
    this.#stream.write('\x1b[?25h')
  }

  async #tick(): Promise<void> {
    while (!this.#ticking.signal.aborted) {
      this.#draw()
      await this.#cli.clock.sleep(FRAME_MS, this.#ticking.signal)
      this.#frame++
    }
  }

  #erase(): void {
    if (this.#drawn > 0) this.#stream.write(`\x1b[${this.#drawn}A\r\x1b[J`)
    this.#drawn = 0
  }

  #draw(): void {
    if (this.#ticking.signal.aborted) return
    // One column is left free: a full line would wrap on some terminals, and the block would no longer know its own height.
    const columns = Math.max(20, (this.#stream.columns ?? 80) - 1)
    const lines = this.#lines(columns)
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A\r` : ''
    this.#stream.write(`${up}${lines.map(line => `${line}\x1b[K\n`).join('')}\x1b[J`)
    this.#drawn = lines.length
  }

  #lines(columns: number): string[] {
    const style = styleOf(this.#cli, this.#stream)
    const frame = FRAMES[this.#frame % FRAMES.length] ?? '-'
    const elapsed = duration(this.#cli.clock.mono() - this.#began)
    const lines: string[] = []
    const job = this.#job
    if (job === undefined) lines.push(cut(`${frame} asking the gateway  ${elapsed}`, columns))
    else {
      const doing = job.phase !== undefined && job.state === 'running' ? job.phase : job.state
      const limit = duration(Date.parse(job.deadlineAt) - Date.parse(job.createdAt))
      const head = cut(`${titleOf(job)}  ${doing}  ${elapsed} of ${limit}`, columns - 2)
      lines.push(`${style.good(frame)} ${style.bold(head)}`)
      for (const { device, streak, last } of standings(job)) {
        const goal = goalOf(job)
        const seen =
          goal === undefined
            ? ''
            : `${goal} ${Math.min(streak, USUAL_READS)}/${USUAL_READS}${streak > USUAL_READS ? `, ${streak} reads` : ''}`
        const answer =
          last.kind === 'command'
            ? `${last.command ?? ''} → ${cut(brief(last.raw), 60)}`
            : `${last.power ?? ''} ${cut(brief(last.raw), 60)}`
        lines.push(cut(`  ${clean(device)}  ${seen}  ${timeOfDay(last.at)} ${last.kind} ${answer}  ${brief(last.source)}`, columns))
      }
    }
    if (this.#trouble !== '') lines.push(style.warn(cut(`  ${this.#trouble}`, columns)))
    return lines
  }
}
