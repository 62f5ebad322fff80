import { inspect } from 'node:util'
import t from 'tap'
import { ask, call, createClient, type SafestateClient } from '../../src/client/client.ts'
import { events, parseEvents } from '../../src/client/events.ts'
import { submitJob, waitForJob } from '../../src/client/jobs.ts'
import { GatewayAwayError, ProblemError, WaitTimeoutError } from '../../src/client/problem.ts'
import type { Job } from '../../src/client/types.ts'
import { answer, JumpingClock, jobLike, refused } from './support.ts'

type Step = (request: Request, clock: JumpingClock) => Response | Promise<Response>

/** A client of a gateway that answers by a script; the last step answers for ever. */
function scripted(...steps: Step[]): { client: SafestateClient; clock: JumpingClock; requests: Request[] } {
  const clock = new JumpingClock()
  const requests: Request[] = []
  const fetch = async (request: Request): Promise<Response> => {
    requests.push(request)
    const step = steps[Math.min(requests.length, steps.length) - 1]
    if (step === undefined) throw new Error('no step')
    return step(request, clock)
  }
  return { client: createClient({ url: 'http://gateway.test/', token: 'tok', fetch, clock, random: () => 0.999 }), clock, requests }
}

/** As the gateway: waits as long as it was asked to, then says that nothing changed. */
const nothingNew: Step = async (request, clock) => {
  await clock.sleep(Number(/wait=(\d+)/.exec(request.headers.get('prefer') ?? '')?.[1] ?? 0) * 1000, request.signal)
  return answer(304, undefined, { etag: '"1"' })
}
const show =
  (changes: Partial<Job>): Step =>
  () =>
    answer(200, jobLike(changes), { etag: `"${changes.revision ?? 1}"` })
const away: Step = () => {
  throw refused()
}
const problem =
  (status: number, code: string, retryable: boolean): Step =>
  () =>
    answer(status, { title: code, status, code, retryable, detail: 'as it is' })
/** A gateway that takes the connection and never answers. */
const hangs: Step = request =>
  new Promise((_, reject) => {
    request.signal.addEventListener('abort', () => reject(request.signal.reason))
  })

/** What a promise rejects with. */
const thrown = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    error => error,
  )

t.test('waiting for a job', async t => {
  await t.test('is one long poll a change, and ends with the job', async t => {
    const { client, requests, clock } = scripted(
      show({ revision: 1 }),
      show({ revision: 2, phase: 'reading' }),
      nothingNew,
      show({ revision: 3, state: 'succeeded', power: 'off' }),
    )
    const seen: (string | undefined)[] = []
    const job = await waitForJob(client, 'job-1', { onUpdate: each => seen.push(each.phase ?? each.state) })
    t.match(job, { state: 'succeeded', revision: 3 })
    t.same(seen, ['running', 'reading', 'succeeded'], 'a 304 is no update')
    t.equal(requests.length, 4)
    t.equal(requests[0]?.headers.get('prefer'), null, 'the first read does not wait')
    t.same(
      requests.slice(1).map(each => [each.headers.get('prefer'), each.headers.get('if-none-match')]),
      [
        ['wait=30', '"1"'],
        ['wait=30', '"2"'],
        ['wait=30', '"2"'],
      ],
    )
    t.equal(requests[3]?.headers.get('authorization'), 'Bearer tok')
    t.equal(clock.mono(), 30_000)
  })

  await t.test('outlives restarts of the gateway: refused, 503, reset while it answers, a page of a proxy, a hang', async t => {
    const cutOff: Step = () =>
      new Response(
        new ReadableStream({
          start: stream => {
            stream.enqueue(new TextEncoder().encode('{"id": "jo'))
            stream.error(new TypeError('terminated'))
          },
        }),
        { status: 200 },
      )
    const { client, clock } = scripted(
      show({}),
      away,
      away,
      problem(503, 'store_unavailable', true),
      cutOff,
      () => new Response('<h1>Bad gateway</h1>', { status: 502 }),
      hangs,
      show({ revision: 9, state: 'failed', failure: { code: 'deadline', message: 'late' } }),
    )
    const troubles: string[] = []
    const job = await waitForJob(client, 'job-1', { onTrouble: error => troubles.push(error.message) })
    t.equal(job.revision, 9)
    t.match(troubles, [/ECONNREFUSED/, /ECONNREFUSED/, /store_unavailable/, /terminated|no answer/, /502/, /no answer within 45 s/])
    t.ok(clock.mono() < 60_000, `pauses grow from 250 ms: ${clock.mono()} ms with 45 s of the hang`)
  })

  await t.test('ends at the limit of the caller, and says how the job was last seen', async t => {
    const { client, clock } = scripted(show({ phase: 'confirming' }), nothingNew)
    const error = await waitForJob(client, 'job-1', { timeoutMs: 70_000 }).catch((error: unknown) => error)
    t.ok(error instanceof WaitTimeoutError)
    t.match(error, { job: { phase: 'confirming' } })
    t.equal(clock.mono(), 70_000)
  })

  await t.test('at the limit with the gateway away is a time-out too', async t => {
    const { client, clock } = scripted(show({}), away)
    const error = await waitForJob(client, 'job-1', { timeoutMs: 20_000 }).catch((error: unknown) => error)
    t.ok(error instanceof WaitTimeoutError)
    t.match(error, { job: { id: 'job-1' }, cause: GatewayAwayError })
    t.ok(clock.mono() <= 20_000 && clock.mono() > 10_000)
  })

  await t.test('does not go on against an answer that will not change', async t => {
    for (const step of [problem(404, 'not_found', false), problem(401, 'unauthenticated', false)]) {
      const { client, requests } = scripted(show({}), step)
      await t.rejects(waitForJob(client, 'job-1', { timeoutMs: 60_000 }), ProblemError)
      t.equal(requests.length, 2)
    }
    const untrusted: Step = () => {
      throw new TypeError('fetch failed', {
        cause: Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      })
    }
    const { client, requests } = scripted(untrusted)
    t.match(await thrown(waitForJob(client, 'job-1')), { retryable: false, reason: /self-signed/ })
    t.equal(requests.length, 1)
  })

  await t.test('keeps a pace where a 304 comes at once', async t => {
    const { client, requests } = scripted(show({}), () => answer(304))
    await t.rejects(waitForJob(client, 'job-1', { timeoutMs: 10_000 }), WaitTimeoutError)
    t.ok(requests.length <= 22, `${requests.length} requests in 10 s`)
  })

  await t.test('stops when the caller aborts, in a poll and in a pause', async t => {
    for (const step of [hangs, away]) {
      const { client, clock } = scripted(show({}), step)
      const stop = new AbortController()
      clock.sleep(3_000).then(
        () => stop.abort(new Error('enough')),
        () => undefined,
      )
      await t.rejects(waitForJob(client, 'job-1', { signal: stop.signal }), { message: 'enough' })
    }
  })
})

