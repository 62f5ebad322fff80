import { systemClock } from '../../src/core/clock.ts'
import { Secret } from '../../src/core/secret.ts'
import { IpmiClient } from '../../src/wire/ipmi/client.ts'
import type { ClientOptions } from '../../src/wire/ipmi/client-options.ts'
import { type IpmiPorts, systemPorts } from '../../src/wire/ipmi/client-ports.ts'
import { closeByTicket } from '../../src/wire/ipmi/client-settle.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { UdpTransport } from '../../src/wire/ipmi/transport.ts'
import { type Order, PASSWORD, POLL_MS, type Result, type Target, USERNAME } from './orders.ts'

const transport = new UdpTransport()
const ports: IpmiPorts = systemPorts(transport)
const password = new Secret(PASSWORD)
/** A command's time to live, ms. */
const TTL_MS = 10_000

/** Our client as a process: `src/wire/ipmi` with one transport for all BMCs, one Order after the other over IPC. */
export function serveOurs(): void {
  process.on('disconnect', () => process.exit())
  process.on('message', (order: Order) => void obey(order).then(result => process.send?.(result)))
}

async function obey({ op, targets, sweeps = 1 }: Order): Promise<Result> {
  switch (op) {
    case 'status':
      return burst(targets, cold)
    case 'off':
      return burst(targets, off)
    case 'kept': {
      const clients = targets.map(target => clientOf(target, 'user'))
      // Not measured: the log-ins.
      await Promise.all(clients.map(client => client.open()))
      const results: Result[] = []
      for (let sweep = 0; sweep < sweeps; sweep++) results.push(await burst(clients, read))
      await Promise.all(clients.map(client => client.close({ confirmed: false })))
      return summed(results)
    }
  }
}

/** Does `work` for all at once and says how long each took. */
async function burst<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<Result> {
  const failed: string[] = []
  const sentBefore = transport.counters.sent
  const cpu = process.cpuUsage()
  const start = performance.now()
  const ms = await Promise.all(
    all.map(async one => {
      await work(one).catch((error: unknown) => failed.push(String(error)))
      return performance.now() - start
    }),
  )
  const wallMs = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  const sent = transport.counters.sent - sentBefore
  return { wallMs, cpuMs: (user + system) / 1_000, ops: all.length, ms, failed, sent, rssMb: process.resourceUsage().maxRSS / 1_024 }
}

function summed(results: readonly Result[]): Result {
  const sum = (of: (result: Result) => number): number => results.reduce((total, result) => total + of(result), 0)
  return {
    wallMs: sum(result => result.wallMs),
    cpuMs: sum(result => result.cpuMs),
    ops: sum(result => result.ops),
    ms: results.flatMap(({ ms }) => ms),
    failed: results.flatMap(({ failed }) => failed),
    sent: sum(result => result.sent ?? 0),
    rssMb: Math.max(...results.map(({ rssMb }) => rssMb ?? 0)),
  }
}

function optionsOf(target: Target, privilege: ClientOptions['privilege']): ClientOptions {
  return { address: target, username: USERNAME, password, privilege, suite: 17 }
}

function clientOf(target: Target, privilege: ClientOptions['privilege']): IpmiClient {
  return new IpmiClient(ports, optionsOf(target, privilege))
}

async function read(client: IpmiClient): Promise<void> {
  const { on } = await client.execute(COMMANDS.chassisStatus, undefined)
  if (!on) throw new Error('the machine reads off')
}

/** A session, one read, Close. */
async function cold(target: Target): Promise<void> {
  const client = clientOf(target, 'user')
  try {
    await read(client)
  } finally {
    await client.close({ confirmed: false })
  }
}

/**
 * Off and confirmation. A command that stays unanswered is never repeated: its session is closed first (S3), then the machine is read, and asked again only where it is on
 * and nothing of the first command can still be under way.
 */
async function off(target: Target): Promise<void> {
  const options = optionsOf(target, 'operator')
  let client = new IpmiClient(ports, options)
  try {
    for (;;) {
      await client.elevate()
      const ticket = client.ticket()
      const reply = await client.sendOnce(COMMANDS.chassisControl, { action: 'down' }, undefined, systemClock.mono() + TTL_MS)
      if (reply.kind === 'answered' && reply.completion === 0) return await untilOff(client)
      if (reply.kind === 'answered') throw new Error(`Chassis Control: ${reply.raw}`)
      const closed = (await client.close({ confirmed: true })) === 'closed' || (await closeByTicket(ports, options, ticket)) === 'closed'
      client = new IpmiClient(ports, options)
      if (!(await client.execute(COMMANDS.chassisStatus, undefined)).on) return
      if (!closed) throw new Error('unknown: on, and the BMC did not say that the session of the unanswered command is closed')
    }
  } finally {
    await client.close({ confirmed: false })
  }
}

async function untilOff(client: IpmiClient): Promise<void> {
  while ((await client.execute(COMMANDS.chassisStatus, undefined)).on) await systemClock.sleep(POLL_MS)
}
