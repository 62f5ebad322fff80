import helmet from '@fastify/helmet'
import type { Api } from './context.ts'

/** For answers that are no pages: nothing of them may run anywhere. */
const NOTHING = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"], 'base-uri': ["'none'"], 'form-action': ["'none'"] }

/** For our browser pages: everything comes from here, nothing from elsewhere (Bull Board's page asks for web fonts). Both libraries set inline styles. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Security headers for every answer. HSTS only where there is TLS; no CORS: pages of other origins have no business here. */
export function secureHeaders(app: Api, tls: boolean): void {
  void app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: NOTHING },
    hsts: tls ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    referrerPolicy: { policy: 'no-referrer' },
  })
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
}
