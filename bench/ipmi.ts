import { existsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Benchmark, type Contender, say } from './ipmi/benchmark.ts'
import type { Operation, Target } from './ipmi/orders.ts'
import { serveOurs } from './ipmi/ours.ts'
import { FenceIpmilan, GoIpmi, Ipmipower, Ipmitool, type Peer } from './ipmi/peers.ts'
import { Farm, Ours, Relay } from './ipmi/processes.ts'
import { serveRelay } from './ipmi/relay.ts'
import { OURS, OURS_NEW, report, type Settings } from './ipmi/report.ts'

// `npm run bench -- ipmi [--quick] [--json]`: Safestate's IPMI client beside ipmipower, ipmitool, fence_ipmilan and go-ipmi, interleaved on one farm.

const SCRIPT = fileURLToPath(import.meta.url)
const FULL: Settings = { sizes: [1, 100, 1_000], rounds: 5, faulty: 250, offMs: 1_000, warmUp: 200 }
const QUICK: Settings = { sizes: [1, 20], rounds: 1, faulty: 10, offMs: 200, warmUp: 20 }
/** As the issue sets: 10 % of the datagrams, each way. */
const LOSS = 0.1

/** The clone's root: this file runs compiled, from the cache. */
function rootFolder(): string {
  let folder = dirname(SCRIPT)
  while (!existsSync(join(folder, 'package-lock.json'))) folder = dirname(folder)
  return folder
}

/** Programs of the peers by name. Whoever can't be installed is left out, and what is compared with him is null; without the farm nothing can be measured. */
async function findPrograms(): Promise<(name: string) => string | undefined> {
  const path = pathToFileURL(join(rootFolder(), 'scripts', 'lib', 'peers.mjs')).href
  const { ensurePeers, findPeer } = (await import(path)) as typeof import('../scripts/lib/peers.mjs')
  const peers = ['ipmi-farm', 'freeipmi', 'ipmitool', 'fence-agents', 'goipmi']
  await ensurePeers(peers)
  const programs: Record<string, string> = Object.assign({}, ...peers.map(name => findPeer(name) ?? {}))
  return name => programs[name]
}

/** Our client: one process for the whole run, warmed up before anything is measured. */
async function enterOurs(ours: Ours, others: readonly Target[]): Promise<Contender> {
  await ours.tell({ op: 'status', targets: others })
  return { name: OURS, measure: (op, targets, sweeps = 1) => ours.tell({ op, targets, sweeps }) }
}

/** Our client in a process that is new in each round: how much the first figures differ from those of a process that has done it before. */
function newProcess(others: readonly Target[], most: number): Contender {
  return {
    name: OURS_NEW,
    share: (op, n) => ({ ops: op === 'status' && n === most ? n : 0, rounds: Number.POSITIVE_INFINITY }),
    measure: async (op, targets) => {
      const ours = new Ours(SCRIPT)
      try {
        await ours.tell({ op: 'status', targets: others })
        return await ours.tell({ op, targets })
      } finally {
        ours.stop()
      }
    },
  }
}

/** A program that starts a process per BMC does a sample, once, whose size does not depend on N. */
function sampled(peer: Peer, status: number, off: number, rounds: number): Contender {
  const share = (op: Operation, n: number) => ({ ops: Math.min(n, op === 'status' ? status : off), rounds: n === 1 ? rounds : 1 })
  return { name: peer.name, share, measure: (op, targets) => peer.measure(op, targets) }
}

async function main(): Promise<void> {
  const options = process.argv.slice(2)
  const unknown = options.filter(option => !['--quick', '--json'].includes(option))
  if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(' ')}; there are: --quick, --json`)
  const settings = options.includes('--quick') ? QUICK : FULL
  const { sizes, rounds, faulty, offMs, warmUp } = settings
  const most = Math.max(...sizes)
  const loadBefore = loadavg()
  const program = await findPrograms()
  const farmProgram = program('ipmi-farm')
  if (farmProgram === undefined) throw new Error('the farm of BMCs could not be built (see above); it needs a Go toolchain')

  const stops: (() => void)[] = []
  try {
    const farm = await Farm.start(farmProgram, most + warmUp)
    stops.push(() => farm.stop())
    const targets = farm.targets.slice(0, most)
    const others = farm.targets.slice(most)
    const relay = await Relay.start(SCRIPT, targets.slice(0, faulty))
    stops.push(() => relay.stop())
    const ours = new Ours(SCRIPT)
    stops.push(() => ours.stop())

    const contenders = [await enterOurs(ours, others), newProcess(others, most)]
    const [ipmipower, goipmi, ipmitool, fence] = [program('ipmipower'), program('goipmi'), program('ipmitool'), program('fence_ipmilan')]
    const free = ipmipower === undefined ? undefined : new Ipmipower(ipmipower)
    if (free !== undefined) {
      stops.push(() => free.remove())
      contenders.push(free)
    }
    if (goipmi !== undefined) contenders.push(new GoIpmi(goipmi))
    const quick = options.includes('--quick')
    if (ipmitool !== undefined) contenders.push(sampled(new Ipmitool(ipmitool, 16), quick ? 4 : 96, quick ? 4 : 32, rounds))
    if (fence !== undefined) contenders.push(sampled(new FenceIpmilan(fence, 4), quick ? 4 : 12, 4, rounds))

    const benchmark = new Benchmark(farm)
    const direct = { way: 'direct', targets } as const
    for (const n of sizes) await benchmark.run({ op: 'status', n, rounds, sweeps: n === 1 ? 10 : 1, ...direct }, contenders)
    for (const n of sizes) await benchmark.run({ op: 'kept', n, rounds, sweeps: n === 1 ? 500 : 10, ...direct }, contenders)
    const ipmipowerMb = await free?.memoryMb(targets)
    await farm.set({ offMs })
    for (const n of sizes) await benchmark.run({ op: 'off', n, rounds: Math.min(rounds, 3), ...direct }, contenders)

    await relay.tell({ op: 'set', loss: LOSS, dup: 0 })
    const loss = { way: 'loss', n: faulty, targets: relay.targets } as const
    await benchmark.run({ op: 'status', rounds, ...loss }, contenders)
    await benchmark.run({ op: 'off', rounds: Math.min(rounds, 2), ...loss }, contenders)
    await relay.tell({ op: 'set', loss: 0, dup: 1 })
    await benchmark.run({ op: 'status', way: 'dup', n: faulty, rounds: Math.min(rounds, 3), targets: relay.targets }, contenders)
    say('done')
    report(benchmark, settings, ipmipowerMb, loadBefore, options.includes('--json'))
  } finally {
    for (const stop of stops) stop()
  }
}

const role = process.argv[2]
if (role === 'role:ours') serveOurs()
else if (role === 'role:relay') serveRelay()
else {
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exitCode = 1
  })
}
