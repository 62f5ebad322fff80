import t, { type Test } from 'tap'
import type { DriverContext, DriverSession, ExchangeLimits } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { redfish } from '../../src/drivers/redfish.ts'
import { type PersonalityName, startSimulator } from '../../src/simulator/index.ts'
import { type Bmc, inTurn, json, oneSystem, type Reply, type Routes, serve, status, system } from '../wire/support.ts'

// The power restore policy (S7) over Redfish: ComputerSystem.PowerRestorePolicy.

const { signal } = new AbortController()

function contextOf(limits: Partial<ExchangeLimits> = {}): DriverContext {
  return {
    clock: { now: () => Date.now(), mono: () => performance.now(), sleep: async () => undefined },
    limits: { ...RULES.exchange, ...limits },
    credential: async () => ({ username: 'admin', password: new Secret('simulated') }),
  }
}

function deviceOf(address: string): Device {
  const endpoint = redfish.endpoint(address)
  const tls = { mode: 'insecure' as const }
  return { name: 'bmc', driver: 'redfish', address, endpoint, tls, status: 'unverified', createdAt: new Date(0).toISOString(), revision: 1 }
}

function open(t: Test, url: string, limits: Partial<ExchangeLimits> = {}): DriverSession {
  const session = redfish.open(deviceOf(url), contextOf(limits))
  t.teardown(() => session.close())
  return session
}

t.test('the makers that have it, and those that do not', async t => {
  const expected: Partial<Record<PersonalityName, string | null>> = {
    generic: 'previous',
    ami: 'previous',
    openbmc: 'off',
    dell: null,
    hpe: null,
    lenovo: null,
    supermicro: null,
  }
  for (const [personality, before] of Object.entries(expected) as [PersonalityName, 'off' | 'previous' | null][]) {
    const simulator = await startSimulator({ redfish: 1, personality })
    t.teardown(() => simulator.close())
    const bmc = simulator.bmc(0)
    const node = bmc.systems.find(({ spec }) => spec.isNode)
    t.equal((await redfish.probe(deviceOf(bmc.url), contextOf(), signal)).restorePolicy, before, personality)
    const session = open(t, bmc.url)
    t.equal((await session.observe(signal)).restorePolicy, before, `${personality}: seen in every read`)
    t.equal(await session.setRestorePolicy('off', signal), before, `${personality}: what it was before`)
    t.equal((await session.observe(signal)).restorePolicy, before === null ? null : 'off')
    t.equal(node?.restorePolicy, before === null ? null : 'AlwaysOff', `${personality}: and it is`)
    if (before === null) continue
    t.equal(await session.setRestorePolicy('on', signal), 'off')
    t.equal(node?.restorePolicy, 'AlwaysOn')
    t.equal(bmc.counters.logins, 2, `${personality}: one log-in each for the probe and the session`)
  }
})

/** A BMC under test control, whose PATCHes are answered in turn by `patches`; `done` (the default) carries one out. */
async function bmcOf(t: Test, changes: Record<string, unknown>, patches: (Reply | 'done')[] = ['done'], etag?: () => string): Promise<Bmc> {
  let policy: unknown = 'LastState'
  const patched: Reply = (heard, response) => {
    policy = (JSON.parse(heard.body) as { PowerRestorePolicy: unknown }).PowerRestorePolicy
    response.writeHead(204).end()
  }
  const routes: Routes = {
    ...oneSystem(),
    'GET /redfish/v1/Systems/1': (_heard, response) => {
      if (etag) response.setHeader('etag', etag())
      json(response, 200, system('1', { PowerRestorePolicy: policy, ...changes }))
    },
    'PATCH /redfish/v1/Systems/1': inTurn(...patches.map(reply => (reply === 'done' ? patched : reply))),
  }
  return serve(t, routes)
}

const patchesOf = (bmc: Bmc) => bmc.heard.filter(({ method }) => method === 'PATCH')
const conditionsOf = (bmc: Bmc) => patchesOf(bmc).map(({ headers }) => headers['if-match'])

t.test('what is sent', async t => {
  const bmc = await bmcOf(t, {}, ['done'], () => '"7"')
  t.equal(await open(t, bmc.url).setRestorePolicy('off', signal), 'previous')
  const [patch] = patchesOf(bmc)
  t.match(patch, { path: '/redfish/v1/Systems/1', body: '{"PowerRestorePolicy":"AlwaysOff"}' })
  t.match(patch?.headers, { 'if-match': '"7"', 'content-type': 'application/json', 'x-auth-token': /./ })
  const same = await bmcOf(t, { PowerRestorePolicy: 'AlwaysOff' })
  t.equal(await open(t, same.url).setRestorePolicy('off', signal), 'off')
  t.equal(patchesOf(same).length, 0, 'nothing, where it is so already')
})

