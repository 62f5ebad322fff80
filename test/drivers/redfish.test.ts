import t, { type Test } from 'tap'
import type { DriverContext, ExchangeLimits } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device, TlsSetting } from '../../src/core/topology.ts'
import { DRIVERS } from '../../src/drivers/index.ts'
import { redfish } from '../../src/drivers/redfish.ts'
import { type PersonalityName, type SimulatedBmc, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts'
import { driverContract, type Rig } from '../contract/driver.ts'
import { oneSystem, serve, system } from '../wire/support.ts'

const signal = new AbortController().signal

/** A context over real time with the rules' limits. */
function contextOf(limits: Partial<ExchangeLimits> = {}): DriverContext {
  return {
    clock: { now: () => Date.now(), mono: () => performance.now(), sleep: async () => undefined },
    limits: { ...RULES.exchange, ...limits },
    credential: async () => ({ username: 'admin', password: new Secret('simulated') }),
  }
}

function deviceOf(bmc: SimulatedBmc, changes: Partial<Device> = {}): Device {
  return { ...addressOf(bmc.url), name: bmc.name, ...changes }
}

function addressOf(address: string): Device {
  const tls: TlsSetting = address.startsWith('https') ? { mode: 'pin' } : { mode: 'insecure' }
  const endpoint = redfish.endpoint(address)
  return { name: 'bmc', driver: 'redfish', address, endpoint, tls, status: 'unverified', createdAt: new Date(0).toISOString(), revision: 1 }
}

async function bmcOf(t: Test, personality: PersonalityName, options: Partial<SimulatorOptions> = {}): Promise<SimulatedBmc> {
  const simulator = await startSimulator({ redfish: 1, personality, offDelayMs: 0, onDelayMs: 0, ...options })
  t.teardown(() => simulator.close())
  return simulator.bmc(0)
}

driverContract('redfish', redfish, async t => {
  const bmc = await bmcOf(t, 'generic', { tls: true })
  const rig: Rig = {
    device: deviceOf(bmc),
    context: contextOf({ exchangeMs: 400 }),
    truth: () => bmc.trueState,
    received: () => bmc.counters.resets,
    logIns: () => bmc.counters.logins + bmc.counters.loginFailures,
    sessions: () => bmc.counters.logins - bmc.counters.logouts,
    silence: () => void bmc.faults.set('hang', { when: 'after' }),
    ignore: () => void bmc.faults.set('ignored'),
    refuse: () => void bmc.faults.set('alreadyRefused'),
    loseSessions: () => void bmc.faults.set('sessionLost', {}, { count: 1 }),
    lie: value => void bmc.faults.set('powerState', { value }),
    swap: () => void bmc.faults.set('identity'),
    lockOut: () => void bmc.faults.set('wrongCredentials'),
    heal: () => bmc.faults.clear(),
    press: state => bmc.power.force(state, 'a person'),
  }
  return rig
})

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no failure',
    (error: unknown) => (error instanceof DriverError ? error.code : String(error)),
  )

t.test('the list of drivers', async t => {
  t.same(
    DRIVERS.map(driver => [driver.kind, driver.mechanism]),
    [
      ['redfish', 'direct'],
      ['ipmi', 'direct'],
    ],
  )
  t.equal(redfish.endpoint('https://BMC.example/rack1'), 'bmc.example')
  t.equal(redfish.endpoint('http://[fd00::1]:8000'), '[fd00::1]:8000')
})

