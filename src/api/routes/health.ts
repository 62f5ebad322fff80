import type { Registry } from 'prom-client'
import { Type } from 'typebox'
import { SafestateError } from '../../core/errors.ts'
import type { Api, Context } from '../context.ts'
import { operation } from '../operation.ts'
import { PROBLEM_TYPE, sendProblem } from '../problems.ts'
import { AliveSchema, NotReadySchema, ReadySchema } from '../schemas/admin.ts'
import { ref } from '../schemas/common.ts'

/** `/livez`, `/readyz`, `/metrics`. */
export function healthRoutes(api: Api, { service }: Context, registry: Registry): void {
  api.get(
    '/livez',
    operation({
      id: 'getLiveness',
      tag: 'health',
      summary: 'Does the process answer?',
      access: 'public',
      answers: { 200: { description: 'It does.', schema: ref(AliveSchema) } },
    }),
    async (_request, reply) => reply.send({ alive: true }),
  )

  api.get(
    '/readyz',
    operation({
      id: 'getReadiness',
      tag: 'health',
      summary: 'Can jobs be taken and worked on?',
      description: "Shows the store's kind, and a warning where what is acknowledged could be lost.",
      access: 'public',
      answers: {
        200: { description: 'Ready.', schema: ref(ReadySchema) },
        503: { description: 'Not ready; `checks` says why.', content: { [PROBLEM_TYPE]: { schema: ref(NotReadySchema) } } },
      },
    }),
    async (request, reply) => {
      const { ready, store, checks } = await service.health()
      if (ready) return reply.send({ ready, store, checks })
      const failed = checks.filter(check => !check.ok).map(({ name, message }) => (message === undefined ? name : `${name}: ${message}`))
      return sendProblem(request, reply, new SafestateError('store_unavailable', `not ready: ${failed.join('; ') || 'starting'}`), {
        ready,
        store,
        checks,
      })
    },
  )

  api.get(
    '/metrics',
    operation({
      id: 'getMetrics',
      tag: 'health',
      summary: 'Prometheus metrics',
      access: { scopes: ['metrics:read'] },
      answers: { 200: { description: 'Prometheus text format.', content: { 'text/plain': { schema: Type.String() } } } },
    }),
    async (_request, reply) =>
      reply
        .type(registry.contentType)
        .serializer(String)
        .send(await registry.metrics()),
  )
}
