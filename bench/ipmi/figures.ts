import { median, quantile } from '../redfish/figures.ts'
import type { Operation, Result } from './orders.ts'

/** What lies between client and BMC. */
export type Way = 'direct' | 'loss' | 'dup'

/** One measured burst, and the datagrams that reached the BMCs meanwhile. */
export interface Measured {
  readonly result: Result
  readonly packets: number
}

/** One row of the table: what one client did at one size. */
export interface Row {
  readonly client: string
  readonly op: Operation
  readonly way: Way
  readonly n: number
  /** Operations measured over all rounds. */
  readonly ops: number
  readonly ok: number
  /** Until all N were done, the median of the rounds, ms; where only a sample was measured, what N would take at its rate. */
  readonly wallMs: number
  readonly sample: boolean
  /** Client CPU per operation, the median of the rounds, ms. */
  readonly cpuMs: number
  /** Undefined where the client does not say, or where only a sample was measured. */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** Datagrams that reached the BMCs per operation; what our own process counted as sent, where nothing gets lost. */
  readonly packets: number
}

/** Sums the rounds of one measurement up. */
export function rowOf(what: Pick<Row, 'client' | 'op' | 'way' | 'n'>, rounds: readonly Measured[], sweeps: number): Row {
  const sum = (of: (one: Measured) => number): number => rounds.reduce((total, one) => total + of(one), 0)
  const ops = sum(({ result }) => result.ops)
  const asked = what.n * sweeps
  const sample = rounds.some(({ result }) => result.ops < asked)
  const ms = sample ? [] : rounds.flatMap(({ result }) => result.ms)
  return {
    ...what,
    ops,
    ok: ops - sum(({ result }) => result.failed.length),
    wallMs: median(rounds.map(({ result }) => (result.wallMs / result.ops) * what.n)),
    sample,
    cpuMs: median(rounds.map(({ result }) => result.cpuMs / result.ops)),
    p50: ms.length === 0 ? undefined : median(ms),
    p99: ms.length === 0 ? undefined : quantile(ms, 0.99),
    packets: sum(one => (what.way === 'direct' ? (one.result.sent ?? one.packets) : one.packets)) / ops,
  }
}

const WAYS: Record<Way, string> = { direct: '', loss: ', 10 % loss each way', dup: ', every answer twice' }
const NAMES: Record<Operation, string> = { status: 'cold status', kept: 'status, kept session', off: 'off + confirm' }

/** The table as Markdown. `baseline` is the client that the others are compared with: how many times as much they take. */
export function tableOf(rows: readonly Row[], baseline: string): string {
  const lines = [
    '| operation | N | client | ok | wall ms | × ours | CPU ms/op | × ours | p50 ms | p99 ms | packets/op |',
    '|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|',
  ]
  for (const row of rows) {
    const ours = rows.find(({ client, op, way, n }) => client === baseline && op === row.op && way === row.way && n === row.n)
    const cells = [
      NAMES[row.op] + WAYS[row.way],
      row.n,
      row.client,
      `${row.ok}/${row.ops}`,
      `${row.sample ? '≈ ' : ''}${short(row.wallMs)}`,
      short(row.wallMs / (ours?.wallMs ?? Number.NaN)),
      short(row.cpuMs),
      short(row.cpuMs / (ours?.cpuMs ?? Number.NaN)),
      short(row.p50),
      short(row.p99),
      row.packets.toFixed(1),
    ]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  return lines.join('\n')
}

/** Three digits are what these measurements are good for. */
function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–'
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(2)
}
