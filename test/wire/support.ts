import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { generate } from 'selfsigned'
import type { Test } from 'tap'
import type { ExchangeLimits } from '../../src/core/driver.ts'
import { Secret } from '../../src/core/secret.ts'
import type { TlsSetting } from '../../src/core/topology.ts'
import { parseAddress } from '../../src/wire/redfish/address.ts'
import { type ClientOptions, RedfishClient } from '../../src/wire/redfish/client.ts'

/** The defaults of INTERFACES. */
export const LIMITS: ExchangeLimits = { exchangeMs: 5_000, connectMs: 3_000, commandTtlMs: 15_000, answerBytes: 1_048_576, answerDepth: 32 }

/** Planted in tests: must never be seen in an error. */
export const PASSWORD = 'MARKED-PASSWORD-7f3a'
export const TOKEN = 'MARKED-TOKEN-91cc'

/** What a server of a test was asked. */
export interface Heard {
  method: string
  path: string
  headers: IncomingMessage['headers']
  body: string
}

/** An answer: an object is sent as JSON with 200; a function does as it likes. */
export type Reply = object | ((request: Heard, response: ServerResponse) => void)

/** Routes by `METHOD /path`; read at each request, so that a test can change them while it runs. */
export type Routes = Record<string, Reply>

/** A server under test control. */
export interface Bmc {
  url: string
  heard: Heard[]
  routes: Routes
  /** TCP connections accepted. */
  connections: number
  sockets: Set<Socket>
  /** Closes the port and every connection: as a BMC that reboots. */
  stop(): void
  /** Shows another certificate from the next connection on. */
  present(tls: Certificate): void
}

/** Key and certificate of a throw-away BMC. */
export interface Certificate {
  key: string
  cert: string
  fingerprint: string
}

/** Makes a self-signed certificate for 127.0.0.1. */
export async function certificate(options: { expired?: boolean } = {}): Promise<Certificate> {
  const notAfterDate = new Date(Date.now() + (options.expired ? -86_400_000 : 86_400_000))
  const notBeforeDate = new Date(Date.now() - 2 * 86_400_000)
  const made = await generate([{ name: 'commonName', value: 'bmc' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate,
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  })
  const { X509Certificate } = await import('node:crypto')
  return { key: made.private, cert: made.cert, fingerprint: new X509Certificate(made.cert).fingerprint256 }
}

/** Starts a server on a free loopback port; it ends with the test. Unknown routes get a Redfish 404. */
export async function serve(t: Test, routes: Routes, tls?: Certificate): Promise<Bmc> {
  const bmc: Bmc = {
    url: '',
    heard: [],
    routes,
    connections: 0,
    sockets: new Set(),
    stop: () => {
      for (const socket of bmc.sockets) socket.destroy()
      server.close()
    },
    present: next => {
      for (const socket of bmc.sockets) socket.destroy()
      ;(server as unknown as TlsServer).setSecureContext({ key: next.key, cert: next.cert })
    },
  }
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const heard: Heard = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      }
      bmc.heard.push(heard)
      const reply = bmc.routes[`${heard.method} ${heard.path}`] ?? bmc.routes[`${heard.method} *`]
      if (typeof reply === 'function') reply(heard, response)
      else if (reply !== undefined) json(response, 200, reply)
      else json(response, 404, failure('Base.1.12.ResourceMissingAtURI'))
    })
  }
  const server: Server =
    tls === undefined ? createServer(onRequest) : (createTlsServer({ key: tls.key, cert: tls.cert }, onRequest) as Server)
  server.on('connection', (socket: Socket) => {
    bmc.connections++
    bmc.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => bmc.sockets.delete(socket))
  })
  server.on('tlsClientError', () => undefined)
  bmc.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${await listen(server)}`
  t.teardown(() => bmc.stop())
  return bmc
}

/** A TCP server that does what `onSocket` does with each connection. */
export async function serveTcp(t: Test, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  const port = await listen(server)
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${port}`
}

/** A client of a test server, closed with the test. */
export function clientOf(
  t: Test,
  url: string,
  options: { tls?: TlsSetting; limits?: Partial<ExchangeLimits> } & Partial<Omit<ClientOptions, 'tls' | 'limits'>> = {},
): RedfishClient {
  const client = new RedfishClient({
    address: parseAddress(url),
    credential: async () => ({ username: 'root', password: new Secret(PASSWORD) }),
    wallNow: () => Date.now(),
    ...options,
    tls: options.tls ?? (url.startsWith('https') ? { mode: 'pin' } : { mode: 'insecure' }),
    limits: { ...LIMITS, ...options.limits },
  })
  t.teardown(() => client.close())
  return client
}

/** Routes of a well-behaved BMC with one system. */
export function oneSystem(): Routes {
  return {
    'GET /redfish/v1/': {
      RedfishVersion: '1.15.0',
      Systems: { '@odata.id': '/redfish/v1/Systems' },
      Links: { Sessions: { '@odata.id': '/redfish/v1/SessionService/Sessions' } },
    },
    'POST /redfish/v1/SessionService/Sessions': logInReply(TOKEN, '/redfish/v1/SessionService/Sessions/1'),
    'DELETE /redfish/v1/SessionService/Sessions/1': (_request, response) => response.writeHead(204).end(),
    'GET /redfish/v1/Systems': { Members: [{ '@odata.id': '/redfish/v1/Systems/1' }], 'Members@odata.count': 1 },
    'GET /redfish/v1/Systems/1': system('1'),
    [`POST ${RESET}`]: (_request, response) => response.writeHead(204).end(),
  }
}

export const RESET = '/redfish/v1/Systems/1/Actions/ComputerSystem.Reset'

/** A ComputerSystem resource. */
export function system(id: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    '@odata.id': `/redfish/v1/Systems/${id}`,
    Id: id,
    PowerState: 'On',
    UUID: `11111111-2222-3333-4444-00000000000${id.at(-1)}`,
    SerialNumber: `SN-${id}`,
    Manufacturer: 'Contoso',
    Model: '3500',
    Actions: {
      '#ComputerSystem.Reset': {
        target: `/redfish/v1/Systems/${id}/Actions/ComputerSystem.Reset`,
        'ResetType@Redfish.AllowableValues': ['On', 'ForceOff', 'GracefulShutdown'],
      },
    },
    ...changes,
  }
}

/** 201 with a token. */
export function logInReply(token: string, location?: string): Reply {
  return (_request, response) => {
    response.writeHead(201, { 'X-Auth-Token': token, ...(location === undefined ? {} : { Location: location }) }).end('{}')
  }
}

/** Answers once with each reply in turn, the last one for ever. */
export function inTurn(...replies: Reply[]): Reply {
  let turn = 0
  return (request, response) => {
    const reply = replies[Math.min(turn++, replies.length - 1)]
    if (typeof reply === 'function') reply(request, response)
    else json(response, 200, reply)
  }
}

/** A status with an error body of these MessageIds, and headers. */
export function status(code: number, messageId?: string, headers: Record<string, string> = {}): Reply {
  return (_request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    if (messageId === undefined) response.writeHead(code).end()
    else json(response, code, failure(messageId))
  }
}

/** An error body. */
export function failure(...messageIds: string[]): object {
  return { error: { code: 'Base.1.12.GeneralError', message: 'x', '@Message.ExtendedInfo': messageIds.map(MessageId => ({ MessageId })) } }
}

export function json(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** Listens on a free loopback port and gives it. */
export function listen(server: { listen(port: number, host: string, done: () => void): unknown; address(): unknown }): Promise<number> {
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
}
