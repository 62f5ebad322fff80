import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import type { Queue } from 'bullmq'
import type { Api } from './context.ts'
import { guardPages } from './pages.ts'

/** The fields of a queue entry that the board shows. Anything else that an entry may carry one day stays out until it is put here. */
const SHOWN = ['jobId', 'cluster', 'node', 'action', 'endpoint', 'lane', 'wakeAt'] as const

function shown(data: unknown): Record<string, unknown> {
  const entries = Object.entries(typeof data === 'object' && data !== null ? data : {})
  return Object.fromEntries(entries.filter(([name, value]) => (SHOWN as readonly string[]).includes(name) && typeof value !== 'object'))
}

/** `/queues`: Bull Board, read-only. A retry from there would go past the checks of the API. */
export function boardPages(api: Api, queues: Queue[]): void {
  const server = new FastifyAdapter()
  server.setBasePath('/queues')
  createBullBoard({
    queues: queues.map(adapterOf),
    // The two packages pin different patch releases of their common types; what they share at run time is the same.
    serverAdapter: server as unknown as Parameters<typeof createBullBoard>[0]['serverAdapter'],
    options: {
      // What its defaults load from elsewhere is left out: the page works in a closed network.
      uiConfig: { boardTitle: 'Safestate', hideDocsLink: true, hideRedisDetails: true, miscLinks: [{ text: 'API', url: '/docs' }] },
    },
  })
  void api.register(
    (scope, _options, done) => {
      guardPages(scope, { scopes: ['queues:read'], basic: true })
      scope.addHook('onSend', async (_request, reply, payload) =>
        typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('text/html')
          ? payload.replace(/<link[^>]+href="https?:\/\/[^>]*>/g, '')
          : payload,
      )
      void scope.register(server.registerPlugin())
      done()
    },
    { prefix: '/queues' },
  )
}

function adapterOf(queue: Queue): BullMQAdapter {
  const adapter = new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })
  adapter.setFormatter('name', (job: { name?: string; data?: unknown }) => {
    const { action, cluster, node } = shown(job.data)
    return action === undefined || node === undefined ? (job.name ?? '') : `${action} ${cluster === undefined ? '' : `${cluster}/`}${node}`
  })
  adapter.setFormatter('data', shown)
  adapter.setFormatter('progress', () => undefined)
  adapter.setFormatter('returnValue', () => undefined)
  return adapter
}
