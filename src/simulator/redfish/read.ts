import type { JsonObject } from '../personality.ts'
import type { Bmc, RenderedResource, SimulatedSystem } from './bmc.ts'
import type { Exchange, Reply } from './exchange.ts'
import { powerView } from './resources.ts'
import type { Route } from './routes.ts'
import { targetOf } from './target.ts'

/** Rendered resources that a BMC keeps at most (with `$select` each choice is one). */
const RENDERED_LIMIT = 16

/** Answers a GET of a resource whose contents say nothing of power. */
export function readPlain(exchange: Exchange, resource: JsonObject): Reply {
  const etag = etagOf(exchange.bmc, JSON.stringify(resource))
  return answer(exchange, { key: '', etag, body: serialise(selected(exchange, resource), etag) })
}

/**
 * Answers a GET of a System, its Chassis or its Power. The bytes are kept until something in them changes: a poll of thousands of BMCs
 * must not cost a rendering each.
 */
export function readPower(exchange: Exchange, route: Extract<Route, { kind: 'power' }>, system: SimulatedSystem): Reply {
  const { bmc, path, query } = exchange
  const view = powerView(bmc, system)
  if (!bmc.faults.isEmpty) {
    for (const _ of bmc.faults.ask(targetOf(exchange), (definition, parameters) => definition.read?.(view, parameters, route.reads))) {
      // Each fault changes the view.
    }
  }
  const { power } = system
  const key = `${typeof view.system} ${view.system} ${view.chassis} ${view.watts} ${power.bootId} ${power.state} ${power.lastResetAt} ${system.version}`
  const url = query === '' ? path : `${path}?${query}`
  let rendered = bmc.rendered.get(url)
  if (rendered?.key !== key) {
    const etag = etagOf(bmc, `${path} ${key}`)
    rendered = { key, etag, body: serialise(selected(exchange, route.render(bmc, system, view)), etag) }
    if (bmc.rendered.size >= RENDERED_LIMIT) bmc.rendered.clear()
    bmc.rendered.set(url, rendered)
  }
  return answer(exchange, rendered)
}

function answer({ request }: Exchange, { body, etag }: RenderedResource): Reply {
  if (etag === null) return { status: 200, headers: {}, body }
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag }, body: null }
  return { status: 200, headers: { etag }, body }
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
function etagOf(bmc: Bmc, text: string): string | null {
  const { etag } = bmc.personality
  if (etag === 'none') return null
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  const value = (hash >>> 0).toString(16).padStart(8, '0').toUpperCase()
  return etag === 'weak' ? `W/"${value}"` : `"${value}"`
}
