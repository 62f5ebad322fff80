import { codeOf } from './play.ts'
import { isOff, schedule } from './schedule.ts'

// F10 to F18 of `reference/schedules.md`, and S1, S2 and S9: who holds, who lets go, who may act.

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
