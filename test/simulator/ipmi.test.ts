import t from 'tap'
import { startSimulator } from '../../src/simulator/index.ts'
import { parseSuiteRecords } from '../../src/wire/ipmi/capabilities.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { renderGuid } from '../../src/wire/ipmi/guid.ts'
import { encodeRequest } from '../../src/wire/ipmi/message.ts'
import { encodePing, parsePacket } from '../../src/wire/ipmi/rmcp.ts'
import { seal } from '../../src/wire/ipmi/seal.ts'
import { encodeOpenRequest, encodeRakp3 } from '../../src/wire/ipmi/setup.ts'
import { bench, DOWN, RawConsole, type RawSession, UP } from './ipmi-console.ts'
import { IPMITOOL, run } from './ipmitool.ts'
import { ask, powerState, reset, systemPath } from './support.ts'

for (const suite of [17, 3] as const) {
  t.test(`suite ${suite}: status, off, on, over the one machine that Redfish switches too`, async t => {
    const { bmc, side, console } = await bench(t)
    const session = await console.session({ suite })
    t.equal(renderGuid(session.guid).smbios, bmc.systemOrThrow(undefined).identity.systemUuid, 'the GUID of RAKP2 is the UUID')
    t.equal(renderGuid(session.guid).smbios, (await ask(bmc, 'GET', systemPath(bmc))).get('UUID'), 'and that of Redfish')
    t.equal(await console.isOn(session), true)
    t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0 })
    t.equal(bmc.trueState, 'off')
    t.equal(await console.isOn(session), false)
    t.equal(await powerState(bmc), 'Off')
    await reset(bmc, 'On')
    t.equal(await console.isOn(session), true)
    t.match(side.received, [{ action: 'down', user: 'admin', executed: 'now', completion: 0, sequence: 3 }])
    t.match(bmc.history, [
      { operation: 'off', cause: `ipmi:${bmc.name}:${side.received[0]?.session}` },
      { operation: 'on', cause: /^redfish:/ },
    ])
    t.match(side.counters, { logins: 1, loginFailures: 0, byPacket: { open: 1, rakp1: 1, rakp3: 1, chassisStatus: 3, chassisControl: 1 } })
  })
}

t.test('a log-in that is wrong is refused where the specification says, and counted', async t => {
  const users = [{ name: 'view', password: 'look', privilege: 'user' as const }]
  const { side, console } = await bench(t, { users })
  t.same(await console.logIn({ user: 'nobody' }), { step: 'rakp2', status: 0x0d })
  t.same(await console.logIn({ user: 'view', password: 'look', privilege: 3 }), { step: 'rakp2', status: 0x0a })
  t.same(await console.logIn({ password: 'wrong' }), { step: 'rakp2', status: 'bad code' })
  t.equal(side.counters.loginFailures, 2)
  const opened = await console.openSession({ auth: 1, integrity: 1, confidentiality: 1 })
  const { bmcId = 0 } = opened ?? {}
  t.same(await console.ask(Buffer.alloc(3)), [], 'nonsense in between')
  await console.step('rakp3', encodeRakp3({ tag: 1, status: 0x0f, bmcId, code: Buffer.alloc(0) }))
  t.equal(side.counters.loginFailures, 3, 'the console says that the code of RAKP2 was wrong')
  t.equal(side.sessions.find(bmcId), undefined, 'and its place is free again')
  t.ok('session' in (await console.logIn({ user: 'view', password: 'look', privilege: 2 })))
  t.equal(side.counters.logins, 1)
})

t.test('an unknown user can get a code that fits no password', async t => {
  const { console } = await bench(t, { unknownUser: 'bogus' })
  t.same(await console.logIn({ user: 'nobody' }), { step: 'rakp2', status: 'bad code' })
  t.ok('session' in (await console.logIn()))
})

