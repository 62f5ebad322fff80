import t from 'tap'
import type { SafestateError } from '../../src/core/errors.ts'
import type { Intent } from '../../src/core/job.ts'
import type { DriverKind } from '../../src/core/power.ts'
import { RULES } from '../../src/core/rules.ts'
import type { Store } from '../../src/core/store.ts'
import type { Device } from '../../src/core/topology.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { createReads, createStore } from '../../src/store/verbs/index.ts'

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: SafestateError) => error.code,
  )

function make() {
  const time = { now: 1_800_000_000_000 }
  const documents = new MemoryStore({ now: () => time.now })
  let ids = 0
  const store = createStore(documents, { rules: RULES, newId: () => `id-${++ids}` })
  const add = (name: string, driver: DriverKind, endpoint: string, hardwareKeys: string[]): Promise<Device> =>
    store.addDevice({ device: deviceOf(name, driver, endpoint, hardwareKeys), credential: 'sealed', hardwareKeys })
  const node = (name: string, ...devices: string[]) =>
    store.addNode({ node: { cluster: 'default', name, levels: [devices], createdAt: '', revision: 0 } })
  return { time, documents, store, reads: createReads(documents), add, node }
}

function deviceOf(name: string, driver: DriverKind, endpoint: string, hardwareKeys: string[]): Device {
  const isKnown = hardwareKeys.length > 0
  return {
    name,
    driver,
    address: `x://${endpoint}`,
    endpoint,
    tls: { mode: 'pin' },
    status: isKnown ? 'verified' : 'unverified',
    ...(isKnown ? { hardware: { uuid: hardwareKeys[0] ?? '' } } : {}),
    createdAt: '',
    revision: 0,
  }
}

/** The first contact of a device that was not reached at registration. */
const pin = (store: Store, name: string, hardwareKeys: string[]): Promise<Device> =>
  store.updateDevice({
    name,
    change: device => ({ ...device, status: 'verified', hardware: { uuid: hardwareKeys[0] ?? '' } }),
    hardwareKeys,
  })

t.test('the second protocol of a BMC joins its endpoint (S6)', async t => {
  const { store, add } = make()
  await add('r1', 'redfish', '10.0.0.1', ['uuid:a'])
  t.match(await add('i1', 'ipmi', '10.0.0.2', ['uuid:x', 'uuid:a', 'uuid:y']), { endpoint: '10.0.0.1' }, 'by any of its readings')
  t.match(await add('i2', 'ipmi', '10.0.0.3', ['uuid:b', 'uuid:c']), { endpoint: '10.0.0.3' })
  t.match(await add('r2', 'redfish', '10.0.0.4:8443', ['uuid:c']), { endpoint: '10.0.0.3' }, 'the other way round too')
  t.match(await add('r3', 'redfish', '10.0.0.5', ['uuid:d']), { endpoint: '10.0.0.5' }, 'other machines keep their own')
  await add('i3', 'ipmi', '10.0.0.6', [])
  t.match(await pin(store, 'i3', ['uuid:d']), { endpoint: '10.0.0.5', hardwareKeys: ['uuid:d'] }, 'at its first contact')
})

t.test('two devices of one driver with the same hardware stay refused', async t => {
  const { store, add } = make()
  await add('r1', 'redfish', 'a', ['uuid:a'])
  await add('i1', 'ipmi', 'b', ['uuid:a', 'uuid:z'])
  t.equal(await codeOf(add('r2', 'redfish', 'c', ['uuid:a'])), 'hardware_taken')
  t.equal(await codeOf(add('i2', 'ipmi', 'c', ['uuid:z'])), 'hardware_taken')
  await add('i3', 'ipmi', 'd', [])
  t.equal(await codeOf(pin(store, 'i3', ['uuid:a'])), 'hardware_taken')
})

t.test('removing one device leaves the claims of the other', async t => {
  const { store, add } = make()
  await add('r1', 'redfish', 'a', ['uuid:a'])
  await add('i1', 'ipmi', 'b', ['uuid:a'])
  await store.removeDevice('r1')
  t.equal(await codeOf(add('i2', 'ipmi', 'c', ['uuid:a'])), 'hardware_taken', "the IPMI one's claim stands")
  t.match(await add('r2', 'redfish', 'd', ['uuid:a']), { endpoint: 'a' }, 'and whoever comes back joins it')
  await store.removeDevice('r2')
  await store.removeDevice('i1')
  t.match(await add('i2', 'ipmi', 'c', ['uuid:a']), { endpoint: 'c' }, 'nobody claims it any more')
})

