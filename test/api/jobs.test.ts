import t from 'tap'
import { waitPreference } from '../../src/api/wait.ts'
import { SafestateError } from '../../src/core/errors.ts'
import { jobLike } from './fake-service.ts'
import { edge, OFF, post, problem, until } from './support.ts'

const KEY = { 'idempotency-key': 'k1' }

t.test('creating a job is always 202 and Location', async t => {
  const { call, service } = await edge(t)
  service.store.jobs.clear()
  const made = await call(post('/v1/jobs', OFF, KEY))
  t.match(made, { status: 202, headers: { location: '/v1/jobs/job-1', etag: '"1"' }, body: { id: 'job-1', joined: false, action: 'off' } })
  t.same(service.asked.at(-1), { request: { ...OFF, cluster: 'default' }, key: 'k1', caller: 't1' })
  t.notMatch(made.text, 'INSIDE', 'the inside of the machine is not shown')
  t.equal(made.headers['idempotency-replayed'], undefined)

  const again = await call(post('/v1/jobs', OFF, KEY))
  t.match(again, { status: 202, headers: { location: '/v1/jobs/job-1', 'idempotency-replayed': 'true' } }, 'the same key again')
  problem(t, await call(post('/v1/jobs', { ...OFF, reason: 'another' }, KEY)), 422, 'idempotency_key_reused')
  const joined = await call(post('/v1/jobs', OFF, { 'idempotency-key': 'k2' }))
  t.match(joined, { status: 202, headers: { location: '/v1/jobs/job-1' }, body: { joined: true } }, 'another key joins')
  t.equal((await call('GET /v1/jobs/job-1')).body.joined, false, 'only the answer to the POST says so')
})

t.test('refusals of the service are problems', async t => {
  const { call, service } = await edge(t)
  const unknown = await call(post('/v1/jobs', { ...OFF, node: 'nobody' }, KEY))
  problem(t, unknown, 404, 'unknown_node')
  t.equal(unknown.body.node, 'default/nobody')
  service.fault = new SafestateError('held', 'default/worker-3 is held off by token:t1', { node: 'default/worker-3' })
  problem(t, await call(post('/v1/jobs', { ...OFF, action: 'on' }, KEY)), 409, 'held')
  service.fault = new SafestateError('store_unavailable', 'the store is away')
  const away = await call(post('/v1/jobs', OFF, KEY))
  problem(t, away, 503, 'store_unavailable')
  t.match(away, { headers: { 'retry-after': '2' }, body: { retryable: true, retryAfter: 2 } })
  service.fault = new SafestateError('device_busy', 'asked to wait', { retryAfterMs: 12_300, device: 'bmc-1' })
  t.match(await call(post('/v1/jobs', OFF, KEY)), {
    status: 503,
    headers: { 'retry-after': '13' },
    body: { retryAfter: 13, device: 'bmc-1' },
  })
  service.fault = new SafestateError('deadline', 'no verdict in time')
  problem(t, await call(post('/v1/jobs', OFF, KEY)), 504, 'deadline', 'a code without a status of its own')
})

t.test('lists are pages', async t => {
  const { call, service } = await edge(t)
  t.match((await call('GET /v1/jobs')).body, { items: [{ id: 'job-1' }, { id: 'job-2' }], next: undefined })
  t.match((await call('GET /v1/jobs?limit=1')).body, { items: [{ id: 'job-1' }], next: 'more' })
  await call('GET /v1/jobs?node=a&cluster=b&state=failed&action=off&after=more&limit=200')
  t.same(service.asked.at(-1), { filter: { node: 'a', cluster: 'b', state: 'failed', action: 'off' }, page: { limit: 200, after: 'more' } })
  for (const [query, field] of [
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=ten', 'limit'],
    ['state=gone', 'state'],
    ['action=explode', 'action'],
    ['colour=red', 'colour'],
  ]) {
    const answer = await call(`GET /v1/jobs?${query}`)
    problem(t, answer, 400, 'bad_request', query)
    t.equal(answer.body.errors[0].field, field)
  }
})