t.test('a BMC key is needed where there is one', async t => {
  for (const suite of [17, 3] as const) {
    const { console } = await bench(t, { kg: 'the key' })
    t.same(await console.logIn({ suite }), { step: 'rakp4', status: 'bad code' })
    const session = await console.session({ suite, kg: 'the key' })
    t.equal(await console.isOn(session), true)
    t.match(COMMANDS.authCapabilities.decode((await console.callOutside('authCapabilities', [0x8e, 4]))?.data ?? Buffer.alloc(0)), {
      kg: true,
    })
  }
})

t.test('suites: what it has, what it offers, and what it refuses', async t => {
  const { console } = await bench(t, { suites: [3] })
  t.match(await console.openSession({ auth: 3, integrity: 4, confidentiality: 1 }), { status: 0x04 })
  t.match(await console.openSession({ auth: 1, integrity: 4, confidentiality: 1 }), { status: 0x05 })
  t.match(await console.openSession({ auth: 1, integrity: 1, confidentiality: 2 }), { status: 0x11 })
  t.match(await console.openSession({ auth: 0, integrity: 0, confidentiality: 0 }), { status: 0x04 })
  const page = await console.callOutside('cipherSuites', [0x0e, 0, 0x80])
  t.same(
    parseSuiteRecords(COMMANDS.cipherSuites.decode(page?.data ?? Buffer.alloc(0)).bytes).map(({ id }) => id),
    [0, 3],
  )
  const both = await bench(t, { offersSuite0: false, suites: [3, 17] })
  const first = await both.console.callOutside('cipherSuites', [0x0e, 0, 0x80])
  t.equal(first?.data.toString('hex'), '01c003014181c011034481')
  t.same(await both.console.callOutside('cipherSuites', [0x0e, 0, 0x81]).then(answer => answer?.data.length), 1, 'the second page is empty')
})

t.test('outside of a session: ping, capabilities and GUID, and nothing else', async t => {
  const { bmc, console } = await bench(t)
  console.send(encodePing(0x42))
  t.match(parsePacket((await console.next()).bytes), { kind: 'pong', tag: 0x42, ipmi: true })
  const guid = await console.callOutside('systemGuid')
  t.equal(renderGuid(guid?.data ?? Buffer.alloc(0)).smbios, bmc.systemOrThrow(undefined).identity.systemUuid)
  const capabilities = await console.callOutside('authCapabilities', [0x8e, 4])
  t.match(COMMANDS.authCapabilities.decode(capabilities?.data ?? Buffer.alloc(0)), {
    ipmi20: true,
    ipmi15: false,
    kg: false,
    namedUsers: true,
  })
  for (const name of ['chassisStatus', 'deviceId', 'closeSession'] as const)
    t.match(await console.callOutside(name), { completion: 0xd4 }, name)
  t.match(await console.callOutside('chassisControl', DOWN), { completion: 0xd4 })
  t.equal(bmc.trueState, 'on')
})

t.test('privileges: a session begins as user, and goes no higher than account and log-in allow', async t => {
  const users = [{ name: 'oper', password: 'switch', privilege: 'operator' as const }]
  const { bmc, side, console } = await bench(t, { users })
  const login = { user: 'oper', password: 'switch', privilege: 3 }
  const result = await console.logIn(login)
  if (!('session' in result)) throw new Error('no session')
  const { session } = result
  t.equal(await console.isOn(session), true)
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0xd4 })
  t.equal(bmc.trueState, 'on')
  t.match(await console.call(session, 'setSessionPrivilege', [4]), { completion: 0x80 })
  t.match(await console.call(session, 'setSessionPrivilege', [9]), { completion: 0xcc })
  t.match(await console.call(session, 'setSessionPrivilege', [3]), { completion: 0, data: Buffer.from([3]) })
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0 })
  t.equal(bmc.trueState, 'off')
  t.match(await console.call(session, [0x06, 0x02]), { completion: 0xd4 }, 'a cold reset is for administrators')
  t.equal(side.received.length, 1, 'what the session may not is no power command')
  const low = await console.logIn({ privilege: 2 })
  if (!('session' in low)) throw new Error('no session')
  t.match(await console.call(low.session, 'setSessionPrivilege', [4]), { completion: 0x81 }, 'an administrator who logged in as user')
})

