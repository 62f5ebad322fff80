import t from 'tap'
import { isTerminal } from '../../src/core/job.ts'
import type { Rules } from '../../src/core/rules.ts'
import { readiness, verify } from '../../src/fencing/inventory.ts'
import { play } from './play.ts'
import { schedule } from './schedule.ts'
import { World, type WorldOptions } from './world.ts'

// The power restore policy of a held node (S7): off for the hold, put back with the on.

t.setTimeout(240_000)

/** How long a plain off takes in this world, ms. */
async function offMs(prepare: (world: World) => void = () => undefined): Promise<{ world: World; ms: number }> {
  const world = await World.make()
  prepare(world)
  const { job } = await world.off('A')
  const { createdAt, endedAt = '', state } = await world.ended(job.id)
  if (state !== 'succeeded') throw new Error(`the off ${state}`)
  return { world, ms: Date.parse(endedAt) - Date.parse(createdAt) }
}

const before = async (world: World, name = 'b1') => (await world.reads.device(name))?.restorePolicyBefore
const trouble = async (world: World, name = 'b1') => (await world.reads.device(name))?.restorePolicyTrouble

schedule(
  'mains power fails and comes back while a node is held',
  async (world, t) => {
    world.bmc().restorePolicy = 'on'
    const { job } = await world.off('A')
    const ended = await world.ended(job.id)
    t.match(ended, { state: 'succeeded', warnings: [{ code: 'declared_binding' }] })
    t.equal(ended.warnings.length, 1)
    t.same(world.bmc().policies, ['off'], 'set once')
    t.equal(await before(world), 'on')
    await world.time.run(60_000)
    world.bmc().cutMains()
    await world.time.run(1_000)
    t.equal(world.bmc().power, 'off', 'and it stays off')
    t.match(await world.ended((await world.release('A'))?.id ?? ''), { state: 'succeeded', power: 'on', warnings: [] })
    t.same(world.bmc().policies, ['off', 'on'], 'put back')
    t.equal(world.bmc().restorePolicy, 'on')
    t.equal(await before(world), undefined, 'and forgotten')
  },
  { broken: [[['restorePolicyHeld'], /P1: b1 came on under a standing receipt: mains power came back/]] },
)

play('it is set inside the dwell, after the first read that counts, and costs no time', async (world, t) => {
  world.bmc().restorePolicy = 'previous'
  const { job } = await world.off('A')
  const gates: string[] = []
  world.gateway().onGate = label => gates.push(label)
  const ended = await world.ended(job.id)
  const steps = gates.filter(label => label.startsWith('after driver.')).map(label => label.slice('after driver.'.length))
  t.same(steps.slice(0, 6), ['observe', 'ticket', 'request', 'observe', 'setRestorePolicy', 'observe'])
  const plain = await offMs()
  t.equal(Date.parse(ended.endedAt ?? '') - Date.parse(ended.createdAt), plain.ms, `${plain.ms} ms, as without`)
  t.same(plain.world.bmc().policies, [], 'off already: nothing is asked')
  await plain.world.release('A')
  await world.release('A')
})

play('two holders, and a second off of the same hold', async (world, t) => {
  world.bmc().restorePolicy = 'on'
  await world.ended((await world.off('A')).job.id)
  await world.ended((await world.off('B')).job.id)
  t.same(world.bmc().policies, ['off'], 'found off, it is not set again')
  world.bmc().restorePolicy = 'previous'
  await world.ended((await world.off('B', { attempt: 2 })).job.id)
  t.same(world.bmc().policies, ['off', 'off'], 'changed under the hold, it is')
  t.equal(await before(world), 'on', 'what was before the hold is kept')
  t.equal(await world.release('A'), undefined)
  await world.time.run(60_000)
  t.equal(world.bmc().restorePolicy, 'off', 'one holder is left')
  await world.ended((await world.release('B'))?.id ?? '')
  t.equal(world.bmc().restorePolicy, 'on')
})

t.test('a first contact tells that there is no such setting', async t => {
  const world = await World.make()
  const device = await world.reads.device('b1')
  if (!device) throw new Error('no device')
  const probe = { hardware: {}, product: 'BMC' }
  t.match(verify(device, { ...probe, restorePolicy: null }), { restorePolicyTrouble: 'none' })
  t.notOk('restorePolicyTrouble' in verify(device, { ...probe, restorePolicy: 'on' }))
  t.same(
    (await readiness(world, world.node())).warnings.map(({ code }) => code),
    ['declared_binding'],
  )
})

play('a reboot sets it and puts it back', async (world, t) => {
  world.bmc().restorePolicy = 'previous'
  const { job } = await world.post('reboot', { holder: 'A' })
  t.match(await world.ended(job.id), { state: 'succeeded', power: 'on' })
  t.same(world.bmc().policies, ['off', 'previous'])
})

