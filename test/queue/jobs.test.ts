import t, { type Test } from 'tap'
import type { SafestateError } from '../../src/core/errors.ts'
import { World, type WorldOptions } from './world.ts'

/** A test in a world of its own, at whose end all jobs have ended, nobody lacks an on, and nothing was broken. */
function job(name: string, play: (world: World, t: Test) => Promise<void>, options: WorldOptions = {}): void {
  t.test(name, async t => {
    const world = await World.make(options)
    await play(world, t)
    await world.settle()
    t.same(world.violations, [], 'nothing was broken')
    t.same([...new Set(world.gateways.flatMap(({ errors }) => errors.map(String)))], [], 'no step threw')
  })
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: SafestateError) => error.code,
  )
}

job('an off of a running node, its hold, its receipt, its release', async (world, t) => {
  const { job } = await world.off()
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded', power: 'off', assurance: 'confirmed' })
  t.equal(world.sent('off'), 1)
  t.match(await world.hold(), { state: 'confirmed', holders: [{ holder: 'A', attempt: 1 }], owesOn: true })
  const { payload } = await world.receipt(ended.receiptId)
  t.match(payload, { state: 'off', job: job.id, attempt: 1, lateHand: 'closed', binding: 'declared', holders: [{ holder: 'A' }] })
  t.ok(payload.observations.length >= 3)
  t.equal(payload.commands.length, 1)
  const on = await world.release()
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on', action: 'on' })
  t.equal((await world.receipt(ended.receiptId)).status, 'released')
})

job('a reboot: off confirmed, its holder removed, on confirmed; the receipt is kept', async (world, t) => {
  const { job } = await world.post('reboot', { holder: 'person' })
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded', power: 'on', warnings: [{ code: 'declared_binding' }] })
  t.equal(await world.hold(), undefined)
  t.same([world.sent('off'), world.sent('on')], [1, 1])
  t.equal((await world.receipt(ended.receiptId)).status, 'released')
})

job('a reboot whose node stays off', async (world, t) => {
  for (let i = 0; i < 3; i++) world.bmc().commandFaults.on.push({ reply: 'ignored' })
  const { job } = await world.post('reboot')
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded', power: 'off' })
  t.ok(ended.warnings.some(({ code }) => code === 'not_restored'))
  t.ok(ended.receiptId)
  // A person sees to it.
  await world.post('on')
})

job('a reboot whose on is not answered until the end', async (world, t) => {
  world.bmc().commandFaults.on.push({ reply: 'swallowed' })
  world.bmc().closes = false
  const { job } = await world.post('reboot', { deadlineSeconds: 36 })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  world.bmc().closes = true
  await world.post('on')
})

job('a node that others hold stays off, whoever rebooted it', async (world, t) => {
  const first = await world.off('A')
  await world.ended(first.job.id)
  t.equal(await codeOf(world.post('reboot')), 'held')
  t.equal(await codeOf(world.post('on')), 'held')
  t.equal(await codeOf(world.post('on', { releaseHolder: { holdId: 'none', holder: 'A', attempt: 1 } })), 'not_found')
  const hold = await world.hold()
  const { job } = await world.post('on', { releaseHolder: { holdId: hold?.id ?? '', holder: 'A', attempt: 1 } })
  t.match(await world.ended(job.id), { state: 'succeeded', power: 'on' })
  t.equal(await world.hold(), undefined)
})

job('an off that joins: one job, two holders, the later deadline; the first release changes nothing', async (world, t) => {
  const first = await world.off('A', { deadlineSeconds: 60 })
  await world.time.run(1_500)
  const second = await world.off('B', { deadlineSeconds: 600 })
  t.equal(second.outcome, 'joined')
  t.equal(second.job.id, first.job.id)
  t.equal(Date.parse(second.job.deadlineAt) - world.time.now(), 600_000)
  t.equal(await codeOf(world.release('A')), 'no_change', 'not while its job runs')
  const ended = await world.ended(first.job.id)
  const { payload } = await world.receipt(ended.receiptId)
  t.same(payload.holders, [
    { holder: 'A', attempt: 1 },
    { holder: 'B', attempt: 1 },
  ])
  t.equal(await world.release('A'), undefined)
  await world.time.run(60_000)
  t.equal(world.bmc().power, 'off')
  t.match(await world.hold(), { state: 'confirmed', holders: [{ holder: 'B' }] })
  t.match(await world.ended((await world.release('B'))?.id ?? ''), { state: 'succeeded' })
})

