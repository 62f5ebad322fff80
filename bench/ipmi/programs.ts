import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What a program did. */
export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly wallMs: number
}

interface Running {
  readonly input?: string
  readonly env?: NodeJS.ProcessEnv
  /** After this it is killed, ms. */
  readonly limitMs?: number
  /** Called with the process's id as soon as there is one. */
  readonly started?: (pid: number) => void
}

const LIMIT_MS = 180_000

/** Runs a program to its end. What it writes to stderr is thrown away. Rejects only where it can't be started. */
export function run(command: string, args: readonly string[], { input, env, limitMs = LIMIT_MS, started }: Running = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'ignore'], timeout: limitMs })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', code => resolve({ code, out, wallMs: performance.now() - start }))
    if (child.pid !== undefined) started?.(child.pid)
  })
}

const TIMES = 'TIMEFORMAT="%3R %3U %3S"; { time "$@" 2>/dev/null; } 2>&3'

/** Runs a program under bash's `time`: wall and CPU by the kernel's account of it, to the millisecond, without bash's own start. */
export function timed(command: string, args: readonly string[]): Promise<Ran & { cpuMs: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', TIMES, 'bash', command, ...args], {
      stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
      timeout: LIMIT_MS,
    })
    const texts = { out: '', times: '' }
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      texts.out += text
    })
    child.stdio[3]?.on('data', (bytes: Buffer) => {
      texts.times += bytes.toString()
    })
    child.on('error', reject)
    child.on('close', code => {
      const [real = Number.NaN, user = Number.NaN, system = Number.NaN] = texts.times.trim().split(' ').map(Number)
      resolve({ code, out: texts.out, wallMs: real * 1_000, cpuMs: (user + system) * 1_000 })
    })
  })
}

/** The kernel's clock tick, ms. */
const TICK_MS = 10

/** CPU time of all processes that this one has started and that have ended, and of theirs, ms; to a tick of 10 ms in all, however many they are. */
export function childrenCpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS
}

/** The highest resident memory of a process while it runs, MB: call `look` now and then. */
export function memoryOf(pid: number): { look(): void; highestMb(): number } {
  let highest = 0
  return {
    look() {
      try {
        const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
        highest = Math.max(highest, Number(found?.[1] ?? 0))
      } catch {
        // It has ended.
      }
    },
    highestMb: () => highest / 1_024,
  }
}
