import { loadavg } from 'node:os'
import { RULES } from '../../src/core/rules.ts'
import { type Measured, type Row, rowOf } from './figures.ts'
import type { ConfirmRule, Order } from './orders.ts'
import type { ClientProcess, SimulatorProcesses } from './processes.ts'

/** What the machines and their BMCs take, in the measurements of off. */
export const OFF_MS = 2_000
export const LATENCY_MS = 50

/** The gateway's own rule, for all clients that take one. */
export const RULE: ConfirmRule = { ...RULES.confirm, pollMs: RULES.poll.firstMs }

/** A client and how often it takes part: a slow one in fewer rounds, and at a large N with a sample only. */
export interface Contender {
  readonly client: ClientProcess
  /** Keeps connections: what idled away during the others' turns is made again before each measurement, by a sweep of reads. */
  readonly warm: boolean
  /** Operations of one measured burst at this N, and how many rounds of them; none where it does not take part. */
  status(n: number): { ops: number; sweeps: number; rounds: number } | undefined
  off(n: number): { ops: number; rounds: number } | undefined
}

export interface Settings {
  readonly sizes: readonly number[]
  readonly rounds: number
  readonly quick: boolean
}

/** Says on stderr what is being measured. */
export function say(text: string): void {
  process.stderr.write(`· ${text} (${(performance.now() / 1000).toFixed(0)} s, load ${loadavg()[0]?.toFixed(1)})\n`)
}

/** The measurements: all clients in turns, round by round, on one simulator. */
export class Benchmark {
  readonly #simulator: SimulatorProcesses
  readonly #settings: Settings
  readonly rows: Row[] = []

  constructor(simulator: SimulatorProcesses, settings: Settings) {
    this.#simulator = simulator
    this.#settings = settings
  }

  /** One order between two looks at the simulator's counters. */
  async #measure(client: ClientProcess, order: Order): Promise<Measured> {
    const before = await this.#simulator.tell({ op: 'count' })
    const result = await client.obey(order)
    const after = await this.#simulator.tell({ op: 'count' })
    return { result, handshakes: after.handshakes - before.handshakes }
  }

  /** TLS handshakes for each BMC over log-in, 10 reads, off and confirmation, by a client of its own. */
  async handshakes(client: ClientProcess): Promise<number> {
    const targets = this.#simulator.targets.slice(0, this.#settings.quick ? 20 : 100)
    await this.#simulator.tell({ op: 'on' })
    await client.obey({ op: 'open', targets, auth: 'session' })
    await client.obey({ op: 'status', n: targets.length, sweeps: 9 })
    await client.obey({ op: 'off', n: targets.length, rules: RULE })
    const { handshakes } = await this.#simulator.tell({ op: 'count' })
    await client.obey({ op: 'close' })
    await this.#simulator.tell({ op: 'on' })
    return handshakes / targets.length
  }

  /** Fills `rows` with reads at every size. */
  async status(contenders: readonly Contender[]): Promise<void> {
    for (const n of this.#settings.sizes) {
      const found = new Map<string, Measured[]>()
      for (let round = 0; round < this.#settings.rounds; round++) {
        say(`status, N = ${n}, round ${round + 1}`)
        for (const { client, status, warm } of contenders) {
          const share = status(n)
          if (share === undefined || round >= share.rounds) continue
          const order: Order = { op: 'status', n: share.ops, sweeps: share.sweeps }
          if (warm) await client.obey({ ...order, sweeps: 1 })
          found.set(client.name, [...(found.get(client.name) ?? []), await this.#measure(client, order)])
        }
      }
      for (const [name, measured] of found) this.rows.push(rowOf(name, 'status', n, measured))
    }
  }

  /** Fills `rows` with fences at every size. Throws when a client says off and the machine is not. */
  async off(contenders: readonly Contender[]): Promise<void> {
    await this.#simulator.tell({ op: 'latency', ms: LATENCY_MS })
    for (const n of this.#settings.sizes) {
      const found = new Map<string, Measured[]>()
      for (let round = 0; round < this.#settings.rounds; round++) {
        say(`force-off + confirm, N = ${n}, round ${round + 1}`)
        for (const { client, off, warm } of contenders) {
          const share = off(n)
          if (share === undefined || round >= share.rounds) continue
          await this.#simulator.tell({ op: 'on' })
          if (warm) await client.obey({ op: 'status', n: share.ops, sweeps: 1 })
          const measured = await this.#measure(client, { op: 'off', n: share.ops, rules: RULE })
          const { off: truly } = await this.#simulator.tell({ op: 'count' })
          if (truly !== share.ops) throw new Error(`${client.name} says that ${share.ops} machines are off, and ${truly} are`)
          found.set(client.name, [...(found.get(client.name) ?? []), measured])
        }
      }
      for (const [name, measured] of found) this.rows.push(rowOf(name, 'off', n, measured))
    }
    await this.#simulator.tell({ op: 'latency', ms: 0 })
    await this.#simulator.tell({ op: 'on' })
  }

  /** What one client did at one size. */
  row(client: string, op: Row['op'], n: number | undefined): Row | undefined {
    return this.rows.find(row => row.client === client && row.op === op && row.n === n)
  }
}