job('an off that joined past the first deadline still gets its time', async (world, t) => {
  world.bmc().readFaults.push(...Array.from({ length: 60 }, () => ({ power: 'transitioning' as const })))
  const first = await world.off('A', { deadlineSeconds: 20 })
  await world.time.run(1_000)
  await world.off('B', { deadlineSeconds: 120 })
  const gates = world.gateway().gates
  t.match(await world.ended(first.job.id), { state: 'succeeded' })
  t.ok(world.gateway().gates - gates < 5_000, `and does not spin: ${world.gateway().gates - gates} steps`)
  await world.release('A')
  await world.release('B')
})

job('an off that does not fit the running one waits its turn, and gets a receipt of its own', async (world, t) => {
  const first = await world.off('A')
  await world.time.run(1_000)
  const second = await world.off('B', { acceptAssurance: ['confirmed'] })
  t.equal(second.outcome, 'created')
  t.match(second.job, { phase: 'waiting-turn' })
  t.match(await world.hold(), { holders: [{ holder: 'A' }, { holder: 'B' }] }, 'its holder is in the hold at once')
  const one = await world.ended(first.job.id)
  t.equal(await codeOf(world.release('B')), 'no_change', 'a holder whose job waits does not let go')
  const two = await world.ended(second.job.id)
  t.match(two, { state: 'succeeded' })
  t.not(one.receiptId, two.receiptId)
  t.equal(world.sent('off'), 1, 'reads only')
  await world.release('A')
  await world.release('B')
})

job('an off on a held node: fresh reads, no command, its own receipt', async (world, t) => {
  const first = await world.off('A')
  const one = await world.ended(first.job.id)
  await world.time.run(30_000)
  const second = await world.off('B')
  const two = await world.ended(second.job.id)
  t.match(two, { state: 'succeeded' })
  t.equal(world.sent('off'), 1)
  const { payload } = await world.receipt(two.receiptId)
  t.match(payload, { job: second.job.id, holders: [{ holder: 'A' }, { holder: 'B' }] })
  t.ok(Date.parse(payload.observations[0]?.at ?? '') > Date.parse(one.endedAt ?? ''))
  t.equal((await world.receipt(one.receiptId)).status, 'standing')
  await world.release('A')
  await world.release('B')
})

job('a cancel after the intent is refused (S16)', async (world, t) => {
  const { job } = await world.off('A')
  await world.time.run(100)
  t.equal(await codeOf(world.store.cancel({ jobId: job.id, holder: 'A' })), 'no_change')
  t.match(await world.ended(job.id), { state: 'succeeded' })
  t.equal(await codeOf(world.store.cancel({ jobId: job.id, holder: 'A' })), 'no_change')
  await world.release('A')
})

job('a cancel before the intent gives everything back (S16)', async (world, t) => {
  world.gateway().stop()
  const { job } = await world.off('A')
  t.equal(await codeOf(world.store.cancel({ jobId: job.id, holder: 'C' })), 'forbidden')
  t.match(await world.store.cancel({ jobId: job.id, holder: 'A' }), { state: 'cancelled' })
  t.equal(await world.hold(), undefined)
  world.gateway().resume()
  await world.time.run(30_000)
  t.equal(world.sent('off'), 0)
  t.equal(world.bmc().power, 'on')
})

job('a cancel and an intent at the same moment: one of them wins (S16)', async (world, t) => {
  const m = world.gateway()
  const reached = m.stopAt('before store.intend')
  const { job } = await world.off('A')
  await world.time.run(1_000)
  await reached
  t.match(await world.store.cancel({ jobId: job.id, holder: 'A' }), { state: 'cancelled' })
  m.resume()
  await world.time.run(30_000)
  t.equal(world.sent('off'), 0)
})

job('a cancel by a key that was not used yet leaves a tombstone (S22)', async (world, t) => {
  t.equal(await world.cancelKey('k1'), undefined)
  t.equal(await codeOf(world.post('off', { holder: 'A' }, 'k1')), 'idempotency_key_cancelled')
  t.equal(await world.hold(), undefined)
  world.gateway().stop()
  await world.post('off', { holder: 'A' }, 'k2')
  t.match(await world.cancelKey('k2'), { state: 'cancelled' })
  world.gateway().resume()
})

job('a key that was used: the same job, or an error (S19)', async (world, t) => {
  const first = await world.post('off', { holder: 'A' }, 'k')
  const again = await world.post('off', { holder: 'A' }, 'k')
  t.match(again, { outcome: 'replayed', job: { id: first.job.id } })
  t.equal(await codeOf(world.post('off', { holder: 'B' }, 'k')), 'idempotency_key_reused')
  await world.ended(first.job.id)
  await world.release('A')
})

job('an off ends a running on, and owes it', async (world, t) => {
  world.bmc().power = 'off'
  world.bmc().commandFaults.on.push({ reply: 'ignored' })
  const on = await world.post('on')
  await world.time.run(2_000)
  const { job } = await world.off('A')
  t.match(await world.job(on.job.id), { state: 'failed', failure: { code: 'superseded' } })
  t.match(await world.hold(), { owesOn: true })
  t.match(await world.ended(job.id), { state: 'succeeded' })
  t.match(await world.ended((await world.release('A'))?.id ?? ''), { state: 'succeeded', power: 'on' })
})

