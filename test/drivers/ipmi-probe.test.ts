import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import { ipmi } from '../../src/drivers/ipmi.ts'
import { judgeWatts } from '../../src/drivers/ipmi-watts.ts'
import { systemClock } from '../../src/simulator/clock.ts'
import { systemPorts, UdpTransport } from '../../src/wire/ipmi/index.ts'
import { contextOf, NEVER, signal, subject } from './ipmi-support.ts'

/** Time stamps have seconds: the simulator's clock stands still, and is moved on by hand. */
const NOON = Date.UTC(2026, 0, 1, 12)

t.test('watts: what a reading says of a machine that reads off', async t => {
  const running = { watts: 200, at: 1_000 }
  const cases: [what: string, reading: { watts: number; at: number; measuring: boolean }, power: string][] = [
    ['as much as before', { watts: 200, at: 1_001, measuring: true }, 'on'],
    ['more', { watts: 900, at: 1_001, measuring: true }, 'on'],
    ['70 %', { watts: 140, at: 1_001, measuring: true }, 'on'],
    ['a little less', { watts: 139, at: 1_001, measuring: true }, 'unknown'],
    ['a little over 50 %', { watts: 101, at: 1_001, measuring: true }, 'unknown'],
    ['50 %', { watts: 100, at: 1_001, measuring: true }, 'off'],
    ['nothing', { watts: 0, at: 1_001, measuring: true }, 'off'],
    ['a copy of before', { watts: 200, at: 1_000, measuring: true }, 'unknown'],
    ['an older one', { watts: 0, at: 999, measuring: true }, 'unknown'],
    ['not measuring', { watts: 0, at: 1_001, measuring: false }, 'unknown'],
  ]
  for (const [what, reading, power] of cases) t.equal(judgeWatts(running, reading).power, power, what)
  // A small machine on standby draws nearly what it runs on.
  t.equal(judgeWatts({ watts: 25, at: 1_000 }, { watts: 19, at: 1_001, measuring: true }).power, 'unknown')
  t.equal(judgeWatts({ watts: 49, at: 1_000 }, { watts: 0, at: 1_001, measuring: true }).power, 'unknown')
  t.equal(judgeWatts({ watts: 50, at: 1_000 }, { watts: 50, at: 1_001, measuring: true }).power, 'on')
})

t.test('watts: a witness of every off of a machine that was seen on', async t => {
  let aheadMs = 0
  const clock = { ...systemClock, now: () => NOON + aheadMs }
  const { bmc, device, driver, side } = await subject(t, {}, { clock })
  const session = driver.open(device, contextOf())
  t.teardown(() => session.close())
  t.same((await session.observe(signal)).witnesses, [])
  t.notOk(side.counters.byPacket['dcmiPower'], 'a mere read does not ask')
  await session.ticket(signal)
  bmc.faults.set('ignored')
  await session.request('off', signal, NEVER)
  bmc.faults.set('lie', { reports: 'Off', watts: false })
  t.match(
    await session.observe(signal),
    { power: 'off', witnesses: [{ power: 'unknown', raw: /measured before/ }] },
    'within the same second',
  )
  aheadMs = 2_000
  t.match(
    await session.observe(signal),
    { power: 'off', witnesses: [{ power: 'on', raw: /^344 W \(344 W while it ran\), so it runs; the quirk ignore-watts / }] },
    'the status lies',
  )
  bmc.faults.clear()
  await session.ticket(signal)
  await session.request('off', signal, NEVER)
  aheadMs = 4_000
  t.match(await session.observe(signal), { power: 'off', witnesses: [{ power: 'off', raw: '12 W (344 W while it ran)' }] })
  side.sessions.clear()
  bmc.faults.set('lie', { reports: 'Off', watts: false })
  bmc.power.force('on', 'test')
  t.match(await session.observe(signal), { power: 'off', witnesses: [{ power: 'on' }] }, 'in the next session, too')
  await session.close()
  const next = driver.open(device, contextOf())
  t.teardown(() => next.close())
  t.match(await next.observe(signal), { power: 'off', witnesses: [{ power: 'on' }] }, 'and whoever opens it')
  t.equal(side.counters.logins, 3)
  bmc.faults.set('identity')
  side.sessions.clear()
  t.same((await next.observe(signal)).witnesses, [], 'of another machine nothing is known')
})

