import { Redis, type RedisOptions } from 'ioredis'
import { SafestateError } from '../core/errors.ts'
import { unavailable } from './failure.ts'

/** Where a Redis or Valkey server is: a URL (`redis:`, `rediss:`), a unix socket, or a loopback port with a password. */
export type Endpoint = { url: string } | { socket: string } | { host: string; port: number; password: string }

/** What this room sets of the client. (Without the one field whose type does not fit the client's own constructor.) */
type Options = Omit<RedisOptions, 'replyMapping'>

/** Reconnects fast at first (a restarted server is there again within a second), then at most once a second. */
const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times - 1, 5), 1000)

/** After a fail-over the old primary may answer READONLY under the same name: look again. */
const reconnectOnError = (error: Error): boolean => error.message.startsWith('READONLY')

/**
 * A connection that fails fast, for all reads and commits: nothing is queued while the server is away, and nothing that may have been applied
 * is ever sent again. `answerMs`: how long the server may be silent before the connection is given up.
 */
export function failFast(endpoint: Endpoint, answerMs: number): Redis {
  return client(endpoint, {
    connectionName: 'safestate',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    socketTimeout: answerMs,
  })
}

/** A connection that waits for news (blocking XREAD, subscriptions). `silentMs`: the longest silence that is normal; undefined: any. */
export function listening(endpoint: Endpoint, silentMs?: number): Redis {
  return client(endpoint, {
    connectionName: 'safestate-news',
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // The client's own resubscription rejects unheard, and so ends the process, where the connection breaks again: see SignalReader.
    autoResubscribe: false,
    ...(silentMs === undefined ? {} : { socketTimeout: silentMs }),
  })
}

/** A connection as BullMQ wants it: it waits for the server however long that takes. */
export function forQueue(endpoint: Endpoint): Redis {
  return client(endpoint, { connectionName: 'safestate-queue', maxRetriesPerRequest: null })
}

/** Connects, or rejects with `store_unavailable` and gives up. */
export async function connected(redis: Redis): Promise<Redis> {
  let last: unknown
  const remember = (error: unknown): void => {
    last = error
  }
  redis.on('error', remember)
  try {
    await redis.connect()
    return redis
  } catch (error) {
    redis.disconnect()
    throw unavailable(last ?? error)
  } finally {
    redis.off('error', remember)
  }
}

/** Refuses what is not the URL of a Redis, without repeating it: it may carry a password. */
export function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && (url.protocol === 'redis:' || url.protocol === 'rediss:') && url.hostname !== '') return
  throw new SafestateError('store_unavailable', 'REDIS_URL is not the URL of a Redis', {
    errors: [{ field: 'REDIS_URL', message: 'must be redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS' }],
  })
}

function client(endpoint: Endpoint, own: Options): Redis {
  const options: Options = { lazyConnect: true, connectTimeout: 5000, retryStrategy, reconnectOnError, ...own }
  const redis = open(endpoint, options)
  // Every failure also rejects the command it hits. Without a listener the client would print it, with whatever it carries.
  redis.on('error', () => {})
  return redis
}

function open(endpoint: Endpoint, options: Options): Redis {
  if ('url' in endpoint) return new Redis(endpoint.url, options)
  if ('socket' in endpoint) return new Redis({ ...options, path: endpoint.socket })
  return new Redis({ ...options, ...endpoint })
}
