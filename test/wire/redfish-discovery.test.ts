import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { chooseSystem, type Wanted } from '../../src/wire/redfish/choice.ts'
import { membersOf } from '../../src/wire/redfish/collection.ts'
import type { RedfishError } from '../../src/wire/redfish/failure.ts'
import { traitsOf, vendorOf } from '../../src/wire/redfish/quirks.ts'
import { resetOf } from '../../src/wire/redfish/reset.ts'
import { chassisOf, systemOf } from '../../src/wire/redfish/system.ts'
import { clientOf, json, logInReply, oneSystem, type Routes, serve, system, TOKEN } from './support.ts'

const MOCKUPS = fileURLToPath(new URL('../../../shared/mockups', import.meta.url))
const SYSTEMS = '/redfish/v1/Systems'

/** What was chosen of a service, as one object to compare. */
async function outcome(t: Test, routes: Routes, wanted: Wanted = {}) {
  const bmc = await serve(t, routes)
  const client = clientOf(t, bmc.url)
  const resolve = (reference: unknown) => client.resolve(reference)
  const { vendor, product } = await client.service()
  const choice = await chooseSystem(client, wanted)
  const others = choice.others.map(other => `${other.id}: ${other.reason}`)
  if (choice.kind === 'refused') return { vendor, refused: choice.reason, others }
  const { system } = choice
  const reset = await resetOf(system, resolve, async path => (await client.get(path)).body)
  const chassis = await Promise.all(
    system.chassis.map(async path => {
      const read = chassisOf(await client.get(path))
      return `${path} ${String(read.powerState)}`
    }),
  )
  return {
    vendor,
    product,
    id: system.id,
    power: system.powerState,
    uuid: system.uuid,
    serial: system.serial,
    model: system.model,
    reset,
    chassis,
    others,
  }
}

/** Serves a mock-up read-only, with log-in. */
function mockup(name: string): Routes {
  return {
    'POST /redfish/v1/SessionService/Sessions': logInReply(TOKEN, '/redfish/v1/SessionService/Sessions/1'),
    'GET *': (request, response) => {
      const file = `${MOCKUPS}/${name}${request.path.replace(/\/$/, '')}/index.json`
      if (existsSync(file)) json(response, 200, JSON.parse(readFileSync(file, 'utf8')))
      else json(response, 404, { error: { code: 'Base.1.0.ResourceMissingAtURI' } })
    },
  }
}

