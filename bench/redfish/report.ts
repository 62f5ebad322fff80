import { cpus, loadavg } from 'node:os'
import { type Benchmark, LATENCY_MS, OFF_MS, RULE, type Settings } from './benchmark.ts'
import { rounded, tableOf } from './figures.ts'

/** The clients, as the table names them. */
export const OURS = 'safestate'
export const OURS_BASIC = 'safestate, Basic'
export const GOFISH = 'gofish'
export const GOFISH_REUSE = 'gofish, ReuseConnections'
export const SUSHY = 'sushy'
export const FENCE = 'fence_redfish'

/** Prints the table and the targets, and as the last line the JSON. */
export function report(benchmark: Benchmark, settings: Settings, handshakesPerBmc: number, loadBefore: number[], jsonOnly: boolean): void {
  const most = Math.max(...settings.sizes)
  const cpu = (client: string): number | undefined => benchmark.row(client, 'status', most)?.cpuMs
  const ratio = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined || b === undefined ? undefined : a / b
  const wall = (n: number): number | undefined => benchmark.row(OURS, 'off', n)?.wallMs
  const figures = {
    statusCpuMs: rounded(cpu(OURS)),
    statusCpuVsFenceRedfish: rounded(ratio(cpu(OURS_BASIC), cpu(FENCE))),
    statusCpuVsSushy: rounded(ratio(cpu(OURS), cpu(SUSHY))),
    statusCpuVsGofish: rounded(ratio(cpu(OURS), cpu(GOFISH))),
    off500OverOff1: rounded(ratio(wall(most), wall(1))),
    handshakesPerBmc: rounded(handshakesPerBmc),
  }
  if (!jsonOnly) {
    const reuse = rounded(ratio(cpu(OURS), cpu(GOFISH_REUSE)))
    const load = (values: number[]): string => values.map(value => value.toFixed(1)).join(' ')
    process.stdout.write(
      `\n${tableOf(benchmark.rows, OURS)}\n\n${targetsOf(figures)}

Safestate is its Redfish driver, used through the driver port in one Node process (${process.version}), with the job machine and the rules of the
gateway (confirm: ${RULE.reads} reads over ${RULE.dwellMs} ms); store, queue and REST are not in it. gofish and sushy confirm by the same rule,
fence_redfish by one read of its own. CPU is user + system time of the client's process, the median of ${settings.rounds} interleaved rounds after a warm-up
sweep; all N at once (sushy: 8 threads, 64 for off; fence_redfish: 4 processes, 16 for off); latencies count from the burst's beginning. Fewer ops than
N and round: a sample. statusCpuVsFenceRedfish compares Basic with Basic, the others sessions with sessions; against gofish with ReuseConnections, which
is off by default, statusCpuVsGofish would be ${reuse ?? '–'}. Off: ${OFF_MS} ms to switch off, ${LATENCY_MS} ms latency. Simulator: 2 processes, TLS, Dell.
Machine: ${cpus().length} × ${cpus()[0]?.model.trim()}; load before ${load(loadBefore)}, after ${load(loadavg())}.\n\n`,
    )
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

/** What issue 3 sets; undefined: shown only. */
const TARGETS: Record<string, number | undefined> = {
  statusCpuMs: undefined,
  statusCpuVsFenceRedfish: 0.0067,
  statusCpuVsSushy: 0.04,
  statusCpuVsGofish: 1,
  off500OverOff1: 1.3,
  handshakesPerBmc: 1,
}

function targetsOf(figures: Record<string, number | null>): string {
  const lines = Object.entries(figures).map(([name, value]) => {
    const target = TARGETS[name]
    const verdict = value === null ? 'not measured' : target === undefined ? 'shown' : value <= target ? 'reached' : 'MISSED'
    return `| ${name} | ${value ?? '–'} | ${target === undefined ? '–' : `≤ ${target}`} | ${verdict} |`
  })
  return ['| figure | value | to reach | |', '|---|---:|---:|---|', ...lines].join('\n')
}
