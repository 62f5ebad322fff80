import type { SafestateClient } from './client.ts'
import { call } from './client.ts'
import type { Trouble } from './jobs.ts'
import { GatewayAwayError, ProblemError } from './problem.ts'

/** One server-sent event: `type` is the kind of resource, `data` the resource, `id` the cursor to go on from. */
export interface GatewayEvent {
  id: string
  type: string
  data: unknown
}

/** Which events, and from where. */
export interface EventOptions {
  signal?: AbortSignal
  /** Go on after this event; without it: from now. */
  lastEventId?: string
  /** Only the events of one job (`/v1/jobs/{id}/events`). */
  jobId?: string
  onTrouble?: Trouble
}

/**
 * Everything that changes, as it changes. Connects again after a break and goes on where it stopped, so an event may come twice but none is missed.
 * Ends when the gateway ends the stream of a job, when the signal aborts (silently), or with a ProblemError that asking again can't cure.
 */
export async function* events(client: SafestateClient, options: EventOptions = {}): AsyncGenerator<GatewayEvent, void, undefined> {
  const { signal, jobId, onTrouble } = options
  let cursor = options.lastEventId
  for (let failures = 0; !signal?.aborted; ) {
    const stop = new AbortController()
    const forward = (): void => stop.abort(signal?.reason)
    signal?.addEventListener('abort', forward, { once: true })
    let trouble: unknown
    try {
      const headers = { accept: 'text/event-stream', ...(cursor === undefined ? {} : { 'last-event-id': cursor }) }
      const init = { headers, parseAs: 'stream', signal: stop.signal } as const
      const { data } = await call<unknown>(
        client,
        (api, inner) => {
          // The limit is for the answer to begin; once it has, the stream lives on.
          inner.addEventListener('abort', () => stop.abort(inner.reason), { once: true })
          return jobId === undefined
            ? api.GET('/v1/events', init)
            : api.GET('/v1/jobs/{id}/events', { ...init, params: { path: { id: jobId } } })
        },
        { signal, timeoutMs: 15_000 },
      )
      for await (const event of parseEvents(data as ReadableStream<Uint8Array>)) {
        failures = 0
        if (event.id !== '') cursor = event.id
        yield event
      }
      if (jobId !== undefined) return
      trouble = new Error('the stream ended')
    } catch (error) {
      if (signal?.aborted) return
      if (error instanceof ProblemError && !error.retryable) throw error
      if (error instanceof GatewayAwayError && !error.retryable) throw error
      trouble = error
    } finally {
      signal?.removeEventListener('abort', forward)
      stop.abort()
    }
    const pause = Math.min(250 * 2 ** Math.min(failures++, 10), 5_000) * (0.5 + client.random() / 2)
    onTrouble?.(
      trouble instanceof ProblemError || trouble instanceof GatewayAwayError ? trouble : new GatewayAwayError(client.url, trouble),
      pause,
    )
    await client.clock.sleep(pause, signal).catch(() => undefined)
  }
}

/** The events of a `text/event-stream` body (WHATWG HTML, "Server-sent events"). Data that is not JSON is given as text. */
export async function* parseEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<GatewayEvent, void, undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  let id = ''
  let type = ''
  let data: string[] = []
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true })
    // A CR at the end may be half of a CRLF: it waits for the next chunk.
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, type: type === '' ? 'message' : type, data: parsed(data.join('\n')) }
        type = ''
        data = []
        continue
      }
      const colon = line.indexOf(':')
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (field === 'id') id = value
      else if (field === 'event') type = value
      else if (field === 'data') data.push(value)
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
