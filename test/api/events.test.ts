import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { HEARTBEAT_MS, STALLED_MS } from '../../src/api/sse.ts'
import { holdLike, jobLike } from './fake-service.ts'
import { type Edge, edge, problem, tokenFor, until } from './support.ts'

interface Event {
  event: string
  id: string
  // biome-ignore lint/suspicious/noExplicitAny: compared, not used
  data: any
}

/** A reader of a stream over a real socket. */
class Reader {
  raw = ''
  readonly events: Event[] = []
  ended = false
  #rest = ''
  readonly socket: Socket

  constructor(port: number, path: string, token: string, headers: Record<string, string> = {}) {
    const lines = Object.entries({ host: 'localhost', authorization: `Bearer ${token}`, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    )
    this.socket = connect(port, '127.0.0.1')
    this.socket.write(`GET ${path} HTTP/1.0\r\n${lines.join('\r\n')}\r\n\r\n`)
    this.socket.setEncoding('utf8').on('data', text => {
      this.raw += text
      const blocks = (this.#rest + text).split('\n\n')
      this.#rest = blocks.pop() ?? ''
      for (const block of blocks.filter(block => block.includes('data: '))) this.#take(block)
    })
    this.socket.on('close', () => {
      this.ended = true
    })
    this.socket.on('error', () => undefined)
  }

  #take(block: string): void {
    const field = (name: string) => block.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1] ?? ''
    this.events.push({ event: field('event'), id: field('id'), data: JSON.parse(field('data')) })
  }

  get beats(): number {
    return this.raw.split(': heartbeat').length - 1
  }
}

async function streams(t: Test) {
  const all: Edge = await edge(t)
  await all.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = all.app.server.address() as { port: number }
  const open = async (path: string, token = 'admin', headers: Record<string, string> = {}): Promise<Reader> => {
    const reader = new Reader(port, path, token, headers)
    t.teardown(() => reader.socket.destroy())
    await until(() => reader.beats > 0 || reader.ended, 'the stream')
    return reader
  }
  return { ...all, open }
}

t.test('everything that changes, as it changes', async t => {
  const { service, open } = await streams(t)
  service.put(jobLike({ revision: 2 }))
  const reader = await open('/v1/events')
  t.match(reader.raw, /^HTTP\/1.1 200 /)
  t.match(reader.raw, /content-type: text\/event-stream/i)
  t.match(reader.raw, /x-content-type-options: nosniff/i)
  t.match(reader.raw, /x-request-id: /i)
  service.put(jobLike({ revision: 3 }))
  service.store.holds.set('hold-1', holdLike({ state: 'revoked' }))
  service.emit({ topic: 'hold', id: 'hold-1', cluster: 'default' })
  service.emit({ topic: 'receipt', id: 'receipt-1', cluster: 'default' })
  service.emit({ topic: 'node', id: 'default/worker-3', cluster: 'default' })
  service.emit({ topic: 'device', id: 'bmc-9' })
  await until(() => reader.events.length === 4)
  t.match(reader.events, [
    { event: 'job', id: '1-2', data: { id: 'job-1', revision: 3, joined: false } },
    { event: 'hold', id: '1-3', data: { id: 'hold-1', state: 'revoked' } },
    { event: 'receipt', id: '1-4', data: { id: 'receipt-1', jws: 'a.b.c' } },
    { event: 'device', id: '1-6', data: { name: 'bmc-9', removed: true } },
  ])
  t.notMatch(reader.raw, 'INSIDE', 'the public view')

  const later = await open('/v1/events', 'admin', { 'last-event-id': '1-3' })
  await until(() => later.events.length === 2)
  t.same(
    later.events.map(event => event.id),
    ['1-4', '1-6'],
    'goes on after Last-Event-ID',
  )
  const first = await open('/v1/events', 'admin', { 'last-event-id': '0-0' })
  await until(() => first.events.length === 5)
})

