import t from 'tap'
import { PERSONALITY_NAMES, startSimulator } from '../../src/simulator/index.ts'
import { ask, login, members, messageKey, powerState, reset, systemPath, token, VirtualClock } from './support.ts'

/** What each vendor is known for, as a client sees it. */
const EXPECTED: Record<
  (typeof PERSONALITY_NAMES)[number],
  {
    systems: string[]
    resetsInline: boolean
    actionInfo: boolean
    accepted: number
    alreadyOff: [status: number, key?: string]
    whileOff: string
    lost: number
    uuid: RegExp | null | undefined
    chassisLinked: boolean
    hasWatts: boolean
  }
> = {
  generic: {
    systems: ['1'],
    resetsInline: true,
    actionInfo: false,
    accepted: 204,
    alreadyOff: [204],
    whileOff: 'PoweringOff',
    lost: 401,
    uuid: /^[0-9a-f]{8}-/,
    chassisLinked: true,
    hasWatts: true,
  },
  dell: {
    systems: ['System.Embedded.1'],
    resetsInline: true,
    actionInfo: false,
    accepted: 204,
    alreadyOff: [409, 'PSU501'],
    whileOff: 'On',
    lost: 401,
    uuid: /^4c4c4544-/,
    chassisLinked: true,
    hasWatts: true,
  },
  hpe: {
    systems: ['1'],
    resetsInline: true,
    actionInfo: false,
    accepted: 200,
    alreadyOff: [400, 'InvalidOperationForSystemState'],
    whileOff: 'On',
    lost: 401,
    uuid: /^[0-9A-F]{8}-/,
    chassisLinked: true,
    hasWatts: true,
  },
  lenovo: {
    systems: ['1'],
    resetsInline: true,
    actionInfo: true,
    accepted: 204,
    alreadyOff: [204],
    whileOff: 'On',
    lost: 401,
    uuid: /^[0-9a-f]{8}-/,
    chassisLinked: true,
    hasWatts: true,
  },
  supermicro: {
    systems: ['1'],
    resetsInline: false,
    actionInfo: true,
    accepted: 200,
    alreadyOff: [200, 'Success'],
    whileOff: 'On',
    lost: 401,
    uuid: /^00000000-0000-0000-0000-/,
    chassisLinked: true,
    hasWatts: true,
  },
  ami: {
    systems: ['Self', 'HGX_Baseboard_0'],
    resetsInline: false,
    actionInfo: true,
    accepted: 202,
    alreadyOff: [409, 'Conflict'],
    whileOff: 'PoweringOff',
    lost: 401,
    uuid: /^[0-9A-F]{8}-/,
    chassisLinked: true,
    hasWatts: false,
  },
  openbmc: {
    systems: ['system'],
    resetsInline: false,
    actionInfo: true,
    accepted: 204,
    alreadyOff: [204],
    whileOff: 'PoweringOff',
    lost: 403,
    uuid: undefined,
    chassisLinked: true,
    hasWatts: false,
  },
  cray: {
    systems: ['Node1', 'Node0'],
    resetsInline: false,
    actionInfo: true,
    accepted: 204,
    alreadyOff: [204],
    whileOff: 'On',
    lost: 401,
    uuid: null,
    chassisLinked: false,
    hasWatts: false,
  },
}

