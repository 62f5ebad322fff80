import { Type } from 'typebox'
import { callerOf, visible } from '../access.ts'
import type { Api, Context } from '../context.ts'
import { operation } from '../operation.ts'
import { IdParams, ref } from '../schemas/common.ts'
import { JwksSchema, ReceiptSchema } from '../schemas/receipt.ts'

const JOSE = 'application/jose'
const Jws = Type.String({ description: 'Compact JWS.' })

/** `/v1/receipts`, and what it takes to verify them: keys and revocations are public. */
export function receiptRoutes(api: Api, { service }: Context): void {
  api.get(
    '/v1/receipts/:id',
    operation({
      id: 'getReceipt',
      tag: 'receipts',
      summary: 'Read a receipt',
      description: 'With `Accept: application/jose` the answer is the bare JWS instead, as text.',
      access: { scopes: ['receipts:read'] },
      params: IdParams,
      answers: {
        200: { description: 'The receipt, and whether it still stands.', schema: ref(ReceiptSchema) },
      },
      refuses: [404],
    }),
    async (request, reply) => {
      const receipt = visible(callerOf(request), await service.receipts.get(request.params.id), 'receipt')
      reply.header('vary', 'accept')
      if (/(^|[,\s])application\/jose\b(?!\+)/i.test(request.headers.accept ?? ''))
        return reply.type(JOSE).serializer(String).send(receipt.jws)
      return reply.type('application/json').send(receipt)
    },
  )

  api.get(
    '/.well-known/jwks.json',
    operation({
      id: 'getKeys',
      tag: 'receipts',
      summary: 'The public keys that receipts and the revocation list verify with',
      access: 'public',
      answers: { 200: { description: 'A JWK Set (RFC 7517).', schema: ref(JwksSchema) } },
    }),
    async (_request, reply) => reply.header('cache-control', 'public, max-age=60').send(await service.receipts.jwks()),
  )

  api.get(
    '/.well-known/revocations.jws',
    operation({
      id: 'getRevocations',
      tag: 'receipts',
      summary: 'The signed list of revoked receipts',
      access: 'public',
      answers: { 200: { description: 'Compact JWS over the list, with `issuedAt`.', content: { [JOSE]: { schema: Jws } } } },
    }),
    async (_request, reply) =>
      reply
        .type(JOSE)
        .serializer(String)
        .send(await service.receipts.revocations()),
  )
}