const DGX_OFF = { target: `${SYSTEMS}/DGX/Actions/ComputerSystem.Reset`, source: 'action-info', off: 'ForceOff', on: 'On' }
const VENDORS: [set: string, wanted: Wanted, expected: Record<string, unknown>][] = [
  [
    'dell-r750-idrac9-rf1.13',
    {},
    {
      vendor: 'dell',
      id: 'System.Embedded.1',
      power: 'On',
      uuid: '4c4c4544-0035-3410-8050-c6c04f314733',
      serial: 'CNIVC0014M0388',
      reset: { target: `${SYSTEMS}/System.Embedded.1/Actions/ComputerSystem.Reset`, source: 'inline', off: 'ForceOff', on: 'On' },
      chassis: ['/redfish/v1/Chassis/System.Embedded.1 On'],
      others: [],
    },
  ],
  [
    'hpe-dl385gen10plusv2-ilo5',
    {},
    {
      vendor: 'hpe',
      id: '1',
      serial: 'MXQ302099S',
      reset: { source: 'inline', off: 'ForceOff', on: 'On' },
      chassis: ['/redfish/v1/Chassis/1 On'],
    },
  ],
  ['lenovo-sr670v2-xcc', {}, { vendor: 'lenovo', id: '1', serial: 'J105958B', reset: { source: 'inline', off: 'ForceOff', on: 'On' } }],
  [
    'supermicro-sys821ge',
    {},
    {
      vendor: 'supermicro',
      id: '1',
      uuid: '00000000-0000-0000-0000-7CC25550A8FF',
      serial: 'S889914X3710910',
      reset: { source: 'action-info', off: 'ForceOff', on: 'On' },
    },
  ],
  [
    'nvidia-dgxh100-ami-megarac',
    {},
    {
      vendor: 'ami',
      id: 'DGX',
      serial: '1662923610124',
      reset: DGX_OFF,
      chassis: ['/redfish/v1/Chassis/DGX On'],
      others: ['HGX_Baseboard_0: no_reset_action'],
    },
  ],
  ['nvidia-dgxh100-ami-megarac', { systemId: 'DGX' }, { id: 'DGX', reset: DGX_OFF, others: ['HGX_Baseboard_0: not_asked_for'] }],
  [
    'nvidia-dgxh100-ami-megarac',
    { systemId: 'HGX_Baseboard_0' },
    { refused: 'not_usable', others: ['HGX_Baseboard_0: no_reset_action', 'DGX: not_asked_for'] },
  ],
  ['nvidia-dgxh100-ami-megarac', { uuid: 'b11dd4f2-bfde-1000-02bc-5cff35fbe6e9' }, { id: 'DGX' }],
  [
    'openbmc-stock',
    {},
    {
      vendor: 'openbmc',
      id: 'system',
      power: 'Off',
      uuid: undefined,
      serial: undefined,
      reset: { source: 'action-info', off: 'ForceOff', on: 'On' },
      chassis: ['/redfish/v1/Chassis/chassis Off'],
    },
  ],
  [
    'intel-s2600bpb',
    {},
    {
      id: 'QSBP74100021',
      serial: 'QSBP74100021',
      uuid: '3504bf7d-ae5b-11e7-ab21-a4bf012890a8',
      reset: { source: 'inline', off: 'ForceOff', on: 'On' },
    },
  ],
  ['hpe-cray-ex235n-blade', {}, { refused: 'ambiguous', others: ['Node0: several_candidates', 'Node1: several_candidates'] }],
  [
    'hpe-cray-ex235n-blade',
    { serial: 'DP20300012' },
    { refused: 'ambiguous', others: ['Node0: several_candidates', 'Node1: several_candidates'] },
  ],
  [
    'hpe-cray-ex235n-blade',
    { systemId: 'Node1' },
    {
      id: 'Node1',
      uuid: undefined,
      reset: { source: 'action-info', values: ['ForceOff', 'On', 'Off'], off: 'ForceOff', on: 'On' },
      chassis: [],
      others: ['Node0: not_asked_for'],
    },
  ],
  ['hpe-cray-ex235n-blade', { systemId: 'Node2' }, { refused: 'no_such_system' }],
  [
    'dmtf-public-rackmount1',
    {},
    {
      vendor: 'unknown',
      id: '437XR1138R2',
      reset: { source: 'inline', off: 'ForceOff', on: 'On' },
      chassis: ['/redfish/v1/Chassis/1U On'],
    },
  ],
]

t.test('vendors: what is chosen, what is refused and why', { skip: !existsSync(MOCKUPS) && 'no ../shared/mockups' }, async t => {
  for (const [set, wanted, expected] of VENDORS) {
    const name = `${set} ${JSON.stringify(wanted)}`
    const found = await outcome(t, mockup(set), wanted).catch((error: RedfishError) => ({ failed: error.reason }))
    t.match(found, expected, name)
  }
})

/** Routes of a service with these systems. */
function systems(...list: Record<string, unknown>[]): Routes {
  const routes = { ...oneSystem() }
  routes[`GET ${SYSTEMS}`] = { Members: list.map(one => ({ '@odata.id': one['@odata.id'] })), 'Members@odata.count': list.length }
  for (const one of list) routes[`GET ${String(one['@odata.id'])}`] = one
  return routes
}

