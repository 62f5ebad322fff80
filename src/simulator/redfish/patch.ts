import type { SimulatedSystem } from './bmc.ts'
import type { Exchange, Reply } from './exchange.ts'
import { messageReply } from './messages.ts'
import { parseObject } from './target.ts'

const POLICIES = ['AlwaysOn', 'AlwaysOff', 'LastState']

/** PATCH of a System: the PowerRestorePolicy, where the vendor has one; 400 for all else. */
export function patchSystem(exchange: Exchange, system: SimulatedSystem): Reply {
  const { personality } = exchange.bmc
  const body = parseObject(exchange.body)
  if (body === undefined) return messageReply(personality, 'MalformedJSON')
  const { PowerRestorePolicy: policy, ...others } = body
  const unknown = Object.keys(others)
  if (unknown.length > 0 || policy === undefined) {
    const isOdata = unknown.length > 0 && unknown.every(name => name.startsWith('@odata.'))
    return messageReply(personality, isOdata ? 'NoOperation' : 'PropertyUnknown')
  }
  if (system.restorePolicy === null) return messageReply(personality, 'PropertyUnknown')
  if (typeof policy !== 'string' || !POLICIES.includes(policy)) return messageReply(personality, 'PropertyValueNotInList')
  system.restorePolicy = policy
  system.version++
  return { status: 204, headers: {}, body: null }
}
