import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { PlacedEvent } from '../../core/documents.ts'
import type { Caller } from '../../core/gateway.ts'
import { isTerminal } from '../../core/job.ts'
import { permits, type Scope } from '../../core/scopes.ts'
import { callerOf, sees } from '../access.ts'
import type { Api, Context } from '../context.ts'
import { operation } from '../operation.ts'
import { plainError } from '../problems.ts'
import { IdParams, PATTERNS } from '../schemas/common.ts'
import { HEARTBEAT_MS, type SseEvent, SseStream } from '../sse.ts'
import { goneSignal } from '../wait.ts'
import { showDevice } from './devices.ts'
import { showHold } from './holds.ts'
import { showJob, visibleJob } from './jobs.ts'

/** Events that are read at a time. */
const PAGE = 100

const SCOPE_OF: Partial<Record<PlacedEvent['topic'], Scope>> = {
  job: 'jobs:read',
  hold: 'holds:read',
  receipt: 'receipts:read',
  device: 'devices:read',
}
const STREAM = {
  'text/event-stream': {
    schema: Type.String({
      description:
        '`event:` the kind of resource, `id:` where to go on with Last-Event-ID, `data:` the resource as its GET shows it. Comments are heartbeats.',
    }),
  },
}

/** `/v1/events` and `/v1/jobs/{id}/events`: server-sent events (WHATWG HTML, 9.2). */
export function eventRoutes(api: Api, context: Context): void {
  const { service, clock, hub } = context

  /** The resource of an event as this caller may see it; undefined where it may not, or where it is gone. */
  async function resource(caller: Caller, { topic, id, cluster }: PlacedEvent): Promise<object | undefined> {
    const scope = SCOPE_OF[topic]
    if (scope === undefined || !permits(caller, scope) || (cluster !== undefined && !sees(caller, cluster))) return undefined
    const show = <T extends { cluster: string }>(thing: T | undefined, view: (thing: T) => object) =>
      thing && sees(caller, thing.cluster) ? view(thing) : undefined
    if (topic === 'job') return show(await service.jobs.get(id), job => showJob(job))
    if (topic === 'hold') return show(await service.holds.get(id), showHold)
    if (topic === 'receipt') return show(await service.receipts.get(id), receipt => receipt)
    const device = await service.devices.get(id)
    return device ? showDevice(device) : { name: id, removed: true }
  }

  /** Opens a stream and keeps `work` going until it ends, the reader goes or the server closes. The answer has begun: errors end the stream. */
  async function stream(
    request: FastifyRequest,
    reply: FastifyReply,
    work: (stream: SseStream, gone: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { signal, done } = goneSignal(reply, context.closing)
    const sse = new SseStream(reply, clock)
    try {
      await work(sse, signal)
    } catch (error) {
      if (!signal.aborted) request.log.warn({ err: plainError(error) }, 'an event stream ended')
    } finally {
      done()
      sse.end()
    }
  }

  /** Waits for the bell; after a heartbeat's time resolves with true. */
  async function quiet(bell: { wait(until: Promise<unknown>): Promise<void> }, gone: AbortSignal): Promise<boolean> {
    const stop = new AbortController()
    const abort = (): void => stop.abort()
    gone.addEventListener('abort', abort, { once: true })
    if (gone.aborted) abort()
    let timed = false
    const timer = clock.sleep(HEARTBEAT_MS, stop.signal).then(
      () => {
        timed = true
      },
      () => undefined,
    )
    await bell.wait(timer)
    gone.removeEventListener('abort', abort)
    stop.abort()
    return timed
  }

  api.get(
    '/v1/events',
    operation({
      id: 'streamEvents',
      tag: 'events',
      summary: 'Follow everything that changes',
      description:
        "Events of jobs, holds, receipts and devices, each as far as the token's scopes and clusters let it be read. `data` is the resource as it is when it is sent; a removed device is `{name, removed: true}`. Without Last-Event-ID it begins now.",
      access: { scopes: ['jobs:read', 'holds:read', 'receipts:read', 'devices:read'] },
      headers: Type.Object({
        'Last-Event-ID': Type.Optional(
          Type.String({ pattern: PATTERNS.cursor.pattern, description: 'Go on after this event.', examples: ['1763817727123-0'] }),
        ),
      }),
      answers: { 200: { description: 'Server-sent events, without end.', content: STREAM } },
      noHead: true,
    }),
    async (request, reply) => {
      const caller = callerOf(request)
      // Asked before the answer begins, so that a store that is away, or a cursor that is none, is a problem and not an empty stream.
      let cursor = request.headers['last-event-id'] ?? (await service.events.lastCursor())
      let batch = await service.events.after(String(cursor), PAGE)
      await stream(request, reply, async (sse, gone) => {
        const bell = hub.bell('all')
        try {
          await sse.beat(String(cursor))
          while (!gone.aborted) {
            for (const event of batch) {
              const data = await resource(caller, event)
              if (data) await sse.send({ event: event.topic, id: event.cursor, data })
              cursor = event.cursor
            }
            if (batch.length === 0 && (await quiet(bell, gone))) {
              if (!(await stillValid(request))) return
              await sse.beat(String(cursor))
            }
            if (gone.aborted) return
            batch = await service.events.after(String(cursor), PAGE)
          }
        } finally {
          bell.close()
        }
      })
      return reply
    },
  )

  api.get(
    '/v1/jobs/:id/events',
    operation({
      id: 'streamJobEvents',
      tag: 'events',
      summary: 'Follow one job to its end',
      description:
        'Begins with the job as it is, goes on with each change that is seen, and ends after the final state. `id:` is the revision; a reader that comes back with that of the final state gets 204.',
      access: { scopes: ['jobs:read'] },
      params: IdParams,
      headers: Type.Object({
        'Last-Event-ID': Type.Optional(Type.String({ description: 'The revision that was seen last.', examples: ['7'] })),
      }),
      answers: {
        200: { description: 'Server-sent events until the job has ended.', content: STREAM },
        204: { description: 'The job has ended and its final state was seen.' },
      },
      refuses: [404],
      noHead: true,
    }),
    async (request, reply) => {
      const caller = callerOf(request)
      const { id } = request.params
      let job = await visibleJob(context, caller, id)
      let seen = Number(request.headers['last-event-id'] ?? -1)
      if (isTerminal(job.state) && seen === job.revision) return reply.code(204).send()
      await stream(request, reply, async (sse, gone) => {
        const bell = hub.bell({ topic: 'job', id })
        try {
          await sse.beat()
          for (;;) {
            job = await visibleJob(context, caller, id)
            if (job.revision !== seen) {
              const event: SseEvent = { event: 'job', id: String(job.revision), data: showJob(job) }
              await sse.send(event)
              seen = job.revision
            }
            if (isTerminal(job.state) || gone.aborted) return
            if (await quiet(bell, gone)) {
              if (!(await stillValid(request))) return
              await sse.beat(String(seen))
            }
          }
        } finally {
          bell.close()
        }
      })
      return reply
    },
  )
}

/** A stream outlives the moment its token was checked in: a revoked one ends it at the next heartbeat. */
async function stillValid(request: FastifyRequest): Promise<boolean> {
  return request.recheck ? request.recheck() : false
}
