import t from 'tap'
import { PowerModel } from '../../src/simulator/index.ts'
import { VirtualClock } from './support.ts'

function setUp(options: { offDelayMs?: number; onDelayMs?: number; initial?: 'on' | 'off' } = {}) {
  const clock = new VirtualClock()
  let boots = 0
  const power = new PowerModel({ clock, newBootId: () => `boot-${++boots}`, softOffDelayMs: 20_000, cycleOffMs: 3000, ...options })
  const states = (): string[] => power.history.map(({ from, to, cause }) => `${from}>${to} ${cause}`)
  return { clock, power, states, start: clock.now() }
}

t.test('an off takes its time, and ends the boot only when it is over', async t => {
  const { clock, power, start } = setUp({ offDelayMs: 2000 })
  t.equal(power.request('off', 'me'), 'started')
  t.equal(power.state, 'poweringOff')
  t.equal(power.bootId, 'boot-1')
  clock.advance(1999)
  t.equal(power.state, 'poweringOff')
  clock.advance(1)
  t.equal(power.state, 'off')
  t.equal(power.bootId, null)
  t.same(power.history, [
    { at: start, operation: 'off', from: 'on', to: 'poweringOff', cause: 'me', bootId: 'boot-1' },
    { at: start + 2000, operation: 'off', from: 'poweringOff', to: 'off', cause: 'me', bootId: null },
  ])
  t.equal(power.request('off', 'me'), 'already')
})

t.test('each power-on is a new boot, and so is a reset', async t => {
  const { clock, power, states } = setUp({ onDelayMs: 500 })
  power.request('off', 'a')
  power.request('on', 'b')
  t.equal(power.state, 'poweringOn')
  t.equal(power.request('on', 'b'), 'already')
  clock.advance(500)
  t.equal(power.bootId, 'boot-2')
  t.equal(power.request('reset', 'c'), 'started')
  t.equal(power.bootId, 'boot-3')
  t.same(states(), ['on>off a', 'off>poweringOn b', 'poweringOn>on b', 'on>on c'])
})

t.test('a machine that is off can be neither reset nor cycled', async t => {
  const { power, states } = setUp({ initial: 'off' })
  t.equal(power.bootId, null)
  t.equal(power.request('reset', 'me'), 'wrongState')
  t.equal(power.request('cycle', 'me'), 'wrongState')
  t.equal(power.request('softOff', 'me'), 'already')
  t.same(states(), [])
})

t.test('a hard off hastens a shutdown, and a second shutdown changes nothing', async t => {
  const { clock, power } = setUp({ offDelayMs: 1000 })
  power.request('softOff', 'me')
  clock.advance(5000)
  t.equal(power.request('softOff', 'me'), 'already')
  t.equal(power.state, 'poweringOff')
  t.equal(power.request('off', 'me'), 'started')
  clock.advance(1000)
  t.equal(power.state, 'off')
  clock.advance(60_000)
  t.equal(power.history.length, 2, 'the end of the shutdown does not come on top')
})

t.test('a slower off does not slow down the one under way', async t => {
  const { clock, power } = setUp({ offDelayMs: 1000 })
  power.request('off', 'me')
  clock.advance(500)
  t.equal(power.request('off', 'other', { offDelayMs: 60_000 }), 'started')
  clock.advance(500)
  t.equal(power.state, 'off')
})

t.test('an off in the middle of a power-on wins', async t => {
  const { clock, power } = setUp({ onDelayMs: 5000, initial: 'off' })
  power.request('on', 'me')
  clock.advance(1000)
  t.equal(power.request('off', 'me'), 'started')
  clock.advance(60_000)
  t.equal(power.state, 'off')
})

t.test('a cycle goes through off and comes back as a new boot', async t => {
  const { clock, power } = setUp({ offDelayMs: 1000 })
  power.request('cycle', 'me')
  clock.advance(1000)
  t.equal(power.state, 'off')
  t.equal(power.pending.length, 1)
  clock.advance(2999)
  t.equal(power.state, 'off')
  clock.advance(1)
  t.equal(power.state, 'on')
  t.equal(power.bootId, 'boot-2')
})

t.test('an off while a cycle goes down takes the power-on back', async t => {
  const { clock, power } = setUp({ offDelayMs: 1000 })
  power.request('cycle', 'me')
  clock.advance(500)
  power.request('off', 'other', { offDelayMs: 100 })
  clock.advance(60_000)
  t.equal(power.state, 'off')
})

t.test('delayed operations happen by themselves, in order, unless they are taken back', async t => {
  const { clock, power, states, start } = setUp()
  power.schedule('on', 3000, 'late-on')
  const offId = power.schedule('off', 1000, 'late-off')
  t.same(
    power.pending.map(({ operation, dueAt }) => [operation, dueAt - start]),
    [
      ['off', 1000],
      ['on', 3000],
    ],
  )
  clock.advance(3000)
  t.same(states(), ['on>off late-off', 'off>on late-on'])
  t.equal(power.cancel(offId), false)
  const second = power.schedule('off', 1000, 'never')
  t.equal(power.cancel(second), true)
  clock.advance(5000)
  t.equal(power.state, 'on')
})

t.test('a delayed on that falls into a power-off waits for its end', async t => {
  const { clock, power } = setUp({ offDelayMs: 2000 })
  power.schedule('on', 1000, 'late-on')
  power.request('off', 'me')
  clock.advance(1000)
  t.equal(power.state, 'poweringOff')
  clock.advance(1000)
  t.same(
    power.history.map(({ to }) => to),
    ['poweringOff', 'off', 'on'],
  )
})

t.test('an endless off is stuck until it is settled', async t => {
  const { clock, power } = setUp()
  power.request('off', 'me', { offDelayMs: Number.POSITIVE_INFINITY })
  clock.advance(1e9)
  t.equal(power.state, 'poweringOff')
  t.equal(power.busy, true)
  t.equal(clock.waiting, 0)
  power.settle()
  t.equal(power.state, 'off')
})

t.test('force, listeners and close', async t => {
  const { clock, power } = setUp({ offDelayMs: 1000 })
  const seen: string[] = []
  const stop = power.subscribe(({ to }) => seen.push(to))
  power.force('off', 'hand')
  power.force('off', 'hand')
  power.force('on', 'hand')
  stop()
  power.request('off', 'me')
  power.schedule('on', 5000, 'me')
  t.same(seen, ['off', 'on'])
  power.close()
  t.equal(clock.waiting, 0, 'no timer outlives it')
})
