import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Queue } from 'bullmq'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify'
import { Registry } from 'prom-client'
import type { Clock } from '../core/clock.ts'
import type { GatewayService } from '../core/gateway.ts'
import { gatekeeper } from './access.ts'
import { boardPages } from './board.ts'
import { acceptJsonOnly, coerceQueries } from './bodies.ts'
import type { Api, Context } from './context.ts'
import { documentOptions } from './document.ts'
import { answerErrors, malformed, refuseWhenClosing, unroutable } from './failures.ts'
import { EventHub } from './hub.ts'
import { observe } from './observe.ts'
import { documentPages } from './pages.ts'
import { adminRoutes } from './routes/admin.ts'
import { batchRoutes } from './routes/batch.ts'
import { deviceRoutes } from './routes/devices.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { holdRoutes } from './routes/holds.ts'
import { jobRoutes } from './routes/jobs.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { receiptRoutes } from './routes/receipts.ts'
import { NAMED_SCHEMAS } from './schemas/index.ts'
import { secureHeaders } from './security.ts'

/** What the HTTP edge is made from, beside the service. */
export interface ApiOptions {
  clock: Clock
  /** A pino logger; silent without one. */
  logger?: FastifyBaseLogger
  /** Where metrics are counted and read from; a new one without. */
  registry?: Registry
  /** The queues that Bull Board shows at `/queues`; no such page without them. */
  queues?: Queue[]
  /** PEM texts; plain HTTP without them. */
  https?: { cert: string | Buffer; key: string | Buffer }
}

/** The largest body. */
const BODY_LIMIT = 1_048_576

/** What is still open this long after the server began to close is cut, ms. */
const CLOSE_MS = 2_000

/**
 * Builds the HTTP edge over a service: it translates, checks form, identity and rights, and decides nothing else. Nothing of the service is called
 * before the first request. `close` ends long-polls and streams first.
 */
export function buildApi(service: GatewayService, options: ApiOptions): FastifyInstance {
  const app = create(options)
  const hub = new EventHub(service.events)
  const closing = new AbortController()
  // Every long-poll and stream listens to it.
  setMaxListeners(0, closing.signal)
  const context: Context = { service, clock: options.clock, hub, closing: closing.signal }
  const registry = options.registry ?? new Registry()

  app.decorateRequest('caller', null)
  app.decorateRequest('recheck', null)
  answerErrors(app)
  refuseWhenClosing(app, closing.signal)
  secureHeaders(app, options.https !== undefined)
  app.addHook('onRequest', gatekeeper(service))
  acceptJsonOnly(app)
  coerceQueries(app)
  observe(app, registry)
  for (const schema of NAMED_SCHEMAS) app.addSchema(schema)
  void app.register(swagger, documentOptions)
  void app.register((inner, _options, done) => {
    const api = inner.withTypeProvider<TypeBoxTypeProvider>()
    jobRoutes(api, context)
    batchRoutes(api, context)
    holdRoutes(api, context)
    receiptRoutes(api, context)
    nodeRoutes(api, context)
    deviceRoutes(api, context)
    eventRoutes(api, context)
    adminRoutes(api, context)
    healthRoutes(api, context, registry)
    documentPages(api)
    if (options.queues) boardPages(api, options.queues)
    done()
  })
  app.addHook('preClose', async () => {
    closing.abort()
    hub.close()
    // Node counts a connection that has sent nothing yet as busy (clients open spare ones) and would wait for it for over a minute.
    const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_MS)
    app.server.once('close', () => clearTimeout(cut))
  })
  return app as unknown as FastifyInstance
}

function create({ logger, https }: ApiOptions): Api {
  const settings: FastifyServerOptions = {
    ...(logger === undefined ? {} : { loggerInstance: logger }),
    // Our own line a request (observe.ts): fastify's would hold headers and the query.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_LIMIT,
    // A request that is not all there by then is given up, so that slow senders can't keep sockets.
    requestTimeout: 30_000,
    // Ours says so in the form of a problem (failures.ts).
    return503OnClosing: false,
    clientErrorHandler: malformed,
    frameworkErrors: unroutable,
    routerOptions: { maxParamLength: 512 },
    ajv: { customOptions: { allErrors: true, removeAdditional: false, coerceTypes: false, useDefaults: false } },
  }
  // The server's kind matters to nobody but its socket; one type for both keeps routes simple.
  return (https
    ? Fastify({ ...settings, https: { ...https, minVersion: 'TLSv1.2' } } as FastifyServerOptions)
    : Fastify(settings)) as unknown as Api
}
