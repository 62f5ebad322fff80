import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type t from 'tap'
import { findPeer } from '../../scripts/lib/peers.mjs'
import { verifyReceipt } from '../../src/client/verify.ts'
import { type Config, readConfig } from '../../src/config.ts'
import { RULES, type Rules } from '../../src/core/rules.ts'
import { type GatewayOverrides, startGateway } from '../../src/gateway.ts'
import { type SimulatedBmc, type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts'
import { peer } from '../peers/support.ts'
import { type Answer, Api } from './client.ts'

/** A tap test, as far as it is used here. */
export type Test = Pick<
  typeof t,
  'teardown' | 'fail' | 'pass' | 'equal' | 'not' | 'ok' | 'same' | 'match' | 'notMatch' | 'test' | 'comment'
>

/** The stores that the whole suite runs on: a Redis 7 of the gateway's own, and the embedded Valkey. */
export const KINDS = ['redis', 'embedded'] as const
export type Kind = (typeof KINDS)[number]

// Looked for before the first gateway starts: while one starts, this process has another PATH.
const here = process.env['PATH'] ?? ''
const server = findPeer('redis')?.['redis-server']

/** The PATH on which a gateway finds this kind of store; undefined, and skipped by name, where Redis is not installed. */
export function pathFor(t: Test, kind: Kind): string | undefined {
  if (kind === 'embedded') return '/nowhere'
  if (!server) peer({ skip: message => t.pass(message, { skip: true }), fail: message => t.fail(message) }, 'redis')
  return server && [dirname(server), here].join(delimiter)
}

/** A private folder with a short path (the store's socket lies in it), removed after the test. */
export function folder(t: Test): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'safestate-gw-')))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/**
 * The rules of INTERFACES with shorter waits, so that the suite ends: the delays of commands (S8) are 1.5 s in place of 30 s, the dwell of a node found off 3 s.
 * The confirmation itself (three reads over 2 s) is the default one.
 */
export const FAST: Rules = {
  ...RULES,
  confirm: { ...RULES.confirm, foundOffDwellMs: 3_000 },
  powerOnDelayMs: 1_500,
  powerOffDelayMs: 1_500,
  resendAfterRefusalMs: 1_000,
  exchange: { ...RULES.exchange, exchangeMs: 2_500, connectMs: 1_500, commandTtlMs: 4_000 },
}

/** What Node itself complains about in the gateway's process: leaking listeners and the like. Empty, at the end of each file. */
export const complaints: string[] = []
process.on('warning', ({ name, message }) => name !== 'ExperimentalWarning' && complaints.push(`${name}: ${message}`))

/** A simulator in this process: its BMCs are at hand, with their faults and their true history. */
export async function simulate(t: Test, options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator(options)
  t.teardown(() => simulator.close())
  return simulator
}

/** A gateway that answers, and what it logged so far. */
export interface Served {
  url: string
  api: Api
  dataDir: string
  logs: string[]
  close(): Promise<void>
}

/** Starts a gateway in this process on a store of this kind; undefined where that is skipped. */
export async function serve(
  t: Test,
  kind: Kind,
  change: Partial<Config> = {},
  overrides: GatewayOverrides = {},
): Promise<Served | undefined> {
  const path = pathFor(t, kind)
  if (path === undefined) return undefined
  const dataDir = folder(t)
  const logs: string[] = []
  const config = { ...readConfig({ dataDir, listen: '127.0.0.1:0' }, {}), rules: FAST, ...change }
  const gateway = await withPath(path, () => startGateway(config, { ...overrides, logStream: { write: line => logs.push(line) } }))
  t.teardown(() => gateway.close())
  return { url: gateway.url, api: new Api(gateway.url, readToken(dataDir)), dataDir, logs, close: () => gateway.close() }
}

let starting: Promise<unknown> = Promise.resolve()

/** A server is looked for on this process's PATH, and only while a gateway starts: one start at a time. */
function withPath<T>(path: string, work: () => Promise<T>): Promise<T> {
  const started = starting.then(async () => {
    const before = process.env['PATH']
    process.env['PATH'] = path
    try {
      return await work()
    } finally {
      process.env['PATH'] = before
    }
  })
  starting = started.catch(() => undefined)
  return started
}

/** A scenario: runs beside the others of its file, as nearly all of its time is waiting. */
export type Scenario = [name: string, run: (t: Test) => Promise<void>]

/** Runs scenarios side by side, and each to its own end whatever becomes of the others. */
export async function beside(t: Test & { jobs: number }, scenarios: Scenario[], jobs = 12): Promise<void> {
  t.jobs = jobs
  await Promise.all(scenarios.map(([name, run]) => t.test(name, { buffered: true }, run)))
}

/** The administrator's token that a gateway wrote on its start. */
export function readToken(dataDir: string): string {
  return readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
}

/** The command as people run it. */
export const bin = fileURLToPath(new URL('../../bin/safestate.js', import.meta.url))

/** True where the program is built; the tests with gateways as children need that (`npm test` builds first). */
export const isBuilt = existsSync(new URL('../../dist/cli/main.js', import.meta.url))

/** A gateway in a process of its own, which a test may kill. */
export interface Child extends Served {
  process: ChildProcess
  /** What it wrote to stdout. */
  out: string[]
  kill(): Promise<void>
}