t.test('one hardware identity belongs to one node (S6)', async t => {
  const { store, add, node } = make()
  await add('r1', 'redfish', 'a', ['uuid:a'])
  await add('i1', 'ipmi', 'b', ['uuid:a'])
  await node('n1', 'r1')
  t.equal(await codeOf(node('n2', 'i1')), 'hardware_taken', 'the same machine by its other protocol')
  await add('i2', 'ipmi', 'c', [])
  await add('r2', 'redfish', 'd', [])
  await node('n3', 'i2', 'r2')
  await pin(store, 'r2', ['uuid:b'])
  t.equal(await codeOf(pin(store, 'i2', ['uuid:a'])), 'hardware_taken', "found out at the first contact: it is another node's")
  t.match(await pin(store, 'i2', ['uuid:b']), { endpoint: 'd' }, 'and its own is no other')
  await store.removeNode('default/n1')
  t.equal(await codeOf(node('n2', 'i1', 'r1')), 'done', 'one node may have both')
})

t.test('a device that shares hardware stays under the one lease when its address changes', async t => {
  const { store, add, time } = make()
  await add('r1', 'redfish', 'a', ['uuid:a'])
  await add('i1', 'ipmi', 'b', ['uuid:a'])
  const moved = await store.updateDevice({ name: 'r1', change: device => ({ ...device, address: 'x://c', endpoint: 'c' }) })
  t.match(moved, { endpoint: 'a', address: 'x://c' })
  const actor = { id: 'p/1', jobId: 'j', leases: [] }
  await store.take({ jobId: 'j', actor: actor.id, endpoints: ['a'], urgency: 0, preemptible: false })
  const move = () => store.updateDevice({ name: 'r1', change: device => ({ ...device, address: 'x://d', endpoint: 'd' }) })
  t.equal(await codeOf(move()), 'in_use', 'not while somebody works there')
  time.now += 60_000
  t.match(await move(), { endpoint: 'a' })
})

t.test('no command is announced under a lease that is not the device’s (S2, S6)', async t => {
  const { store, add, node, reads } = make()
  await add('r1', 'redfish', 'a', ['uuid:a'])
  await add('i1', 'ipmi', 'b', [])
  await node('n1', 'i1')
  const job = {
    id: 'j1',
    cluster: 'default',
    node: 'n1',
    action: 'off' as const,
    state: 'queued' as const,
    revision: 0,
    reason: 'test',
    holders: [{ holder: 'A', attempt: 1 }],
    broughtHolders: [],
    createdAt: new Date(1_800_000_000_000).toISOString(),
    deadlineAt: new Date(1_800_000_100_000).toISOString(),
    deadlineSeconds: 100,
    warnings: [],
    evidence: [],
    tokenId: 'tester',
    plan: { levels: [{ level: 1, mechanism: 'direct' as const, devices: ['i1'], assurance: 'confirmed' as const }] },
  }
  await store.accept({ job, idempotency: { id: 'k', hash: 'h' } })
  const taken = await store.take({ jobId: 'j1', actor: 'p/1', endpoints: ['b'], urgency: 0, preemptible: false })
  const actor = { id: 'p/1', jobId: 'j1', leases: taken.kind === 'taken' ? taken.leases : [] }
  const intent: Intent = {
    id: 'x',
    jobId: 'j1',
    device: 'i1',
    command: 'off',
    actor: actor.id,
    token: 1,
    sessionId: 's',
    closing: null,
    at: { process: 'p', mono: 0, wall: 0 },
    ttlMs: 15_000,
  }
  const progress = {
    process: 'p',
    leg: 'off' as const,
    levelIndex: 0,
    levelEndsMono: 1,
    deadlineMono: 2,
    devices: [],
    failures: [],
    commandedOff: true,
    commandedOn: false,
    legSinceMono: 0,
    readsOnly: false,
  }
  await pin(store, 'i1', ['uuid:a'])
  t.same(await store.intend({ actor, intent, endpoint: 'b', progress, phase: 'commanding' }), { ok: false, lost: 'changed' })
  t.same((await reads.endpoint('b'))?.intents, [])
})

