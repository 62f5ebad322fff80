import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorFacts, type FailureCode, SafestateError } from '../core/errors.ts'
import type { Caller, GatewayService } from '../core/gateway.ts'
import type { Action } from '../core/power.ts'
import { permits, type Scope } from '../core/scopes.ts'
import { Secret } from '../core/secret.ts'
import { sendProblem } from './problems.ts'

/**
 * Who may use a route: everybody, or tokens with any one of `scopes` (none named: any token). `basic`: a page for browsers, which may send the token as
 * the password of HTTP Basic. Only pages that change nothing take it: browsers send such passwords along by themselves.
 */
export type Access = 'public' | { scopes: readonly Scope[]; basic?: true }

/** A route that says nothing about access is for administrators. */
const UNDECLARED: Access = { scopes: ['admin'] }

/** The hook that lets a request in or answers it: before the body is read, so that strangers can't make the gateway work. */
export function gatekeeper(service: GatewayService) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    // An address that doesn't exist is told to those who have a token only.
    const access: Access = request.is404 ? { scopes: [] } : (request.routeOptions.config.access ?? UNDECLARED)
    if (access === 'public') return undefined
    const basic = access.basic === true
    const token = tokenOf(request.headers.authorization, basic)
    try {
      const caller = token && (await service.tokens.verify(token))
      if (!caller) {
        challenge(reply, basic, token !== undefined)
        return sendProblem(
          request,
          reply,
          new SafestateError('unauthenticated', token ? 'this token is not known or was revoked' : 'a token is needed'),
        )
      }
      if (access.scopes.length > 0 && !access.scopes.some(scope => permits(caller, scope))) {
        return sendProblem(
          request,
          reply,
          new SafestateError('forbidden', `this needs a token with the scope ${access.scopes.join(' or ')}`),
        )
      }
      request.caller = caller
      request.recheck = async () => token !== undefined && (await service.tokens.verify(token)) !== undefined
      return undefined
    } catch (error) {
      request.log.error({ err: error instanceof Error ? error.message : 'unknown' }, 'a token could not be checked')
      return sendProblem(request, reply, error)
    }
  }
}

function tokenOf(header: string | undefined, basic: boolean): Secret | undefined {
  const [, scheme, value] = /^(bearer|basic) +([^\s]+)$/i.exec(header ?? '') ?? []
  if (scheme === undefined || value === undefined || value.length > 4096) return undefined
  if (scheme.toLowerCase() === 'bearer') return new Secret(value)
  if (!basic) return undefined
  const text = Buffer.from(value, 'base64').toString()
  const colon = text.indexOf(':')
  return colon < 0 || colon === text.length - 1 ? undefined : new Secret(text.slice(colon + 1))
}

function challenge(reply: FastifyReply, basic: boolean, wrong: boolean): void {
  const bearer = `Bearer realm="safestate"${wrong ? ', error="invalid_token"' : ''}`
  reply.header('www-authenticate', basic ? ['Basic realm="safestate: any user, the token as password", charset="UTF-8"', bearer] : bearer)
}

/** The caller of an authenticated route. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new SafestateError('unauthenticated', 'a token is needed')
  return request.caller
}

/** Throws `forbidden` unless the caller has the scope, in the cluster where one is named. */
export function demand(caller: Caller, scope: Scope, cluster?: string): void {
  if (!permits(caller, scope)) throw new SafestateError('forbidden', `this needs a token with the scope ${scope}`)
  if (!permits(caller, scope, cluster)) throw new SafestateError('forbidden', `this token is not for the cluster ${cluster}`)
}

/** What a job of this action needs: to be created and to be cancelled. A reboot is an off and an on. */
export function scopesOf(action: Action): readonly Scope[] {
  if (action === 'status') return ['jobs:read']
  if (action === 'reboot') return ['jobs:off', 'jobs:on']
  return action === 'off' ? ['jobs:off'] : ['jobs:on']
}

/** Whether the caller may see things of this cluster. */
export function sees(caller: Caller, cluster: string): boolean {
  return caller.clusters === undefined || caller.clusters.includes(cluster)
}

/** The thing, if it is there and the caller may see its cluster; otherwise both are the same 404: what one may not see does not exist. */
export function visible<T extends { cluster: string }>(
  caller: Caller,
  thing: T | undefined,
  what: string,
  code: FailureCode = 'not_found',
  facts: ErrorFacts = {},
): T {
  if (thing === undefined || !sees(caller, thing.cluster)) throw new SafestateError(code, `there is no such ${what}`, facts)
  return thing
}

/** The `clusters` of a page that is limited to what the caller may see. */
export function within(caller: Caller): { clusters?: string[] } {
  return caller.clusters === undefined ? {} : { clusters: caller.clusters }
}
