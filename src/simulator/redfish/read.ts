import type { JsonObject, Personality } from '../personality.ts'
import type { RenderedResource, SimulatedSystem } from './bmc.ts'
import type { Exchange, Reply } from './exchange.ts'
import { powerView } from './resources.ts'
import type { Route } from './routes.ts'
import { targetOf } from './target.ts'

/** Rendered resources that a BMC keeps at most (with `$select` each choice is one). */
const RENDERED_LIMIT = 16

/** Answers a GET of a resource whose contents say nothing of power. `allow` names the methods of its path. */
export function readPlain(exchange: Exchange, resource: JsonObject, allow = 'GET, HEAD'): Reply {
  return answer(exchange, render(exchange, resource, '', JSON.stringify(resource), allow))
}

/**
 * Answers a GET of a System, its Chassis or its Power. The bytes are kept until something in them changes: a poll of thousands of BMCs
 * must not cost a rendering each.
 */
export function readPower(exchange: Exchange, route: Extract<Route, { kind: 'power' }>, system: SimulatedSystem, allow: string): Reply {
  const { bmc, path, query } = exchange
  const view = powerView(bmc, system)
  bmc.faults.apply(targetOf, exchange, (definition, parameters) => definition.read?.(view, parameters, route.reads))
  const { power } = system
  const key = `${typeof view.system} ${view.system} ${view.chassis} ${view.watts} ${power.bootId} ${power.state} ${power.lastResetAt} ${system.version}`
  const url = query === '' ? path : `${path}?${query}`
  let rendered = bmc.rendered.get(url)
  if (rendered?.key !== key) {
    rendered = render(exchange, route.render(bmc, system, view), key, `${path} ${key}`, allow)
    if (bmc.rendered.size >= RENDERED_LIMIT) bmc.rendered.clear()
    bmc.rendered.set(url, rendered)
  }
  return answer(exchange, rendered)
}

function answer({ request }: Exchange, { body, headers }: RenderedResource): Reply {
  if (headers.etag !== undefined && request.headers['if-none-match'] === headers.etag) return { status: 304, headers, body: null }
  return { status: 200, headers, body }
}

function render(exchange: Exchange, resource: JsonObject, key: string, state: string, allow: string): RenderedResource {
  const { bmc } = exchange
  const type = typeof resource['@odata.type'] === 'string' ? resource['@odata.type'].slice(1) : undefined
  // The bare `/redfish` is no resource and has no ETag.
  const etag = type === undefined ? null : etagOf(bmc.personality.etag, type, state)
  const schema =
    type === undefined ? '/redfish/v1/$metadata' : `http://redfish.dmtf.org/schemas/v1/${type.slice(0, type.lastIndexOf('.'))}.json`
  return {
    key,
    body: serialise(selected(exchange, resource), etag),
    headers: { allow, link: `<${schema}>; rel=describedby`, ...(etag === null ? {} : { etag }) },
  }
}

function serialise(resource: JsonObject, etag: string | null): Buffer {
  return Buffer.from(JSON.stringify(etag === null ? resource : { '@odata.etag': etag, ...resource }))
}

/** Honours `$select` where the personality says that it does. */
function selected({ bmc, query }: Exchange, resource: JsonObject): JsonObject {
  if (query === '' || !bmc.personality.selectQuery) return resource
  const select = new URLSearchParams(query).get('$select')
  if (select === null) return resource
  const wanted = new Set(select.split(',').map(name => name.trim().split('/')[0]))
  return Object.fromEntries(
    Object.entries(resource).filter(([name]) => name.startsWith('@odata.') || wanted.has(name.split('@')[0] ?? name)),
  )
}

/** An ETag from what the resource depends on (FNV-1a: a name for a state, not a checksum against forgery). */
function etagOf(kind: Personality['etag'], type: string, state: string): string | null {
  // The specification wants one on accounts from everybody.
  if (kind === 'none' && !type.startsWith('ManagerAccount.')) return null
  let hash = 0x811c9dc5
  for (let index = 0; index < state.length; index++) hash = Math.imul(hash ^ state.charCodeAt(index), 0x01000193)
  const value = (hash >>> 0).toString(16).padStart(8, '0').toUpperCase()
  return kind === 'weak' ? `W/"${value}"` : `"${value}"`
}
