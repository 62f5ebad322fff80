import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { DriverError, SafestateError } from '../../src/core/errors.ts'
import { edge, OFF, post, problem, until } from './support.ts'

const KEY = { 'idempotency-key': 'k1' }
const DEVICE = { name: 'bmc-1', driver: 'redfish', address: 'https://192.0.2.1', username: 'u', password: 'PLANTED-password' }

t.test('every wrong field is named', async t => {
  const { call } = await edge(t)
  const cases: [string, object, Record<string, RegExp>][] = [
    ['/v1/jobs', {}, { node: /missing/, action: /missing/, reason: /missing/ }],
    ['/v1/jobs', { ...OFF, action: 'explode' }, { action: /must be one of off, on, reboot, status/ }],
    ['/v1/jobs', { ...OFF, deadlineSeconds: 0 }, { deadlineSeconds: /must be >= 1/ }],
    ['/v1/jobs', { ...OFF, deadlineSeconds: 3601 }, { deadlineSeconds: /must be <= 3600/ }],
    ['/v1/jobs', { ...OFF, deadlineSeconds: 1.5 }, { deadlineSeconds: /must be integer/ }],
    ['/v1/jobs', { ...OFF, deadlineSeconds: '120' }, { deadlineSeconds: /must be integer/ }],
    ['/v1/jobs', { ...OFF, reason: '' }, { reason: /fewer than 1|not be blank/ }],
    ['/v1/jobs', { ...OFF, reason: '  \n' }, { reason: /not be blank/ }],
    ['/v1/jobs', { ...OFF, reason: 'x'.repeat(1001) }, { reason: /more than 1000/ }],
    ['/v1/jobs', { ...OFF, node: 'Worker_3' }, { node: /DNS name/ }],
    ['/v1/jobs', { ...OFF, node: 'prod/worker' }, { node: /DNS name/ }],
    ['/v1/jobs', { ...OFF, node: 'a'.repeat(254) }, { node: /more than 253/ }],
    ['/v1/jobs', { ...OFF, cluster: 'a.b' }, { cluster: /DNS label/ }],
    ['/v1/jobs', { ...OFF, mechanisms: [] }, { mechanisms: /fewer than 1/ }],
    ['/v1/jobs', { ...OFF, mechanisms: ['direct', 'magic'] }, { 'mechanisms[1]': /one of direct, metal3/ }],
    ['/v1/jobs', { ...OFF, acceptAssurance: ['hearsay'] }, { 'acceptAssurance[0]': /one of confirmed/ }],
    ['/v1/jobs', { ...OFF, holder: 'with space', attempt: 0 }, { holder: /visible ASCII/, attempt: />= 1/ }],
    ['/v1/jobs', { ...OFF, releaseHolder: { holdId: 'h' } }, { 'releaseHolder.holder': /missing/, 'releaseHolder.attempt': /missing/ }],
    ['/v1/jobs', { ...OFF, alsoNodes: ['a/b/c'] }, { 'alsoNodes[0]': /CLUSTER/ }],
    ['/v1/jobs', { ...OFF, reson: 'typo', Action: 'off' }, { reson: /not known/, Action: /not known/ }],
    [
      '/v1/jobs',
      { node: 'UP', action: 'x', reason: '', deadlineSeconds: 9999, zzz: 1 },
      { node: /./, action: /./, reason: /./, deadlineSeconds: /./, zzz: /./ },
    ],
    ['/v1/jobs', [], { body: /must be object/ }],
    ['/v1/devices', {}, { name: /missing/, driver: /missing/, address: /missing/, username: /missing/, password: /missing/ }],
    ['/v1/devices', { ...DEVICE, name: '-x' }, { name: /begin with a letter/ }],
    ['/v1/devices', { ...DEVICE, password: 5, username: '' }, { password: /must be string/, username: /fewer than 1/ }],
    ['/v1/devices', { ...DEVICE, tls: { mode: 'trust' } }, { 'tls.mode': /pin, ca, insecure/ }],
    ['/v1/devices', { ...DEVICE, tls: { mode: 'ca' } }, { 'tls.ca': /missing/ }],
    [
      '/v1/devices',
      { ...DEVICE, tls: { mode: 'insecure', ca: 'x', fingerprint: 'ab'.repeat(32) } },
      { 'tls.ca': /mode ca only/, 'tls.fingerprint': /mode pin only/ },
    ],
    ['/v1/devices', { ...DEVICE, tls: { mode: 'pin', fingerprint: 'abc' } }, { 'tls.fingerprint': /SHA-256/ }],
    ['/v1/nodes', { name: 'n', levels: [] }, { levels: /fewer than 1/ }],
    ['/v1/nodes', { name: 'n', levels: [['a'], []] }, { 'levels[1]': /fewer than 1/ }],
    ['/v1/nodes', { name: 'n', levels: [['a', 'a']], systemUuid: 'x' }, { 'levels[0]': /duplicate/, systemUuid: /UUID/ }],
    ['/v1/holds/hold-1/release', { restore: 'yes' }, { restore: /must be boolean/, reason: /missing/ }],
    ['/v1/tokens', { name: 'two words', scopes: ['jobs:everything'] }, { name: /visible/, 'scopes[0]': /one of jobs:read/ }],
  ]
  for (const [url, body, fields] of cases) {
    const answer = await call(post(url, body, KEY))
    const name = `${url} ${JSON.stringify(body).slice(0, 80)}`
    problem(t, answer, 400, 'bad_request', name)
    const found: Record<string, string> = {}
    for (const { field, message } of answer.body.errors ?? []) found[field] = `${found[field] ?? ''} ${message}`
    t.same(Object.keys(found).sort(), Object.keys(fields).sort(), `${name}: the fields`)
    t.match(found, fields, `${name}: what is wrong with them`)
    for (const field of Object.keys(fields)) t.ok(answer.body.detail.includes(field), `${name}: the detail names ${field}`)
    t.notMatch(answer.text, 'PLANTED', `${name}: values are not repeated`)
  }
})

