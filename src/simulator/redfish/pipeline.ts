import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Step } from '../faults/types.ts'
import type { Bmc } from './bmc.ts'
import type { Exchange, Reply } from './exchange.ts'
import { messageReply } from './messages.ts'
import { respond } from './respond.ts'
import { targetOf } from './target.ts'

/** More than any request to a BMC needs. */
const BODY_LIMIT = 1_048_576
const MOVED = '/moved'

/** Takes one request through a BMC: faults before, the work, faults after, the answer. */
export function handle(bmc: Bmc, request: IncomingMessage, response: ServerResponse, requestsOnConnection: number): void {
  const exchange = openExchange(bmc, request, response, requestsOnConnection)
  const { counters } = bmc
  counters.requests++
  counters.byMethod[exchange.method] = (counters.byMethod[exchange.method] ?? 0) + 1
  const isPlainRead = (exchange.method === 'GET' || exchange.method === 'HEAD') && bmc.faults.isEmpty && bmc.latencyMs === 0
  if (isPlainRead) {
    finish(exchange, respond(exchange))
    return
  }
  bmc.inFlight++
  counters.peakInFlight = Math.max(counters.peakInFlight, bmc.inFlight)
  run(exchange)
    .catch(() => response.destroy())
    .finally(() => {
      bmc.inFlight--
    })
}

function openExchange(bmc: Bmc, request: IncomingMessage, response: ServerResponse, requestsOnConnection: number): Exchange {
  const url = request.url ?? '/'
  const mark = url.indexOf('?')
  const whole = mark < 0 ? url : url.slice(0, mark)
  const wasMoved = whole.startsWith(`${MOVED}/`)
  const moved = wasMoved ? whole.slice(MOVED.length) : whole
  return {
    bmc,
    request,
    response,
    method: request.method ?? 'GET',
    path: moved.length > 1 && moved.endsWith('/') ? moved.slice(0, -1) : moved,
    query: mark < 0 ? '' : url.slice(mark + 1),
    wasMoved,
    requestsOnConnection,
    body: '',
    caller: { kind: 'nobody' },
  }
}

async function run(exchange: Exchange): Promise<void> {
  const { bmc, request } = exchange
  const body = await readBody(request)
  if (body === undefined) {
    finish(exchange, messageReply(bmc.personality, 'GeneralError', 413))
    return
  }
  exchange.body = body
  if (bmc.latencyMs > 0) await pause(bmc, bmc.latencyMs)
  let result: Reply | 'never' | 'drop' | undefined
  for (const step of bmc.faults.ask(targetOf(exchange), (definition, parameters) => definition.before?.(exchange, parameters))) {
    result = await take(bmc, step)
    if (result !== undefined) break
  }
  result ??= respond(exchange)
  if (typeof result === 'string') {
    finish(exchange, result)
    return
  }
  let reply: Reply = result
  for (const step of bmc.faults.ask(targetOf(exchange), (definition, parameters) => definition.after?.(reply, parameters, exchange))) {
    const changed = await take(bmc, step)
    if (typeof changed === 'string') {
      finish(exchange, changed)
      return
    }
    reply = changed ?? reply
  }
  finish(exchange, reply)
}

/** Does the waiting of a step; what is left is an answer, a silence, or nothing. */
async function take(bmc: Bmc, step: Step): Promise<Reply | 'never' | 'drop' | undefined> {
  if (step.kind === 'reply') return step.reply
  if (step.kind !== 'wait') return step.kind
  await pause(bmc, step.ms)
  return undefined
}

function pause(bmc: Bmc, ms: number): Promise<void> {
  return new Promise(resolve => {
    bmc.clock.setTimeout(resolve, ms)
  })
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  if (request.method === 'GET' || request.method === 'HEAD') {
    request.resume()
    return ''
  }
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length
    if (length > BODY_LIMIT) return undefined
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

function finish(exchange: Exchange, result: Reply | 'never' | 'drop'): void {
  const { response } = exchange
  if (result === 'never') return
  if (result === 'drop') {
    response.destroy()
    return
  }
  if (result.deliver !== undefined) {
    result.deliver(exchange, result)
    return
  }
  const { status, headers, body } = result
  if (body === null) {
    // A 204 and a 304 have no length; any other empty answer must say so, or the client would wait for a chunk.
    const length = status === 204 || status === 304 ? {} : { 'content-length': '0' }
    response.writeHead(status, { ...COMMON, ...length, ...headers })
    response.end()
    return
  }
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
  const type = length === 0 ? {} : { 'content-type': 'application/json' }
  response.writeHead(status, { ...COMMON, ...type, 'content-length': String(length), ...headers })
  response.end(exchange.method === 'HEAD' ? undefined : body)
}

const COMMON = { 'odata-version': '4.0', 'cache-control': 'no-cache' }