t.test('the session table: four, half-open ones give way, idle ones end', async t => {
  const { side, clock, console } = await bench(t)
  const sessions: RawSession[] = []
  for (let count = 0; count < 4; count++) sessions.push(await console.session())
  t.same(await console.logIn(), { step: 'open', status: 0x01 })
  const [first, second] = sessions
  if (first === undefined || second === undefined) throw new Error('four sessions were opened')
  t.match(await console.call(first, 'closeSession', idBytes(first)), { completion: 0 })
  t.equal(await console.isOn(first), undefined, 'what is closed is silent')
  for (let count = 0; count < 3; count++) t.match(await console.openSession(second.suite), { status: 0 }, 'a half-open one gives way')
  t.equal(side.sessions.list().length, 4)
  clock.advance(59_000)
  t.equal(await console.isOn(second), true, 'which keeps it open')
  clock.advance(1000)
  t.equal(side.sessions.list().length, 1, 'the others were idle for 60 s')
  t.equal(await console.isOn(second), true)
  t.match(side.counters, { peakSessions: 4, closes: 1 })
})

t.test('closing: 87h for what is not there, and only an administrator closes another', async t => {
  const users = [{ name: 'oper', password: 'switch', privilege: 'operator' as const }]
  const { side, console } = await bench(t, { users })
  const one = await console.session()
  const other = await console.session({ user: 'oper', password: 'switch', privilege: 3 })
  t.match(await console.call(other, 'closeSession', idBytes(one)), { completion: 0xd4 })
  t.match(await console.call(one, 'closeSession', idBytes(other)), { completion: 0 })
  t.equal(await console.isOn(other), undefined)
  t.match(await console.call(one, 'closeSession', idBytes(other)), { completion: 0x87 })
  t.match(await console.call(one, 'closeSession', [1, 2, 3]), { completion: 0xc7 })
  t.match(await console.call(one, 'closeSession', idBytes(one)), { completion: 0 }, 'its own answer still goes out')
  t.same(side.sessions.list(), [])
})

t.test('a repeated step of the handshake is answered again, with the same', async t => {
  const { side, console } = await bench(t)
  const { suite } = await console.session()
  const id = 0x01020304
  const first = await console.openSession(suite, 4, id)
  t.same(await console.openSession(suite, 4, id), first)
  t.equal(side.sessions.list().length, 2)
  t.match(
    await console.step('rakp1', Buffer.concat([Buffer.from('0200000000000000', 'hex'), Buffer.alloc(20)])),
    Buffer.from('0202000000000000', 'hex'),
  )
  const another = await (await bench(t)).console.openSession(suite, 4, id)
  t.not(another?.bmcId, first?.bmcId)
})

t.test('sequence numbers: none twice, none far ahead, some late', async t => {
  const { side, console } = await bench(t)
  const session = await console.session()
  const asked = console.command(session, 'chassisControl', DOWN)
  t.equal((await console.ask(asked)).length, 1)
  t.equal((await console.ask(asked)).length, 0, 'the same packet again')
  t.equal(side.received.length, 1)
  const at = (sequence: number): Promise<boolean | undefined> => {
    session.sequence = sequence
    return console.isOn(session)
  }
  t.equal(await at(0), undefined)
  t.equal(await at(17), false, '15 ahead')
  t.equal(await at(33), undefined, '16 ahead')
  t.equal(await at(16), false, 'late, and not seen before')
  t.equal(await at(16), undefined)
  t.equal(await at(2), undefined, 'it was used for the command')
  t.equal(await at(18), false)
  t.match(side.counters.dropped, { sequence: 5 })
})

