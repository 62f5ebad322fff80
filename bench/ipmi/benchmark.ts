import { loadavg } from 'node:os'
import { type Measured, type Row, rowOf, type Way } from './figures.ts'
import type { Operation, Result, Target } from './orders.ts'
import type { Farm } from './processes.ts'

/** Somebody who takes part in a measurement. */
export interface Contender {
  readonly name: string
  measure(op: Operation, targets: readonly Target[], sweeps?: number): Promise<Result> | undefined
  /** How many of N BMCs it does in one round, and in how many rounds; N and all rounds where nothing is said, none where `ops` is 0. */
  share?(op: Operation, n: number): { ops: number; rounds: number }
}

/** One kind of measurement. */
export interface Course {
  readonly op: Operation
  readonly way: Way
  readonly n: number
  readonly rounds: number
  /** How often each BMC is done per round; over kept sessions at once, else one burst after the other. Default 1. */
  readonly sweeps?: number
  /** BMCs, or what stands in front of them; the first N are used. */
  readonly targets: readonly Target[]
}

/** Says on stderr what is being measured. */
export function say(text: string): void {
  process.stderr.write(`· ${text} (${(performance.now() / 1_000).toFixed(0)} s, load ${loadavg()[0]?.toFixed(1)})\n`)
}

/** The measurements on one farm: the contenders in turns, round by round. */
export class Benchmark {
  readonly rows: Row[] = []
  /** Every single measurement, for figures that the rows don't have. */
  readonly rounds = new Map<string, Measured[]>()
  readonly #farm: Farm

  constructor(farm: Farm) {
    this.#farm = farm
  }

  /** Measures one course with all who take part, and adds their rows. Throws when a client says that machines are off, and they are not. */
  async run(course: Course, contenders: readonly Contender[]): Promise<void> {
    const { op, way, n, rounds, sweeps = 1 } = course
    const found = new Map<string, Measured[]>()
    for (let round = 0; round < rounds; round++) {
      say(`${op}, ${way}, N = ${n}, round ${round + 1}`)
      // Nobody always has the same neighbour before him.
      const turns = contenders.map((_, index) => contenders[(index + round) % contenders.length]).filter(one => one !== undefined)
      for (const contender of turns) {
        const share = contender.share?.(op, n) ?? { ops: n, rounds }
        if (share.ops === 0 || round >= share.rounds) continue
        const measured = await this.#measure(contender, course, course.targets.slice(0, share.ops))
        if (measured !== undefined) found.set(contender.name, [...(found.get(contender.name) ?? []), measured])
      }
    }
    for (const { name } of contenders) {
      const measured = found.get(name)
      if (measured === undefined) continue
      this.rows.push(rowOf({ client: name, op, way, n }, measured, sweeps))
      this.rounds.set(keyOf(name, op, way, n), measured)
    }
  }

  /** What one client did. */
  row(client: string, op: Operation, way: Way, n: number): Row | undefined {
    return this.rows.find(row => row.client === client && row.op === op && row.way === way && row.n === n)
  }

  /** The rounds of one client. */
  roundsOf(client: string, op: Operation, way: Way, n: number): readonly Measured[] {
    return this.rounds.get(keyOf(client, op, way, n)) ?? []
  }

  async #measure(contender: Contender, { op, sweeps = 1 }: Course, targets: readonly Target[]): Promise<Measured | undefined> {
    await this.#farm.set({ on: true })
    await this.#farm.reset()
    const before = await this.#farm.totals()
    const results: Result[] = []
    for (let sweep = 0; sweep < (op === 'kept' ? 1 : sweeps); sweep++) {
      const result = await contender.measure(op, targets, sweeps)
      if (result === undefined) return undefined
      results.push(result)
    }
    const after = await this.#farm.totals()
    const result = joined(results)
    const [reason] = result.failed
    if (reason !== undefined) say(`${contender.name}: ${result.failed.length} of ${result.ops} failed: ${reason.slice(0, 160)}`)
    const off = before.on - after.on
    if (op === 'off' && off < result.ops - result.failed.length) {
      throw new Error(`${contender.name} says that ${result.ops - result.failed.length} machines are off, and ${off} are`)
    }
    return { result, packets: after.packetsIn - before.packetsIn }
  }
}

function keyOf(client: string, op: Operation, way: Way, n: number): string {
  return `${client} ${op} ${way} ${n}`
}

function joined(results: readonly Result[]): Result {
  const [first] = results
  if (first === undefined || results.length === 1) return first ?? { wallMs: 0, cpuMs: 0, ops: 0, ms: [], failed: [] }
  const sum = (of: (result: Result) => number): number => results.reduce((total, result) => total + of(result), 0)
  return {
    ...first,
    wallMs: sum(({ wallMs }) => wallMs),
    cpuMs: sum(({ cpuMs }) => cpuMs),
    ops: sum(({ ops }) => ops),
    ms: results.flatMap(({ ms }) => ms),
    failed: results.flatMap(({ failed }) => failed),
    ...(first.sent === undefined ? {} : { sent: sum(({ sent }) => sent ?? 0) }),
  }
}
