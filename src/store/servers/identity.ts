import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** A process that can be told from a later one with the same number. */
export interface ProcessIdentity {
  pid: number
  /** When it started, in the system's own words: compared, never read. */
  start: string
}

/** Who runs under this number now; undefined: nobody, or only the remains of one that its parent has not yet collected. */
export function identify(pid: number): ProcessIdentity | undefined {
  const start = existsSync('/proc/self/stat') ? fromProc(pid) : fromPs(pid)
  return start === undefined ? undefined : { pid, start }
}

/** Whether this very process still runs. */
export function runs(process: ProcessIdentity): boolean {
  return identify(process.pid)?.start === process.start
}

/** Reads an identity as JSON from a file; undefined where there is none or only a part of one. */
export function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof read !== 'object' || read === null || !('pid' in read) || !('start' in read)) return undefined
    return Number.isSafeInteger(read.pid) && typeof read.start === 'string' ? { pid: Number(read.pid), start: read.start } : undefined
  } catch {
    return undefined
  }
}

/** Linux: the boot, and the start in clock ticks since then (field 22, https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html). */
function fromProc(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`
  } catch {
    return undefined
  }
}

function fromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    const [state = 'Z', ...start] = line.split(/\s+/)
    return state.startsWith('Z') ? undefined : start.join(' ')
  } catch {
    return undefined
  }
}
