import t from 'tap'
import type { Hold } from '../../src/core/job.ts'
import { Secret } from '../../src/core/secret.ts'
import { changeDevice, type InventoryParts } from '../../src/fencing/inventory.ts'
import { makeService, type ServiceParts } from '../../src/gateway/service.ts'
import { codeOf, play } from './play.ts'
import { World } from './world.ts'

// The schedules of a review that found holes, one test each: late hands, reads of held nodes, what a forced release leaves behind, devices that move.

/** A node that is off, held by nobody. */
function isOff(world: World): void {
  world.bmc().power = 'off'
}

/** Somebody who writes to the store without a lease that could be lost. */
const anybody = { id: 'anybody', jobId: 'none', leases: [] }

play("a release by force during a reboot's off: the reboot ends, and the on that is owed runs (S7, promise 8)", async (world, t) => {
  const { job } = await world.post('reboot', { holder: 'person', deadlineSeconds: 600 })
  await world.time.run(1_000)
  t.equal(world.sent('off'), 1)
  const on = await world.release('nobody', { force: true })
  t.ok(on, 'the off is out: an on is owed')
  t.match(await world.ended(job.id, 60_000), { state: 'failed', failure: { code: 'indeterminate' } })
  t.match(await world.ended(on?.id ?? '', 60_000), { state: 'succeeded', power: 'on' })
  t.equal(world.sent('on'), 1)
})

play(
  'a command of another process that was only outlived: later receipts say so too, until its process tells that it is done (S3, S15)',
  async (world, t) => {
    isOff(world)
    world.bmc().auth = 'basic'
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    const announced = m.stopAt('after store.intend')
    await world.post('on')
    await world.time.run(1_000)
    await announced
    const first = await world.off('A', { deadlineSeconds: 25 })
    n.resume()
    const one = await world.ended(first.job.id)
    t.match(one, { state: 'failed', failure: { code: 'indeterminate' }, warnings: [{ code: 'late_hand_bounded' }] })
    const second = await world.off('A', { attempt: 2 })
    const two = await world.ended(second.job.id)
    t.match(two, { state: 'succeeded' })
    t.notOk(
      two.warnings.some(({ code }) => code === 'late_hand_bounded'),
      'it outlived nothing itself',
    )
    t.equal((await world.receipt(two.receiptId)).payload.lateHand, 'bounded')
    m.resume()
    await world.time.run(1_000)
    t.equal(world.sent('on'), 0)
    const third = await world.off('B')
    const three = await world.ended(third.job.id)
    t.equal((await world.receipt(three.receiptId)).payload.lateHand, 'closed', 'the late hand has shown itself')
    t.match(await world.reads.endpoint('b1'), { outlived: [] })
  },
  { gateways: 2 },
)

for (const where of ['after store.intend', 'before driver.request']) {
  play(`a process that is stopped ${where} for longer than the command's time to live sends nothing (S3)`, async (world, t) => {
    isOff(world)
    const m = world.gateway()
    m.frozen.add('before store.renew')
    const announced = m.stopAt(where)
    const { job } = await world.post('on')
    await world.time.run(16_000)
    await announced
    m.resume()
    await world.time.run(1_000)
    t.equal(world.sent('on'), 0)
    t.ok((await world.job(job.id)).evidence.some(({ raw }) => raw.startsWith('unsent')))
    m.kill()
    await world.startGateway()
    t.match(await world.ended(job.id), { state: 'succeeded' }, 'and it is sent anew by the next')
  })
}

for (const [who, look] of [
  ['the watch', (world: World) => world.time.run(13_000)],
  ['a status job', async (world: World) => world.ended((await world.post('status')).job.id, 5_000)],
] as const) {
  play(`OpenBMC: ${who} that reads a held node's system off and its chassis on revokes (S7, S11)`, async (world, t) => {
    world.bmc().witnessRequired = true
    world.bmc().witness = () => world.bmc().power
    const ended = await world.ended((await world.off('A')).job.id)
    t.match(ended, { state: 'succeeded', assurance: 'corroborated' })
    world.bmc().witness = () => 'on'
    await look(world)
    t.match(await world.hold(), { state: 'revoked', power: 'on', holders: [{ holder: 'A' }] })
    t.match(await world.receipt(ended.receiptId), { status: 'revoked' })
    world.bmc().witness = () => world.bmc().power
    await world.release('A')
  })
}

play(
  'a watch that was stopped between its read and its writing makes nothing fresher (S7)',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    await world.ended((await world.off('A')).job.id)
    const stopped = m.stopAt('after driver.observe')
    await world.time.run(13_000)
    await stopped
    n.resume()
    await world.time.run(25_000)
    const before = await world.hold()
    t.ok(world.time.now() - Date.parse(before?.lastReadAt ?? '') < 13_000, 'the other gateway reads on')
    n.stop()
    m.resume()
    await world.time.run(10)
    t.equal((await world.hold())?.lastReadAt, before?.lastReadAt)
    n.resume()
    await world.release('A')
  },
  { gateways: 2 },
)

