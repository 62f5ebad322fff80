import { execFileSync } from 'node:child_process'
import { inspect as show } from 'node:util'
import { Redis } from 'ioredis'
import t from 'tap'
import type { Documents, PlacedEvent, StoreEvent } from '../../src/core/documents.ts'
import { SafestateError } from '../../src/core/errors.ts'
import { openRedisStore } from '../../src/store/redis.ts'
import { type ResolvedStore, resolveStore } from '../../src/store/resolve.ts'
import { eventually, folder, newPrefix, type openOn, redis, type Test, type TestRedis, wire } from './support.ts'

const health = { kind: 'redis', durable: true } as const

/** Opens a store on a loopback port, closed after the test. */
async function open(t: Test, port: number, options: Parameters<typeof openOn>[2] = {}, prefix = newPrefix()): Promise<Documents> {
  const store = await openRedisStore({ url: `redis://127.0.0.1:${port}` }, { health, prefix, ...options })
  t.teardown(() => store.close())
  return store
}

function add(store: Documents, id = 'a', durable = true): Promise<number> {
  return store.transact(
    async tx => {
      const sum = ((await tx.get<number>('count', id)) ?? 0) + 1
      tx.put('count', id, sum)
      return sum
    },
    { durable },
  )
}

/** A client that orders the server about. */
function admin(t: Test, server: { port: number }): Redis {
  const client = new Redis(server.port, '127.0.0.1')
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

/** What a failure shows to whoever prints it: message, facts, stack, causes. */
function shown(error: unknown): string {
  return show(error, { depth: 10, showHidden: true }) + JSON.stringify(error) + String(error instanceof Error ? error.stack : '')
}

async function failure(promise: Promise<unknown>): Promise<SafestateError> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  )
  if (error instanceof SafestateError) return error
  throw error
}

t.test('a commit whose answer is lost is not sent again', async t => {
  const server = await redis(t)
  if (!server) return
  const line = await wire(t, server.port)
  const prefix = newPrefix()
  const store = await open(t, line.port, {}, prefix)
  const direct = await open(t, server.port, {}, prefix)
  await add(store)
  let tries = 0
  line.cutAnswerTo('evalsha')
  const error = await failure(
    store.transact(async tx => {
      tries++
      tx.put('count', 'a', ((await tx.get<number>('count', 'a')) ?? 0) + 1)
    }),
  )
  t.equal(error.code, 'store_unavailable')
  t.equal(error.retryable, true, 'the caller may ask again: with the same idempotency key')
  t.equal(tries, 1)
  t.equal(await direct.get('count', 'a'), 2, 'it was applied')
  t.equal(await eventually('connected again', () => add(store).catch(() => undefined)), 3, 'and applied once')
})

t.test('nothing waits for a server that is away, and all works again when it is back', async t => {
  const server = await redis(t)
  if (!server) return
  const store = await open(t, server.port)
  const [events, wakes]: [PlacedEvent[], string[]] = [[], []]
  store.onEvent(event => events.push(event))
  store.onSignal('wake', message => wakes.push(message))
  await add(store)
  await server.kill()
  const from = performance.now()
  for (const ask of [
    () => add(store),
    () => store.get('count', 'a'),
    () => store.byScore('due', 0, 1, 1),
    () => store.eventsAfter('0-0', 1),
    () => store.lastCursor(),
    () => store.time(),
    () => store.ping(),
  ]) {
    t.equal((await failure(ask())).code, 'store_unavailable')
  }
  t.ok(performance.now() - from < 1000, 'at once')
  await server.start()
  t.equal(await eventually('connected again', () => add(store).catch(() => undefined)), 2)
  await eventually('signals and events come again', async () => {
    await store.transact(async tx => {
      tx.emit({ topic: 'job', id: 'x' })
      tx.signal('wake', 'x')
    })
    return events.length > 0 && wakes.length > 0
  })
})