t.test('watts: load comes and goes, and the least that was read on is what counts, until the machine has stopped', async t => {
  let aheadMs = 0
  const { bmc, device, driver } = await subject(t, {}, { clock: { ...systemClock, now: () => NOON + aheadMs } })
  const session = driver.open(device, contextOf())
  t.teardown(() => session.close())
  const drawing = async (watts: number) => {
    bmc.faults.clear()
    bmc.faults.set('watts', { watts })
    aheadMs += 2_000
    await session.ticket(signal)
  }
  const saysOff = async (watts: number) => {
    bmc.faults.set('lie', { reports: 'Off', watts: false })
    bmc.faults.set('watts', { watts })
    aheadMs += 2_000
    return (await session.observe(signal)).witnesses[0]?.power
  }
  await drawing(400)
  await drawing(200)
  await drawing(600)
  t.equal(await saysOff(150), 'on', 'idling again')
  t.equal(await saysOff(20), 'off')
  await drawing(600)
  t.equal(await saysOff(150), 'off', 'the next run is another')
})

t.test('watts: what one process saw serves another, for the same machine', async t => {
  let aheadMs = 0
  const { bmc, device, driver, side } = await subject(t, {}, { clock: { ...systemClock, now: () => NOON + aheadMs } })
  const session = driver.open(device, contextOf())
  const { draw } = await session.ticket(signal)
  t.match(draw, { machine: side.systemGuid.toString('hex'), watts: 344 })
  await session.close()
  aheadMs = 2_000
  bmc.faults.set('lie', { reports: 'Off', watts: false })
  const other = ipmi(systemPorts(new UdpTransport()))
  const taken = other.open(device, contextOf())
  t.teardown(() => taken.close())
  t.same((await taken.observe(signal)).witnesses, [], 'by itself it has seen nothing')
  t.same((await taken.observe(signal, draw && { ...draw, machine: '0'.repeat(32) })).witnesses, [], 'nor of another machine')
  t.match(await taken.observe(signal, draw), { power: 'off', witnesses: [{ power: 'on' }] })
  t.match(await taken.observe(signal), { power: 'off', witnesses: [{ power: 'on' }] }, 'and keeps it')
})

t.test('watts: none where there are none, nor where they are not to be trusted', async t => {
  for (const [what, ipmiOptions, quirks, asked] of [
    ['no DCMI', { watts: 'absent' }, [], 1],
    ['the quirk', {}, ['ignore-watts'], 0],
  ] as const) {
    const { bmc, device, driver, side } = await subject(t, ipmiOptions, {}, { ipmi: { quirks: [...quirks] } })
    const session = driver.open(device, contextOf())
    for (let i = 0; i < 3; i++) await session.ticket(signal)
    bmc.power.force('off', 'test')
    t.same((await session.observe(signal)).witnesses, [], what)
    t.equal(side.counters.byPacket['dcmiPower'] ?? 0, asked, `${what}: asked so often`)
    await session.close()
  }
  const { bmc, device, driver, side } = await subject(t)
  const session = driver.open(device, contextOf({ exchangeMs: 400 }))
  t.teardown(() => session.close())
  await session.ticket(signal)
  bmc.power.force('off', 'test')
  bmc.faults.set('hang', {}, { match: { packet: 'dcmiPower' } })
  t.match(await session.observe(signal), { power: 'off', witnesses: [{ power: 'unknown', raw: 'it does not answer' }] })
  bmc.faults.clear()
  bmc.faults.set('completion', { code: 0xc0 }, { match: { packet: 'dcmiPower' } })
  t.match(await session.observe(signal), { power: 'off', witnesses: [{ power: 'unknown', raw: /node busy/ }] })
  t.equal(side.counters.logins, 1)
})

t.test('watts: a BMC that keeps silent about them costs a command a second at most, and is not asked for long', async t => {
  const { bmc, device, driver, side } = await subject(t)
  const session = driver.open(device, contextOf({ exchangeMs: 300 }))
  t.teardown(() => session.close())
  bmc.faults.set('hang', { when: 'after' }, { match: { packet: 'dcmiPower' } })
  const before = performance.now()
  for (let i = 0; i < 4; i++) await session.ticket(signal)
  t.ok(performance.now() - before < 1_500)
  t.equal(side.counters.byPacket['dcmiPower'], 2, 'one packet may be lost')
  t.equal(side.counters.logins, 1, 'nobody logs in for that')
  t.match(await driver.probe(device, contextOf({ exchangeMs: 300 }), signal), { power: 'on' }, 'nor does a probe fail')
})

