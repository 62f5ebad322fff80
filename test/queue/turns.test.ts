import { codeOf, play } from './play.ts'

// Several jobs of one node: who joins, who waits, who is refused, who may cancel, and whose time is over.

play('a reboot whose node stays off', async (world, t) => {
  for (let i = 0; i < 3; i++) world.bmc().commandFaults.on.push({ reply: 'ignored' })
  const { job } = await world.post('reboot')
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded', power: 'off' })
  t.ok(ended.warnings.some(({ code }) => code === 'not_restored'))
  t.ok(ended.receiptId)
  // A person sees to it.
  await world.post('on')
})

play('a node that others hold stays off, whoever rebooted it', async (world, t) => {
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

play('an off that joins: one job, two holders, the later deadline; the first release changes nothing', async (world, t) => {
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

play('an off that joined past the first deadline still gets its time', async (world, t) => {
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

play('an off that does not fit the running one waits its turn, and gets a receipt of its own', async (world, t) => {
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

play('an off on a held node: fresh reads, no command, its own receipt', async (world, t) => {
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

play('a cancel after the intent is refused (S16)', async (world, t) => {
  const { job } = await world.off('A')
  await world.time.run(100)
  t.equal(await codeOf(world.store.cancel({ jobId: job.id, holder: 'A' })), 'no_change')
  t.match(await world.ended(job.id), { state: 'succeeded' })
  t.equal(await codeOf(world.store.cancel({ jobId: job.id, holder: 'A' })), 'no_change')
  await world.release('A')
})

play('a cancel before the intent gives everything back (S16)', async (world, t) => {
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

play('a cancel and an intent at the same moment: one of them wins (S16)', async (world, t) => {
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

play('a cancel by a key that was not used yet leaves a tombstone (S22)', async (world, t) => {
  t.equal(await world.cancelKey('k1'), undefined)
  t.equal(await codeOf(world.post('off', { holder: 'A' }, 'k1')), 'idempotency_key_cancelled')
  t.equal(await world.hold(), undefined)
  world.gateway().stop()
  await world.post('off', { holder: 'A' }, 'k2')
  t.match(await world.cancelKey('k2'), { state: 'cancelled' })
  world.gateway().resume()
})

play('a key that was used: the same job, or an error (S19)', async (world, t) => {
  const first = await world.post('off', { holder: 'A' }, 'k')
  const again = await world.post('off', { holder: 'A' }, 'k')
  t.match(again, { outcome: 'replayed', job: { id: first.job.id } })
  t.equal(await codeOf(world.post('off', { holder: 'B' }, 'k')), 'idempotency_key_reused')
  await world.ended(first.job.id)
  await world.release('A')
})

play('an off ends a running on, and owes it', async (world, t) => {
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

play('the deadline of a job that waits for its turn (promise 8)', async (world, t) => {
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

play('the deadline before any command', async (world, t) => {
  world.bmc().reachable = false
  const { job } = await world.off('A', { deadlineSeconds: 30 })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'unreachable' } })
  t.equal(await world.hold(), undefined)
  world.bmc().reachable = true
})

play('an off that joins while the receipt is being signed stands in it (S5, S15)', async (world, t) => {
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
