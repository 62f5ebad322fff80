import { INDEX } from '../../src/store/verbs/index.ts'
import { codeOf, play } from './play.ts'
import type { World } from './world.ts'

// The schedules of a review that found holes, one test each: whose turn it is, who stays a holder, log-ins that fail, shared controllers, pins.

const MINUTE = 60_000

const other = { acceptAssurance: ['confirmed' as const] }

/** A second node whose BMC stands behind the same controller as the first one's. */
async function shareController(world: World): Promise<void> {
  await world.addBmc('b2')
  await world.store.updateDevice({ name: 'b2', change: device => ({ ...device, endpoint: 'b1' }) })
  await world.addNode('n2', [['b2']])
}

for (const end of ['ends without a command', 'is cancelled'] as const) {
  play(
    `two jobs of one holder: the first ${end}, the hold stays for the second, which gives it back itself (S5, S17)`,
    async (world, t) => {
      const first = async () => {
        const { job } = await world.off('A', { deadlineSeconds: 20 })
        const second = await world.off('A', { ...other, deadlineSeconds: 60 })
        t.match(second, { outcome: 'created', job: { broughtHolders: [] } })
        if (end === 'is cancelled') await world.store.cancel({ jobId: job.id, holder: 'A' })
        else t.match(await world.ended(job.id), { state: 'failed', failure: { code: 'unreachable' } })
        t.match(await world.hold(), { state: 'pending', holders: [{ holder: 'A' }] })
        return second.job
      }
      world.gateway().stop()
      world.bmc().reachable = false
      if (end === 'ends without a command') world.gateway().resume()
      const gone = await first()
      world.gateway().resume()
      t.match(await world.ended(gone.id), { state: 'failed', failure: { code: 'unreachable' } })
      t.equal(await world.hold(), undefined, 'given back')
      if (end === 'is cancelled') world.gateway().stop()
      const well = await first()
      world.gateway().resume()
      world.bmc().reachable = true
      t.match(await world.ended(well.id), { state: 'succeeded' })
      t.match(await world.hold(), { state: 'confirmed', holders: [{ holder: 'A' }] })
      await world.release('A')
    },
  )
}

play('one that joins in a newer attempt: the job ends without a command, and nobody is left in the hold (S17)', async (world, t) => {
  world.bmc().reachable = false
  const first = await world.off('A', { deadlineSeconds: 20 })
  await world.time.run(1_000)
  const second = await world.off('A', { deadlineSeconds: 20, attempt: 2 })
  t.match(second, { outcome: 'joined', job: { id: first.job.id } })
  t.match(await world.hold(), { holders: [{ holder: 'A', attempt: 2 }] })
  t.match(await world.ended(first.job.id), { state: 'failed', failure: { code: 'unreachable' } })
  t.equal(await world.hold(), undefined)
  t.equal(await codeOf(world.post('on')), 'done', 'the node is free')
  world.bmc().reachable = true
})

play('log-ins that fail: none after two, and again once the window is over, although they are asked for each minute', async (world, t) => {
  world.bmc().passwordRight = false
  const seen: [number, string][] = []
  for (let minute = 0; minute < 9; minute++) {
    // From the fourth minute on the password would do.
    if (minute === 4) world.bmc().passwordRight = true
    const { job } = await world.post('status')
    const ended = await world.ended(job.id)
    seen.push([world.bmc().logIns, ended.failure?.code ?? ended.state])
    await world.time.run(Date.parse(ended.createdAt) + MINUTE + 100 - world.time.now())
  }
  const failed = 'auth_failed'
  t.same(seen.slice(0, 5), [
    [1, failed],
    [2, failed],
    [2, failed],
    [2, failed],
    [2, failed],
  ])
  t.same(seen.slice(5), Array(4).fill([3, 'succeeded']))
})

play('log-ins that fail: a new credential is tried at once', async (world, t) => {
  world.bmc().passwordRight = false
  for (let i = 0; i < 3; i++) await world.ended((await world.post('status')).job.id)
  t.equal(world.bmc().logIns, 2)
  world.bmc().passwordRight = true
  t.match(await world.ended((await world.post('status')).job.id), { state: 'failed' }, 'the same one is not')
  await world.store.updateDevice({ name: 'b1', change: same => same, credential: 'another' })
  t.match(await world.ended((await world.post('status')).job.id), { state: 'succeeded' })
})