play('a read that is older than what is known neither revokes nor counts (S7)', async (world, t) => {
  await world.ended((await world.off('A')).job.id)
  const hold = (await world.hold()) as Hold
  const { confirmedAt = '', lastReadAt } = hold
  const at = new Date(Date.parse(confirmedAt) - 1).toISOString()
  for (const power of ['on', 'off'] as const) {
    await world.store.observeHold({ actor: anybody, holdId: hold.id, power, at, nextAt: world.time.now() + 10_000 })
    t.match(await world.hold(), { state: 'confirmed', power: 'off', lastReadAt })
  }
  await world.release('A')
})

t.test('a hold whose last read lies in the future is read anew', async t => {
  const world = await World.make()
  await world.ended((await world.off('A')).job.id)
  const hold = (await world.hold()) as Hold
  let asked = 0
  const { store, reads, rules, documents, time } = world
  const parts = {
    documents,
    clock: { ...time, now: () => Date.parse(hold.lastReadAt ?? '') + age },
    inventory: { store, reads, rules, drivers: [] },
    engine: { readHold: async (id: string) => ({ ...hold, note: `${id} read ${++asked}` }) },
  }
  let age = 0
  const service = makeService(parts as unknown as ServiceParts)
  for (const [ms, wanted] of [
    [0, 0],
    [5_000, 0],
    [5_001, 1],
    [-1, 2],
    [-60_000, 3],
  ] as const) {
    age = ms
    await service.holds.ofNode(world.node(), 5)
    t.equal(asked, wanted, `${ms} ms old`)
  }
  await service.holds.ofNode(world.node())
  t.equal(asked, 3, 'no age is wanted')
})

t.test('a device that is in use keeps its address (S3, S8)', async t => {
  const world = await World.make()
  const move = async () => {
    const device = await world.reads.device('b1')
    const parts = { ...world, drivers: [world.driver()], changed() {} } as unknown as InventoryParts
    return codeOf(changeDevice(parts, 'b1', device?.revision ?? 0, { address: 'elsewhere' }))
  }
  const again = () => world.store.updateDevice({ name: 'b1', change: device => ({ ...device, endpoint: 'b1', address: 'b1' }) })
  t.equal(await move(), 'done', 'idle')
  await again()

  world.gateway().stop()
  const waiting = await world.post('on')
  t.equal(await move(), 'in_use', 'its node has a job')
  await world.store.cancel({ jobId: waiting.job.id, holder: 'token:admin' })
  world.gateway().resume()
  await world.time.run(1_000)

  world.bmc().readFaults.push({ hangs: true })
  const status = await world.post('status')
  await world.time.run(100)
  t.equal(await move(), 'in_use', 'it is being read')
  await world.ended(status.job.id)
  t.equal(await move(), 'done')
  await again()

  isOff(world)
  world.bmc().closes = false
  world.bmc().commandFaults.on.push({ reply: 'swallowed' })
  const on = await world.post('on', { deadlineSeconds: 8 })
  t.match(await world.ended(on.job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  t.equal(world.openIntents(), 1)
  await world.time.run(130_000)
  t.equal(await move(), 'in_use', 'a command is not settled')
  world.bmc().closes = true
  await world.ended((await world.post('on')).job.id)

  await world.ended((await world.off('A')).job.id)
  await world.time.run(180_000)
  t.equal(await move(), 'in_use', 'its node is held')
  await world.ended((await world.release('A'))?.id ?? '')
  t.equal(await move(), 'in_use', 'it was commanded just now')
  await world.time.run(120_000)
  t.equal(await move(), 'done')
})

play('a ticket that can not be opened: its command is outlived (S3)', async (world, t) => {
  const { parts } = world.gateway()
  parts.vault = {
    ...parts.vault,
    seal: () => 'sealed under a key that is lost',
    open: () => {
      throw new Error('no such key')
    },
  }
  world.bmc().commandFaults.off.push({ reply: 'lost' })
  const ended = await world.ended((await world.off('A')).job.id)
  t.match(ended, { state: 'succeeded' })
  t.equal((await world.receipt(ended.receiptId)).payload.lateHand, 'bounded')
  parts.vault = { keyId: 'k', seal: (_subject, secret) => secret.reveal(), open: (_subject, envelope) => new Secret(envelope) }
  await world.release('A')
})

play('a release by force without an on: an on that is asked for waits as well (S7)', async (world, t) => {
  await world.ended((await world.off('A')).job.id)
  t.equal(await world.release('nobody', { force: true, restore: false }), undefined)
  const { job } = await world.post('on')
  await world.time.run(9_900)
  t.equal(world.sent('on'), 0)
  t.match(await world.ended(job.id), { state: 'succeeded', power: 'on' })
})

play('an owed on that waited behind another job has its whole time from its turn on (S5)', async (world, t) => {
  const reboot = await world.post('reboot', { deadlineSeconds: 300 })
  await world.time.run(1_000)
  world.bmc().readFaults.push(...Array.from({ length: 600 }, () => ({ power: 'transitioning' as const })))
  const on = await world.release('nobody', { force: true })
  const ended = await world.ended(reboot.job.id)
  t.ok(Date.parse(ended.endedAt ?? '') - Date.parse(ended.createdAt) > 200_000, 'long after its own time')
  world.bmc().readFaults.length = 0
  const turned = await world.job(on?.id ?? '')
  t.equal(Date.parse(turned.deadlineAt) - Date.parse(ended.endedAt ?? ''), world.rules.deadlineSeconds.default * 1000)
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on' })
})