t.test('choice of the system', async t => {
  const three = systems(system('1'), system('2', { Actions: {} }), system('3', { PowerState: null }))
  const stray = systems(system('1', { PowerState: null }), system('Capabilities', { Actions: undefined, PowerState: undefined }))
  t.match(
    await outcome(t, stray),
    { id: '1', others: ['Capabilities: no_reset_action'] },
    'the only one that can be switched, its power unknown for now',
  )
  const open = ['1: several_candidates', '3: no_power_state', '2: no_reset_action']
  t.match(await outcome(t, three), { refused: 'ambiguous', others: open }, 'one whose power is unknown for now could be the one')
  t.match(await outcome(t, three, { systemId: '3' }), { id: '3' }, 'named: commandable though its power is unknown')
  t.match(await outcome(t, three, { systemId: `${SYSTEMS}/3/` }), { id: '3' }, 'named by path')
  t.match(await outcome(t, three, { systemId: '2' }), {
    refused: 'not_usable',
    others: ['2: no_reset_action', '1: not_asked_for', '3: not_asked_for'],
  })
  t.match(await outcome(t, systems(system('1'), system('2'))), {
    refused: 'ambiguous',
    others: ['1: several_candidates', '2: several_candidates'],
  })
  t.match(await outcome(t, systems(system('1'), system('2')), { serial: 'sn-2' }), { id: '2', others: ['1: not_asked_for'] }, 'by serial')
  t.match(await outcome(t, systems(system('1'), system('2')), { uuid: '99999999-2222-3333-4444-000000000001' }), {
    refused: 'no_such_system',
  })
  t.match(await outcome(t, systems(system('2', { Actions: {} }))), { refused: 'no_candidate' })
  t.match(await outcome(t, systems()), { refused: 'no_candidate', others: [] })
  const hidden = systems(system('1'))
  hidden[`GET ${SYSTEMS}`] = { Members: [{ '@odata.id': `${SYSTEMS}/1` }], 'Members@odata.count': 2 }
  t.match(await outcome(t, hidden), { refused: 'incomplete_collection' }, 'the count says that there is another')
  t.match(await outcome(t, hidden, { systemId: '1' }), { id: '1' }, 'named')
  const unread = systems(system('1'), system('2'))
  delete unread[`GET ${SYSTEMS}/2`]
  t.match(
    await outcome(t, unread),
    { refused: 'ambiguous', others: ['1: several_candidates', '2: unreadable'] },
    'a member that can not be read could be the one',
  )
  const renamed = systems(system('blade-7', { Id: 'Node7' }))
  t.match(await outcome(t, renamed, { systemId: 'Node7' }), { id: 'Node7' }, 'by Id where the path says something else')
  const twice = systems(system('1'))
  twice[`GET ${SYSTEMS}`] = { Members: [{ '@odata.id': `${SYSTEMS}/1` }, { '@odata.id': `${SYSTEMS}/1/` }], 'Members@odata.count': 2 }
  t.match(await outcome(t, twice, { systemId: '1' }), { id: '1', others: [] }, 'listed twice, with and without slash')
})

t.test('collections', async t => {
  const walk = async (pages: Record<string, object>) => {
    const bmc = await serve(t, Object.fromEntries(Object.entries(pages).map(([path, page]) => [`GET ${path}`, page])))
    const client = clientOf(t, bmc.url)
    const read = async (path: string) => ({
      path,
      body: JSON.parse((await client.exchange({ method: 'GET', path, headers: {} })).body.toString()) as object as never,
    })
    return membersOf('/c', reference => client.resolve(reference), read).catch((error: RedfishError) => error.reason)
  }
  const member = (id: number) => ({ '@odata.id': `/c/${id}` })
  t.same(
    await walk({
      '/c': { Members: [member(1), member(2)], 'Members@odata.nextLink': '/c?$skip=2', 'Members@odata.count': 3 },
      '/c?$skip=2': { Members: [member(3)] },
    }),
    { paths: ['/c/1', '/c/2', '/c/3'], incomplete: false },
  )
  t.equal(await walk({ '/c': { Members: [member(1)], 'Members@odata.nextLink': '/c' } }), 'collection_loop')
  t.equal(await walk({ '/c': { Members: null } }), 'bad_resource')
  t.equal(await walk({ '/c': {} }), 'bad_resource')
  t.equal(await walk({ '/c': { Members: [{ '@odata.id': 'https://elsewhere/1' }] } }), 'foreign_reference')
  t.equal(await walk({ '/c': { Members: [null] } }), 'foreign_reference')
  t.equal(await walk({ '/c': { Members: [], 'Members@odata.nextLink': 'https://elsewhere/c' } }), 'foreign_reference')
  t.equal(await walk({ '/c': { Members: Array.from({ length: 2_001 }, (_, id) => member(id)) } }), 'collection_too_large')
  t.equal(
    await walk(
      Object.fromEntries(
        Array.from({ length: 120 }, (_, page) => [
          page === 0 ? '/c' : `/c/p${page}`,
          { Members: [], 'Members@odata.nextLink': `/c/p${page + 1}` },
        ]),
      ),
    ),
    'collection_too_large',
  )
})

