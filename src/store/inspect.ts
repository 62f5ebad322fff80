import type { Redis } from 'ioredis'
import { type FieldError, SafestateError } from '../core/errors.ts'
import { unavailable } from './failure.ts'

/** What the start must know of a server. */
export interface ServerFacts {
  /** Changes with each start of the server. */
  runId: string
  /** Replicas that were connected when asked. */
  replicas: number
  /** Why it does not keep what it acknowledges; empty where it does. */
  volatile: FieldError[]
}

/**
 * Checks that a server can be the store: version, role, no eviction, everything on disk before it is acknowledged. Throws `store_unavailable`
 * with every problem at once (`facts.errors`, by setting); with `allowVolatile`, those of durability are returned instead.
 * A server that evicts is always refused: it would forget holds.
 */
export async function inspect(redis: Redis, allowVolatile: boolean): Promise<ServerFacts> {
  const info = parse(await ask(() => redis.info()))
  const policy = (await setting(redis, 'maxmemory-policy')) ?? info['maxmemory_policy']
  const appendonly = (await setting(redis, 'appendonly')) ?? (info['aof_enabled'] === '0' ? 'no' : undefined)
  const appendfsync = await setting(redis, 'appendfsync')
  const problems: FieldError[] = []
  const volatile: FieldError[] = []
  const [major = 0, minor = 0] = (info['redis_version'] ?? '').split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 2))
    problems.push({ field: 'version', message: `is ${info['redis_version']}: must be 6.2 or later` })
  if (info['role'] !== 'master') problems.push({ field: 'role', message: 'is a replica: give the primary' })
  if (policy === undefined)
    volatile.push({ field: 'maxmemory-policy', message: "can't be read (CONFIG GET and INFO don't tell): must be noeviction" })
  else if (policy !== 'noeviction')
    problems.push({ field: 'maxmemory-policy', message: `is ${policy}: must be noeviction, or holds could be forgotten` })
  for (const [field, value, wanted] of [
    ['appendonly', appendonly, 'yes'],
    ['appendfsync', appendfsync, 'always'],
  ] as const) {
    if (value === wanted) continue
    const found = value === undefined ? "can't be read (CONFIG GET is not allowed)" : `is ${value}`
    volatile.push({ field, message: `${found}: must be ${wanted}, or what was acknowledged could be lost` })
  }
  const all = [...problems, ...(allowVolatile ? [] : volatile)]
  if (all.length > 0) {
    const list = all.map(({ field, message }) => `${field} ${message}`).join('; ')
    const way = problems.length === 0 ? ' (--allow-volatile-store takes it as it is)' : ''
    throw new SafestateError('store_unavailable', `this server can't be the store: ${list}${way}`, { errors: all })
  }
  return { runId: info['run_id'] ?? '', replicas: Number(info['connected_slaves'] ?? 0), volatile }
}

/** One setting; undefined where we may not ask or the server (a managed one) does not tell. */
async function setting(redis: Redis, name: string): Promise<string | undefined> {
  try {
    const answer: unknown = await redis.config('GET', name)
    return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return undefined
    throw unavailable(error)
  }
}

async function ask<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question()
  } catch (error) {
    throw unavailable(error)
  }
}

function parse(info: string): Record<string, string> {
  return Object.fromEntries(
    info
      .split(/\r?\n/)
      .filter(line => line.includes(':') && !line.startsWith('#'))
      .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
}