t.test('every personality: probe, off, on', async t => {
  const expected: Partial<Record<PersonalityName, Record<string, unknown>>> = {
    generic: { session: 'session' },
    dell: { session: 'session', witnesses: [/Chassis/] },
    hpe: { session: 'session' },
    lenovo: {},
    supermicro: {},
    ami: { others: [{ id: 'HGX_Baseboard_0', reason: 'no_reset_action' }] },
    openbmc: { witnesses: [/Chassis/] },
  }
  for (const [personality, probe] of Object.entries(expected) as [PersonalityName, Record<string, unknown>][]) {
    const bmc = await bmcOf(t, personality, { tls: true })
    const device = deviceOf(bmc)
    const context = contextOf()
    t.match(await redfish.probe(device, context, signal), { power: 'on', commands: { off: 'ForceOff', on: 'On' }, ...probe }, personality)
    bmc.resetCounters()
    const session = redfish.open(device, context)
    t.match(await session.observe(signal), { power: 'on', witnesses: [], witnessRequired: personality === 'openbmc' })
    const ticket = await session.ticket(signal)
    t.ok(ticket.closing !== null, `${personality}: its session can be closed`)
    t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'answered', accepted: true })
    const off = await session.observe(signal)
    t.match(off, { power: 'off', raw: '"Off"' }, personality)
    for (const witness of off.witnesses) t.equal(witness.power, 'off', `${personality}: ${witness.source}`)
    await session.ticket(signal)
    t.match(await session.request('on', signal, Number.POSITIVE_INFINITY), { kind: 'answered' })
    t.match(await session.observe(signal), { power: 'on' })
    t.equal(await session.close(), 'closed')
    t.equal(bmc.counters.logins, 1, `${personality}: one log-in`)
    t.ok(bmc.counters.tlsHandshakes <= (personality === 'hpe' ? 3 : 1), `${personality}: ${bmc.counters.tlsHandshakes} TLS handshakes`)
    t.equal(bmc.counters.logouts, 1)
  }
})

t.test('several systems: refused with the list, chosen by id, each its own', async t => {
  const bmc = await bmcOf(t, 'cray')
  const context = contextOf()
  const error = await redfish.probe(deviceOf(bmc), context, signal).catch((error: unknown) => error)
  t.match(error, {
    code: 'ambiguous_system',
    facts: {
      errors: [
        { field: 'systemId', message: /Node/ },
        { field: 'systemId', message: /Node/ },
      ],
    },
  })
  const ids = bmc.systems.filter(one => one.spec.isNode).map(one => one.spec.id)
  const [first, second] = ids
  const device = deviceOf(bmc, { systemId: second ?? '' })
  const probe = await redfish.probe(device, context, signal)
  t.match(probe, { systemId: second, hardware: { system: `/redfish/v1/Systems/${second}` } })
  const session = redfish.open(deviceOf(bmc, { hardware: probe.hardware }), context)
  await session.ticket(signal)
  await session.request('off', signal, Number.POSITIVE_INFINITY)
  t.equal(bmc.system(second ?? '')?.power.state, 'off')
  t.equal(bmc.system(first ?? '')?.power.state, 'on', 'its neighbour runs on')
  await session.close()
  t.equal(await codeOf(redfish.probe(deviceOf(bmc, { systemId: 'Node9' }), context, signal)), 'ambiguous_system')
  const ami = await bmcOf(t, 'ami')
  t.equal(await codeOf(redfish.probe(deviceOf(ami, { systemId: 'HGX_Baseboard_0' }), context, signal)), 'unsupported')
})

t.test('reads that say nothing about the power', async t => {
  const bmc = await bmcOf(t, 'dell')
  const session = redfish.open(deviceOf(bmc), contextOf({ exchangeMs: 800 }))
  t.teardown(() => session.close())
  await session.observe(signal)
  const faults = bmc.faults
  const cases: [string, () => unknown, string | Record<string, unknown>][] = [
    ['PoweringOff', () => faults.set('powerState', { value: 'PoweringOff' }), { power: 'transitioning' }],
    ['missing', () => faults.setByName('powerState', { missing: true }), { power: 'unknown', raw: '(missing)' }],
    ['a copy', () => faults.set('stale', { reports: 'Off', ageSeconds: 30 }), { power: 'unknown', raw: '"Off" (a copy, 30 s old)' }],
    ['50 MB', () => faults.set('hugeAnswer'), 'bad_answer'],
    ['gzip bomb', () => faults.set('gzipBomb', { bytes: 4_194_304 }), 'bad_answer'],
    ['deep', () => faults.set('deepNesting'), 'bad_answer'],
    ['HTML', () => faults.set('html'), 'bad_answer'],
    ['empty', () => faults.set('emptyAnswer'), 'bad_answer'],
    ['BOM', () => faults.set('text'), 'bad_answer'],
    ['truncated', () => faults.set('truncated'), 'unreachable'],
    ['truncated, well framed', () => faults.set('truncated', { how: 'short' }), 'bad_answer'],
    ['slow', () => faults.set('slowBody'), 'unreachable'],
    ['hangs', () => faults.set('hang'), 'unreachable'],
    ['cut', () => faults.set('drop'), 'unreachable'],
    ['503', () => faults.set('unavailable', { retryAfter: '7' }), 'device_busy'],
    ['redirected to another host', () => faults.set('redirect', { to: 'host' }), 'bad_answer'],
    ['redirected in a loop', () => faults.set('redirect', { to: 'loop' }), 'bad_answer'],
    ['moved', () => faults.set('missing', {}, { match: { path: '/Systems/' } }), 'bad_answer'],
    ['offline', () => faults.set('offline'), 'unreachable'],
  ]
  for (const [name, begin, expected] of cases) {
    begin()
    if (typeof expected === 'string') t.equal(await codeOf(session.observe(signal)), expected, name)
    else t.match(await session.observe(signal), expected, name)
    faults.clear()
    t.match(await session.observe(signal), { power: 'on' }, `after ${name}`)
  }
})

