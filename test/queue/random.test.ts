import t from 'tap'
import { SafestateError } from '../../src/core/errors.ts'
import { isTerminal } from '../../src/core/job.ts'
import type { Rules } from '../../src/core/rules.ts'
import type { CommandFault } from './bmc.ts'
import { isBlind, World } from './world.ts'

t.setTimeout(240_000)

/** Delays that the faults below keep to, as the real ones are to be set to what the hardware needs. */
const DELAY_MS = 5_000

const short = (rules: Rules): Rules => ({
  ...rules,
  powerOnDelayMs: DELAY_MS,
  powerOffDelayMs: DELAY_MS,
  // No longer than the plain one, so that it does not hide what the other rules are there for.
  confirm: { ...rules.confirm, foundOffDwellMs: rules.confirm.dwellMs },
})

/** Numbers from a seed: mulberry32. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** What a person, a controller, the network and the machine room did, and what came of it. */
async function history(seed: number, off: (keyof Rules['switches'])[] = []): Promise<string[]> {
  const random = numbers(seed)
  const chance = (percent: number) => random(100) < percent
  const one = <T>(list: T[]): T => list[random(list.length)] as T
  const told: string[] = []
  const world = await World.make({ gateways: 2, handsRound: chance(50), rules: short, off })
  const bmc = world.bmc()
  // Without sessions a process that was stopped before its write can't be called back (S3): there it only dies.
  if (chance(20)) bmc.auth = 'basic'
  if (chance(30)) bmc.power = 'off'
  bmc.restorePolicy = one(['off', 'previous', 'on', null])
  const holders = ['A', 'B', 'C']
  const faults: (() => CommandFault)[] = [
    () => ({ reply: 'lost', arriveMs: random(14_000) }),
    () => ({ effectMs: random(DELAY_MS) }),
    () => ({ arriveMs: random(5_000), effectMs: random(DELAY_MS) }),
    () => ({ reply: 'ignored' }),
    () => ({ reply: 'refused' }),
    () => ({ reply: 'swallowed' }),
    () => ({ reply: 'unsent' }),
  ]
  const holder = () => one(holders)
  let deaths = 0
  const acts: (() => Promise<unknown> | undefined)[] = [
    () => world.off(holder(), { deadlineSeconds: one([4, 20, 120]), attempt: 1 + random(2) }),
    () => world.off(holder(), { deadlineSeconds: 120 }),
    () => world.off(holder(), { acceptAssurance: ['confirmed'] }),
    () => world.post('on', { deadlineSeconds: one([4, 60]) }),
    () => world.post('reboot', { holder: 'person', deadlineSeconds: 120 }),
    () => world.post('status', { deadlineSeconds: 10 }),
    () => world.release(holder()),
    () => world.release(holder(), { attempt: 1 }),
    () => (chance(20) ? world.release('nobody', { force: true }) : undefined),
    async () => {
      const open = world.jobs().filter(job => !isTerminal(job.state))
      return open.length > 0 ? world.store.cancel({ jobId: one(open).id, holder: holder() }) : undefined
    },
    async () => {
      const hold = await world.hold()
      const releaseHolder = { holdId: hold?.id ?? 'none', holder: holder(), attempt: 1 }
      return world.post('on', { releaseHolder })
    },
    () => void bmc.commandFaults.off.push(one(faults)()),
    () => void bmc.commandFaults.on.push(one(faults)()),
    () =>
      void bmc.readFaults.push(
        one([{ hangs: true }, { power: 'transitioning' as const }, { power: 'unknown' as const }, { fails: 'bad_answer' as const }]),
      ),
    () => void bmc.policyFaults.push(one([{ refused: true }, { fails: 'device_busy' as const }, { takesMs: random(12_000) }])),
    () => bmc.forgetSessions() as undefined,
    () => {
      bmc.reachable = false
      world.time.after(random(8_000), () => {
        bmc.reachable = true
      })
      return undefined
    },
    () => {
      const gateway = one(world.gateways)
      const at = gateway.gates + random(40)
      const stopFor = random(12_000)
      const dies = bmc.auth === 'basic' || chance(30)
      gateway.onGate = (label, count) => {
        if (count < at) return
        gateway.onGate = () => {}
        told.push(`${gateway.name} ${dies ? 'dies' : `stops for ${stopFor}`} ${label}`)
        if (dies) {
          gateway.kill()
          if (++deaths < 10) void world.startGateway()
        } else {
          gateway.stop()
          world.time.after(stopFor, () => gateway.resume())
        }
      }
      return undefined
    },
  ]
  for (let step = 0; step < 14; step++) {
    const act = random(acts.length)
    try {
      await acts[act]?.()
      told.push(`${world.time.now() - Date.UTC(2026, 0, 1)} act ${act}`)
    } catch (error) {
      if (!(error instanceof SafestateError)) throw error
    }
    await world.time.run(one([0, 50, 600, 3_000, 8_000]))
    await checkHolders(world)
  }
  await heal(world)
  for (const gateway of world.gateways) for (const error of gateway.errors) world.broken('error', String(error))
  return world.violations.length > 0 ? [...world.violations, ...told, ...world.log, ...bmc.history] : []
}

