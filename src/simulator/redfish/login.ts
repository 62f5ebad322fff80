import type { LoginPlan } from '../faults/types.ts'
import { type Exchange, jsonReply, type Reply } from './exchange.ts'
import { exhaustedReply, messageReply } from './messages.ts'
import { sessionResource } from './services.ts'
import { parseObject, targetOf } from './target.ts'

/** POST to the Sessions collection: 201 with X-Auth-Token and Location, 401 for a wrong name or password, 503 when the table is full. */
export function login(exchange: Exchange): Reply {
  const { bmc, request } = exchange
  const body = parseObject(exchange.body)
  if (body === undefined) return messageReply(bmc.personality, 'MalformedJSON')
  const { UserName, Password } = body
  if (typeof UserName !== 'string' || typeof Password !== 'string') return messageReply(bmc.personality, 'PropertyMissing')
  const plan: LoginPlan = { refusal: undefined, location: 'usual', sendToken: true }
  bmc.faults.apply(targetOf, exchange, (definition, parameters) => definition.login?.(plan, parameters, exchange))
  if (plan.refusal !== undefined || UserName !== bmc.username || Password !== bmc.password) {
    bmc.counters.loginFailures++
    return plan.refusal ?? messageReply(bmc.personality, 'ResourceAtUriUnauthorized')
  }
  const session = bmc.sessions.open(UserName)
  if (session === undefined) {
    bmc.counters.loginFailures++
    return exhaustedReply(bmc.personality)
  }
  bmc.counters.logins++
  const resource = sessionResource(session)
  const path = `/redfish/v1/SessionService/Sessions/${session.id}`
  const scheme = 'encrypted' in request.socket ? 'https' : 'http'
  return jsonReply(201, resource, {
    ...(plan.location === 'absent' ? {} : { location: plan.location === 'usual' ? path : `${scheme}://${request.headers.host}${path}` }),
    ...(plan.sendToken ? { 'x-auth-token': session.token } : {}),
  })
}

/** DELETE of a session: 204, or 404 when there is none. */
export function logout(exchange: Exchange, id: string): Reply {
  const { bmc } = exchange
  if (bmc.sessions.find(id) === undefined) return messageReply(bmc.personality, 'ResourceMissingAtURI')
  const [stays] = [...bmc.faults.ask(targetOf(exchange), (definition, parameters) => definition.logout?.(parameters))]
  if (stays !== true) bmc.sessions.close(id)
  bmc.counters.logouts++
  return { status: 204, headers: {}, body: null }
}
