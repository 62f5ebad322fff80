import t from 'tap'
import { DriverError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { ipmi } from '../../src/drivers/ipmi.ts'
import { redfish } from '../../src/drivers/redfish.ts'
import { bindingOf } from '../../src/fencing/identity.ts'
import { startSimulator } from '../../src/simulator/index.ts'
import { systemPorts, UdpTransport } from '../../src/wire/ipmi/index.ts'
import { type OpenDatagrams, openUdp } from '../../src/wire/ipmi/transport-udp.ts'
import { driverContract, type Rig } from '../contract/driver.ts'
import { codeOf, contextOf, NEVER, signal, subject } from './ipmi-support.ts'

for (const suite of [17, 3] as const) {
  const driver = ipmi()
  driverContract(`ipmi, suite ${suite}`, driver, async t => {
    // An operator may not ask about a session that is gone.
    const { bmc, side, device } = await subject(t, { suites: [suite] }, {}, { ipmi: { privilege: 'administrator' } })
    const rig: Rig = {
      device,
      context: contextOf({ exchangeMs: 900, connectMs: 600 }),
      truth: () => bmc.power.state,
      received: () => side.received.length,
      logIns: () => side.counters.logins + side.counters.loginFailures,
      sessions: () => side.sessions.active().length,
      silence: () => void bmc.faults.set('hang', { when: 'after' }),
      ignore: () => void bmc.faults.set('ignored'),
      refuse: () => void bmc.faults.set('completion', { code: 0xd5 }, { match: { packet: 'chassisControl' } }),
      loseSessions: () => side.sessions.clear(),
      swap: () => {
        bmc.faults.set('identity')
        side.sessions.clear()
      },
      lockOut: () => void bmc.faults.set('wrongCredentials'),
      heal: () => bmc.faults.clear(),
      press: state => bmc.power.force(state, 'a person'),
      losesInSilence: true,
      logInTries: 2,
    }
    return rig
  })
}

t.test('addresses: the host alone is the endpoint, as for Redfish (S6)', async t => {
  const driver = ipmi()
  t.equal(driver.endpoint('ipmi://BMC.example'), 'bmc.example')
  t.equal(driver.endpoint('ipmi://10.0.0.7:623'), '10.0.0.7')
  t.equal(driver.endpoint('ipmi://[FD00::7]:6230'), '[fd00::7]:6230')
  t.equal(driver.endpoint('ipmi://10.0.0.7'), redfish.endpoint('https://10.0.0.7/redfish/v1'))
  t.equal(driver.endpoint('ipmi://[fd00::7]'), redfish.endpoint('http://[FD00:0::7]:80'))
})

t.test('what IPMI can not carry is refused by field, and not repeated', async t => {
  const driver = ipmi()
  const fieldsOf = (username: string, password: string, kg?: string): unknown => {
    try {
      driver.checkCredential?.({ username, password: new Secret(password), ...(kg === undefined ? {} : { kg: new Secret(kg) }) })
      return []
    } catch (error) {
      const { code, message, facts } = error as DriverError
      t.equal(code, 'bad_credential')
      t.notOk(message.includes(password) || (kg !== undefined && message.includes(kg)))
      return facts.errors?.map(({ field }) => field)
    }
  }
  t.same(fieldsOf('u'.repeat(16), 'p'.repeat(20), 'k'.repeat(20)), [])
  t.same(fieldsOf('u'.repeat(17), 'p'.repeat(20)), ['username'])
  t.same(
    fieldsOf('ü'.repeat(9), 'ü'.repeat(11), `0x${'ab'.repeat(21)}`),
    ['username', 'password', 'kg'],
    'bytes are counted, not characters',
  )
  t.same(fieldsOf('u', 'pass#1', '0xabc'), ['kg'], 'half a byte')
})

t.test('what an answered power command means: it never decides, and what is unclear waits as if it had been accepted', async t => {
  const { bmc, device, driver, side } = await subject(t)
  const session = driver.open(device, contextOf())
  t.teardown(() => session.close())
  const cases: [code: number, reply: Record<string, unknown>][] = [
    [0xc0, { accepted: false, retryAfterMs: 5_000, raw: /0xc0 node busy/ }],
    [0xd1, { accepted: false, retryAfterMs: 5_000 }],
    [0xd2, { accepted: false, retryAfterMs: 5_000 }],
    [0xd5, { accepted: false, raw: /0xd5 not supported in present state/ }],
    [0x80, { accepted: false, raw: /not supported in present state/ }],
    [0xd4, { accepted: false, raw: /insufficient privilege/ }],
    [0xc1, { accepted: false }],
    [0xcc, { accepted: false }],
    [0x42, { accepted: false, raw: /maker's code 0x42/ }],
    [0xc3, { accepted: true, raw: /timeout while processing: it may have been carried out/ }],
    [0xcf, { accepted: true, raw: /may have been carried out/ }],
    [0xff, { accepted: true, raw: /may have been carried out/ }],
    [0x00, { accepted: true, raw: 'chassis down: 0x00 ok' }],
  ]
  for (const [code, reply] of cases) {
    await session.ticket(signal)
    bmc.faults.set('completion', { code, done: code === 0 }, { match: { packet: 'chassisControl' } })
    const found = await session.request('off', signal, NEVER)
    t.match(found, { kind: 'answered', ...reply }, `0x${code.toString(16)}`)
    if (reply['retryAfterMs'] === undefined) t.notOk('retryAfterMs' in found)
    bmc.faults.clear()
  }
  t.equal(side.received.length, cases.length, 'each was sent once')
  t.same([...new Set(side.received.map(({ action }) => action))], ['down'])
})

t.test('an unanswered command: closed by its session, and known to be closed without another log-in (S3)', async t => {
  const { bmc, device, driver, side } = await subject(t)
  const context = contextOf({ exchangeMs: 900 })
  const session = driver.open(device, context)
  const { closing } = await session.ticket(signal)
  if (closing === null) return t.fail('IPMI sessions can be closed')
  bmc.faults.set('hang', { when: 'after' }, { match: { packet: 'chassisControl' } })
  t.match(await session.request('off', signal, NEVER), { kind: 'unanswered', raw: /^chassis down: no answer/ })
  t.equal(await session.close(), 'closed', 'the answer to its Close was waited for')
  t.equal(side.sessions.active().length, 0)
  t.equal(await driver.closeSession(device, closing, context, signal), 'closed')
  t.equal(side.counters.logins, 1, 'nobody had to log in for that')
  t.equal(side.received.length, 1)
  // Another process does not know it; an operator may not ask about a session that is gone.
  t.equal(await ipmi().closeSession(device, closing, context, signal), 'unknown')
  const administrator = { ...device, ipmi: { privilege: 'administrator' } } as const
  t.equal(await ipmi().closeSession(administrator, closing, context, signal), 'closed')
  return undefined
})

t.test('an unanswered command of a BMC that stays away is never called closed', async t => {
  const { bmc, device: operator, driver, side } = await subject(t)
  const device = { ...operator, ipmi: { privilege: 'administrator' } } as const
  const context = contextOf({ exchangeMs: 400, connectMs: 300 })
  const session = driver.open(device, context)
  const { closing } = await session.ticket(signal)
  if (closing === null) return t.fail('IPMI sessions can be closed')
  bmc.faults.set('hang')
  t.match(await session.request('off', signal, NEVER), { kind: 'unanswered' })
  t.equal(await session.close(), 'unknown')
  t.equal(await driver.closeSession(device, closing, context, signal), 'unknown')
  bmc.faults.clear()
  const [left] = side.sessions.active()
  if (left === undefined) return t.fail('the session stays')
  t.equal(await driver.closeSession(device, closing, context, signal), 'closed', 'once it is back')
  t.equal(side.sessions.find(left.id), undefined)
  for (const nonsense of ['{}', 'null', '"x"', 'not JSON', '{"consoleId":"zz"}']) {
    t.equal(await driver.closeSession(device, new Secret(nonsense), context, signal), 'unknown', nonsense)
  }
  return undefined
})

t.test('a log-in that fails while an earlier session is being closed is told to the breaker', async t => {
  const { device, driver, side } = await subject(t)
  const session = driver.open(device, contextOf())
  const { closing } = await session.ticket(signal)
  if (closing === null) return t.fail('IPMI sessions can be closed')
  side.sessions.clear()
  const told: DriverError[] = []
  const context = {
    ...contextOf({}, { username: 'admin', password: new Secret('another') }),
    logInFailed: (error: DriverError) => told.push(error),
  }
  t.equal(await driver.closeSession(device, closing, context, signal), 'unknown')
  t.match(told, [{ code: 'auth_failed', facts: { logIns: 2 } }])
  await session.close()
  return undefined
})

t.test('the credential is opened for log-ins only: an earlier session that still answers is closed without one', async t => {
  const { device, driver, side } = await subject(t)
  let opened = 0
  let isOpen = false
  const plain = contextOf()
  const told: string[] = []
  const context = {
    ...plain,
    credential: () => {
      opened++
      return isOpen ? Promise.reject(new DriverError('auth_failed', 'none is tried for another 300 s')) : plain.credential()
    },
    loggedIn: () => told.push('in'),
  }
  const session = driver.open(device, context)
  const { closing } = await session.ticket(signal)
  if (closing === null) return t.fail('IPMI sessions can be closed')
  await session.observe(signal)
  t.equal(opened, 1)
  t.same(told, ['in'])
  isOpen = true
  t.match(await session.observe(signal), { power: 'on' }, 'who is logged in goes on')
  t.equal(await driver.closeSession(device, closing, context, signal), 'closed', 'over its own keys')
  t.same([opened, side.sessions.active().length], [1, 0])
  t.equal(await codeOf(session.observe(signal)), 'auth_failed', 'a lost session needs a log-in')
  t.equal(opened, 2)
  isOpen = false
  t.match(await session.observe(signal), { power: 'on' })
  t.equal(opened, 3)
  await session.close()
  return undefined
})

t.test('a read that lost its session in between does not hide that a command may still be under way', async t => {
  const { bmc, device, driver, side } = await subject(t)
  const session = driver.open(device, contextOf({ exchangeMs: 600 }))
  await session.ticket(signal)
  bmc.faults.set('hang', { when: 'after' }, { match: { packet: 'chassisControl' } })
  await session.request('off', signal, NEVER)
  side.sessions.clear()
  t.match(await session.observe(signal), { power: 'off' })
  t.equal(side.counters.logins, 2)
  t.equal(await session.close(), 'unknown', 'the first session was not seen closed')
})

t.test('nobody waits for a Close where nothing was commanded', async t => {
  const { bmc, device, driver } = await subject(t)
  const session = driver.open(device, contextOf())
  await session.observe(signal)
  bmc.faults.set('hang')
  t.equal(await session.close(), 'closed')
  t.equal(await session.close(), 'closed')
  t.equal(await codeOf(session.observe(signal)), 'unreachable', 'what is closed stays closed')
})

t.test('identity: from the log-in, else asked for in the session; none is none', async t => {
  const { bmc, device, driver, side } = await subject(t)
  const uuid = side.system.identity.systemUuid.toLowerCase()
  for (const order of ['smbios', 'rfc4122', 'specification'] as const) {
    bmc.faults.set('guidOrder', { order })
    const session = driver.open(device, contextOf())
    const { hardware } = await session.observe(signal)
    t.equal(hardware.guid, side.systemGuid.toString('hex'))
    t.equal(bindingOf(uuid, hardware), 'proven', `${order}: the machine of its systemUuid`)
    t.notOk(side.counters.byPacket['systemGuid'], 'nothing more was asked')
    await session.close()
    bmc.faults.clear()
  }
  bmc.faults.set('guidOrder', { order: 'zero' })
  const told = '00112233445566778899aabbccddeeff'
  bmc.faults.set('completion', { code: 0xc1 }, { match: { packet: 'systemGuid' } })
  bmc.faults.set('data', { hex: told }, { match: { packet: 'deviceGuid' } })
  const session = driver.open(device, contextOf())
  t.equal((await session.observe(signal)).hardware.guid, told)
  await session.observe(signal)
  t.equal(side.counters.byPacket['deviceGuid'], 1, 'once a session')
  side.sessions.clear()
  t.equal((await session.observe(signal)).hardware.guid, told)
  t.equal(side.counters.byPacket['deviceGuid'], 2, 'and again in the next one')
  await session.close()
  bmc.faults.clear()
  bmc.faults.set('guidOrder', { order: 'zero' })
  const nameless = driver.open(device, contextOf())
  t.same((await nameless.observe(signal)).hardware, {})
  await nameless.close()
  t.match((await driver.probe(device, contextOf(), signal)).warnings.join(), /tells no GUID/)
})

t.test('identity: a BMC that can not say now which machine it is has not said that it is another', async t => {
  const { bmc, device, driver, side } = await subject(t)
  bmc.faults.set('guidOrder', { order: 'zero' })
  const told = '00112233445566778899aabbccddeeff'
  bmc.faults.set('completion', { code: 0xc1 }, { match: { packet: 'systemGuid' } })
  bmc.faults.set('data', { hex: told }, { match: { packet: 'deviceGuid' } })
  const known = driver.open({ ...device, hardware: { guid: told } }, contextOf({ exchangeMs: 500 }))
  const stranger = driver.open(device, contextOf({ exchangeMs: 500 }))
  t.teardown(() => Promise.all([known.close(), stranger.close()]))
  t.equal((await known.observe(signal)).hardware.guid, told)
  const only = (code: number) => {
    bmc.faults.clear()
    bmc.faults.set('guidOrder', { order: 'zero' })
    for (const packet of ['systemGuid', 'deviceGuid'] as const) bmc.faults.set('completion', { code }, { match: { packet } })
    side.sessions.clear()
  }
  for (const [code, failure] of [
    [0xff, 'bad_answer'],
    [0xce, 'bad_answer'],
    [0xc3, 'bad_answer'],
    [0xc0, 'device_busy'],
  ] as const) {
    only(code)
    t.equal(await codeOf(known.observe(signal)), failure, `0x${code.toString(16)}`)
    t.equal(await codeOf(stranger.observe(signal)), failure, `0x${code.toString(16)}, nor is nothing pinned`)
  }
  for (const code of [0xc1, 0xcb, 0xcc, 0xd4]) {
    only(code)
    t.equal(await codeOf(known.observe(signal)), 'bad_answer', `0x${code.toString(16)}: it was known before`)
    t.same((await stranger.observe(signal)).hardware, {}, `0x${code.toString(16)}: it has none`)
  }
})

t.test('a full session table is waited for, and says so', async t => {
  const { bmc, device, driver } = await subject(t)
  bmc.faults.set('sessionTableFull')
  const error = await driver.probe(device, contextOf({ exchangeMs: 700 }), signal).catch((reason: unknown) => reason)
  t.match(error, { code: 'session_limit', message: /session table is full/, facts: { retryAfterMs: 10_000, device: 'bmc1' } })
})

t.test('wrong log-ins are counted, and a corrected credential is used by the next one', async t => {
  const { device, driver, side } = await subject(t)
  const credential = { username: 'admin', password: new Secret('pass#2') }
  const session = driver.open(device, contextOf({}, credential))
  t.teardown(() => session.close())
  const error = await session.observe(signal).catch((reason: unknown) => reason)
  t.match(error, { code: 'auth_failed', facts: { logIns: 2 } }, 'a flipped bit looks the same, so it takes two')
  t.ok(side.counters.loginFailures <= 2)
  t.notMatch(String(error), /pass#2|simulated/)
  credential.password = new Secret('simulated')
  t.match(await session.observe(signal), { power: 'on' })
  const stranger = driver.open(device, contextOf({}, { username: 'nobody', password: new Secret('simulated') }))
  t.match(await stranger.observe(signal).catch((reason: unknown) => reason), { code: 'auth_failed', facts: { logIns: 2 } })
})

t.test('where one log-in has failed before, one more is all that is tried', async t => {
  const { device, driver, side } = await subject(t)
  const context = { ...contextOf({}, { username: 'admin', password: new Secret('pass#2') }), logInsLeft: () => 1 }
  const session = driver.open(device, context)
  t.teardown(() => session.close())
  t.match(await session.observe(signal).catch((reason: unknown) => reason), { code: 'auth_failed', facts: { logIns: 1 } })
  t.equal(side.counters.byPacket['rakp1'], 1)
  t.equal(await codeOf(driver.probe(device, context, signal)), 'auth_failed')
  t.equal(side.counters.byPacket['rakp1'], 2)
})

t.test('an account that may not switch is no failed log-in', async t => {
  const { bmc, device, driver } = await subject(t)
  bmc.faults.set('completion', { code: 0x81 }, { match: { packet: 'setSessionPrivilege' } })
  const session = driver.open(device, contextOf())
  t.teardown(() => session.close())
  t.match(await session.observe(signal), { power: 'on' }, 'it may read')
  t.match(await session.ticket(signal).catch((reason: unknown) => reason), { code: 'auth_failed', facts: { logIns: 0 } })
  t.match(await session.request('off', signal, NEVER), { kind: 'unsent' })
  const probe = await driver.probe(device, contextOf(), signal)
  t.match(probe, { commands: { off: null, on: null }, power: 'on' })
  t.match(probe.refusals, [
    { command: 'off', reason: /limit/ },
    { command: 'on', reason: /limit/ },
  ])
})

t.test('never below the suite that worked once', async t => {
  const { device, driver, side } = await subject(t)
  const session = driver.open(device, contextOf())
  t.teardown(() => session.close())
  t.match(await session.observe(signal), { cipherSuite: 17 })
  Object.assign(side, { suites: [3] })
  side.sessions.clear()
  t.equal(await codeOf(session.observe(signal)), 'suite_refused', 'not in the same process')
  const stored = driver.open({ ...device, cipherSuite: 17 }, contextOf())
  t.equal(await codeOf(stored.observe(signal)), 'suite_refused', 'nor in another')
  const fresh = driver.open(device, contextOf())
  t.match(await fresh.observe(signal), { cipherSuite: 3 }, 'a BMC that never spoke better')
  await fresh.close()
  const only17 = driver.open({ ...device, ipmi: { cipherSuite: '17' } }, contextOf())
  t.equal(await codeOf(only17.observe(signal)), 'suite_refused')
  const told = driver.open({ ...device, ipmi: { cipherSuite: '3' } }, contextOf())
  t.match(await told.observe(signal), { cipherSuite: 3 }, 'a person says so')
  await told.close()
})

t.test('answers that are no chassis status are no read', async t => {
  const { bmc, device, driver } = await subject(t)
  const session = driver.open(device, contextOf({ exchangeMs: 400 }))
  t.teardown(() => session.close())
  await session.observe(signal)
  for (const hex of ['', '00', '0000', '0000000000', '00'.repeat(60)]) {
    bmc.faults.set('data', { hex }, { match: { packet: 'chassisStatus' } })
    t.equal(await codeOf(session.observe(signal)), 'bad_answer', `${hex.length / 2} bytes`)
    bmc.faults.clear()
  }
  for (const [code, expected] of [
    [0xc1, 'unsupported'],
    [0xcb, 'bad_answer'],
    [0xff, 'bad_answer'],
    [0xc0, 'device_busy'],
    [0xd2, 'device_busy'],
    [0xd4, 'auth_failed'],
  ] as const) {
    bmc.faults.set('completion', { code }, { match: { packet: 'chassisStatus' } })
    t.equal(await codeOf(session.observe(signal)), expected, `0x${code.toString(16)}`)
    bmc.faults.clear()
  }
  t.match(await session.observe(signal), { power: 'on', raw: /^power on/ })
})

t.test('all devices of a driver share one socket, and none is open while no session is', async t => {
  const sockets = { open: 0, most: 0 }
  const open: OpenDatagrams = (...args) => {
    const real = openUdp(...args)
    sockets.open++
    sockets.most = Math.max(sockets.most, sockets.open)
    return {
      send: (...packet) => real.send(...packet),
      close: () => {
        sockets.open--
        real.close()
      },
    }
  }
  const simulator = await startSimulator({ ipmi: 20 })
  t.teardown(() => simulator.close())
  const driver = ipmi(systemPorts(new UdpTransport({ open })))
  t.equal(sockets.most, 0, 'nothing is opened before it is needed')
  const base = { driver: 'ipmi', tls: { mode: 'pin' }, status: 'unverified', createdAt: '', revision: 1 } as const
  const devices = simulator.bmcs.map(({ name, ipmi: side }): Device => ({ ...base, name, address: side?.url ?? '', endpoint: name }))
  const sessions = devices.map(device => driver.open(device, contextOf()))
  const reads = await Promise.all(sessions.map(session => session.observe(new AbortController().signal)))
  t.equal(reads.filter(({ power }) => power === 'on').length, 20)
  t.equal(new Set(reads.map(({ hardware }) => hardware.guid)).size, 20)
  t.same(sockets, { open: 1, most: 1 })
  await Promise.all(sessions.map(session => session.close()))
  t.equal(sockets.open, 0)
  const [first] = devices
  if (first) await driver.probe(first, contextOf(), signal)
  t.equal(sockets.open, 0, 'nor after a probe')
})