for (const personality of PERSONALITY_NAMES) {
  t.test(`${personality}: from the service root to off and on again`, async t => {
    const clock = new VirtualClock()
    const simulator = await startSimulator({ redfish: 1, personality, clock, offDelayMs: 2000 })
    t.teardown(() => simulator.close())
    const bmc = simulator.bmc(0)
    const expected = EXPECTED[personality]

    const root = await ask(bmc, 'GET', '/redfish/v1/', { as: 'none' })
    t.equal(root.status, 200, 'the root asks for no credentials')
    const sessions = String(root.get('Links', 'Sessions', '@odata.id'))
    const answer = await ask(bmc, 'POST', sessions, { as: 'none', body: { UserName: bmc.username, Password: bmc.password } })
    t.equal(answer.status, 201)
    const as = String(answer.headers['x-auth-token'])

    const systems = members(await ask(bmc, 'GET', String(root.get('Systems', '@odata.id')), { as }))
    t.same(
      systems,
      expected.systems.map(id => `/redfish/v1/Systems/${id}`),
    )
    const path = systems[0] ?? ''
    const system = await ask(bmc, 'GET', path, { as })
    t.equal(system.get('PowerState'), 'On')
    const uuid = system.get('UUID')
    if (expected.uuid instanceof RegExp) t.match(uuid, expected.uuid)
    else t.equal(uuid, expected.uuid)
    t.ok(system.text.length > 1000 && system.text.length < 20_000, `a System of ${system.text.length} bytes`)

    const action = (name: string): unknown => system.get('Actions', '#ComputerSystem.Reset', name)
    const inline = action('ResetType@Redfish.AllowableValues') as string[] | undefined
    const info = action('@Redfish.ActionInfo') as string | undefined
    t.equal(inline !== undefined, expected.resetsInline)
    t.equal(info !== undefined, expected.actionInfo)
    const infoValues = info === undefined ? undefined : (await ask(bmc, 'GET', info, { as })).get('Parameters', 0, 'AllowableValues')
    if (inline !== undefined && infoValues !== undefined) t.strictNotSame(inline, infoValues, 'same values in another order')
    const values = inline ?? (infoValues as string[])
    t.ok(values.includes('ForceOff') && values.includes('On'))

    const chassisPath = system.get('Links', 'Chassis', 0, '@odata.id')
    t.equal(chassisPath !== undefined, expected.chassisLinked)
    if (chassisPath !== undefined) {
      const chassis = await ask(bmc, 'GET', String(chassisPath), { as })
      t.equal(chassis.get('PowerState'), 'On')
      const power = await ask(bmc, 'GET', String(chassis.get('Power', '@odata.id')), { as })
      t.equal(typeof power.get('PowerControl', 0, 'PowerConsumedWatts') === 'number', expected.hasWatts)
    }

    const target = String(action('target'))
    const off = await ask(bmc, 'POST', target, { as, body: { ResetType: 'ForceOff' } })
    t.equal(off.status, expected.accepted)
    t.equal(await powerState(bmc, as), expected.whileOff)
    clock.advance(2000)
    t.equal(await powerState(bmc, as), 'Off')
    if (chassisPath !== undefined) t.equal((await ask(bmc, 'GET', String(chassisPath), { as })).get('PowerState'), 'Off')
    if (off.status === 202) {
      const monitor = await ask(bmc, 'GET', String(off.headers.location), { as })
      t.equal(monitor.status, 200)
      t.equal(monitor.get('TaskState'), 'Completed')
    }
    const again = await ask(bmc, 'POST', target, { as, body: { ResetType: 'ForceOff' } })
    const [status, key] = expected.alreadyOff
    t.equal(again.status, status)
    if (key !== undefined) t.equal(messageKey(again), key)
    await ask(bmc, 'POST', target, { as, body: { ResetType: 'On' } })
    t.equal(await powerState(bmc, as), 'On')
    t.same(
      bmc.history.map(({ to }) => to),
      ['poweringOff', 'off', 'on'],
    )
    t.match(bmc.commands, [
      { type: 'ForceOff', session: '1', executed: 'now', status: expected.accepted },
      { type: 'ForceOff', executed: 'never', status },
      { type: 'On', executed: 'now' },
    ])

    clock.advance(bmc.sessions.timeoutMs)
    const lost = await ask(bmc, 'GET', path, { as })
    t.equal(lost.status, expected.lost, 'the session ends when it was idle for its time-out')
    t.equal(messageKey(lost), 'NoValidSession')
  })

  t.test(`${personality}: refuses what is not its own, and full is full`, async t => {
    const clock = new VirtualClock()
    const simulator = await startSimulator({ redfish: 1, personality, clock, sessionLimit: 2 })
    t.teardown(() => simulator.close())
    const bmc = simulator.bmc(0)
    for (const type of ['forceoff', 'Explode', 'FullPowerCycle']) {
      const answer = await reset(bmc, type)
      t.equal(answer.status, 400, type)
      t.equal(messageKey(answer), 'ActionParameterValueNotInList')
    }
    const missing = await ask(bmc, 'POST', `${systemPath(bmc)}/Actions/ComputerSystem.Reset`, { body: {} })
    t.equal(messageKey(missing), 'ActionParameterMissing')
    t.equal(bmc.history.length, 0)

    t.equal((await login(bmc)).status, 201)
    t.equal((await login(bmc, 'wrong')).status, 401)
    const second = await login(bmc)
    const full = await login(bmc)
    t.equal(full.status, 503)
    t.equal(messageKey(full), personality === 'dell' ? 'RAC0218' : 'SessionLimitExceeded')
    const location = String(second.headers.location)
    t.equal((await ask(bmc, 'DELETE', location, { as: String(second.headers['x-auth-token']) })).status, 204)
    t.equal((await ask(bmc, 'DELETE', location)).status, 404)
    t.equal((await login(bmc)).status, 201, 'a log-out makes room')
    t.match(bmc.counters, { logins: 3, loginFailures: 2, logouts: 1 })
  })
}

