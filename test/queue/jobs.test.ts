import t from 'tap'
import { World } from './world.ts'

t.test('an off of a running node', async t => {
  const world = await World.make()
  const { job } = await world.off()
  const ended = await world.ended(job.id)
  t.match(ended, { state: 'succeeded', power: 'off', assurance: 'confirmed' })
  t.equal(world.sent('off'), 1)
  const hold = await world.hold()
  t.match(hold, { state: 'confirmed', holders: [{ holder: 'A', attempt: 1 }], owesOn: true })
  const { payload } = await world.receipt(ended.receiptId)
  t.match(payload, { state: 'off', job: job.id, attempt: 1, lateHand: 'closed', holders: [{ holder: 'A' }] })
  const on = await world.release()
  t.match(await world.ended(on?.id ?? ''), { state: 'succeeded', power: 'on', action: 'on' })
  await world.settle()
  t.same(world.violations, [])
  t.same(world.gateway().errors, [])
})
