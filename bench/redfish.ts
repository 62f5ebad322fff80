import { existsSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RULES } from '../src/core/rules.ts'
import { type Measured, type Row, rounded, rowOf, tableOf } from './redfish/figures.ts'
import type { ConfirmRule, Order } from './redfish/orders.ts'
import { serveOurs } from './redfish/ours.ts'
import { ClientProcess, SimulatorProcesses } from './redfish/processes.ts'
import { serveSimulator } from './redfish/simulator.ts'

// `npm run bench -- redfish [--quick] [--json]`: Safestate's Redfish driver beside gofish, sushy and fence_redfish, interleaved on one simulator.

const SCRIPT = fileURLToPath(import.meta.url)
const OFF_MS = 2_000
const LATENCY_MS = 50
const RULE: ConfirmRule = { ...RULES.confirm, pollMs: RULES.poll.firstMs }

/** A client and how often it takes part: a slow one in fewer rounds, and at a large N with a sample only. */
interface Contender {
  readonly client: ClientProcess
  /** Operations of one measured burst at this N, and how many rounds of them; none where it does not take part. */
  status(n: number): { ops: number; sweeps: number; rounds: number } | undefined
  off(n: number): { ops: number; rounds: number } | undefined
}

interface Settings {
  readonly sizes: readonly number[]
  readonly rounds: number
  readonly quick: boolean
}

const FULL: Settings = { sizes: [1, 100, 500], rounds: 5, quick: false }
const QUICK: Settings = { sizes: [1, 20], rounds: 1, quick: true }

function say(text: string): void {
  process.stderr.write(`· ${text} (${(performance.now() / 1000).toFixed(0)} s, load ${loadavg()[0]?.toFixed(1)})\n`)
}

/** The clone's root: this file runs compiled, from the cache. */
function rootFolder(): string {
  let folder = dirname(SCRIPT)
  while (!existsSync(join(folder, 'package-lock.json'))) folder = dirname(folder)
  return folder
}

/** Programs of the peers by name; a peer that can't be installed is left out, and its ratio is null. */
async function findPeers(root: string): Promise<Map<string, Record<string, string>>> {
  const path = pathToFileURL(join(root, 'scripts', 'lib', 'peers.mjs')).href
  const { ensurePeers, findPeer } = (await import(path)) as typeof import('../scripts/lib/peers.mjs')
  const names = ['gofish', 'sushy', 'fence-agents']
  await ensurePeers(names)
  return new Map(
    names.flatMap(name => [[name, findPeer(name)] as const]).filter((entry): entry is [string, Record<string, string>] => !!entry[1]),
  )
}

class Benchmark {
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