t.test('Idempotency-Key', async t => {
  const { call } = await edge(t)
  const missing = await call(post('/v1/jobs', OFF))
  problem(t, missing, 400, 'idempotency_key_missing')
  t.same(missing.body.errors, [{ field: 'Idempotency-Key', message: 'is missing' }])
  const both = await call(post('/v1/jobs', { ...OFF, action: 'x', deadlineSeconds: 0 }))
  problem(t, both, 400, 'idempotency_key_missing', 'and more')
  t.same(
    both.body.errors.map((error: { field: string }) => error.field).sort(),
    ['Idempotency-Key', 'action', 'deadlineSeconds'],
    'header and body in one answer',
  )
  for (const key of ['', 'a b', 'x'.repeat(256), 'ü']) {
    const answer = await call(post('/v1/jobs', OFF, { 'idempotency-key': key }))
    problem(t, answer, 400, 'bad_request', `key ${JSON.stringify(key.slice(0, 9))}`)
    t.equal(answer.body.errors[0].field, 'Idempotency-Key')
  }
  for (const key of ['!', 'prod/8d7c/off/1', '~'.repeat(255)])
    t.equal((await call(post('/v1/jobs', OFF, { 'idempotency-key': key }))).status, 202, key.slice(0, 20))
})

t.test('bodies', async t => {
  const { call, service } = await edge(t)
  const send = (payload: string, type?: string) =>
    call({ method: 'POST', url: '/v1/devices', payload, headers: type === undefined ? {} : { 'content-type': type } })
  const big = JSON.stringify({ ...DEVICE, tls: { mode: 'ca', ca: 'x'.repeat(1_048_576) } })
  problem(t, await send(big, 'application/json'), 413, 'too_large')
  problem(t, await send(JSON.stringify(DEVICE), 'text/plain'), 415, 'unsupported_media_type')
  problem(t, await send(JSON.stringify(DEVICE), 'application/xml'), 415, 'unsupported_media_type')
  problem(t, await send(JSON.stringify(DEVICE)), 415, 'unsupported_media_type', 'no media type')
  for (const json of [
    '{"password":"PLANTED-password",',
    '{"password": PLANTED-password}',
    '{"__proto__": {"x": "PLANTED"}}',
    '{"constructor": {"prototype": {"x": 1}}}',
    '\u0000',
  ]) {
    const answer = await send(json, 'application/json')
    problem(t, answer, 400, 'bad_request', json)
    t.notMatch(answer.text, 'PLANTED', 'and repeats none of it')
  }
  problem(t, await send('', 'application/json'), 400, 'bad_request', 'an empty body')
  problem(t, await send('null', 'application/json'), 400, 'bad_request', 'null')
  t.equal((await send(JSON.stringify(DEVICE), 'application/json; charset=utf-8')).status, 201)
  t.equal(service.passwords.length, 1, 'only the last one came through')
  problem(t, await call('GET /v1/jobs/%ff'), 400, 'bad_request', 'a broken address')
  problem(t, await call(`GET /v1/devices/${'a'.repeat(600)}`), 404, 'not_found', 'an endless name')
  problem(t, await call('GET /v1/nodes/a%2Fb/c'), 404, 'unknown_node', 'a slash in a name')
})

