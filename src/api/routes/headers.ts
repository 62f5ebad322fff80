import { Type } from 'typebox'

/** Headers of answers that have a revision. */
export const REVISION_HEADERS = { ETag: Type.String({ description: 'The revision in quotes.' }) }

/** Headers of the answer to a new job. */
export const CREATED_HEADERS = {
  Location: Type.String({ description: 'Where the job is.' }),
  ETag: Type.String({ description: 'The revision in quotes.' }),
  'Idempotency-Replayed': Type.String({ description: '`true` where this key was answered before: it is the same job.' }),
}

/** Headers of the answer to another new thing. */
export const LOCATION_HEADERS = { Location: Type.String({ description: 'Where it is.' }), ...REVISION_HEADERS }

/** Request headers of a read that is answered only when there is something new. */
export const ConditionalHeaders = Type.Object({
  'If-None-Match': Type.Optional(Type.String({ description: 'The ETag of what is known already.', examples: ['"7"'] })),
})

/** Request headers of a long-poll. */
export const WaitHeaders = Type.Object({
  Prefer: Type.Optional(Type.String({ description: '`wait=N`, in seconds (RFC 7240).', examples: ['wait=30'] })),
  'If-None-Match': Type.Optional(Type.String({ description: 'The ETag of what is known already.', examples: ['"7"'] })),
})
