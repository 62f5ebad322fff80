import t from 'tap'
import type { DeviceProgress, Job, Progress } from '../../src/core/job.ts'
import type { Command, Power } from '../../src/core/power.ts'
import { RULES } from '../../src/core/rules.ts'
import {
  afterMiss,
  afterRead,
  announced,
  beginOn,
  decide,
  enterLevel,
  type MachineContext,
  putOff,
  resume,
  settledAt,
} from '../../src/fencing/machine.ts'
import { at, begun, jobOf, readAt, without } from './support.ts'

/** What is decided, in one line. */
function next(job: Job, progress: Progress, context: MachineContext): string {
  const effect = decide(job, progress, context)
  switch (effect.kind) {
    case 'command':
      return `${effect.command} ${effect.device}`
    case 'wait':
      return `wait ${effect.untilMono}`
    case 'conclude':
      return `conclude ${effect.power}`
    case 'fail':
      return `fail ${effect.failure.code}`
    case 'next-level':
      return `next-level ${effect.failure.code}`
    case 'not-restored':
      return 'not-restored'
    default:
      return `${effect.kind} ${effect.device}`
  }
}

/** A job's way so far, told as its steps. */
class Way {
  progress: Progress
  readonly job: Job
  readonly #context: Partial<MachineContext>

  constructor(job: Job, more: Partial<Progress> = {}, context: Partial<MachineContext> = {}) {
    this.job = job
    this.#context = context
    this.progress = begun(job, more)
  }