t.test('ami: the second System is always on and can not be reset', async t => {
  const simulator = await startSimulator({ redfish: 1, personality: 'ami' })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const path = '/redfish/v1/Systems/HGX_Baseboard_0'
  const board = await ask(bmc, 'GET', path)
  t.equal(board.get('Actions'), undefined)
  t.equal((await ask(bmc, 'POST', `${path}/Actions/ComputerSystem.Reset`, { body: { ResetType: 'ForceOff' } })).status, 404)
  await reset(bmc, 'ForceOff')
  t.equal((await ask(bmc, 'GET', path)).get('PowerState'), 'On')
  t.equal(await powerState(bmc), 'Off')
})

t.test('cray: two machines, one BMC, and "Off" for a shutdown', async t => {
  const clock = new VirtualClock()
  const simulator = await startSimulator({ redfish: 1, personality: 'cray', clock })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const node0 = bmc.systemOrThrow('Node0')
  await ask(bmc, 'POST', '/redfish/v1/Systems/Node0/Actions/ComputerSystem.Reset', { body: { ResetType: 'ForceOff' } })
  t.equal(node0.power.state, 'off')
  t.equal(bmc.systemOrThrow('Node1').power.state, 'on')
  t.equal((await reset(bmc, 'Off')).status, 204)
  t.equal(bmc.power.state, 'poweringOff')
  t.equal(node0.identity.serial, bmc.systemOrThrow('Node1').identity.serial, 'they share the serial number of their card')
})

t.test('hpe: PostState follows the power; dell: the sub-system entries make it 10 KB', async t => {
  const simulator = await startSimulator({ redfish: 3, personality: 'mixed' })
  t.teardown(() => simulator.close())
  const [, dell, hpe] = simulator.bmcs
  if (dell === undefined || hpe === undefined) throw new Error('three BMCs were asked for')
  const postState = async (): Promise<unknown> => (await ask(hpe, 'GET', systemPath(hpe))).get('Oem', 'Hpe', 'PostState')
  t.equal(await postState(), 'FinishedPost')
  await reset(hpe, 'ForceOff')
  t.equal(await postState(), 'PowerOff')
  t.ok((await ask(dell, 'GET', systemPath(dell))).text.length > 9000)
})

t.test('a session that is used stays alive, and Basic needs none', async t => {
  const clock = new VirtualClock()
  const simulator = await startSimulator({ redfish: 1, personality: 'hpe', clock })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const as = await token(bmc)
  for (let round = 0; round < 4; round++) {
    clock.advance(20_000)
    t.equal((await ask(bmc, 'GET', systemPath(bmc), { as })).status, 200)
  }
  t.equal((await ask(bmc, 'GET', systemPath(bmc), { as: 'none' })).status, 401)
  t.equal((await ask(bmc, 'GET', systemPath(bmc))).status, 200)
  const wrong = { authorization: `Basic ${Buffer.from('admin:wrong').toString('base64')}` }
  t.equal((await ask(bmc, 'GET', systemPath(bmc), { as: 'none', headers: wrong })).status, 401)
})