t.test('Prefer: wait', async t => {
  for (const [header, seconds] of [
    ['wait=30', 30],
    ['wait=0', 0],
    ['respond-async, wait=10', 10],
    ['wait=10; foo, x', 10],
    ['Wait = "7"', 7],
    ['wait=600', 55],
    ['wait=-1', undefined],
    ['wait=1.5', undefined],
    ['await=5', undefined],
    ['handling=lenient', undefined],
    [undefined, undefined],
  ] as const) {
    t.equal(waitPreference(header), seconds, String(header))
  }
})

t.test('a long-poll answers on change and when the time is over', async t => {
  const { app, call, service, clock } = await edge(t)
  const read = (headers: Record<string, string>) => call({ method: 'GET', url: '/v1/jobs/job-1', headers })
  const job = jobLike({ id: 'job-1' })
  const waiting = () => until(() => clock.sleepers === 1, 'the wait')

  t.match(await read({}), { status: 200, headers: { etag: '"1"' } }, 'without a wait')
  t.equal((await read({ 'if-none-match': '"1"' })).status, 304, 'conditional without a wait')
  t.match(await read({ 'if-none-match': '"1"' }), { text: '', headers: { etag: '"1"' } })
  t.equal((await read({ 'if-none-match': 'W/"1"' })).status, 304, 'weak comparison')
  t.equal((await read({ 'if-none-match': '"9", "8"' })).status, 200)
  t.match(
    await read({ 'if-none-match': '"0"', prefer: 'wait=30' }),
    { status: 200, headers: { 'preference-applied': 'wait=30' } },
    'already changed',
  )

  let answer = read({ 'if-none-match': '"1"', prefer: 'wait=30' })
  await waiting()
  clock.advance(29_999)
  service.emit({ topic: 'job', id: 'job-1' })
  service.emit({ topic: 'job', id: 'job-2' })
  await until(() => clock.sleepers === 1)
  clock.advance(1)
  t.match(await answer, { status: 304, headers: { etag: '"1"', 'preference-applied': 'wait=30' } }, 'the time is over')

  answer = read({ 'if-none-match': '"1"', prefer: 'wait=30' })
  await waiting()
  service.put({ ...job, revision: 2 })
  t.match(await answer, { status: 200, headers: { etag: '"2"' }, body: { revision: 2 } }, 'a change')
  t.equal(clock.sleepers, 0, 'nothing is left behind')

  answer = read({ prefer: 'wait=600' })
  await waiting()
  clock.advance(55_000)
  t.match(
    await answer,
    { status: 200, headers: { 'preference-applied': 'wait=55' }, body: { revision: 2 } },
    'unconditional: the job as it is',
  )
  answer = read({ prefer: 'wait=20' })
  await waiting()
  service.put({ ...job, revision: 3, state: 'succeeded', endedAt: job.createdAt })
  t.match(await answer, { status: 200, body: { revision: 3 } }, 'unconditional: the next change')
  t.match(await read({ prefer: 'wait=20' }), { status: 200, body: { revision: 3 } }, 'unconditional: an ended job at once')

  answer = read({ 'if-none-match': '"3"', prefer: 'wait=20' })
  await waiting()
  service.store.jobs.delete('job-1')
  service.emit({ topic: 'job', id: 'job-1' })
  problem(t, await answer, 404, 'not_found', 'gone meanwhile')

  const last = call({ method: 'GET', url: '/v1/jobs/job-2', headers: { 'if-none-match': '"1"', prefer: 'wait=50' } })
  await waiting()
  const closed = app.close()
  t.equal((await last).status, 304, 'a closing server ends its waits')
  await closed
  t.equal(service.listeners.size, 0, 'and listens no more')
})

t.test('a change between read and wait is not missed', async t => {
  const { call, service, clock } = await edge(t)
  let reads = 0
  const get = service.jobs.get
  service.jobs.get = async id => {
    const job = await get(id)
    // Once the wait has read the old revision, it changes before the wait begins.
    if (++reads === 2) service.put(jobLike({ id, revision: 2 }))
    return job
  }
  t.match(await call({ method: 'GET', url: '/v1/jobs/job-1', headers: { 'if-none-match': '"1"', prefer: 'wait=30' } }), {
    status: 200,
    body: { revision: 2 },
  })
  t.equal(clock.sleepers, 0)
})

