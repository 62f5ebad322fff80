import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FaultScope } from './faults/board.ts'
import { FAULTS } from './faults/index.ts'
import type { FaultMatch } from './faults/types.ts'
import { inventoryOf } from './inventory.ts'
import type { IpmiSide } from './ipmi/side.ts'
import type { Bmc } from './redfish/bmc.ts'
import { parseObject } from './redfish/target.ts'

/** The control port: where tests and drills set faults and read what a BMC saw. */
export interface Control {
  readonly url: string
  close(): Promise<void>
}

/** An answer of the control port. */
interface ControlReply {
  readonly status: number
  readonly value: unknown
}

/**
 * Starts the control port (JSON, no authentication: loopback only).
 *
 * - `GET /bmcs`, `GET /bmcs/NAME`: counters, sessions, commands (of both protocols), true state and history; `DELETE /bmcs/NAME/counters` zeroes them
 * - `GET /faults`: every fault with its parameters; `POST /faults`, `DELETE /faults`: on all BMCs
 * - `POST /bmcs/NAME/faults` `{name, parameters?, count?, match?}`; `DELETE /bmcs/NAME/faults[/NAME|/ID]`
 * - `POST /bmcs/NAME/power` `{state: "on"|"off", systemId?}`: the hand of the tester; `{operation, afterMs?, systemId?}`: a button
 * - `GET /inventory`
 */
