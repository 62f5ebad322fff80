import t, { type Test } from 'tap'
import type { SafestateError } from '../../src/core/errors.ts'
import type { Rules } from '../../src/core/rules.ts'
import { World, type WorldOptions } from './world.ts'

/**
 * The schedules of `reference/schedules.md`. Each is played with all rules on, where nothing may break, and with the named switches off, where
 * the named property must be seen to break: a schedule that breaks nothing then shows nothing.
 */
function schedule(
  name: string,
  play: (world: World, t: Test) => Promise<void>,
  options: WorldOptions & { broken?: [off: (keyof Rules['switches'])[], property: RegExp][] } = {},
): void {
  const { broken = [], ...worldOptions } = options
  t.test(name, async t => {
    const world = await World.make(worldOptions)
    await play(world, t)
    await world.settle()
    t.same(world.violations, [], 'with all rules nothing breaks') || t.comment(world.log)
    t.same([...new Set(world.gateways.flatMap(({ errors }) => errors.map(String)))], [], 'no step threw')
    for (const [off, property] of broken) {
      const without = await World.make({ ...worldOptions, off })
      // What a schedule itself asserts may fail then: only the oracle speaks.
      await play(without, silent(t)).catch(() => undefined)
      await without.settle(1_000_000)
      t.match(
        without.violations.join('; '),
        property,
        `without ${off.join(' and ')} it does: ${without.violations.join('; ') || 'nothing broke'}`,
      )
    }
  })
}

/** A test whose assertions are not counted. */
function silent(t: Test): Test {
  return new Proxy(t, { get: () => () => true })
}

/** So that the long dwell of a node that was found off does not hide what another rule is there for. */
const quick = (rules: Rules): Rules => ({ ...rules, confirm: { ...rules.confirm, foundOffDwellMs: rules.confirm.dwellMs } })

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: SafestateError) => error.code,
  )
}

/** A node that is off, held by nobody. */
function isOff(world: World): void {
  world.bmc().power = 'off'
}

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

schedule(
  'F10: a job that was joined is not cancelled by one of its holders (S16, P5)',
  async (world, t) => {
    world.gateway().stop()
    const first = await world.off('A')
    const second = await world.off('B')
    t.equal(second.outcome, 'joined')
    t.equal(second.job.id, first.job.id)
    await world.store.cancel({ jobId: first.job.id, holder: 'A' })
    t.match(await world.hold(), { holders: [{ holder: 'B' }] })
    if (!(await world.hold())?.holders.some(({ holder }) => holder === 'B')) world.broken('P5', 'the hold of B is gone')
    world.gateway().resume()
    t.match(await world.ended(first.job.id), { state: 'succeeded', holders: [{ holder: 'B' }] })
    await world.release('B')
  },
  { broken: [[['joinAddsHolder'], /P5/]] },
)

schedule(
  'F11 i: released with an on; the next off cancels that on, and is cancelled before its intent',
  async (world, t) => {
    const { job } = await world.off('A')
    await world.ended(job.id)
    world.gateway().stop()
    const on = await world.release('A')
    const second = await world.off('B')
    t.match(await world.job(on?.id ?? ''), { state: 'cancelled', failure: { code: 'superseded' } })
    await world.store.cancel({ jobId: second.job.id, holder: 'B' })
    t.equal(await world.hold(), undefined)
    world.gateway().resume()
  },
  { broken: [[['emptyHoldOwesOn'], /P3: nobody wants/]] },
)

schedule(
  'F11 ii: the second holder has reads only, and is cancelled last',
  async (world, t) => {
    const { job } = await world.off('A')
    await world.ended(job.id)
    world.gateway().stop()
    const second = await world.off('B')
    t.equal(second.outcome, 'created')
    await world.release('A')
    t.match(await world.hold(), { holders: [{ holder: 'B' }] })
    await world.store.cancel({ jobId: second.job.id, holder: 'B' })
    t.equal(await world.hold(), undefined)
    world.gateway().resume()
  },
  { broken: [[['emptyHoldOwesOn'], /P3: nobody wants/]] },
)

schedule(
  "F11 iii and F13: an off ends a person's reboot whose off is out, and is cancelled",
  async (world, t) => {
    const reboot = await world.post('reboot', { holder: 'person' })
    await world.time.run(1_000)
    t.equal(world.sent('off'), 1)
    world.gateway().stop()
    const { job, outcome } = await world.off('A')
    t.equal(outcome, 'created')
    t.match(await world.job(reboot.job.id), { state: 'failed', failure: { code: 'superseded' } })
    t.same(
      (await world.hold())?.holders.map(({ holder }) => holder),
      ['A'],
      'the person is no holder',
    )
    t.match(await world.hold(), { owesOn: true })
    await world.store.cancel({ jobId: job.id, holder: 'A' })
    world.gateway().resume()
  },
  { broken: [[['emptyHoldOwesOn'], /P3: nobody wants/]] },
)