t.test('submitting a job', async t => {
  const request = { node: 'node1', action: 'off', reason: 'test' } as const

  await t.test('sends the same key with every try', async t => {
    const { client, requests } = scripted(away, problem(503, 'store_unavailable', true), () => answer(202, jobLike({ joined: true })))
    const job = await submitJob(client, request, { key: 'k1' })
    t.equal(job.joined, true)
    t.same(
      requests.map(each => each.headers.get('idempotency-key')),
      ['k1', 'k1', 'k1'],
    )
    t.same(await requests[2]?.json(), request)
  })

  await t.test('honours Retry-After, and gives up after its patience with the last error', async t => {
    const { client, clock } = scripted(() =>
      answer(503, { title: 'Store away', status: 503, code: 'store_unavailable', retryable: true, retryAfter: 8 }),
    )
    await t.rejects(submitJob(client, request, { key: 'k1', patienceMs: 20_000 }), { code: 'store_unavailable' })
    t.equal(clock.mono(), 16_000)
  })

  await t.test('does not repeat what was refused', async t => {
    const { client, requests } = scripted(problem(409, 'held', false))
    await t.rejects(submitJob(client, request, { key: 'k1' }), { code: 'held', status: 409, title: 'held', detail: 'as it is' })
    t.equal(requests.length, 1)
  })
})

t.test('events', async t => {
  const stream = (...chunks: string[]): Response =>
    new Response(
      new ReadableStream({
        start: controller => {
          for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
          controller.close()
        },
      }),
      { headers: { 'content-type': 'text/event-stream' } },
    )

  await t.test('are read however they are cut into chunks', async t => {
    const text =
      ': hello\n\nid: 1-0\nevent: job\ndata: {"id":"a",\ndata: "x":"ü"}\n\nid: 2-0\r\nevent: hold\r\ndata:[1]\r\n\r\ndata: not json\n\n'
    const bytes = new TextEncoder().encode(text)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const chunks = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
      }
      const got = []
      for await (const event of parseEvents(chunks())) got.push(event)
      t.same(
        got,
        [
          { id: '1-0', type: 'job', data: { id: 'a', x: 'ü' } },
          { id: '2-0', type: 'hold', data: [1] },
          { id: '2-0', type: 'message', data: 'not json' },
        ],
        `chunks of ${size}`,
      )
    }
  })

  await t.test('go on after a break where they stopped', async t => {
    const { client, requests } = scripted(
      () => stream('id: 5-0\nevent: job\ndata: 1\n\n'),
      away,
      () => stream('id: 6-0\nevent: job\ndata: 2\n\n'),
      hangs,
    )
    const stop = new AbortController()
    const got: unknown[] = []
    for await (const event of events(client, { signal: stop.signal })) {
      got.push(event.data)
      if (got.length === 2) stop.abort()
    }
    t.same(got, [1, 2])
    t.same(
      requests.map(each => each.headers.get('last-event-id')),
      [null, '5-0', '5-0'],
    )
  })

  await t.test('a refusal ends them', async t => {
    const { client } = scripted(problem(403, 'forbidden', false))
    await t.rejects(events(client).next(), { code: 'forbidden' })
  })
})

t.test('the client keeps the token to itself', async t => {
  const client = createClient({ url: 'http://127.0.0.1:1/prefix/', token: 'very-secret', fetch: async () => answer(200, { items: [] }) })
  t.notMatch(inspect(client, { depth: 9, showHidden: true }), 'very-secret')
  t.notMatch(JSON.stringify(client), 'very-secret')
  t.equal(client.url, 'http://127.0.0.1:1/prefix')
  t.throws(() => createClient({ url: 'http://u:p@host/', token: '' }), /must not contain/)
  t.throws(() => createClient({ url: 'ftp://host/', token: '' }), /http/)
  const elsewhere = createClient({
    url: 'http://a.test',
    token: 'x',
    fetch: async () => answer(302, undefined, { location: 'http://b.test' }),
  })
  t.match(await thrown(call(elsewhere, api => api.GET('/v1/drivers'))), { status: 302 }, 'a redirect is not followed')
  const empty = createClient({ url: 'http://a.test', token: 'x', fetch: async () => answer(204) })
  t.match(await thrown(ask(empty, api => api.GET('/v1/drivers'))), { title: 'Empty answer' })
})
