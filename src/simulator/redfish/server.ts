import { createServer, type Server as HttpServer } from 'node:http'
import { createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import type { Bmc } from './bmc.ts'
import { handle } from './pipeline.ts'

/** Which BMC a connection belongs to, and how many requests it has carried. */
interface Connection {
  readonly bmc: Bmc
  requests: number
}

/** The listening side of one BMC. */
export interface BmcListener {
  readonly port: number
  close(): Promise<void>
}

/**
 * The front of all BMCs of a process: one HTTP parser for all, a TCP listener for each, and a TLS context for each that is made at its
 * first connection. So an idle BMC costs a file descriptor and a few objects.
 */
export class RedfishFront {
  readonly #http: HttpServer
  readonly #connections = new WeakMap<object, Connection>()

  constructor() {
    this.#http = createServer({ keepAlive: true, requestTimeout: 0 }, (request, response) => {
      const connection = this.#connections.get(request.socket)
      if (connection === undefined) {
        response.destroy()
        return
      }
      connection.requests++
      handle(connection.bmc, request, response, connection.requests)
    })
    this.#http.keepAliveTimeout = 60_000
    this.#http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // A method that HTTP does not know ends here, in the parser; Redfish wants a 501 for it.
      const status = error.code === 'HPE_INVALID_METHOD' ? '501 Not Implemented' : '400 Bad Request'
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      else socket.destroy()
    })
  }

  /** Begins to listen for a BMC. `port` 0 takes a free one. */
  async listen(bmc: Bmc, options: { host: string; port: number; tls: boolean }): Promise<BmcListener> {
    const secure = options.tls ? new SecureSide(bmc, socket => this.#accept(bmc, socket)) : undefined
    const server = createTcpServer({ noDelay: true, highWaterMark: 65_536 }, socket => {
      bmc.counters.connections++
      keep(bmc, socket)
      const [fate] = bmc.faults.isEmpty ? [] : [...bmc.faults.ask(null, (definition, parameters) => definition.connect?.(parameters))]
      if (fate === 'silent') return
      if (fate === 'reset') socket.resetAndDestroy()
      else if (secure === undefined) this.#accept(bmc, socket)
      else secure.handshake(socket)
    })
    const port = await startListening(server, options)
    return {
      port,
      close: async () => {
        const closed = new Promise<void>(resolve => server.close(() => resolve()))
        bmc.dropConnections()
        await closed
      },
    }
  }

  /** Stops the shared part; call it when all listeners are closed. */
  close(): void {
    this.#http.close()
  }

  #accept(bmc: Bmc, socket: Socket): void {
    this.#connections.set(socket, { bmc, requests: 0 })
    // The documented way to hand a connection of another making to an HTTP server.
    this.#http.emit('connection', socket)
  }
}

/** The TLS of one BMC; nothing is made before somebody connects. */
class SecureSide {
  readonly #bmc: Bmc
  readonly #accept: (socket: TLSSocket) => void
  #server: TlsServer | undefined

  constructor(bmc: Bmc, accept: (socket: TLSSocket) => void) {
    this.#bmc = bmc
    this.#accept = accept
    bmc.onCertificateChange(() => this.#server?.setSecureContext(this.#context()))
  }

  handshake(socket: Socket): void {
    this.#server ??= this.#create()
    this.#server.emit('connection', socket)
  }

  #create(): TlsServer {
    const server = createTlsServer(this.#context(), socket => {
      this.#bmc.counters.tlsHandshakes++
      keep(this.#bmc, socket)
      this.#accept(socket)
    })
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    return server
  }

  #context(): { cert: string; key: string } {
    const { cert, key } = this.#bmc.certificate
    return { cert, key }
  }
}

function keep(bmc: Bmc, socket: Socket): void {
  bmc.connections.add(socket)
  socket.on('error', () => socket.destroy())
  socket.on('close', () => bmc.connections.delete(socket))
}

function startListening(server: TcpServer, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