t.test('what is not authenticated is dropped in silence, and does nothing', async t => {
  const { bmc, side, console, another } = await bench(t)
  const session = await console.session()
  const right = console.command(session, 'chassisControl', DOWN)
  for (let bit = 0; bit < right.length * 8; bit++) {
    const bytes = Buffer.from(right)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    // Two bytes of the RMCP header mean nothing: a flip in them is no other packet, so they are tried last.
    if (bit >> 3 === 1 || bit >> 3 === 2) continue
    t.same(await console.ask(bytes), [], `bit ${bit}`)
  }
  const { keys, bmcId, suite } = session
  const message = encodeRequest({ netFn: 0, command: 2, sequence: 9, data: Buffer.from(DOWN) })
  const plain = Buffer.concat([Buffer.from('0600ff070600', 'hex'), le32(bmcId), le32(3), Buffer.from([message.length, 0]), message])
  t.same(await console.ask(plain), [], 'flags 00h')
  const wrong = { k1: Buffer.from(keys.k1).fill(1, 0, 1), k2: keys.k2 }
  t.same(await console.ask(seal({ suite, keys: wrong, sessionId: bmcId, sequence: 3, message, iv: Buffer.alloc(16) })), [], 'another key')
  const stranger = await another()
  t.same(await stranger.ask(right), [], 'another port')
  t.equal(bmc.trueState, 'on')
  t.equal(side.received.length, 0)
  t.equal((await console.ask(right)).length, 1, 'the right one still is')
  t.equal(bmc.trueState, 'off')
})

t.test('nonsense of any length harms nobody', async t => {
  const { side, console } = await bench(t)
  const session = await console.session()
  for (let length = 0; length < 80; length++) {
    for (const head of ['', '0600ff07', '0600ff0706', '0600ff070610', '0600ff070612', '0600ff070614', '0600ff0700', '0600ff06']) {
      await console.ask(Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(length, length * 37)]))
    }
  }
  await console.ask(Buffer.alloc(65_507, 6))
  await console.ask(encodeOpenRequest({ tag: 0, privilege: 0, consoleId: 0, suite: session.suite }))
  t.equal(await console.isOn(session), true)
  t.ok(Object.keys(side.counters.dropped).length > 5)
})