job('the deadline of a job that waits for its turn (promise 8)', async (world, t) => {
  world.bmc().readFaults.push(...Array.from({ length: 400 }, () => ({ power: 'transitioning' as const })))
  const first = await world.off('A', { deadlineSeconds: 300 })
  await world.time.run(1_000)
  const second = await world.off('B', { acceptAssurance: ['confirmed'], deadlineSeconds: 20 })
  const ended = await world.ended(second.job.id)
  t.match(ended, { state: 'failed', failure: { code: 'deadline' } })
  t.ok(Date.parse(ended.endedAt ?? '') - Date.parse(ended.createdAt) < 30_000, 'it ends by its own deadline')
  t.match(await world.hold(), { holders: [{ holder: 'A' }] }, 'and gives its holder back')
  world.bmc().readFaults.length = 0
  await world.ended(first.job.id)
  await world.release('A')
})

job('the deadline before any command', async (world, t) => {
  world.bmc().reachable = false
  const { job } = await world.off('A', { deadlineSeconds: 30 })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'unreachable' } })
  t.equal(await world.hold(), undefined)
  world.bmc().reachable = true
})

job('another machine after the first read: nothing is sent (S9)', async (world, t) => {
  const m = world.gateway()
  const ready = m.stopAt('before driver.ticket')
  const { job } = await world.off('A')
  await world.time.run(1_000)
  await ready
  // The cables are swapped: the session is gone with the old controller.
  world.bmc().forgetSessions()
  world.bmc().hardware = { uuid: '99999999-2222-3333-4444-555555555555', system: '/Systems/1' }
  m.resume()
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'identity_mismatch' } })
  t.equal(world.sent('off'), 0)
  t.equal(await world.hold(), undefined)
})

job(
  "a machine that contradicts the node's own UUID: nothing is sent (S9)",
  async (world, t) => {
    const { job } = await world.off('A')
    t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'identity_mismatch' } })
    t.equal(world.sent('off'), 0)
  },
  { systemUuid: '4c4c4544-0051-3610-8052-b4c04f4d3532' },
)

job(
  'a binding that is proven stands in the receipt (S9)',
  async (world, t) => {
    const { job } = await world.off('A')
    const ended = await world.ended(job.id)
    t.equal((await world.receipt(ended.receiptId)).payload.binding, 'proven')
    t.same(ended.warnings, [])
    await world.release('A')
  },
  { systemUuid: '11111111-2222-3333-4444-555555555555' },
)

job('wrong credentials: two log-ins at most, and then none for a while', async (world, t) => {
  world.bmc().passwordRight = false
  for (let i = 0; i < 5; i++) {
    const { job } = await world.off('A')
    t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'auth_failed' } })
  }
  t.equal(world.bmc().logIns, 2)
  world.bmc().passwordRight = true
})

job('the watch over a hold does not try a wrong password again and again (S7)', async (world, t) => {
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

job('an unanswered command: its session is closed at the BMC before any read counts (S3)', async (world, t) => {
  world.bmc().commandFaults.off.push({ reply: 'lost' })
  const { job } = await world.off('A')
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded' })
  const lines = ended.evidence.map(({ kind, raw, counted }) => (kind === 'read' ? `read${counted ? ' counted' : ''}` : raw.slice(0, 10)))
  const closed = lines.indexOf('its sessio')
  t.ok(closed > 0, lines.join())
  t.equal(lines.indexOf('unanswered'), closed - 1)
  t.ok(lines.indexOf('read counted') > closed)
  t.equal(world.sent('off'), 1)
  t.equal((await world.receipt(ended.receiptId)).payload.lateHand, 'closed')
  await world.release('A')
})

job('no session to close: fifteen seconds are waited, and the receipt says so (S3)', async (world, t) => {
  world.bmc().auth = 'basic'
  world.bmc().commandFaults.off.push({ reply: 'lost' })
  const { job } = await world.off('A')
  const ended = await world.ended(job.id)
  const sent = ended.evidence.find(({ raw }) => raw.startsWith('unanswered'))
  const counted = ended.evidence.find(({ counted }) => counted)
  t.ok(Date.parse(counted?.at ?? '') - Date.parse(sent?.at ?? '') >= 10_000, 'sent 5 s before it was given up')
  t.equal((await world.receipt(ended.receiptId)).payload.lateHand, 'bounded')
  await world.release('A')
})

job('a process that dies while it outlives a command: the receipt says bounded all the same (S3, S15)', async (world, t) => {
  world.bmc().auth = 'basic'
  world.bmc().commandFaults.off.push({ reply: 'lost' })
  const m = world.gateway()
  const { job } = await world.off('A')
  m.onGate = label => {
    if (label === 'after store.settle') m.kill()
  }
  await world.time.run(30_000)
  await world.startGateway()
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded' })
  t.equal((await world.receipt(ended.receiptId)).payload.lateHand, 'bounded')
  await world.release('A')
})

job('a status gives way to an off, is asked again, and ends', async (world, t) => {
  world.bmc().readFaults.push({ hangs: true })
  const status = await world.post('status')
  await world.time.run(1_000)
  const { job } = await world.off('A')
  await world.time.run(500)
  t.equal(world.sent('off'), 1, 'the off went out at once')
  t.match(await world.ended(status.job.id), { state: 'succeeded' })
  t.match(await world.ended(job.id), { state: 'succeeded' })
  await world.release('A')
})

job('a status of what can not be reached', async (world, t) => {
  world.bmc().reachable = false
  const { job } = await world.post('status')
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'unreachable' } })
  world.bmc().reachable = true
})

