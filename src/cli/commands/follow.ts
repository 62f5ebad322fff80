import type { SafestateClient } from '../../client/client.ts'
import { hasEnded, waitForJob } from '../../client/jobs.ts'
import { WaitTimeoutError } from '../../client/problem.ts'
import type { Job } from '../../client/types.ts'
import { type Cli, note, say, sayJson } from '../cli.ts'
import { asError, exitCode } from '../exit.ts'
import { tell } from '../output/errors.ts'
import { evidenceTable } from '../output/evidence.ts'
import { hintFor } from '../output/hints.ts'
import type { Progress } from '../output/progress.ts'
import { clean, isLive, styleOf, timeOfDay } from '../output/text.ts'

/** A job ends by its deadline; the verdict needs a moment to arrive, and a gateway that was killed one to come back. */
const GRACE_MS = 30_000

/** How to show a job that is followed. */
export interface FollowOptions {
  progress: Progress
  json: boolean
  /** Print the evidence as a table also where the lines of a pipe have shown it already. */
  table?: boolean
}

/** Waits for an accepted job, shows how it ends, and gives the exit code. Leaving early (Ctrl-C) leaves the job alone and says so. */
export async function follow(cli: Cli, client: SafestateClient, accepted: Job, { progress, json, table }: FollowOptions): Promise<number> {
  const leaving = new AbortController()
  const stopListening = cli.onInterrupt(signal => leaving.abort(signal))
  try {
    progress.update(accepted)
    const job = hasEnded(accepted)
      ? accepted
      : await waitForJob(client, accepted.id, {
          signal: leaving.signal,
          // Both times are the gateway's: a wrong clock on this machine does not matter.
          timeoutMs: Date.parse(accepted.deadlineAt) - Date.parse(accepted.createdAt) + GRACE_MS,
          onUpdate: update => progress.update(update),
          onTrouble: (error, pause) => progress.trouble(error, pause),
        })
    progress.stop()
    if (json) sayJson(cli, job)
    else showEnded(cli, job, table ?? isLive(cli, cli.stdout))
    if (json) tellFailure(cli, job)
    return exitCode(job)
  } catch (error) {
    progress.stop()
    if (leaving.signal.aborted) {
      note(cli, `job ${accepted.id} goes on without you`)
      note(cli, `  watch it again:  safestate watch ${accepted.id}`)
      note(cli, `  take it back:    safestate cancel ${accepted.id}   (possible until its first command)`)
      return leaving.signal.reason === 'SIGTERM' ? 143 : 130
    }
    const seen = error instanceof WaitTimeoutError ? (error.job ?? accepted) : accepted
    if (json) sayJson(cli, seen)
    tell(cli, error)
    if (!(error instanceof WaitTimeoutError && error.job)) note(cli, `  job ${accepted.id} was accepted: safestate watch ${accepted.id}`)
    return exitCode(asError(error), true)
  } finally {
    progress.stop()
    stopListening()
  }
}

/** A job that was accepted and is not waited for. */
export function showAccepted(cli: Cli, job: Job): void {
  say(cli, `${nodeOf(job)} ${job.action}: job ${job.id} ${job.joined ? 'joined' : 'accepted'} (${job.state})`)
  note(cli, `  watch it: safestate watch ${job.id}`)
}

/** How a job ended: one line, and its evidence as a table where asked. */
export function showEnded(cli: Cli, job: Job, table: boolean): void {
  const style = styleOf(cli, cli.stdout)
  if (job.state === 'succeeded' && job.action === 'status') say(cli, statusLine(cli, job))
  else if (job.state === 'succeeded') {
    say(cli, `${style.good('✓')} ${style.bold(`${nodeOf(job)} ${verdictOf(job)}`)}`)
    say(cli, style.dim(`  job ${job.id}${job.receiptId === undefined ? '' : `  receipt ${job.receiptId}`}`))
  }
  if (table && job.action !== 'status') say(cli, `\n${evidenceTable(job, style, cli.stdout.columns)}`)
  for (const { code, message, device } of job.warnings) {
    note(
      cli,
      `${style.warn('warning:')} ${clean(code)}: ${clean(message)}${device === undefined || message.includes(device) ? '' : ` (${clean(device)})`}`,
    )
  }
  tellFailure(cli, job)
}

/** What a job that succeeded has reached. */
function verdictOf(job: Job): string {
  const how = job.assurance === undefined ? '' : ` (${job.assurance})`
  if (job.action !== 'reboot') return `is ${job.action}${how}`
  const back = job.warnings.some(({ code }) => code === 'not_restored') ? 'did not come back on' : 'is on again'
  return `was off${how} and ${back}`
}

/** `default/node1 on  (read 12:03:04 via bmc-node1, redfish …)`: the power, and what it was read from. */
function statusLine(cli: Cli, job: Job): string {
  const style = styleOf(cli, cli.stdout)
  const newest = new Map(job.evidence.filter(item => item.kind === 'read').map(item => [item.device, item]))
  const reads = [...newest.values()].map(item => `read ${timeOfDay(item.at)} via ${clean(item.device)}, ${clean(item.source)}`)
  const power = job.power ?? 'unknown'
  const shown = power === 'off' ? style.good(power) : power === 'on' ? style.warn(power) : power
  return `${nodeOf(job)} ${shown}${reads.length === 0 ? '' : `  ${style.dim(`(${reads.join('; ')})`)}`}`
}

function tellFailure(cli: Cli, job: Job): void {
  if (job.state !== 'failed' && job.state !== 'cancelled') return
  const style = styleOf(cli, cli.stderr)
  const why = job.failure ?? { code: job.state, message: job.state === 'cancelled' ? 'cancelled before a command' : 'no reason given' }
  const device = 'device' in why && why.device !== undefined && !why.message.includes(why.device) ? ` (${clean(why.device)})` : ''
  note(cli, `${style.bad('error:')} ${nodeOf(job)} ${job.action}: ${clean(why.code)}: ${clean(why.message, 1_000)}${device}  job ${job.id}`)
  const hint = hintFor(why.code)
  if (hint !== undefined) note(cli, `  ${style.dim('next:')} ${hint}`)
}

function nodeOf(job: Job): string {
  return `${clean(job.cluster)}/${clean(job.node)}`
}
