import { type ClientRequest, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { AxiosHeaders, getAdapter } from 'axios'
import type { ExchangeLimits } from '../../core/driver.ts'
import type { TlsSetting } from '../../core/topology.ts'
import type { RedfishAddress } from './address.ts'
import { BmcAgent } from './agent.ts'
import type { Answer } from './answer.ts'
import { type FailureReason, RedfishError } from './failure.ts'

/** One HTTP request. `path` is resolved (prefix included). */
export interface Ask {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  headers: Record<string, string>
  body?: string
  signal?: AbortSignal | undefined
  /** Monotonic time (performance.now) after which not a byte may leave and the sockets are destroyed; for commands. */
  expiresAt?: number
}

/**
 * Axios' own HTTP client, without what `axios.request` puts around it for each request (merging of defaults, interceptors, transforms: none is used
 * here): a fifth of a read's CPU.
 */
const send = getAdapter('http')

/** Header lines of one answer together. Node's own default, made explicit. */
const HEADER_BYTES = 16_384

/**
 * Bounded exchanges with one BMC over axios: answer size (decompressed), headers and time are limited, redirects and proxies are never followed,
 * and every failure is turned into a RedfishError that keeps no reference to axios' error (its config holds the token).
 */
export class Exchanger {
  readonly agent: BmcAgent
  readonly #options: Omit<Parameters<typeof send>[0], 'headers'>
  readonly #limits: ExchangeLimits
  readonly #address: RedfishAddress
  #closed = false

  constructor(address: RedfishAddress, tls: TlsSetting, limits: ExchangeLimits) {
    if (!address.secure && tls.mode !== 'insecure') throw new RedfishError('bad_address', 'http needs tls insecure')
    this.#address = address
    this.#limits = limits
    this.agent = new BmcAgent(address, tls, limits.connectMs)
    this.#options = {
      httpAgent: this.agent,
      httpsAgent: this.agent,
      proxy: false,
      maxRedirects: 0,
      responseType: 'arraybuffer',
      maxContentLength: limits.answerBytes,
      maxBodyLength: 65_536,
    }
  }

  /** One exchange. Throws RedfishError; `facts.written` is false only where provably nothing was sent. */
  async exchange(ask: Ask): Promise<Answer> {
    if (this.#closed) throw new RedfishError('closed', 'the client is closed', { written: false })
    if (ask.signal?.aborted) throw new RedfishError('aborted', 'aborted before the request', { written: false })
    const attempt = new Attempt(ask, this.#address.secure, this.#limits, this.agent)
    const give = (): void => attempt.fail('aborted')
    const timer = setTimeout(() => attempt.fail('exchange_timeout'), this.#limits.exchangeMs)
    const expiry =
      ask.expiresAt === undefined ? undefined : setTimeout(() => attempt.fail('expired'), Math.max(ask.expiresAt - performance.now(), 0))
    ask.signal?.addEventListener('abort', give)
    this.agent.failure = undefined
    try {
      // Not axios alone decides when this ends: destroying a request whose answer has begun makes axios wait for ever.
      const answer = await new Promise<{ status: number; data: Buffer }>((resolve, reject) => {
        attempt.onFail = reject
        send({
          ...this.#options,
          url: this.#address.origin + ask.path,
          method: ask.method,
          headers: AxiosHeaders.from(ask.headers),
          transport: attempt,
          ...(ask.body === undefined ? {} : { data: ask.body }),
        }).then(resolve, reject)
      })
      const message = attempt.message
      if (attempt.reason !== undefined || message === undefined || !message.complete) throw attempt.error('truncated', 'no whole answer')
      if (
        message.headers['content-encoding'] !== undefined &&
        message.headers['content-encoding'] !== 'identity' &&
        answer.data.length > 0
      ) {
        throw attempt.error('bad_encoding', 'an unknown content encoding')
      }
      return { status: answer.status, headers: message.headers, body: answer.data }
    } catch (error) {
      this.agent.reset()
      if (error instanceof RedfishError) throw error
      throw attempt.explain(error, this.agent.failure)
    } finally {
      clearTimeout(timer)
      clearTimeout(expiry)
      ask.signal?.removeEventListener('abort', give)
    }
  }

  /** Destroys the connection; later exchanges fail with `closed`. */
  close(): void {
    this.#closed = true
    this.agent.reset()
  }
}

/** One request under way: axios' transport, which is the only place where the sockets and the raw answer can be seen. */
class Attempt {
  reason: FailureReason | undefined
  message: IncomingMessage | undefined
  onFail: (error: Error) => void = () => undefined
  #written = false
  #reused = false
  #request: ClientRequest | undefined
  readonly #ask: Ask
  readonly #secure: boolean
  readonly #limits: ExchangeLimits
  readonly #agent: BmcAgent

  constructor(ask: Ask, secure: boolean, limits: ExchangeLimits, agent: BmcAgent) {
    this.#ask = ask
    this.#secure = secure
    this.#limits = limits
    this.#agent = agent
  }

  request(options: RequestOptions, onAnswer: (message: IncomingMessage) => void): ClientRequest {
    options.maxHeaderSize = HEADER_BYTES
    const request = (this.#secure ? requestHttps : requestHttp)(options, message => {
      this.message = message
      if (Number(message.headers['content-length']) > this.#limits.answerBytes) this.fail('too_large')
      onAnswer(message)
    })
    this.#request = request
    request.once('socket', () => {
      // The last moment before the request is written. Timers can be late (a stopped process, a busy loop); this check can't.
      if (this.#ask.expiresAt !== undefined && performance.now() >= this.#ask.expiresAt) this.fail('expired')
      if (this.reason !== undefined) {
        request.destroy(new Error(this.reason))
        return
      }
      this.#written = true
      this.#reused = request.reusedSocket
    })
    // Ended before axios came to the point of making it.
    if (this.reason !== undefined) request.destroy(new Error(this.reason))
    return request
  }

  /** Ends the exchange, and the connection with it: a request without a socket yet would otherwise wait for one. */
  fail(reason: FailureReason): void {
    if (this.reason !== undefined) return
    this.reason = reason
    this.#agent.reset()
    this.#request?.destroy(new Error(reason))
    this.onFail(new Error(reason))
  }

  error(reason: FailureReason, detail: string): RedfishError {
    const what = this.reason ?? reason
    return new RedfishError(what, `${this.#ask.method} failed: ${detail} (${what})`, { written: this.#written, reused: this.#reused })
  }

  /** Turns what axios threw into our own error; only its code and a fixed phrase of its message are looked at. */
  explain(error: unknown, connecting: RedfishError | undefined): RedfishError {
    if (this.reason !== undefined) return this.error(this.reason, 'ended by us')
    if (connecting !== undefined && !this.#written) return connecting
    const code = codeOf(error)
    const phrase = error instanceof Error ? error.message : ''
    if (code === 'HPE_HEADER_OVERFLOW') return this.error('headers_too_large', `headers over ${HEADER_BYTES} bytes`)
    if (code.startsWith('HPE_')) return this.error('bad_http', 'the answer is not HTTP')
    if (code.startsWith('Z_') || code.startsWith('ERR_BROTLI')) return this.error('bad_encoding', 'the body does not decompress')
    if (phrase.startsWith('maxContentLength')) return this.error('too_large', `answer over ${this.#limits.answerBytes} bytes`)
    if (this.message !== undefined) return this.error('truncated', 'the answer was cut')
    return this.error('connection_lost', /^[A-Z_]{1,40}$/.test(code) ? code : 'unknown')
  }
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