t.test('two services of one machine come under one endpoint with everything that they serve (S6)', async t => {
  const { store, add, reads } = make()
  const endpoints = async () => Promise.all(['i1', 's1', 's2', 's3'].map(async name => (await reads.device(name))?.endpoint))
  await add('i1', 'ipmi', 'b', ['uuid:1'])
  await add('s2', 'redfish', 'a', ['uuid:2'])
  await add('s1', 'redfish', 'a', ['uuid:1'])
  await add('s3', 'redfish', 'a', [])
  t.same(await endpoints(), ['b', 'b', 'b', 'b'], 'those that were there, and those that come later')
  t.same(await reads.whatIsAt('a'), { endpoint: 'b', devices: ['i1', 's2', 's1', 's3'] })
  t.match(await add('i4', 'ipmi', 'd', ['uuid:4']), { endpoint: 'd' })
  t.match(await add('s4', 'redfish', 'a', ['uuid:4']), { endpoint: 'd' }, 'a third one that turns out to lead there')
  t.same(await endpoints(), ['d', 'd', 'd', 'd'])
  t.match(await add('s5', 'redfish', 'a', []), { endpoint: 'd' })
  t.match(await add('i5', 'ipmi', 'b', []), { endpoint: 'd' })
  for (const name of ['s1', 's4', 's5', 'i1', 'i4', 's2']) await store.removeDevice(name)
  t.match(await add('s6', 'redfish', 'a', []), { endpoint: 'd' }, 'a name stays while anything is under it')
  for (const name of ['s3', 'i5', 's6']) await store.removeDevice(name)
  const names = await Promise.all(['a', 'b', 'd'].map(async name => (await reads.whatIsAt(name)).endpoint))
  t.same(names, ['a', 'b', 'd'], 'and goes with the last device')
})

t.test('endpoints are not brought together under somebody who works there, nor over an open command', async t => {
  const { store, add, reads } = make()
  await add('i1', 'ipmi', 'b', ['uuid:1'])
  await add('s2', 'redfish', 'a', ['uuid:2'])
  const take = async (endpoint: string) => {
    const taken = await store.take({ jobId: 'j', actor: 'p/1', endpoints: [endpoint], urgency: 0, preemptible: false })
    return { id: 'p/1', jobId: 'j', leases: taken.kind === 'taken' ? taken.leases : [] }
  }
  const other = await take('b')
  const actor = await take('a')
  t.equal(await codeOf(add('s1', 'redfish', 'a', ['uuid:1'])), 'in_use')
  t.equal(await reads.device('s1'), undefined, 'nothing of it is done')
  t.equal((await reads.device('s2'))?.endpoint, 'a')
  await add('s1', 'redfish', 'a', [])
  const recognise = (by?: typeof actor) =>
    store.updateDevice({
      name: 's1',
      change: device => ({ ...device, hardware: { uuid: 'uuid:1' } }),
      hardwareKeys: ['uuid:1'],
      ...(by === undefined ? {} : { actor: by }),
    })
  t.equal(await codeOf(recognise({ ...actor, id: 'p/2' })), 'in_use')
  t.match(
    await recognise(actor),
    { endpoint: 'b' },
    'the run that recognises it does not stand in its own way, nor does who works at the other',
  )
  t.equal((await reads.device('s2'))?.endpoint, 'b')
  await store.release(actor)
  await store.release(other)
})

t.test('what is known of commands at an endpoint goes along when it joins another', async t => {
  const { documents, add, reads } = make()
  const settled = (id: string, wall: number) => ({ id, at: { process: 'p', mono: 0, wall } })
  const endpoint = { counter: 3, waiters: [], intents: [] as unknown[] }
  const put = (id: string, value: object) => documents.transact(async tx => tx.put('endpoint', id, value))
  await add('i1', 'ipmi', 'b', ['uuid:1'])
  await add('s2', 'redfish', 'a', ['uuid:2'])
  await put('b', { ...endpoint, settled: { on: settled('b-on', 5), off: settled('b-off', 5) } })
  await put('a', { ...endpoint, intents: [{ id: 'open' }], settled: {} })
  t.equal(await codeOf(add('s1', 'redfish', 'a', ['uuid:1'])), 'in_use')
  await put('a', { ...endpoint, outlived: ['late'], settled: { on: settled('a-on', 9), off: settled('a-off', 1) } })
  t.match(await add('s1', 'redfish', 'a', ['uuid:1']), { endpoint: 'b' })
  t.match(await reads.endpoint('b'), { settled: { on: { id: 'a-on' }, off: { id: 'b-off' } }, outlived: ['late'] })
  t.equal((await reads.endpoint('b'))?.counter, 3, 'tokens go on')
})
