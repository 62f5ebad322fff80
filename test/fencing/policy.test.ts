import t from 'tap'
import type { Job, Progress } from '../../src/core/job.ts'
import type { Power, RestorePolicy } from '../../src/core/power.ts'
import { RULES } from '../../src/core/rules.ts'
import { afterRead, announced, beginOn, decide, type MachineContext, policyDone, settledAt } from '../../src/fencing/machine.ts'
import { at, begun, jobOf, readAt, without } from './support.ts'

// The power restore policy (S7) as the pure machine asks for it.

const BEFORE = { policyBefore: () => 'previous' as const }

function read(progress: Progress, time: number, power: Power, restorePolicy: RestorePolicy | null | undefined, device = 'd1'): Progress {
  const { restorePolicy: _default, ...plain } = readAt(time, power, { device })
  return afterRead(progress, restorePolicy === undefined ? plain : { ...plain, restorePolicy }, time + 10, RULES)
}

function next(job: Job, progress: Progress, time: number, more: Partial<MachineContext> = {}): string {
  const effect = decide(job, progress, at(time, more))
  if (effect.kind === 'policy') return `policy ${effect.device} ${effect.policy} ${effect.limitMs}`
  return effect.kind === 'command' ? effect.command : effect.kind
}

const off = jobOf('off')
const on = jobOf('on')
const sent = (progress: Progress, time: number) => settledAt(announced(progress, 'd1', 'off'), 'd1', time, false)

t.test('an off leg sets it to off: after the command, after the first counted read, once', async t => {
  const found = read(begun(off), 0, 'on', 'previous')
  t.equal(next(off, found, 10), 'off', 'the command comes first')
  const commanded = sent(found, 20)
  t.equal(next(off, commanded, 20), 'read')
  t.equal(next(off, read(commanded, 20, 'on', 'previous'), 30), 'wait', 'still on: nothing counted yet')
  const counted = read(commanded, 20, 'off', 'previous')
  t.equal(next(off, counted, 30), 'policy d1 off 5000', 'in the dwell, and as long as one exchange at most')
  t.equal(next(off, policyDone(counted, 'd1'), 30), 'wait', 'once')
  t.equal(next(off, read(policyDone(counted, 'd1'), 600, 'off', 'previous'), 610), 'wait', 'also where it shows no effect')
  t.equal(next(off, counted, 30, { rules: without('restorePolicyHeld') }), 'wait', 'the switch is what does it')
})

t.test('it goes by what was read: off already, none, or not seen', async t => {
  const counted = (policy: RestorePolicy | null | undefined) => read(sent(read(begun(off), 0, 'on', policy), 20), 20, 'off', policy)
  t.equal(next(off, counted('off'), 30), 'wait', 'nothing to do')
  t.equal(next(off, counted(null), 30), 'policy d1 off 5000', 'none: so that it is said')
  t.equal(next(off, counted(undefined), 30), 'policy d1 off 5000', 'a driver that does not see it')
  const changed = read(read(sent(read(begun(off), 0, 'on', 'off'), 20), 20, 'off', 'off'), 600, 'off', 'on')
  t.equal(next(off, changed, 610), 'policy d1 off 5000', 'somebody changed it meanwhile')
  t.equal(next(off, read(sent(read(begun(off), 0, 'on', 'on'), 20), 20, 'off', undefined), 30), 'policy d1 off 5000')
})

t.test('an off that is read only, and a level of two', async t => {
  t.equal(next(off, read(begun(off, { readsOnly: true }), 0, 'off', 'on'), 10), 'policy d1 off 5000', 'a joiner goes by what it reads too')
  const pair = jobOf('off', [['d1', 'd2']])
  let both = begun(pair, { readsOnly: true })
  both = read(read(both, 0, 'off', 'on'), 0, 'off', 'previous', 'd2')
  t.match(next(pair, both, 10), /^policy d1/)
  t.match(next(pair, policyDone(both, 'd1'), 10), /^policy d2/)
})

t.test('where time is short it gets less, or none', async t => {
  const late = (deadlineMono: number) => read(sent(read(begun(off, { deadlineMono }), 0, 'on', 'on'), 20), 20, 'off', 'on')
  t.equal(next(off, late(10_000), 30), 'policy d1 off 5000')
  t.equal(next(off, late(5_000), 30), 'policy d1 off 1970', 'the dwell of 2 s and two reads have to fit behind it')
  t.equal(next(off, late(3_400), 30), 'policy d1 off 0', 'none: only said')
  const found = read(sent(read(begun(off, { deadlineMono: 33_000 }), 0, 'off', 'on'), 20), 20, 'off', 'on')
  t.equal(next(off, found, 30), 'policy d1 off 1970', 'found off it dwells 30 s')
  const two = jobOf('off', [['d1'], ['d2']])
  const share = read(sent(read(begun(two, { levelEndsMono: 4_000 }), 0, 'on', 'on'), 20), 20, 'off', 'on')
  t.equal(next(two, share, 30), 'policy d1 off 970', "the level's share counts, not the deadline")
})

t.test('an on leg puts back what a hold has changed, once it reads on', async t => {
  const start = begun(on)
  t.equal(next(on, read(start, 0, 'off', 'off'), 10, BEFORE), 'on')
  t.equal(next(on, read(start, 0, 'on', 'off'), 10, BEFORE), 'policy d1 previous 5000')
  t.equal(next(on, read(start, 0, 'on', 'previous'), 10, BEFORE), 'policy d1 previous 5000', 'there already: so that it is forgotten')
  t.equal(next(on, policyDone(read(start, 0, 'on', 'off'), 'd1'), 10, BEFORE), 'wait', 'once')
  t.equal(next(on, read(start, 0, 'on', 'off'), 10), 'wait', 'nothing was changed')
  t.equal(next(on, read(start, 0, 'on', 'off'), 10, { ...BEFORE, rules: without('restorePolicyHeld') }), 'wait')
  const reboot = jobOf('reboot')
  const args = { nowMono: 3_000, endpointOf: (name: string) => name, rules: RULES }
  const back = beginOn(policyDone(read(sent(read(begun(reboot), 0, 'on', 'on'), 20), 20, 'off', 'on'), 'd1'), args)
  t.equal(next(reboot, read(back, 3_000, 'on', 'off'), 3_010, BEFORE), 'policy d1 previous 5000', 'the on of a reboot too')
})

t.test('a status job leaves it alone', async t => {
  t.equal(next(jobOf('status'), read(begun(jobOf('status')), 0, 'on', 'on'), 10, BEFORE), 'conclude')
})
