import { request } from 'node:https'
import { Registry } from 'prom-client'
import { generate } from 'selfsigned'
import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import { PROBE } from './fake-service.ts'
import { edge, OFF, post, problem, tokenFor } from './support.ts'

const DEVICE = { name: 'bmc-1', driver: 'redfish', address: 'https://192.0.2.1', username: 'u', password: 'PLANTED-password' }

t.test('devices', async t => {
  const { call, service, lines } = await edge(t)
  const made = await call(post('/v1/devices', { ...DEVICE, tls: { mode: 'pin', fingerprint: `${'AB:'.repeat(31)}AB` } }))
  t.match(made, {
    status: 201,
    headers: { location: '/v1/devices/bmc-1', etag: '"1"' },
    body: { name: 'bmc-1', warnings: ['insecure_tls'] },
  })
  t.equal(made.body.tls.fingerprint, 'ab'.repeat(32), 'one form of fingerprints')
  t.ok(service.passwords[0] instanceof Secret)
  t.equal(service.passwords[0]?.reveal(), 'PLANTED-password')

  t.match(await call('GET /v1/devices/bmc-1'), { status: 200, headers: { etag: '"1"' }, body: { status: 'verified' } })
  t.equal((await call({ method: 'GET', url: '/v1/devices/bmc-1', headers: { 'if-none-match': '"1"' } })).status, 304)
  t.equal((await call({ method: 'HEAD', url: '/v1/devices/bmc-1' })).headers['etag'], '"1"')
  problem(t, await call('GET /v1/devices/none'), 404, 'unknown_device')
  t.match((await call('GET /v1/devices')).body, { items: [{ name: 'bmc-1' }] })
  t.match((await call('GET /v1/drivers')).body.items, [
    { kind: 'redfish', mechanism: 'direct', title: 'Redfish service of a BMC' },
    { kind: 'ipmi' },
  ])

  const patch = (headers: Record<string, string>, payload: object = { address: 'https://192.0.2.2' }) =>
    call({ method: 'PATCH', url: '/v1/devices/bmc-1', headers, payload })
  problem(t, await patch({}), 428, 'revision_missing')
  problem(t, await patch({ 'if-match': '"7"' }), 412, 'revision_changed')
  problem(t, await patch({ 'if-match': 'W/"1"' }), 412, 'revision_changed', 'a weak tag')
  problem(t, await patch({ 'if-match': 'nonsense' }), 412, 'revision_changed', 'no tag')
  problem(t, await patch({ 'if-match': '"1"' }, {}), 400, 'bad_request', 'nothing to change')
  problem(t, await patch({ 'if-match': '"1"' }, { password: 'x' }), 400, 'bad_request', 'not here')
  t.match(await patch({ 'if-match': '"1"' }), { status: 200, headers: { etag: '"2"' }, body: { address: 'https://192.0.2.2' } })
  t.equal((await patch({ 'if-match': '"1", "2"' })).status, 200, 'a list')
  t.equal((await patch({ 'if-match': '*' })).status, 200, 'any')
  problem(
    t,
    await call({ method: 'PATCH', url: '/v1/devices/none', headers: { 'if-match': '"1"' }, payload: { systemId: '1' } }),
    404,
    'unknown_device',
  )

  const put = await call({ method: 'PUT', url: '/v1/devices/bmc-1/credential', payload: { username: 'u', password: 'PLANTED-second' } })
  t.match(put, { status: 204, text: '' })
  t.equal(service.passwords[1]?.reveal(), 'PLANTED-second')
  t.match(await call('POST /v1/devices/bmc-1/probe'), {
    status: 200,
    body: { product: 'Fake BMC', commands: { on: 'On', off: 'ForceOff' } },
  })
  service.devices.probe = async () => ({ ...PROBE, commands: { on: null, off: 'ForceOff' } })
  t.same((await call('POST /v1/devices/bmc-1/probe')).body.commands, { on: null, off: 'ForceOff' })
  t.equal((await call('DELETE /v1/devices/bmc-1')).status, 204)
  problem(t, await call('DELETE /v1/devices/bmc-1'), 404, 'unknown_device')
  t.notMatch(lines.join(''), 'PLANTED', 'no password is logged')
})

