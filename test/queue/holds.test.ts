import { codeOf, play } from './play.ts'

// Holds that are read on, several devices, several gateways.

play('the watch over a hold does not try a wrong password again and again (S7)', async (world, t) => {
  const { job } = await world.off('A')
  await world.ended(job.id)
  const before = world.bmc().logIns
  world.bmc().forgetSessions()
  world.bmc().passwordRight = false
  await world.time.run(250_000)
  t.equal(world.bmc().logIns - before, 2)
  world.bmc().passwordRight = true
  await world.time.run(120_000)
  const read = Date.parse((await world.hold())?.lastReadAt ?? '')
  t.ok(world.time.now() - read < 70_000, 'and goes on once it may')
  await world.release('A')
})

play(
  'levels: the first does not answer, the second concludes (S18)',
  async (world, t) => {
    world.bmc('b1').reachable = false
    world.isOn = () => world.bmc('b2').power === 'on'
    const { job } = await world.off('A', { deadlineSeconds: 60 })
    const ended = await world.ended(job.id)
    t.match(ended, { state: 'succeeded' })
    t.equal(world.sent('off', 'b2'), 1)
    await world.time.run(60_000)
    const hold = await world.hold()
    t.ok(world.time.now() - Date.parse(hold?.lastReadAt ?? '') <= 20_000, 'the hold is read on although the first level is away')
    t.match(
      await world.ended((await world.release('A'))?.id ?? ''),
      { state: 'succeeded', power: 'on' },
      'what was switched off is switched on',
    )
  },
  { levels: [['b1'], ['b2']] },
)

play(
  'two feeds: off only when both are off together (S12)',
  async (world, t) => {
    world.bmc('b2').commandFaults.off.push({ effectMs: 10_000 })
    const { job } = await world.off('A')
    const ended = await world.ended(job.id)
    t.match(ended, { state: 'succeeded' })
    t.same([world.bmc('b1').power, world.bmc('b2').power], ['off', 'off'])
    await world.release('A')
  },
  { levels: [['b1', 'b2']] },
)

play(
  'wake-ups that go round the gateways: the job stays with the one that began it',
  async (world, t) => {
    const { job } = await world.off('A')
    const ended = await world.ended(job.id)
    t.match(ended, { state: 'succeeded' })
    t.ok(
      Date.parse(ended.endedAt ?? '') - Date.parse(ended.createdAt) < 5_000,
      `${Date.parse(ended.endedAt ?? '') - Date.parse(ended.createdAt)} ms`,
    )
    await world.release('A')
  },
  { gateways: 3, handsRound: true },
)

play(
  'a wake-up that comes twice at once',
  async (world, t) => {
    const { job } = await world.off('A')
    for (const gateway of world.gateways) gateway.wake(job.id)
    t.match(await world.ended(job.id), { state: 'succeeded' })
    t.equal(world.sent('off'), 1)
    await world.release('A')
  },
  { gateways: 3 },
)

play(
  'one that read the job before another worked on it does not do it again (promise 3)',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    const late = n.stopAt('before store.take')
    m.stop()
    const { job } = await world.off('A')
    n.wake(job.id)
    await world.time.run(10)
    await late
    world.bmc().commandFaults.off.push({ effectMs: 20_000 })
    m.resume()
    m.wake(job.id)
    const between = m.stopAt('after store.release')
    await world.time.run(3_000)
    await between
    n.resume()
    await world.time.run(1_000)
    m.resume()
    t.match((await world.job(job.id)).progress, { commandedOff: true })
    t.equal(await codeOf(world.store.cancel({ jobId: job.id, holder: 'A' })), 'no_change')
    t.match(await world.ended(job.id), { state: 'succeeded' })
    t.equal(world.sent('off'), 1)
    await world.release('A')
  },
  { gateways: 2 },
)

play('a hold is read on, and its last read is no older than it says (S7)', async (world, t) => {
  const { job } = await world.off('A')
  await world.ended(job.id)
  for (let i = 0; i < 20; i++) {
    await world.time.run(10_000)
    t.ok(world.time.now() - Date.parse((await world.hold())?.lastReadAt ?? '') <= 13_000)
  }
  const n = world.gateway()
  const stopped = n.stopAt('after driver.observe')
  await world.time.run(12_000)
  await stopped
  await world.time.run(4_000)
  n.resume()
  await world.time.run(10)
  t.ok(world.time.now() - Date.parse((await world.hold())?.lastReadAt ?? '') >= 4_000, 'a read is as old as its question')
  await world.release('A')
})

play('a held node that is found on: hold and receipt are revoked at once (S7)', async (world, t) => {
  const { job } = await world.off('A')
  const ended = await world.ended(job.id)
  await world.time.run(15_000)
  world.othersSwitch = true
  world.bmc().press('on')
  await world.time.run(13_000)
  t.match(await world.hold(), { state: 'revoked', holders: [{ holder: 'A' }] })
  t.match(await world.receipt(ended.receiptId), { status: 'revoked', revokedBecause: /found on/ })
  t.equal(await codeOf(world.post('on')), 'held', 'it is held all the same')
  const again = await world.off('A', { attempt: 2 })
  t.match(await world.ended(again.job.id), { state: 'succeeded' })
  t.equal(world.sent('off'), 2, 'and commanded anew')
  t.match(await world.hold(), { state: 'confirmed', holders: [{ holder: 'A', attempt: 2 }] })
  world.othersSwitch = false
  await world.release('A')
})

