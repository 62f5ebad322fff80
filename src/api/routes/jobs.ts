import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { SafestateError } from '../../core/errors.ts'
import type { Caller, JobRequest } from '../../core/gateway.ts'
import { isTerminal, type Job } from '../../core/job.ts'
import { parseNodeKey } from '../../core/topology.ts'
import { publicJob } from '../../core/views.ts'
import { callerOf, demand, scopesOf, sees, visible, within } from '../access.ts'
import type { Api, Context } from '../context.ts'
import { etagOf, isKnown } from '../etag.ts'
import { operation } from '../operation.ts'
import { IdParams, ref } from '../schemas/common.ts'
import { CancelRequestSchema, IdempotencyHeaders, JobPageSchema, JobQuery, JobRequestSchema, JobSchema } from '../schemas/job.ts'
import { goneSignal, MAX_WAIT_SECONDS, waitForChange, waitPreference } from '../wait.ts'
import { CREATED_HEADERS, REVISION_HEADERS, WaitHeaders } from './headers.ts'

/** A job as the document describes it. */
export function showJob(job: Job, joined = false): Static<typeof JobSchema> {
  return publicJob(job, joined)
}

/** Where a job is. */
export function jobLocation(job: Job): string {
  return `/v1/jobs/${encodeURIComponent(job.id)}`
}

/** The job of this id that the caller may see; else 404. */
export async function visibleJob({ service }: Context, caller: Caller, id: string): Promise<Job> {
  return visible(caller, await service.jobs.get(id), 'job', 'not_found', { jobId: id })
}

/**
 * Takes a request for a job in: checks what the caller may ask for, and asks. Nodes without a cluster get one here (`default`, further nodes that of the
 * job), so that what was checked is what is done.
 */
export async function submitJob({ service }: Context, caller: Caller, body: JobRequest, key: string) {
  const cluster = body.cluster ?? 'default'
  for (const scope of scopesOf(body.action)) demand(caller, scope, cluster)
  if (body.releaseHolder) demand(caller, 'holds:release', cluster)
  const alsoNodes = body.alsoNodes?.map(node => (node.includes('/') ? node : `${cluster}/${node}`))
  for (const node of alsoNodes ?? []) for (const scope of scopesOf(body.action)) demand(caller, scope, parseNodeKey(node).cluster)
  return service.jobs.submit({ ...body, cluster, ...(alsoNodes === undefined ? {} : { alsoNodes }) }, key, caller)
}

/** The Idempotency-Key of a request that its schema let through. */
export function keyOf(request: FastifyRequest): string {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string' || key === '') throw new SafestateError('idempotency_key_missing', 'the header Idempotency-Key is missing')
  return key
}

