import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import {
  type ClientOptions,
  COMMANDS,
  discover,
  IpmiClient,
  IpmiError,
  ping,
  systemPorts,
  UdpTransport,
} from '../../src/wire/ipmi/index.ts'
import { Gate } from '../../src/wire/ipmi/transport-gate.ts'
import { openUdp } from '../../src/wire/ipmi/transport-udp.ts'
import { ScriptedBmc } from './ipmi-bmc.ts'
import { Net } from './ipmi-net.ts'

const status = COMMANDS.chassisStatus
const KERNEL = '/proc/self/net/udp'

/** A scripted BMC behind a real socket on loopback. */
async function serve(address: '127.0.0.1' | '::1', seen: (from: { address: string; port: number }) => void = () => undefined) {
  const bmc = new ScriptedBmc()
  const socket: Socket = createSocket(address === '::1' ? 'udp6' : 'udp4')
  socket.on('message', (bytes, from) => {
    seen(from)
    for (const answer of bmc.receive(bytes)) socket.send(answer, from.port, from.address)
  })
  socket.bind(0, address)
  await once(socket, 'listening')
  return { bmc, port: socket.address().port, close: () => new Promise<void>(resolve => socket.close(() => resolve())) }
}

function options(host: string, port: number, change: Partial<ClientOptions> = {}): ClientOptions {
  return { address: { host, port }, username: 'admin', password: new Secret('secret'), privilege: 'operator', suite: 'auto', ...change }
}

/** A transport over real sockets that are counted. */
function counted(concurrency = 256) {
  const count = { opened: 0, open: 0 }
  const transport = new UdpTransport({
    concurrency,
    open: (...how) => {
      count.opened++
      count.open++
      const socket = openUdp(...how)
      return {
        ...socket,
        close: () => {
          count.open--
          socket.close()
        },
      }
    },
  })
  return { count, transport, ports: systemPorts(transport) }
}

t.test('over real sockets: addresses and names, IPv4 and IPv6, from loopback alone, and nothing left at the end', async t => {
  const { count, ports } = counted()
  for (const [host, listen] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['localhost', '127.0.0.1'],
  ] as const) {
    const sources = new Map<number, string>()
    const server = await serve(listen, from => sources.set(from.port, from.address))
    const client = new IpmiClient(ports, options(host, server.port))
    const read = client.execute(status, undefined)
    if (host === 'localhost') {
      // Which of its addresses comes first is the machine's business.
      const outcome = await read.then(
        () => 'on',
        (error: IpmiError) => error.reason,
      )
      t.match(outcome, /^(on|unreachable)$/)
    } else {
      t.match(await read, { on: true }, host)
      t.same([...sources.values()], [listen])
      const [source = 0] = sources.keys()
      // The kernel's list of sockets: local addresses in hexadecimal digits, least byte first.
      const local = `0100007F:${source.toString(16).toUpperCase().padStart(4, '0')}`
      if (listen === '127.0.0.1' && existsSync(KERNEL)) t.ok(readFileSync(KERNEL, 'utf8').includes(local), 'nothing outside can reach it')
    }
    await client.close({ confirmed: true })
    await server.close()
    t.equal(count.open, 0, 'closed with the last session')
  }
})

t.test('a hundred BMCs over one socket', async t => {
  const sources = new Set<number>()
  const servers = await Promise.all(Array.from({ length: 100 }, () => serve('127.0.0.1', from => sources.add(from.port))))
  const { count, transport, ports } = counted(20)
  const clients = servers.map(({ port }) => new IpmiClient(ports, options('127.0.0.1', port)))
  const reads = await Promise.all(clients.map(client => client.execute(status, undefined)))
  t.ok(reads.every(({ on }) => on))
  t.match([count, sources.size], [{ opened: 1, open: 1 }, 1])
  t.equal(transport.counters.sent, 400)
  t.same(await Promise.all(clients.map(client => client.close({ confirmed: true }))), Array(100).fill('closed'))
  await Promise.all(servers.map(({ close }) => close()))
  t.equal(count.open, 0)
})

t.test('nobody there, and names that are none', async t => {
  const server = await serve('127.0.0.1')
  await server.close()
  const quick = { connectMs: 60, retransmitMs: 20 }
  const reason = (client: IpmiClient) =>
    client.open().then(
      () => 'none',
      (error: IpmiError) => error.reason,
    )
  t.equal(await reason(new IpmiClient(systemPorts(), options('127.0.0.1', server.port, quick))), 'unreachable')
  t.equal(await reason(new IpmiClient(systemPorts(), options('no-such-host.invalid', 623))), 'unreachable')
})

