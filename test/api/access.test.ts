import t from 'tap'
import { SCOPES, type Scope } from '../../src/core/scopes.ts'
import { edge, OFF, post, problem, tokenFor } from './support.ts'

/** Route → any one of these scopes lets in. `[]`: any token. This table is the promise; the routes have to follow it. */
const ROUTES: Record<string, 'public' | Scope[]> = {
  'POST /v1/jobs': ['jobs:off', 'jobs:on', 'jobs:read'],
  'GET /v1/jobs': ['jobs:read'],
  'GET /v1/jobs/{id}': ['jobs:read'],
  'POST /v1/jobs/{id}/cancel': ['jobs:off', 'jobs:on', 'jobs:read'],
  'POST /v1/jobs/cancel': ['jobs:off', 'jobs:on', 'jobs:read'],
  'POST /v1/jobs/batch': ['jobs:off', 'jobs:on', 'jobs:read'],
  'GET /v1/jobs/{id}/events': ['jobs:read'],
  'GET /v1/events': ['jobs:read', 'holds:read', 'receipts:read', 'devices:read'],
  'GET /v1/holds': ['holds:read'],
  'GET /v1/holds/{id}': ['holds:read'],
  'POST /v1/holds/{id}/release': ['holds:release', 'holds:force'],
  'GET /v1/receipts/{id}': ['receipts:read'],
  'GET /.well-known/jwks.json': 'public',
  'GET /.well-known/revocations.jws': 'public',
  'GET /v1/nodes': ['nodes:read'],
  'POST /v1/nodes': ['nodes:write'],
  'GET /v1/nodes/{cluster}/{name}': ['nodes:read'],
  'DELETE /v1/nodes/{cluster}/{name}': ['nodes:write'],
  'GET /v1/nodes/{cluster}/{name}/hold': ['holds:read'],
  'GET /v1/nodes/{cluster}/{name}/readiness': ['nodes:read'],
  'GET /v1/drivers': ['devices:read'],
  'GET /v1/devices': ['devices:read'],
  'POST /v1/devices': ['devices:write'],
  'GET /v1/devices/{name}': ['devices:read'],
  'PATCH /v1/devices/{name}': ['devices:write'],
  'DELETE /v1/devices/{name}': ['devices:write'],
  'PUT /v1/devices/{name}/credential': ['devices:write'],
  'POST /v1/devices/{name}/probe': ['devices:write'],
  'GET /v1/tokens': ['tokens:write'],
  'POST /v1/tokens': ['tokens:write'],
  'DELETE /v1/tokens/{id}': ['tokens:write'],
  'POST /v1/vault/rotate': ['vault:rotate'],
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /metrics': ['metrics:read'],
  'GET /openapi.json': [],
}

interface Documented {
  paths: Record<string, Record<string, { security: Record<string, string[]>[] }>>
}

const addressOf = (path: string): string => path.replace('{cluster}', 'default').replace(/\{(id|name)\}/, 'job-1')

t.test('every route is in the table, and the document names its scopes', async t => {
  const { app } = await edge(t)
  const { paths } = app.swagger() as unknown as Documented
  const found = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`),
  )
  t.same(found.sort(), Object.keys(ROUTES).sort())
  for (const [route, scopes] of Object.entries(ROUTES)) {
    const [method = '', path = ''] = route.split(' ')
    const security = paths[path]?.[method.toLowerCase()]?.security ?? []
    if (scopes === 'public') t.same(security, [], route)
    else
      t.same(
        security.flatMap(each => each['bearer'] ?? []),
        scopes,
        route,
      )
  }
})

t.test('no token, wrong token, missing scope', async t => {
  const { call, service } = await edge(t)
  for (const [route, scopes] of Object.entries(ROUTES)) {
    const [method = '', path = ''] = route.split(' ')
    const request = { method: method as 'GET', url: addressOf(path), ...(['POST', 'PUT', 'PATCH'].includes(method) ? { payload: {} } : {}) }
    if (scopes === 'public') {
      t.equal((await call(request, '')).status, 200, `${route} needs no token`)
      continue
    }
    const without = await call(request, '')
    problem(t, without, 401, 'unauthenticated', `${route} without a token`)
    t.match(without.headers['www-authenticate'], path === '/openapi.json' ? [/^Basic/, /^Bearer/] : /^Bearer realm/, `${route} says how`)
    const wrong = await call(request, 'no-such-token')
    problem(t, wrong, 401, 'unauthenticated', `${route} with a wrong token`)
    if (scopes.length === 0) continue
    const others = SCOPES.filter(scope => scope !== 'admin' && !scopes.includes(scope))
    const lacking = await call(request, tokenFor(service, others))
    problem(t, lacking, 403, 'forbidden', `${route} with every scope but its own`)
    for (const scope of scopes) t.ok(lacking.body.detail.includes(scope), `${route} names ${scope}`)
    if (path.endsWith('events')) continue
    for (const scope of scopes) {
      const answer = await call(request, tokenFor(service, [scope]))
      t.not(answer.body?.detail ?? '', lacking.body.detail, `${route} lets ${scope} in`)
    }
  }
  t.same(service.passwords, [], 'nobody came through to the service')
})

t.test('pages for browsers', async t => {
  const { app, service } = await edge(t)
  const basic = (user: string, password: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` })
  for (const url of ['/docs', '/docs/', '/docs/static/swagger-ui.css', '/docs/json', '/openapi.json']) {
    t.equal((await app.inject({ url })).statusCode, 401, `${url} without a token`)
    t.match((await app.inject({ url })).headers['www-authenticate'], [/^Basic/], `${url} lets a browser ask`)
    t.equal((await app.inject({ url, headers: basic('anybody', 'admin') })).statusCode, 200, `${url} with the token as password`)
    t.equal((await app.inject({ url, headers: basic('admin', 'wrong') })).statusCode, 401, `${url} with a wrong password`)
  }
  const api = await app.inject({ url: '/v1/jobs', headers: basic('x', 'admin') })
  t.equal(api.statusCode, 401, 'the API itself takes no Basic: browsers send it along by themselves')
  t.equal((await app.inject({ url: '/docs', headers: { authorization: 'Basic !!!' } })).statusCode, 401)
  service.tokens.verify = async () => {
    throw new Error('INSIDE')
  }
  const failing = await app.inject({ url: '/v1/jobs', headers: { authorization: 'Bearer admin' } })
  t.equal(failing.statusCode, 500, 'a check that fails lets nobody in')
  t.notMatch(failing.body, 'INSIDE')
})