play("an on that the watch sees between a job's reads restarts its count, and is commanded (S7, promise 1)", async (world, t) => {
  const first = await world.off('A')
  const one = await world.ended(first.job.id)
  const second = await world.off('B')
  await world.time.run(1_200)
  world.othersSwitch = true
  world.bmc().press('on')
  void world.gateway().readHold((await world.hold())?.id ?? '')
  await world.time.run(100)
  world.bmc().press('off')
  t.match(await world.receipt(one.receiptId), { status: 'revoked' })
  const two = await world.ended(second.job.id)
  t.match(two, { state: 'succeeded' })
  t.equal(world.sent('off'), 2, 'the reads of before do not suffice')
  world.othersSwitch = false
  await world.release('A')
  await world.release('B')
})

play(
  'a read of before the confirmation does not revoke it (S7)',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    const { job } = await world.off('A')
    m.stop()
    n.frozen.add('before store.renew')
    const read = n.stopAt('before store.observeHold')
    void n.readHold((await world.hold())?.id ?? '')
    await world.time.run(1_000)
    await read
    m.resume()
    const ended = await world.ended(job.id)
    t.match(ended, { state: 'succeeded' })
    n.resume()
    await world.time.run(100)
    t.match(await world.hold(), { state: 'confirmed' })
    await world.release('A')
  },
  { gateways: 2 },
)

play('a release by force: the hold and its receipt end, and the on waits (S7)', async (world, t) => {
  const { job } = await world.off('A')
  const ended = await world.ended(job.id)
  const on = await world.release('nobody', { force: true })
  t.equal((await world.receipt(ended.receiptId)).status, 'revoked')
  await world.time.run(9_000)
  t.equal(world.sent('on'), 0)
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded' })
})

play('a release by force while the off runs: nobody is left who wants it', async (world, t) => {
  const { job } = await world.off('A')
  await world.time.run(1_000)
  const waiting = await world.off('B', { acceptAssurance: ['confirmed'] })
  const on = await world.release('nobody', { force: true })
  t.match(await world.job(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  t.match(await world.job(waiting.job.id), { state: 'failed', failure: { code: 'superseded' } })
  const since = world.time.now()
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on' })
  t.ok(world.bmc().flying.some(({ command }) => command === 'on'))
  t.ok(world.time.now() - since >= 10_000)
})

play('an on that the watch sees during a new off of a revoked hold restarts its count (promise 1)', async (world, t) => {
  const first = await world.off('A')
  await world.ended(first.job.id)
  world.othersSwitch = true
  world.bmc().press('on')
  await world.time.run(13_000)
  t.match(await world.hold(), { state: 'revoked' })
  const { job } = await world.off('A', { attempt: 2 })
  await world.time.run(1_700)
  world.bmc().press('on')
  void world.gateway().readHold((await world.hold())?.id ?? '')
  await world.time.run(50)
  world.bmc().press('off')
  const since = world.time.now()
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded' })
  t.ok(Date.parse(ended.endedAt ?? '') - since >= 2_000, `${Date.parse(ended.endedAt ?? '') - since} ms after it was seen on`)
  world.othersSwitch = false
  await world.release('A')
})

play(
  'levels: an on that went through the first level is outlasted by the verdict of the second (S3, S8)',
  async (world, t) => {
    const [first, second] = [world.bmc('b1'), world.bmc('b2')]
    // One machine, two ways to it.
    const [toFirst, toSecond] = [first.onPower, second.onPower]
    first.onPower = (power, why) => {
      second.power = power
      toFirst(power, why)
    }
    second.onPower = (power, why) => {
      first.power = power
      toSecond(power, why)
    }
    const { hardware } = first
    for (const fault of [{ effectMs: 25_000 }, { reply: 'lost', arriveMs: 14_000, effectMs: 10_000 }] as const) {
      first.press('off')
      first.commandFaults.on.push(fault)
      await world.post('on')
      await world.time.run(1_000)
      // The first level gives way at once, and its session can't be closed.
      first.closes = false
      first.hardware = { uuid: '99999999-2222-3333-4444-555555555555', system: '/Systems/1' }
      const { job } = await world.off('A')
      const ended = await world.ended(job.id)
      t.match(ended, { state: 'succeeded' })
      t.equal(second.power, 'off')
      t.equal((await world.receipt(ended.receiptId)).payload.lateHand, 'reply' in fault ? 'bounded' : 'closed')
      await world.time.run(60_000)
      first.closes = true
      first.hardware = hardware
      await world.ended((await world.release('A'))?.id ?? '')
    }
  },
  { levels: [['b1'], ['b2']], rules: rules => ({ ...rules, confirm: { ...rules.confirm, foundOffDwellMs: 2_000 } }) },
)

play('a job that is woken before its turn does nothing', async (world, t) => {
  world.bmc().commandFaults.off.push({ reply: 'ignored' })
  const first = await world.off('A')
  await world.time.run(1_000)
  const second = await world.off('B', { acceptAssurance: ['confirmed'] })
  world.gateway().wake(second.job.id)
  await world.time.run(5_000)
  t.match(await world.job(first.job.id), { state: 'running' })
  t.match(await world.job(second.job.id), { state: 'queued', evidence: [] })
  t.equal(world.sent('off'), 1)
  t.match(await world.ended(second.job.id), { state: 'succeeded' })
  await world.release('A')
  await world.release('B')
})
