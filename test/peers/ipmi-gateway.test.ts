import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  ask,
  type DeviceRequest,
  fetchJwks,
  fetchReceipt,
  fetchRevocations,
  type Job,
  ProblemError,
  type ReceiptStatement,
  type SafestateClient,
  submitJob,
  verifyReceipt,
  waitForJob,
} from '../../src/client/index.ts'
import { follow, type Traced } from '../wire/ipmi-retrace.ts'
import { type FarmBmc, farm } from './farm.ts'
import { gateway } from './gateway.ts'
import { ipmiSim } from './ipmi-sim.ts'
import { programsOf } from './processes.ts'
import { type Relay, relay } from './relay.ts'

// The whole gateway with BMCs that were not written here: registered, fenced, released.

/** The delay is what the farm's BMCs take at most, so that an `on` after an `off` need not wait for the default of 30 s. */
const RULES_HERE = { powerOffDelayMs: 3_000, powerOnDelayMs: 3_000 }

/** Registers a BMC as device and node. */
async function register(client: SafestateClient, name: string, device: Omit<DeviceRequest, 'name' | 'driver'>): Promise<string> {
  const registered = await ask(client, api => api.POST('/v1/devices', { body: { name: `${name}-bmc`, driver: 'ipmi', ...device } }))
  const uuid = registered.hardware?.uuid
  if (uuid === undefined) throw new Error('no UUID')
  await ask(client, api => api.POST('/v1/nodes', { body: { name, systemUuid: uuid.toUpperCase(), levels: [[`${name}-bmc`]] } }))
  return uuid
}

async function fence(client: SafestateClient, node: string): Promise<Job> {
  const { id } = await submitJob(client, { node, action: 'off', reason: 'peer test' }, { key: randomUUID() })
  return waitForJob(client, id, { timeoutMs: 120_000 })
}

/** The receipt of a job, verified as an auditor would. */
async function verified(t: Test, client: SafestateClient, job: Job): Promise<ReceiptStatement> {
  t.match(job, { state: 'succeeded', power: 'off', assurance: 'confirmed' }, `${job.node}: ${JSON.stringify(job.failure ?? '')}`)
  const { jws } = await fetchReceipt(client, job.receiptId ?? '')
  const result = await verifyReceipt(jws, await fetchJwks(client), await fetchRevocations(client))
  t.match(result, { valid: true, revocation: 'none' }, `${job.node}: the receipt verifies`)
  if (result.payload === undefined) throw new Error('no payload')
  const { observations, commands, ...rest } = result.payload
  t.match(rest, { node: job.node, state: 'off', binding: 'proven' })
  const reads = observations.map(({ at }) => Date.parse(String(at)))
  t.ok(reads.length >= 3 && (reads.at(-1) ?? 0) - (reads[0] ?? 0) >= 2_000, 'three reads over the dwell')
  t.equal(commands.filter(({ source }) => String(source).startsWith('ipmi session')).length, 1, 'one command')
  return result.payload
}

type Login = Omit<DeviceRequest, 'name' | 'driver'>

function loginAt(bmc: Pick<FarmBmc, 'address' | 'password'>): Login {
  return { address: bmc.address, username: 'admin', password: bmc.password }
}

/**
 * A way that keeps the answer to the first power command to itself: the command arrives, and nobody hears of it. It knows the password, so it can tell.
 * What it keeps, and whether it has, is in `commands`.
 */
async function swallowing(t: Test, bmc: FarmBmc): Promise<{ way: Relay; commands: Traced[] }> {
  const read = follow({ suite: 17, username: 'admin', password: bmc.password })
  const commands: Traced[] = []
  const way = await relay(t, bmc, ({ to, bytes }) => {
    const traced = understood(read, to, bytes)
    if (traced?.name !== 'Chassis Control') return bytes
    commands.push(traced)
    return commands.filter(one => one.to === 'client').length === 1 && to === 'client' ? undefined : bytes
  })
  return { way, commands }
}

/** Undefined for a packet of a session before the last: its Close. */
function understood(read: ReturnType<typeof follow>, to: 'bmc' | 'client', bytes: Buffer): Traced | undefined {
  try {
    return read(to, bytes)
  } catch {
    return undefined
  }
}

