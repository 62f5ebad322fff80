import type { FaultDefinition, FaultValue } from '../faults/types.ts'
import type { Caller, Exchange, Reply } from './exchange.ts'
import { messageReply } from './messages.ts'
import { targetOf } from './target.ts'

/**
 * Settles who asks and whether that is allowed: a session by X-Auth-Token, or Basic. The answer is the refusal, or undefined.
 * A token that is no longer good gets the personality's answer to a lost session (OpenBMC: 403).
 */
export function authorize(exchange: Exchange): Reply | undefined {
  const { bmc, request } = exchange
  const token = request.headers['x-auth-token']
  const { authorization } = request.headers
  const caller = identify(exchange, token, authorization)
  if (caller === undefined) {
    bmc.counters.unauthorized++
    if (token !== undefined) return messageReply(bmc.personality, 'NoValidSession', bmc.personality.sessions.lostStatus)
    const refusal = messageReply(bmc.personality, 'ResourceAtUriUnauthorized')
    return { ...refusal, headers: { 'www-authenticate': 'Basic realm="RedfishService"' } }
  }
  exchange.caller = caller
  if (bmc.faults.isEmpty) return undefined
  const ask = (definition: FaultDefinition<Record<string, FaultValue>>, parameters: Record<string, FaultValue>): Reply | undefined =>
    definition.authorize?.(exchange, parameters)
  for (const refusal of bmc.faults.ask(targetOf(exchange), ask)) {
    if (refusal.status === 401 || refusal.status === 403) bmc.counters.unauthorized++
    return refusal
  }
  return undefined
}

function identify(exchange: Exchange, token: string | string[] | undefined, authorization: string | undefined): Caller | undefined {
  const { bmc } = exchange
  if (typeof token === 'string') {
    const session = bmc.sessions.use(token)
    return session === undefined ? undefined : { kind: 'session', id: session.id }
  }
  if (authorization === undefined) return undefined
  bmc.counters.basicRequests++
  if (authorization === bmc.basicCredentials) return { kind: 'basic' }
  bmc.counters.loginFailures++
  return undefined
}
