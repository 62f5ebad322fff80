import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SafestateError } from '../../core/errors.ts'
import { follow, type ServerProcess } from './process.ts'

/** Where the embedded server listens. The port is 0 until the first start; a restart takes the same again, so that clients find it. */
export interface EmbeddedEndpoint {
  host: '127.0.0.1'
  port: number
  password: string
}

/** What the child is told on its channel: never on its command line, which everybody can read. */
export interface EmbeddedOrder {
  folder: string
  port: number
  password: string
}

const startMs = 30_000

/** An endpoint with a password of its own; its port comes with the first start. */
export function newEmbeddedEndpoint(): EmbeddedEndpoint {
  return { host: '127.0.0.1', port: 0, password: randomBytes(24).toString('base64url') }
}

/**
 * Starts the WebAssembly Valkey in a process of its own (a long script or SAVE must not block the gateway) on the data in `folder`. Resolves
 * when it listens; rejects with `store_unavailable`. The child ends when its parent does.
 */
export async function startEmbedded(folder: string, endpoint: EmbeddedEndpoint): Promise<ServerProcess> {
  const log = openSync(join(folder, 'server.log'), 'w', 0o600)
  // From the sources in tests, compiled elsewhere.
  const main = new URL(import.meta.url.endsWith('.ts') ? 'embedded-main.ts' : 'embedded-main.js', import.meta.url)
  const child = fork(fileURLToPath(main), [], { detached: true, stdio: ['ignore', log, log, 'ipc'] })
  closeSync(log)
  const server = follow(child, join(folder, 'server.json'))
  const order: EmbeddedOrder = { folder, port: endpoint.port, password: endpoint.password }
  child.send(order, () => {})
  const port = await new Promise<number | undefined>(resolve => {
    const timer = setTimeout(() => resolve(undefined), startMs)
    void server.exited.then(() => resolve(undefined))
    child.once('message', message => resolve(Number(message)))
    child.once('message', () => clearTimeout(timer))
    child.once('exit', () => clearTimeout(timer))
  })
  if (port === undefined) {
    await server.stop()
    throw new SafestateError('store_unavailable', `the embedded store did not start: see server.log in ${folder}`)
  }
  endpoint.port = port
  return server
}