t.test('commands beside power', async t => {
  const { bmc, side, clock, console } = await bench(t)
  const session = await console.session()
  const reply = async (name: keyof typeof COMMANDS, data: readonly number[] = []): Promise<Buffer> => {
    const answer = await console.call(session, name, data)
    t.match(answer, { completion: 0 }, name)
    return answer?.data ?? Buffer.alloc(0)
  }
  t.match(COMMANDS.deviceId.decode(await reply('deviceId')), { firmware: '3.02', ipmi: '2.0', updating: false })
  t.equal(renderGuid(await reply('deviceGuid')).smbios, bmc.serviceUuid)
  t.equal(renderGuid(await reply('systemGuid')).smbios, bmc.systemOrThrow(undefined).identity.systemUuid)
  t.match(COMMANDS.sessionInfo.decode(await reply('sessionInfo', [0])), {
    handle: 1,
    limit: 4,
    active: 1,
    session: { user: 2, privilege: 4 },
  })
  t.match(COMMANDS.restartCause.decode(await reply('restartCause')), { cause: 0 })
  t.match(COMMANDS.dcmiPower.decode(await reply('dcmiPower', [0xdc, 1, 0, 0])), {
    watts: 344,
    at: Math.floor(clock.now() / 1000),
    measuring: true,
  })
  clock.advance(2000)
  await reply('chassisControl', DOWN)
  t.match(COMMANDS.dcmiPower.decode(await reply('dcmiPower', [0xdc, 1, 0, 0])), { watts: 12, at: Math.floor(clock.now() / 1000) })
  await reply('chassisControl', UP)
  t.match(COMMANDS.restartCause.decode(await reply('restartCause')), { cause: 1 })
  t.match(COMMANDS.chassisStatus.decode(await reply('chassisStatus')), {
    on: true,
    lastEvent: { onByCommand: true },
    restorePolicy: 'previous',
  })
  t.equal((await ask(bmc, 'GET', systemPath(bmc))).get('PowerRestorePolicy'), 'LastState')
  t.same(COMMANDS.setRestorePolicy.decode(await reply('setRestorePolicy', [0])), { supported: ['off', 'previous', 'on'] })
  t.equal((await ask(bmc, 'GET', systemPath(bmc))).get('PowerRestorePolicy'), 'AlwaysOff', 'one setting for both protocols')
  await reply('setRestorePolicy', [3])
  t.match(COMMANDS.chassisStatus.decode(await reply('chassisStatus')), { restorePolicy: 'off' }, '3 changes nothing')
  const refused: [keyof typeof COMMANDS | [number, number], number[], number][] = [
    ['setRestorePolicy', [4], 0xcc],
    ['chassisControl', [9], 0xcc],
    ['chassisControl', [], 0xc7],
    ['chassisStatus', [0], 0xc7],
    ['dcmiPower', [0xdd, 1, 0, 0], 0xc1],
    [[0x0a, 0x10], [], 0xc1],
  ]
  for (const [name, data, completion] of refused) t.match(await console.call(session, name, data), { completion }, `${name} ${data}`)
  for (const [data, action] of [
    [2, 'cycle'],
    [3, 'reset'],
    [4, 'diagnostic'],
    [5, 'soft'],
  ] as const) {
    await console.call(session, 'chassisControl', [data])
    t.equal(side.received.at(-1)?.action, action)
  }
  bmc.power.force('off', 'test')
  t.match(await console.call(session, 'chassisControl', [3]), { completion: 0xd5 }, 'a reset of what is off')
  t.match(await console.call(session, [0x06, 0x02]), { completion: 0 })
  t.same(side.sessions.list(), [], 'a cold reset ends all sessions')
})

t.test('machines without watts or without a policy on Redfish', async t => {
  const old = await bench(t, { watts: 'absent' }, { personality: 'dell' })
  const session = await old.console.session()
  t.match(await old.console.call(session, 'dcmiPower', [0xdc, 1, 0, 0]), { completion: 0xc1 })
  await old.console.call(session, 'setRestorePolicy', [2])
  const status = await old.console.call(session, 'chassisStatus')
  t.match(COMMANDS.chassisStatus.decode(status?.data ?? Buffer.alloc(0)), { restorePolicy: 'on' })
  t.equal((await ask(old.bmc, 'GET', systemPath(old.bmc))).get('PowerRestorePolicy'), undefined)
  const frozen = await bench(t, { watts: 'frozen' })
  const other = await frozen.console.session()
  const at = async (): Promise<number> =>
    COMMANDS.dcmiPower.decode((await frozen.console.call(other, 'dcmiPower', [0xdc, 1, 0, 0]))?.data ?? Buffer.alloc(0)).at
  const first = await at()
  frozen.clock.advance(5000)
  t.equal(await at(), first)
})

t.test('the machine takes its time, and says on until it is off', async t => {
  const { bmc, clock, console } = await bench(t, {}, { offDelayMs: 5000 })
  const session = await console.session()
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0 })
  t.equal(bmc.trueState, 'poweringOff')
  t.equal(await console.isOn(session), true)
  clock.advance(5000)
  t.equal(await console.isOn(session), false)
})

t.test('GUIDs in the byte orders that there are', async t => {
  for (const [guidOrder, reading] of [
    ['smbios', 'smbios'],
    ['rfc4122', 'rfc4122'],
    ['specification', 'specification'],
  ] as const) {
    const { bmc, console } = await bench(t, { guidOrder })
    const session = await console.session()
    t.equal(renderGuid(session.guid)[reading], bmc.systemOrThrow(undefined).identity.systemUuid)
  }
  const { console } = await bench(t, { guidOrder: 'zero' })
  t.same((await console.session()).guid, Buffer.alloc(16))
})

