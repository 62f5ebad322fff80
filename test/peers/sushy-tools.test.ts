import { randomUUID } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
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
import { type EmulatedSystem, type Emulator, emulator } from './emulator.ts'
import { gateway } from './gateway.ts'
import { programsOf } from './processes.ts'

// sushy-tools 2.2.0 was not written here: one service with 20 systems, Basic authentication, no sessions. A reset is answered 204 at once and takes
// effect 1–11 s later, which a client that takes "accepted" for "off" gets wrong every time.

/** The power-off delay stands above the emulator's 11 s, so that an `on` after an `off` need not wait for the default of 30 s. */
const RULES = { powerOffDelayMs: 12_000 }
const FENCED = [2, 5, 9, 14, 20]

function deviceOf(emulated: Emulator, system: EmulatedSystem, changes: Partial<DeviceRequest> = {}): DeviceRequest {
  const tls: NonNullable<DeviceRequest['tls']> = emulated.ca === undefined ? { mode: 'insecure' } : { mode: 'ca', ca: emulated.ca }
  return {
    name: `bmc-${system.name}`,
    driver: 'redfish',
    address: emulated.url,
    username: emulated.username,
    password: emulated.password,
    systemId: system.uuid,
    tls,
    ...changes,
  }
}

/** Registers a system as device and node. */
async function register(client: SafestateClient, device: DeviceRequest, system: EmulatedSystem): Promise<void> {
  const registered = await ask(client, api => api.POST('/v1/devices', { body: device }))
  t.match(registered, { status: 'verified', hardware: { uuid: system.uuid } })
  await ask(client, api =>
    api.POST('/v1/nodes', { body: { name: system.name, systemUuid: system.uuid.toUpperCase(), levels: [[device.name]] } }),
  )
}

function start(client: SafestateClient, node: string, action: Job['action']): Promise<Job> {
  return submitJob(client, { node, action, reason: 'peer test' }, { key: randomUUID() })
}

async function run(client: SafestateClient, node: string, action: Job['action']): Promise<Job> {
  return waitForJob(client, (await start(client, node, action)).id, { timeoutMs: 120_000 })
}

/** The receipt of a job, verified as an auditor would. */
async function verified(t: Test, client: SafestateClient, job: Job): Promise<ReceiptStatement> {
  const { jws } = await fetchReceipt(client, job.receiptId ?? '')
  const result = await verifyReceipt(jws, await fetchJwks(client), await fetchRevocations(client))
  t.match(result, { valid: true, revocation: 'none' }, `${job.node}: the receipt verifies`)
  if (result.payload === undefined) throw new Error('no payload')
  return result.payload
}

/** What a confirmed off of one system has to look like from all sides. */
async function provenOff(
  t: Test,
  client: SafestateClient,
  emulated: Emulator,
  system: EmulatedSystem,
  job: Job,
): Promise<ReceiptStatement> {
  t.match(job, { state: 'succeeded', power: 'off', assurance: 'confirmed' }, `${system.name} is off: ${JSON.stringify(job.failure ?? '')}`)
  t.equal(await emulated.power(system), 'Off', `${system.name}: the emulator says so too`)
  const payload = await verified(t, client, job)
  t.match(payload, { node: system.name, job: job.id, state: 'off', binding: 'proven', hardware: [{ uuid: system.uuid }] })
  const reads = payload.observations.map(({ at, source, raw }) => ({ at: Date.parse(String(at)), source: String(source), raw }))
  t.ok(
    reads.length >= 3 && reads.every(({ raw, source }) => raw === '"Off"' && source.includes(system.uuid)),
    'three exact reads of this system',
  )
  t.ok((reads.at(-1)?.at ?? 0) - (reads[0]?.at ?? 0) >= 2_000, 'over the dwell')
  const sent = Math.max(...job.evidence.filter(({ kind }) => kind === 'command').map(({ at }) => Date.parse(at)))
  t.ok(
    reads.every(({ at }) => at > sent),
    'all after the command',
  )
  return payload
}

async function fenceSome(t: Test, client: SafestateClient, emulated: Emulator): Promise<Job[]> {
  const jobs = await Promise.all(FENCED.map(number => start(client, emulated.system(number).name, 'off')))
  const ended = await Promise.all(jobs.map(({ id }) => waitForJob(client, id, { timeoutMs: 120_000 })))
  for (const [index, number] of FENCED.entries()) {
    const job = ended[index]
    if (job === undefined) throw new Error('no job')
    const payload = await provenOff(t, client, emulated, emulated.system(number), job)
    t.equal(payload.lateHand, 'closed', 'an answered command needs no waiting, even without a session')
    t.equal(payload.commands.length, 1, 'one command')
  }
  return ended
}

/** All but the fenced systems, asked past the gateway. */
async function othersUntouched(t: Test, emulated: Emulator, touched: readonly EmulatedSystem[]): Promise<void> {
  const others = emulated.systems.filter(system => !touched.includes(system))
  const powers = await Promise.all(others.map(system => emulated.power(system)))
  t.same(new Set(powers), new Set(['On']), `${others.length} others are on`)
  const resets = emulated.resets()
  t.same(
    others.filter(({ name }) => resets[name] !== undefined),
    [],
    'no command ever went to one of them',
  )
}

async function refuses(t: Test, client: SafestateClient, device: DeviceRequest): Promise<ProblemError> {
  try {
    await ask(client, api => api.POST('/v1/devices', { body: device }))
  } catch (error) {
    if (error instanceof ProblemError) return error
    throw error
  }
  t.fail('it was registered')
  throw new Error('not refused')
}