/** P5: whoever has an off under way holds the node. */
async function checkHolders(world: World): Promise<void> {
  const hold = await world.hold()
  for (const job of world.jobs()) {
    if (job.action !== 'off' || isTerminal(job.state)) continue
    const lost = job.holders.find(({ holder }) => !hold?.holders.some(one => one.holder === holder))
    if (lost) world.broken('P5', `${lost.holder} of ${job.id} holds nothing`)
  }
}

/** All faults end, all holders let go, and the node is asked on: it has to come on and stay on. */
async function heal(world: World): Promise<void> {
  const bmc = world.bmc()
  for (const gateway of world.gateways) {
    gateway.onGate = () => {}
    gateway.resume()
  }
  bmc.commandFaults.off.length = 0
  bmc.commandFaults.on.length = 0
  bmc.readFaults.length = 0
  bmc.policyFaults.length = 0
  await world.startGateway()
  const allEnded = () => world.jobs().every(job => isTerminal(job.state))
  for (;;) {
    if (!(await world.time.run(1_000_000, allEnded))) {
      for (const job of world.jobs()) if (!isTerminal(job.state)) world.broken('P3', `${job.action} ${job.id} never ends`)
      return
    }
    const hold = await world.hold()
    const [first] = hold?.holders ?? []
    if (!hold) break
    if (!first) return world.broken('P3', 'a hold that nobody holds stands')
    const on = await world.release(first.holder)
    if (!on) continue
    // What a hold owes is given, and nothing that was sent before takes it back (P3).
    if ((await world.ended(on.id)).state !== 'succeeded')
      world.broken('P3', `the on that was owed ended: ${(await world.job(on.id)).failure?.code}`)
    await world.time.run(60_000)
    if (!world.isOn()) world.broken('P3', 'nobody wants the node off, and it is off')
  }
  if (!world.isOn()) await world.post('on')
  await world.time.run(1_000_000, allEnded)
  await world.time.run(60_000)
  if (!world.isOn()) world.broken('P3', 'the node was asked on and is off')
  for (const job of world.jobs())
    if (isBlind(job, 'off') || isBlind(job, 'on')) world.broken('promise 3', `${job.id} sent again in the dark`)
  const kept = async () => (await world.reads.device('b1'))?.restorePolicyBefore
  if ((await kept()) !== undefined) {
    // The on that would have put it back was given up when the node was on already (or never asked for): the next one does.
    const { job } = await world.post('on')
    await world.ended(job.id)
    if ((await kept()) !== undefined) world.broken('S7', 'what the restore policy was before the hold is not put back')
  }
  if (world.openIntents() > 0) world.broken('S3', 'an intent is left open')
  for (const one of bmc.flying) if (one.executions > 1) world.broken('P4', `command ${one.id} was carried out ${one.executions} times`)
}

const from = Number(process.env['SEED'] ?? 1)
const count = Number(process.env['SEEDS'] ?? 100)

t.test(`${count} schedules from seed ${from}: nothing breaks`, async t => {
  for (let seed = from; seed < from + count; seed++) {
    const broken = await history(seed)
    if (broken.length > 0) return t.fail(`seed ${seed}`, { broken })
  }
  t.pass('all kept')
})
