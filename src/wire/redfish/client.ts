import type { ExchangeLimits } from '../../core/driver.ts'
import type { TlsSetting } from '../../core/topology.ts'
import { type RedfishAddress, resolveReference } from './address.ts'
import { type Answer, errorOf, factsOf, headerOf, isSessionLost } from './answer.ts'
import { type CommandRequest, type CommandResult, sendCommand } from './command.ts'
import { type Ask, Exchanger } from './exchange.ts'
import { RedfishError } from './failure.ts'
import { type JsonObject, parseJson } from './json.ts'
import { Lane } from './lane.ts'
import { type Service, serviceOf } from './service.ts'
import {
  type Auth,
  basicHeader,
  type Closing,
  type Conversation,
  type CredentialSource,
  closeSession,
  logIn,
  postHeaders,
  type SessionRef,
} from './session.ts'

/** What a client works with. Nothing of it is global. */
export interface ClientOptions {
  address: RedfishAddress
  tls: TlsSetting
  limits: ExchangeLimits
  credential: CredentialSource
  /** Told of each log-in that succeeded; under Basic, of each answer that shows it. */
  loggedIn?(): void
  /** Wall-clock ms, for Retry-After dates. */
  wallNow(): number
  /** A kept connection idle for longer than this is not used again; default 15 s. */
  idleMs?: number
}

/** One resource as it was read. */
export interface Resource {
  path: string
  body: JsonObject
  etag?: string
  /** The service's own `Date`. */
  date?: string
  /** `Age` in seconds, where something between us and the service served a copy. */
  ageSeconds?: number
}

const READ_HEADERS = { accept: 'application/json', 'accept-encoding': 'identity', 'cache-control': 'no-cache', 'odata-version': '4.0' }
const MAX_REDIRECTS = 3
/** Before a command a connection must be this fresh: one that the service closed meanwhile would leave the command unanswered. */
const COMMAND_IDLE_MS = 2_000

/**
 * One conversation with one Redfish service: one exchange at a time over one kept connection. Reads log in, and log in again once when the
 * session is lost; commands never do. All methods can be aborted; all throw RedfishError.
 */
export class RedfishClient implements Conversation {
  readonly #options: ClientOptions
  readonly #exchanger: Exchanger
  readonly #lane = new Lane()
  #service: Service | undefined
  #auth: Auth | undefined
  #headers: Record<string, string> = READ_HEADERS
  #gzip = false

  constructor(options: ClientOptions) {
    this.#options = options
    this.#exchanger = new Exchanger(options.address, options.tls, options.limits)
  }

  /** SHA-256 of the certificate last seen, `AA:BB:…`; undefined before the first connection and under http. */
  get fingerprint(): string | undefined {
    return this.#exchanger.agent.fingerprint
  }

  /** How requests are authenticated at present; a new object after each log-in. */
  get auth(): Auth | undefined {
    return this.#auth
  }

  /** Connections made so far. */
  get connections(): number {
    return this.#exchanger.agent.connections
  }

  get depthLimit(): number {
    return this.#options.limits.answerDepth
  }

  wallNow(): number {
    return this.#options.wallNow()
  }