/** Starts the built gateway as a child, on what is in `dataDir`. */
export async function spawnGateway(t: Test, path: string, dataDir: string, env: Record<string, string> = {}): Promise<Child> {
  const { confirm, powerOnDelayMs, powerOffDelayMs, exchange } = FAST
  const rules = { confirm, powerOnDelayMs, powerOffDelayMs, exchange: { exchangeMs: exchange.exchangeMs, connectMs: exchange.connectMs } }
  const config = join(dataDir, 'config.json')
  writeFileSync(config, JSON.stringify({ dataDir, listen: '127.0.0.1:0', logLevel: 'debug', rules }))
  const child = spawn(process.execPath, [bin, 'gateway', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: path, HOME: dataDir, ...env },
  })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 8_000)
    await gone
    clearTimeout(timer)
  })
  const logs: string[] = []
  const out: string[] = []
  createInterface({ input: child.stderr }).on('line', line => logs.push(line))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', line => {
      out.push(line)
      if (line.startsWith('ready ')) resolve(line.slice('ready '.length))
    })
    child.once('exit', () => reject(new Error(`the gateway ended before it was ready: ${logs.slice(-5).join('\n')}`)))
  })
  const end = async (signal: NodeJS.Signals) => {
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  return {
    url,
    api: new Api(url, readToken(dataDir)),
    dataDir,
    logs,
    out,
    process: child,
    kill: () => end('SIGKILL'),
    close: () => end('SIGTERM'),
  }
}

/** Resolves when `check` answers something; rejects, naming what, after `ms`. */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 20_000,
): Promise<T> {
  const until = performance.now() + ms
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    if (performance.now() > until) throw new Error(`did not happen within ${ms} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** One simulated machine under the name that the gateway knows it by. */
export interface Machine {
  bmc: SimulatedBmc
  device: string
  node: string
}

/** Registers the whole of a simulator's inventory, as `safestate import` does. `only` takes some BMCs of it. */
export async function register(api: Api, simulator: Simulator, suffix = ''): Promise<Machine[]> {
  const { devices, nodes } = simulator.inventory()
  await Promise.all(
    devices.map(({ tls, name, ...device }) =>
      api.must('POST', '/v1/devices', { ...device, name: name + suffix, ...(tls === undefined ? {} : { tls: { mode: tls } }) }, 201),
    ),
  )
  await Promise.all(
    nodes.map(({ name, systemUuid, levels }) =>
      api.must(
        'POST',
        '/v1/nodes',
        { name: name + suffix, ...(systemUuid ? { systemUuid } : {}), levels: levels.map(level => level.map(device => device + suffix)) },
        201,
      ),
    ),
  )
  return nodes.map(({ name, levels }) => {
    const device = levels[0]?.[0] ?? ''
    return { bmc: bmcOf(simulator, device), device: device + suffix, node: name + suffix }
  })
}

function bmcOf(simulator: Simulator, device: string): SimulatedBmc {
  const found = simulator.bmcs.find(({ name }) => device === name || device.startsWith(`${name}-`))
  if (!found) throw new Error(`no BMC of ${device}`)
  return found
}

/** What a machine truly was at a time (ms since 1970), by its history; it began on. */
export function truthAt(bmc: SimulatedBmc, at: number): string {
  return bmc.history.filter(event => event.at <= at).at(-1)?.to ?? 'on'
}

/** How often the BMC was told to switch off. */
export function offs(bmc: SimulatedBmc): number {
  return bmc.commands.filter(({ type }) => type === 'ForceOff').length
}

/**
 * The one thing that must never be wrong: where a job says off, its receipt verifies, the machine was truly off when the receipt says so, and it has been off ever since
 * (or until `until`, ms since 1970, where the test itself switched it on). Returns the receipt's payload.
 */
export async function provenOff(t: Test, api: Api, bmc: SimulatedBmc, job: Answer['body'], until = Number.POSITIVE_INFINITY) {
  t.equal(job.state, 'succeeded', `the job succeeded ${JSON.stringify(job.failure ?? '')}`)
  t.match(job, { power: 'off', receiptId: String })
  const receipt = await api.must('GET', `/v1/receipts/${job.receiptId}`)
  const [jwks, list] = await Promise.all([api.must('GET', '/.well-known/jwks.json'), api.text('/.well-known/revocations.jws')])
  const verified = await verifyReceipt(receipt.jws, jwks, list)
  t.match(verified, { valid: true, revocation: 'none', payload: { state: 'off', job: job.id, node: job.node } })
  const payload = verified.payload
  if (!payload) throw new Error('no payload')
  const confirmedAt = Date.parse(payload.confirmedAt)
  t.equal(truthAt(bmc, confirmedAt), 'off', 'the machine was truly off when the receipt says so')
  t.same(
    bmc.history.filter(({ at, to }) => at > confirmedAt && at < until && to !== 'off'),
    [],
    'and has been off ever since',
  )
  return payload
}

/** A job that must not have said off: no receipt, and why. */
export function notOff(t: Test, job: Answer['body'], code: string | RegExp): void {
  t.equal(job.state, 'failed')
  t.match(job.failure?.code, code)
  t.equal(job.receiptId, undefined, 'no receipt')
  t.equal(job.assurance, undefined, 'no assurance')
}