  async status(contenders: readonly Contender[]): Promise<void> {
    for (const n of this.#settings.sizes) {
      const found = new Map<string, Measured[]>()
      for (let round = 0; round < this.#settings.rounds; round++) {
        say(`status, N = ${n}, round ${round + 1}`)
        for (const { client, status } of contenders) {
          const share = status(n)
          if (share === undefined || round >= share.rounds) continue
          const order: Order = { op: 'status', n: share.ops, sweeps: share.sweeps }
          // Warm: what idled away during the others' turns is made again outside of what is measured.
          await client.obey({ ...order, sweeps: 1 })
          found.set(client.name, [...(found.get(client.name) ?? []), await this.#measure(client, order)])
        }
      }
      for (const [name, measured] of found) this.rows.push(rowOf(name, 'status', n, measured))
    }
  }

  async off(contenders: readonly Contender[]): Promise<void> {
    await this.#simulator.tell({ op: 'latency', ms: LATENCY_MS })
    for (const n of this.#settings.sizes) {
      const found = new Map<string, Measured[]>()
      for (let round = 0; round < this.#settings.rounds; round++) {
        say(`force-off + confirm, N = ${n}, round ${round + 1}`)
        for (const { client, off } of contenders) {
          const share = off(n)
          if (share === undefined || round >= share.rounds) continue
          await this.#simulator.tell({ op: 'on' })
          await client.obey({ op: 'status', n: share.ops, sweeps: 1 })
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

  row(client: string, op: Row['op'], n: number | undefined): Row | undefined {
    return this.rows.find(row => row.client === client && row.op === op && row.n === n)
  }
}

const OURS = 'safestate'
const OURS_BASIC = 'safestate, Basic'
const GOFISH = 'gofish'
const GOFISH_REUSE = 'gofish, ReuseConnections'
const SUSHY = 'sushy'
const FENCE = 'fence_redfish'

async function main(): Promise<void> {
  const options = process.argv.slice(2)
  const unknown = options.filter(option => !['--quick', '--json'].includes(option))
  if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(' ')}; there are: --quick, --json`)
  const settings = options.includes('--quick') ? QUICK : FULL
  const most = Math.max(...settings.sizes)
  const root = rootFolder()
  const programs = await findPeers(root)
  const simulator = await SimulatorProcesses.start(SCRIPT, 2, most, 'dell', OFF_MS)
  const clients: ClientProcess[] = []
  const start = (name: string, command: string, ...args: string[]): ClientProcess => {
    const client = new ClientProcess(name, command, args)
    clients.push(client)
    return client
  }
  const ours = (name: string): ClientProcess => start(name, process.execPath, SCRIPT, 'role:client')
  const python = (file: string): string => join(root, 'bench', 'peers', file)
  const loadBefore = loadavg()
  try {
    const benchmark = new Benchmark(simulator, settings)
    say('TLS handshakes')
    await simulator.tell({ op: 'latency', ms: LATENCY_MS })
    const handshakesPerBmc = await benchmark.handshakes(ours('handshakes'))
    await simulator.tell({ op: 'latency', ms: 0 })

    say(`opening ${most} sessions of each client`)
    const { targets } = simulator
    const { rounds, quick } = settings
    const sweeps = (n: number): number => Math.max(1, Math.round((quick ? 20 : 300) / n / (n === 1 ? 10 : 1)))
    const contenders: Contender[] = []
    const enter = async (
      client: ClientProcess,
      order: Partial<Extract<Order, { op: 'open' }>>,
      part: Omit<Contender, 'client'>,
    ): Promise<void> => {
      await client.obey({ op: 'open', targets, auth: 'session', ...order })
      contenders.push({ client, ...part })
    }
    const fast: Omit<Contender, 'client'> = {
      status: n => ({ ops: n, sweeps: sweeps(n), rounds }),
      off: n => ({ ops: n, rounds: n === 100 ? 3 : rounds }),
    }
    await enter(ours(OURS), {}, fast)
    const gofish = programs.get('gofish')?.['gofish']
    if (gofish !== undefined) {
      await enter(start(GOFISH, gofish), {}, { ...fast, off: n => ({ ops: n, rounds: Math.min(rounds, 2) }) })
      await enter(start(GOFISH_REUSE, gofish), { reuse: true }, { ...fast, off: () => undefined })
    }
    const sushy = programs.get('sushy')?.['python']
    if (sushy !== undefined) {
      await enter(
        start(SUSHY, sushy, python('sushy-client.py')),
        {},
        {
          status: n => ({ ops: n, sweeps: n === 1 ? 5 : 1, rounds: Math.min(rounds, 2) }),
          off: n => ({ ops: Math.min(n, 100), rounds: 1 }),
        },
      )
    }
    const agent = programs.get('fence-agents')?.['fence_redfish']
    if (agent !== undefined) {
      await enter(
        start(FENCE, 'python3', python('fence-redfish-client.py'), agent),
        {},
        {
          status: n => ({ ops: Math.min(n, quick ? 4 : 12), sweeps: n === 1 ? 3 : 1, rounds }),
          off: n => ({ ops: Math.min(n, quick ? 4 : 60), rounds: 1 }),
        },
      )
    }
    await simulator.tell({ op: 'sessions', free: false })
    await enter(ours(OURS_BASIC), {}, { ...fast, off: () => undefined })
    await simulator.tell({ op: 'sessions', free: true })

    await benchmark.status(contenders)
    await benchmark.off(contenders)
    report(benchmark, settings, handshakesPerBmc, loadBefore, options.includes('--json'))
  } finally {
    for (const client of clients) client.stop()
    simulator.stop()
  }
}

function report(benchmark: Benchmark, settings: Settings, handshakesPerBmc: number, loadBefore: number[], jsonOnly: boolean): void {
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
    const load = (values: number[]): string => values.map(value => value.toFixed(1)).join(' ')
    const targets = {
      statusCpuMs: undefined,
      statusCpuVsFenceRedfish: 0.0067,
      statusCpuVsSushy: 0.04,
      statusCpuVsGofish: 1,
      off500OverOff1: 1.3,
      handshakesPerBmc: 1,
    }
    const lines = Object.entries(targets).map(([name, target]) => {
      const value = figures[name as keyof typeof figures]
      const verdict = value === null ? 'not measured' : target === undefined ? 'shown' : value <= target ? 'reached' : 'MISSED'
      return `| ${name} | ${value ?? '–'} | ${target === undefined ? '–' : `≤ ${target}`} | ${verdict} |`
    })
    process.stdout.write(
      `\n${tableOf(benchmark.rows, OURS)}\n\n| figure | value | to reach | |\n|---|---:|---:|---|\n${lines.join('\n')}\n
Safestate is its Redfish driver, used through the driver port in one Node process (${process.version}), with the job machine and the rules of the
gateway (confirm ${RULE.reads} reads over ${RULE.dwellMs} ms); store, queue and REST are not in it. gofish and sushy confirm by the same rule; fence_redfish by one
read of its own. CPU is user + system time of the client's process, the median of ${settings.rounds} interleaved rounds after a warm-up sweep; all N at once (sushy:
8 threads, 64 for off; fence_redfish: 4 processes, 16 for off), latencies from the burst's beginning. Fewer ops than N: a sample. Status against
fence_redfish is compared under Basic on both sides, else over sessions. Off: ${OFF_MS} ms to switch off, ${LATENCY_MS} ms latency. Simulator: 2 processes, TLS, Dell.
Machine: ${cpus().length} × ${cpus()[0]?.model.trim()}; load before ${load(loadBefore)}, after ${load(loadavg())}.\n\n`,
    )
  }
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

const role = process.argv[2]
if (role === 'role:simulator') serveSimulator()
else if (role === 'role:client') await serveOurs()
else {
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  })
}
