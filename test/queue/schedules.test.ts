import t from 'tap'
import { isOff, quick, schedule } from './schedule.ts'
import { World } from './world.ts'

// F1 to F8 of `reference/schedules.md`: what a late hand still sends.

schedule(
  'F1: an on of the last but one actor lies in the network (S3)',
  async (world, t) => {
    isOff(world)
    const [m, n, n2] = [world.gateway(0), world.gateway(1), world.gateway(2)]
    n.stop()
    n2.stop()
    const announced = m.stopAt('after store.intend')
    await world.post('on')
    await world.time.run(1_000)
    await announced
    const { job } = await world.off('A')
    n.resume()
    const closing = n.stopAt('before driver.closeSession')
    await world.time.run(9_000)
    void closing
    world.bmc().commandFaults.on.push({ arriveMs: 14_000 })
    m.resume()
    m.onGate = label => {
      if (label === 'after driver.request') m.stop()
    }
    n2.resume()
    t.match(await world.ended(job.id), { state: 'succeeded' })
    await world.time.run(30_000)
    m.resume()
    n.resume()
  },
  { gateways: 3, rules: quick, broken: [[['openIntentsSettled'], /P1/]] },
)

schedule(
  'F2: an on of the same process timed out and lies in the network',
  async (world, t) => {
    isOff(world)
    world.bmc().commandFaults.on.push({ reply: 'lost', arriveMs: 14_000 })
    const on = await world.post('on')
    await world.time.run(2_000)
    const { job } = await world.off('A')
    t.match(await world.ended(on.job.id), { state: 'failed', failure: { code: 'superseded' } })
    t.match(await world.ended(job.id), { state: 'succeeded' })
    await world.time.run(30_000)
    t.ok(
      world.bmc().history.some(line => line.includes('on void')),
      'its session was closed',
    )
  },
  { rules: quick, broken: [[['openIntentsSettled'], /P1/]] },
)

schedule(
  'F2, mirrored, and F3b: an off timed out; its job ends, its holder releases, the on reads on (P3)',
  async (world, t) => {
    world.bmc().commandFaults.off.push({ reply: 'lost', arriveMs: 14_000 })
    const { job } = await world.off('A', { deadlineSeconds: 4 })
    t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
    t.match(await world.hold(), { state: 'pending', holders: [{ holder: 'A' }], owesOn: true })
    const on = await world.release('A')
    t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on' })
    t.ok(
      world.bmc().history.some(line => line.includes('off void')),
      'its session was closed',
    )
  },
  { broken: [[['openIntentsSettled'], /P3: nobody wants/]] },
)

schedule(
  'F3a: the one who was to close the session crashes; its successor starts with a read',
  async (world, t) => {
    isOff(world)
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    const announced = m.stopAt('after store.intend')
    await world.post('on')
    await world.time.run(1_000)
    await announced
    const { job } = await world.off('A')
    n.resume()
    n.onGate = label => {
      if (label === 'before driver.closeSession') n.kill()
    }
    await world.time.run(9_000)
    world.bmc().commandFaults.on.push({ arriveMs: 14_000 })
    m.resume()
    m.onGate = label => {
      if (label === 'after driver.request') m.kill()
    }
    await world.time.run(1)
    await world.startGateway()
    t.match(await world.ended(job.id), { state: 'succeeded' })
    await world.time.run(30_000)
  },
  { gateways: 2, rules: quick, broken: [[['openIntentsSettled'], /P1/]] },
)

t.test('F4: a command after a new log-in', async t => {
  const play = async (logsInAgain: boolean) => {
    // The power-on delay outlasts a command's time to live, and would hide it.
    const world = await World.make({ gateways: 2, rules: quick, off: ['otherCommandOutlasted'] })
    isOff(world)
    world.bmc().logsInAgain = logsInAgain
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    m.frozen.add('before store.renew')
    const announced = m.stopAt('after store.intend')
    await world.post('on')
    await world.time.run(1_000)
    await announced
    const { job } = await world.off('A')
    n.resume()
    t.match(await world.ended(job.id), { state: 'succeeded' })
    m.resume()
    await world.time.run(2_000)
    return world
  }
  t.same((await play(false)).violations, [])
  t.match((await play(true)).violations, [/P1/], 'a driver that did so is seen (its contract suite forbids it)')
})

