import { SafestateError } from '../../core/errors.ts'
import type { Caller } from '../../core/gateway.ts'
import { covers } from '../../core/scopes.ts'
import { callerOf } from '../access.ts'
import type { Api, Context } from '../context.ts'
import { operation } from '../operation.ts'
import { RotationSchema, TokenCreatedSchema, TokenListSchema, TokenRequestSchema } from '../schemas/admin.ts'
import { IdParams, ref } from '../schemas/common.ts'
import { LOCATION_HEADERS } from './headers.ts'

/** `/v1/tokens` and `/v1/vault/rotate`. */
export function adminRoutes(api: Api, { service }: Context): void {
  /** The tokens that the caller could have made: those that can do more are none of its business. */
  const tokensOf = async (caller: Caller) => (await service.tokens.list()).filter(token => covers(caller, token))

  api.get(
    '/v1/tokens',
    operation({
      id: 'listTokens',
      tag: 'tokens',
      summary: 'List the API tokens, without what they are',
      access: { scopes: ['tokens:write'] },
      answers: { 200: { description: 'All tokens that can do no more than yours.', schema: ref(TokenListSchema) } },
    }),
    async (request, reply) => reply.send({ items: await tokensOf(callerOf(request)) }),
  )

  api.post(
    '/v1/tokens',
    operation({
      id: 'createToken',
      tag: 'tokens',
      summary: 'Make an API token',
      description: 'The token is shown in this answer and never again. A token can be given no right that its maker lacks.',
      access: { scopes: ['tokens:write'] },
      body: ref(TokenRequestSchema),
      answers: {
        201: { description: 'The token, this once.', schema: ref(TokenCreatedSchema), headers: { Location: LOCATION_HEADERS.Location } },
      },
      refuses: [409],
    }),
    async (request, reply) => {
      if (!covers(callerOf(request), request.body)) {
        throw new SafestateError('forbidden', 'a token can be given no scope or cluster that its maker lacks')
      }
      const { id, token } = await service.tokens.create(request.body)
      // The one place where a token leaves the gateway.
      return reply
        .code(201)
        .header('location', `/v1/tokens/${encodeURIComponent(id)}`)
        .send({ id, ...request.body, token: token.reveal() })
    },
  )

  api.delete(
    '/v1/tokens/:id',
    operation({
      id: 'revokeToken',
      tag: 'tokens',
      summary: 'Revoke an API token at once, by id or name',
      access: { scopes: ['tokens:write'] },
      params: IdParams,
      answers: { 204: { description: 'Revoked.' } },
      refuses: [404],
    }),
    async (request, reply) => {
      const { id } = request.params
      const own = (await tokensOf(callerOf(request))).filter(token => token.revokedAt === undefined)
      const found = own.find(token => token.id === id) ?? own.find(token => token.name === id)
      if (!found) throw new SafestateError('not_found', 'there is no such token')
      await service.tokens.revoke(found.id)
      return reply.code(204).send()
    },
  )

  api.post(
    '/v1/vault/rotate',
    operation({
      id: 'rotateVault',
      tag: 'vault',
      summary: 'Seal all credentials anew under the present key',
      description: 'Jobs go on meanwhile.',
      access: { scopes: ['vault:rotate'] },
      answers: { 200: { description: 'The key that seals now, and how many were sealed anew.', schema: ref(RotationSchema) } },
    }),
    async (_request, reply) => reply.send(await service.vault.rotate()),
  )
}