  resolve(reference: unknown): string | undefined {
    return resolveReference(this.#options.address, reference)
  }

  /** One bare exchange over the kept connection. For the rooms' own functions: callers use the methods below, which take their turn. */
  exchange(ask: Ask): Promise<Answer> {
    return this.#exchanger.exchange(ask)
  }

  /** The service root, read once without log-in. */
  service(signal?: AbortSignal): Promise<Service> {
    return this.#lane.run(signal, () => this.#root(signal))
  }

  /** Logs in unless that is done, and says how. */
  logIn(signal?: AbortSignal): Promise<Auth> {
    return this.#lane.run(signal, () => this.#logIn(signal))
  }

  /** Reads one resource, fresh. `path` is resolved. Logs in where needed and, when the session was lost, once more. */
  get(path: string, signal?: AbortSignal): Promise<Resource> {
    return this.#lane.run(signal, async () => {
      const auth = await this.#logIn(signal)
      let answer = await this.#read(path, await this.#readHeaders(auth), signal)
      if (auth.kind === 'session' && this.#isLost(answer)) {
        this.#auth = undefined
        answer = await this.#read(path, await this.#readHeaders(await this.#logIn(signal)), signal)
      }
      if (auth.kind === 'basic' && answer.status < 400) this.#options.loggedIn?.()
      return this.#resource(path, answer)
    })
  }

  /**
   * Changes properties of one resource. No power command: it may be repeated, so it logs in where needed and, when the session was lost, once more.
   * Gives the status of an answer that took or refused it (2xx, 3xx, 4xx); throws RedfishError for all else, "busy" and a refused log-in among it.
   */
  patch(path: string, body: object, ifMatch: string | undefined, signal?: AbortSignal): Promise<{ status: number }> {
    return this.#lane.run(signal, async () => {
      const send = async (auth: Auth): Promise<Answer> => {
        const headers = { ...postHeaders(await this.#authHeader(auth)), ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) }
        return this.exchange({ method: 'PATCH', path, headers, body: JSON.stringify(body), signal })
      }
      this.#exchanger.agent.dropIdle(COMMAND_IDLE_MS)
      const auth = await this.#logIn(signal)
      let answer = await send(auth)
      if (auth.kind === 'session' && this.#isLost(answer)) {
        this.#auth = undefined
        answer = await send(await this.#logIn(signal))
      }
      if (answer.status >= 400) {
        const error = errorOf(factsOf(answer, this.depthLimit, this.wallNow()), `PATCH ${path}`)
        // A 403 is one of privilege here: the log-in was good, and the account is in no danger.
        if (answer.status === 401 || answer.status >= 500 || error.reason === 'busy') throw error
      }
      return { status: answer.status }
    })
  }

  /** Sends one command, once (see `sendCommand`). Never throws. */
  command(request: CommandRequest, signal?: AbortSignal): Promise<CommandResult> {
    const expiresAt = performance.now() + request.timeToLiveMs
    return this.#lane
      .run(signal, async () => {
        // By identity: a session that was lost and replaced since is another object.
        if (this.#auth === undefined || this.#auth !== request.auth) return { kind: 'unsent', reason: 'session_changed' } as const
        if (request.freshConnection) this.#exchanger.agent.reset()
        else this.#exchanger.agent.dropIdle(COMMAND_IDLE_MS)
        return await sendCommand(this, request, await this.#authHeader(request.auth), expiresAt, signal)
      })
      .catch((error: unknown) => ({ kind: 'unsent', reason: error instanceof RedfishError ? error.reason : 'no_credential' }) as const)
  }

  /** Closes a session given only its reference, of this client or another. Never throws. */
  closeSession(ref: SessionRef, signal?: AbortSignal): Promise<Closing> {
    return this.#lane.run(signal, () => closeSession(this, ref, signal)).catch(() => 'unknown' as const)
  }

  /** Closes this client's own session, if it has one. `unknown` under Basic. Never throws. */
  logOut(signal?: AbortSignal): Promise<Closing> {
    return this.#lane
      .run(signal, () => {
        const auth = this.#auth
        this.#auth = undefined
        if (auth === undefined) return Promise.resolve('closed' as const)
        return auth.kind === 'session' ? closeSession(this, auth.ref, signal) : Promise.resolve('unknown' as const)
      })
      .catch(() => 'unknown' as const)
  }

  /** Destroys the connection. Nothing is sent any more. */
  close(): void {
    this.#exchanger.close()
  }

  async #root(signal: AbortSignal | undefined): Promise<Service> {
    if (this.#service !== undefined) return this.#service
    // The one path that a client may know by itself (DSP0266).
    const path = `${this.#options.address.prefix}/redfish/v1/`
    const resource = this.#resource(path, await this.#read(path, READ_HEADERS, signal))
    this.#service = serviceOf(resource.body, reference => this.resolve(reference))
    return this.#service
  }

  async #logIn(signal: AbortSignal | undefined): Promise<Auth> {
    if (this.#auth !== undefined) return this.#auth
    const { sessionsPath } = await this.#root(signal)
    const auth: Auth = sessionsPath === undefined ? { kind: 'basic' } : await logIn(this, sessionsPath, this.#options.credential, signal)
    this.#auth = auth
    if (auth.kind === 'basic') return auth
    this.#options.loggedIn?.()
    this.#headers = { ...READ_HEADERS, ...(await this.#authHeader(auth)) }
    return auth
  }

  async #readHeaders(auth: Auth): Promise<Record<string, string>> {
    return auth.kind === 'session' ? this.#headers : { ...READ_HEADERS, ...(await this.#authHeader(auth)) }
  }

  async #authHeader(auth: Auth): Promise<Record<string, string>> {
    if (auth.kind === 'session') return { 'x-auth-token': auth.ref.token.reveal() }
    return { authorization: basicHeader(await this.#options.credential()) }
  }

  /** A GET: up to three redirects within the same origin, one repetition when a kept connection turns out dead, one without `identity` on 406. */
  async #read(path: string, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<Answer> {
    this.#exchanger.agent.dropIdle(this.#options.idleMs ?? 15_000)
    let target = path
    for (let hop = 0; ; hop++) {
      const answer = await this.#readOnce(target, headers, signal)
      if (![301, 302, 303, 307, 308].includes(answer.status)) return answer
      const next = this.resolve(headerOf(answer, 'location'))
      if (next === undefined) throw new RedfishError('redirect_refused', 'the service redirects to another host', { status: answer.status })
      if (hop >= MAX_REDIRECTS) throw new RedfishError('redirect_refused', 'too many redirects', { status: answer.status })
      target = next
    }
  }

  async #readOnce(path: string, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<Answer> {
    const ask: Ask = { method: 'GET', path, headers: this.#gzip ? { ...headers, 'accept-encoding': 'gzip' } : headers, signal }
    let answer: Answer
    try {
      answer = await this.exchange(ask)
    } catch (error) {
      // HPE iLO resets kept connections (libredfish); any service closes an idle one at some time. Reads only.
      const stale = error instanceof RedfishError && error.reason === 'connection_lost' && error.facts.reused === true
      if (!stale) throw error
      answer = await this.exchange(ask)
    }
    // HPE Gen10 and later answer 406 to `identity` for some resources (sushy).
    if (answer.status !== 406 || this.#gzip) return answer
    this.#gzip = true
    return this.exchange({ ...ask, headers: { ...headers, 'accept-encoding': 'gzip' } })
  }

  #isLost(answer: Answer): boolean {
    if (answer.status !== 401 && answer.status !== 403) return false
    return isSessionLost(answer.status, factsOf(answer, this.depthLimit, this.wallNow()).messageIds)
  }

  #resource(path: string, answer: Answer): Resource {
    if (answer.status !== 200) throw errorOf(factsOf(answer, this.depthLimit, this.wallNow()), `GET ${path}`)
    const body = parseJson(answer.body, this.depthLimit)
    const etag = headerOf(answer, 'etag')
    const date = headerOf(answer, 'date')
    const age = Number(headerOf(answer, 'age'))
    return {
      path,
      body,
      ...(etag === undefined ? {} : { etag }),
      ...(date === undefined ? {} : { date }),
      ...(age > 0 ? { ageSeconds: age } : {}),
    }
  }
}