t.test('devices that say no', async t => {
  const { call, service } = await edge(t)
  const unknown = await call(post('/v1/devices', { ...DEVICE, driver: 'telepathy' }))
  problem(t, unknown, 422, 'unknown_driver')
  t.same(unknown.body.errors, [{ field: 'driver', message: 'must be one of redfish, ipmi' }])
  for (const [code, status] of [
    ['auth_failed', 422],
    ['identity_mismatch', 409],
    ['ambiguous_system', 422],
    ['bad_address', 422],
    ['unreachable', 504],
    ['bad_answer', 502],
    ['tls_mismatch', 409],
    ['session_limit', 503],
  ] as const) {
    service.fault = new DriverError(code, `it said ${code}`, {
      device: 'bmc-1',
      errors: [{ field: 'systemId', message: 'must be one of 1, 2' }],
    })
    const answer = await call(post('/v1/devices', DEVICE))
    problem(t, answer, status, code)
    t.match(answer.body, { device: 'bmc-1', errors: [{ field: 'systemId' }], detail: `it said ${code}` })
  }
})

t.test('refusals of the world name their field as well', async t => {
  const { call, service } = await edge(t)
  for (const [url, body, code, fields] of [
    ['/v1/devices', DEVICE, 'bad_address', ['address']],
    ['/v1/devices', DEVICE, 'hardware_taken', ['address']],
    ['/v1/devices', DEVICE, 'auth_failed', ['password']],
    ['/v1/devices', DEVICE, 'ambiguous_system', ['systemId']],
    ['/v1/devices', DEVICE, 'exists', ['name']],
    ['/v1/jobs', { ...OFF, mechanisms: ['metal3'] }, 'no_level', ['mechanisms']],
    ['/v1/jobs', OFF, 'plan_too_long', ['deadlineSeconds']],
    ['/v1/jobs', OFF, 'unknown_node', ['node']],
    ['/v1/jobs', OFF, 'held', undefined],
  ] as const) {
    service.fault = new SafestateError(code, `because of ${code}`, { node: 'a/b' })
    const answer = await call(post(url, body, KEY))
    t.same(
      answer.body.errors,
      fields?.map(field => ({ field, message: `because of ${code}` })),
      code,
    )
    t.match(answer.body, { code, node: 'a/b' })
  }
  service.fault = new DriverError('auth_failed', 'wrong')
  t.equal((await call('POST /v1/devices/bmc-1/probe')).body.errors, undefined, 'where there is no body there is no field')
  const batch = await call(post('/v1/jobs/batch', { items: [{ idempotencyKey: 'x', ...OFF, node: 'nobody' }] }))
  t.match(batch.body.items[0].problem, { code: 'unknown_node', errors: [{ field: 'node' }] })
})

t.test('what fails inside shows nothing', async t => {
  const { call, service, lines } = await edge(t)
  service.fault = Object.assign(new Error('INSIDE of the gateway'), {
    config: { headers: { authorization: 'PLANTED-header' } },
    cause: new Error('the cause'),
  })
  const answer = await call('GET /v1/jobs/job-1')
  problem(t, answer, 500, 'internal')
  t.notMatch(answer.text, 'INSIDE')
  t.equal(answer.body.retryable, true)
  const logged = lines.find(line => line.includes('INSIDE')) ?? ''
  t.ok(logged.includes(answer.body.instance.replace('urn:uuid:', '')), 'the log has it under the same id')
  t.match(logged, 'the cause')
  t.notMatch(lines.join(''), 'PLANTED')
  service.fault = 'a string' as never
  problem(t, await call('GET /v1/jobs/job-1'), 500, 'internal', 'what is no error')
})

t.test('bytes that are no HTTP', async t => {
  const { app } = await edge(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  const socket = connect(port, '127.0.0.1')
  socket.end('NONSENSE\r\n\r\n')
  const answer = await text(socket)
  t.match(answer, /^HTTP\/1.1 400 /)
  t.match(answer, 'Content-Type: application/problem+json')
  t.match(JSON.parse(answer.split('\r\n\r\n')[1] ?? ''), { status: 400, code: 'bad_request' })
})

t.test('a closing gateway says so', async t => {
  const { app, service } = await edge(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  const socket = connect(port, '127.0.0.1')
  // Half a request: the connection is not idle, so the server waits for it.
  socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n')
  const arrived = new Promise(resolve => app.server.once('connection', resolve))
  await arrived
  let answered: () => void = () => undefined
  service.health = () => new Promise((_, reject) => (answered = () => reject(new Error('late'))))
  const pending = connect(port, '127.0.0.1')
  const asked = new Promise(resolve => app.server.once('request', resolve))
  pending.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
  await asked
  let closing = false
  const closed = app.close().then(() => (closing = true))
  await until(() => !app.server.listening, 'the closing')
  t.equal(closing, false)
  socket.end('\r\n')
  const answer = await text(socket)
  t.match(answer, /^HTTP\/1.1 503 /)
  t.match(JSON.parse(answer.split('\r\n\r\n')[1] ?? ''), { status: 503, code: 'store_unavailable', detail: 'the gateway is closing' })
  answered()
  const last = await text(pending)
  t.match(last, /^HTTP\/1.1 500 /, 'what was begun is ended')
  t.match(last, /^connection: close\r$/im, 'and its connection with it')
  await closed
})