t.test('the Reset action', async t => {
  const resolve = (reference: unknown) => (typeof reference === 'string' && reference.startsWith('/') ? reference : undefined)
  const capability = (action: unknown, info?: object) => {
    const reading = systemOf({ path: `${SYSTEMS}/1/`, body: system('1', { Actions: { '#ComputerSystem.Reset': action } }) }, resolve)
    return resetOf(reading, resolve, async () => info as never)
  }
  const target = `${SYSTEMS}/1/Actions/ComputerSystem.Reset`
  const allowed = (...values: unknown[]) => ({ target, 'ResetType@Redfish.AllowableValues': values })
  const info = (...values: unknown[]) => ({ Parameters: [{ Name: 'Other' }, { Name: 'ResetType', AllowableValues: values }] })
  const byInfo = { target, '@Redfish.ActionInfo': '/info' }
  t.match(await capability(allowed('On', 'ForceOff')), { target, off: 'ForceOff', on: 'On', source: 'inline' })
  t.match(await capability(allowed('ForceOff', 'ForceOn')), { on: 'ForceOn' }, 'ForceOn where there is no On')
  t.match(
    await capability(allowed('On', 'GracefulShutdown', 'PowerCycle', 'PushPowerButton', 'ForceRestart', 'Off')),
    { off: null },
    'nothing stands in for ForceOff',
  )
  t.match(await capability(allowed('on', 'forceoff')), { off: 'forceoff', on: 'on' }, "lower case: the service's own spelling")
  t.match(
    await capability(allowed('On', 'GracefulShutdownGracefulRestart', 'ForceOff')),
    { values: ['On', 'GracefulShutdown', 'GracefulRestart', 'ForceOff'] },
    'fused',
  )
  t.match(await capability(allowed('OnForceOffForceRestart')), { off: 'ForceOff', on: 'On' }, 'fused with the one that matters')
  t.match(await capability(byInfo, info('On', 'ForceOff')), { off: 'ForceOff', source: 'action-info' })
  t.match(await capability(byInfo, info('On')), { off: null, source: 'action-info' })
  t.match(await capability(byInfo), { off: 'ForceOff', on: 'On', values: undefined, source: 'none' }, 'ActionInfo 404')
  t.match(await capability(byInfo, { Parameters: null }), { source: 'none' })
  t.match(await capability({ target }), { off: 'ForceOff', on: 'On', values: undefined, source: 'none' }, 'only a target')
  t.match(await capability(allowed(null, 7)), { source: 'none' }, 'no texts')
  t.match(
    await capability({ ...allowed('On'), '@Redfish.ActionInfo': '/info' }, info('On', 'ForceOff')),
    { off: 'ForceOff', source: 'action-info' },
    'inline without, ActionInfo with',
  )
  t.equal(await capability(undefined), 'no_reset_action')
  t.equal(await capability({}), 'no_target')
  t.equal(await capability({ target: 'https://elsewhere/x' }), 'foreign_target')
  t.equal(await capability({ target: `${SYSTEMS}/12/Actions/ComputerSystem.Reset` }), 'target_outside_system', "another system's")
})

