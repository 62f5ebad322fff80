import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type t from 'tap'
import type { Endpoint } from '../../src/store/connect.ts'
import { openRedisStore, type RedisStore, type RedisStoreOptions } from '../../src/store/redis.ts'
import { newEmbeddedEndpoint, startEmbedded } from '../../src/store/servers/embedded.ts'
import { peer } from '../peers/support.ts'

/** A tap test. */
export type Test = Pick<typeof t, 'teardown' | 'fail' | 'pass'>

/** A private folder with a short path (sockets!), removed after the test. */
export function folder(t: Test): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'safestate-test-')))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Resolves when `check` answers something; rejects after 20 s. */
export async function eventually<T>(what: string, check: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (let waited = 0; waited < 20_000; waited += 10) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error(`did not happen: ${what}`)
}

/** A Redis 7 that a test may kill, freeze and start again. */
export interface TestRedis {
  port: number
  url: string
  pid(): number
  /** SIGKILL, and away. */
  kill(): Promise<void>
  start(): Promise<void>
}

const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--maxmemory-policy', 'noeviction']

/** Starts Redis on a free loopback port with its data in a folder of its own. Undefined, and skipped by name, where Redis is not installed. */
export async function redis(t: Test, settings: string[] = durable): Promise<TestRedis | undefined> {
  const program = peer({ skip: message => t.pass(message, { skip: true }), fail: message => t.fail(message) }, 'redis')?.['redis-server']
  if (!program) return undefined
  const dir = folder(t)
  const port = await freePort()
  let child: ChildProcess | undefined
  const server: TestRedis = {
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: () => child?.pid ?? -1,
    async kill() {
      const gone = child && once(child, 'exit')
      child?.kill('SIGKILL')
      await gone
      child = undefined
    },
    async start() {
      child = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, ...settings], { stdio: 'ignore' })
      await eventually('redis answers', () => ask(port, 'PING').then(answer => /^(\+PONG|-NOAUTH)/.test(answer)))
    },
  }
  await server.start()
  t.teardown(() => server.kill())
  return server
}

/** Sends one line to a server and resolves with the start of its answer; '' where none comes. */
export function ask(port: number, line: string): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${line}\r\n`))
    socket.once('data', data => {
      socket.destroy()
      resolve(data.toString())
    })
    socket.once('error', () => resolve(''))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** A server to hold against the model, and how to open one more store on it. */
export interface Backend {
  name: string
  endpoint: Endpoint
  options: Pick<RedisStoreOptions, 'flush'>
}

/** The real servers that are there: Redis 7 (skipped by name where absent) and the embedded Valkey. */
export async function backends(t: Test): Promise<Backend[]> {
  const server = await redis(t)
  const endpoint = newEmbeddedEndpoint()
  const embedded = await startEmbedded(folder(t), endpoint)
  t.teardown(() => embedded.stop())
  return [
    ...(server ? [{ name: 'redis', endpoint: { url: server.url }, options: {} }] : []),
    { name: 'embedded', endpoint, options: { flush: 'save' as const } },
  ]
}

let prefixes = 0

/** A prefix that no other store on the same server has: an empty store. */
export function newPrefix(): string {
  return `{test-${++prefixes}}`
}

/** Opens a store on a server. */
export function openOn(backend: Backend, prefix = newPrefix(), options: Partial<RedisStoreOptions> = {}): Promise<RedisStore> {
  return openRedisStore(backend.endpoint, { health: { kind: 'redis', durable: true }, prefix, ...backend.options, ...options })
}

/** A network between a client and a server, with faults. */
export interface Wire {
  port: number
  /** Cuts all connections; new ones are let through. */
  cut(): void
  /** Lets the next request that contains `text` through, and cuts its connection before the answer. */
  cutAnswerTo(text: string): void
  /** Lets nothing through any more, neither way: connections stay open and silent. */
  freeze(): void
}

/** Puts a wire before a loopback port. */
export async function wire(t: Test, target: number): Promise<Wire> {
  const open = new Set<Socket>()
  let cutAfter: string | undefined
  let frozen = false
  const server: Server = createServer(client => {
    const up = connect(target, '127.0.0.1')
    let mute = false
    client.on('data', data => {
      if (frozen) return
      if (cutAfter !== undefined && data.includes(cutAfter)) {
        cutAfter = undefined
        mute = true
      }
      up.write(data)
    })
    up.on('data', data => {
      if (frozen) return
      if (mute) client.destroy()
      else client.write(data)
    })
    for (const [one, other] of [
      [client, up],
      [up, client],
    ] as const) {
      open.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of open) socket.destroy()
  }
  t.teardown(() => {
    server.close()
    cut()
  })
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    cutAnswerTo: text => {
      cutAfter = text
    },
    freeze: () => {
      frozen = true
    },
  }
}