play(
  "a shared controller: another node's job settles my command, and I command again after a contrary read and the delay (promise 3)",
  async (world, t) => {
    await shareController(world)
    // Two nodes: "the node" of the oracle is neither.
    world.othersSwitch = true
    const m = world.gateway()
    m.frozen.add('before store.renew')
    world.bmc().commandFaults.off.push({ reply: 'swallowed' })
    const sent = m.stopAt('after driver.request')
    const mine = await world.off('A', { deadlineSeconds: 300 })
    await world.time.run(6_000)
    await sent
    const theirs = await world.off('B', { node: 'n2' })
    await world.time.run(8_000)
    const [settled] = (await world.job(theirs.job.id)).evidence
    t.match(settled, { source: /^settled of job/, command: 'off' })
    t.equal(world.openIntents(), 0)
    m.kill()
    const ended = await world.ended(mine.job.id)
    t.match(ended, { state: 'succeeded' })
    t.equal(world.sent('off'), 2)
    t.match(await world.ended(theirs.job.id), { state: 'succeeded' })
    const again = ended.evidence.findLast(({ kind }) => kind === 'command')
    t.ok(Date.parse(again?.at ?? '') - Date.parse(settled?.at ?? '') >= 30_000, 'not before the delay of the first is over')
  },
  { gateways: 2 },
)

play('a place that is kept for a job which has ended keeps nobody waiting', async (world, t) => {
  world.gateway().stop()
  const take = (jobId: string, urgency: number) =>
    world.store.take({ jobId, actor: jobId, endpoints: ['b1'], urgency, preemptible: urgency === 9 })
  const [first, second, third] = [await world.post('status'), await world.post('status'), await world.post('status')]
  const taken = await take(first.job.id, 9)
  t.match(await take(second.job.id, 9), { kind: 'parked' })
  await world.store.cancel({ jobId: second.job.id, holder: 'token:admin' })
  await world.store.release({ id: first.job.id, jobId: first.job.id, leases: taken.kind === 'taken' ? taken.leases : [] })
  t.match(await take(third.job.id, 9), { kind: 'taken' })
  world.gateway().resume()
})

play(
  'a place that is kept for a status job does not keep an off waiting, one that is kept for an off does a status job',
  async (world, t) => {
    world.gateway().stop()
    const take = (jobId: string, urgency: number) =>
      world.store.take({ jobId, actor: jobId, endpoints: ['b1'], urgency, preemptible: urgency === 9 })
    const giveUp = async (jobId: string, taken: Awaited<ReturnType<typeof take>>) =>
      world.store.release({ id: jobId, jobId, leases: taken.kind === 'taken' ? taken.leases : [] })
    const [first, second, off] = [(await world.post('status')).job.id, (await world.post('status')).job.id, (await world.off('A')).job.id]
    const one = await take(first, 9)
    t.match(await take(second, 9), { kind: 'parked' })
    t.same(await giveUp(first, one), [second], 'kept for the second')
    const two = await take(off, 0)
    t.match(two, { kind: 'taken' })
    await giveUp(off, two)
    await world.time.run(2_000)

    const three = await take(first, 9)
    t.match(await take(off, 0), { kind: 'parked' })
    t.same(await giveUp(first, three), [off], 'kept for the off')
    t.match(await take(second, 9), { kind: 'parked' })
    t.match(await take(off, 0), { kind: 'taken' })
    world.gateway().resume()
    await world.ended(off)
    await world.release('A')
  },
)

play(
  'parked behind a process that was killed: asked again right when its lease ends',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    const reading = m.stopAt('after driver.observe')
    await world.post('status')
    await world.time.run(500)
    await reading
    m.kill()
    const { until = 0 } = (await world.reads.endpoint('b1'))?.lease ?? {}
    t.ok(until > world.time.now() + 4_000)
    const { job } = await world.off('A')
    let asked = 0
    n.onGate = label => {
      if (label === 'before driver.observe' && asked === 0) asked = world.time.now()
    }
    t.match(await world.ended(job.id), { state: 'succeeded' })
    t.ok(asked >= until && asked < until + 100, `${asked - until} ms after its end`)
    await world.release('A')
  },
  { gateways: 2 },
)

