// What callers get wrong and what they are told, who may do what, and that a slow BMC is nobody else's problem.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import type { Driver } from '../../src/core/driver.ts'
import type { SafestateError } from '../../src/core/errors.ts'
import { redfish } from '../../src/drivers/redfish.ts'
import type { Answer, Api } from './client.ts'
import {
  beside,
  complaints,
  eventually,
  FAST,
  KINDS,
  type Machine,
  notOff,
  offs,
  provenOff,
  register,
  type Scenario,
  serve,
  simulate,
} from './support.ts'

t.jobs = 3

/** A request that is refused: what is asked, and status, code and named fields of the answer. */
type Row = [what: string, ask: (api: Api) => Promise<Answer>, status: number, code: string, fields?: string[]]

for (const kind of KINDS) {
  void t.test(`${kind}: the edge`, { buffered: true }, async t => {
    const served = await serve(t, kind)
    if (!served) return
    const { api } = served
    const machines = await register(api, await simulate(t, { redfish: 8, seed: 31 }))
    /** BMCs that nobody has registered yet. */
    const strangers = [...(await simulate(t, { redfish: 10, seed: 32 })).bmcs]
    const cray = await simulate(t, { redfish: 1, personality: 'cray', seed: 33 })
    const machine = (): Machine => {
      const next = machines.pop()
      if (!next) throw new Error('no machine is left')
      return next
    }
    const stranger = () => {
      const next = strangers.pop()
      if (!next) throw new Error('no BMC is left')
      return next
    }
    const deviceOf = (bmc: ReturnType<typeof stranger>, more: object = {}) => ({
      name: `d-${randomUUID()}`,
      driver: 'redfish',
      address: bmc.url,
      username: bmc.username,
      password: bmc.password,
      tls: { mode: 'insecure' },
      ...more,
    })
    const addDevice = (body: object): Promise<Answer> => api.ask('POST', '/v1/devices', { body })
    const addNode = (body: object): Promise<Answer> => api.ask('POST', '/v1/nodes', { body })

    const taken = machine()
    const [, secondOfTwo] = [taken, machine()]
    const spare = stranger()
    const reused = randomUUID()
    await api.submit('status', taken.node, { key: reused })

    const rows: Row[] = [
      ['an unknown driver', () => addDevice(deviceOf(spare, { driver: 'telepathy' })), 422, 'unknown_driver', ['driver']],
      ['a malformed address', () => addDevice(deviceOf(spare, { address: 'bmc.example' })), 422, 'bad_address', ['address']],
      ['an address of another kind', () => addDevice(deviceOf(spare, { address: 'ipmi://192.0.2.1' })), 422, 'bad_address', ['address']],
      ['http without saying insecure', () => addDevice(deviceOf(spare, { tls: undefined })), 422, 'bad_address', ['tls']],
      [
        'a device of nothing',
        () => addDevice({ nonsense: 1 }),
        400,
        'bad_request',
        ['name', 'driver', 'address', 'username', 'password', 'nonsense'],
      ],
      ['several systems and none named', () => addDevice(deviceOf(cray.bmc(0))), 422, 'ambiguous_system', ['systemId']],
      ['a system that is not there', () => addDevice(deviceOf(cray.bmc(0), { systemId: 'Node9' })), 422, 'ambiguous_system', ['systemId']],
      ['a device name that is taken', () => addDevice(deviceOf(spare, { name: taken.device })), 409, 'exists'],
      ['one hardware under two names', () => addDevice(deviceOf(taken.bmc)), 409, 'hardware_taken'],
      ['tls fields that do not go together', () => addDevice(deviceOf(spare, { tls: { mode: 'ca' } })), 400, 'bad_request', ['tls.ca']],
      ['a node that is registered', () => addNode({ name: taken.node, levels: [[taken.device]] }), 409, 'exists'],
      ['a node of an unknown device', () => addNode({ name: 'n', levels: [['nothing']] }), 404, 'unknown_device'],
      ['a device of two nodes', () => addNode({ name: 'n', levels: [[taken.device]] }), 409, 'hardware_taken'],
      ['a node with a device twice', () => addNode({ name: 'n', levels: [['a'], ['a']] }), 400, 'bad_request', ['levels']],
      ['a node without levels', () => addNode({ name: 'N!', levels: [] }), 400, 'bad_request', ['name', 'levels']],
      ['an unknown node', () => api.post('off', 'nobody'), 404, 'unknown_node'],
      ['a node of another cluster', () => api.post('off', taken.node, { cluster: 'other' }), 404, 'unknown_node'],
      ['an unknown action', () => api.post('explode', taken.node), 400, 'bad_request', ['action']],
      ...[0, 3601, 1.5, -1, '60', null].map(
        (deadlineSeconds): Row => [
          `a deadline of ${JSON.stringify(deadlineSeconds)}`,
          () => api.post('off', taken.node, { deadlineSeconds: deadlineSeconds as number }),
          400,
          'bad_request',
          ['deadlineSeconds'],
        ],
      ),
      ['a deadline that no off fits', () => api.post('off', taken.node, { deadlineSeconds: 1 }), 422, 'plan_too_long', ['deadlineSeconds']],
      ['a mechanism that no level has', () => api.post('off', taken.node, { mechanisms: ['meatware'] }), 422, 'no_level'],
      ['an assurance that no level reaches', () => api.post('off', taken.node, { acceptAssurance: ['attested'] }), 422, 'no_level'],
      [
        'all of it wrong',
        () => api.post('explode', 'NO NODE', { deadlineSeconds: 0, reason: '' }),
        400,
        'bad_request',
        ['action', 'node', 'deadlineSeconds', 'reason'],
      ],
      ['a field that does not exist', () => api.post('off', taken.node, { deadline: 5 } as object), 400, 'bad_request', ['deadline']],
      [
        'nodes that are not affected',
        () => api.post('off', taken.node, { alsoNodes: [secondOfTwo.node] } as object),
        422,
        'not_affected',
        ['alsoNodes'],
      ],
      [
        'a release with an off',
        () => api.post('off', taken.node, { releaseHolder: { holdId: 'x', holder: 'y', attempt: 1 } }),
        400,
        'bad_request',
        ['releaseHolder'],
      ],
      [
        'no Idempotency-Key',
        api => api.ask('POST', '/v1/jobs', { body: { node: taken.node, action: 'off', reason: 'x' } }),
        400,
        'idempotency_key_missing',
        ['Idempotency-Key'],
      ],
      [
        'a key that was used with another body',
        () => api.post('status', taken.node, { key: reused, reason: 'other' }),
        422,
        'idempotency_key_reused',
      ],
      ['a body over 1 MiB', () => api.post('off', taken.node, { reason: 'x'.repeat(1_100_000) }), 413, 'too_large'],
      [
        'a batch over 1,000',
        api => api.ask('POST', '/v1/jobs/batch', { body: { items: Array(1001).fill({}) } }),
        400,
        'bad_request',
        ['items'],
      ],
      ['an empty batch', api => api.ask('POST', '/v1/jobs/batch', { body: { items: [] } }), 400, 'bad_request', ['items']],
      ['no JSON', api => api.ask('POST', '/v1/nodes', { body: '{"name": ' }), 400, 'bad_request', ['body']],
      [
        'another kind of body',
        api => api.ask('POST', '/v1/nodes', { body: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
        415,
        'unsupported_media_type',
      ],
      ['an unknown job', api => api.ask('GET', '/v1/jobs/nothing'), 404, 'not_found'],
      ['an unknown receipt', api => api.ask('GET', '/v1/receipts/nothing'), 404, 'not_found'],
      ['an unknown address', api => api.ask('GET', '/v1/nothing'), 404, 'not_found'],
      ['the hold of a node that is not held', api => api.ask('GET', `/v1/nodes/default/${taken.node}/hold`), 404, 'not_found'],
      ['a device that a node needs', api => api.ask('DELETE', `/v1/devices/${taken.device}`), 409, 'in_use'],
      [
        'a Last-Event-ID that is none',
        api => api.ask('GET', '/v1/events', { headers: { 'last-event-id': 'x' } }),
        400,
        'bad_request',
        ['Last-Event-Id'],
      ],
      [
        'a token with a scope that does not exist',
        api => api.ask('POST', '/v1/tokens', { body: { name: 'x', scopes: ['everything'] } }),
        400,
        'bad_request',
        ['scopes'],
      ],
      ['no token', api => api.ask('GET', '/v1/nodes', { token: null }), 401, 'unauthenticated'],
      ['a wrong token', api => api.ask('GET', '/v1/nodes', { token: 'sst_0000000000000000_wrong' }), 401, 'unauthenticated'],
    ]

    const scenarios: Scenario[] = [
      [
        'bad input gets a problem that names what is wrong',
        async t => {
          for (const [what, ask, status, code, fields = []] of rows) {
            const answer = await ask(api)
            t.match(answer, { status, body: { status, code, type: String, title: String, detail: String, instance: /^urn:uuid:/ } }, what)
            t.match(answer.headers.get('content-type'), /^application\/problem\+json/)
            const named = (answer.body.errors ?? []).map(({ field }: { field: string }) => field)
            for (const field of fields)
              t.ok(
                named.some((name: string) => name === field || name.startsWith(`${field}[`) || name.startsWith(`${field}/`)),
                `${what}: names ${field} (${named})`,
              )
          }
          t.match(
            (await addDevice(deviceOf(cray.bmc(0)))).body.errors,
            [{ message: /^Node[01]:/ }, { message: /^Node[01]:/ }],
            'the list of systems',
          )
          t.same(taken.bmc.commands, [], 'nothing of all that reached a BMC')
        },
      ],
      [
        'wrong credentials are tried twice at most',
        async t => {
          const bmc = stranger()
          t.match(await addDevice(deviceOf(bmc, { password: 'wrong' })), { status: 422, body: { code: 'auth_failed' } })
          t.ok(bmc.counters.loginFailures + bmc.counters.unauthorized <= 2, `${bmc.counters.loginFailures} log-ins`)

          const { bmc: known, node, device } = machine()
          known.faults.set('wrongCredentials')
          known.sessions.clear()
          known.resetCounters()
          const job = await api.run('off', node)
          notOff(t, job, 'auth_failed')
          t.match(job.failure, { device })
          const probe = () => api.ask('POST', `/v1/devices/${device}/probe`)
          for (let n = 0; n < 3; n++) t.match(await probe(), { status: 422, body: { code: 'auth_failed' } })
          for (const action of ['off', 'status', 'reboot']) t.match(await api.run(action, node), { failure: { code: 'auth_failed' } })
          t.ok(
            known.counters.loginFailures >= 1 && known.counters.loginFailures <= 2,
            `${known.counters.loginFailures} log-ins in four jobs and three probes`,
          )
          t.equal(known.commands.length, 0)
          t.equal(await api.hold(node), undefined)
          known.faults.clear()
          t.match(await api.run('status', node), { failure: { code: 'auth_failed' } }, 'the breaker stays open')
          const credential = { username: known.username, password: known.password }
          t.equal((await api.ask('PUT', `/v1/devices/${device}/credential`, { body: credential })).status, 204)
          await provenOff(t, api, known, await api.run('off', node))
        },
      ],
      [
        'another machine than the node says: 409 at registration',
        async t => {
          const bmc = stranger()
          const device = deviceOf(bmc)
          t.equal((await addDevice(device)).status, 201)
          const refused = await addNode({ name: 'swapped', systemUuid: randomUUID(), levels: [[device.name]] })
          t.match(refused, { status: 409, body: { code: 'identity_mismatch', device: device.name, node: 'default/swapped' } })
          t.equal((await addNode({ name: 'declared', levels: [[device.name]] })).status, 201)
          t.match(await api.must('GET', '/v1/nodes/default/declared/readiness'), {
            ready: true,
            binding: 'declared',
            warnings: [{ code: 'declared_binding' }],
          })
          t.match(await provenOff(t, api, bmc, await api.run('off', 'declared')), { binding: 'declared', warnings: [/declared_binding/] })
        },
      ],
      [
        'out of reach at registration: unverified, and checked before its first command',
        async t => {
          const [good, other, twin] = [stranger(), stranger(), machine()]
          const bodies = [deviceOf(good), deviceOf(other)]
          for (const [index, bmc] of [good, other].entries()) {
            bmc.faults.set('offline')
            const added = await addDevice(bodies[index] ?? {})
            t.match(added, { status: 201, body: { status: 'unverified', warnings: [/unverified/] } })
          }
          const uuid = good.systems[0]?.identity.systemUuid ?? ''
          t.equal((await addNode({ name: 'late', systemUuid: uuid, levels: [[bodies[0]?.name]] })).status, 201)
          t.equal((await addNode({ name: 'wrong', systemUuid: randomUUID(), levels: [[bodies[1]?.name]] })).status, 201)
          t.match(await api.must('GET', '/v1/nodes/default/late/readiness'), {
            ready: false,
            binding: 'unknown',
            problems: [{ code: 'unverified' }],
          })
          for (const bmc of [good, other]) bmc.faults.clear()
          await provenOff(t, api, good, await api.run('off', 'late'))
          t.match(await api.must('GET', `/v1/devices/${bodies[0]?.name}`), { status: 'verified', hardware: { uuid } })
          t.match(await api.must('GET', '/v1/nodes/default/late/readiness'), { ready: true, binding: 'proven' })
          notOff(t, await api.run('off', 'wrong'), 'identity_mismatch')
          t.equal(other.commands.length, 0, 'nothing was sent')

          twin.bmc.faults.set('offline')
          const second = deviceOf(twin.bmc)
          t.match(await addDevice(second), { status: 201, body: { status: 'unverified' } })
          t.equal((await addNode({ name: 'twin', levels: [[second.name]] })).status, 201)
          twin.bmc.faults.clear()
          notOff(t, await api.run('off', 'twin'), 'identity_mismatch')
          t.equal(twin.bmc.commands.length, 0, 'one hardware under two names: nothing was sent')
        },
      ],
      [
        'tokens: scopes and clusters',
        async t => {
          const bmc = stranger()
          const device = deviceOf(bmc)
          await api.must('POST', '/v1/devices', device, 201)
          await api.must('POST', '/v1/nodes', { name: 'n', cluster: 'prod', levels: [[device.name]] }, 201)
          const make = async (scopes: string[], clusters?: string[]) => {
            const { token } = await api.must('POST', '/v1/tokens', { name: randomUUID(), scopes, ...(clusters ? { clusters } : {}) }, 201)
            return api.as(token)
          }
          const [reader, prod, test_, fencer] = await Promise.all([
            make(['jobs:read', 'nodes:read', 'holds:read']),
            make(['jobs:read', 'jobs:off', 'nodes:read', 'holds:read', 'holds:release', 'receipts:read'], ['prod']),
            make(['jobs:read', 'jobs:off', 'nodes:read', 'holds:read', 'receipts:read'], ['test']),
            make(['jobs:off']),
          ])
          const inProd = { cluster: 'prod' }
          t.match(await reader.post('off', 'n', inProd), { status: 403, body: { code: 'forbidden' } }, 'a reader fences nothing')
          t.match(await test_.post('off', 'n', inProd), { status: 403 }, 'nor does the token of another cluster')
          t.match(await fencer.post('on', 'n', inProd), { status: 403 }, 'off is not on')
          t.match(await fencer.post('reboot', 'n', inProd), { status: 403 }, 'nor a reboot')
          t.match(await fencer.ask('POST', '/v1/devices', { body: deviceOf(bmc) }), { status: 403 })
          t.match(await prod.ask('POST', '/v1/tokens', { body: { name: 'x', scopes: ['admin'] } }), { status: 403 })
          const job = await prod.run('off', 'n', inProd)
          await provenOff(t, prod, bmc, job)
          t.match(await test_.ask('GET', `/v1/jobs/${job.id}`), { status: 404 }, 'what one may not see does not exist')
          t.match(await test_.ask('GET', `/v1/receipts/${job.receiptId}`), { status: 404 })
          t.match(await test_.ask('GET', '/v1/nodes/prod/n/hold'), { status: 404 })
          t.same((await test_.must('GET', '/v1/jobs')).items, [])
          t.same((await test_.must('GET', '/v1/holds')).items, [])
          t.ok((await reader.must('GET', '/v1/jobs')).items.length > 0)
          t.match(await test_.release(job.holdId), { status: 403 })
          t.match(await prod.release(job.holdId, { force: true }), { status: 403 }, 'a forced release needs its own scope')
          const { items } = await api.must('GET', '/v1/tokens')
          t.notMatch(JSON.stringify(items), /hash|sst_/)
          const { id } = items.find(({ scopes }: { scopes: string[] }) => scopes.join() === 'jobs:off')
          t.equal((await api.ask('DELETE', `/v1/tokens/${id}`)).status, 204)
          t.match(await fencer.post('off', 'n', inProd), { status: 401 }, 'a revoked token is none at once')
        },
      ],
      [
        'health, document and pages',
        async t => {
          t.match(await api.ask('GET', '/livez', { token: null }), { status: 200, body: { alive: true } })
          const ready = await api.ask('GET', '/readyz', { token: null })
          t.match(ready, { status: 200, body: { ready: true, store: { kind: kind === 'redis' ? 'child' : 'embedded', durable: true } } })
          if (kind === 'embedded') t.match(ready.body.store.warning, /demos and first steps only/)
          else t.equal(ready.body.store.warning, undefined)
          if (kind === 'embedded')
            t.ok(
              served.logs.some(line => /WebAssembly/.test(line)),
              'and says so in its log',
            )
          t.match(await api.ask('GET', '/metrics'), { status: 200, text: /process_cpu_seconds_total/ })
          t.match(await api.ask('GET', '/openapi.json'), { status: 200, body: { openapi: /^3\.1/ } })
          const basic = { authorization: `Basic ${Buffer.from(`anyone:${api.token}`).toString('base64')}` }
          for (const page of ['/docs', '/docs/', '/queues', '/queues/']) {
            t.equal((await api.ask('GET', page, { token: null })).status, 401, `${page} without a token`)
            const shown = await api.ask('GET', page, { token: null, headers: basic })
            t.equal(shown.status, 200, page)
            t.same(externals(shown.text), [], `${page} asks nobody else`)
            t.match(shown.headers.get('content-security-policy'), /default-src 'none'/)
          }
          t.match(await api.ask('GET', '/v1/nodes', { token: null, headers: basic }), { status: 401 }, 'no Basic outside of pages')
          const board = await api.ask('GET', '/queues/api/queues?activeQueue=fence&status=completed', { token: null, headers: basic })
          t.equal(board.status, 200)
          t.match(board.body, { queues: [{ name: 'fence', readOnlyMode: true }, { name: 'status' }] })
        },
      ],
    ]
    await beside(t, scenarios)
  })

  void t.test(`${kind}: lanes`, { buffered: true }, async t => {
    const rules = { ...FAST, exchange: { ...FAST.exchange, exchangeMs: 20_000, connectMs: 20_000 } }
    const served = await serve(t, kind, { rules, concurrency: { fence: 4, status: 4 } })
    if (!served) return
    const { api } = served
    const machines = await register(api, await simulate(t, { redfish: 26, seed: 41 }))
    const [healthy, hung, ...holes] = machines
    if (!healthy || !hung) throw new Error('too few machines')
    for (const { bmc } of holes) {
      bmc.faults.set('hang')
      bmc.resetCounters()
    }
    const reads = await Promise.all(holes.map(({ node }) => api.submit('status', node, { deadlineSeconds: 300 })))
    await eventually('all slots of the status lane hang', () => holes.filter(({ bmc }) => bmc.counters.requests > 0).length >= 4)

    const began = performance.now()
    await provenOff(t, api, healthy.bmc, await api.run('off', healthy.node))
    t.ok(
      performance.now() - began < 15_000,
      `an off of a healthy machine took ${Math.round(performance.now() - began)} ms beside ${reads.length} hung reads`,
    )
    const states = await Promise.all(reads.map(async ({ id }) => (await api.must('GET', `/v1/jobs/${id}`)).state))
    t.same(
      [...new Set(states)].filter(state => state === 'succeeded' || state === 'failed'),
      [],
      'none of which had ended',
    )
    for (const { bmc } of holes) {
      bmc.faults.clear()
      bmc.dropConnections()
    }
    for (const read of reads) t.match(await api.ended(read), { state: /succeeded|failed/ })

    hung.bmc.resetCounters()
    hung.bmc.faults.set('hang', {}, { count: 1, match: { method: 'GET', path: '/Systems/' } })
    const status = await api.submit('status', hung.node)
    await eventually('the read hangs', () => hung.bmc.faults.list().length === 0)
    const from = performance.now()
    const off = await api.submit('off', hung.node)
    await eventually('the off is sent', () => offs(hung.bmc) > 0)
    t.ok(performance.now() - from < 10_000, `the hung read gave way after ${Math.round(performance.now() - from)} ms, long before its 20 s`)
    await provenOff(t, api, hung.bmc, await api.ended(off))
    t.match(await api.ended(status), { state: 'succeeded', power: /on|off|transitioning/ }, 'and was read later')

    const [last] = holes
    last?.bmc.resetCounters()
    last?.bmc.faults.set('hang', { when: 'after' }, { match: { path: '/Systems/' } })
    await api.submit('status', last?.node ?? '')
    await eventually('a read hangs', () => (last?.bmc.counters.requests ?? 0) > 0)
    const closing = performance.now()
    await served.close()
    t.ok(
      performance.now() - closing < 12_000,
      `closed after ${Math.round(performance.now() - closing)} ms, without waiting for the hung read`,
    )
  })
}

for (const kind of KINDS) {
  void t.test(
    `${kind}: a fault of the gateway itself ends no differently: in time, with a reason, at the next level`,
    { buffered: true },
    async t => {
      /** A driver that trips over one device, as over an answer that nobody thought of. */
      const tripping: Driver = {
        ...redfish,
        open: (device, context) => {
          const session = redfish.open(device, context)
          if (!device.name.startsWith('bmc-rack1-node01')) return session
          return Object.assign(session, { observe: () => Promise.reject(new TypeError('x is not a function: password hunter2')) })
        },
      }
      const rules = { ...FAST, levelMinMs: 4_000 }
      const served = await serve(t, kind, { rules }, { drivers: [tripping] })
      if (!served) return
      const { api } = served
      const [bad, first, second] = await register(api, await simulate(t, { redfish: 3, seed: 34 }))
      if (!bad || !first || !second) throw new Error('too few machines')
      const job = await api.run('off', bad.node, { deadlineSeconds: 10 })
      notOff(t, job, 'internal')
      t.match(job.failure, { device: bad.device })
      t.notMatch(JSON.stringify(job), /hunter2/)
      t.equal(await api.hold(bad.node), undefined, 'nothing was sent: nobody holds it')
      t.match(await api.run('status', bad.node, { deadlineSeconds: 10 }), { state: 'failed', failure: { code: 'internal' } })

      for (const { node } of [bad, second]) t.equal((await api.ask('DELETE', `/v1/nodes/default/${node}`)).status, 204)
      await api.must('POST', '/v1/nodes', { name: 'two-levels', levels: [[bad.device], [second.device]] }, 201)
      const fenced = await api.run('off', 'two-levels', { deadlineSeconds: 30 })
      await provenOff(t, api, second.bmc, fenced)
      t.equal(bad.bmc.commands.length, 0)
    },
  )
}

/** What a page would load from elsewhere. */
function externals(html: string): string[] {
  return [...html.matchAll(/<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)="((?:https?:)?\/\/[^"]*)"/g)].map(
    match => match[1] ?? '',
  )
}

