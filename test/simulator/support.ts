import { type Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import type { SimulatedBmc, SimulatorClock } from '../../src/simulator/index.ts'

interface Timer {
  readonly dueAt: number
  readonly run: () => void
}

/** Time that passes only when a test says so. */
export class VirtualClock implements SimulatorClock {
  #now = Date.UTC(2026, 0, 1)
  readonly #timers = new Set<Timer>()
  #watchers: (() => void)[] = []

  now(): number {
    return this.#now
  }

  setTimeout(run: () => void, ms: number): Timer {
    const timer = { dueAt: this.#now + ms, run }
    this.#timers.add(timer)
    for (const watcher of this.#watchers) watcher()
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.size
  }

  /** Resolves when a timer waits: what a request did over a real socket has come so far. */
  async untilWaiting(): Promise<void> {
    if (this.waiting > 0) return
    await new Promise<void>(resolve => this.#watchers.push(resolve))
    this.#watchers = []
  }

  /** Lets `ms` pass and runs what falls due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(timer => timer.dueAt <= end).sort((left, right) => left.dueAt - right.dueAt)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.dueAt)
      due.run()
    }
    this.#now = end
  }
}

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** A member of the JSON body, by the way to it; throws where the body is no JSON. */
  get(...path: (string | number)[]): unknown
  readonly fingerprint: string | undefined
}

export interface AskOptions {
  readonly body?: unknown
  readonly headers?: Record<string, string>
  /** A session token; `basic` sends the BMC's own credentials, `none` nothing. Default `basic`. */
  readonly as?: string
  readonly agent?: HttpAgent | HttpsAgent
  readonly signal?: AbortSignal
  /** Verifies the certificate against this one (PEM); without it none is verified. */
  readonly ca?: string
}

/** Sends one request to a BMC over its own connection and reads the whole answer. Rejects when the connection breaks. */
export function ask(bmc: SimulatedBmc, method: string, path: string, options: AskOptions = {}): Promise<Answer> {
  const isTls = bmc.url.startsWith('https:')
  const body = options.body === undefined ? undefined : typeof options.body === 'string' ? options.body : JSON.stringify(options.body)
  const { as = 'basic' } = options
  const credentials: Record<string, string> =
    as === 'basic' ? { authorization: bmc.basicCredentials } : as === 'none' ? {} : { 'x-auth-token': as }
  return new Promise((resolve, reject) => {
    const request = (isTls ? httpsRequest : httpRequest)(
      `${bmc.url}${path}`,
      {
        method,
        agent: options.agent ?? false,
        ...(options.ca === undefined ? { rejectUnauthorized: false } : { ca: options.ca }),
        headers: { ...credentials, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      response => {
        const pieces: Buffer[] = []
        const fingerprint = isTls ? (response.socket as TLSSocket).getPeerCertificate().fingerprint256 : undefined
        response.on('data', (piece: Buffer) => pieces.push(piece))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(pieces).toString('latin1')
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            get: (...path) =>
              path.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], JSON.parse(text)),
            fingerprint,
          })
        })
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** The path of the first System that is a node. */
export function systemPath(bmc: SimulatedBmc): string {
  return `/redfish/v1/Systems/${bmc.systemOrThrow(undefined).spec.id}`
}

/** Reads a System's PowerState. */
export async function powerState(bmc: SimulatedBmc, as?: string): Promise<unknown> {
  return (await ask(bmc, 'GET', systemPath(bmc), as === undefined ? {} : { as })).get('PowerState')
}

/** Sends a ResetType to the first System. */
export function reset(bmc: SimulatedBmc, type: string, options: AskOptions = {}): Promise<Answer> {
  return ask(bmc, 'POST', `${systemPath(bmc)}/Actions/ComputerSystem.Reset`, { ...options, body: { ResetType: type } })
}

/** Logs in; the answer as it came. */
export function login(bmc: SimulatedBmc, password = bmc.password): Promise<Answer> {
  const body = { UserName: bmc.username, Password: password }
  return ask(bmc, 'POST', '/redfish/v1/SessionService/Sessions', { as: 'none', body })
}

/** Logs in and answers the token. */
export async function token(bmc: SimulatedBmc): Promise<string> {
  return String((await login(bmc)).headers['x-auth-token'])
}

/** The paths in a collection's Members. */
export function members(answer: Answer): string[] {
  return (answer.get('Members') as { '@odata.id': string }[]).map(member => member['@odata.id'])
}

/** The last part of the first MessageId of an error body: what clients match on. */
export function messageKey(answer: Answer): string | undefined {
  return String(answer.get('error', '@Message.ExtendedInfo', 0, 'MessageId'))
    .split('.')
    .at(-1)
}

/** Turns the event loop until `isSo`; the test's own time-out ends it otherwise. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setImmediate(resolve))
}

/** Asserts that a request got to the BMC (`hasCome`), is not answered, and can be given up. */
export async function silent(t: Test, send: (signal: AbortSignal) => Promise<unknown>, hasCome: () => boolean): Promise<void> {
  const giveUp = new AbortController()
  const request = send(giveUp.signal)
  request.catch(() => {})
  await until(hasCome)
  const first = await Promise.race([request, new Promise(resolve => setImmediate(resolve, 'silence'))])
  t.equal(first, 'silence')
  giveUp.abort()
  await t.rejects(request, { name: 'AbortError' })
}