t.test('If-Match: told by the read, anew after a change, as a strong one, or not at all', async t => {
  let version = 1
  const moved = await bmcOf(t, {}, [status(412, 'Base.1.12.PreconditionFailed'), 'done'], () => `"${version++}"`)
  t.equal(await open(t, moved.url).setRestorePolicy('off', signal), 'previous', 'changed between read and PATCH')
  const [first, second] = conditionsOf(moved)
  t.ok(first && second && first !== second, `${first}, then ${second}`)
  const cases: [string, string | undefined, number, (string | undefined)[]][] = [
    ['a weak one must not match: its strong form', 'W/"5"', 412, ['W/"5"', '"5"']],
    ['a service that takes none (iDRAC10)', '"5"', 412, ['"5"', undefined]],
    ['one that wants one and tells none (AMI)', undefined, 428, [undefined, '*']],
  ]
  for (const [name, etag, refusal, conditions] of cases) {
    const bmc = await bmcOf(t, {}, [status(refusal), 'done'], etag === undefined ? undefined : () => etag)
    t.equal(await open(t, bmc.url).setRestorePolicy('off', signal), 'previous', name)
    t.same(conditionsOf(bmc), conditions, name)
  }
  const never = await bmcOf(t, {}, [status(412)], () => '"5"')
  t.equal(await open(t, never.url).setRestorePolicy('off', signal), null)
  t.equal(patchesOf(never).length, 2, 'twice at most')
})

t.test('null: no such setting, or it is not taken', async t => {
  const cases: [string, Record<string, unknown>, (Reply | 'done')[], number][] = [
    ['absent', { PowerRestorePolicy: undefined }, ['done'], 0],
    ['null', { PowerRestorePolicy: null }, ['done'], 0],
    ['a value of its own', { PowerRestorePolicy: 'DelayedOn' }, ['done'], 0],
    ['not listed', { 'PowerRestorePolicy@Redfish.AllowableValues': ['AlwaysOn', 'LastState'] }, ['done'], 0],
    ['read-only', {}, [status(400, 'Base.1.12.PropertyNotWritable')], 1],
    ['the role', {}, [status(403, 'Base.1.12.InsufficientPrivilege')], 1],
    ['no PATCH', {}, [status(405)], 1],
    ['taken, and not shown', {}, [status(200)], 1],
    ['taken, and another shown', { PowerRestorePolicy: 'AlwaysOn' }, ['done'], 1],
  ]
  for (const [name, changes, patches, sent] of cases) {
    const bmc = await bmcOf(t, changes, patches)
    t.equal(await open(t, bmc.url).setRestorePolicy('off', signal), null, name)
    t.equal(patchesOf(bmc).length, sent, name)
  }
  const listed = await bmcOf(t, { 'PowerRestorePolicy@Redfish.AllowableValues': ['AlwaysOn', 'AlwaysOff'] })
  t.equal(await open(t, listed.url).setRestorePolicy('off', signal), 'previous', 'listed')
})

t.test('a change that shows late is waited for', async t => {
  let reads = 0
  const bmc = await bmcOf(t, {}, [status(202)])
  const late: Reply = (_heard, response) =>
    json(response, 200, system('1', { PowerRestorePolicy: ++reads > 4 ? 'AlwaysOff' : 'LastState' }))
  bmc.routes['GET /redfish/v1/Systems/1'] = late
  t.equal(await open(t, bmc.url).setRestorePolicy('off', signal), 'previous', `after ${reads} reads`)
})

t.test('it may log in again; and what can not be asked is an error, which is not one of the log-in', async t => {
  const lost = await bmcOf(t, {}, [status(401), 'done'])
  t.equal(await open(t, lost.url).setRestorePolicy('off', signal), 'previous')
  t.equal(lost.heard.filter(({ method, path }) => method === 'POST' && path.endsWith('/Sessions')).length, 2)
  const cases: [string, Reply, string][] = [
    ['busy', status(503, undefined, { 'retry-after': '7' }), 'device_busy'],
    ['broken', status(500), 'bad_answer'],
    ['redirected', status(307, undefined, { location: 'http://192.0.2.1/' }), 'bad_answer'],
    ['silent', () => undefined, 'unreachable'],
    ['locked out', status(401), 'auth_failed'],
  ]
  for (const [name, reply, code] of cases) {
    const bmc = await bmcOf(t, {}, [reply])
    const error = await open(t, bmc.url, { exchangeMs: 300 })
      .setRestorePolicy('off', signal)
      .catch((thrown: unknown) => thrown)
    t.ok(error instanceof DriverError, name)
    t.match(error, { code }, name)
  }
  const bmc = await bmcOf(t, {}, [() => stop.abort()])
  const stop = new AbortController()
  await t.rejects(open(t, bmc.url).setRestorePolicy('off', stop.signal), { code: 'unreachable' }, 'given up')
})
