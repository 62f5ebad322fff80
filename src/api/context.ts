import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from 'fastify'
import type { Clock } from '../core/clock.ts'
import type { Caller, GatewayService } from '../core/gateway.ts'
import type { Access } from './access.ts'
import type { EventHub } from './hub.ts'

/** The fastify instance that routes are added to: request types come from the TypeBox schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** What routes work with. */
export interface Context {
  service: GatewayService
  clock: Clock
  hub: EventHub
  /** Aborted when the server closes: ends long-polls and streams. */
  closing: AbortSignal
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null on public routes. Read it through `callerOf`. */
    caller: Caller | null
    /** Whether the caller's token is still good; null on public routes. For streams, which outlive the first check. */
    recheck: (() => Promise<boolean>) | null
  }
  interface FastifyContextConfig {
    /** Who may ask; a route without it is open to administrators only. */
    access?: Access
  }
}
