import type { Api } from './context.ts'

/** JSON is the one form of body; an empty one is none. Other media types are 415. */
export function acceptJsonOnly(app: Api): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}

/** Schema of a querystring, as far as it is looked at here. */
interface QuerySchema {
  properties?: Record<string, { type?: unknown }>
}

/**
 * Query values are text: those that the schema wants as integers are made ones before they are checked. Ajv's own coercion would go for bodies as well,
 * where `"120"` for a number is a mistake to be told of.
 */
export function coerceQueries(app: Api): void {
  app.addHook('preValidation', async request => {
    const { properties } = (request.routeOptions.schema?.querystring ?? {}) as QuerySchema
    const query = request.query as Record<string, unknown>
    for (const [name, schema] of Object.entries(properties ?? {})) {
      const text = query[name]
      if (schema.type === 'integer' && typeof text === 'string' && /^-?\d{1,15}$/.test(text)) query[name] = Number(text)
    }
  })
}
