import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Redis } from 'ioredis'
import type { Documents, StoreHealth } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import { checkUrl, connected, type Endpoint, failFast, forQueue } from './connect.ts'
import { storeEpoch } from './epoch.ts'
import { inspect, type ServerFacts } from './inspect.ts'
import { openRedisStore, type RedisStoreOptions } from './redis.ts'
import { newEmbeddedEndpoint, startEmbedded } from './servers/embedded.ts'
import { lockFolder } from './servers/lock.ts'
import { endEarlier, findServer, socketOf, startNative } from './servers/native.ts'
import { endRecorded } from './servers/process.ts'
import { type Supervised, supervise } from './servers/supervise.ts'

/** Where the store may be. */
export interface StoreOptions {
  /** REDIS_URL: taken where given. */
  redisUrl?: string
  /** DATA_DIR: a store of our own keeps its data in `store` below it. */
  dataDir: string
  /** Takes a server that does not keep what it acknowledges, and says so in `health`. */
  allowVolatile?: boolean
  /** How many replicas must have a change before it counts. Default: as many as are connected at the start. */
  replicas?: number
  /** Where servers are looked for, as in PATH. Default: PATH. */
  path?: string
  /** Starts all keys; must hold a hash tag. Default `{safestate}`. */
  prefix?: string
  /** Told what a person must know. Default: standard error. */
  warn?: (line: string) => void
}

/** The store, found and ready. */
export interface ResolvedStore {
  documents: Documents
  /** A new connection for BullMQ (`maxRetriesPerRequest: null`, not yet connected). `close` ends those that are left. */
  connection(): Redis
  /** Which life of the store this is (S23): a number as text, that rises. */
  epoch: string
  /** The process of a store server of our own. */
  serverPid(): number | undefined
  /** Closes all, and stops a server of our own. */
  close(): Promise<void>
}

/** A server that answers, before it is looked at. */
interface Found {
  kind: 'redis' | 'child' | 'embedded'
  endpoint: Endpoint
  server?: Supervised
  release?: () => void
}

const replicaMs = 2000

const embeddedWarning =
  'the store is the embedded WebAssembly Valkey: for demos and first steps only. Install valkey-server or redis-server, or set REDIS_URL, before you rely on it'

/**
 * Finds the store: REDIS_URL; else a `valkey-server` or `redis-server` on PATH as a child; else the embedded one. A data folder that one of the
 * latter two has filled stays with it. Rejects with `store_unavailable`, naming all that is wrong with the server (`facts.errors`).
 */
export async function resolveStore(options: StoreOptions): Promise<ResolvedStore> {
  const warn = options.warn ?? (line => process.stderr.write(`safestate: ${line}\n`))
  const found =
    options.redisUrl === undefined ? await ownServer(options, warn) : { kind: 'redis' as const, endpoint: urlOf(options.redisUrl) }
  try {
    return await open(found, options, warn)
  } catch (error) {
    await stop(found)
    throw error
  }
}

async function open(found: Found, options: StoreOptions, warn: (line: string) => void): Promise<ResolvedStore> {
  const facts = await look(found, options.allowVolatile ?? false)
  const health = healthOf(found.kind, facts)
  if (health.warning) warn(health.warning)
  const documents = await openRedisStore(found.endpoint, {
    health,
    ...flushOf(found, facts, options),
    ...(options.prefix ? { prefix: options.prefix } : {}),
  })
  try {
    const { epoch } = await storeEpoch(documents, facts.runId)
    const connections = new Set<Redis>()
    return {
      documents,
      epoch,
      connection() {
        const redis = forQueue(found.endpoint)
        connections.add(redis)
        redis.once('end', () => connections.delete(redis))
        return redis
      },
      serverPid: () => found.server?.pid(),
      async close() {
        await documents.close()
        for (const redis of connections) redis.disconnect()
        await stop(found)
      },
    }
  } catch (error) {
    await documents.close()
    throw error
  }
}

async function stop(found: Found): Promise<void> {
  await found.server?.close()
  found.release?.()
}

function urlOf(url: string): Endpoint {
  checkUrl(url)
  return { url }
}

/** Asks the server over a connection of its own. The embedded one saves at our order instead of writing an AOF. */
async function look(found: Found, allowVolatile: boolean): Promise<ServerFacts> {
  const redis = await connected(failFast(found.endpoint, 5000))
  try {
    const facts = await inspect(redis, allowVolatile || found.kind === 'embedded')
    return found.kind === 'embedded' ? { ...facts, volatile: [] } : facts
  } finally {
    redis.disconnect()
  }
}

function healthOf(kind: Found['kind'], { volatile }: ServerFacts): StoreHealth {
  if (kind === 'embedded') return { kind, durable: true, warning: embeddedWarning }
  if (volatile.length === 0) return { kind, durable: true }
  const list = volatile.map(({ field, message }) => `${field} ${message}`).join('; ')
  return { kind, durable: false, warning: `the store is volatile, as --allow-volatile-store allows: ${list}` }
}

function flushOf(found: Found, facts: ServerFacts, options: StoreOptions): Pick<RedisStoreOptions, 'flush'> {
  if (found.kind === 'embedded') return { flush: 'save' }
  const replicas = options.replicas ?? facts.replicas
  return replicas > 0 ? { flush: { replicas, timeoutMs: replicaMs } } : {}
}

async function ownServer(options: StoreOptions, warn: (line: string) => void): Promise<Found> {
  const home = join(resolve(options.dataDir), 'store')
  mkdirSync(home, { recursive: true, mode: 0o700 })
  const release = lockFolder(join(home, 'lock'))
  try {
    const program = findServer(options.path ?? process.env['PATH'] ?? '')
    const kind = kindOf(home, program)
    const folder = join(home, kind)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (kind === 'embedded' || !program) {
      await endRecorded(join(folder, 'server.json'))
      const endpoint = newEmbeddedEndpoint()
      return { kind: 'embedded', endpoint, release, server: await supervise(() => startEmbedded(folder, endpoint), warn) }
    }
    await endEarlier(folder)
    return { kind, endpoint: { socket: socketOf(folder) }, release, server: await supervise(() => startNative(program, folder), warn) }
  } catch (error) {
    release()
    throw error
  }
}

/** Which of our own stores this folder is for: the one that has data in it, as neither can read the other's, and holds must not be forgotten. */
function kindOf(home: string, program: string | undefined): 'child' | 'embedded' {
  const file = join(home, 'kind')
  const wanted = program ? 'child' : 'embedded'
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  if (kept === '') {
    writeFileSync(file, `${wanted}\n`, { mode: 0o600 })
    return wanted
  }
  if (kept === 'embedded') return 'embedded'
  if (kept === 'child' && program) return 'child'
  throw new SafestateError('store_unavailable', `the store in ${home} was made by a server on PATH, which is not there any more`, {
    errors: [
      { field: 'PATH', message: 'install valkey-server or redis-server again, set REDIS_URL, or give another data folder to begin anew' },
    ],
  })
}
