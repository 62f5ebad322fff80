import { authorize } from './authorize.ts'
import type { Bmc } from './bmc.ts'
import { type Exchange, jsonReply, type Reply } from './exchange.ts'
import { login, logout } from './login.ts'
import { messageReply } from './messages.ts'
import { METADATA } from './metadata.ts'
import { patchSystem } from './patch.ts'
import { readPlain, readPower } from './read.ts'
import { type ResetResult, reset } from './reset.ts'
import { collection } from './resources.ts'
import { type Route, routesOf } from './routes.ts'
import { sessionResource } from './services.ts'

const SESSIONS = '/redfish/v1/SessionService/Sessions'
const TASKS = '/redfish/v1/TaskService/Tasks/'
const MONITORS = '/redfish/v1/TaskService/TaskMonitors/'
const READ_ONLY = 'GET, HEAD'
const METADATA_HEADERS = { 'content-type': 'application/xml', allow: READ_ONLY }

/** Does what a request asks of a BMC and says how it is answered. */
export function respond(exchange: Exchange): ResetResult {
  const { bmc, path } = exchange
  const isRead = exchange.method === 'GET' || exchange.method === 'HEAD'
  const version = exchange.request.headers['odata-version']
  if (version !== undefined && version !== '4.0') return messageReply(bmc.personality, 'PreconditionFailed')
  const route = routesOf(bmc).get(path)
  if (isRead && exchange.query.includes('$') && asksTooMuch(exchange)) return messageReply(bmc.personality, 'QueryNotSupported')
  if (isRead && route?.kind === 'resource' && route.isPublic) return readPlain(exchange, route.render(bmc))
  if (isRead && path === '/redfish/v1/$metadata') return { status: 200, headers: METADATA_HEADERS, body: METADATA }
  if (exchange.method === 'POST' && (path === SESSIONS || path === `${SESSIONS}/Members`)) return login(exchange)
  const refusal = authorize(exchange)
  if (refusal !== undefined) return refusal
  return route === undefined ? respondByPrefix(exchange, isRead) : respondByRoute(exchange, route, isRead)
}

function respondByRoute(exchange: Exchange, route: Route, isRead: boolean): ResetResult {
  const { bmc, method, path } = exchange
  const allow = methodsOf(route)
  switch (route.kind) {
    case 'resource':
      return isRead ? readPlain(exchange, route.render(bmc)) : notAllowed(bmc, allow)
    case 'collection':
      if (!isRead) return notAllowed(bmc, allow)
      return readPlain(exchange, collection(bmc, path, route.type, route.members(bmc), skipOf(exchange)), allow)
    case 'power': {
      const system = bmc.systems[route.systemIndex]
      if (system === undefined) return messageReply(bmc.personality, 'ResourceMissingAtURI')
      if (isRead) return readPower(exchange, route, system, allow)
      return method === 'PATCH' && route.reads === 'system' ? patchSystem(exchange, system) : notAllowed(bmc, allow)
    }
    case 'reset': {
      const system = bmc.systems[route.systemIndex]
      if (system === undefined) return messageReply(bmc.personality, 'ResourceMissingAtURI')
      return method === 'POST' ? reset(exchange, system) : notAllowed(bmc, allow)
    }
  }
}

function methodsOf(route: Route): string {
  if (route.kind === 'reset') return 'POST'
  if (route.kind === 'collection' && route.creates) return `${READ_ONLY}, POST`
  return route.kind === 'power' && route.reads === 'system' ? `${READ_ONLY}, PATCH` : READ_ONLY
}

/** Sessions, tasks and monitors: they come and go. */
function respondByPrefix(exchange: Exchange, isRead: boolean): Reply {
  const { bmc, method, path } = exchange
  const id = path.slice(path.lastIndexOf('/') + 1)
  if (path === `${SESSIONS}/${id}`) {
    const session = bmc.sessions.find(id)
    if (session !== undefined && isRead) return readPlain(exchange, sessionResource(session), 'GET, HEAD, DELETE')
    if (session !== undefined) return method === 'DELETE' ? logout(exchange, id) : notAllowed(bmc, 'GET, HEAD, DELETE')
  }
  const task = bmc.tasks.find(id)
  if (task !== undefined && path === TASKS + id) return isRead ? readPlain(exchange, bmc.tasks.render(task)) : notAllowed(bmc, READ_ONLY)
  if (task !== undefined && path === MONITORS + id && task.monitor !== 'gone') {
    if (!isRead) return notAllowed(bmc, READ_ONLY)
    const isRunning = bmc.tasks.stateOf(task) === 'Running' && task.monitor === 'usual'
    return jsonReply(isRunning ? 202 : 200, bmc.tasks.render(task), isRunning ? { location: path, 'retry-after': '1' } : {})
  }
  return messageReply(bmc.personality, 'ResourceMissingAtURI')
}

function notAllowed(bmc: Bmc, allow: string): Reply {
  return { ...messageReply(bmc.personality, 'OperationNotAllowed'), headers: { allow } }
}

function skipOf({ query }: Exchange): number {
  const skip = Number(new URLSearchParams(query).get('$skip') ?? 0)
  return Number.isInteger(skip) && skip > 0 ? skip : 0
}

/** Whether a read has a `$` parameter that the service does not support: that is 501, and not to be ignored. */
function asksTooMuch({ bmc, query }: Exchange): boolean {
  const known = bmc.personality.selectQuery ? ['$select', '$skip'] : ['$skip']
  return [...new URLSearchParams(query).keys()].some(key => key.startsWith('$') && !known.includes(key))
}
