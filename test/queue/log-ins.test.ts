import t, { type Test } from 'tap'
import type { DriverContext } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { Breaker } from '../../src/queue/log-ins.ts'
import { VirtualTime } from '../clock.ts'
import { play } from './play.ts'

const MINUTE = 60_000

type Account = [username: string, password: string]
type Context = Pick<DriverContext, 'credential' | 'logInsLeft' | 'loggedIn'>

/** A breaker and what a driver does before it: log-ins that succeed, fail, or are not tried. */
function make() {
  const time = new VirtualTime()
  const breaker = new Breaker({ clock: time, rules: RULES })
  const gateOf = (device: Device, [username, password]: Account = ['u', 'p']) =>
    breaker.gate(device, async () => ({ username, password: new Secret(password) }))
  const tried = async (device: Device, account: Account | undefined, work: (context: Context) => void): Promise<DriverError | 'in'> => {
    const gate = gateOf(device, account)
    try {
      await gate.run(async () => {
        await gate.context.credential()
        work(gate.context)
      })
      return 'in'
    } catch (error) {
      return error as DriverError
    }
  }
  const logIn = (device: Device, account?: Account) => tried(device, account, context => context.loggedIn?.())
  const fail = (device: Device, account?: Account, logIns?: number, code: DriverError['code'] = 'auth_failed') =>
    tried(device, account, () => {
      throw new DriverError(code, 'wrong password', logIns === undefined ? {} : { logIns })
    })
  /** Whether no log-in may be tried; asking leaves no trace. */
  const isOpen = async (device: Device, account?: Account): Promise<boolean> => {
    const told = await tried(device, account, () => undefined)
    return told !== 'in' && told.message.includes('none is tried')
  }
  const left = async (device: Device, account?: Account) => {
    let found = 0
    await tried(device, account, context => {
      found = context.logInsLeft?.() ?? 0
    })
    return found
  }
  return { time, breaker, gateOf, logIn, fail, isOpen, left }
}

function deviceOf(name: string, endpoint: string, changes: Partial<Device> = {}): Device {
  const driver = name.startsWith('i') ? 'ipmi' : 'redfish'
  return { name, driver, address: '', endpoint, tls: { mode: 'pin' }, status: 'verified', createdAt: '', revision: 1, ...changes }
}

t.test('log-ins are counted per account of a BMC: both protocols share it and its lock', async t => {
  const { isOpen, fail } = make()
  const [redfish, ipmi, other] = [deviceOf('r1', 'bmc1'), deviceOf('i1', 'bmc1'), deviceOf('r2', 'bmc2')]
  await fail(redfish)
  t.notOk(await isOpen(ipmi))
  await fail(ipmi)
  t.ok(await isOpen(redfish))
  t.ok(await isOpen(ipmi))
  t.notOk(await isOpen(other), 'another BMC is not touched')
  t.ok(await isOpen(deviceOf('new', 'bmc1', { revision: 0 })), 'nor may a registration try there')
  t.notOk(await isOpen(redfish, ['another', 'p']), 'nor is another account of the same BMC touched')
})

t.test('an error counts as many log-ins as it stands for, once', async t => {
  const { isOpen, fail, gateOf } = make()
  await fail(deviceOf('i1', 'a'), undefined, 2)
  t.ok(await isOpen(deviceOf('r1', 'a')), 'two tries of one IPMI log-in')
  for (let i = 0; i < 2; i++) await fail(deviceOf('i2', 'b'), undefined, 1, 'unreachable')
  t.ok(await isOpen(deviceOf('r2', 'b')), 'log-ins that failed before silence did, or before somebody gave up')
  for (let i = 0; i < 5; i++) await fail(deviceOf('i3', 'c'), undefined, 0)
  t.notOk(await isOpen(deviceOf('i3', 'c')), 'an account that may not do it has logged in')
  for (let i = 0; i < 5; i++) await fail(deviceOf('i4', 'd'), undefined, undefined, 'unreachable')
  t.notOk(await isOpen(deviceOf('i4', 'd')), 'silence is no failed log-in')
  const gate = gateOf(deviceOf('i5', 'e'))
  const error = new DriverError('auth_failed', 'told and thrown')
  const run = gate.run(async () => {
    await gate.context.credential()
    gate.context.logInFailed(error)
    throw error
  })
  await t.rejects(run, error)
  t.notOk(await isOpen(deviceOf('i5', 'e')))
})

