import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cli, Output } from '../../src/cli/cli.ts'
import { runCommand } from '../../src/cli/commands/program.ts'
import type { Roots } from '../../src/cli/commands/roots.ts'
import { systemClock } from '../../src/client/clock.ts'
import type { Job } from '../../src/client/types.ts'

/** One request as the fake gateway saw it. */
export interface Seen {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: unknown
}

/** What a route answers: a status and a body, or `undefined` to let the connection die. */
export type Route = (seen: Seen) => Canned | undefined

/** A canned answer. */
export interface Canned {
  status: number
  body?: unknown
  headers?: Record<string, string>
}

/** A gateway of canned answers on loopback. Routes by `METHOD /path`; what has none is a 404 problem. */
export class FakeGateway {
  readonly seen: Seen[] = []
  readonly routes = new Map<string, Route>()
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<FakeGateway> {
    const server = createServer()
    const fake = new FakeGateway(server)
    server.on('request', (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const url = new URL(request.url ?? '/', 'http://x')
        const text = Buffer.concat(chunks).toString('utf8')
        const path = decodeURIComponent(url.pathname)
        const seen: Seen = {
          method: request.method ?? '',
          path,
          query: url.searchParams,
          headers: request.headers,
          body: text === '' ? undefined : JSON.parse(text),
        }
        fake.seen.push(seen)
        const route = fake.routes.get(`${seen.method} ${path}`)
        const answer = route ? route(seen) : problem(404, 'not_found', 'Not found', `${seen.method} ${path}`)
        if (answer === undefined) {
          request.socket.destroy()
          return
        }
        const body = answer.body === undefined ? '' : typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
        const type = answer.status >= 400 ? 'application/problem+json' : 'application/json'
        response.writeHead(answer.status, { 'content-type': type, ...answer.headers })
        response.end(body)
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Answers a route with 200 and a body (204 without). */
  on(route: string, body?: unknown): this {
    this.routes.set(route, () => (body === undefined ? { status: 204 } : { status: 200, body }))
    return this
  }

  /** A job that is accepted and goes through these revisions, one a poll. */
  job(...revisions: Job[]): this {
    const [first] = revisions
    if (first === undefined) throw new Error('a job has at least one revision')
    let at = 0
    const show = (status: number) => ({ status, body: revisions[at], headers: { etag: `"${at}"` } })
    this.routes.set('POST /v1/jobs', () => show(202))
    this.routes.set(`GET /v1/jobs/${first.id}`, seen => {
      if (seen.headers['if-none-match'] === `"${at}"` || this.seen.filter(each => each.path === seen.path).length > 1) {
        at = Math.min(at + 1, revisions.length - 1)
      }
      return show(200)
    })
    return this
  }

  bodies(route: string): unknown[] {
    return this.seen.filter(each => `${each.method} ${each.path}` === route).map(each => each.body)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

/** A problem as the gateway sends it. */
export function problem(status: number, code: string, title: string, detail: string, more: object = {}): Canned {
  return { status, body: { type: 'about:blank', title, status, detail, code, retryable: status >= 500, ...more } }
}

/** How a command line is run in a test. */
export interface RunOptions {
  env?: Record<string, string>
  stdin?: string
  tty?: boolean
  columns?: number
  /** Given how to press Ctrl-C, once somebody listens. */
  interrupt?: (press: () => void) => void
  roots?: Partial<Roots>
  fetch?: Cli['fetch']
}

/** What a command line did. */
export interface Ran {
  code: number
  out: string
  err: string
}

/** Runs a command line in this process, against the gateway at `url`. */
export async function run(url: string, argv: string[], options: RunOptions = {}): Promise<Ran> {
  const written = { out: '', err: '' }
  const stream = (to: 'out' | 'err'): Output => ({
    write: text => {
      written[to] += text
    },
    ...(options.tty ? { isTTY: true, columns: options.columns ?? 100 } : {}),
  })
  const listeners = new Set<(signal: 'SIGINT' | 'SIGTERM') => void>()
  const cli: Cli = {
    env: { SAFESTATE_URL: url, SAFESTATE_TOKEN: 'test-token', ...options.env },
    stdin: (async function* () {
      yield options.stdin ?? ''
    })(),
    stdout: stream('out'),
    stderr: stream('err'),
    clock: systemClock,
    fetch: options.fetch ?? (request => fetch(request)),
    newKey: () => 'key-1',
    user: () => 'ana@console',
    onInterrupt: listener => {
      listeners.add(listener)
      options.interrupt?.(() => {
        for (const each of listeners) each('SIGINT')
      })
      return () => listeners.delete(listener)
    },
  }
  const roots: Roots = { gateway: async () => 0, simulate: async () => 0, ...options.roots }
  const code = await runCommand(argv, cli, roots, '0.0.0-test')
  return { code, ...written }
}