t.test('what was read from one server is never committed on another one', async t => {
  const server = await redis(t)
  if (!server) return
  const line = await wire(t, server.port)
  const store = await open(t, line.port)
  await add(store)
  let tries = 0
  await store.transact(async tx => {
    tries++
    await tx.get('count', 'a')
    if (tries === 1) {
      line.cut()
      await eventually('connected again', () => store.get('count', 'a').catch(() => undefined))
    }
    tx.put('count', 'a', tries)
  })
  t.equal(tries, 2, 'run again: after a fail-over the same revision can mean another content')
})

t.test('a server that falls silent is given up', async t => {
  const server = await redis(t)
  if (!server) return
  const line = await wire(t, server.port)
  const store = await open(t, line.port, { answerMs: 100 })
  line.freeze()
  const error = await failure(add(store))
  t.equal(error.code, 'store_unavailable')
  t.match(error.message, /did not answer|lost/)
})

t.test('events come in order and at least once, however often the connection breaks', async t => {
  const server = await redis(t)
  if (!server) return
  const line = await wire(t, server.port)
  const prefix = newPrefix()
  const [behind, direct] = [await open(t, line.port, {}, prefix), await open(t, server.port, {}, prefix)]
  const seen: number[] = []
  behind.onEvent(event => seen.push(Number(event.id)))
  const last = 300
  for (let i = 0; i <= last; i++) {
    await direct.transact(async tx => tx.emit({ topic: 'job', id: String(i) } satisfies StoreEvent))
    if (i % 60 === 30) line.cut()
  }
  await eventually('the last one arrives', () => seen.at(-1) === last)
  const firsts = seen.filter((id, at) => seen.indexOf(id) === at)
  t.same(
    firsts,
    Array.from({ length: last + 1 }, (_, i) => i),
  )
})

t.test('out of memory: refused as a whole, and what frees memory still goes', async t => {
  const server = await redis(t)
  if (!server) return
  const store = await open(t, server.port)
  const client = admin(t, server)
  await add(store)
  await store.transact(async tx => tx.put('job', 'old', 'x'.repeat(1000)))
  await client.config('SET', 'maxmemory', '1')
  const error = await failure(
    store.transact(async tx => {
      tx.put('job', 'new', 1)
      tx.indexAdd('jobs', 'new', 0)
      tx.emit({ topic: 'job', id: 'new' })
    }),
  )
  t.match(error, { code: 'store_unavailable', message: /out of memory \(OOM\)/ })
  t.equal((await failure(store.ping())).code, 'store_unavailable', 'not writable')
  await store.transact(async tx => tx.delete('job', 'old'))
  t.equal(await store.get('job', 'old'), undefined)
  await client.config('SET', 'maxmemory', '0')
  t.equal(await store.get('job', 'new'), undefined)
  t.equal(await store.count('jobs'), 0)
  t.same(await store.eventsAfter('0-0', 10), [])
  await store.ping()
  t.equal(await add(store), 2)
})

t.test('replicas: too few, and the change does not count', async t => {
  const server = await redis(t)
  if (!server) return
  const replica = await redis(t, [
    '--appendonly',
    'no',
    '--save',
    '',
    '--repl-diskless-sync-delay',
    '0',
    '--replicaof',
    `127.0.0.1 ${server.port}`,
  ])
  if (!replica) return
  await admin(t, server).config('SET', 'repl-diskless-sync-delay', '0')
  await eventually('the replica follows', async () => /master_link_status:up/.test(await admin(t, replica).info('replication')))
  const store = await resolveStore({ redisUrl: server.url, dataDir: folder(t), prefix: newPrefix(), warn: () => {} })
  t.teardown(() => store.close())
  t.equal(await add(store.documents), 1)
  t.equal(await store.documents.transact(async tx => tx.get('count', 'a')), 1)
  process.kill(replica.pid(), 'SIGSTOP')
  const error = await failure(add(store.documents))
  t.match(error, { code: 'store_unavailable', message: /0 of 1 replicas/ })
  t.equal(await add(store.documents, 'hint', false), 1, 'what needs not be durable goes on')
  t.equal((await failure(store.documents.ping())).code, 'store_unavailable')
  process.kill(replica.pid(), 'SIGCONT')
  await eventually('the replica is back', () =>
    store.documents.ping().then(
      () => true,
      () => false,
    ),
  )
  t.equal(await add(store.documents), 3)
  const refused = await failure(resolveStore({ redisUrl: replica.url, dataDir: folder(t), warn: () => {} }))
  t.match(
    refused.facts.errors,
    [{ field: 'role' }, { field: 'appendonly' }, { field: 'appendfsync' }],
    'a replica is not the store; all problems at once',
  )
})