/** `/v1/jobs`: creating, listing, reading with a long-poll, cancelling. */
export function jobRoutes(api: Api, context: Context): void {
  const { service, clock, hub, closing } = context

  api.post(
    '/v1/jobs',
    operation({
      id: 'createJob',
      tag: 'jobs',
      summary: 'Ask for an action on a node',
      description:
        'Always answers 202 once the job is durable; the result comes with the job. An `off` joins a running `off` where that satisfies both: then `joined` is true and Location names the earlier job. The scope goes by the action: `jobs:off`, `jobs:on`, both for `reboot`, `jobs:read` for `status`; `releaseHolder` needs `holds:release` too.',
      access: { scopes: ['jobs:off', 'jobs:on', 'jobs:read'] },
      headers: IdempotencyHeaders,
      body: ref(JobRequestSchema),
      answers: { 202: { description: 'Taken: the job is stored and will end.', schema: ref(JobSchema), headers: CREATED_HEADERS } },
      refuses: [404, 409, 422],
    }),
    async (request, reply) => {
      const { job, joined, replayed } = await submitJob(context, callerOf(request), request.body, keyOf(request))
      if (replayed) reply.header('idempotency-replayed', 'true')
      return reply.code(202).header('location', jobLocation(job)).header('etag', etagOf(job.revision)).send(showJob(job, joined))
    },
  )

  api.get(
    '/v1/jobs',
    operation({
      id: 'listJobs',
      tag: 'jobs',
      summary: 'List jobs, newest first',
      access: { scopes: ['jobs:read'] },
      query: JobQuery,
      answers: { 200: { description: 'A page of jobs.', schema: ref(JobPageSchema) } },
    }),
    async (request, reply) => {
      const caller = callerOf(request)
      const { after, limit, ...filter } = request.query
      if (filter.cluster !== undefined && !sees(caller, filter.cluster)) return reply.send({ items: [] })
      const page = await service.jobs.list(filter, { limit: limit ?? 50, ...within(caller), ...(after === undefined ? {} : { after }) })
      return reply.send({ ...page, items: page.items.map(job => showJob(job)) })
    },
  )

  api.get(
    '/v1/jobs/:id',
    operation({
      id: 'getJob',
      tag: 'jobs',
      summary: 'Read a job, or wait for its next change',
      description: `With \`Prefer: wait=N\` (at most ${MAX_WAIT_SECONDS} s) the answer comes when the job's revision is another than that of If-None-Match, else 304 when the time is over. Without If-None-Match it comes at the next change or when the time is over, at once where the job has ended.`,
      access: { scopes: ['jobs:read'] },
      params: IdParams,
      headers: WaitHeaders,
      answers: {
        200: { description: 'The job.', schema: ref(JobSchema), headers: REVISION_HEADERS },
        304: { description: 'Nothing new within the time.' },
      },
      refuses: [404],
    }),
    async (request, reply) => {
      const caller = callerOf(request)
      const { id } = request.params
      let job = await visibleJob(context, caller, id)
      const seconds = waitPreference(request.headers.prefer)
      const conditional = request.headers['if-none-match'] !== undefined
      if (seconds !== undefined) {
        reply.header('preference-applied', `wait=${seconds}`)
        if (conditional ? isKnown(request, job.revision) : !isTerminal(job.state)) {
          const { signal, done } = goneSignal(reply, closing)
          try {
            const read = () => service.jobs.get(id)
            const later = await waitForChange({ hub, clock }, { id, known: job.revision, seconds, read, gone: signal })
            job = visible(caller, later, 'job', 'not_found', { jobId: id })
          } finally {
            done()
          }
        }
      }
      reply.header('etag', etagOf(job.revision))
      if (isKnown(request, job.revision)) return reply.code(304).send()
      return reply.send(showJob(job))
    },
  )

  api.post(
    '/v1/jobs/:id/cancel',
    operation({
      id: 'cancelJob',
      tag: 'jobs',
      summary: "Take back a holder's wish",
      description:
        "The job ends only when nobody wants it any more. After its first command it can't be cancelled (409 `no_change`): it runs on to its verdict. Needs the scopes that the job's creation needs.",
      access: { scopes: ['jobs:off', 'jobs:on', 'jobs:read'] },
      params: IdParams,
      body: CancelRequestSchema,
      answers: { 200: { description: 'The job after the cancel.', schema: ref(JobSchema), headers: REVISION_HEADERS } },
      refuses: [404, 409],
    }),
    async (request, reply) => {
      const caller = callerOf(request)
      const { action, cluster } = await visibleJob(context, caller, request.params.id)
      for (const scope of scopesOf(action)) demand(caller, scope, cluster)
      const job = await service.jobs.cancel(request.params.id, caller, request.body?.holder)
      return reply.header('etag', etagOf(job.revision)).send(showJob(job))
    },
  )

  api.post(
    '/v1/jobs/cancel',
    operation({
      id: 'cancelJobByKey',
      tag: 'jobs',
      summary: 'Cancel by Idempotency-Key',
      description:
        'For callers that never saw the answer to their POST. A key that was not used yet is spent by this: a later POST with it is 409 `idempotency_key_cancelled`.',
      access: { scopes: ['jobs:off', 'jobs:on', 'jobs:read'] },
      headers: IdempotencyHeaders,
      answers: {
        200: { description: "The key's job after the cancel.", schema: ref(JobSchema), headers: REVISION_HEADERS },
        204: { description: 'The key had not been used: no job can come of it any more.' },
      },
      refuses: [409],
    }),
    async (request, reply) => {
      const job = await service.jobs.cancelKey(keyOf(request), callerOf(request))
      if (!job) return reply.code(204).send()
      return reply.header('etag', etagOf(job.revision)).send(showJob(job))
    },
  )
}