play(
  'an off that relied on a hold which was revoked meanwhile commands, and dwells like one that found the node off (S8)',
  async (world, t) => {
    const one = await world.ended((await world.off('A')).job.id)
    await world.time.run(5_000)
    const { job } = await world.off('B')
    await world.time.run(1_200)
    t.match((await world.job(job.id)).progress, { readsOnly: true })
    const hold = await world.hold()
    world.othersSwitch = true
    const at = new Date(world.time.now()).toISOString()
    // Somebody in the midst of his own power cycle: seen by the watch, never by the job.
    await world.store.observeHold({
      actor: { id: 'watch', jobId: 'watch', leases: [] },
      holdId: hold?.id ?? '',
      power: 'on',
      at,
      nextAt: world.time.now() + 10_000,
    })
    t.match(await world.receipt(one.receiptId), { status: 'revoked' })
    const two = await world.ended(job.id)
    t.match(two, { state: 'succeeded' })
    t.equal(world.sent('off'), 2)
    const { observations } = (await world.receipt(two.receiptId)).payload
    t.ok(Date.parse(two.endedAt ?? '') - Date.parse(observations[0]?.at ?? '') >= 30_000, 'a dwell of 30 s')
    world.othersSwitch = false
    await world.release('A')
    await world.release('B')
  },
)

play("a pin without a fingerprint: the first job's read fills it, and another certificate is refused then (S9)", async (world, t) => {
  world.bmc().fingerprint = 'AA:AA'
  t.match(await world.reads.device('b1'), { tls: { mode: 'pin', fingerprint: undefined } })
  const ended = await world.ended((await world.off('A')).job.id)
  t.match(ended, { state: 'succeeded' })
  t.match(await world.reads.device('b1'), { tls: { mode: 'pin', fingerprint: 'AA:AA' }, hardware: world.bmc().hardware })
  await world.ended((await world.release('A'))?.id ?? '')
  world.bmc().fingerprint = 'BB:BB'
  const again = await world.ended((await world.off('A')).job.id)
  t.match(again, { state: 'failed', failure: { code: 'tls_mismatch' } })
  t.equal(world.sent('off'), 1)
})

play('a replay says what was said: joined, and also of a node that is gone by now (S19)', async (world, t) => {
  await world.post('off', { holder: 'A' }, 'first')
  const joined = await world.post('off', { holder: 'B' }, 'second')
  t.match(joined, { outcome: 'joined', joined: true })
  t.match(await world.post('off', { holder: 'B' }, 'second'), { outcome: 'replayed', joined: true, job: { id: joined.job.id } })
  t.match(await world.post('off', { holder: 'A' }, 'first'), { outcome: 'replayed', joined: false })
  await world.ended(joined.job.id)
  await world.release('A')
  await world.ended((await world.release('B'))?.id ?? '')
  await world.store.removeNode(world.node())
  t.match(await world.post('off', { holder: 'B' }, 'second'), { outcome: 'replayed', job: { id: joined.job.id, state: 'succeeded' } })
  t.equal(await codeOf(world.post('off', { holder: 'B' }, 'third')), 'unknown_node')
})

play('a hold that is released is in the list of holds no more', async (world, t) => {
  await world.ended((await world.off('A')).job.id)
  t.match(await world.reads.holds({ limit: 10 }), { items: [{ state: 'confirmed' }] })
  await world.release('A')
  t.same((await world.reads.holds({ limit: 10 })).items, [])
  t.same(await world.documents.byMember(INDEX.holds, { limit: 10 }), [], 'and does not lengthen it')
})

play('a reboot whose deadline is shorter than the delay of its off is refused', async (world, t) => {
  t.equal(await codeOf(world.post('reboot', { deadlineSeconds: 34 })), 'plan_too_long')
  const { job } = await world.post('reboot', { deadlineSeconds: 40 })
  t.match(await world.ended(job.id), { state: 'succeeded', power: 'on', warnings: [{ code: 'declared_binding' }] })
})