schedule('F13: and when the off is not cancelled, its release gives the node back', async (world, t) => {
  await world.post('reboot', { holder: 'person' })
  await world.time.run(1_000)
  const { job } = await world.off('A')
  t.match(await world.ended(job.id), { state: 'succeeded', holders: [{ holder: 'A' }] })
  const on = await world.release('A')
  t.ok(on)
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on' })
})

schedule(
  'F12: an off that supersedes an owed on ends before any command (S5)',
  async (world, t) => {
    const first = await world.off('A')
    await world.ended(first.job.id)
    world.gateway().stop()
    await world.release('A')
    world.bmc().reachable = false
    const { job } = await world.off('B', { deadlineSeconds: 20 })
    world.gateway().resume()
    t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'unreachable' } })
    t.equal(await world.hold(), undefined, 'what it brought is given back')
    world.bmc().reachable = true
  },
  { broken: [[['emptyHoldOwesOn'], /P3: nobody wants/]] },
)

schedule('F14: an off that was announced and never sent; its holder lets go', async (world, t) => {
  const m = world.gateway()
  m.onGate = label => {
    if (label === 'after store.intend') m.kill()
  }
  const { job } = await world.off('A', { deadlineSeconds: 5 })
  await world.time.run(1_000)
  await world.startGateway()
  world.bmc().commandFaults.off.push({ reply: 'swallowed' })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  t.equal(world.sent('off'), 0)
  const on = await world.release('A')
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on' })
})

schedule(
  'F18: a late release of an earlier attempt (S5, P5)',
  async (world, t) => {
    const first = await world.off('A')
    await world.ended(first.job.id)
    const second = await world.off('A', { attempt: 2 })
    await world.ended(second.job.id)
    t.equal(await codeOf(world.release('A', { attempt: 1 })), 'stale_release')
    if (!(await world.hold())) world.broken('P5', 'attempt 2 lost its hold')
    t.match(await world.hold(), { holders: [{ holder: 'A', attempt: 2 }] })
    await world.release('A', { attempt: 2 })
  },
  { broken: [[['releaseChecksAttempt'], /P5/]] },
)

schedule('F18: a release of an earlier hold', async (world, t) => {
  const first = await world.off('A')
  await world.ended(first.job.id)
  const old = await world.hold()
  await world.ended((await world.release('A'))?.id ?? '')
  const second = await world.off('A')
  t.equal(await codeOf(world.release('A', { holdId: old?.id ?? '' })), 'stale_release')
  await world.ended(second.job.id)
  await world.release('A')
})

schedule(
  'S1: an on that waits when the off is accepted, and one that is asked for while it is confirmed',
  async (world, t) => {
    world.gateway().stop()
    isOff(world)
    const before = await world.post('on')
    const { job } = await world.off('A')
    t.match(await world.job(before.job.id), { state: 'cancelled', failure: { code: 'superseded' } })
    world.gateway().resume()
    await world.time.run(3_000)
    t.match(await world.job(job.id), { state: 'running' })
    t.equal(await codeOf(world.post('on')), 'held')
    t.equal(await codeOf(world.post('reboot')), 'held')
    t.match(await world.ended(job.id), { state: 'succeeded' })
    await world.time.run(60_000)
  },
  {
    broken: [
      // One of the two checks is enough (an on is accepted in one step with the hold); without both the on runs after the receipt.
      [['onChecksHold', 'holdChecked'], /P1/],
      [['holdAtAcceptance', 'holdChecked'], /P3: nobody wants/],
    ],
  },
)

schedule(
  'S2: an actor whose lease went to another announces nothing more (promise 3)',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    m.frozen.add('before store.renew')
    const stopped = m.stopAt('before store.intend')
    const { job } = await world.off('A')
    await world.time.run(7_000)
    await stopped
    n.resume()
    await world.time.run(2_500)
    t.equal(world.sent('off'), 1)
    t.match(await world.job(job.id), { state: 'running' })
    m.resume()
    await world.time.run(200)
    if (world.sent('off') > 1) world.broken('promise 3', 'a second off was sent in the dark')
    t.match(await world.ended(job.id), { state: 'succeeded' })
  },
  { gateways: 2, broken: [[['tokenChecked'], /promise 3/]] },
)

schedule(
  'S9: another machine answers at the address in the midst of a job',
  async (world, t) => {
    world.bmc().hardware = { uuid: '99999999-2222-3333-4444-555555555555', system: '/Systems/1' }
    const { job } = await world.off('A')
    const ended = await world.ended(job.id)
    if (world.sent('off') > 0) world.broken('S9', 'a command went to another machine')
    t.match(ended, { state: 'failed', failure: { code: 'identity_mismatch' } })
    t.equal(await world.hold(), undefined)
  },
  { broken: [[['identityRechecked'], /S9/]] },
)