t.test('witnesses: read with an off, contradicting ones are passed on', async t => {
  const bmc = await bmcOf(t, 'openbmc')
  bmc.power.force('off', 'test')
  const session = redfish.open(deviceOf(bmc), contextOf())
  t.teardown(() => session.close())
  t.match(await session.observe(signal), { power: 'off', witnessRequired: true, witnesses: [{ power: 'off', raw: '"Off"' }] })
  bmc.faults.set('chassisContradicts')
  t.match(await session.observe(signal), { power: 'off', witnesses: [{ power: 'on', raw: '"On"' }] })
  bmc.faults.clear()
  bmc.faults.set('missing', {}, { match: { path: '/Chassis/' } })
  const alone = await session.observe(signal)
  t.match(alone, { power: 'off', witnesses: [] })
  t.equal(alone.witnessRequired, true, 'none there: an off needs it all the same')
  bmc.faults.clear()
  bmc.faults.set('unavailable', {}, { match: { path: '/Chassis/' } })
  t.equal(await codeOf(session.observe(signal)), 'device_busy', 'one that does not answer now makes the read fail')
})

t.test('witnesses: only a chassis of its own counts', async t => {
  const chassis = '/redfish/v1/Chassis/1'
  const cases: [string, Record<string, unknown>, string[]][] = [
    ['its own', { ChassisType: 'Blade', PowerState: 'On', Links: { ComputerSystems: [{}] } }, ['on']],
    ['without a list of systems', { PowerState: 'Off' }, ['off']],
    ['shared with another system', { PowerState: 'On', Links: { ComputerSystems: [{}, {}] } }, []],
    ['an enclosure (sushy-tools: On for ever)', { ChassisType: 'Enclosure', PowerState: 'On' }, []],
    ['says nothing about power', { PowerState: null }, []],
    ['says something odd', { PowerState: 'off' }, ['unknown']],
  ]
  for (const [name, body, expected] of cases) {
    const bmc = await serve(t, {
      ...oneSystem(),
      'GET /redfish/v1/Systems/1': system('1', { PowerState: 'Off', Links: { Chassis: [{ '@odata.id': chassis }] } }),
      [`GET ${chassis}`]: body,
    })
    const session = redfish.open(addressOf(bmc.url), contextOf())
    const { witnesses } = await session.observe(signal)
    t.same(
      witnesses.map(witness => witness.power),
      expected,
      name,
    )
    await session.close()
  }
})

