import { Counter, Histogram, type Registry } from 'prom-client'
import type { Api } from './context.ts'

/** Counts and logs each request: who, what, how it ended. Never headers, query or body. Each answer names its request. */
export function observe(app: Api, registry: Registry): void {
  const requests = new Counter({
    name: 'safestate_http_requests_total',
    help: 'HTTP requests answered, by route.',
    labelNames: ['route', 'method', 'status'],
    registers: [registry],
  })
  const duration = new Histogram({
    name: 'safestate_http_request_duration_seconds',
    help: 'Time from a request to the end of its answer; long-polls and streams included.',
    labelNames: ['route', 'method'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
    registers: [registry],
  })

  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    // Patterns, not addresses: a label must not grow with what callers make up.
    const route = request.is404 ? 'none' : (request.routeOptions.url ?? 'none')
    const { method } = request
    requests.inc({ route, method, status: String(reply.statusCode) })
    duration.observe({ route, method }, reply.elapsedTime / 1000)
    const level = reply.statusCode >= 500 ? 'warn' : 'info'
    request.log[level](
      {
        method,
        route,
        path: request.url.split('?', 1)[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        ...(request.caller ? { token: request.caller.tokenId } : {}),
      },
      'answered',
    )
  })
}
