import swaggerUi from '@fastify/swagger-ui'
import { Type } from 'typebox'
import type { Access } from './access.ts'
import type { Api } from './context.ts'
import { operation } from './operation.ts'
import { PAGE_POLICY } from './security.ts'

/** Who may read the document and its page: whoever has a token. */
const READERS: Access = { scopes: [], basic: true }

/** `/openapi.json` and `/docs`. */
export function documentPages(api: Api): void {
  api.get(
    '/openapi.json',
    operation({
      id: 'getDocument',
      tag: 'health',
      summary: 'This document',
      access: READERS,
      answers: {
        200: {
          description: 'OpenAPI 3.1.',
          content: { 'application/json': { schema: Type.Unsafe<object>({ type: 'object', additionalProperties: true }) } },
        },
      },
    }),
    async (_request, reply) =>
      reply
        .type('application/json; charset=utf-8')
        .serializer((body: unknown) => JSON.stringify(body))
        .send(api.swagger()),
  )
  void api.register((scope, _options, done) => {
    guardPages(scope, READERS)
    void scope.register(swaggerUi, {
      routePrefix: '/docs',
      // The validator badge would send the document to a server of swagger.io.
      uiConfig: { validatorUrl: null, deepLinking: true, tryItOutEnabled: true },
    })
    done()
  })
}

/** Puts pages that come with a library behind a token, and under a policy that lets them load nothing from elsewhere. */
export function guardPages(scope: Pick<Api, 'addHook'>, access: Access): void {
  scope.addHook('onRoute', route => {
    route.config = { ...route.config, access }
  })
  scope.addHook('onSend', async (_request, reply) => {
    reply.header('content-security-policy', PAGE_POLICY)
  })
}