t.test('what does not exist is told to those who have a token', async t => {
  const { call } = await edge(t)
  problem(t, await call('GET /v1/nothing', ''), 401, 'unauthenticated')
  problem(t, await call('GET /v1/nothing'), 404, 'not_found')
  problem(t, await call('GET /'), 404, 'not_found')
  const wrong = await call('PUT /v1/jobs/job-1')
  problem(t, wrong, 405, 'bad_request')
  t.equal(wrong.headers['allow'], 'GET, HEAD')
  t.equal((await call('DELETE /v1/nodes')).headers['allow'], 'GET, HEAD, POST')
})

t.test('actions have scopes of their own', async t => {
  const { call, service } = await edge(t)
  const cases: [string, Scope[], number][] = [
    ['off', ['jobs:off'], 202],
    ['off', ['jobs:on', 'jobs:read'], 403],
    ['on', ['jobs:on'], 202],
    ['on', ['jobs:off', 'jobs:read'], 403],
    ['status', ['jobs:read'], 202],
    ['status', ['jobs:off'], 403],
    ['reboot', ['jobs:off', 'jobs:on'], 202],
    ['reboot', ['jobs:off'], 403],
    ['reboot', ['jobs:on'], 403],
    ['reboot', ['admin'], 202],
  ]
  for (const [action, scopes, status] of cases) {
    const token = tokenFor(service, scopes)
    const answer = await call(post('/v1/jobs', { ...OFF, action }, { 'idempotency-key': `${action}-${scopes}` }), token)
    t.equal(answer.status, status, `${action} with ${scopes}`)
  }
  const releaseHolder = { holdId: 'hold-1', holder: 'token:t1', attempt: 1 }
  const on = { ...OFF, action: 'on', releaseHolder }
  problem(t, await call(post('/v1/jobs', on, { 'idempotency-key': 'r1' }), tokenFor(service, ['jobs:on'])), 403, 'forbidden')
  t.equal((await call(post('/v1/jobs', on, { 'idempotency-key': 'r1' }), tokenFor(service, ['jobs:on', 'holds:release']))).status, 202)

  service.store.jobs.set('job-1', { ...(service.store.jobs.get('job-1') as never as object), state: 'queued' } as never)
  problem(t, await call('POST /v1/jobs/job-1/cancel', tokenFor(service, ['jobs:on', 'jobs:read'])), 403, 'forbidden', 'cancelling an off')
  t.equal((await call('POST /v1/jobs/job-1/cancel', tokenFor(service, ['jobs:off']))).status, 200)

  const release = (force: boolean) => post('/v1/holds/hold-1/release', { restore: true, reason: 'x', force })
  problem(t, await call(release(true), tokenFor(service, ['holds:release'])), 403, 'forbidden', 'forcing')
  problem(t, await call(release(false), tokenFor(service, ['holds:force'])), 403, 'forbidden', 'releasing with the right to force only')
  t.equal((await call(release(true), tokenFor(service, ['holds:force']))).status, 200)
})

