import { play } from './play.ts'

// One job from its acceptance to its end: reads, commands, sessions, identity, receipts.

play('an off of a running node, its hold, its receipt, its release', async (world, t) => {
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

play('a reboot: off confirmed, its holder removed, on confirmed; the receipt is kept', async (world, t) => {
  const { job } = await world.post('reboot', { holder: 'person' })
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded', power: 'on', warnings: [{ code: 'declared_binding' }] })
  t.equal(await world.hold(), undefined)
  t.same([world.sent('off'), world.sent('on')], [1, 1])
  t.equal((await world.receipt(ended.receiptId)).status, 'released')
})

play('a reboot whose on is not answered until the end', async (world, t) => {
  world.bmc().commandFaults.on.push({ reply: 'swallowed' })
  world.bmc().closes = false
  const { job } = await world.post('reboot', { deadlineSeconds: 36 })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  world.bmc().closes = true
  await world.post('on')
})

play('another machine after the first read: nothing is sent (S9)', async (world, t) => {
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

play(
  "a machine that contradicts the node's own UUID: nothing is sent (S9)",
  async (world, t) => {
    const { job } = await world.off('A')
    t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'identity_mismatch' } })
    t.equal(world.sent('off'), 0)
  },
  { systemUuid: '4c4c4544-0051-3610-8052-b4c04f4d3532' },
)

play(
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

play('wrong credentials: two log-ins at most, and then none for a while', async (world, t) => {
  world.bmc().passwordRight = false
  for (let i = 0; i < 5; i++) {
    const { job } = await world.off('A')
    t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'auth_failed' } })
  }
  t.equal(world.bmc().logIns, 2)
  world.bmc().passwordRight = true
})

play('an unanswered command: its session is closed at the BMC before any read counts (S3)', async (world, t) => {
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

play('no session to close: fifteen seconds are waited, and the receipt says so (S3)', async (world, t) => {
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

play('a process that dies while it outlives a command: the receipt says bounded all the same (S3, S15)', async (world, t) => {
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

play('a status gives way to an off, is asked again, and ends', async (world, t) => {
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

play('a status of what can not be reached', async (world, t) => {
  world.bmc().reachable = false
  const { job } = await world.post('status')
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'unreachable' } })
  world.bmc().reachable = true
})

play('refused, ignored, executed late: the reads decide (promise 2)', async (world, t) => {
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

play('a command that never works is sent three times, and the job is indeterminate', async (world, t) => {
  for (let i = 0; i < 9; i++) world.bmc().commandFaults.off.push({ reply: 'ignored' })
  const { job } = await world.off('A', { deadlineSeconds: 600 })
  t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'indeterminate' } })
  t.equal(world.sent('off'), 3)
  t.match(await world.hold(), { state: 'pending', holders: [{ holder: 'A' }] })
  t.ok(await world.release('A'))
})

play('a node in the off phase of a cycle (S8)', async (world, t) => {
  world.bmc().power = 'off'
  world.time.after(20_000, () => world.bmc().press('on'))
  const { job } = await world.off('A')
  t.match(await world.ended(job.id), { state: 'succeeded' })
  t.equal(world.bmc().power, 'off')
  t.equal(world.sent('off'), 2)
  await world.release('A')
})

play('OpenBMC: a system that says off while its chassis is on is not off (S11)', async (world, t) => {
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
