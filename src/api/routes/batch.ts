import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import type { Caller } from '../../core/gateway.ts'
import { callerOf } from '../access.ts'
import type { Api, Context } from '../context.ts'
import { namingFields } from '../fields.ts'
import { operation } from '../operation.ts'
import { expected, plainError, problemOf } from '../problems.ts'
import { ref } from '../schemas/common.ts'
import { BatchItemSchema, BatchRequestSchema, BatchResponseSchema, type BatchResultSchema, LooseBatchSchema } from '../schemas/job.ts'
import { badRequest, fieldError, type SchemaError } from '../validation.ts'
import { jobLocation, showJob, submitJob } from './jobs.ts'

type Item = Static<typeof BatchItemSchema>
type Result = Static<typeof BatchResultSchema>

/** Items that are asked for at the same time: enough to share the store's waits, few enough to leave it free for others. */
const AT_ONCE = 16

/** `/v1/jobs/batch`: up to 1,000 jobs in one request, each taken or refused for itself. */
export function batchRoutes(api: Api, context: Context): void {
  const itemSchema = ref(BatchItemSchema)

  async function take(request: FastifyRequest, caller: Caller, item: unknown): Promise<Result> {
    try {
      const validate = request.compileValidationSchema(itemSchema as unknown as Record<string, unknown>)
      if (!validate(item)) throw badRequest(((validate.errors ?? []) as SchemaError[]).map(error => fieldError(error)))
      const { idempotencyKey, ...body } = item as Item
      const { job, joined, replayed } = await submitJob(context, caller, body, idempotencyKey)
      return { status: 202, location: jobLocation(job), ...(replayed ? { replayed } : {}), job: showJob(job, joined) }
    } catch (error) {
      if (!expected(error)) request.log.error({ err: plainError(error) }, 'an item of a batch failed')
      const problem = problemOf(namingFields(error, item), request.id)
      return { status: problem.status, problem }
    }
  }

  api.post(
    '/v1/jobs/batch',
    operation({
      id: 'createJobs',
      tag: 'jobs',
      summary: 'Ask for up to 1,000 actions',
      description:
        'Answers item by item, in the order of the request: one bad item spoils none. Each item has its own Idempotency-Key, so the same batch can be sent again.',
      access: { scopes: ['jobs:off', 'jobs:on', 'jobs:read'] },
      body: LooseBatchSchema,
      documentedBody: ref(BatchRequestSchema),
      answers: { 200: { description: 'What became of each item.', schema: ref(BatchResponseSchema) } },
      refuses: [404, 409, 422],
    }),
    async (request, reply) => {
      const caller = callerOf(request)
      const { items } = request.body
      const results = new Array<Result>(items.length)
      let next = 0
      const work = async (): Promise<void> => {
        for (let index = next++; index < items.length; index = next++) results[index] = await take(request, caller, items[index])
      }
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work))
      return reply.send({ items: results })
    },
  )
}