t.test('another cluster does not exist', async t => {
  const { call, service } = await edge(t)
  for (const request of [
    'GET /v1/jobs/job-1',
    'GET /v1/jobs/job-1/events',
    'POST /v1/jobs/job-1/cancel',
    'GET /v1/holds/hold-1',
    post('/v1/holds/hold-1/release', { restore: true, reason: 'x' }),
    'GET /v1/receipts/receipt-1',
    'GET /v1/nodes/default/worker-3',
    'DELETE /v1/nodes/default/worker-3',
    'GET /v1/nodes/default/worker-3/hold',
    'GET /v1/nodes/default/worker-3/readiness',
  ]) {
    const answer = await call(request, 'prod')
    const name = typeof request === 'string' ? request : String(request.url)
    t.equal(answer.status, 404, name)
    const gone = await call(
      typeof request === 'string'
        ? request.replace('default', 'prod').replace(/worker-3|-1/, '-none')
        : { ...request, url: '/v1/holds/none/release' },
      'prod',
    )
    t.same(
      { ...answer.body, instance: '', node: '', jobId: '' },
      { ...gone.body, instance: '', node: '', jobId: '' },
      `${name} looks as if it were not there`,
    )
  }
  t.ok(service.store.nodes.has('default/worker-3'), 'and nothing was done')
  for (const [list, ids] of [
    ['/v1/jobs', ['job-2']],
    ['/v1/holds', ['hold-2']],
    ['/v1/jobs?cluster=default', []],
    ['/v1/jobs?cluster=prod', ['job-2']],
  ] as const) {
    t.same(
      (await call(`GET ${list}`, 'prod')).body.items.map((item: { id: string }) => item.id),
      ids,
      list,
    )
  }
  t.same(
    (await call('GET /v1/nodes', 'prod')).body.items.map((node: { cluster: string }) => node.cluster),
    ['prod'],
  )

  const key = { 'idempotency-key': 'k' }
  problem(t, await call(post('/v1/jobs', OFF, key), 'prod'), 403, 'forbidden', 'a job in the default cluster')
  problem(t, await call(post('/v1/jobs', { ...OFF, cluster: 'other' }, key), 'prod'), 403, 'forbidden', 'a job in another cluster')
  problem(
    t,
    await call(post('/v1/jobs', { ...OFF, cluster: 'prod', alsoNodes: ['default/w'] }, key), 'prod'),
    403,
    'forbidden',
    'a further node',
  )
  t.equal((await call(post('/v1/jobs', { ...OFF, cluster: 'prod', alsoNodes: ['w'] }, key), 'prod')).status, 202)
  t.match(service.asked.at(-1), { request: { cluster: 'prod', alsoNodes: ['prod/w'] } }, 'what was checked is what is asked')
  problem(t, await call(post('/v1/nodes', { name: 'n', levels: [['b']] }), 'prod'), 403, 'forbidden', 'a node')
  const batch = await call(post('/v1/jobs/batch', { items: [{ idempotencyKey: 'b', ...OFF }] }), 'prod')
  t.match(batch.body.items[0], { status: 403, problem: { code: 'forbidden' } }, 'an item of a batch')

  for (const request of [
    'GET /v1/jobs/job-2',
    'GET /v1/holds/hold-2',
    'GET /v1/receipts/receipt-2',
    'GET /v1/nodes/prod/worker-3',
    'GET /v1/nodes/prod/worker-3/hold',
  ]) {
    t.equal((await call(request, 'prod')).status, 200, `${request} is its own`)
  }
})

t.test('nobody hands out more than they have', async t => {
  const { call, service } = await edge(t)
  const own = tokenFor(service, ['tokens:write', 'jobs:read'], ['prod'])
  problem(t, await call(post('/v1/tokens', { name: 'a', scopes: ['admin'], clusters: ['prod'] }), own), 403, 'forbidden')
  problem(t, await call(post('/v1/tokens', { name: 'a', scopes: ['jobs:read'] }), own), 403, 'forbidden', 'all clusters')
  const made = await call(post('/v1/tokens', { name: 'a', scopes: ['jobs:read'], clusters: ['prod'] }), own)
  t.match(made, { status: 201, body: { name: 'a', token: /^sst_/ }, headers: { location: '/v1/tokens/t100' } })
  await call(post('/v1/tokens', { name: 'root', scopes: ['admin'] }))
  t.same(
    (await call('GET /v1/tokens', own)).body.items.map((token: { name: string }) => token.name),
    ['a'],
  )
  t.same(
    (await call('GET /v1/tokens')).body.items.map((token: { name: string }) => token.name),
    ['a', 'root'],
  )
  t.notMatch((await call('GET /v1/tokens')).text, 'sst_', 'a list shows no token')
  problem(t, await call('DELETE /v1/tokens/root', own), 404, 'not_found')
  t.equal((await call('DELETE /v1/tokens/a', own)).status, 204)
  t.same(service.asked.at(-1), { revoke: 't100' }, 'a name is turned into the id')
})