t.test('how many speak what: inventory, addresses, control port', async t => {
  const simulator = await startSimulator({ redfish: 1, ipmi: 3, personality: 'mixed' })
  t.teardown(() => simulator.close())
  const { devices, nodes } = simulator.inventory()
  const [first, second] = simulator.bmcs
  t.same(
    devices.map(({ name, driver, address }) => [name, driver, address]),
    [
      ['bmc-rack1-node01', 'redfish', first?.url],
      ['bmc-rack1-node01-ipmi', 'ipmi', first?.ipmi?.url],
      ['bmc-rack1-node02-ipmi', 'ipmi', second?.ipmi?.url],
      ['bmc-rack1-node03-ipmi', 'ipmi', simulator.bmc(2).ipmi?.url],
    ],
  )
  t.same(
    nodes.map(({ levels }) => levels),
    [[['bmc-rack1-node01'], ['bmc-rack1-node01-ipmi']], [['bmc-rack1-node02-ipmi']], [['bmc-rack1-node03-ipmi']]],
  )
  t.same(
    nodes.map(({ systemUuid }) => systemUuid),
    simulator.bmcs.map(bmc => bmc.systemOrThrow(undefined).identity.systemUuid),
  )
  t.notOk('tls' in (devices[1] ?? {}))
  t.match(first?.ipmi?.url, /^ipmi:\/\/127\.0\.0\.1:\d+$/)
  t.equal(new Set(simulator.bmcs.map(({ ipmi }) => ipmi?.url)).size, 3)
  t.equal(second?.url, '')

  const console = await RawConsole.open(simulator.bmc(1))
  t.teardown(() => console.close())
  const session = await console.session()
  await console.call(session, 'chassisControl', DOWN)
  const report = async (path = '', init?: RequestInit): Promise<Record<string, unknown>> =>
    (await (await fetch(`${simulator.control.url}/bmcs${path}`, init)).json()) as Record<string, unknown>
  t.match(await report(), { items: [{ url: first?.url, ipmi: first?.ipmi?.url }, { ipmi: second?.ipmi?.url }, {}] })
  const before = await report(`/${second?.name}`)
  t.match(before, {
    ipmi: {
      counters: { logins: 1, sessionsOpen: 1, byPacket: { chassisControl: 1 } },
      sessions: [{ user: 'admin', isActive: true, privilege: 4 }],
      received: [{ action: 'down', completion: 0 }],
    },
    systems: [{ trueState: 'off' }],
  })
  t.notMatch(JSON.stringify(before), /simulated|"k1"|"sik"/)
  const fault = { name: 'completion', parameters: { code: 0xd5 }, match: { protocol: 'ipmi', packet: 'chassisControl' } }
  await report(`/${second?.name}/faults`, { method: 'POST', body: JSON.stringify(fault) })
  t.match(await console.call(session, 'chassisControl', UP), { completion: 0xd5 })
  t.match(await report(`/${second?.name}/counters`, { method: 'DELETE' }), {
    ipmi: { counters: { logins: 0, sessionsOpen: 1 }, received: [] },
  })
})

t.test('only one of several systems has IPMI, and no BMC without a node on a level', async t => {
  const simulator = await startSimulator({ redfish: 1, ipmi: 1, personality: 'cray' })
  t.teardown(() => simulator.close())
  const { nodes, devices } = simulator.inventory()
  t.equal(devices.filter(({ driver }) => driver === 'ipmi').length, 1)
  t.same(
    nodes.map(({ levels }) => levels.length),
    [2, 1],
  )
})