t.test('a driver that tries more than once keeps to what is left', async t => {
  const { left, fail } = make()
  t.equal(await left(deviceOf('i1', 'a')), 2)
  await fail(deviceOf('r1', 'a'))
  t.equal(await left(deviceOf('i1', 'a')), 1)
  t.equal(await left(deviceOf('i1', 'b')), 2)
})

t.test('the breaker closes when the window is over, not before, and its own refusals are no log-ins', async t => {
  const { time, isOpen, fail, logIn } = make()
  const device = deviceOf('i1', 'a')
  await fail(device)
  await time.run(2 * MINUTE)
  await fail(device)
  for (let i = 0; i < 10; i++) t.match(await logIn(device), { code: 'auth_failed', facts: { retryAfterMs: 3 * MINUTE } })
  await time.run(3 * MINUTE - 1)
  t.ok(await isOpen(device))
  await time.run(1)
  t.notOk(await isOpen(device), 'the first has left the window')
  await fail(device)
  t.ok(await isOpen(device))
})

t.test('a device with another credential or address starts afresh, and no other change of it does', async t => {
  const { isOpen, fail } = make()
  const device = deviceOf('i1', 'a')
  await fail(device)
  await fail(device)
  t.ok(await isOpen({ ...device, revision: 9, restorePolicyTrouble: 'failed', cipherSuite: 17 }), 'a note about it is no correction')
  t.notOk(await isOpen({ ...device, revision: 2, address: 'elsewhere' }))
  t.notOk(await isOpen({ ...device, revision: 2 }, ['u', 'right']), 'corrected by a person: tried at once')
  t.ok(await isOpen(deviceOf('r1', 'a'), ['u', 'right']), 'a correction of one says nothing of another')
  const registration = deviceOf('new', 'b', { revision: 0 })
  await fail(registration)
  await fail(registration)
  t.ok(await isOpen(registration, ['u', 'another']), 'guessing is not correcting')
})

t.test('the last failure is kept for the password that worked; the sum stays two', async t => {
  const { isOpen, fail, logIn, left } = make()
  const [right, stale] = [deviceOf('i1', 'a'), deviceOf('r1', 'a')]
  await logIn(right)
  t.equal(await left(stale, ['u', 'typo']), 1, 'and an IPMI log-in tries once')
  await fail(stale, ['u', 'typo'])
  t.ok(await isOpen(stale, ['u', 'typo']))
  t.ok(await isOpen(deviceOf('new', 'a', { revision: 0 }), ['u', 'other']))
  t.equal(await logIn(right), 'in')
  t.equal(await logIn(deviceOf('r2', 'a')), 'in', 'with the same user and password, whatever device it is')
  // The password is changed at the BMC.
  t.equal(await left(right), 1)
  await fail(right)
  t.ok(await isOpen(right))
  t.ok(await isOpen(stale, ['u', 'typo']))
})

t.test('who spares the others may fail once, and is not held back where his password works', async t => {
  const { breaker, logIn, fail } = make()
  const look = async (device: Device, password: string) => {
    const gate = breaker.gate(device, async () => ({ username: 'u', password: new Secret(password) }), true)
    const run = gate.run(async () => {
      await gate.context.credential()
      const logIns = gate.context.logInsLeft()
      if (password === 'typo') throw new DriverError('auth_failed', 'wrong password', { logIns })
      return logIns
    })
    return run.catch((error: DriverError) => error.facts.logIns ?? error.message)
  }
  const registration = deviceOf('new', 'a', { revision: 0 })
  t.equal(await look(registration, 'typo'), 1)
  t.match(await look(registration, 'typo'), /kept for devices that work; none is tried/)
  t.equal(await logIn(deviceOf('i1', 'a')), 'in')
  t.equal(await look(deviceOf('i2', 'a'), 'p'), 1)
  await fail(deviceOf('i1', 'a'))
  t.match(await look(deviceOf('i2', 'a'), 'p'), /none is tried/)
})

t.test('log-ins of one account go one after the other, each knowing what became of the one before', async t => {
  const { time, gateOf } = make()
  let failures = 0
  const look = (name: string, account?: Account) => {
    const gate = gateOf(deviceOf(name, 'a'), account)
    return gate
      .run(async () => {
        await gate.context.credential()
        await time.sleep(500)
        failures++
        throw new DriverError('auth_failed', 'wrong password')
      })
      .catch((error: unknown) => (error as Error).message)
  }
  const all = Promise.all(['i1', 'i2', 'i3', 'i4'].map(name => look(name)))
  const other = look('r1', ['another', 'p'])
  await time.run(600)
  t.equal(await other, 'wrong password', 'another account waits for nobody')
  t.equal(failures, 2)
  await time.run(10_000)
  t.equal(failures, 3)
  t.same(
    (await all).map(told => /none is tried/.test(told)),
    [false, false, true, true],
  )
})