t.test('each sees its own', async t => {
  const { service, open, call } = await streams(t)
  const prod = await open('/v1/events', 'prod')
  const jobs = await open('/v1/events', tokenFor(service, ['jobs:read']))
  for (const [topic, id, cluster] of [
    ['job', 'job-1', 'default'],
    ['job', 'job-2', 'prod'],
    ['hold', 'hold-1', 'default'],
    ['hold', 'hold-2', 'prod'],
    ['receipt', 'receipt-2', 'prod'],
  ] as const) {
    service.emit({ topic, id, cluster })
  }
  // Events that don't name their cluster are judged by the resource itself.
  service.emit({ topic: 'job', id: 'job-1' })
  service.emit({ topic: 'job', id: 'job-2' })
  await until(() => prod.events.length >= 4 && jobs.events.length >= 4)
  t.same(
    prod.events.map(event => event.data.id),
    ['job-2', 'hold-2', 'receipt-2', 'job-2'],
  )
  t.same(
    jobs.events.map(event => event.data.id),
    ['job-1', 'job-2', 'job-1', 'job-2'],
  )
  problem(t, await call('GET /v1/events', tokenFor(service, ['nodes:read'])), 403, 'forbidden')
  problem(t, await call({ method: 'GET', url: '/v1/events', headers: { 'last-event-id': 'yesterday' } }), 400, 'bad_request')
  t.equal((await call({ method: 'HEAD', url: '/v1/events' })).status, 405, 'a stream has no HEAD')
})

t.test('heartbeats say how far the reader is, and end the stream of a revoked token', async t => {
  const { service, open, clock } = await streams(t)
  const token = tokenFor(service, ['jobs:read'], ['prod'])
  const reader = await open('/v1/events', token)
  await until(() => clock.sleepers === 1)
  const after = service.events.after
  let reads = 0
  service.events.after = async (...args) => {
    const found = await after(...args)
    reads++
    return found
  }
  service.emit({ topic: 'job', id: 'job-1', cluster: 'default' })
  await until(() => reads === 2 && clock.sleepers === 1, 'the next wait')
  clock.advance(HEARTBEAT_MS)
  await until(() => reader.beats === 2)
  t.ok(reader.raw.includes(': heartbeat\nid: 1-1\n\n'), 'past what was not for it')
  service.callers.delete(token)
  await until(() => clock.sleepers === 1)
  clock.advance(HEARTBEAT_MS)
  await until(() => reader.ended, 'the end of the stream')
})

t.test('one job, to its end', async t => {
  const { service, open, call, clock } = await streams(t)
  const reader = await open('/v1/jobs/job-1/events')
  await until(() => reader.events.length === 1)
  service.put(jobLike({ revision: 2, phase: 'confirming' }))
  await until(() => reader.events.length === 2)
  service.put(jobLike({ id: 'job-2', cluster: 'prod', revision: 9 }))
  service.put(jobLike({ revision: 3, state: 'succeeded' }))
  await until(() => reader.ended, 'the end of the stream')
  t.same(
    reader.events.map(event => [event.event, event.id, event.data.revision]),
    [
      ['job', '1', 1],
      ['job', '2', 2],
      ['job', '3', 3],
    ],
  )
  t.equal(clock.sleepers, 0)
  t.equal(
    (await call({ method: 'GET', url: '/v1/jobs/job-1/events', headers: { 'last-event-id': '3' } })).status,
    204,
    'tells a browser not to come again',
  )
  const again = await open('/v1/jobs/job-1/events', 'admin', { 'last-event-id': '2' })
  await until(() => again.ended)
  t.same(
    again.events.map(event => event.id),
    ['3'],
  )
  problem(t, await call('GET /v1/jobs/none/events'), 404, 'not_found')
})

t.test('a reader that takes nothing holds up nobody and is cut off', async t => {
  const { app, service, open, clock } = await streams(t)
  const slow = await open('/v1/events')
  const quick = await open('/v1/events')
  slow.socket.pause()
  const reason = 'x'.repeat(100_000)
  let reads = 0
  const get = service.jobs.get
  service.jobs.get = id => {
    reads++
    return get(id)
  }
  const total = 100
  for (let count = 0; count < total; count++) service.put(jobLike({ revision: count + 2, reason }))
  await until(() => quick.events.length === total, 'the quick reader')
  // The slow one has stopped reading from the store once the socket's buffers were full.
  const before = reads
  t.ok(before < total * 2, `${before} reads for 2 readers of ${total} events`)
  await until(() => clock.sleepers >= 2)
  clock.advance(STALLED_MS)
  slow.socket.resume()
  await until(() => slow.ended, 'the cut')
  t.ok(slow.events.length < total)
  await app.close()
  await until(() => quick.ended, 'the end with the server')
  t.equal(service.listeners.size, 0)
})

t.test('a reader that goes leaves nothing behind', async t => {
  const { service, open, clock } = await streams(t)
  const readers = [await open('/v1/events'), await open('/v1/jobs/job-1/events')]
  await until(() => clock.sleepers === 2)
  for (const reader of readers) reader.socket.destroy()
  await until(() => clock.sleepers === 0, 'the end of the waits')
  service.put(jobLike({ revision: 2 }))
  t.pass('and nobody minds')
})
