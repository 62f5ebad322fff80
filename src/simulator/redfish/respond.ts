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

/** Does what a request asks of a BMC and says how it is answered. */
export function respond(exchange: Exchange): ResetResult {
  const { bmc, path } = exchange
  const isRead = exchange.method === 'GET' || exchange.method === 'HEAD'
  const version = exchange.request.headers['odata-version']
  if (version !== undefined && version !== '4.0') return messageReply(bmc.personality, 'PreconditionFailed')
  const route = routesOf(bmc).get(path)
  if (isRead && route?.kind === 'resource' && route.isPublic) return readPlain(exchange, route.render(bmc))
  if (isRead && path === '/redfish/v1/$metadata') return { status: 200, headers: { 'content-type': 'application/xml' }, body: METADATA }
  if (exchange.method === 'POST' && path === SESSIONS) return login(exchange)
  const refusal = authorize(exchange)
  if (refusal !== undefined) return refusal
  return route === undefined ? respondByPrefix(exchange, isRead) : respondByRoute(exchange, route, isRead)
}

function respondByRoute(exchange: Exchange, route: Route, isRead: boolean): ResetResult {
  const { bmc, method, path } = exchange
  switch (route.kind) {
    case 'resource':
      return isRead ? readPlain(exchange, route.render(bmc)) : notAllowed(bmc, 'GET, HEAD')
    case 'collection':
      if (!isRead) return notAllowed(bmc, route.creates ? 'GET, HEAD, POST' : 'GET, HEAD')
      return readPlain(exchange, collection(bmc, path, route.type, route.members(bmc), skipOf(exchange)))
    case 'power': {
      const system = bmc.systems[route.systemIndex]
      if (system === undefined) return messageReply(bmc.personality, 'ResourceMissingAtURI')
      if (isRead) return readPower(exchange, route, system)
      if (method === 'PATCH' && route.reads === 'system') return patchSystem(exchange, system)
      return notAllowed(bmc, route.reads === 'system' ? 'GET, HEAD, PATCH' : 'GET, HEAD')
    }
    case 'reset': {
      const system = bmc.systems[route.systemIndex]
      if (system === undefined) return messageReply(bmc.personality, 'ResourceMissingAtURI')
      return method === 'POST' ? reset(exchange, system) : notAllowed(bmc, 'POST')
    }
  }
}

/** Sessions, tasks and monitors: they come and go. */
function respondByPrefix(exchange: Exchange, isRead: boolean): Reply {
  const { bmc, method, path } = exchange
  const id = path.slice(path.lastIndexOf('/') + 1)
  if (path === `${SESSIONS}/${id}`) {
    const session = bmc.sessions.find(id)
    if (session !== undefined && isRead) return readPlain(exchange, sessionResource(session))
    if (session !== undefined) return method === 'DELETE' ? logout(exchange, id) : notAllowed(bmc, 'GET, HEAD, DELETE')
  }
  const task = bmc.tasks.find(id)
  if (task !== undefined && path === TASKS + id) return isRead ? readPlain(exchange, bmc.tasks.render(task)) : notAllowed(bmc, 'GET, HEAD')
  if (task !== undefined && path === MONITORS + id && task.monitor !== 'gone') {
    if (!isRead) return notAllowed(bmc, 'GET, HEAD')
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
