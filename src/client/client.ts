import createFetchClient, { type Client } from 'openapi-fetch'
import { type ClientClock, systemClock } from './clock.ts'
import type { paths } from './generated/schema.ts'
import { GatewayAwayError, type ProblemDetails, ProblemError } from './problem.ts'

/** What a client is made from. */
export interface ClientOptions {
  /** Base address of the gateway, e.g. `https://safestate.example:8443`. */
  url: string
  /** API token, sent as `Authorization: Bearer`. A function is asked before each request, for tokens that are renewed. */
  token: string | (() => string)
  fetch?: (request: Request) => Promise<Response>
  clock?: ClientClock
  /** 0 ≤ r < 1; spreads the retries of many clients. */
  random?: () => number
}

/** A gateway as seen by a caller. `api` is the typed client over every route of the OpenAPI document; the functions of this package are built on it. */
export interface SafestateClient {
  readonly url: string
  readonly api: Client<paths>
  readonly clock: ClientClock
  readonly random: () => number
}

/** Makes a client. The token is kept in a closure: printing or serialising the client does not show it. Throws TypeError for an unusable URL. */
export function createClient(options: ClientOptions): SafestateClient {
  const url = new URL(options.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError('the URL of a gateway begins with http:// or https://')
  if (url.username !== '' || url.password !== '') throw new TypeError('the URL of a gateway must not contain a user name or password')
  const base = `${url.origin}${url.pathname.replace(/\/+$/, '')}`
  const send = options.fetch ?? ((request: Request) => fetch(request))
  const { token } = options
  const api = createFetchClient<paths>({
    baseUrl: base,
    // The gateway never redirects; following one could carry the token to somebody else.
    redirect: 'manual',
    fetch: request => {
      request.headers.set('authorization', `Bearer ${typeof token === 'function' ? token() : token}`)
      return send(request)
    },
  })
  return { url: base, api, clock: options.clock ?? systemClock, random: options.random ?? Math.random }
}

/** How one exchange ended: `data` is undefined for 204 and 304. */
export interface Answer<T> {
  data: T | undefined
  response: Response
}

/** Limits of one exchange. */
export interface CallOptions {
  signal?: AbortSignal | undefined
  /** Time for the whole exchange; default 60 s. */
  timeoutMs?: number
}

/**
 * One exchange with the gateway: resolves with its answer (2xx or 304), rejects with ProblemError for any other, GatewayAwayError where no whole
 * answer came, and the signal's reason when aborted.
 */
export async function call<T>(
  client: SafestateClient,
  exchange: (api: Client<paths>, signal: AbortSignal) => Promise<{ data?: T; error?: unknown; response: Response }>,
  { signal, timeoutMs = 60_000 }: CallOptions = {},
): Promise<Answer<T>> {
  signal?.throwIfAborted()
  const limit = new AbortController()
  const stop = new AbortController()
  const forward = (): void => limit.abort(signal?.reason)
  signal?.addEventListener('abort', forward, { once: true })
  client.clock.sleep(timeoutMs, stop.signal).then(
    () => limit.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
    () => undefined,
  )
  try {
    const { data, error, response } = await exchange(client.api, limit.signal)
    if (response.ok || response.status === 304) return { data, response }
    throw new ProblemError(response.status, problemOf(error, response))
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof ProblemError) throw error
    throw new GatewayAwayError(client.url, limit.signal.aborted ? limit.signal.reason : error)
  } finally {
    signal?.removeEventListener('abort', forward)
    stop.abort()
  }
}

/** As `call`, for exchanges that are answered with a body: resolves with it. */
export async function ask<T>(
  client: SafestateClient,
  exchange: (api: Client<paths>, signal: AbortSignal) => Promise<{ data?: T; error?: unknown; response: Response }>,
  options: CallOptions = {},
): Promise<T> {
  const { data, response } = await call(client, exchange, options)
  if (data === undefined) throw new ProblemError(response.status, { title: 'Empty answer', detail: `${client.url} sent no body` })
  return data
}

/** Problem details out of an error body; a page of a proxy gives its status text. Retry-After is taken from the header where the body has none. */
function problemOf(body: unknown, response: Response): ProblemDetails {
  const after = Number(response.headers.get('retry-after') ?? Number.NaN)
  const retryAfter = Number.isFinite(after) ? { retryAfter: after } : {}
  if (typeof body === 'object' && body !== null && 'code' in body) return { ...retryAfter, ...(body as ProblemDetails) }
  return { ...retryAfter, title: `HTTP ${response.status}${response.statusText === '' ? '' : ` ${response.statusText}`}` }
}
