import t from 'tap'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import type { ScriptedBmc } from '../wire/ipmi-bmc.ts'
import { ipmiWorld, measured } from './ipmi.ts'
import type { World } from './world.ts'

const { chassisControl, chassisStatus, dcmiPower, systemGuid } = COMMANDS
const OK = { completion: 0, data: Buffer.alloc(0) }

const asked = (bmc: ScriptedBmc, name: string) => bmc.log.filter(one => one === name).length

/** Takes the off, does nothing, and says off from then on. Its watts do not lie. */
function lying(world: World, bmc: ScriptedBmc): void {
  let lies = false
  bmc.custom = name => {
    if (name === chassisControl.name) {
      lies = true
      return OK
    }
    if (name === chassisStatus.name) return { completion: 0, data: Buffer.from([lies ? 0 : 1, 0, 0]) }
    return name === dcmiPower.name ? measured(world, 300) : undefined
  }
}

t.test('a BMC that lies about its power: the watts contradict, whether the answer to the command came or not (S11)', async t => {
  for (const isLost of [false, true]) {
    const { world, bmc } = await ipmiWorld()
    lying(world, bmc)
    // The session of an unanswered command is closed, and the next one has seen nothing.
    if (isLost) bmc.mute.add(chassisControl.name)
    const ended = await world.ended((await world.off()).job.id)
    const why = /b1 last read off, contradicted by ipmi DCMI power reading: 300 W \(300 W while it ran\), .* quirk ignore-watts/
    t.match(ended, { state: 'failed', failure: { code: 'indeterminate', message: why } })
    t.match(ended.evidence.at(-1), { power: 'off', counted: false, raw: /ipmi DCMI power reading: 300 W .* quirk ignore-watts/ })
    t.same(world.violations, [])
  }
})

t.test('a BMC that lies about its power to the process that takes over a job is contradicted by what the first one saw', async t => {
  const { world, bmc } = await ipmiWorld(2)
  lying(world, bmc)
  const [first] = world.gateways
  if (first === undefined) return t.fail('no gateway')
  const stopped = first.stopAt('after driver.request')
  const { job } = await world.off()
  await world.time.run(5_000)
  await stopped
  first.kill()
  t.match(await world.ended(job.id), { state: 'failed', failure: { message: /contradicted by ipmi DCMI power reading/ } })
  t.same(world.violations, [])
  return undefined
})

t.test('a BMC that is silent to DCMI alone is fenced all the same', async t => {
  const { world, bmc } = await ipmiWorld()
  bmc.mute.add(dcmiPower.name)
  const ended = await world.ended((await world.off()).job.id)
  t.match(ended, { state: 'succeeded' })
  t.same(bmc.controls, ['down'])
  t.equal(asked(bmc, 'openRequest'), 1, 'over one session')
  t.ok(asked(bmc, dcmiPower.name) <= 2)
})

t.test('a second opinion that is missing once the machine is off is none', async t => {
  for (const answer of [0xc0, 0xc1, 0xc3, 0xce, 0xd3, 0xd5, 0xff, 'silence'] as const) {
    const { world, bmc } = await ipmiWorld()
    bmc.custom = name => {
      if (name !== dcmiPower.name) return undefined
      if (bmc.on) return measured(world, 300)
      if (answer === 'silence') bmc.mute.add(name)
      return { completion: answer === 'silence' ? 0 : answer, data: Buffer.alloc(0) }
    }
    const ended = await world.ended((await world.off()).job.id)
    t.match(ended, { state: 'succeeded' }, `${answer}`)
    t.same(bmc.controls, ['down'])
  }
})

t.test('a BMC whose log-in tells no GUID, and that can not tell it for a moment: the same machine, a moment later (S9)', async t => {
  for (const hiccup of ['lost session', 'unspecified error'] as const) {
    const { world, bmc } = await ipmiWorld()
    bmc.guid = Buffer.alloc(16)
    let trouble = false
    bmc.custom = name => {
      if (name !== systemGuid.name) return undefined
      const answer = { completion: 0, data: Buffer.from('00112233445566778899aabbccddeeff', 'hex') }
      if (!trouble) return answer
      trouble = false
      if (hiccup === 'unspecified error') return { ...answer, completion: 0xff }
      bmc.reset()
      bmc.mute.add(name)
      world.time.after(1, () => bmc.mute.delete(name))
      return answer
    }
    await world.ended((await world.post('status')).job.id)
    t.match(await world.reads.device('b1'), { hardware: { guid: '00112233445566778899aabbccddeeff' } }, 'pinned')
    // Its session is idle and gone by then.
    await world.time.run(130_000)
    bmc.reset()
    trouble = true
    const ended = await world.ended((await world.off()).job.id)
    t.match(ended, { state: 'succeeded' }, hiccup)
    t.notOk(trouble)
    t.same(bmc.controls, ['down'])
  }
})
