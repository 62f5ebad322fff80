import type { EvidenceItem, Job } from '../../client/types.ts'
import { clean, cut, type Style, table, timeOfDay, width } from './text.ts'

/** Shorter for people: every path of a Redfish service begins alike. The whole text is in the JSON. */
export function brief(text: string): string {
  return clean(text).replaceAll('redfish /redfish/v1/', '')
}

/** The word for a power, or for a command, so that it stands out where it matters; `✓` on a read that counted. */
function powerCell(item: EvidenceItem, style: Style): string {
  if (item.kind === 'command') return style.bold(`→ ${item.command ?? 'command'}`)
  const power = item.power ?? '-'
  return `${power === 'off' ? style.good(power) : power === 'on' ? style.warn(power) : power}${item.counted === true ? ' ✓' : ''}`
}

/** How many reads that say the same are shown before the rest of them is only counted. */
export const ALIKE = 3

/** True where a read says what the read before it said: not a change. */
export function isAlike(a: EvidenceItem | undefined, b: EvidenceItem): boolean {
  if (a === undefined || a.kind === 'command' || b.kind === 'command') return false
  return a.power === b.power && a.raw === b.raw && a.source === b.source && a.counted === b.counted
}

/** The evidence without the middle of long rows of the same read, per device; `left` is what was left out right before an item. */
function condensed(evidence: readonly EvidenceItem[]): { item: EvidenceItem; left: number }[] {
  const shown: { item: EvidenceItem; left: number }[] = []
  const runs = new Map<string, { last: EvidenceItem; length: number; left: EvidenceItem[] }>()
  evidence.forEach((item, index) => {
    const run = runs.get(item.device)
    const length = run !== undefined && isAlike(run.last, item) ? run.length + 1 : 1
    const next = evidence.slice(index + 1).find(each => each.device === item.device)
    const hidden = length > ALIKE && next !== undefined && isAlike(item, next)
    const left = length > 1 && run !== undefined ? run.left : []
    runs.set(item.device, { last: item, length, left: hidden ? [...left, item] : [] })
    if (hidden) return
    // One that was left out takes as much room as the line that would say so.
    if (left.length === 1 && left[0] !== undefined) shown.push({ item: left[0], left: 0 })
    shown.push({ item, left: left.length === 1 ? 0 : left.length })
  })
  return shown
}

/** A job's evidence as a table, oldest first, at most `columns` wide where that is known. A `✓` marks the reads that counted towards the verdict. */
export function evidenceTable(job: Job, style: Style, columns = 400): string {
  if (job.evidence.length === 0) return style.dim('no evidence: nothing was read or sent')
  const shown = condensed(job.evidence)
  const first = shown.map(({ item }) => [timeOfDay(item.at, 3), clean(item.device), powerCell(item, style)])
  const widest = (texts: string[]): number => Math.max(...texts.map(width))
  const left = [0, 1, 2].reduce((sum, column) => sum + 2 + widest(first.map(row => row[column] ?? '')), 0)
  // The two long columns share what is left of the line; the answer goes first.
  const room = columns - 1 - left
  const sources = Math.min(widest(shown.map(({ item }) => brief(item.source))), 22)
  const answers = Math.max(10, Math.min(widest(shown.map(({ item }) => brief(item.raw))), room - 2 - sources))
  const rows = shown.flatMap(({ item, left: more }, index) => [
    ...(more > 0 ? [['', clean(item.device), style.dim(`… ${more} more like it`)]] : []),
    [...(first[index] ?? []), cut(brief(item.raw), answers), style.dim(cut(brief(item.source), Math.max(10, room - 2 - answers)))],
  ])
  return table(['TIME', 'DEVICE', 'POWER', 'ANSWER', 'SOURCE'], rows, style)
}

/** One piece of evidence as a line of a log. */
export function evidenceLine(item: EvidenceItem): string {
  const what = item.kind === 'command' ? `command ${item.command ?? ''}`.trim() : `read ${item.power ?? 'unknown'}`
  return `${timeOfDay(item.at)}   ${clean(item.device)}  ${what.padEnd(11)}  ${cut(brief(item.raw), 80)}  ${brief(item.source)}${item.counted === true ? '  counts' : ''}`
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