t.test('F5: no session to close: the time to live is waited out, and the receipt says so', async t => {
  const world = await World.make({ gateways: 2 })
  isOff(world)
  world.bmc().auth = 'basic'
  const [m, n] = [world.gateway(0), world.gateway(1)]
  n.stop()
  const announced = m.stopAt('after store.intend')
  await world.post('on')
  await world.time.run(1_000)
  await announced
  const since = world.time.now()
  const { job } = await world.off('A')
  n.resume()
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded', warnings: [{ code: 'late_hand_bounded' }, {}] })
  const { payload } = await world.receipt(ended.receiptId)
  t.equal(payload.lateHand, 'bounded')
  const first = Date.parse(ended.evidence.find(({ kind, power }) => kind === 'read' && power)?.at ?? '')
  t.ok(first - since >= 14_000, `the first read came after ${first - since} ms`)
  m.kill()
  await world.settle()
  t.same(world.violations, [])
})

schedule(
  'F6: one who was stopped before its verdict wakes after its successor went on (S2 at the conclusion)',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    // M does not notice that its lease is gone: only the store's check is left.
    m.frozen.add('before store.renew')
    const { job } = await world.off('A')
    const stopped = m.stopAt('signer')
    await world.time.run(10_000)
    await stopped
    world.bmc().press('on')
    world.bmc().commandFaults.off.push({ reply: 'ignored' })
    n.resume()
    await world.time.run(3_000)
    m.resume()
    await world.time.run(1_000)
    t.match(await world.job(job.id), { state: 'running' })
    t.match(await world.ended(job.id), { state: 'succeeded' })
  },
  { gateways: 2, broken: [[['concludeChecked'], /P1/]] },
)

schedule(
  'F6: and when its successor has concluded, and the node was given back',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    const { job } = await world.off('A')
    const stopped = m.stopAt('signer')
    await world.time.run(10_000)
    await stopped
    n.resume()
    t.match(await world.ended(job.id), { state: 'succeeded' })
    const on = await world.release('A')
    t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on' })
    const second = await world.off('B')
    m.resume()
    await world.time.run(100)
    t.match(await world.hold(), { state: 'pending', holders: [{ holder: 'B' }] })
    t.match(await world.ended(second.job.id), { state: 'succeeded' })
    t.equal(world.receipts().length, 2)
  },
  { gateways: 2 },
)

schedule(
  'F7: an on is delivered late, answered, and carried out late (S8, from the settlement)',
  async (world, t) => {
    isOff(world)
    const m = world.gateway()
    const announced = m.stopAt('after store.intend')
    await world.post('on')
    await world.time.run(1_000)
    await announced
    await world.time.run(3_000)
    world.bmc().commandFaults.on.push({ effectMs: 29_000 })
    m.resume()
    await world.time.run(500)
    const { job } = await world.off('A')
    t.match(await world.ended(job.id), { state: 'succeeded' })
    await world.time.run(40_000)
  },
  { rules: quick, broken: [[['otherCommandOutlasted'], /P1/]] },
)

schedule(
  'F8: an off is carried out late, after its holder let go (S8 for the on)',
  async (world, t) => {
    world.bmc().commandFaults.off.push({ effectMs: 28_000 })
    const { job } = await world.off('A', { deadlineSeconds: 5 })
    t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
    const on = await world.release('A')
    t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on' })
    t.equal(world.bmc().power, 'on')
  },
  { broken: [[['otherCommandOutlasted'], /P3: nobody wants/]] },
)

schedule(
  'S8: the on of a reboot outlasts its off',
  async (world, t) => {
    world.bmc().commandFaults.off.push({ effectMs: 0 })
    const { job } = await world.post('reboot')
    await world.time.run(2_000)
    // The BMC carried the off out twice over: a copy of its own comes 25 s later.
    world.time.after(25_000, () => world.bmc().press('off'))
    const ended = await world.ended(job.id)
    t.match(ended, { state: 'succeeded', power: 'on' })
    await world.time.run(40_000)
  },
  { broken: [[['otherCommandOutlasted'], /P3: nobody wants/]] },
)