t.test('IPMI devices: their settings and BMC key come in, the key never out, and no TLS is shown', async t => {
  const { call, service, lines } = await edge(t)
  const base = { ...DEVICE, name: 'ipmi-1', driver: 'ipmi', address: 'ipmi://192.0.2.1' }
  const ipmi = { cipherSuite: '17', privilege: 'administrator', quirks: ['skip-checksum', 'ignore-watts'] }
  const made = await call(post('/v1/devices', { ...base, kg: 'PLANTED-kg', ipmi }))
  t.match(made, { status: 201, body: { driver: 'ipmi', ipmi } })
  t.notOk('tls' in made.body)
  t.equal(service.passwords[1]?.reveal(), 'PLANTED-kg')
  const stored = service.store.devices.get('ipmi-1')
  if (stored) service.store.devices.set('ipmi-1', { ...stored, cipherSuite: 17, hardware: { uuid: 'u', guid: '31' } })
  const shown = (await call('GET /v1/devices/ipmi-1')).body
  t.match(shown, { cipherSuite: 17, hardware: { uuid: 'u', guid: '31' } })
  const change = { method: 'PATCH', url: '/v1/devices/ipmi-1', headers: { 'if-match': '*' } } as const
  t.match(await call({ ...change, payload: { ipmi: { cipherSuite: '3' } } }), { status: 200, body: { ipmi: { cipherSuite: '3' } } })
  const credential = { username: 'u', password: 'PLANTED-2', kg: '0x00ff' }
  t.equal((await call({ method: 'PUT', url: '/v1/devices/ipmi-1/credential', payload: credential })).status, 204)
  t.equal(service.passwords.at(-1)?.reveal(), '0x00ff')
  for (const [wrong, field] of [
    [{ cipherSuite: '0' }, 'ipmi.cipherSuite'],
    [{ cipherSuite: 17 }, 'ipmi.cipherSuite'],
    [{ privilege: 'user' }, 'ipmi.privilege'],
    [{ quirks: ['none-such'] }, 'ipmi.quirks[0]'],
    [{ quirks: ['ignore-watts', 'ignore-watts'] }, 'ipmi.quirks'],
    [{ suite: '3' }, 'ipmi.suite'],
  ] as const) {
    const answer = await call(post('/v1/devices', { ...base, ipmi: wrong }))
    problem(t, answer, 400, 'bad_request', JSON.stringify(wrong))
    t.equal(answer.body.errors[0].field.replace(/\.(\d+)$/, '[$1]'), field)
  }
  problem(t, await call(post('/v1/devices', { ...base, kg: `PLANTED${'x'.repeat(64)}` })), 400, 'bad_request', 'too long a key')
  service.devices.probe = async () => ({
    ...PROBE,
    cipherSuite: 17,
    offers: [{ name: 'cipher suite 0', use: 'refused', reason: 'no password' }],
    restorePolicy: null,
  })
  t.match((await call('POST /v1/devices/ipmi-1/probe')).body, {
    cipherSuite: 17,
    offers: [{ name: 'cipher suite 0', use: 'refused', reason: 'no password' }],
    restorePolicy: null,
  })
  t.notMatch(lines.join(''), 'PLANTED', 'no secret is logged')
})

t.test('nodes, their holds and readiness', async t => {
  const { call, service } = await edge(t)
  const made = await call(
    post('/v1/nodes', {
      name: 'n.example',
      cluster: 'prod',
      levels: [['a', 'b'], ['c']],
      systemUuid: '4c4c4544-0051-3010-8052-b4c04f564433',
    }),
  )
  t.match(made, {
    status: 201,
    headers: { location: '/v1/nodes/prod/n.example', etag: '"1"' },
    body: { cluster: 'prod', levels: [['a', 'b'], ['c']] },
  })
  t.equal((await call('GET /v1/nodes/prod/n.example')).body.name, 'n.example')
  problem(t, await call('GET /v1/nodes/prod/none'), 404, 'unknown_node')
  problem(t, await call('GET /v1/nodes/prod/n.example/hold'), 404, 'not_found', 'not held')
  const hold = await call('GET /v1/nodes/default/worker-3/hold?maxAgeSeconds=10')
  t.match(hold, { status: 200, headers: { etag: '"3"' }, body: { id: 'hold-1', owesOn: true } })
  t.same(service.asked.at(-1), { holdOf: 'default/worker-3', maxAgeSeconds: 10 })
  t.notMatch(hold.text, 'INSIDE')
  problem(t, await call('GET /v1/nodes/default/worker-3/hold?maxAgeSeconds=soon'), 400, 'bad_request')
  t.match(await call('GET /v1/nodes/default/worker-3/readiness'), { status: 200, body: { ready: true, binding: 'proven' } })
  t.equal((await call('DELETE /v1/nodes/prod/n.example')).status, 204)
  t.match((await call('GET /v1/nodes')).body.items, [{ cluster: 'default' }, { cluster: 'prod' }])
})

