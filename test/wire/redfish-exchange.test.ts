import { gzipSync } from 'node:zlib'
import t from 'tap'
import { RedfishError } from '../../src/wire/redfish/failure.ts'
import { normalFingerprint } from '../../src/wire/redfish/fingerprint.ts'
import { Lane } from '../../src/wire/redfish/lane.ts'
import { certificate, clientOf, inTurn, json, oneSystem, PASSWORD, type Reply, serve, serveTcp, TOKEN } from './support.ts'

const SYSTEM = '/redfish/v1/Systems/1'

/** Reads the system and gives the reason of the failure. */
async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'no failure'
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error
    return error.reason
  }
}

t.test('every bound of an answer', async t => {
  const gigabyte = gzipSync(Buffer.alloc(20 * 1_048_576, 32))
  const raw =
    (body: string | Buffer, headers: Record<string, string | number> = {}): Reply =>
    (_request, response) =>
      void response.writeHead(200, headers).end(body)
  const large = `{"a":"${'x'.repeat(1_048_576)}"}`
  const cases: Record<string, [Reply, string]> = {
    'over 1 MiB, announced': [raw(large), 'too_large'],
    'over 1 MiB, chunked': [
      (_request, response) => {
        response.on('error', () => undefined)
        const more = (): void => {
          if (!response.destroyed) response.write(Buffer.alloc(65_536, 32), () => setImmediate(more))
        }
        more()
      },
      'too_large',
    ],
    'over 1 MiB after decompression': [raw(gigabyte, { 'content-encoding': 'gzip' }), 'too_large'],
    'gzip that is none': [raw('{"a":1}', { 'content-encoding': 'gzip' }), 'bad_encoding'],
    'an unknown encoding': [raw('{"a":1}', { 'content-encoding': 'rot13' }), 'bad_encoding'],
    'nested deeper than 32': [raw(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`), 'too_deep'],
    'headers over 16 KiB': [raw('{}', { 'x-long': 'y'.repeat(20_000) }), 'headers_too_large'],
    'HTML under 200': [raw('<html>Log in</html>', { 'content-type': 'text/html' }), 'not_json'],
    'empty 200': [raw(''), 'not_json'],
    'cut before Content-Length': [
      (_request, response) => {
        response.writeHead(200, { 'content-length': 100 }).write('{"PowerState":"Off"}')
        setImmediate(() => response.destroy())
      },
      'truncated',
    ],
    'chunked and cut': [
      (_request, response) => {
        response.writeHead(200).write('{"PowerState":"Off"}')
        setImmediate(() => response.destroy())
      },
      'truncated',
    ],
    'other success statuses': [(_request, response) => void response.writeHead(204).end(), 'http_error'],
  }
  for (const [name, [reply, expected]] of Object.entries(cases)) {
    const bmc = await serve(t, { ...oneSystem(), [`GET ${SYSTEM}`]: reply })
    t.equal(await reasonOf(clientOf(t, bmc.url).get(SYSTEM)), expected, name)
  }

  const fine = await serve(t, {
    ...oneSystem(),
    [`GET ${SYSTEM}`]: raw(gzipSync('{"PowerState":"Off"}'), {
      'content-encoding': 'gzip',
      'content-type': 'text/plain',
      age: 7,
      etag: 'W/"1"',
    }),
  })
  const read = await clientOf(t, fine.url).get(SYSTEM)
  t.match(
    read,
    { body: { PowerState: 'Off' }, ageSeconds: 7, etag: 'W/"1"' },
    'gzip that was not asked for, as text/plain, is read; Age is told',
  )
  t.match(fine.heard.at(-1)?.headers, { 'cache-control': 'no-cache', 'accept-encoding': 'identity', 'odata-version': '4.0' })
})

t.test('time: slow bodies, endless headers, silence, no connection', async t => {
  const limits = { exchangeMs: 150, connectMs: 80 }
  const slow = await serve(t, {
    ...oneSystem(),
    'GET /redfish/v1/': (_request, response) => {
      response.writeHead(200, { 'content-length': 1_000 })
      const drip = setInterval(() => response.write(' '), 10)
      response.on('close', () => clearInterval(drip))
    },
  })
  t.equal(await reasonOf(clientOf(t, slow.url, { limits }).service()), 'exchange_timeout', 'one byte at a time')
  const endless = await serveTcp(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\n')
    const drip = setInterval(() => socket.write('X: y\r\n'), 10)
    socket.on('close', () => clearInterval(drip))
  })
  t.equal(await reasonOf(clientOf(t, endless, { limits }).service()), 'exchange_timeout', 'headers that never end')
  const silent = await serveTcp(t, () => undefined)
  t.equal(await reasonOf(clientOf(t, silent, { limits }).service()), 'exchange_timeout', 'accepts and says nothing')
  const noTls = await serveTcp(t, () => undefined)
  const tls = clientOf(t, noTls.replace('http', 'https'), { limits })
  t.equal(await reasonOf(tls.service()), 'exchange_timeout', 'accepts and never shakes hands')
  // 192.0.2.0/24 (TEST-NET-1) is routed nowhere; a sandbox without any route refuses at once.
  const away = await reasonOf(clientOf(t, 'http://192.0.2.1', { limits }).service())
  t.match(away, /^(connect_timeout|unreachable)$/, 'nobody there')
  const gone = await serveTcp(t, socket => socket.resetAndDestroy())
  t.match(await reasonOf(clientOf(t, gone, { limits }).service()), /^(connection_lost|unreachable)$/, 'reset at once')
  const babble = await serveTcp(t, socket => void socket.end('SSH-2.0-OpenSSH\r\n'))
  t.equal(await reasonOf(clientOf(t, babble, { limits }).service()), 'bad_http', 'not HTTP at all')
})

t.test('certificates', async t => {
  const good = await certificate()
  const other = await certificate()
  const expired = await certificate({ expired: true })

  await t.test('a pin is checked before a byte of the request leaves', async t => {
    const bmc = await serve(t, oneSystem(), good)
    const client = clientOf(t, bmc.url, { tls: { mode: 'pin', fingerprint: other.fingerprint } })
    t.match(await client.logIn().catch((error: unknown) => error), { reason: 'pin_mismatch', facts: { written: false } })
    t.equal(client.fingerprint, good.fingerprint, 'the certificate found is told')
    t.same(bmc.heard, [], 'nothing was heard')
  })
  await t.test('trust on first use reports the fingerprint, and keeps it', async t => {
    const bmc = await serve(t, oneSystem(), good)
    const client = clientOf(t, bmc.url)
    await client.get(SYSTEM)
    t.equal(client.fingerprint, good.fingerprint)
    t.equal(client.connections, 1, 'one handshake for service root, log-in and read')
    const pinned = clientOf(t, bmc.url, { tls: { mode: 'pin', fingerprint: good.fingerprint.replaceAll(':', '').toLowerCase() } })
    await pinned.get(SYSTEM)
  })
  await t.test('a certificate that changes between two connections is refused', async t => {
    const bmc = await serve(t, oneSystem(), good)
    const client = clientOf(t, bmc.url)
    await client.get(SYSTEM)
    bmc.present(other)
    const before = bmc.heard.length
    t.equal(await reasonOf(client.get(SYSTEM)), 'pin_mismatch')
    t.equal(bmc.heard.length, before, 'no token went there')
  })
  await t.test('by CA: right, wrong, expired; insecure takes all', async t => {
    const bmc = await serve(t, oneSystem(), good)
    await clientOf(t, bmc.url, { tls: { mode: 'ca', ca: good.cert } }).get(SYSTEM)
    t.equal(await reasonOf(clientOf(t, bmc.url, { tls: { mode: 'ca', ca: other.cert } }).get(SYSTEM)), 'tls')
    t.equal(await reasonOf(clientOf(t, bmc.url, { tls: { mode: 'ca', ca: 'nonsense' } }).get(SYSTEM)), 'tls')
    const old = await serve(t, oneSystem(), expired)
    t.equal(await reasonOf(clientOf(t, old.url, { tls: { mode: 'ca', ca: expired.cert } }).get(SYSTEM)), 'tls', 'expired')
    t.same(old.heard, [])
    await clientOf(t, old.url, { tls: { mode: 'insecure' } }).get(SYSTEM)
  })
  await t.test('TLS that fails in the handshake', async t => {
    const url = await serveTcp(t, socket => socket.once('data', () => socket.resetAndDestroy()))
    t.match(await reasonOf(clientOf(t, url.replace('http', 'https')).service()), /^(tls|unreachable)$/)
    const plain = await serve(t, oneSystem())
    t.equal(await reasonOf(clientOf(t, plain.url.replace('http', 'https')).service()), 'tls', 'plain HTTP on a TLS port')
  })
  t.equal(await reasonOf((async () => clientOf(t, 'http://127.0.0.1:1', { tls: { mode: 'pin' } }))()), 'bad_address', 'http needs insecure')
  t.equal(await reasonOf((async () => normalFingerprint('abc'))()), 'tls')
})

t.test('redirects: within the origin for reads, three at most', async t => {
  const to =
    (code: number, location: string): Reply =>
    (_request, response) =>
      void response.writeHead(code, { location }).end()
  const bmc = await serve(t, oneSystem())
  const client = clientOf(t, bmc.url)
  bmc.routes['GET /redfish/v1/'] = to(301, '/redfish/v1')
  bmc.routes['GET /redfish/v1'] = oneSystem()['GET /redfish/v1/'] as object
  bmc.routes['GET /moved'] = to(308, `${bmc.url}${SYSTEM}`)
  t.match((await client.get('/moved')).body, { PowerState: 'On' }, 'absolute, same host')
  const other = await serve(t, oneSystem())
  bmc.routes['GET /away'] = to(307, `${other.url}${SYSTEM}`)
  t.equal(await reasonOf(client.get('/away')), 'redirect_refused', 'another port')
  t.same(other.heard, [], 'no credential went there')
  bmc.routes['GET /loop'] = to(302, '/loop')
  const before = bmc.heard.length
  t.equal(await reasonOf(client.get('/loop')), 'redirect_refused', 'a loop')
  t.equal(bmc.heard.length - before, 4)
  bmc.routes['GET /nowhere'] = (_request, response) => void response.writeHead(302).end()
  t.equal(await reasonOf(client.get('/nowhere')), 'redirect_refused', 'no Location')
})

t.test('one connection, one exchange at a time', async t => {
  let under = 0
  let most = 0
  const bmc = await serve(t, {
    ...oneSystem(),
    [`GET ${SYSTEM}`]: (_request, response) => {
      most = Math.max(most, ++under)
      setTimeout(() => {
        under--
        json(response, 200, { PowerState: 'On' })
      }, 5)
    },
  })
  const client = clientOf(t, bmc.url)
  await Promise.all(Array.from({ length: 5 }, () => client.get(SYSTEM)))
  t.equal(most, 1)
  t.equal(bmc.connections, 1)
  t.equal(bmc.heard.filter(one => one.method === 'POST').length, 1, 'one log-in')

  const controller = new AbortController()
  const first = client.get(SYSTEM)
  const second = client.get(SYSTEM, controller.signal)
  controller.abort()
  t.equal(await reasonOf(second), 'aborted', 'a waiter gives up its place')
  await first
  await client.get(SYSTEM)

  const lane = new Lane()
  const order: string[] = []
  let release: () => void = () => undefined
  const one = lane.run(undefined, () => new Promise<void>(resolve => (release = resolve))).then(() => order.push('one'))
  const two = lane.run(AbortSignal.abort(), async () => order.push('two')).catch(() => order.push('two gave up'))
  const three = lane.run(undefined, async () => order.push('three'))
  await two
  await new Promise(resolve => setImmediate(resolve))
  release()
  await Promise.all([one, three])
  t.same(order, ['two gave up', 'one', 'three'], 'who comes after it waits for the first all the same')
})

t.test('a kept connection that dies: reads are repeated once', async t => {
  const bmc = await serve(t, oneSystem())
  const client = clientOf(t, bmc.url)
  await client.get(SYSTEM)
  bmc.routes[`GET ${SYSTEM}`] = inTurn((_request, response) => void response.socket?.destroy(), { PowerState: 'Off' })
  t.match((await client.get(SYSTEM)).body, { PowerState: 'Off' })
  bmc.routes[`GET ${SYSTEM}`] = (_request, response) => void response.socket?.destroy()
  const before = bmc.heard.length
  t.equal(await reasonOf(client.get(SYSTEM)), 'connection_lost')
  t.equal(bmc.heard.length - before, 2, 'not more than once')
  const cut = await serve(t, { 'GET /redfish/v1/': (_request, response) => void response.socket?.destroy() })
  t.equal(await reasonOf(clientOf(t, cut.url).service()), 'connection_lost')
  t.equal(cut.heard.length, 1, 'on a new connection not at all')
})

t.test('bytes that nobody asked for end the connection instead of answering the next question', async t => {
  let answers = 0
  let closed: () => void = () => undefined
  const firstEnded = new Promise<void>(resolve => {
    closed = resolve
  })
  const url = await serveTcp(t, socket => {
    socket.on('close', closed)
    socket.on('data', () => {
      const body = answers++ === 0 ? '{"Systems":{"@odata.id":"/redfish/v1/Systems"}}' : '{"PowerState":"On"}'
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      // Later than the answer, while the connection is kept.
      if (answers === 1) setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"PowerState":"Off"}'), 20)
    })
  })
  const client = clientOf(t, url)
  await client.service()
  await firstEnded
  t.match((await client.get(SYSTEM)).body, { PowerState: 'On' })
  t.equal(client.connections, 2)
})

t.test('406 to identity: gzip is offered', async t => {
  const bmc = await serve(t, {
    ...oneSystem(),
    [`GET ${SYSTEM}`]: (request, response) => {
      if (request.headers['accept-encoding'] === 'identity') response.writeHead(406).end()
      else response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"PowerState":"On"}'))
    },
  })
  t.match((await clientOf(t, bmc.url).get(SYSTEM)).body, { PowerState: 'On' })
})

t.test('abort and close', async t => {
  const controller = new AbortController()
  const bmc = await serve(t, { ...oneSystem(), 'GET /hang': () => controller.abort(), 'GET /cut': () => client.close() })
  const client = clientOf(t, bmc.url)
  await client.get(SYSTEM)
  t.equal(await reasonOf(client.get('/hang', controller.signal)), 'aborted')
  t.match((await client.get(SYSTEM)).body, { PowerState: 'On' }, 'the client lives on')
  t.not(await reasonOf(client.get('/cut')), 'no failure')
  t.equal(await reasonOf(client.get(SYSTEM)), 'closed')
})

t.test('no socket is left behind', async t => {
  const sockets = (): number => process.getActiveResourcesInfo().filter(name => name === 'TCPSocketWrap').length
  const closing: Reply = (_request, response) => void response.setHeader('connection', 'close').end('{"Systems":{"@odata.id":"/s"}}')
  for (const tls of [undefined, await certificate()]) {
    const before = sockets()
    for (const reply of [closing, {}, (): void => undefined] as Reply[]) {
      const bmc = await serve(t, { 'GET /redfish/v1/': reply }, tls)
      for (let i = 0; i < 3; i++) {
        const client = clientOf(t, bmc.url, { limits: { exchangeMs: 50 } })
        await reasonOf(client.service())
        client.close()
      }
      bmc.stop()
    }
    // Handles are freed in the close phase of the event loop.
    for (let turn = 0; turn < 50 && sockets() > before; turn++) await new Promise(resolve => setImmediate(resolve))
    t.equal(sockets(), before, tls === undefined ? 'http' : 'https')
  }
})

t.test('errors hold no secrets', async t => {
  const bmc = await serve(t, { ...oneSystem(), [`GET ${SYSTEM}`]: (_request, response) => void response.socket?.destroy() })
  const client = clientOf(t, bmc.url)
  const { inspect } = await import('node:util')
  for (const work of [() => client.get(SYSTEM), () => client.get('/nothing')]) {
    const error = await work().catch((error: unknown) => error)
    const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + String((error as Error).stack)
    t.notMatch(shown, new RegExp(`${PASSWORD}|${TOKEN}`))
    t.equal((error as Error).cause, undefined)
  }
  t.notMatch(inspect(client, { depth: 20 }), new RegExp(PASSWORD))
})