void t.test('a half-configured gateway says all that is missing at once', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'safestate-config-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const config = join(folder, 'config.yaml')
  writeFileSync(
    config,
    'logLevel: loud\nvaultKey: secret-in-a-file\ntlsCert: /nowhere/cert.pem\nfenceConcurrency: none\ncolour: red\nrules:\n  confirm:\n    reads: 1\n  maxCommands: 9\n',
  )
  const fail = (): SafestateError => {
    try {
      readConfig({ config, listen: '0.0.0.0:8080' }, { SAFESTATE_LISTEM: 'x', SAFESTATE_ALLOW_VOLATILE_STORE: 'maybe' })
    } catch (error) {
      return error as SafestateError
    }
    throw new Error('it was taken')
  }
  const { code, message, facts } = fail()
  t.equal(code, 'bad_request')
  const fields = (facts.errors ?? []).map(({ field }) => field).sort()
  t.same(fields, [
    'SAFESTATE_LISTEM',
    'allowVolatileStore',
    'colour',
    'dataDir',
    'fenceConcurrency',
    'listen',
    'logLevel',
    'rules.confirm.reads',
    'rules.maxCommands',
    'tlsKey',
    'vaultKey',
  ])
  for (const field of fields) t.ok(message.includes(field), `the message names ${field}`)
  t.notMatch(message, /secret-in-a-file/)
})

void t.test('Node has nothing to complain about', async t => t.same(complaints, []))
