import { cpus, loadavg } from 'node:os'
import { median, quantile, rounded } from '../redfish/figures.ts'
import type { Benchmark } from './benchmark.ts'
import { tableOf } from './figures.ts'

/** Our client, as the table names it: one process for the whole run; and a new process each round, warmed up the same way. */
export const OURS = 'safestate'
export const OURS_NEW = 'safestate, new process each round'
export const IPMIPOWER = 'ipmipower'

/** Sizes of a run. */
export interface Settings {
  readonly sizes: readonly number[]
  readonly rounds: number
  /** BMCs behind the relay. */
  readonly faulty: number
  /** How long machines take to switch off, ms. */
  readonly offMs: number
  /** BMCs of the unmeasured sweep that comes first. */
  readonly warmUp: number
}

/** Prints the table and the targets, and as the last line the JSON. */
export function report(
  benchmark: Benchmark,
  settings: Settings,
  ipmipowerMb: number | undefined,
  loadBefore: number[],
  jsonOnly: boolean,
): void {
  const most = Math.max(...settings.sizes)
  const cold = benchmark.row(OURS, 'status', 'direct', most)
  const theirs = benchmark.row(IPMIPOWER, 'status', 'direct', most)
  const start = benchmark.row(IPMIPOWER, 'status', 'direct', 1)
  const kept = benchmark.row(OURS, 'kept', 'direct', most)
  const loss = benchmark.row(OURS, 'status', 'loss', settings.faulty)
  const dup = benchmark.row(OURS, 'status', 'dup', settings.faulty)
  const direct = [...benchmark.roundsOf(OURS, 'status', 'direct', most), ...benchmark.roundsOf(OURS, 'kept', 'direct', most)]
  const sent = benchmark.roundsOf(OURS, 'status', 'direct', most).map(({ result }) => (result.sent ?? Number.NaN) / result.ops)
  const share = (row: { ok: number; ops: number } | undefined): number | undefined => (row === undefined ? undefined : row.ok / row.ops)
  const beyondStart = theirs === undefined || start === undefined ? 0 : theirs.wallMs - start.wallMs
  const walls = beyondStart > 0 ? beyondStart : undefined
  const figures = {
    cold1000WallVsIpmipower: rounded(cold === undefined || walls === undefined ? undefined : cold.wallMs / walls),
    cold1000CpuMsPerBmc: rounded(cold?.cpuMs),
    rssMb: rounded(Math.max(...direct.map(({ result }) => result.rssMb ?? Number.NaN))),
    keptCpuMs: rounded(kept?.cpuMs),
    packetsPerColdStatus: rounded(sent.length === 0 ? undefined : median(sent)),
    loss10Success: rounded(share(loss)),
    loss10P99Ms: rounded(lossP99(benchmark, settings)),
    dup100Success: rounded(share(dup)),
  }
  if (!jsonOnly) {
    const load = (values: number[]): string => values.map(value => value.toFixed(1)).join(' ')
    const against = (name: string): string => {
      const newcomer = benchmark.row(name, 'status', 'direct', most)
      if (newcomer === undefined || theirs === undefined || walls === undefined) return '–'
      return `${(newcomer.wallMs / walls).toFixed(2)}, with its start left in ${(newcomer.wallMs / theirs.wallMs).toFixed(2)}`
    }
    process.stdout.write(
      `\n${tableOf(benchmark.rows, OURS)}\n\n${targetsOf(figures)}

Wall of ours ÷ ipmipower's over ${most} BMCs: ${against(OURS)}; in a process that is new each round: ${against(OURS_NEW)}.
ipmipower's highest memory over ${most} BMCs: ${ipmipowerMb?.toFixed(0) ?? '–'} MB.
Everybody asks for suite 17 and, for a status, for the privilege USER. Safestate is src/wire/ipmi in one Node process (${process.version}) that swept
${settings.warmUp} other BMCs first; its sessions are cold, its process is not. All N at once; ipmitool 16, fence_ipmilan 4 processes at a time (≈: a sample, scaled to N).
Wall, CPU and latencies of ours and go-ipmi without the start of the process, of the others with it. Off: machines take ${settings.offMs} ms.
Machine: ${cpus().length} × ${cpus()[0]?.model.trim()}; load before ${load(loadBefore)}, after ${load(loadavg())}. BMCs and relay run on it, too.\n\n`,
    )
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

function lossP99(benchmark: Benchmark, { faulty }: Settings): number | undefined {
  const ms = benchmark.roundsOf(OURS, 'status', 'loss', faulty).flatMap(({ result }) => result.ms)
  return ms.length === 0 ? undefined : quantile(ms, 0.99)
}

/** What issue 4 sets: at most, or at least. */
const TARGETS: Record<string, { most?: number; least?: number }> = {
  cold1000WallVsIpmipower: { most: 1 },
  cold1000CpuMsPerBmc: { most: 0.35 },
  rssMb: { most: 120 },
  keptCpuMs: { most: 0.07 },
  packetsPerColdStatus: { most: 6 },
  loss10Success: { least: 1 },
  loss10P99Ms: { most: 1_500 },
  dup100Success: { least: 1 },
}

function targetsOf(figures: Record<string, number | null>): string {
  const lines = Object.entries(figures).map(([name, value]) => {
    const { most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY } = TARGETS[name] ?? {}
    const verdict = value === null ? 'not measured' : value <= most && value >= least ? 'reached' : 'MISSED'
    return `| ${name} | ${value ?? '–'} | ${Number.isFinite(most) ? `≤ ${most}` : `≥ ${least}`} | ${verdict} |`
  })
  return ['| figure | value | to reach | |', '|---|---:|---:|---|', ...lines].join('\n')
}