async function overTls(t: Test): Promise<void> {
  const programs = programsOf(t, 'sushy-tools')
  if (!programs) return
  const emulated = await emulator(t, programs, 20, true)
  const client = await gateway(t, RULES)
  const first = emulated.system(1)

  const { systemId: _systemId, ...unnamed } = deviceOf(emulated, first)
  const ambiguous = await refuses(t, client, unnamed)
  t.equal(ambiguous.status, 422)
  t.equal(ambiguous.code, 'ambiguous_system')
  const listed = ambiguous.problem.errors?.map(({ message }) => message).join('\n') ?? ''
  t.ok(
    emulated.systems.every(({ uuid }) => listed.includes(uuid)),
    'the refusal lists all 20 systems',
  )
  const stranger = await refuses(t, client, deviceOf(emulated, first, { systemId: randomUUID() }))
  t.equal(stranger.status, 422, 'a system that is not there')
  const unverified = await refuses(
    t,
    client,
    deviceOf(emulated, first, { tls: { mode: 'pin', fingerprint: Array(32).fill('AB').join(':') } }),
  )
  t.equal(unverified.code, 'tls_mismatch', 'another certificate than the pinned one')
  const locked = await refuses(t, client, deviceOf(emulated, first, { password: 'wrong' }))
  t.equal(locked.code, 'auth_failed', 'wrong credentials')

  for (const system of emulated.systems) await register(client, deviceOf(emulated, system), system)
  const twice = await refuses(t, client, deviceOf(emulated, first, { name: 'another-name' }))
  t.equal(twice.code, 'hardware_taken', 'one hardware has one name')

  const [jobs, reads] = await Promise.all([
    fenceSome(t, client, emulated),
    Promise.all([3, 10, 19].map(number => run(client, emulated.system(number).name, 'status'))),
  ])
  for (const job of reads) t.match(job, { state: 'succeeded', power: 'on' }, `${job.node} is read while its neighbours are fenced`)
  const touched = FENCED.map(number => emulated.system(number))
  await othersUntouched(t, emulated, touched)
  t.same(emulated.resets(), Object.fromEntries(touched.map(({ name }) => [name, 1])), 'one command each, by the emulator’s own log')

  const job = jobs[0]
  const system = emulated.system(FENCED[0] ?? 0)
  if (job === undefined) throw new Error('no job')
  const on = await refusesOn(client, system)
  t.equal(on, 'held', 'nothing powers a held node on')
  const [holder] = job.holders
  const body = { holder: holder?.holder ?? '', attempt: holder?.attempt ?? 0, restore: true, reason: 'the test is over' }
  await ask(client, api => api.POST('/v1/holds/{id}/release', { params: { path: { id: job.holdId ?? '' } }, body }))
  const { items } = await ask(client, api => api.GET('/v1/jobs', { params: { query: { node: system.name, action: 'on' } } }))
  const restored = await waitForJob(client, items[0]?.id ?? '', { timeoutMs: 120_000 })
  t.match(restored, { state: 'succeeded', power: 'on' }, 'the last release powers it on')
  t.equal(await emulated.power(system), 'On')
}

async function refusesOn(client: SafestateClient, system: EmulatedSystem): Promise<string> {
  return start(client, system.name, 'on').then(
    () => 'taken',
    (error: unknown) => (error instanceof ProblemError ? error.code : String(error)),
  )
}

/** A way to the emulator that keeps the answer to the first Reset to itself: the command arrives, and nobody hears of it. */
async function swallowing(t: Test, emulated: Emulator): Promise<string> {
  const sockets = new Set<Socket>()
  let swallowed = false
  const server = createServer(near => {
    const far = connect(Number(new URL(emulated.url).port), '127.0.0.1')
    let mute = false
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    }
    near.on('data', data => {
      if (!swallowed && data.includes('ComputerSystem.Reset')) {
        swallowed = true
        mute = true
      }
      far.write(data)
    })
    far.on('data', data => {
      if (!mute) near.write(data)
    })
    near.on('close', () => far.destroy())
    far.on('close', () => {
      if (!mute) near.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

async function overHttp(t: Test): Promise<void> {
  const programs = programsOf(t, 'sushy-tools')
  if (!programs) return
  const emulated = await emulator(t, programs, 20, false)
  const client = await gateway(t, RULES)
  const lost = emulated.system(7)
  await register(client, deviceOf(emulated, lost, { address: await swallowing(t, emulated) }), lost)
  for (const number of FENCED) await register(client, deviceOf(emulated, emulated.system(number)), emulated.system(number))

  const [unheard] = await Promise.all([run(client, lost.name, 'off'), fenceSome(t, client, emulated)])
  await t.test('a command without an answer, where no session can be closed', async t => {
    const payload = await provenOff(t, client, emulated, lost, unheard)
    t.equal(payload.lateHand, 'bounded', 'the receipt says that a late hand is bounded only')
    const sent = unheard.evidence.find(({ kind, raw }) => kind === 'command' && raw.startsWith('unanswered'))
    const first = payload.observations[0]
    // The exchange gives up after 5 s of the command's 15.
    t.ok(Date.parse(String(first?.['at'])) - Date.parse(sent?.at ?? '') >= 10_000 - 100, 'counted only when its time to live was over')
    t.equal(emulated.resets()[lost.name], 1, 'and not sent again')
  })
  await othersUntouched(t, emulated, [lost, ...FENCED.map(number => emulated.system(number))])
}

t.jobs = 2
t.test('sushy-tools: 20 systems behind one service, over TLS', { timeout: 170_000 }, overTls)
t.test('sushy-tools: 20 systems behind one service, over HTTP', { timeout: 170_000 }, overHttp)