t.test('holds and receipts', async t => {
  const { call, service } = await edge(t)
  t.match((await call('GET /v1/holds')).body, { items: [{ id: 'hold-1' }, { id: 'hold-2' }] })
  t.match(await call('GET /v1/holds/hold-1'), {
    status: 200,
    headers: { etag: '"3"' },
    body: { holders: [{ holder: 'token:t1', attempt: 1, since: String }] },
  })
  const body = { holder: 'token:t1', attempt: 1, restore: true, reason: 'repaired' }
  const released = await call(post('/v1/holds/hold-1/release', body))
  t.match(released, { status: 200, body: { hold: { state: 'released', holders: [] }, job: { id: 'job-on', action: 'on' } } })
  t.same(service.asked.at(-1), { release: 'hold-1', body, by: 't1' })
  t.notMatch(released.text, 'INSIDE')

  t.match(await call('GET /v1/receipts/receipt-1'), { status: 200, body: { id: 'receipt-1', jws: 'a.b.c', status: 'standing' } })
  const bare = await call({ method: 'GET', url: '/v1/receipts/receipt-1', headers: { accept: 'application/jose' } })
  t.match(bare, { status: 200, text: 'a.b.c', headers: { 'content-type': /^application\/jose/, vary: /accept/ } })
  t.match(await call('GET /.well-known/jwks.json', ''), {
    status: 200,
    body: { keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'k', x: 'AA' }] },
  })
  t.match(await call('GET /.well-known/revocations.jws', ''), {
    status: 200,
    text: 'aa.bb.cc',
    headers: { 'content-type': /^application\/jose/, 'cache-control': 'no-store' },
  })
  t.same((await call('POST /v1/vault/rotate')).body, { keyId: 'k2', resealed: 3 })
})

t.test('health', async t => {
  const { call, service } = await edge(t)
  t.same((await call('GET /livez', '')).body, { alive: true })
  t.match(await call('GET /readyz', ''), {
    status: 200,
    body: { ready: true, store: { kind: 'embedded', warning: 'for first steps only' } },
  })
  service.ready = false
  const not = await call('GET /readyz', '')
  problem(t, not, 503, 'store_unavailable')
  t.match(not, {
    headers: { 'retry-after': '2' },
    body: { ready: false, detail: /not writable/, checks: [{ name: 'store', ok: false }], store: { kind: 'embedded' } },
  })
  service.health = async () => {
    throw new Error('INSIDE')
  }
  t.equal((await call('GET /readyz', '')).status, 500)
  t.equal((await call('GET /livez', '')).status, 200, 'a gateway that is not ready lives')
})

t.test('metrics and the log', async t => {
  const registry = new Registry()
  const { call, lines, service } = await edge(t, { registry })
  await call('GET /v1/jobs/job-1?x=PLANTED-query')
  await call('GET /v1/jobs/job-1')
  await call('GET /v1/made-up/PLANTED-label')
  await call(post('/v1/jobs', { ...OFF, reason: 'PLANTED-reason' }, { 'idempotency-key': 'k' }), tokenFor(service, ['jobs:off']))
  const { text, headers } = await call('GET /metrics')
  t.match(headers['content-type'], /^text\/plain; version=0.0.4/)
  t.match(text, 'safestate_http_requests_total{route="/v1/jobs/:id",method="GET",status="200"} 2')
  t.match(text, 'safestate_http_requests_total{route="none",method="GET",status="404"} 1')
  t.match(text, 'safestate_http_request_duration_seconds_count{route="/v1/jobs",method="POST"} 1')
  t.notMatch(text, 'PLANTED')
  const answered = lines.map(line => JSON.parse(line)).filter(line => line.msg === 'answered')
  t.match(answered[0], { method: 'GET', route: '/v1/jobs/:id', path: '/v1/jobs/job-1', status: 200, token: 't1', reqId: /^[0-9a-f-]{36}$/ })
  t.equal((await call('GET /livez', '')).headers['x-request-id']?.toString().length, 36)
  t.notMatch(lines.join(''), /PLANTED-(query|reason)|[Bb]earer|authorization/)
})

t.test('security headers', async t => {
  const { call } = await edge(t)
  for (const url of ['/v1/jobs', '/livez', '/nothing']) {
    const { headers } = await call(`GET ${url}`)
    t.match(headers, {
      'content-security-policy': /default-src 'none'/,
      'x-content-type-options': 'nosniff',
      'x-frame-options': /./,
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    t.equal(headers['strict-transport-security'], undefined, `${url} over HTTP has no HSTS`)
    t.equal(headers['access-control-allow-origin'], undefined)
  }
  problem(
    t,
    await call({
      method: 'OPTIONS',
      url: '/v1/jobs',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    }),
    405,
    'bad_request',
  )
})

t.test('TLS', async t => {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 })
  const { app } = await edge(t, { https: { key, cert } })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.match(url, /^https:/)
  const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
    request(`${url}/livez`, { ca: cert, checkServerIdentity: () => undefined }, answer => {
      answer.resume()
      resolve(answer.headers)
    })
      .on('error', reject)
      .end()
  })
  t.match(headers['strict-transport-security'], /max-age=31536000/)
})
