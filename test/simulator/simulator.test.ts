import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { Agent } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { FAULTS, runSimulate, type Simulator, startSimulator } from '../../src/simulator/index.ts'
import { ask, members, powerState, reset, systemPath, token, VirtualClock } from './support.ts'

/** Asks the control port. */
async function control(simulator: Simulator, method: string, path: string, body?: unknown): Promise<{ status: number; value: Control }> {
  const answer = await fetch(`${simulator.control.url}${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  return { status: answer.status, value: (await answer.json()) as Control }
}

/** The parts of the control port's answers that are looked at here. */
interface Control {
  error?: string
  id?: number
  items?: Record<string, unknown>[]
  cleared?: number
  trueState?: string
  counters?: Record<string, unknown>
  commands?: Record<string, unknown>[]
  systems?: { trueState: string; history: unknown[]; uuid?: string; pending: unknown[] }[]
}

t.test('a rack of all personalities, and its inventory', async t => {
  const simulator = await startSimulator({ redfish: 21, personality: 'mixed', seed: 7 })
  t.teardown(() => simulator.close())
  const { devices, nodes } = simulator.inventory()
  t.equal(simulator.bmcs.length, 21)
  t.equal(new Set(simulator.bmcs.map(({ url }) => url)).size, 21)
  t.equal(simulator.bmcs.at(-1)?.name, 'bmc-rack2-node01')
  t.equal(devices.length, 23, 'a blade has two')
  t.same(
    nodes.map(({ levels }) => levels),
    devices.map(({ name }) => [[name]]),
  )
  t.match(devices[0], { name: 'bmc-rack1-node01', driver: 'redfish', address: simulator.bmc(0).url, username: 'admin', tls: 'insecure' })
  t.notOk('systemId' in (devices[0] ?? {}))
  t.equal(nodes[0]?.systemUuid, simulator.bmc(0).systems[0]?.identity.uuid)
  t.match(devices[5], { name: 'bmc-rack1-node06', systemId: 'Self' })
  t.equal(
    nodes[5]?.systemUuid,
    simulator.bmc(5).systems[0]?.identity.uuid?.toLowerCase(),
    'the node sees in lower case what the BMC shows in capitals',
  )
  t.notOk('systemUuid' in (nodes[4] ?? {}), 'the UUID of a Supermicro is no witness')
  t.match(devices.slice(7, 9), [
    { name: 'bmc-rack1-node08-node1', systemId: 'Node1', address: simulator.bmc(7).url },
    { name: 'bmc-rack1-node08-node0', systemId: 'Node0', address: simulator.bmc(7).url },
  ])
  const shown = devices
    .flatMap(({ address }) => simulator.bmcs.filter(({ url }) => url === address))
    .map(bmc => bmc.systems[0]?.identity.uuid)
  t.ok(new Set(shown).size > 15, 'every machine has its own')
})

t.test('the same seed gives the same rack', async t => {
  const [one, two, other] = await Promise.all([3, 3, 4].map(seed => startSimulator({ redfish: 2, personality: 'dell', seed })))
  if (one === undefined || two === undefined || other === undefined) throw new Error('three simulators were asked for')
  t.teardown(() => Promise.all([one.close(), two.close(), other.close()]))
  const identities = (simulator: Simulator): unknown => simulator.bmcs.map(bmc => bmc.systems.map(({ identity }) => identity))
  t.same(identities(one), identities(two))
  t.notSame(identities(one), identities(other))
})

t.test('an address each', { skip: process.platform !== 'linux' && 'only Linux has all of 127.0.0.0/8' }, async t => {
  const simulator = await startSimulator({ redfish: 3, listen: '127.31.0.255:0', spread: 'address' })
  t.teardown(() => simulator.close())
  t.same(
    simulator.bmcs.map(({ url }) => new URL(url).hostname),
    ['127.31.0.255', '127.31.1.0', '127.31.1.1'],
  )
  for (const bmc of simulator.bmcs) t.equal(await powerState(bmc), 'On')
})

t.test('bad options are refused, and a start that fails leaves nothing behind', async t => {
  await t.rejects(startSimulator({ redfish: 0 }), { message: /at least 1/ })
  await t.rejects(startSimulator({ redfish: 1, personality: 'ibm' }), { message: /unknown personality "ibm"; there are generic, dell/ })
  await t.rejects(startSimulator({ redfish: 1, listen: 'localhost' }), { message: /not HOST:PORT/ })
  await t.rejects(startSimulator({ redfish: 2, listen: '127.0.0.1:65535' }), { message: /no port left for BMC 2/ })
  const first = await startSimulator({ redfish: 1 })
  t.teardown(() => first.close())
  await t.rejects(startSimulator({ redfish: 1, listen: new URL(first.bmc(0).url).host }), { code: 'EADDRINUSE' })
})

t.test('TLS: a certificate each, one handshake for a kept connection', async t => {
  const simulator = await startSimulator({ redfish: 2, tls: true })
  t.teardown(() => simulator.close())
  const [one, two] = simulator.bmcs
  if (one === undefined || two === undefined) throw new Error('two BMCs were asked for')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const answers = []
  for (let round = 0; round < 5; round++) answers.push(await ask(one, 'GET', systemPath(one), { agent }))
  t.match(one.counters, { connections: 1, tlsHandshakes: 1, requests: 5, byMethod: { GET: 5 } })
  t.equal((await ask(one, 'GET', '/redfish/v1', { ca: one.certificate.cert })).status, 200, 'it verifies')
  t.equal(answers[0]?.fingerprint, one.certificate.fingerprint256)
  t.not((await ask(two, 'GET', '/redfish/v1')).fingerprint, one.certificate.fingerprint256)
  t.equal(simulator.inventory().devices[0]?.tls, 'pin')
})

t.test('plain text on a TLS port, and nonsense on a plain one, harm nobody', async t => {
  const simulator = await startSimulator({ redfish: 1, tls: true })
  const plain = await startSimulator({ redfish: 1 })
  t.teardown(() => Promise.all([simulator.close(), plain.close()]))
  for (const { bmcs } of [simulator, plain]) {
    for (const bmc of bmcs) {
      const socket = connect(Number(new URL(bmc.url).port), '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      socket.write('EXPLODE / NOTHING/9\r\n\r\n')
      await once(socket, 'close')
      t.equal((await ask(bmc, 'GET', '/redfish/v1/')).status, 200)
    }
  }
})

t.test('HTTP: what every Redfish service does', async t => {
  const simulator = await startSimulator({ redfish: 1 })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const path = systemPath(bmc)
  const whole = await ask(bmc, 'GET', `${path}/`)
  t.equal(whole.status, 200, 'a last slash is no other resource')
  const head = await ask(bmc, 'HEAD', path)
  t.same([head.status, head.text, head.headers['content-length']], [200, '', String(whole.text.length)])
  const again = await ask(bmc, 'GET', path, { headers: { 'if-none-match': String(whole.headers.etag) } })
  t.same([again.status, again.text], [304, ''])
  await reset(bmc, 'ForceOff')
  t.equal(
    (await ask(bmc, 'GET', path, { headers: { 'if-none-match': String(whole.headers.etag) } })).status,
    200,
    'another state, another ETag',
  )
  const selected = await ask(bmc, 'GET', `${path}?$select=PowerState`)
  t.same(Object.keys(JSON.parse(selected.text)), ['@odata.etag', '@odata.type', '@odata.id', 'PowerState'])
  t.equal(selected.get('PowerState'), 'Off')
  t.equal((await ask(bmc, 'GET', `${path}?$expand=.`)).status, 501)
  const wrongMethod = await ask(bmc, 'DELETE', path)
  t.same([wrongMethod.status, wrongMethod.headers.allow], [405, 'GET, HEAD, PATCH'])
  t.equal((await ask(bmc, 'GET', '/redfish/v1/Nowhere')).status, 404)
  t.equal((await ask(bmc, 'GET', '/redfish/v1/Nowhere', { as: 'none' })).status, 401, 'strangers do not learn what is there')
  t.equal((await ask(bmc, 'POST', `${path}/Actions/ComputerSystem.Reset`, { body: 'no JSON' })).status, 400)
  t.equal((await ask(bmc, 'GET', path, { headers: { 'odata-version': '3.0' } })).status, 412)
})

t.test('the power restore policy can be set where there is one', async t => {
  const simulator = await startSimulator({ redfish: 2, personality: 'mixed' })
  t.teardown(() => simulator.close())
  const [generic, dell] = simulator.bmcs
  if (generic === undefined || dell === undefined) throw new Error('two BMCs were asked for')
  const patch = (bmc: typeof generic, policy: string) => ask(bmc, 'PATCH', systemPath(bmc), { body: { PowerRestorePolicy: policy } })
  t.equal((await patch(generic, 'AlwaysOff')).status, 204)
  t.equal((await ask(generic, 'GET', systemPath(generic))).get('PowerRestorePolicy'), 'AlwaysOff')
  t.equal((await patch(generic, 'Never')).status, 400)
  t.equal((await patch(dell, 'AlwaysOff')).status, 400)
})

t.test('collections come in pages when told to', async t => {
  const simulator = await startSimulator({ redfish: 1, personality: 'ami', pageSize: 1 })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const first = await ask(bmc, 'GET', '/redfish/v1/Systems')
  t.same(members(first), ['/redfish/v1/Systems/Self'])
  t.equal(first.get('Members@odata.count'), 2)
  const second = await ask(bmc, 'GET', String(first.get('Members@odata.nextLink')))
  t.same(members(second), ['/redfish/v1/Systems/HGX_Baseboard_0'])
  t.equal(second.get('Members@odata.nextLink'), undefined)
})

t.test('sessions are listed, without their tokens', async t => {
  const simulator = await startSimulator({ redfish: 1 })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const as = await token(bmc)
  await token(bmc)
  const list = members(await ask(bmc, 'GET', '/redfish/v1/SessionService/Sessions', { as }))
  t.same(list, ['/redfish/v1/SessionService/Sessions/1', '/redfish/v1/SessionService/Sessions/2'])
  const session = await ask(bmc, 'GET', list[0] ?? '', { as })
  t.equal(session.get('UserName'), 'admin')
  t.notMatch(session.text, new RegExp(as))
})

t.test('latency is part of every answer', async t => {
  const clock = new VirtualClock()
  const simulator = await startSimulator({ redfish: 1, clock, latencyMs: 50 })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const answer = ask(bmc, 'GET', '/redfish/v1/')
  await clock.untilWaiting()
  clock.advance(50)
  t.equal((await answer).status, 200)
})

t.test('the control port sets faults, switches machines and tells what was seen', async t => {
  const clock = new VirtualClock()
  const simulator = await startSimulator({ redfish: 2, clock })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const at = `/bmcs/${bmc.name}`
  t.equal((await control(simulator, 'GET', '/bmcs')).value.items?.length, 2)
  t.same(
    (await control(simulator, 'GET', '/faults')).value.items?.map(({ name }) => name),
    Object.keys(FAULTS),
  )
  t.equal((await control(simulator, 'GET', '/inventory')).status, 200)

  const set = await control(simulator, 'POST', `${at}/faults`, {
    name: 'lie',
    parameters: { reports: 'Off' },
    count: 1,
    match: { method: 'GET' },
  })
  t.equal(set.status, 201)
  t.match((await control(simulator, 'GET', `${at}/faults`)).value.items, [
    { id: set.value.id, name: 'lie', left: 1, match: { method: 'GET' } },
  ])
  t.equal(await powerState(bmc), 'Off')
  t.equal(await powerState(bmc), 'On')

  for (const [body, message] of [
    [{ name: 'explode' }, /unknown fault/],
    [{}, /"name"/],
    [{ name: 'delay', parameters: 5 }, /"parameters"/],
    [{ name: 'delay', count: 0 }, /"count"/],
    [{ name: 'delay', match: { verb: 'GET' } }, /"match"/],
  ] as const) {
    const refused = await control(simulator, 'POST', `${at}/faults`, body)
    t.equal(refused.status, 400)
    t.match(refused.value.error, message)
  }

  await control(simulator, 'POST', '/faults', { name: 'ignored' })
  t.equal((await reset(bmc, 'ForceOff')).status, 204)
  t.same((await control(simulator, 'DELETE', `${at}/faults/ignored`)).value, { cleared: 1 })
  t.same((await control(simulator, 'DELETE', '/faults')).value, { cleared: 1 })
  const as = await token(bmc)
  await reset(bmc, 'ForceOff', { as })
  const report = (await control(simulator, 'GET', at)).value
  t.match(report.counters, { logins: 1, sessionsOpen: 1, resets: 2, byMethod: { GET: 2, POST: 3 } })
  t.match(report.commands, [
    { type: 'ForceOff', session: 'basic', executed: 'never', status: 204 },
    { type: 'ForceOff', session: '1', executed: 'now', status: 204, at: clock.now() },
  ])
  t.match(report.systems, [{ trueState: 'off', history: [{ from: 'on', to: 'off', at: clock.now() }] }])

  t.match((await control(simulator, 'POST', `${at}/power`, { state: 'on' })).value, { trueState: 'on' })
  t.match((await control(simulator, 'POST', `${at}/power`, { operation: 'off', afterMs: 1000 })).value, {
    trueState: 'on',
    pending: [{ operation: 'off' }],
  })
  clock.advance(1000)
  t.equal(bmc.trueState, 'off')
  t.equal((await control(simulator, 'POST', `${at}/power`, { state: 'maybe' })).status, 400)
  t.match((await control(simulator, 'DELETE', `${at}/counters`)).value, { counters: { requests: 0, sessionsOpen: 1 }, commands: [] })
  for (const path of ['/', '/bmcs/nobody', `${at}/nothing`]) t.equal((await control(simulator, 'GET', path)).status, 404, path)
})

t.test('runSimulate writes the inventory for its owner only, says that it is ready, and stops when told', async t => {
  const file = join(t.testdir({ 'inventory.json': 'old' }), 'inventory.json')
  const stop = new AbortController()
  let line = ''
  const ready = new Promise<void>(resolve => {
    stop.signal.addEventListener('abort', () => resolve())
  })
  const run = runSimulate({
    redfish: 2,
    inventory: file,
    signal: stop.signal,
    print: text => {
      line = text
      stop.abort()
    },
  })
  await Promise.all([ready, run])
  t.match(line, /^ready 2 BMCs, control http:\/\/127\.0\.0\.1:\d+$/)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  const inventory = JSON.parse(await readFile(file, 'utf8'))
  t.equal(inventory.devices.length, 2)
  t.equal(inventory.devices[0].password, 'simulated')
  const controlUrl = line.slice(line.indexOf('http'))
  await t.rejects(fetch(controlUrl), 'nothing listens any more')
})

t.test('a simulator in a process of its own ends well at SIGTERM', async t => {
  const main = new URL('../../src/simulator/index.ts', import.meta.url).href
  const script = t.testdir({
    'run.mjs': `import { runSimulate } from ${JSON.stringify(main)}\nawait runSimulate({ redfish: 3, tls: true, personality: 'dell' })\n`,
  })
  // The loader that runs this test runs the child too.
  const child = spawn(process.execPath, [...process.execArgv, join(script, 'run.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  t.match(String(line), /^ready 3 BMCs, control http/)
  child.kill('SIGTERM')
  const [code, signal] = await once(child, 'exit')
  t.same([code, signal], [0, null])
})