t.test('cancelling', async t => {
  const { call, service } = await edge(t)
  problem(t, await call('POST /v1/jobs/job-1/cancel'), 409, 'no_change', 'after its command')
  service.store.jobs.set('job-1', jobLike({ state: 'queued' }))
  const own = await call('POST /v1/jobs/job-1/cancel')
  t.match(own, { status: 200, headers: { etag: '"2"' }, body: { state: 'cancelled' } })
  t.match(service.asked.at(-1), { cancel: 'job-1', by: 't1', holder: undefined })
  await call(post('/v1/jobs/job-1/cancel', { holder: 'cr:prod/1' }))
  t.match(service.asked.at(-1), { holder: 'cr:prod/1' })
  t.equal(
    (await call({ method: 'POST', url: '/v1/jobs/job-1/cancel', payload: '', headers: { 'content-type': 'application/json' } })).status,
    200,
    'an empty body is none',
  )
  problem(t, await call(post('/v1/jobs/job-1/cancel', { holders: 'x' })), 400, 'bad_request')
  problem(t, await call('POST /v1/jobs/none/cancel'), 404, 'not_found')

  problem(t, await call('POST /v1/jobs/cancel'), 400, 'idempotency_key_missing', 'by key, without one')
  const spent = await call({ method: 'POST', url: '/v1/jobs/cancel', headers: { 'idempotency-key': 'never' } })
  t.match(spent, { status: 204, text: '' }, 'an unused key')
  t.same(service.asked.at(-1), { cancelKey: 'never', by: 't1' })
  await call(post('/v1/jobs', OFF, KEY))
  t.match(await call({ method: 'POST', url: '/v1/jobs/cancel', headers: KEY }), { status: 200, body: { id: 'job-2' } })
})

t.test('a batch answers item by item', async t => {
  const { call, service } = await edge(t)
  service.store.jobs.clear()
  const items = [
    { idempotencyKey: 'a', ...OFF },
    { idempotencyKey: 'b', ...OFF, node: 'nobody' },
    { ...OFF },
    { idempotencyKey: 'c', ...OFF, deadlineSeconds: 0, colour: 1 },
    'nonsense',
    null,
    { idempotencyKey: 'a', ...OFF },
  ]
  const answer = await call(post('/v1/jobs/batch', { items }))
  t.equal(answer.status, 200)
  t.match(answer.body.items, [
    { status: 202, location: '/v1/jobs/job-1', job: { id: 'job-1' } },
    { status: 404, problem: { code: 'unknown_node', node: 'default/nobody' } },
    { status: 400, problem: { errors: [{ field: 'idempotencyKey', message: 'is missing' }] } },
    { status: 400, problem: { errors: [{ field: 'colour' }, { field: 'deadlineSeconds' }] } },
    { status: 400, problem: { errors: [{ field: 'body', message: 'must be object' }] } },
    { status: 400, problem: { errors: [{ field: 'body' }] } },
    { status: 202, location: '/v1/jobs/job-1', replayed: true },
  ])
  t.equal(answer.body.items[1].job, undefined)

  const many = (count: number) =>
    post('/v1/jobs/batch', { items: Array.from({ length: count }, (_, n) => ({ idempotencyKey: `m${n}`, ...OFF })) })
  const full = await call(many(1000))
  t.equal(full.body.items.filter((item: { status: number }) => item.status === 202).length, 1000)
  const over = await call(many(1001))
  problem(t, over, 400, 'bad_request', 'more than 1,000')
  t.same(over.body.errors, [{ field: 'items', message: 'must not have more than 1000 items' }])
  problem(t, await call(post('/v1/jobs/batch', { items: [] })), 400, 'bad_request', 'none')

  service.jobs.submit = async () => {
    throw new Error('INSIDE')
  }
  const failed = await call(post('/v1/jobs/batch', { items: [items[0]] }))
  t.match(failed.body.items, [{ status: 500, problem: { code: 'internal' } }])
  t.notMatch(failed.text, 'INSIDE')
})
