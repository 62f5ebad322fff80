// IPMI through the whole house: real gateway, real store, simulated BMCs that speak both protocols, and nothing but HTTP.
import t from 'tap'
import type { SimulatedBmc, Simulator } from '../../src/simulator/index.ts'
import type { Api } from './client.ts'
import { beside, complaints, eventually, notOff, provenOff, type Scenario, serve, simulate } from './support.ts'

const PASSWORD = 'simulated'

/** Registers one side of a simulated BMC under a name. */
function add(api: Api, simulator: Simulator, bmc: SimulatedBmc, driver: 'redfish' | 'ipmi', change: object = {}) {
  const suffix = driver === 'ipmi' ? '-ipmi' : ''
  const found = simulator.inventory().devices.find(({ name }) => name === `${bmc.name}${suffix}`)
  if (!found) throw new Error(`no ${driver} side of ${bmc.name}`)
  const { tls, ...device } = found
  const body = { ...device, ...(tls === undefined ? {} : { tls: { mode: tls } }), ...change }
  return api.ask('POST', '/v1/devices', { body })
}

const addNode = (api: Api, name: string, systemUuid: string, ...levels: string[][]) =>
  api.must('POST', '/v1/nodes', { name, systemUuid, levels }, 201)

void t.test('IPMI', async t => {
  const served = await serve(t, 'redis')
  if (!served) return
  const { api, logs } = served
  const simulator = await simulate(t, { redfish: 6, ipmi: 6, seed: 21, offDelayMs: 300, onDelayMs: 300 })
  const [a, b, c, d, e, f] = simulator.bmcs
  if (!a || !b || !c || !d || !e || !f) return
  const uuidOf = (bmc: SimulatedBmc): string => bmc.systems[0]?.identity.systemUuid ?? ''
  const endpointOf = async (name: string): Promise<string> => (await api.must('GET', `/v1/devices/${name}`)).endpoint

  const scenarios: Scenario[] = [
    [
      'fenced, held and released, with the watts as a witness and the restore policy set and put back',
      async t => {
        t.match(await add(api, simulator, a, 'ipmi'), {
          status: 201,
          body: { driver: 'ipmi', status: 'verified', cipherSuite: 17, hardware: { guid: String }, tls: undefined },
        })
        await addNode(api, 'n-a', uuidOf(a), [`${a.name}-ipmi`])
        t.match(await api.must('GET', '/v1/nodes/default/n-a/readiness'), { ready: true, binding: 'proven', problems: [] })
        t.match(await api.run('status', 'n-a'), { power: 'on', state: 'succeeded' })
        const job = await api.run('off', 'n-a')
        t.match(await provenOff(t, api, a, job), { binding: 'proven', lateHand: 'closed' })
        t.equal(a.ipmi?.restorePolicy, 'AlwaysOff')
        t.equal(a.ipmi?.received.length, 1, 'one command')
        t.match(await api.must('GET', `/v1/devices/${a.name}-ipmi`), { restorePolicyBefore: 'previous' })
        t.match(await api.post('on', 'n-a'), { status: 409, body: { code: 'held' } })
        const hold = await api.hold('n-a')
        const released = await api.must('POST', `/v1/holds/${hold.id}/release`, {
          holder: hold.holders[0].holder,
          attempt: 1,
          restore: true,
          reason: 'test',
        })
        t.match(await api.ended(released.job), { state: 'succeeded', power: 'on' })
        t.equal(a.ipmi?.restorePolicy, 'LastState')
      },
    ],
    [
      'both protocols of one BMC share a lease, and the second level takes over where the first one hangs',
      async t => {
        t.equal((await add(api, simulator, b, 'redfish')).status, 201)
        const second = await add(api, simulator, b, 'ipmi')
        t.equal(second.body.endpoint, await endpointOf(b.name))
        t.match(second.body.warnings.join(), /take turns/)
        await addNode(api, 'n-b', uuidOf(b), [b.name], [`${b.name}-ipmi`])
        b.faults.set('hang', {}, { match: { protocol: 'redfish' } })
        const job = await api.run('off', 'n-b', { deadlineSeconds: 60 })
        await provenOff(t, api, b, job)
        t.equal(b.ipmi?.received.length, 1)
      },
    ],
    [
      'one that was never reached is recognised by its first job, and joins its machine in the middle of it',
      async t => {
        t.equal((await add(api, simulator, c, 'redfish')).status, 201)
        c.faults.set('hang', {}, { match: { protocol: 'ipmi' } })
        const name = `${c.name}-ipmi`
        t.match(await add(api, simulator, c, 'ipmi'), { status: 201, body: { status: 'unverified' } })
        t.not(await endpointOf(name), await endpointOf(c.name))
        await addNode(api, 'n-c', uuidOf(c), [name])
        c.faults.clear()
        await provenOff(t, api, c, await api.run('off', 'n-c'))
        t.equal(await endpointOf(name), await endpointOf(c.name))
        t.match(await api.must('GET', `/v1/devices/${name}`), { status: 'verified', cipherSuite: 17 })
        t.match(await api.ask('POST', '/v1/nodes', { body: { name: 'n-c2', levels: [[c.name]] } }), {
          status: 409,
          body: { code: 'hardware_taken', node: 'default/n-c' },
        })
      },
    ],
    [
      'a status that lies against the watts is never an off',
      async t => {
        t.equal((await add(api, simulator, d, 'ipmi')).status, 201)
        await addNode(api, 'n-d', uuidOf(d), [`${d.name}-ipmi`])
        d.faults.set('ignored')
        // It says off from the moment of the command on.
        const sent = eventually('the command', () => (d.ipmi?.received.length ?? 0) > 0)
        const taken = await api.submit('off', 'n-d', { deadlineSeconds: 20 })
        await sent
        d.faults.set('lie', { reports: 'Off', watts: false })
        notOff(t, await api.ended(taken), /indeterminate|deadline/)
        t.equal(d.power.state, 'on')
      },
    ],
    [
      'two failed log-ins over one protocol, and the BMC is left alone over the other one too',
      async t => {
        const wrong = (name: string, driver: 'redfish' | 'ipmi') => add(api, simulator, e, driver, { name, password: 'mistyped' })
        t.match(await wrong('e1', 'ipmi'), { status: 422, body: { code: 'auth_failed' } })
        const failures = e.ipmi?.counters.loginFailures ?? 0
        t.ok(failures <= 2)
        t.match(await add(api, simulator, e, 'ipmi', { name: 'e2' }), {
          status: 422,
          body: { code: 'auth_failed', detail: /none is tried for another/ },
        })
        t.equal(e.ipmi?.counters.logins, 0)
        t.match(await add(api, simulator, e, 'ipmi', { name: 'e3', password: 'x'.repeat(21) }), {
          status: 422,
          body: { code: 'bad_credential', errors: [{ field: 'password' }] },
        })
        t.match(await add(api, simulator, e, 'redfish', { name: 'e4', kg: 'PLANTED-kg' }), {
          status: 400,
          body: { code: 'bad_request', errors: [{ field: 'kg' }] },
        })
      },
    ],
    [
      'a probe through the gateway',
      async t => {
        t.equal((await add(api, simulator, f, 'ipmi', { kg: undefined, ipmi: { privilege: 'administrator' } })).status, 201)
        const probe = await api.must('POST', `/v1/devices/${f.name}-ipmi/probe`)
        t.match(probe, { power: 'on', cipherSuite: 17, restorePolicy: 'previous', witnesses: [/DCMI/] })
        t.match(
          probe.offers.find((offer: { name: string }) => offer.name === 'cipher suite 0'),
          { use: 'refused', reason: /no password/ },
        )
      },
    ],
  ]
  await beside(t, scenarios)
  t.notMatch(logs.join(''), new RegExp(`${PASSWORD}|PLANTED|mistyped`), 'no secret is logged')
  t.same(complaints, [])
})