async function refusals(t: Test, client: SafestateClient, known: FarmBmc, fresh: FarmBmc): Promise<void> {
  const problem = async (device: Login): Promise<ProblemError> => {
    try {
      await ask(client, api => api.POST('/v1/devices', { body: { name: 'refused', driver: 'ipmi', ...device } }))
    } catch (error) {
      if (error instanceof ProblemError) return error
      throw error
    }
    throw new Error('it was registered')
  }
  const { address } = await relay(t, known)
  t.equal((await problem({ ...loginAt(known), address })).code, 'hardware_taken', 'another way to the same machine, known by its GUID')
  t.equal((await problem({ ...loginAt(fresh), password: 'x'.repeat(21) })).code, 'bad_credential', 'what IPMI would cut off')
  const locked = await problem({ ...loginAt(fresh), password: 'wrong' })
  t.equal(locked.code, 'auth_failed')
  t.notMatch(JSON.stringify(locked.problem), fresh.password)
}

/** Gives the hold back with an `on`, and waits for it. */
async function release(t: Test, client: SafestateClient, job: Job): Promise<void> {
  const [holder] = job.holders
  const body = { holder: holder?.holder ?? '', attempt: holder?.attempt ?? 0, restore: true, reason: 'the test is over' }
  await ask(client, api => api.POST('/v1/holds/{id}/release', { params: { path: { id: job.holdId ?? '' } }, body }))
  const { items } = await ask(client, api => api.GET('/v1/jobs', { params: { query: { node: job.node, action: 'on' } } }))
  t.match(await waitForJob(client, items[0]?.id ?? '', { timeoutMs: 120_000 }), { state: 'succeeded', power: 'on' })
}

t.test('go-ipmi', { timeout: 170_000 }, async t => {
  const found = programsOf(t, 'ipmi-farm')
  if (!found) return
  const [best, three, slow, lost, other, fresh] = (await farm(t, found, { count: 6 })) as [
    FarmBmc,
    FarmBmc,
    FarmBmc,
    FarmBmc,
    FarmBmc,
    FarmBmc,
  ]
  const client = await gateway(t, RULES_HERE)
  const { way, commands } = await swallowing(t, lost)
  await register(client, 'best', loginAt(best))
  await register(client, 'three', { ...loginAt(three), ipmi: { cipherSuite: '3' } })
  await register(client, 'slow', loginAt(slow))
  await register(client, 'lost', { ...loginAt(lost), address: way.address })
  await register(client, 'other', loginAt(other))
  await slow.set({ offMs: 2_500 })
  await refusals(t, client, best, fresh)

  const jobs = (await Promise.all(['best', 'three', 'slow', 'lost'].map(node => fence(client, node)))) as [Job, Job, Job, Job]
  for (const job of jobs) {
    const payload = await verified(t, client, job)
    t.equal(payload.lateHand, 'closed', job.node)
  }
  t.equal(commands.filter(({ to }) => to === 'bmc').length, 1, 'the command whose answer got lost was not sent again')
  t.ok(
    jobs[3].evidence.some(({ kind, raw }) => kind === 'command' && raw.startsWith('unanswered')),
    'its answer never came',
  )
  for (const bmc of [best, three, slow, lost])
    t.match(await bmc.state(), { on: false, controls: 1, cycles: 0 }, 'by the farm’s own account')
  t.match(await other.state(), { on: true, controls: 0 }, 'the neighbour is untouched')
  await release(t, client, jobs[0])
  t.match(await best.state(), { on: true, controls: 2 })
})

t.test('ipmi_sim', { timeout: 170_000 }, async t => {
  const found = programsOf(t, 'openipmi')
  if (!found) return
  const sim = await ipmiSim(t, found)
  const client = await gateway(t, RULES_HERE)
  await register(client, 'sim', loginAt(sim))
  sim.fault('delay', 1)
  const payload = await verified(t, client, await fence(client, 'sim'))
  t.equal(payload.lateHand, 'closed')
  t.equal(sim.power(), 'off')
  t.strictSame(sim.commands(), ['set power 0'])
})
