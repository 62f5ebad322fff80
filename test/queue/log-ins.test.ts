import t from 'tap'
import type { Driver } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { Sessions } from '../../src/queue/sessions.ts'

const MINUTE = 60_000

function make() {
  const time = { ms: 1_000_000 }
  const clock = { now: () => time.ms, mono: () => time.ms, sleep: async () => undefined }
  const sessions = new Sessions({
    clock,
    rules: RULES,
    driverOf: () => ({}) as Driver,
    credentialOf: () => async () => ({ username: 'u', password: new Secret('p') }),
  })
  const isOpen = (device: Device): boolean => {
    try {
      sessions.check(device)
      return false
    } catch (error) {
      t.match(error, { code: 'auth_failed' })
      return true
    }
  }
  const fail = (device: Device, logIns?: number, code: DriverError['code'] = 'auth_failed') =>
    sessions.failed(device, new DriverError(code, 'wrong password', logIns === undefined ? {} : { logIns }))
  return { time, sessions, isOpen, fail }
}

function deviceOf(name: string, endpoint: string, revision = 1): Device {
  const driver = name.startsWith('i') ? 'ipmi' : 'redfish'
  return { name, driver, address: '', endpoint, tls: { mode: 'pin' }, status: 'verified', createdAt: '', revision }
}

t.test('log-ins are counted per BMC: both protocols share the account and its lock', async t => {
  const { isOpen, fail } = make()
  const [redfish, ipmi, other] = [deviceOf('r1', 'bmc1'), deviceOf('i1', 'bmc1'), deviceOf('r2', 'bmc2')]
  fail(redfish)
  t.notOk(isOpen(ipmi))
  fail(ipmi)
  t.ok(isOpen(redfish))
  t.ok(isOpen(ipmi))
  t.notOk(isOpen(other), 'another BMC is not touched')
  t.ok(isOpen(deviceOf('new', 'bmc1', 0)), 'nor may a registration try there')
})

t.test('an error counts as many log-ins as it stands for', async t => {
  const { isOpen, fail } = make()
  fail(deviceOf('i1', 'a'), 2)
  t.ok(isOpen(deviceOf('r1', 'a')), 'two tries of one IPMI log-in')
  fail(deviceOf('i2', 'b'), 1, 'unreachable')
  fail(deviceOf('i2', 'b'), 1, 'unreachable')
  t.ok(isOpen(deviceOf('r2', 'b')), 'log-ins that failed before silence did')
  for (let i = 0; i < 5; i++) fail(deviceOf('i3', 'c'), 0)
  t.notOk(isOpen(deviceOf('i3', 'c')), 'an account that may not do it has logged in')
  for (let i = 0; i < 5; i++) fail(deviceOf('i4', 'd'), undefined, 'unreachable')
  t.notOk(isOpen(deviceOf('i4', 'd')), 'silence is no failed log-in')
})

t.test('a driver that tries more than once keeps to what is left', async t => {
  const { sessions, fail } = make()
  t.equal(sessions.left(deviceOf('i1', 'a')), 2)
  fail(deviceOf('r1', 'a'))
  t.equal(sessions.left(deviceOf('i1', 'a')), 1)
  t.equal(sessions.left(deviceOf('i1', 'b')), 2)
})

t.test('the breaker closes when the window is over, not before, and its own refusals are no log-ins', async t => {
  const { time, sessions, isOpen, fail } = make()
  const device = deviceOf('i1', 'a')
  fail(device)
  time.ms += 2 * MINUTE
  fail(device)
  for (let i = 0; i < 10; i++) {
    try {
      sessions.check(device)
    } catch (error) {
      t.match(error, { facts: { retryAfterMs: 3 * MINUTE } })
      sessions.failed(device, error as DriverError)
    }
  }
  time.ms += 3 * MINUTE - 1
  t.ok(isOpen(device))
  time.ms += 1
  t.notOk(isOpen(device), 'the first has left the window')
  fail(device)
  t.ok(isOpen(device))
})

t.test('a device with another credential starts afresh; what others did at its BMC still counts', async t => {
  const { isOpen, fail } = make()
  fail(deviceOf('i1', 'a'))
  fail(deviceOf('i1', 'a'))
  t.notOk(isOpen(deviceOf('i1', 'a', 2)), 'corrected by a person: tried at once')
  t.notOk(isOpen(deviceOf('r1', 'a')), 'which the other protocol profits from')
  fail(deviceOf('r1', 'b'))
  fail(deviceOf('r1', 'b'))
  t.ok(isOpen(deviceOf('i1', 'b', 2)), 'its own correction says nothing about the other one')
})