t.test('what a read of a system tells', async t => {
  const resolve = (reference: unknown) => (typeof reference === 'string' ? reference : undefined)
  const read = (changes: Record<string, unknown>) => systemOf({ path: '/s', body: system('1', changes) }, resolve)
  for (const value of [null, undefined, 7, 'off', 'OFF ', 'Sleeping', ['Off'], { v: 'Off' }])
    t.same(read({ PowerState: value }).powerState, value, 'as it came')
  t.match(read({ UUID: null, SerialNumber: ' ', Model: 'N/A', Manufacturer: '....' }), {
    uuid: undefined,
    serial: undefined,
    model: undefined,
    manufacturer: undefined,
  })
  t.match(
    read({
      SerialNumber: ' S1 ',
      BootProgress: { LastState: 'OSRunning' },
      Links: { Chassis: [{ '@odata.id': '/c' }, 7], ManagedBy: [{ '@odata.id': '/m' }] },
    }),
    {
      serial: 'S1',
      bootProgress: 'OSRunning',
      chassis: ['/c'],
      manager: '/m',
    },
  )
  t.match(read({ Links: null, Actions: 'x', BootProgress: [] }), { chassis: [], reset: undefined })
  t.match(chassisOf({ path: '/c', body: { PowerState: 'Off', Links: { ComputerSystems: [{}, {}] } } }), { powerState: 'Off', systems: 2 })
})

t.test('vendors and their quirks', async t => {
  const vendor = (signs: Partial<Parameters<typeof vendorOf>[0]>) =>
    vendorOf({ vendor: undefined, oemKeys: [], manager: undefined, ...signs })
  t.equal(vendor({ vendor: 'Dell' }), 'dell')
  t.equal(vendor({ oemKeys: ['Hp'] }), 'hpe', 'iLO 4')
  t.equal(vendor({ oemKeys: ['Supermicro'] }), 'supermicro')
  t.equal(vendor({ vendor: 'AMI', manufacturer: 'NVIDIA' }), 'ami', "the service's maker, not the machine's")
  t.equal(vendor({ manager: '/redfish/v1/Managers/bmc' }), 'openbmc')
  t.equal(vendor({ vendor: 'Supermicro', manager: '/redfish/v1/Managers/bmc' }), 'openbmc', 'bmcweb under another name')
  t.equal(vendor({ manager: '/redfish/v1/Managers/BMC' }), 'unknown')
  t.equal(vendor({ manufacturer: 'HPE', model: 'HPE Cray EX235n' }), 'cray')
  t.equal(vendor({ manufacturer: 'Contoso' }), 'unknown')
  t.match(traitsOf('openbmc'), { chassisOffRequired: true })
  t.match(traitsOf('hpe'), { chassisOffRequired: false, freshConnectionForCommand: true })
  t.match(traitsOf('unknown'), { chassisOffRequired: false, freshConnectionForCommand: false })
})

t.test('paths are used as given: trailing slashes, prefix, absolute references', async t => {
  const routes: Routes = {
    'GET /rack1/redfish/v1/': {
      Systems: { '@odata.id': '/redfish/v1/Systems/' },
      Links: { Sessions: { '@odata.id': '/redfish/v1/Sessions/' } },
    },
    'POST /rack1/redfish/v1/Sessions/': logInReply(TOKEN, '/redfish/v1/Sessions/1/'),
    'GET /rack1/redfish/v1/Systems/': { Members: [{ '@odata.id': '/redfish/v1/Systems/1/' }] },
    'GET /rack1/redfish/v1/Systems/1/': system('1'),
    'DELETE /rack1/redfish/v1/Sessions/1/': (_request, response) => void response.writeHead(200).end(),
  }
  const bmc = await serve(t, routes)
  const client = clientOf(t, `${bmc.url}/rack1/`)
  t.match(await chooseSystem(client, { systemId: '1' }), { kind: 'chosen', system: { path: '/rack1/redfish/v1/Systems/1/' } })
  t.equal(await client.logOut(), 'closed')
  for (const [name, root, reason] of [
    ['no Systems', {}, 'bad_resource'],
    ['Systems elsewhere', { Systems: { '@odata.id': 'https://elsewhere/redfish/v1/Systems' } }, 'foreign_reference'],
    [
      'Sessions elsewhere',
      { Systems: { '@odata.id': '/s' }, Links: { Sessions: { '@odata.id': 'http://elsewhere/s' } } },
      'foreign_reference',
    ],
  ] as [string, object, string][]) {
    const odd = await serve(t, { 'GET /redfish/v1/': root })
    t.match(
      await clientOf(t, odd.url)
        .logIn()
        .catch((error: unknown) => error),
      { reason },
      name,
    )
    t.equal(odd.heard.length, 1)
  }
})
