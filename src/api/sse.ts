import type { FastifyReply } from 'fastify'
import type { Clock } from '../core/clock.ts'

/** A comment this often tells both ends and proxies that the stream lives. */
export const HEARTBEAT_MS = 15_000
/** A reader that takes nothing for this long is cut off; it goes on with Last-Event-ID. */
export const STALLED_MS = 30_000

/** One event to be sent. */
export interface SseEvent {
  event: string
  id: string
  data: unknown
}

/**
 * A stream of server-sent events. `send` resolves once the socket takes more, so a slow reader holds up its own reading and nothing else:
 * at most one event more than the socket's buffer is ever kept.
 */
export class SseStream {
  readonly #raw: FastifyReply['raw']
  readonly #clock: Clock

  constructor(reply: FastifyReply, clock: Clock) {
    this.#clock = clock
    this.#raw = reply.raw
    const headers = reply.getHeaders()
    reply.hijack()
    this.#raw.writeHead(200, {
      ...(headers as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    this.#raw.flushHeaders()
  }

  /** Sends an event. Rejects when the reader is gone or stalled. */
  send({ event, id, data }: SseEvent): Promise<void> {
    return this.#write(`event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** Sends a sign of life, and how far the reader is, so that it need not come back to events that were not for it. */
  beat(id?: string): Promise<void> {
    return this.#write(`: heartbeat\n${id === undefined ? '' : `id: ${id}\n`}\n`)
  }

  /** Ends the stream in good order. */
  end(): void {
    this.#raw.end()
  }

  async #write(text: string): Promise<void> {
    if (this.#raw.destroyed) throw new Error('the reader is gone')
    if (this.#raw.write(text)) return
    const drained = new AbortController()
    let ready = false
    const settle = (): void => drained.abort()
    const onDrain = (): void => {
      ready = true
      settle()
    }
    this.#raw.once('drain', onDrain).once('close', settle)
    await this.#clock.sleep(STALLED_MS, drained.signal).catch(() => undefined)
    this.#raw.removeListener('drain', onDrain).removeListener('close', settle)
    if (!ready) {
      this.#raw.destroy()
      throw new Error('the reader is gone or too slow')
    }
  }
}