t.test('the power restore policy is set and read back (S7)', async t => {
  const { bmc, device, driver, side } = await subject(t)
  const session = driver.open(device, contextOf())
  t.teardown(() => session.close())
  t.match(await session.observe(signal), { restorePolicy: 'previous' })
  t.equal(await session.setRestorePolicy('off', signal), 'previous')
  t.equal(side.restorePolicy, 'AlwaysOff')
  t.match(await session.observe(signal), { restorePolicy: 'off' })
  t.equal(await session.setRestorePolicy('off', signal), 'off')
  t.equal(side.counters.byPacket['setRestorePolicy'], 1, 'what is set already is not set again')
  t.equal(await session.setRestorePolicy('on', signal), 'off')
  bmc.faults.set('completion', { code: 0 }, { match: { packet: 'setRestorePolicy' } })
  t.equal(await session.setRestorePolicy('off', signal), null, 'taken and not done')
  bmc.faults.clear()
  bmc.faults.set('data', { hex: '' }, { match: { packet: 'setRestorePolicy' } })
  t.equal(await session.setRestorePolicy('previous', signal), 'on', 'done, and answered without the list of policies')
  bmc.faults.clear()
  bmc.faults.set('data', { hex: '210040' }, { match: { packet: 'chassisStatus' } })
  t.equal(await session.setRestorePolicy('off', signal), null, 'taken, and read as it was before')
  bmc.faults.clear()
  for (const code of [0xc1, 0xcc, 0xd4]) {
    bmc.faults.set('completion', { code }, { match: { packet: 'setRestorePolicy' } })
    t.equal(await session.setRestorePolicy('on', signal), null, `0x${code.toString(16)}`)
    bmc.faults.clear()
  }
  bmc.faults.set('data', { hex: '610040' }, { match: { packet: 'chassisStatus' } })
  t.match(await session.observe(signal), { restorePolicy: null }, 'it does not know itself')
  t.equal(await session.setRestorePolicy('off', signal), null, 'and what is not known can not be put back')
  t.equal(side.received.length, 0)
})

t.test('a probe says what is offered, used and refused, and why', async t => {
  const { device, driver, side, bmc } = await subject(t)
  const probe = await driver.probe(device, contextOf(), signal)
  t.match(probe, {
    power: 'on',
    session: 'session',
    cipherSuite: 17,
    restorePolicy: 'previous',
    witnesses: ['ipmi DCMI power reading: 344 W'],
    hardware: { guid: side.systemGuid.toString('hex') },
    product: /firmware/,
  })
  const uses = Object.fromEntries(probe.offers.map(({ name, use }) => [name, use]))
  t.match(uses, {
    'cipher suite 0': 'refused',
    'cipher suite 3': 'unused',
    'cipher suite 17': 'used',
    'privilege operator': 'used',
    'DCMI power reading': 'used',
    'power restore policy': 'used',
    'presence ping': 'unused',
  })
  t.ok(probe.offers.every(({ reason }) => reason.length > 3))
  t.match(probe.warnings.join(), /suite 0: whoever reaches it can switch the machine without a password/)
  t.equal(side.restorePolicy, 'LastState', 'nothing was changed')
  t.equal(side.sessions.active().length, 0)

  for (const packet of ['authCapabilities', 'ping'] as const) bmc.faults.set('hang', {}, { match: { packet } })
  t.match((await driver.probe(device, contextOf(), signal)).offers, [
    { name: 'cipher suite 17', use: 'used', reason: 'this session, although the BMC does not list it' },
    { name: 'privilege operator' },
    { name: 'sessions' },
    { name: 'DCMI power reading' },
    { name: 'power restore policy' },
  ])
})

t.test('a BMC that takes nothing but suite 0 is told as such, and not spoken to', async t => {
  const { bmc, device, driver, side } = await subject(t, { suites: [] })
  bmc.faults.set('acceptSuite0')
  const error = await driver.probe(device, contextOf(), signal).catch((reason: unknown) => reason)
  t.match(error, { code: 'suite_refused', message: /offers nothing that may be used: suite 0 checks no password: anybody is let in/ })
  t.equal(side.counters.logins, 0)
})

t.test('a BMC key is used where the BMC has one', async t => {
  const { device, driver } = await subject(t, { kg: 'key of the BMC' })
  const credential = { username: 'admin', password: new Secret('simulated') }
  const withKey = { ...credential, kg: new Secret('key of the BMC') }
  const session = driver.open(device, contextOf({}, withKey))
  t.match(await session.observe(signal), { power: 'on' })
  await session.close()
  const { offers } = await driver.probe(device, contextOf({}, withKey), signal)
  t.match(
    offers.find(({ name }) => name === 'BMC key (Kg)'),
    { use: 'used', reason: 'the BMC has one' },
  )
  for (const wrong of [credential, { ...credential, kg: new Secret('another') }]) {
    const refused = driver.open(device, contextOf({}, wrong))
    t.match(await refused.observe(signal).catch((reason: unknown) => reason), { code: 'auth_failed', facts: { logIns: 2 } })
    await refused.close()
  }
})