t.test('nobody waits for a call that goes on after its log-in, or for one that does not tell', async t => {
  const { time, gateOf, logIn } = make()
  const hold = async (name: string, endpoint: string, tells: boolean) => {
    const gate = gateOf(deviceOf(name, endpoint))
    await gate.run(async () => {
      await gate.context.credential()
      if (tells) gate.context.loggedIn()
      await time.sleep(30_000)
    })
  }
  const slow = [hold('i1', 'a', true), hold('i1', 'b', false)]
  await time.rest()
  let [a, b] = [false, false]
  void logIn(deviceOf('i2', 'a')).then(() => {
    a = true
  })
  void logIn(deviceOf('i2', 'b')).then(() => {
    b = true
  })
  await time.rest()
  t.ok(a)
  t.notOk(b)
  await time.run(RULES.exchange.connectMs + RULES.exchange.exchangeMs)
  t.ok(b)
  await time.run(30_000)
  await Promise.all(slow)
})

t.test('a credential that a person gave anew is tried at once, the same one too: the account was unlocked', async t => {
  const { breaker, fail, isOpen } = make()
  await fail(deviceOf('i1', 'a'), undefined, 2)
  await fail(deviceOf('i2', 'b'), undefined, 2)
  t.ok(await isOpen(deviceOf('i1', 'a')))
  breaker.corrected('i1')
  t.notOk(await isOpen(deviceOf('i1', 'a')))
  t.ok(await isOpen(deviceOf('i2', 'b')), 'of another device they stand')
})

t.test('who gave up while waiting for his turn keeps nobody from his', async t => {
  const { time, gateOf, logIn } = make()
  const first = gateOf(deviceOf('i1', 'a'))
  const under = first.run(async () => {
    await first.context.credential()
    await time.sleep(1_000)
  })
  const second = gateOf(deviceOf('i2', 'a'))
  let late: Promise<unknown> = Promise.resolve()
  await second.run(async () => {
    late = t.rejects(second.context.credential(), { code: 'unreachable' })
  })
  await time.run(2_000)
  await Promise.all([under, late])
  t.equal(await logIn(deviceOf('i3', 'a')), 'in')
})

/** Fails log-ins of `account` at `b1`'s BMC from elsewhere in the house: a registration, a probe. */
async function mistype(world: Parameters<Parameters<typeof play>[1]>[0], t: Test, account: Account = ['u', 'typo']): Promise<void> {
  const { logIns } = world.gateway().parts.sessions
  const device = (await world.reads.device('b1')) as Device
  for (let i = 0; i < 3; i++) {
    const gate = logIns.gate({ ...device, name: 'new', revision: 0 }, async () => ({
      username: account[0],
      password: new Secret(account[1]),
    }))
    const run = gate.run(async () => {
      await gate.context.credential()
      throw new DriverError('auth_failed', 'wrong password', { logIns: gate.context.logInsLeft() })
    })
    await t.rejects(run)
  }
}

play('a running off goes on over its open session while somebody mistypes a password', async (world, t) => {
  const { job } = await world.off()
  await world.time.run(1_000)
  await mistype(world, t)
  t.match(await world.ended(job.id), { state: 'succeeded' })
})

play('a running off whose session is lost logs in again after somebody mistyped a password', async (world, t) => {
  const { job } = await world.off()
  await world.time.run(500)
  await mistype(world, t)
  world.bmc().forgetSessions()
  t.match(await world.ended(job.id), { state: 'succeeded' })
})

play('a node is fenced although somebody mistyped a user name', async (world, t) => {
  await mistype(world, t, ['nobody', 'p'])
  const { job } = await world.off()
  t.match(await world.ended(job.id), { state: 'succeeded' })
})

play('a failed log-in of an exchange that was given up is counted', async (world, t) => {
  const session = world.gateway().parts.sessions.get((await world.reads.device('b1')) as Device)
  const bmc = world.bmc()
  bmc.passwordRight = false
  for (let i = 0; i < 4; i++) {
    const stop = new AbortController()
    const looking = t.rejects(session.observe(stop.signal), { code: 'auth_failed' })
    stop.abort()
    await world.time.run(100)
    await looking
  }
  t.equal(bmc.logIns, 2)
  bmc.passwordRight = true
})
