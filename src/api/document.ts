import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'

/** Version of the API, not of the package: it changes with what callers can rely on. */
const API_VERSION = '1.0.0'

/** An operation of the document, as far as it is touched here. */
interface Operation {
  requestBody?: { required?: boolean; content: Record<string, { schema: { type?: unknown } }> }
}

/** Settings of the OpenAPI document: the same whoever runs the gateway and wherever, so that the committed file equals the one served. */
export const documentOptions: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Safestate',
      version: API_VERSION,
      description:
        'Fencing for bare-metal cluster nodes: takes idempotent power jobs, confirms each by reading, and hands back signed evidence.\n\nErrors are problem details (RFC 9457); their `type` is `tag:safestate.dev,2026:problem:` and the `code`. Lists are pages: `{items, next?}`, `after` takes `next`. Unknown fields are refused.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    } as { title: string; version: string },
    servers: [{ url: '/', description: 'The gateway that serves this document.' }],
    tags: [
      { name: 'jobs', description: 'Requested actions on nodes.' },
      { name: 'holds', description: 'What is kept off, and by whom.' },
      { name: 'receipts', description: 'Signed statements, keys and revocations.' },
      { name: 'nodes', description: 'Cluster members and what isolates them.' },
      { name: 'devices', description: 'Endpoints that can isolate a node, and their credentials.' },
      { name: 'events', description: 'Server-sent events.' },
      { name: 'tokens', description: 'Rights to use this API.' },
      { name: 'vault', description: 'Sealed credentials.' },
      { name: 'health', description: 'The state of the gateway itself.' },
    ],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API token. The roles named with an operation are scopes of it.' },
        basic: { type: 'http', scheme: 'basic', description: 'For browser pages: any user, the token as password.' },
      },
    },
  },
  refResolver: { buildLocalReference: (json, _base, _fragment, index) => (typeof json['$id'] === 'string' ? json['$id'] : `def-${index}`) },
  transformObject: document => {
    const object = 'openapiObject' in document ? document.openapiObject : {}
    for (const path of Object.values((object as { paths?: Record<string, Record<string, Operation>> }).paths ?? {})) {
      for (const { requestBody } of Object.values(path)) {
        // fastify's way to say that a body may be left out is a null body; the document has a word for it.
        const optional = Object.values(requestBody?.content ?? {}).some(
          ({ schema }) => Array.isArray(schema.type) && schema.type.includes('null'),
        )
        if (requestBody && optional) {
          requestBody.required = false
          for (const media of Object.values(requestBody.content)) media.schema.type = 'object'
        }
      }
    }
    return object
  },
}