  read(time: number, power: Power, device = 'd1'): this {
    this.progress = afterRead(this.progress, readAt(time, power, { device }), time + 10, this.#context.rules ?? RULES)
    return this
  }

  /** Reads every `everyMs`, the first and the last at these times. */
  reads(from: number, to: number, power: Power, everyMs = 500): this {
    for (let time = from; time <= to; time += everyMs) this.read(time, power)
    return this
  }

  sent(time: number, command: Command = 'off', options: { refused?: boolean; device?: string } = {}): this {
    const device = options.device ?? 'd1'
    this.progress = settledAt(announced(this.progress, device, command), device, time, options.refused ?? false)
    return this
  }

  miss(time: number, code: 'unreachable' | 'auth_failed' | 'identity_mismatch' = 'unreachable', device = 'd1'): this {
    this.progress = afterMiss(this.progress, device, { code, message: code, device }, time, RULES)
    return this
  }

  next(time: number, more: Partial<MachineContext> = {}): string {
    return next(this.job, this.progress, at(time, { ...this.#context, ...more }))
  }
}

const off = () => new Way(jobOf('off'))

t.test('an off: read, command, read, conclude', async t => {
  t.equal(off().next(0), 'read d1', 'a read comes first')
  t.equal(off().read(0, 'on').next(10), 'off d1')
  t.equal(off().read(0, 'on').sent(20).next(20), 'read d1')
  t.equal(off().read(0, 'on').sent(20).read(20, 'on').next(30), 'wait 520', 'the next read in half a second')
  t.equal(off().read(0, 'on').sent(20).reads(1000, 3500, 'off').next(3510), 'conclude off')
  t.equal(off().read(0, 'on').sent(20).reads(1000, 2400, 'off').next(2410), 'wait 2500')
  t.equal(off().read(0, 'on').sent(20).reads(1000, 2900, 'off').next(2910), 'wait 3010', 'one at 3000 would be just short of the dwell')
  t.equal(off().read(0, 'on').sent(20).reads(1000, 2900, 'off').read(3010, 'off').next(3020), 'conclude off')
  t.equal(off().read(0, 'unknown').next(10), 'off d1', 'an unclear read is no reason to wait')
})

t.test('an off of a node that was found off is sent all the same (S8)', async t => {
  t.equal(off().read(0, 'off').next(10), 'off d1')
  t.equal(off().read(0, 'off').sent(20).reads(20, 20_020, 'off').next(20_030), 'wait 20520', 'and dwells longer')
  t.equal(off().read(0, 'off').sent(20).reads(20, 30_520, 'off').next(30_530), 'conclude off')
  const rules = without('foundOffIsCommanded')
  t.equal(new Way(jobOf('off'), {}, { rules }).reads(0, 30_500, 'off').next(30_510), 'conclude off', 'the switch is what holds it')
})

t.test('an off under a confirmed hold: reads only (S5)', async t => {
  const held = () => new Way(jobOf('off'), { readsOnly: true })
  t.equal(held().read(0, 'off').next(10), 'wait 500')
  t.equal(held().reads(0, 2500, 'off').next(2510), 'conclude off')
  t.equal(held().read(0, 'on').next(10), 'off d1', 'found on, it is commanded')
  t.equal(held().read(0, 'off').read(500, 'on').next(510), 'off d1', 'and when it comes on')
  t.equal(held().read(0, 'on').sent(10).progress.readsOnly, false)
})

t.test('a command is sent again only after a fresh contrary read and its delay (promise 3)', async t => {
  const sent = () => off().read(0, 'on').sent(0)
  t.equal(sent().reads(0, 29_500, 'on').next(29_510), 'wait 30000', 'not before the delay')
  t.equal(sent().reads(0, 30_000, 'on').next(30_010), 'off d1')
  t.equal(sent().read(100, 'on').next(40_000), 'read d1', 'never on an old read')
  t.equal(sent().reads(0, 40_000, 'unknown').next(40_010).startsWith('wait'), true, 'never on an unclear one')
  t.equal(sent().miss(40_000).next(45_000), 'read d1', 'never on silence')
  const rules = without('resendNeedsContraryRead')
  t.equal(
    new Way(jobOf('off'), {}, { rules }).read(0, 'on').sent(0).read(100, 'unknown').next(600),
    'off d1',
    'the switch is what holds it',
  )
  t.equal(sent().read(500, 'off').read(1000, 'on').next(1010), 'off d1', 'it was off and came on again: a new cause')
  const again = () => off().read(0, 'on').sent(0).reads(0, 30_000, 'on').sent(30_000).reads(30_000, 60_000, 'on')
  t.equal(again().next(60_010), 'off d1')
  t.equal(again().sent(60_000).reads(60_000, 100_000, 'on').next(100_010).startsWith('wait'), true, 'three at most')
})

t.test('a refused command', async t => {
  const refused = () => off().read(0, 'on').sent(0, 'off', { refused: true })
  t.equal(refused().reads(0, 2500, 'off').next(2510), 'conclude off', 'refused may be off')
  t.equal(refused().reads(0, 4500, 'on').next(4510), 'wait 5000')
  t.equal(refused().reads(0, 5000, 'on').next(5010), 'off d1', 'asked again sooner than one that was taken')
  const busy = off().read(0, 'on')
  busy.progress = settledAt(announced(busy.progress, 'd1', 'off'), 'd1', 0, true, 12_000)
  t.equal(busy.reads(0, 11_500, 'on').next(11_510), 'wait 12000', 'the device says when')
})

t.test('open intents are settled before anything else (S2, S3)', async t => {
  const open = { openIntents: () => 1 }
  for (const action of ['off', 'on', 'reboot'] as const) t.equal(new Way(jobOf(action)).next(0, open), 'settle d1', action)
  const ready = off().read(0, 'on').sent(0).reads(100, 2600, 'off')
  t.equal(ready.next(2610), 'conclude off')
  t.equal(ready.next(2610, open), 'wait 3100', 'no verdict')
  t.equal(off().read(0, 'on').next(500, open), 'settle d1', 'no command')
  t.equal(ready.next(2610, { ...open, rules: without('openIntentsSettled') }), 'conclude off', 'the switch is what holds it')
  const way = off()
  way.progress = putOff(way.progress, 'd1', 5000)
  t.equal(way.next(100, open), 'wait 5000', 'one that has to be waited out is waited out')
})

t.test('deadlines (S16-S18)', async t => {
  t.equal(off().read(0, 'transitioning').next(120_000), 'fail deadline', 'no command: a plain failure')
  t.equal(off().miss(119_000).next(120_000), 'fail unreachable')
  t.equal(off().read(0, 'on').sent(0).read(119_000, 'on').next(120_000), 'fail indeterminate', 'after a command nothing else is true')
  t.equal(off().read(0, 'on').sent(0).reads(117_500, 120_000, 'off').next(120_000), 'conclude off', 'a verdict that is reached counts')
  t.equal(off().read(0, 'on').sent(0).next(119_999), 'read d1')
  const later = off().read(0, 'on').sent(0).read(125_000, 'transitioning')
  later.progress = resume(later.progress, { process: 'P', nowMono: 125_010, remainingMs: 60_000, levels: 1, rules: RULES })
  t.equal(later.next(125_010), 'wait 130000', 'a deadline that a joiner moved: waiting goes on in peace')
})

t.test('levels give way, and what was sent is remembered (S18)', async t => {
  const job = jobOf('off', [['d1'], ['d2']])
  const way = () => new Way(job)
  t.equal(way().miss(0).next(59_000), 'read d1')
  t.equal(way().miss(0).next(60_000), 'next-level unreachable', 'half of the time each')
  t.equal(way().miss(0, 'auth_failed').next(10), 'next-level auth_failed', 'at once where asking again is pointless')
  t.equal(new Way(jobOf('off')).miss(0, 'identity_mismatch').next(10), 'fail identity_mismatch')
  const second = way().read(0, 'on').sent(0)
  const failure = { code: 'unreachable' as const, message: 'd1 is away' }
  second.progress = enterLevel({ ...second.progress, failures: [failure] }, job, 1, {
    nowMono: 60_000,
    endpointOf: name => name,
    rules: RULES,
  })
  t.equal(second.next(60_000), 'read d2')
  t.equal(second.next(120_000), 'fail indeterminate', 'the first level was commanded')
  const effect = decide(job, second.progress, at(120_000))
  t.match(effect, { failure: { message: /d1 is away/ } }, 'why the first level failed is told')
})

t.test('all of a level', async t => {
  const both = () => new Way(jobOf('off', [['d1', 'd2']]))
  t.equal(both().read(0, 'on').next(10), 'off d1')
  t.equal(both().read(0, 'on').sent(10).next(10), 'read d1')
  t.equal(both().read(0, 'on').sent(10).read(20, 'off').next(30), 'read d2')
  const most = both().read(0, 'on').read(0, 'on', 'd2').sent(0).sent(0, 'off', { device: 'd2' })
  for (let time = 100; time < 3000; time += 500) most.read(time, 'off').read(time, 'off', 'd2')
  t.equal(most.next(2700), 'conclude off')
  most.read(3100, 'on', 'd2')
  t.same(
    most.progress.devices.map(({ counted }) => counted),
    [0, 0],
    'a contrary read of one restarts both (S12)',
  )
  t.not(most.next(3110), 'conclude off')
  const missed = both().read(0, 'on').sent(0).reads(100, 2600, 'off').miss(2700, 'unreachable', 'd2')
  t.same(
    missed.progress.devices.map(({ counted }) => counted),
    [0, 0],
    'silence of one too',
  )
})

t.test('an on', async t => {
  const on = (more: Partial<Job> = {}) => new Way(jobOf('on', [['d1']], more))
  t.equal(on().read(0, 'off').next(10), 'on d1')
  t.equal(on().read(0, 'on').next(10), 'wait 500', 'on already: no command')
  t.equal(on().reads(0, 2500, 'on').next(2510), 'conclude on')
  t.equal(on().read(0, 'transitioning').next(10), 'wait 500', 'unclear: no command')
  t.equal(on().read(0, 'off').sent(0, 'on').reads(0, 30_000, 'off').next(30_010), 'on d1', 'again only when it reads off after the delay')
  const settled = { settledMono: (_: DeviceProgress, command: Command) => (command === 'off' ? 0 : undefined) }
  t.equal(on().reads(100, 10_100, 'on').next(10_110, settled), 'wait 10600', 'an off that was settled before has to be outlasted (S8)')
  t.equal(on().reads(100, 30_100, 'on').next(30_110, settled), 'conclude on')
  t.equal(
    on({ cautious: true }).read(100, 'off').next(110, settled),
    'wait 600',
    'after a hold without a verdict a late off may still land (S17)',
  )
  t.equal(on({ cautious: true }).read(30_000, 'off').next(30_010, settled), 'on d1')
  t.equal(on().read(0, 'off').sent(0, 'on').next(120_000), 'fail indeterminate')
})

t.test('the on of a reboot', async t => {
  const job = jobOf('reboot')
  const restoring = () => {
    const way = new Way(job).read(0, 'on').sent(0).reads(100, 2600, 'off')
    way.progress = { ...beginOn(way.progress, { nowMono: 3000, endpointOf: name => name, rules: RULES }), offReceiptId: 'r1' }
    return way
  }
  const settledAtMono = (on: number | undefined, off = 0) => ({
    settledMono: (_: DeviceProgress, command: Command) => (command === 'on' ? on : off),
  })
  t.equal(restoring().read(3000, 'off').next(3010, settledAtMono(undefined)), 'on d1')
  const sent = () => restoring().read(3000, 'off').sent(3100, 'on')
  t.equal(sent().reads(3500, 8000, 'on').next(8010, settledAtMono(3100)), 'wait 8500', 'outlasts the off (S8)')
  t.equal(sent().reads(3500, 30_500, 'on').next(30_510, settledAtMono(3100)), 'conclude on')
  t.equal(sent().read(119_000, 'off').next(120_000, settledAtMono(3100)), 'not-restored', 'settled long ago, and off')
  t.equal(sent().read(119_000, 'off').next(120_000, settledAtMono(100_000)), 'fail indeterminate', 'it may come on yet (S8)')
  t.equal(
    sent()
      .read(119_000, 'off')
      .next(120_000, { ...settledAtMono(3100), openIntents: () => 1 }),
    'fail indeterminate',
    'an intent is open (S3)',
  )
  t.equal(sent().read(119_000, 'unknown').next(120_000, settledAtMono(3100)), 'fail indeterminate', 'nobody knows')
  t.equal(
    sent().read(20_000, 'off').miss(119_000).next(120_000, settledAtMono(3100)),
    'fail indeterminate',
    'it was last read before the on could land',
  )
  t.equal(restoring().miss(119_000).next(120_000, settledAtMono(undefined)), 'not-restored', 'no on was ever sent: the off stands')
  t.equal(restoring().miss(4000, 'auth_failed').next(4010, settledAtMono(undefined)), 'not-restored')
})

t.test('a status', async t => {
  const status = (levels = [['d1']]) => new Way(jobOf('status', levels))
  for (const power of ['on', 'off', 'transitioning', 'unknown'] as const) t.equal(status().read(0, power).next(10), `conclude ${power}`)
  t.equal(
    status([['d1', 'd2']])
      .read(0, 'off')
      .next(10),
    'read d2',
  )
  t.equal(
    status([['d1', 'd2']])
      .read(0, 'off')
      .read(0, 'on', 'd2')
      .next(10),
    'conclude unknown',
    'they differ',
  )
  t.equal(
    status([['d1'], ['d2']])
      .miss(0)
      .next(500),
    'read d1',
  )
  t.equal(
    status([['d1'], ['d2']])
      .miss(0)
      .miss(500)
      .next(1000),
    'next-level unreachable',
  )
  t.equal(status().miss(0, 'auth_failed').next(10), 'fail auth_failed')
  t.equal(status().next(120_000), 'fail deadline')
})

t.test('a job that another process takes over begins with a read, and all waits anew (S23)', async t => {
  const args = { process: 'Q', nowMono: 900_000, remainingMs: 60_000, levels: 1, rules: RULES }
  const taken = off().read(0, 'on').sent(0).reads(100, 2600, 'off')
  taken.progress = resume(taken.progress, args)
  t.equal(taken.next(900_000), 'read d1', 'nothing that was read counts')
  t.equal(taken.progress.devices[0]?.lastCommand?.settledMono, 900_000)
  t.equal(taken.read(900_000, 'on').next(900_010), 'off d1', 'it had been off after the command: a new cause')
  const again = off().read(0, 'on').sent(0)
  again.progress = resume(again.progress, args)
  t.equal(again.next(900_000), 'read d1')
  t.equal(again.read(900_000, 'on').next(900_010), 'wait 900500', 'not sent again before the delay on the new clock')
  const same = off().read(0, 'on').sent(0).reads(100, 2600, 'off')
  same.progress = resume(same.progress, { ...args, process: 'P', nowMono: 2610 })
  t.equal(same.next(2610), 'conclude off', 'the same process goes on where it was')
  t.equal(same.progress.deadlineMono, 62_610, 'with the deadline as it is now')
})

t.test('reads slow down with time', async t => {
  const pause = (time: number) => (off().read(time, 'on').progress.devices[0]?.nextReadMono ?? 0) - time
  t.equal(pause(1000), 500)
  t.equal(pause(29_000), 500)
  t.ok(pause(33_000) > 500)
  t.equal(pause(90_000), 5000)
})