t.test('servers that evict or forget are refused, with all that is wrong', async t => {
  const start = (server: TestRedis, allowVolatile = false): Promise<ResolvedStore> =>
    resolveStore({ redisUrl: server.url, dataDir: folder(t), allowVolatile, warn: () => {} })

  const evicting = await redis(t, ['--save', '', '--maxmemory-policy', 'allkeys-lru', '--appendonly', 'no'])
  if (!evicting) return
  const error = await failure(start(evicting))
  t.match(error, { code: 'store_unavailable', message: /maxmemory-policy is allkeys-lru.*appendonly is no.*appendfsync is everysec/ })
  t.match(error.facts.errors, [{ field: 'maxmemory-policy' }, { field: 'appendonly' }, { field: 'appendfsync' }])
  t.match(
    (await failure(start(evicting, true))).facts.errors,
    [{ field: 'maxmemory-policy' }],
    'evicting: also with --allow-volatile-store',
  )

  const volatile = await redis(t, ['--save', '', '--appendonly', 'no'])
  if (!volatile) return
  t.match(await failure(start(volatile)), { message: /--allow-volatile-store/ })
  const warnings: string[] = []
  const store = await resolveStore({ redisUrl: volatile.url, dataDir: folder(t), allowVolatile: true, warn: line => warnings.push(line) })
  t.match(store.documents.health, { kind: 'redis', durable: false, warning: /volatile/ })
  t.match(warnings, [/volatile/])
  await store.close()

  const mute = await redis(t, ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--rename-command', 'CONFIG', ''])
  if (!mute) return
  t.match(await failure(start(mute)), { message: /appendfsync can't be read \(CONFIG GET is not allowed\)/ })
  const taken = await start(mute, true)
  t.equal(taken.documents.health.durable, false)
  await taken.close()
  const muteEvicting = await redis(t, ['--save', '', '--maxmemory-policy', 'volatile-ttl', '--rename-command', 'CONFIG', ''])
  if (!muteEvicting) return
  t.match(await failure(start(muteEvicting, true)), { message: /maxmemory-policy is volatile-ttl/ }, 'INFO tells it, where CONFIG does not')
})

t.test('no error shows the password', async t => {
  const server = await redis(t, ['--requirepass', 'right-s3cret', '--appendonly', 'yes', '--appendfsync', 'always'])
  if (!server) return
  const start = (redisUrl: string): Promise<ResolvedStore> => resolveStore({ redisUrl, dataDir: folder(t), warn: () => {} })
  for (const [url, message] of [
    [`redis://:wrong-s3cret@127.0.0.1:${server.port}`, /password/],
    [`redis://me:wrong-s3cret@127.0.0.1:${server.port}`, /password/],
    ['redis://:wrong-s3cret@127.0.0.1:1', /can't be reached \(ECONNREFUSED\)/],
    ['http://:wrong-s3cret@127.0.0.1', /REDIS_URL/],
    ['wrong-s3cret', /REDIS_URL/],
  ] as const) {
    const error = await failure(start(url))
    t.match(error, { code: 'store_unavailable', message })
    t.notMatch(shown(error), /s3cret/)
  }
  const url = `redis://:right-s3cret@127.0.0.1:${server.port}`
  const store = await start(url)
  t.teardown(() => store.close())
  t.equal(await add(store.documents), 1)
  const queue = store.connection()
  t.equal(queue.options.maxRetriesPerRequest, null)
  t.equal(await queue.ping(), 'PONG')
  await server.kill()
  t.notMatch(shown(await failure(add(store.documents))), /s3cret/)
  t.notMatch(
    execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter(line => !line.includes('requirepass')),
    /s3cret/,
  )
})