export async function startControl(bmcs: readonly Bmc[], listen: { host: string; port: number }): Promise<Control> {
  const server = createServer((request, response) => {
    answer(bmcs, request).then(
      reply => send(response, reply),
      (error: unknown) => send(response, { status: 400, value: { error: error instanceof Error ? error.message : String(error) } }),
    )
  })
  const port = await start(server, listen)
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(bmcs: readonly Bmc[], request: IncomingMessage): Promise<ControlReply> {
  const [first, name, part, detail] = decodeURIComponent((request.url ?? '/').split('?')[0] ?? '/')
    .split('/')
    .filter(Boolean)
  const method = request.method ?? 'GET'
  const body = method === 'POST' ? await readObject(request) : {}
  if (first === 'inventory' && method === 'GET') return { status: 200, value: inventoryOf(bmcs) }
  if (first === 'faults') return name === undefined ? allFaults(bmcs, method, body) : notFound()
  if (first !== 'bmcs') return notFound()
  if (name === undefined) return method === 'GET' ? { status: 200, value: { items: bmcs.map(summary) } } : notFound()
  const bmc = bmcs.find(candidate => candidate.name === name)
  if (bmc === undefined) return notFound()
  switch (`${method} ${part ?? ''}`) {
    case 'GET ':
      return { status: 200, value: report(bmc) }
    case 'GET faults':
      return { status: 200, value: { items: bmc.faults.list() } }
    case 'POST faults':
      return { status: 201, value: { id: setFault(bmc, body) } }
    case 'DELETE faults':
      return { status: 200, value: { cleared: clearFaults(bmc, detail) } }
    case 'DELETE counters':
      bmc.resetCounters()
      return { status: 200, value: report(bmc) }
    case 'POST power':
      return { status: 200, value: pressPower(bmc, body) }
    default:
      return notFound()
  }
}

function allFaults(bmcs: readonly Bmc[], method: string, body: Record<string, unknown>): ControlReply {
  if (method === 'GET') {
    const items = Object.entries(FAULTS).map(([name, { summary: text, defaults }]) => ({ name, summary: text, parameters: defaults }))
    return { status: 200, value: { items } }
  }
  if (method === 'POST') return { status: 201, value: { items: bmcs.map(bmc => ({ bmc: bmc.name, id: setFault(bmc, body) })) } }
  if (method === 'DELETE') return { status: 200, value: { cleared: bmcs.reduce((sum, bmc) => sum + bmc.faults.clear(), 0) } }
  return notFound()
}

function setFault(bmc: Bmc, body: Record<string, unknown>): number {
  const { name, parameters = {}, count, match } = body
  if (typeof name !== 'string') throw new Error('"name" of the fault is missing')
  if (!isObject(parameters)) throw new Error('"parameters" is to be an object')
  if (count !== undefined && !(Number.isInteger(count) && Number(count) > 0)) throw new Error('"count" is to be a positive integer')
  const scope: FaultScope = {
    ...(count === undefined ? {} : { count: Number(count) }),
    ...(match === undefined ? {} : { match: checkMatch(match) }),
  }
  return bmc.faults.setByName(name, parameters, scope)
}

function checkMatch(match: unknown): FaultMatch {
  const known = ['method', 'path', 'resetType', 'systemId', 'protocol', 'packet']
  if (!isObject(match) || Object.entries(match).some(([key, value]) => !known.includes(key) || typeof value !== 'string')) {
    throw new Error(`"match" is to be an object of texts: ${known.join(', ')}`)
  }
  return match as FaultMatch
}

function clearFaults(bmc: Bmc, which: string | undefined): number {
  if (which === undefined) return bmc.faults.clear()
  const id = Number(which)
  if (Number.isInteger(id)) return bmc.faults.clear(id)
  return bmc.faults
    .list()
    .filter(({ name }) => name === which)
    .reduce((sum, fault) => sum + bmc.faults.clear(fault.id), 0)
}

function pressPower(bmc: Bmc, body: Record<string, unknown>): unknown {
  const { state, operation, afterMs = 0, systemId } = body
  const { power } = bmc.systemOrThrow(typeof systemId === 'string' ? systemId : undefined)
  if (state === 'on' || state === 'off') power.force(state, 'control')
  else if (operation === 'on' || operation === 'off' || operation === 'softOff' || operation === 'reset' || operation === 'cycle') {
    if (Number(afterMs) > 0) power.schedule(operation, Number(afterMs), 'control')
    else power.request(operation, 'control')
  } else throw new Error('"state" is to be on or off, or "operation" on, off, softOff, reset or cycle')
  return { trueState: power.state, bootId: power.bootId, pending: power.pending }
}

function summary(bmc: Bmc): unknown {
  return {
    name: bmc.name,
    url: bmc.url,
    ...(bmc.ipmi === undefined ? {} : { ipmi: bmc.ipmi.url }),
    personality: bmc.personality.name,
    systems: bmc.systems.map(({ spec, identity, power }) => ({ id: spec.id, isNode: spec.isNode, ...identity, trueState: power.state })),
  }
}

function report(bmc: Bmc): unknown {
  return {
    name: bmc.name,
    url: bmc.url,
    personality: bmc.personality.name,
    counters: { ...bmc.counters, sessionsOpen: bmc.sessions.list().length },
    sessions: bmc.sessions.list().map(({ id, userName, openedAt, lastUsedAt }) => ({ id, userName, openedAt, lastUsedAt })),
    commands: bmc.commands,
    faults: bmc.faults.list(),
    ...(bmc.ipmi === undefined ? {} : { ipmi: reportIpmi(bmc.ipmi) }),
    systems: bmc.systems.map(({ spec, identity, power, restorePolicy }) => ({
      id: spec.id,
      isNode: spec.isNode,
      ...identity,
      restorePolicy,
      trueState: power.state,
      bootId: power.bootId,
      pending: power.pending,
      history: power.history,
    })),
  }
}

/** Keys and passwords stay in. */
function reportIpmi({ url, counters, sessions, received, restorePolicy }: IpmiSide): unknown {
  return {
    url,
    counters: { ...counters, sessionsOpen: sessions.active().length },
    sessions: sessions.list().map(({ id, from, openedAt, lastUsedAt, keys, privilege, handshake }) => ({
      id: id.toString(16).padStart(8, '0'),
      user: handshake?.user.name ?? null,
      from,
      openedAt,
      lastUsedAt,
      isActive: keys !== undefined,
      privilege,
    })),
    received,
    restorePolicy,
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function notFound(): ControlReply {
  return { status: 404, value: { error: 'no such thing here' } }
}

async function readObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  const pieces: Buffer[] = []
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece)
  const value = parseObject(Buffer.concat(pieces).toString())
  if (value === undefined) throw new Error('the body is to be a JSON object')
  return value
}

function send(response: ServerResponse, { status, value }: ControlReply): void {
  const body = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}

function start(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