t.test('a release that keeps the node off keeps the policy too, until the next on', async t => {
  const world = await World.make()
  world.bmc().restorePolicy = 'on'
  await world.ended((await world.off('A')).job.id)
  t.equal(await world.release('A', { restore: false }), undefined)
  await world.time.run(60_000)
  t.equal(world.bmc().restorePolicy, 'off')
  t.match(await world.ended((await world.post('on')).job.id), { state: 'succeeded', warnings: [] })
  t.equal(world.bmc().restorePolicy, 'on')
  await world.settle()
  t.same(world.violations, [])
})

for (const [name, prepare, why, kept] of [
  ['a BMC without the setting', (world: World) => world.bmc().hasNoPolicy(), /no such setting/, 'none'],
  ['one that refuses it', (world: World) => void world.bmc().policyFaults.push({ refused: true }), /refused/, 'refused'],
] as const) {
  play(`${name}: a warning of the job, in the receipt, and kept for readiness`, async (world, t) => {
    world.bmc().restorePolicy = 'on'
    prepare(world)
    const ended = await world.ended((await world.off('A')).job.id)
    t.match(ended, { state: 'succeeded', warnings: [{ code: 'restore_policy', message: why, device: 'b1' }, { code: 'declared_binding' }] })
    const { payload } = await world.receipt(ended.receiptId)
    t.match(payload.warnings[0], /^restore_policy: b1 may come on by itself/)
    t.equal(await trouble(world), kept)
    t.match((await readiness(world, world.node())).warnings, [{ code: 'declared_binding' }, { code: 'restore_policy', device: 'b1' }])
    const asked = world.bmc().policies.length
    await world.time.run(120_000)
    t.equal(world.bmc().policies.length, asked, 'and the watch does not ask again and again')
    const on = await world.ended((await world.release('A'))?.id ?? '')
    t.match(on, { state: 'succeeded' })
  })
}

t.test('a BMC that hangs at it costs one exchange, and no more; the watch sets it later', async t => {
  const plain = await offMs()
  for (const fault of [{ takesMs: 9_000 }, { takesMs: 4_000, fails: 'unreachable' as const }]) {
    const { world, ms } = await offMs(world => {
      world.bmc().restorePolicy = 'on'
      world.bmc().policyFaults.push(fault)
    })
    t.ok(ms <= plain.ms + 5_500, `${ms} ms instead of ${plain.ms}`)
    const [job] = world.jobs()
    t.match(job?.warnings[0], { code: 'restore_policy', device: 'b1' })
    t.equal(await trouble(world), 'failed')
    await world.time.run(13_000)
    t.same([world.bmc().restorePolicy, await trouble(world), await before(world)], ['off', undefined, 'on'])
    await world.release('A')
    await world.settle()
    t.equal(world.bmc().restorePolicy, 'on')
    t.same(world.violations, [])
  }
})

play('a policy that is not put back is a warning of the on, and the next on puts it back', async (world, t) => {
  world.bmc().restorePolicy = 'on'
  await world.ended((await world.off('A')).job.id)
  world.bmc().policyFaults.push({ fails: 'device_busy' })
  const on = await world.ended((await world.release('A'))?.id ?? '')
  t.match(on, { state: 'succeeded', power: 'on', warnings: [{ code: 'restore_policy', message: /could not be put back to on/ }] })
  t.same([world.bmc().restorePolicy, await before(world)], ['off', 'on'], 'still kept')
  t.match(await world.ended((await world.post('on')).job.id), { state: 'succeeded', warnings: [] })
  t.same([world.bmc().restorePolicy, await before(world)], ['on', undefined])
})

play(
  'a put-back that was stopped on its way arrives under a later hold: the watch sets it again',
  async (world, t) => {
    const [m, n] = [world.gateway(0), world.gateway(1)]
    n.stop()
    world.bmc().restorePolicy = 'on'
    await world.ended((await world.off('A')).job.id)
    const stopped = m.stopAt('before driver.setRestorePolicy')
    const on = await world.release('A')
    await world.time.run(60_000, () => !m.works)
    await stopped
    n.resume()
    t.match(await world.ended(on?.id ?? ''), { state: 'succeeded' })
    t.equal(await before(world), undefined)
    const off = await world.off('B')
    t.match(await world.ended(off.job.id), { state: 'succeeded' })
    t.equal(world.bmc().restorePolicy, 'off')
    m.resume()
    await world.time.run(100)
    t.equal(world.bmc().restorePolicy, 'on', 'the late hand')
    t.equal(await before(world), 'on', 'it can not forget what the later hold has kept')
    await world.time.run(13_000)
    t.equal(world.bmc().restorePolicy, 'off')
    await world.ended((await world.release('B'))?.id ?? '')
    t.equal(world.bmc().restorePolicy, 'on')
  },
  { gateways: 2 },
)

