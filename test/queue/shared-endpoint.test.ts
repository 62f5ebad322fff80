import type { Endpoint, Intent } from '../../src/core/job.ts'
import type { Device } from '../../src/core/topology.ts'
import { hardwareKeys } from '../../src/fencing/identity.ts'
import { play } from './play.ts'
import type { World } from './world.ts'

/** A second device, of the other driver, for the machine of `b1`: reached at an address of its own, and not yet recognised. */
async function addOther(world: World, name = 'i1'): Promise<void> {
  const bmc = await world.addBmc('spare')
  await world.store.removeDevice('spare')
  world.bmcs.set(name, bmc)
  world.bmcs.delete('spare')
  bmc.hardware = world.bmc('b1').hardware
  bmc.onPower = () => {}
  const device: Device = {
    name,
    driver: 'ipmi',
    address: name,
    endpoint: name,
    tls: { mode: 'pin' },
    status: 'unverified',
    createdAt: new Date(world.time.now()).toISOString(),
    revision: 0,
  }
  await world.store.addDevice({ device, credential: 'sealed', hardwareKeys: [] })
}

play('a device recognised in the middle of a job takes the lease of its machine before any command (S6)', async (world, t) => {
  await addOther(world)
  await world.store.removeNode('default/n1')
  await world.addNode('n1', [['i1']])
  world.isOn = () => world.bmc('i1').power === 'on'
  world.bmc('b1').power = 'off'
  // Somebody has the machine's own lease: a status job over its first device.
  const busy = await world.store.take({ jobId: 'other', actor: 'other/1', endpoints: ['b1'], urgency: 0, preemptible: false })
  // Its first read fails, so that the job's progress is stored with the old endpoint.
  world.bmc('i1').readFaults.push({ fails: 'device_busy' })
  const off = await world.off('A', { deadlineSeconds: 120 })
  await world.time.run(2_500)
  t.equal((await world.reads.device('i1'))?.endpoint, 'b1', 'it was recognised, and joined')
  t.equal(world.sent('off', 'i1'), 0, 'and sent nothing under the lease of its old endpoint')
  const before = (await world.job(off.job.id)).evidence.map(({ source }) => source)
  t.same(before, ['device_busy'], 'nor was a read under it counted')
  t.equal((await world.reads.endpoint('i1'))?.lease, undefined, 'which it gave back')
  if (busy.kind === 'taken') await world.store.release({ id: 'other/1', jobId: 'other', leases: busy.leases })
  t.match(await world.ended(off.job.id), { state: 'succeeded' })
  t.equal(world.sent('off', 'i1'), 1)
  t.ok((await world.reads.endpoint('b1'))?.settled.off, 'its command is known under the one endpoint')
  t.equal((await world.reads.endpoint('i1'))?.settled.off, undefined)
})

play('a device that shows two services to be of one machine waits for an open command of its own service (S6)', async (world, t) => {
  await addOther(world)
  await world.store.removeNode('default/n1')
  await world.addNode('n1', [['i1']])
  world.isOn = () => world.bmc('i1').power === 'on'
  // Another system of `i1`'s service, with a command that another process did not settle.
  await world.addBmc('i2')
  await world.store.updateDevice({ name: 'i2', change: device => ({ ...device, driver: 'ipmi', endpoint: 'i1' }) })
  world.bmcs.delete('i2')
  const at = { process: 'gone', mono: 0, wall: world.time.now() }
  const lost = { jobId: 'gone', actor: 'gone/1', token: 1, sessionId: 's', closing: null, at, ttlMs: 15_000 }
  const intents: Intent[] = [{ id: 'lost', device: 'i2', command: 'off', ...lost }]
  await world.documents.transact(async tx => tx.put<Endpoint>('endpoint', 'i1', { counter: 1, waiters: [], settled: {}, intents }))
  const off = await world.off('A', { deadlineSeconds: 120 })
  await world.time.run(10_000)
  t.equal(world.sent('off', 'i1'), 0, 'nothing is sent under a lease that is not the machine’s')
  t.equal((await world.reads.device('i1'))?.endpoint, 'i1')
  t.match(await world.ended(off.job.id), { state: 'succeeded' })
  t.equal((await world.reads.device('i1'))?.endpoint, 'b1')
  t.equal((await world.reads.device('i2'))?.endpoint, 'b1', 'the other system comes along')
  t.match((await world.reads.endpoint('b1'))?.outlived, ['lost'])
})

