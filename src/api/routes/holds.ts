import type { Static } from 'typebox'
import type { Hold } from '../../core/job.ts'
import { publicHold } from '../../core/views.ts'
import { callerOf, demand, visible, within } from '../access.ts'
import type { Api, Context } from '../context.ts'
import { etagOf } from '../etag.ts'
import { operation } from '../operation.ts'
import { IdParams, PageQuery, ref, strict } from '../schemas/common.ts'
import { HoldPageSchema, HoldSchema, ReleaseRequestSchema, ReleaseResponseSchema } from '../schemas/hold.ts'
import { REVISION_HEADERS } from './headers.ts'
import { showJob } from './jobs.ts'

/** A hold as the document describes it. */
export function showHold(hold: Hold): Static<typeof HoldSchema> {
  return publicHold(hold)
}

/** `/v1/holds`: what is kept off, and letting go of it. */
export function holdRoutes(api: Api, { service }: Context): void {
  api.get(
    '/v1/holds',
    operation({
      id: 'listHolds',
      tag: 'holds',
      summary: 'List the holds that are not released',
      access: { scopes: ['holds:read'] },
      query: strict(PageQuery),
      answers: { 200: { description: 'A page of holds.', schema: ref(HoldPageSchema) } },
    }),
    async (request, reply) => {
      const { after, limit } = request.query
      const page = await service.holds.list({ limit: limit ?? 50, ...within(callerOf(request)), ...(after === undefined ? {} : { after }) })
      return reply.send({ ...page, items: page.items.map(showHold) })
    },
  )

  api.get(
    '/v1/holds/:id',
    operation({
      id: 'getHold',
      tag: 'holds',
      summary: 'Read a hold',
      access: { scopes: ['holds:read'] },
      params: IdParams,
      answers: { 200: { description: 'The hold.', schema: ref(HoldSchema), headers: REVISION_HEADERS } },
      refuses: [404],
    }),
    async (request, reply) => {
      const hold = visible(callerOf(request), await service.holds.get(request.params.id), 'hold')
      return reply.header('etag', etagOf(hold.revision)).send(showHold(hold))
    },
  )

  api.post(
    '/v1/holds/:id/release',
    operation({
      id: 'releaseHold',
      tag: 'holds',
      summary: "End one holder's hold",
      description:
        'The last release powers the node on, in the same step, where `restore` is true and the hold owes it. An older attempt than the present one has no effect (409 `stale_release`). `force` ends it for all holders and needs `holds:force`.',
      access: { scopes: ['holds:release', 'holds:force'] },
      params: IdParams,
      body: ref(ReleaseRequestSchema),
      answers: {
        200: { description: 'The hold after the release, and the job that powers the node on.', schema: ref(ReleaseResponseSchema) },
      },
      refuses: [404, 409],
    }),
    async (request, reply) => {
      const caller = callerOf(request)
      const { id } = request.params
      const { cluster } = visible(caller, await service.holds.get(id), 'hold')
      demand(caller, request.body.force === true ? 'holds:force' : 'holds:release', cluster)
      const { hold, job } = await service.holds.release(id, request.body, caller)
      return reply.send({ hold: showHold(hold), ...(job === undefined ? {} : { job: showJob(job) }) })
    },
  )
}
