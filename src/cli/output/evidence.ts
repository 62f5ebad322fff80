import type { EvidenceItem, Job } from '../../client/types.ts'
import { clean, type Style, table, timeOfDay, width } from './text.ts'

/** The word for a power that stands out where it matters. */
function powerCell(item: EvidenceItem, style: Style): string {
  if (item.kind === 'command') return style.bold(`→ ${item.command ?? 'command'}`)
  const power = item.power ?? '-'
  return power === 'off' ? style.good(power) : power === 'on' ? style.warn(power) : power
}

/** A job's evidence as a table, oldest first, at most `columns` wide where that is known. A `✓` marks the reads that counted towards the verdict. */
export function evidenceTable(job: Job, style: Style, columns?: number): string {
  if (job.evidence.length === 0) return style.dim('no evidence: nothing was read or sent')
  const rows = job.evidence.map(item => [
    timeOfDay(item.at, 3),
    clean(item.device),
    powerCell(item, style),
    item.counted === true ? '✓' : '',
    clean(item.raw, 60),
  ])
  const headers = ['TIME', 'DEVICE', 'POWER', 'COUNTS', 'ANSWER']
  // The source comes last, because it is the longest and can be cut.
  const taken = headers.reduce(
    (sum, header, column) => sum + 2 + Math.max(...[header, ...rows.map(row => row[column] ?? '')].map(width)),
    0,
  )
  const room = columns === undefined ? 400 : Math.max(20, columns - taken - 1)
  const sourced = rows.map((row, index) => [...row, style.dim(clean(job.evidence[index]?.source ?? '', room))])
  return table([...headers, 'SOURCE'], sourced, style)
}

/** One piece of evidence as a line of a log. */
export function evidenceLine(item: EvidenceItem): string {
  const what = item.kind === 'command' ? `command ${item.command ?? ''}`.trim() : `read ${item.power ?? 'unknown'}`
  return `${timeOfDay(item.at)}   ${clean(item.device)}  ${what.padEnd(11)}  ${clean(item.raw, 60)}  ${clean(item.source)}${item.counted === true ? '  counts' : ''}`
}

/** The power that a job is waiting to read at the moment. */
export function goalOf(job: Job): 'off' | 'on' | undefined {
  if (job.action === 'status') return undefined
  if (job.action === 'reboot') return job.phase === 'restoring' || job.receiptId !== undefined ? 'on' : 'off'
  return job.action
}

/** Where a device stands: the reads in a row, up to the newest, that counted towards the goal. */
export interface Standing {
  device: string
  streak: number
  last: EvidenceItem
}

/** Where each device of the job stands, in the order in which they appeared. */
export function standings(job: Job): Standing[] {
  const goal = goalOf(job)
  const found = new Map<string, Standing>()
  for (const item of job.evidence) {
    const before = found.get(item.device)?.streak ?? 0
    const counts = item.kind === 'read' && item.counted === true && item.power === goal
    found.set(item.device, { device: item.device, streak: counts ? before + 1 : 0, last: item })
  }
  return [...found.values()]
}
