import t from 'tap'
import type { DeviceProgress } from '../../src/core/job.ts'
import type { Command, Power } from '../../src/core/power.ts'
import { RULES, type Rules } from '../../src/core/rules.ts'
import { countRead, heard, type VerdictContext, verdict } from '../../src/fencing/confirm.ts'
import { commanded, readAt, says, without } from './support.ts'

type Read = [at: number, power: Power, witness?: Power]

/** Counts the reads towards `goal`, from a device that was commanded and settled at 0. */
function counting(reads: Read[], options: { goal?: Command; rules?: Rules; from?: Partial<DeviceProgress> } = {}): DeviceProgress {
  let device = commanded(options.from)
  for (const [at, power, witness] of reads) {
    const observation = readAt(at, power, { witnesses: witness ? says(witness) : [] })
    device = countRead(device, observation, options.goal ?? 'off', options.rules ?? RULES)
  }
  return device
}

function context(more: Partial<VerdictContext> = {}): VerdictContext {
  return { goal: 'off', rules: RULES, readsOnly: false, witnessWanted: false, otherCommand: () => undefined, ...more }
}

const enough: Read[] = [
  [100, 'off'],
  [1100, 'off'],
  [2200, 'off'],
]

t.test('only an exact off counts', async t => {
  for (const power of ['on', 'transitioning', 'unknown'] as const) {
    t.equal(counting([[100, power]]).counted, 0, power)
    t.equal(heard(readAt(0, power), 'off', RULES) === 'off', false, `${power} is not heard as off`)
  }
  t.equal(counting([[100, 'off']]).counted, 1)
  t.equal(counting([[100, 'unknown']], { rules: without('exactOffOnly') }).counted, 1, 'the switch is what holds it')
  t.equal(counting([[100, 'off']], { goal: 'on' }).counted, 0, 'nor is off on')
  t.equal(counting([[100, 'transitioning']], { goal: 'on' }).counted, 0)
})

t.test('a verdict wants three reads over the dwell', async t => {
  const cases: [what: string, reads: Read[], reached: boolean][] = [
    ['none', [], false],
    ['one', [[100, 'off']], false],
    [
      'two over the dwell',
      [
        [100, 'off'],
        [3000, 'off'],
      ],
      false,
    ],
    ['three over the dwell', enough, true],
    [
      'three within less than the dwell',
      [
        [100, 'off'],
        [1000, 'off'],
        [2000, 'off'],
      ],
      false,
    ],
    [
      'exactly the dwell, from the end of the first to the start of the last',
      [
        [100, 'off'],
        [1000, 'off'],
        [2110, 'off'],
      ],
      true,
    ],
    [
      'a millisecond less',
      [
        [100, 'off'],
        [1000, 'off'],
        [2109, 'off'],
      ],
      false,
    ],
    [
      'too close together: the second does not count',
      [
        [100, 'off'],
        [599, 'off'],
        [2200, 'off'],
      ],
      false,
    ],
    [
      'just far enough apart',
      [
        [100, 'off'],
        [600, 'off'],
        [2200, 'off'],
      ],
      true,
    ],
    [
      'one on in between',
      [
        [100, 'off'],
        [1100, 'on'],
        [2200, 'off'],
      ],
      false,
    ],
    [
      'an on, and then enough',
      [
        [100, 'off'],
        [1100, 'on'],
        [2000, 'off'],
        [3000, 'off'],
        [4100, 'off'],
      ],
      true,
    ],
    [
      'one PoweringOff in between',
      [
        [100, 'off'],
        [1100, 'transitioning'],
        [2200, 'off'],
        [2800, 'off'],
      ],
      false,
    ],
    [
      'one unknown in between',
      [
        [100, 'off'],
        [1100, 'unknown'],
        [2200, 'off'],
        [2800, 'off'],
      ],
      false,
    ],
  ]
  for (const [what, reads, reached] of cases) t.equal(verdict([counting(reads)], context()), reached ? 'reached' : 'open', what)
  t.equal(verdict([], context()), 'open', 'a level without devices never concludes')
})

t.test('a contrary read restarts the count', async t => {
  const flapping: Read[] = [
    [100, 'off'],
    [1100, 'off'],
    [1700, 'on'],
    [2200, 'off'],
  ]
  t.equal(verdict([counting(flapping)], context()), 'open')
  const rules = without('contraryReadRestarts')
  t.equal(verdict([counting(flapping, { rules })], context({ rules })), 'reached', 'the switch is what holds it')
})

t.test('only reads asked for after the command was settled count', async t => {
  const from = { lastCommand: { settledMono: 500, refused: false } }
  const early: Read[] = [
    [100, 'off'],
    [1100, 'off'],
    [2200, 'off'],
  ]
  t.equal(counting(early, { from }).counted, 2)
  t.equal(verdict([counting(early, { from })], context()), 'open')
  const rules = without('readsAfterCommandOnly')
  t.equal(verdict([counting(early, { from, rules })], context({ rules })), 'reached', 'the switch is what holds it')
  t.equal(counting([[499, 'off']], { from }).counted, 0)
  t.equal(counting([[500, 'off']], { from }).counted, 1)
})

t.test('a read that began before the one counted last does not count', async t => {
  t.equal(
    counting([
      [2000, 'off'],
      [100, 'off'],
    ]).counted,
    1,
  )
})

