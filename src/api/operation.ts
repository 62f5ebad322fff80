import type { TSchema } from 'typebox'
import type { Access } from './access.ts'
import { PROBLEM_TYPE } from './problems.ts'
import type { Named } from './schemas/common.ts'
import { ProblemSchema } from './schemas/problem.ts'

/** One documented answer. */
interface Answer {
  description: string
  schema?: TSchema | undefined
  /** Media type → schema, where it isn't just JSON. */
  content?: Record<string, { schema: TSchema }>
  headers?: Record<string, TSchema>
}

/** Everything that the document says about an operation, and what the server checks by it. */
interface Description<P, Q, H, B> {
  id: string
  tag: string
  summary: string
  description?: string
  access: Access
  params?: P
  query?: Q
  headers?: H
  body?: B
  /** The body as documented, where the server checks it in parts. */
  documentedBody?: TSchema
  answers: Record<number, Answer>
  /** Statuses of refusals beside those that the access and the schemas bring. */
  refuses?: number[]
  /** No HEAD beside this GET: a stream has no end to describe. */
  noHead?: true
}

const REFUSALS: Record<number, string> = {
  400: 'The request is malformed; `errors` names every wrong field.',
  401: 'No token, or one that is unknown or revoked.',
  403: 'The token lacks the scope or the cluster.',
  404: 'Not there, or not for this token to see.',
  405: 'No such method here.',
  409: 'In conflict with what is: held, exists, in use, cancelled before; `code` says which.',
  412: 'It changed since it was read.',
  413: 'The body is larger than 1 MiB.',
  415: 'The body is not JSON.',
  422: 'Understood and impossible; `code` says why.',
  428: 'If-Match is missing.',
  500: 'The gateway failed; its log has the reason under `instance`.',
  502: 'The device could not be reached or answered nonsense.',
  503: 'The store, the vault or the device is away; Retry-After says when to ask again.',
  504: 'The device did not answer in time.',
}

/** The schema (for checks and for the document) and the access rule of a route. */
export function operation<P = undefined, Q = undefined, H = undefined, B = undefined>(text: Description<P, Q, H, B>) {
  const open = text.access === 'public'
  const statuses = new Set([400, ...(open ? [] : [401, 403]), ...(text.body ? [413, 415] : []), ...(text.refuses ?? []), 500, 503])
  const response: Record<number, unknown> = {}
  for (const [status, answer] of Object.entries(text.answers)) response[Number(status)] = documented(answer)
  for (const status of [...statuses].sort((a, b) => a - b)) {
    response[status] ??= documented({
      description: REFUSALS[status] ?? 'Refused.',
      content: { [PROBLEM_TYPE]: { schema: refOf(ProblemSchema) } },
    })
  }
  const schema = {
    operationId: text.id,
    tags: [text.tag],
    summary: text.summary,
    ...(text.description === undefined ? {} : { description: text.description }),
    security: security(text.access),
    ...(text.params === undefined ? {} : { params: text.params }),
    ...(text.query === undefined ? {} : { querystring: text.query }),
    ...(text.headers === undefined ? {} : { headers: text.headers }),
    ...(text.body === undefined ? {} : { body: text.body }),
    response,
  }
  const { documentedBody } = text
  return {
    // `response` is left out of the type: answers are made by the typed `show…` functions.
    schema: schema as unknown as { params: P; querystring: Q; headers: H; body: B },
    ...(text.noHead ? { exposeHeadRoute: false } : {}),
    config: {
      access: text.access,
      ...(documentedBody === undefined
        ? {}
        : { swaggerTransform: ({ url }: { url: string }) => ({ schema: { ...schema, body: documentedBody }, url }) }),
    },
  }
}

function refOf(schema: Named) {
  return { $ref: `${schema.$id}#` } as TSchema
}

function documented({ description, schema, content, headers }: Answer): object {
  const shown = content ?? (schema === undefined ? undefined : { 'application/json': { schema } })
  return { description, ...(shown === undefined ? { type: 'null' } : { content: shown }), ...(headers === undefined ? {} : { headers }) }
}

/** In OpenAPI 3.1 a bearer scheme may name the roles that are needed; alternatives are alternatives. */
function security(access: Access): Record<string, string[]>[] {
  if (access === 'public') return []
  const bearer = access.scopes.length === 0 ? [{ bearer: [] }] : access.scopes.map(scope => ({ bearer: [scope as string] }))
  return access.basic ? [...bearer, { basic: [] }] : bearer
}
