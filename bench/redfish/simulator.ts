import { type Simulator, startSimulator } from '../../src/simulator/index.ts'
import type { Target } from './orders.ts'

/** What the benchmark tells a simulator process, and what it answers. */
export type SimulatorOrder =
  | { op: 'start'; bmcs: number; seed: number; personality: string; offDelayMs: number }
  /** Whether log-ins are refused for want of a free session: then clients fall back to Basic. */
  | { op: 'sessions'; free: boolean }
  /** How long each answer takes. */
  | { op: 'latency'; ms: number }
  /** Every machine on, as by hand; counters to zero. */
  | { op: 'on' }
  | { op: 'count' }

/** Sums over the BMCs of one process. */
export interface SimulatorCounts {
  readonly handshakes: number
  readonly requests: number
  readonly off: number
  /** User and system time of the simulator itself. */
  readonly cpuMs: number
}

/** The reply to every order. */
export interface SimulatorReply {
  readonly targets: readonly Target[]
  readonly counts: SimulatorCounts
}

/** Runs in a process of its own, driven over IPC. */
export function serveSimulator(): void {
  let simulator: Simulator | undefined
  process.on('message', (order: SimulatorOrder) => {
    void obey(order).then(reply => process.send?.(reply))
  })
  process.on('disconnect', () => process.exit(0))

  async function obey(order: SimulatorOrder): Promise<SimulatorReply> {
    if (order.op === 'start') {
      const { bmcs, seed, personality, offDelayMs } = order
      simulator = await startSimulator({ redfish: bmcs, seed, personality, offDelayMs, onDelayMs: 0, tls: true, sessionLimit: 64 })
    }
    const all = simulator?.bmcs ?? []
    if (order.op === 'latency') for (const bmc of all) bmc.latencyMs = order.ms
    if (order.op === 'sessions') {
      for (const bmc of all) {
        if (order.free) bmc.faults.clear()
        else bmc.faults.set('sessionTableFull')
      }
    }
    if (order.op === 'on') {
      for (const bmc of all) {
        bmc.power.force('on', 'benchmark')
        bmc.resetCounters()
      }
    }
    const { user, system } = process.cpuUsage()
    const sum = (of: (bmc: (typeof all)[number]) => number): number => all.reduce((total, bmc) => total + of(bmc), 0)
    return {
      targets: all.map(bmc => ({
        name: `${bmc.name}-${order.op === 'start' ? order.seed : 0}`,
        url: bmc.url,
        system: `/redfish/v1/Systems/${bmc.systemOrThrow(undefined).spec.id}`,
        username: bmc.username,
        password: bmc.password,
      })),
      counts: {
        handshakes: sum(({ counters }) => counters.tlsHandshakes),
        requests: sum(({ counters }) => counters.requests),
        off: sum(({ trueState }) => (trueState === 'off' ? 1 : 0)),
        cpuMs: (user + system) / 1000,
      },
    }
  }
}
