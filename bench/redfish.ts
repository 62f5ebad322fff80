import { existsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Benchmark, type Contender, LATENCY_MS, OFF_MS, type Settings, say } from './redfish/benchmark.ts'
import type { Order } from './redfish/orders.ts'
import { serveOurs } from './redfish/ours.ts'
import { ClientProcess, SimulatorProcesses } from './redfish/processes.ts'
import { FENCE, GOFISH, GOFISH_REUSE, OURS, OURS_BASIC, report, SUSHY } from './redfish/report.ts'
import { serveSimulator } from './redfish/simulator.ts'

// `npm run bench -- redfish [--quick] [--json]`: Safestate's Redfish driver beside gofish, sushy and fence_redfish, interleaved on one simulator.

const SCRIPT = fileURLToPath(import.meta.url)
const FULL: Settings = { sizes: [1, 100, 500], rounds: 5, quick: false }
const QUICK: Settings = { sizes: [1, 20], rounds: 1, quick: true }

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
  return new Map(names.map(name => [name, findPeer(name) ?? {}]))
}

/** All clients, logged in at the BMCs that they measure with, and their shares: what takes a quarter of a second is sampled where N is large. */
async function enter(start: Starter, simulator: SimulatorProcesses, { rounds, quick, sizes }: Settings): Promise<Contender[]> {
  const root = rootFolder()
  const programs = await findPeers(root)
  const file = (name: string): string => join(root, 'bench', 'peers', name)
  const contenders: Contender[] = []
  const add = async (
    client: ClientProcess,
    bmcs: number,
    change: Partial<Extract<Order, { op: 'open' }>>,
    share: Omit<Contender, 'client'>,
  ) => {
    const targets = simulator.targets.slice(0, bmcs)
    say(`${client.name}: opening ${targets.length} BMCs`)
    await client.obey({ op: 'open', targets, auth: 'session', ...change })
    contenders.push({ client, ...share })
  }
  const most = Math.max(...sizes)
  const sweeps = (n: number): number => Math.max(1, Math.round((quick ? 20 : n === 1 ? 50 : 300) / n))
  const status: Contender['status'] = n => ({ ops: n, sweeps: sweeps(n), rounds })
  const node = (name: string): ClientProcess => start(name, process.execPath, SCRIPT, 'role:client')

  await add(node(OURS), most, {}, { warm: true, status, off: n => ({ ops: n, rounds: n === 100 ? Math.min(rounds, 3) : rounds }) })
  const gofish = programs.get('gofish')?.['gofish']
  if (gofish !== undefined) {
    await add(start(GOFISH, gofish), most, {}, { warm: true, status, off: n => ({ ops: n, rounds: Math.min(rounds, 2) }) })
    await add(start(GOFISH_REUSE, gofish), most, { reuse: true }, { warm: true, status, off: () => undefined })
  }
  const sushy = programs.get('sushy')?.['python']
  if (sushy !== undefined) {
    const bmcs = Math.min(most, 120)
    await add(
      start(SUSHY, sushy, file('sushy-client.py')),
      bmcs,
      {},
      {
        warm: false,
        status: n => ({ ops: Math.min(n, bmcs), sweeps: n === 1 ? 5 : 1, rounds: Math.min(rounds, 2) }),
        off: n => ({ ops: Math.min(n, 60), rounds: 1 }),
      },
    )
  }
  const agent = programs.get('fence-agents')?.['fence_redfish']
  if (agent !== undefined) {
    await add(
      start(FENCE, 'python3', file('fence-redfish-client.py'), agent),
      most,
      {},
      {
        warm: false,
        status: n => ({ ops: Math.min(n, quick ? 4 : 12), sweeps: n === 1 ? 3 : 1, rounds }),
        off: n => ({ ops: Math.min(n, quick ? 4 : 60), rounds: 1 }),
      },
    )
  }
  await simulator.tell({ op: 'sessions', free: false })
  await add(node(OURS_BASIC), most, {}, { warm: true, status, off: () => undefined })
  await simulator.tell({ op: 'sessions', free: true })
  return contenders
}

type Starter = (name: string, command: string, ...args: string[]) => ClientProcess

async function main(): Promise<void> {
  const options = process.argv.slice(2)
  const unknown = options.filter(option => !['--quick', '--json'].includes(option))
  if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(' ')}; there are: --quick, --json`)
  const settings = options.includes('--quick') ? QUICK : FULL
  const most = Math.max(...settings.sizes)
  const loadBefore = loadavg()
  const clients: ClientProcess[] = []
  const start: Starter = (name, command, ...args) => {
    const client = new ClientProcess(name, command, args)
    clients.push(client)
    return client
  }
  const simulator = await SimulatorProcesses.start(SCRIPT, 2, most, 'dell', OFF_MS)
  try {
    const benchmark = new Benchmark(simulator, settings)
    say('TLS handshakes')
    await simulator.tell({ op: 'latency', ms: LATENCY_MS })
    const handshakesPerBmc = await benchmark.handshakes(start('handshakes', process.execPath, SCRIPT, 'role:client'))
    await simulator.tell({ op: 'latency', ms: 0 })

    const contenders = await enter(start, simulator, settings)
    // A gateway runs for weeks: what a just-in-time compiler has to learn is learnt before anything is measured.
    if (!settings.quick) {
      for (const { client, warm } of contenders) if (warm) await client.obey({ op: 'status', n: most, sweeps: 4 })
    }
    await benchmark.status(contenders)
    await benchmark.off(contenders)
    report(benchmark, settings, handshakesPerBmc, loadBefore, options.includes('--json'))
  } finally {
    for (const client of clients) client.stop()
    simulator.stop()
  }
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