t.test('commands under faults', async t => {
  const bmc = await bmcOf(t, 'dell')
  const session = redfish.open(deviceOf(bmc), contextOf({ exchangeMs: 500 }))
  t.teardown(() => session.close())
  const cases: [string, () => unknown, Record<string, unknown>][] = [
    ['task', () => bmc.faults.set('taskAnswer'), { kind: 'answered', accepted: true, raw: /^ForceOff: 202/ }],
    ['refused', () => bmc.faults.set('refused', { status: 400 }), { kind: 'answered', accepted: false, raw: /^ForceOff: 400/ }],
    ['503', () => bmc.faults.set('unavailable', { retryAfter: '7' }), { kind: 'answered', accepted: false, retryAfterMs: 7_000 }],
    ['redirect', () => bmc.faults.set('redirect', { to: 'path' }), { kind: 'answered', accepted: false }],
    [
      'executed late and never answered',
      () => bmc.faults.set('late', { ms: 60_000, answered: 'never' }),
      { kind: 'unanswered', raw: 'ForceOff: exchange_timeout' },
    ],
    [
      'connection cut',
      () => bmc.faults.set('late', { ms: 60_000, answered: 'drop' }),
      { kind: 'unanswered', raw: 'ForceOff: connection_lost' },
    ],
    ['If-Match is never sent', () => bmc.faults.set('ifMatchRefused'), { kind: 'answered', accepted: true }],
  ]
  for (const [name, begin, expected] of cases) {
    await session.ticket(signal)
    const before = bmc.counters.resets
    begin()
    t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), expected, name)
    t.ok(bmc.counters.resets - before <= 1, `${name}: sent once`)
    bmc.faults.clear()
    bmc.power.force('on', 'test')
  }
})

t.test('the time to live of a command is what is left of it since it was announced', async t => {
  const bmc = await bmcOf(t, 'generic')
  const context = contextOf()
  const session = redfish.open(deviceOf(bmc), context)
  t.teardown(() => session.close())
  await session.ticket(signal)
  bmc.faults.set('hang', { when: 'after' })
  const reply = await session.request('off', signal, context.clock.mono() + 50)
  t.match(reply, { kind: 'unanswered', raw: 'ForceOff: expired' }, 'long before the 5 s of an exchange and the 15 s of a whole life')
})

t.test('the certificate that a read was made under goes with it', async t => {
  const bmc = await bmcOf(t, 'generic', { tls: true })
  const { fingerprint } = await redfish.probe(deviceOf(bmc), contextOf(), signal)
  const session = redfish.open(deviceOf(bmc), contextOf())
  t.teardown(() => session.close())
  t.ok(fingerprint)
  t.match(await session.observe(signal), { fingerprint })
})

t.test('Basic where there is no free session; certificates; lost identity of the service', async t => {
  const full = await bmcOf(t, 'dell')
  full.faults.set('sessionTableFull')
  const basic = redfish.open(deviceOf(full), contextOf())
  t.match(await basic.ticket(signal), { id: /^basic/, closing: null })
  t.match(await basic.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'answered', accepted: true })
  t.match(await basic.observe(signal), { power: 'off' })
  t.equal(await basic.close(), 'unknown')
  t.match((await redfish.probe(deviceOf(full), contextOf(), signal)).warnings, [/not secured/, /no session/])

  const bmc = await bmcOf(t, 'dell', { tls: true })
  const probe = await redfish.probe(deviceOf(bmc), contextOf(), signal)
  t.match(probe.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
  const pinned = deviceOf(bmc, { tls: { mode: 'pin', fingerprint: probe.fingerprint ?? '' } })
  t.match(await redfish.probe(pinned, contextOf(), signal), { power: 'on' })
  bmc.faults.set('certificate')
  const before = bmc.counters.requests
  t.equal(await codeOf(redfish.probe(pinned, contextOf(), signal)), 'tls_mismatch')
  t.equal(bmc.counters.requests, before)
  t.equal(
    await codeOf(redfish.probe(deviceOf(bmc, { address: 'http://127.0.0.1:1' }), contextOf(), signal)),
    'bad_address',
    'http needs insecure',
  )
  const nobody = deviceOf(bmc, { address: 'https://127.0.0.1:1' })
  t.equal(await codeOf(redfish.probe(nobody, contextOf(), signal)), 'unreachable')
  t.equal(await redfish.closeSession(nobody, new Secret('{"location":"/x","token":"y"}'), contextOf(), signal), 'unknown')
  t.equal(await redfish.closeSession(nobody, new Secret('{}'), contextOf(), signal), 'unknown', 'a ticket of another kind')
})
