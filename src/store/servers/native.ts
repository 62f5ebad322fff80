import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, lstatSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { Redis } from 'ioredis'
import { SafestateError } from '../../core/errors.ts'
import { identify } from './identity.ts'
import { end, endRecorded, follow, type ServerProcess } from './process.ts'

/** A socket's path must fit into sockaddr_un: 108 bytes on Linux, 104 on macOS (https://man7.org/linux/man-pages/man7/unix.7.html). */
const longestSocket = 100

/** A large AOF takes a while to load. */
const startMs = 60_000

/** The first `valkey-server` or else `redis-server` in the folders of `path` (as in PATH); undefined: none. */
export function findServer(path: string): string | undefined {
  for (const name of ['valkey-server', 'redis-server']) {
    for (const folder of path.split(delimiter).filter(Boolean)) {
      const file = join(folder, name)
      try {
        accessSync(file, constants.X_OK)
        if (statSync(file).isFile()) return file
      } catch {
        // Not in this folder.
      }
    }
  }
  return undefined
}

/** Where the socket of the server for `folder` is: in it, or where that path is too long, in a private folder of the system's temporary one. */
export function socketOf(folder: string): string {
  const near = join(folder, 'redis.sock')
  if (Buffer.byteLength(near) <= longestSocket) return near
  const far = join(tmpdir(), `safestate-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`)
  mkdirSync(far, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(far)
  // Its name can be guessed: somebody else may have made it first.
  if (!lstatSync(far).isDirectory() || (uid !== userInfo().uid && uid !== -1) || (mode & 0o077) !== 0) {
    throw new SafestateError('store_unavailable', `the folder for the socket of the store (${far}) is not private`)
  }
  return join(far, 'redis.sock')
}

/** Ends what an earlier gateway left running on `folder`: by its record, and where that was never written, by its socket. */
export async function endEarlier(folder: string): Promise<void> {
  await endRecorded(join(folder, 'server.json'))
  const socket = socketOf(folder)
  if (!(await answers(socket, 'any'))) return
  const redis = new Redis({ path: socket, lazyConnect: true, retryStrategy: () => null, enableReadyCheck: false })
  redis.on('error', () => {})
  try {
    await redis.connect()
    const identity = identify(Number(/^process_id:(\d+)/m.exec(await redis.info('server'))?.[1]))
    if (identity) await end(identity)
  } finally {
    redis.disconnect()
  }
}

/** Starts `program` on the data in `folder`. Resolves when it answers on its socket; rejects with `store_unavailable` and the end of its log. */
export async function startNative(program: string, folder: string): Promise<ServerProcess> {
  const socket = socketOf(folder)
  rmSync(socket, { force: true })
  const log = join(folder, 'server.log')
  rmSync(log, { force: true })
  const file = join(folder, 'server.conf')
  writeFileSync(file, configuration(folder, socket, log), { mode: 0o600 })
  // Detached: Ctrl-C in a terminal goes to the whole group, and the gateway still needs its store to end well.
  const child = spawn(program, [file], { cwd: folder, detached: true, stdio: 'ignore' })
  const server = follow(child, join(folder, 'server.json'))
  let gone = false
  void server.exited.then(() => {
    gone = true
    if (dirname(socket) !== folder) rmSync(dirname(socket), { recursive: true, force: true })
  })
  for (let waited = 0; waited < startMs && !gone; waited += 10) {
    if (await answers(socket, 'ready')) return server
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  await server.stop()
  throw new SafestateError('store_unavailable', `${program} did not start: ${lastWords(log)}`)
}

/** Quoted as in redis.conf: double quotes, backslash escapes. */
function configuration(folder: string, socket: string, log: string): string {
  return [
    `dir ${JSON.stringify(folder)}`,
    `unixsocket ${JSON.stringify(socket)}`,
    'unixsocketperm 700',
    'port 0',
    'protected-mode yes',
    'daemonize no',
    `logfile ${JSON.stringify(log)}`,
    'loglevel warning',
    'appendonly yes',
    'appendfsync always',
    'no-appendfsync-on-rewrite no',
    'save ""',
    'maxmemory-policy noeviction',
    '',
  ].join('\n')
}

/** Whether a server answers at the socket: at all, or ready (loading is over). */
function answers(socket: string, what: 'any' | 'ready'): Promise<boolean> {
  return new Promise(resolve => {
    const connection = connect(socket)
    const finish = (answer: boolean): void => {
      connection.destroy()
      resolve(answer)
    }
    connection.setTimeout(1000, () => finish(false))
    connection.once('error', () => finish(false))
    connection.once('connect', () => connection.write('PING\r\n'))
    connection.once('data', data => finish(what === 'any' || data.toString().startsWith('+PONG')))
  })
}

function lastWords(log: string): string {
  try {
    return readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' / ') || 'it wrote no log'
  } catch {
    return 'it wrote no log'
  }
}