t.test('witnesses can veto, and never make something off (S11)', async t => {
  for (const power of ['on', 'transitioning'] as const) {
    t.equal(heard(readAt(0, 'off', { witnesses: says(power) }), 'off', RULES), 'on', `a witness says ${power}`)
    t.equal(
      counting([
        [100, 'off'],
        [1100, 'off', power],
        [2200, 'off'],
        [2800, 'off'],
      ]).counted,
      2,
      `${power} restarts the count`,
    )
    t.equal(heard(readAt(0, 'off', { witnesses: says(power) }), 'off', without('witnessVetoes')), 'off', 'the switch is what holds it')
  }
  for (const power of ['on', 'transitioning', 'unknown'] as const)
    t.equal(heard(readAt(0, power, { witnesses: says('off') }), 'off', RULES), power, `${power} stays ${power} whatever a witness says`)
  t.equal(heard(readAt(0, 'off', { witnesses: says('unknown') }), 'off', RULES), 'off', 'one that does not know neither helps nor harms')
  t.equal(heard(readAt(0, 'off', { witnesses: [...says('off'), ...says('on')] }), 'off', RULES), 'on', 'one of several is enough')
})

t.test('OpenBMC: off without a witness that says off is unknown (S11)', async t => {
  const cases: [Power | undefined, Power][] = [
    [undefined, 'unknown'],
    ['unknown', 'unknown'],
    ['off', 'off'],
    ['on', 'on'],
  ]
  for (const [witness, said] of cases)
    t.equal(heard(readAt(0, 'off', { witnessRequired: true, witnesses: witness ? says(witness) : [] }), 'off', RULES), said, `${witness}`)
  t.equal(heard(readAt(0, 'on', { witnessRequired: true }), 'on', RULES), 'on', 'on needs none')
})

t.test('a node that was found off (S8)', async t => {
  const short = counting(enough, { from: { found: 'off' } })
  t.equal(verdict([short], context()), 'open', 'three reads over 2 s are not enough')
  const long: Read[] = [
    [100, 'off'],
    [15_000, 'off'],
    [30_110, 'off'],
  ]
  t.equal(verdict([counting(long, { from: { found: 'off' } })], context()), 'reached', 'over 30 s they are')
  t.equal(verdict([counting(long.slice(0, 2).concat([[30_109, 'off']]), { from: { found: 'off' } })], context()), 'open', 'a ms less')
  for (const found of ['transitioning', 'unknown'] as const)
    t.equal(verdict([counting(enough, { from: { found } })], context()), 'open', `found ${found}: it may be in somebody's power cycle too`)
  const unsent = counting(long, { from: { found: 'off', commands: 0 } })
  t.equal(verdict([unsent], context()), 'open', 'never without a command of ours')
  t.equal(verdict([unsent], context({ rules: without('foundOffIsCommanded') })), 'reached', 'the switch is what holds it')
  t.equal(
    verdict([counting(enough, { from: { found: 'off', commands: 0 } })], context({ readsOnly: true })),
    'reached',
    'under a confirmed hold reads suffice',
  )
  t.equal(
    verdict(
      [
        counting(
          enough.map(([at]): Read => [at, 'on']),
          { goal: 'on', from: { found: 'off' } },
        ),
      ],
      context({ goal: 'on' }),
    ),
    'reached',
    'an on needs no such wait',
  )
})

t.test('both verdicts outlast the other command (S8)', async t => {
  for (const goal of ['off', 'on'] as const) {
    const device = counting(
      enough.map(([at]): Read => [at, goal]),
      { goal },
    )
    const of = (settledMono: number, delayMs: number, rules = RULES) =>
      verdict([device], context({ goal, rules, otherCommand: () => ({ settledMono, delayMs }) }))
    t.equal(of(-28_000, 30_000), 'reached', `${goal}: its effect is over`)
    t.equal(of(-27_800, 30_000), 'reached', `${goal}: just`)
    t.equal(of(-27_799, 30_000), 'open', `${goal}: the last read began a ms too early`)
    t.equal(of(-27_799, 30_000, without('otherCommandOutlasted')), 'reached', `${goal}: the switch is what holds it`)
  }
})

t.test('all of a level, within one common dwell (S12)', async t => {
  const first = counting(enough)
  const later = counting([
    [1500, 'off'],
    [2500, 'off'],
    [3600, 'off'],
  ])
  t.equal(verdict([first, first], context()), 'reached')
  t.equal(verdict([first, later], context()), 'open', 'each has dwelt 2 s, but not together')
  t.equal(verdict([counting([...enough, [3600, 'off']]), later], context()), 'reached', 'together from 1.5 s to 3.6 s')
  t.equal(verdict([first, counting([])], context()), 'open', 'one says nothing')
  t.equal(
    verdict([counting([...enough, [3600, 'off']], { from: { found: 'off' } }), later], context()),
    'open',
    'the longest dwell of all counts',
  )
})

t.test('corroborated only with a witness on each read', async t => {
  const all = counting(enough.map(([at]): Read => [at, 'off', 'off']))
  const most = counting([
    [100, 'off', 'off'],
    [1100, 'off'],
    [2200, 'off', 'off'],
  ])
  t.equal(verdict([all], context({ witnessWanted: true })), 'reached')
  t.equal(verdict([most], context({ witnessWanted: true })), 'open')
})

t.test('the first and the newest reads are kept, and all are counted', async t => {
  const many = counting(Array.from({ length: 50 }, (_, i): Read => [1000 * (i + 1), 'off']))
  t.equal(many.counted, 50)
  t.equal(many.streak.length, 8)
  t.equal(many.streak[0]?.startedMono, 1000)
  t.equal(many.streak.at(-1)?.startedMono, 50_000)
})
