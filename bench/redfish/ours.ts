import { createInterface } from 'node:readline'
import { systemClock } from '../../src/core/clock.ts'
import type { DriverSession } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import type { Job, Progress } from '../../src/core/job.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { redfish } from '../../src/drivers/redfish.ts'
import { afterMiss, afterRead, announced, begin, decide, policyDone, settledAt } from '../../src/fencing/machine.ts'
import type { Order, Result, Target } from './orders.ts'

/** One BMC with the session that the gateway would keep for it. */
interface Bmc {
  device: Device
  session: DriverSession
}

const PROCESS = 'bench'

/**
 * Safestate as a client of the benchmark: the gateway's Redfish driver and its job machine with the rules of INTERFACES, one session a BMC in one
 * process, all BMCs at once. Without the gateway's store, queue and REST: nothing here is durable, and no intent is written.
 */
export async function serveOurs(): Promise<void> {
  let bmcs: Bmc[] = []
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line) as Order
    if (order.op === 'open') bmcs = order.targets.map(open)
    process.stdout.write(`${JSON.stringify(await obey(order, bmcs))}\n`)
  }
}

async function obey(order: Order, bmcs: readonly Bmc[]): Promise<Result> {
  switch (order.op) {
    case 'open': {
      // Not measured, and 500 handshakes at once may take longer than an exchange may.
      const parts: Result[] = []
      for (let first = 0; first < bmcs.length; first += 50) parts.push(await burst(bmcs.slice(first, first + 50), status))
      return sum(parts)
    }
    case 'status': {
      const some = bmcs.slice(0, order.n)
      const sweeps: Result[] = []
      for (let sweep = 0; sweep < order.sweeps; sweep++) sweeps.push(await burst(some, status))
      return sum(sweeps)
    }
    case 'off':
      return burst(bmcs.slice(0, order.n), off)
    case 'close':
      return burst(bmcs, async ({ session }) => void (await session.close()))
  }
}

function sum(results: readonly Result[]): Result {
  return {
    cpuMs: results.reduce((total, { cpuMs }) => total + cpuMs, 0),
    wallMs: results.reduce((total, { wallMs }) => total + wallMs, 0),
    ms: results.flatMap(({ ms }) => ms),
    failed: results.flatMap(({ failed }) => failed),
  }
}

/** Does `work` for all BMCs at once and says how long each took. */
async function burst(bmcs: readonly Bmc[], work: (bmc: Bmc) => Promise<void>): Promise<Result> {
  const failed: string[] = []
  const cpu = process.cpuUsage()
  const start = performance.now()
  const ms = await Promise.all(
    bmcs.map(async bmc => {
      await work(bmc).catch((error: unknown) => failed.push(String(error)))
      return performance.now() - start
    }),
  )
  const wallMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { cpuMs: (user + system) / 1000, wallMs, ms, failed }
}

function open(target: Target): Bmc {
  const device: Device = {
    name: target.name,
    driver: 'redfish',
    address: target.url,
    endpoint: redfish.endpoint(target.url),
    tls: { mode: 'pin' },
    status: 'verified',
    createdAt: new Date(0).toISOString(),
    revision: 1,
  }
  const credential = { username: target.username, password: new Secret(target.password) }
  const session = redfish.open(device, { clock: systemClock, limits: RULES.exchange, credential: async () => credential })
  return { device, session }
}

async function status({ device, session }: Bmc): Promise<void> {
  const { signal } = new AbortController()
  const { power } = await session.observe(signal)
  if (power !== 'on') throw new Error(`${device.name} reads ${power}`)
}

/** A fence as the gateway does it: the machine decides, the session reads and asks, until the verdict. */
async function off({ device, session }: Bmc): Promise<void> {
  const { signal } = new AbortController()
  const job = jobOf(device.name)
  const { endpoint } = device
  const remainingMs = job.deadlineSeconds * 1_000
  const args = { process: PROCESS, nowMono: systemClock.mono(), remainingMs, readsOnly: false, endpointOf: () => endpoint, rules: RULES }
  let progress: Progress = begin(job, args)
  let settledMono: number | undefined
  const context = {
    rules: RULES,
    openIntents: () => 0,
    settledMono: (_: unknown, command: 'on' | 'off') => (command === 'off' ? settledMono : undefined),
    policyBefore: () => undefined,
    delayMs: () => RULES.powerOffDelayMs,
  }
  for (;;) {
    const effect = decide(job, progress, { ...context, nowMono: systemClock.mono() })
    if (effect.kind === 'read') {
      progress = await read(device, session, signal, progress)
    } else if (effect.kind === 'command') {
      await session.ticket(signal)
      progress = announced(progress, device.name, effect.command)
      const reply = await session.request(effect.command, signal, systemClock.mono() + RULES.exchange.commandTtlMs)
      if (reply.kind === 'unanswered') throw new Error(`${device.name} did not answer the command`)
      settledMono = systemClock.mono()
      progress = settledAt(progress, device.name, settledMono, reply.kind === 'unsent' || !reply.accepted)
    } else if (effect.kind === 'policy') {
      const { restorePolicy } = progress.devices[0] ?? {}
      // As the gateway: a machine without the setting is not asked.
      if (restorePolicy !== null) await session.setRestorePolicy(effect.policy, signal)
      progress = policyDone(progress, device.name)
    } else if (effect.kind === 'wait') {
      await systemClock.sleep(Math.max(0, effect.untilMono - systemClock.mono()))
    } else if (effect.kind === 'conclude' && effect.power === 'off') {
      return
    } else throw new Error(`${device.name}: ${JSON.stringify(effect)}`)
  }
}

/** A read that fails (a busy machine, a time-out) is a miss, as in the gateway: it says nothing, and the count starts again. */
async function read(device: Device, session: DriverSession, signal: AbortSignal, progress: Progress): Promise<Progress> {
  try {
    return afterRead(progress, await session.observe(signal), systemClock.mono(), RULES)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return afterMiss(progress, device.name, { code: error.code, message: error.message }, systemClock.mono(), RULES)
  }
}

function jobOf(device: string): Job {
  const now = new Date().toISOString()
  return {
    id: device,
    cluster: 'default',
    node: device,
    action: 'off',
    state: 'running',
    revision: 1,
    reason: 'benchmark',
    holders: [],
    broughtHolders: [],
    createdAt: now,
    deadlineAt: now,
    deadlineSeconds: RULES.deadlineSeconds.default,
    warnings: [],
    evidence: [],
    tokenId: 'bench',
    plan: { levels: [{ level: 1, mechanism: 'direct', devices: [device], assurance: 'confirmed' }] },
  }
}