job('refused, ignored, executed late: the reads decide (promise 2)', async (world, t) => {
  for (const fault of [
    { reply: 'refused' },
    { reply: 'ignored' },
    { reply: 'unsent' },
    { effectMs: 20_000 },
    { reply: 'lost', effectMs: 20_000 },
  ] as const) {
    world.bmc().commandFaults.off.push(fault)
    const { job } = await world.off('A', { deadlineSeconds: 300 })
    t.match(await world.ended(job.id), { state: 'succeeded' }, JSON.stringify(fault))
    t.equal(world.bmc().power, 'off')
    await world.ended((await world.release('A'))?.id ?? '')
  }
})

job('a command that never works is sent three times, and the job is indeterminate', async (world, t) => {
  for (let i = 0; i < 9; i++) world.bmc().commandFaults.off.push({ reply: 'ignored' })
  const { job } = await world.off('A', { deadlineSeconds: 600 })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  t.equal(world.sent('off'), 3)
  t.match(await world.hold(), { state: 'pending', holders: [{ holder: 'A' }] })
  t.ok(await world.release('A'))
})

job('a node in the off phase of a cycle (S8)', async (world, t) => {
  world.bmc().power = 'off'
  world.time.after(20_000, () => world.bmc().press('on'))
  const { job } = await world.off('A')
  t.match(await world.ended(job.id), { state: 'succeeded' })
  t.equal(world.bmc().power, 'off')
  t.equal(world.sent('off'), 2)
  await world.release('A')
})

job('OpenBMC: a system that says off while its chassis is on is not off (S11)', async (world, t) => {
  world.bmc().witnessRequired = true
  world.bmc().witness = () => 'on'
  world.bmc().commandFaults.off.push({ reply: 'ignored' })
  const off = (): { power: 'off' } => ({ power: 'off' })
  world.bmc().readFaults.push(...Array.from({ length: 200 }, off))
  const { job } = await world.off('A', { deadlineSeconds: 25 })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  world.bmc().witness = () => world.bmc().power
  world.bmc().readFaults.length = 0
  t.ok(await world.release('A'))
})

job(
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

job(
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

job(
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

job(
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

job(
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

job('a hold is read on, and its last read is no older than it says (S7)', async (world, t) => {
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

job('a held node that is found on: hold and receipt are revoked at once (S7)', async (world, t) => {
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

job("an on that the watch sees between a job's reads restarts its count, and is commanded (S7, promise 1)", async (world, t) => {
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

job(
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

job('a release by force: the hold and its receipt end, and the on waits (S7)', async (world, t) => {
  const { job } = await world.off('A')
  const ended = await world.ended(job.id)
  const on = await world.release('nobody', { force: true })
  t.equal((await world.receipt(ended.receiptId)).status, 'revoked')
  await world.time.run(9_000)
  t.equal(world.sent('on'), 0)
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded' })
})

job('a release by force while the off runs: nobody is left who wants it', async (world, t) => {
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

job('an on that the watch sees during a new off of a revoked hold restarts its count (promise 1)', async (world, t) => {
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

job(
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

job('an off that joins while the receipt is being signed stands in it (S5, S15)', async (world, t) => {
  const m = world.gateway()
  const { job } = await world.off('A')
  const signing = m.stopAt('signer')
  await world.time.run(3_000)
  await signing
  t.match(await world.off('B'), { outcome: 'joined' })
  m.resume()
  const ended = await world.ended(job.id)
  t.match((await world.receipt(ended.receiptId)).payload.holders, [{ holder: 'A' }, { holder: 'B' }])
  t.equal(world.receipts().length, 1)
  await world.release('A')
  await world.release('B')
})

job('a job that is woken before its turn does nothing', async (world, t) => {
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