t.test('bad options are refused, and a start that fails leaves nothing behind', async t => {
  await t.rejects(startSimulator({}), { message: /at least 1/ })
  await t.rejects(startSimulator({ ipmi: 1.5 }), { message: /ipmi: "1.5" is no number/ })
  await t.rejects(startSimulator({ ipmi: 1, password: 'x'.repeat(21) }), { message: /longer than 20 bytes/ })
  await t.rejects(startSimulator({ ipmi: 1, username: 'x'.repeat(17) }), { message: /longer than 16 bytes/ })
  await t.rejects(startSimulator({ ipmi: 1, ipmiOptions: { kg: 'x'.repeat(21) } }), { message: /key is longer/ })
  const first = await startSimulator({ ipmi: 1 })
  t.teardown(() => first.close())
  const { host } = new URL(first.bmc(0).ipmi?.url ?? '')
  await t.rejects(startSimulator({ ipmi: 1, listen: host }), { code: 'EADDRINUSE' })
  const inventory = await (await fetch(`${first.control.url}/inventory`)).json()
  t.match(inventory, { nodes: [{ levels: [['bmc-rack1-node01-ipmi']] }] })
})

t.test('an address each, on one port', { skip: process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8' }, async t => {
  const probe = await startSimulator({ ipmi: 1, listen: '127.33.0.1:0' })
  const { port } = new URL(probe.bmc(0).ipmi?.url ?? '')
  await probe.close()
  const simulator = await startSimulator({ ipmi: 3, listen: `127.33.0.1:${port}`, spread: 'address' })
  t.teardown(() => simulator.close())
  t.same(
    simulator.bmcs.map(({ ipmi }) => ipmi?.url),
    [1, 2, 3].map(last => `ipmi://127.33.0.${last}:${port}`),
  )
})

t.test('ipmitool switches it with both suites', { skip: IPMITOOL === undefined && 'ipmitool is not installed' }, async t => {
  const simulator = await startSimulator({
    redfish: 1,
    ipmi: 1,
    ipmiOptions: { users: [{ name: 'oper', password: 'switch', privilege: 'operator' }] },
  })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  for (const suite of [17, 3]) {
    t.match(await run(bmc, suite, ['chassis', 'power', 'status']), { code: 0, out: /Chassis Power is on/ })
    t.match(await run(bmc, suite, ['chassis', 'power', 'off']), { code: 0, out: /Down\/Off/ })
    t.equal(bmc.trueState, 'off')
    t.equal(await powerState(bmc), 'Off')
    t.match(await run(bmc, suite, ['chassis', 'power', 'status']), { code: 0, out: /Chassis Power is off/ })
    t.match(await run(bmc, suite, ['chassis', 'power', 'on']), { code: 0, out: /Up\/On/ })
    t.equal(bmc.trueState, 'on')
  }
  t.match(await run(bmc, 17, ['mc', 'guid']), { code: 0, out: new RegExp(bmc.systemOrThrow(undefined).identity.systemUuid) })
  t.match(await run(bmc, 17, ['chassis', 'power', 'off'], { password: 'wrong' }), { code: 1 })
  t.match(await run(bmc, 17, ['-L', 'OPERATOR', 'chassis', 'power', 'status'], { user: 'oper', password: 'switch' }), { code: 0 })
  t.match(await run(bmc, 17, ['dcmi', 'power', 'reading']), { code: 0, out: /344 Watts/ })
  t.match(await run(bmc, 17, ['channel', 'getciphers', 'ipmi']), { out: /17 .*hmac_sha256 .*sha256_128/ })
  t.not((await run(bmc, 0, ['chassis', 'power', 'off'])).code, 0)
  t.equal(bmc.trueState, 'on')
  t.equal(bmc.ipmi?.sessions.active().length, 0, 'it closes what it opens')
})

function idBytes({ bmcId }: RawSession): number[] {
  return [...le32(bmcId)]
}

function le32(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number >>> 0, 0)
  return bytes
}