t.test('a name is resolved once a log-in, and not waited for beyond the limit', async t => {
  const net = new Net()
  const asked: string[] = []
  let answer: Promise<string> = Promise.resolve('192.0.2.7')
  net.transport.resolve = host => {
    asked.push(host)
    return answer
  }
  const client = net.client({ address: { host: 'bmc.example', port: 623 } })
  await net.settle(client.execute(status, undefined))
  await net.settle(client.execute(status, undefined))
  t.same(asked, ['bmc.example'])
  net.bmc.reset()
  await net.settle(client.execute(status, undefined))
  t.equal(asked.length, 2)
  await net.settle(client.close({ confirmed: true }))

  answer = new Promise(() => undefined)
  const from = net.time.mono()
  const hanging = net.client({ address: { host: 'bmc.example', port: 623 } })
  await t.rejects(net.settle(hanging.open()), /not resolved within 3000 ms/)
  t.equal(net.time.mono() - from, 3_000)
  const abort = new AbortController()
  net.time.after(100, () => abort.abort())
  await t.rejects(net.settle(hanging.open(abort.signal)), /aborted/)
  await net.settle(hanging.close({ confirmed: true }))
  answer = Promise.reject(new IpmiError('unreachable', 'no such name'))
  await t.rejects(net.settle(net.client().open()), /no such name/)
  t.equal(net.timers + net.open, 0)
})

t.test('discovery without a log-in', async t => {
  const net = new Net()
  net.toBmc = () => []
  const address = { host: '192.0.2.7', port: 623 }
  t.equal(await net.settle(ping(net.ports, address)), false)
  await t.rejects(net.settle(discover(net.ports, address)), { reason: 'unreachable' } as never)
  const abort = new AbortController()
  net.time.after(100, () => abort.abort())
  await t.rejects(net.settle(discover(net.ports, address, abort.signal)), /aborted/)
  await t.rejects(net.settle(ping(net.ports, address, AbortSignal.abort())), /aborted/)
  t.equal(net.timers + net.open, 0)

  net.transport.resolve = () => new Promise(() => undefined)
  let from = net.time.mono()
  await t.rejects(net.settle(discover(net.ports, { host: 'bmc.example', port: 623 })), /bmc\.example was not resolved within 3000 ms/)
  t.equal(net.time.mono() - from, 3_000, 'a name server that never answers holds up nobody')
  from = net.time.mono()
  const given = new AbortController()
  net.time.after(100, () => given.abort())
  await t.rejects(net.settle(ping(net.ports, { host: 'bmc.example', port: 623 }, given.signal)), { reason: 'aborted' } as never)
  t.equal(net.time.mono() - from, 100)
  t.equal(net.timers + net.open, 0)
})

t.test('so many at a time, first come first served; who is silent for a while gives his place to others', async t => {
  const gate = new Gate(2)
  const order: string[] = []
  const enter = (name: string) => {
    const place = gate.enter(() => order.push(name))
    if (place.inside) order.push(name)
    return place
  }
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(enter)
  t.same(order, ['a', 'b'])
  c?.leave()
  a?.leave()
  a?.leave()
  t.same(order, ['a', 'b', 'd'], 'c gave up, and a has only one place to give')
  const [e, f] = ['e', 'f'].map(enter)
  t.same(order, ['a', 'b', 'd'])
  b?.leave()
  d?.leave()
  t.same(order, ['a', 'b', 'd', 'e', 'f'])
  e?.leave()
  f?.leave()
  t.ok(enter('g').inside)

  const net = new Net({ concurrency: 1 })
  net.toBmc = () => []
  const dead = net.client()
  const opening = dead.open()
  opening.catch(() => undefined)
  const from = net.time.mono()
  net.toBmc = bytes => [{ bytes }]
  const alive = net.client()
  t.match(await net.settle(alive.execute(status, undefined)), { on: true })
  t.ok(net.time.mono() - from < 300)
  await net.settle(alive.close({ confirmed: true }))
  await net.settle(dead.close({ confirmed: true }))
  t.equal(net.timers + net.open, 0)
})

t.test('who lost his place to a repetition in his log-in gets another for his question', async t => {
  const net = new Net({ concurrency: 1 })
  const clients = Array.from({ length: 5 }, () => net.client())
  // Of each log-in one packet is lost, so each gives up his place while others wait.
  net.toBmc = (bytes, count) => (count % 3 === 0 ? [] : [{ bytes }])
  const reads = await net.settle(Promise.all(clients.map(client => client.execute(status, undefined))))
  t.equal(reads.length, 5)
  net.toBmc = bytes => [{ bytes }]
  await net.settle(Promise.all(clients.map(client => client.close({ confirmed: true }))))
  t.equal(net.timers + net.open, 0)
})