play('a device by which two machines turn out to be one waits for whoever works at the second', async (world, t) => {
  await addOther(world)
  const hardware = { guid: '00112233445566778899aabbccddeeff' }
  const [first = '', second = ''] = hardwareKeys(hardware)
  await world.addBmc('b2')
  await world.store.updateDevice({ name: 'b1', change: same => same, hardwareKeys: [first] })
  await world.store.updateDevice({ name: 'b2', change: same => same, hardwareKeys: [second] })
  world.bmcs.delete('b2')
  world.bmc('i1').hardware = hardware
  await world.store.removeNode('default/n1')
  await world.addNode('n1', [['i1']])
  world.isOn = () => world.bmc('i1').power === 'on'
  const busy = await world.store.take({ jobId: 'other', actor: 'other/1', endpoints: ['b2'], urgency: 0, preemptible: false })
  const off = await world.off('A', { deadlineSeconds: 120 })
  await world.time.run(3_000)
  t.equal(world.sent('off', 'i1'), 0)
  t.match((await world.job(off.job.id)).evidence.at(-1), { source: 'device_busy', raw: /lead to one machine/ })
  if (busy.kind === 'taken') await world.store.release({ id: 'other/1', jobId: 'other', leases: busy.leases })
  t.match(await world.ended(off.job.id), { state: 'succeeded' })
  const endpoints = await Promise.all(['b1', 'b2', 'i1'].map(async name => (await world.reads.device(name))?.endpoint))
  t.same(endpoints, ['b1', 'b1', 'b1'])
})

play('both devices of a machine in one level: one lease for the two', async (world, t) => {
  await addOther(world)
  await world.store.removeNode('default/n1')
  await world.addNode('n1', [['b1', 'i1']])
  const [first, second] = [world.bmc('b1'), world.bmc('i1')]
  second.onPower = power => {
    first.power = power
  }
  const told = first.onPower
  first.onPower = (power, why) => {
    second.power = power
    told(power, why)
  }
  const off = await world.off('A', { deadlineSeconds: 200 })
  const ended = await world.ended(off.job.id)
  t.match(ended, { state: 'succeeded' })
  t.equal((await world.reads.device('i1'))?.endpoint, 'b1')
  t.equal((await world.reads.endpoint('b1'))?.intents.length, 0)
})

play('a machine that another node’s device has is not taken over', async (world, t) => {
  await addOther(world)
  await world.addNode('n2', [['i1']])
  world.othersSwitch = true
  const off = await world.off('B', { node: 'n2', deadlineSeconds: 20 })
  t.match(await world.ended(off.job.id), { state: 'failed', failure: { code: 'identity_mismatch' } })
  t.equal(world.sent('off', 'i1'), 0)
  t.match(await world.reads.device('i1'), { status: 'unverified', endpoint: 'i1' })
})

play('the cipher suite that worked is kept with the device, and the better of two stays', async (world, t) => {
  const spoken = async (suite: 17 | 3) => {
    world.bmc().cipherSuite = suite
    await world.ended((await world.post('status')).job.id)
    return (await world.reads.device('b1'))?.cipherSuite
  }
  t.equal(await spoken(3), 3)
  t.equal(await spoken(17), 17)
  const { revision } = (await world.reads.device('b1')) ?? {}
  t.equal(await spoken(3), 17)
  t.equal((await world.reads.device('b1'))?.revision, revision, 'nothing was written for the weaker one')
})