for (const [times, what] of [
  [1, 'announces the put-back: nothing is sent'],
  [2, 'forgets what was before: what the later hold has kept stays'],
] as const) {
  play(
    `a worker that was stopped before it ${what}`,
    async (world, t) => {
      const [m, n] = [world.gateway(0), world.gateway(1)]
      n.stop()
      world.bmc().restorePolicy = 'on'
      await world.ended((await world.off('A')).job.id)
      const stopped = m.stopAt('before store.notePolicy', times)
      const on = await world.release('A')
      await world.time.run(60_000, () => !m.works)
      await stopped
      n.resume()
      t.match(await world.ended(on?.id ?? ''), { state: 'succeeded' })
      t.match(await world.ended((await world.off('B')).job.id), { state: 'succeeded' })
      const asked = [...world.bmc().policies]
      m.resume()
      await world.time.run(100)
      t.same(world.bmc().policies, asked)
      t.equal(await before(world), 'on')
      await world.ended((await world.release('B'))?.id ?? '')
      t.equal(world.bmc().restorePolicy, 'on')
    },
    { gateways: 2 },
  )
}

play(
  'levels: what the first was set to is put back, although the second concluded',
  async (world, t) => {
    for (const name of ['b1', 'b2']) world.bmc(name).restorePolicy = 'on'
    // Off at first, then never again reachable: the second level has to conclude.
    const n = world.gateway()
    n.onGate = label => {
      if (label === 'after driver.setRestorePolicy') world.bmc('b1').reachable = false
    }
    const { job } = await world.off('A', { deadlineSeconds: 60 })
    t.match(await world.ended(job.id), { state: 'succeeded' })
    n.onGate = () => undefined
    world.bmc('b1').reachable = true
    t.same([world.bmc('b1').restorePolicy, world.bmc('b2').restorePolicy], ['off', 'off'])
    t.match(await world.ended((await world.release('A'))?.id ?? ''), { state: 'succeeded', warnings: [] })
    t.same([world.bmc('b1').restorePolicy, world.bmc('b2').restorePolicy], ['on', 'on'])
  },
  { levels: [['b1'], ['b2']] },
)

// Deaths and stops at every moment.

const short = (rules: Rules): Rules => ({ ...rules, powerOnDelayMs: 5_000, powerOffDelayMs: 5_000 })

async function make(options: WorldOptions = {}): Promise<World> {
  const world = await World.make({ ...options, rules: short })
  world.bmc().restorePolicy = 'on'
  return world
}

/** Plays an off and its release to the end; says what is wrong with the policy. */
async function held(world: World, id: string): Promise<string | undefined> {
  const job = await world.ended(id, 400_000)
  if (job.state !== 'succeeded') return `${job.state}: ${job.failure?.message}`
  await world.time.run(13_000)
  if (world.bmc().restorePolicy !== 'off') return `${world.bmc().restorePolicy} under the hold`
  if ((await before(world)) !== 'on') return `${await before(world)} is kept`
  return undefined
}

async function released(world: World, id: string): Promise<string | undefined> {
  const job = await world.ended(id, 400_000)
  if (job.state !== 'succeeded') return `${job.state}: ${job.failure?.message}`
  await world.time.run(20_000)
  if (world.bmc().restorePolicy !== 'on') return `${world.bmc().restorePolicy} after the release`
  if ((await before(world)) !== undefined) return `${await before(world)} is still kept`
  await world.settle()
  return [...world.violations, ...world.gateways.flatMap(({ errors }) => errors.map(String))][0]
}

for (const leg of ['off', 'on'] as const) {
  for (const how of ['dies', 'is stopped for a while'] as const) {
    t.test(`${leg}: the process ${how} at any moment, another finishes: the policy is right, and back at the end`, async t => {
      /** Until the leg's job is there. */
      const begin = async (world: World): Promise<string> => {
        const { job } = await world.off('A')
        if (leg === 'off') return job.id
        await world.ended(job.id)
        return (await world.release('A'))?.id ?? ''
      }
      const plain = await make()
      const labels: string[] = []
      const first = await begin(plain)
      plain.gateway().onGate = label => labels.push(label)
      await plain.time.run(400_000, () => plain.jobs().some(job => job.id === first && isTerminal(job.state)))
      const failures: string[] = []
      let played = 0
      for (const [place, label] of labels.entries()) {
        if (!/store\.(notePolicy|intend|settle|record|conclude)|driver\./.test(label)) continue
        played++
        const world = await make()
        const [m, n] = [world.gateway(0), await world.startGateway()]
        n.stop()
        const id = await begin(world)
        let seen = 0
        m.onGate = () => {
          if (seen++ !== place) return
          if (how === 'dies') m.kill()
          else m.stop()
          n.resume()
          world.time.after(9_000, () => m.resume())
        }
        const wrong =
          (leg === 'off' ? await held(world, id) : undefined) ??
          (await released(world, leg === 'off' ? ((await world.release('A'))?.id ?? '') : id))
        if (wrong) failures.push(`${place} ${label}: ${wrong}`)
      }
      t.same(failures, [], `${played} places`)
      t.ok(labels.includes('after driver.setRestorePolicy'))
    })
  }
}
