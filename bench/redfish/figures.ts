import type { Result } from './orders.ts'

/** One row of the table: what one client did at one size. */
export interface Row {
  readonly client: string
  readonly op: 'status' | 'off'
  readonly n: number
  /** Operations measured; fewer than n where a sample was taken. */
  readonly ops: number
  readonly cpuMs: number
  readonly opsPerSecond: number
  readonly p50: number
  readonly p99: number
  readonly handshakes: number
  /** Wall time until the whole burst had ended, the median of its repetitions. */
  readonly wallMs: number
}

/** One measurement: a result and the TLS handshakes that the simulator counted meanwhile. */
export interface Measured {
  readonly result: Result
  readonly handshakes: number
}

/** The value in the middle; of an even number the lower of the two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] ?? Number.NaN
}

/** Sums repetitions of one measurement up. CPU per operation is the median over the repetitions: a disturbed one does not count. */
export function rowOf(client: string, op: Row['op'], n: number, measured: readonly Measured[]): Row {
  const ms = measured.flatMap(({ result }) => result.ms)
  const wall = measured.reduce((sum, { result }) => sum + result.wallMs, 0)
  return {
    client,
    op,
    n,
    ops: ms.length,
    cpuMs: median(measured.map(({ result }) => result.cpuMs / result.ms.length)),
    opsPerSecond: (ms.length / wall) * 1_000,
    p50: median(ms),
    p99: quantile(ms, 0.99),
    handshakes: measured.reduce((sum, { handshakes }) => sum + handshakes, 0) / ms.length,
    wallMs: median(measured.map(({ result }) => result.wallMs)),
  }
}

/** The table as Markdown. `baseline` is the client that each row's CPU is compared with: how many times as much it takes as that one. */
export function tableOf(rows: readonly Row[], baseline: string): string {
  const lines = [
    '| operation | N | client | ops | client CPU ms/op | × ours | ops/s | p50 ms | p99 ms | TLS handshakes/op |',
    '|---|---:|---|---:|---:|---:|---:|---:|---:|---:|',
  ]
  for (const row of rows) {
    const ours = rows.find(({ client, op, n }) => client === baseline && op === row.op && n === row.n)
    const times = ours === undefined ? '' : (row.cpuMs / ours.cpuMs).toFixed(row.cpuMs / ours.cpuMs < 10 ? 2 : 0)
    const cells = [row.op === 'off' ? 'force-off + confirm' : 'status', row.n, row.client, row.ops, row.cpuMs.toFixed(2), times]
    const last = [
      row.opsPerSecond.toFixed(row.opsPerSecond < 10 ? 2 : 0),
      row.p50.toFixed(0),
      row.p99.toFixed(0),
      row.handshakes.toFixed(2),
    ]
    lines.push(`| ${[...cells, ...last].join(' | ')} |`)
  }
  return lines.join('\n')
}

/** A figure with three significant digits; null where it could not be measured. */
export function rounded(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(3))
}
