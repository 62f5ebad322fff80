import { gzipSync } from 'node:zlib'
import type { Exchange, Reply } from '../redfish/exchange.ts'
import { defineFault, type FaultValue, type Step } from './types.ts'

const MIB = 1_048_576
const PIECE = 65_536

/** Faults of the answer: its body, its framing, its size. They act on answers that have a body. */
export const bodyFaults = {
  hugeAnswer: defineFault({
    summary: 'A valid JSON answer of `bytes`, with a Content-Length or in chunks.',
    defaults: { bytes: 50 * MIB, chunked: false as boolean },
    after: (reply, { bytes, chunked }) =>
      withBody(reply, text => ({ ...reply, deliver: exchange => sendHuge(exchange, reply, text, bytes, chunked) })),
  }),

  gzipBomb: defineFault({
    summary: 'A gzip body that unpacks to `bytes`, although nobody asked for gzip.',
    defaults: { bytes: 50 * MIB },
    after: (reply, { bytes }) =>
      withBody(reply, () => ({ ...reply, headers: { ...reply.headers, 'content-encoding': 'gzip' }, body: bomb(bytes) })),
  }),

  truncated: defineFault({
    summary:
      'Only the first `keep` (0 to 1) of the body: the connection ends before the Content-Length (`length`), in mid-chunk (`chunked`), or the answer is whole but its JSON is not (`short`).',
    defaults: { keep: 0.5, how: 'length' as 'length' | 'chunked' | 'short' },
    after: (reply, { keep, how }) =>
      withBody(reply, text => {
        const part = text.slice(0, Math.floor(text.length * keep))
        return how === 'short' ? { ...reply, body: part } : { ...reply, deliver: exchange => sendCut(exchange, reply, text, part, how) }
      }),
  }),

  slowBody: defineFault({
    summary: 'Slow loris: `bytes` of the body every `everyMs`.',
    defaults: { bytes: 1, everyMs: 1000 },
    after: (reply, { bytes, everyMs }) =>
      withBody(reply, text => ({ ...reply, deliver: exchange => sendSlowly(exchange, reply, text, bytes, everyMs) })),
  }),

  deepNesting: defineFault({
    summary: 'Valid JSON with `depth` arrays in each other.',
    defaults: { depth: 100_000 },
    after: (reply, { depth }) =>
      withBody(reply, text => ({ ...reply, body: extend(text, `"Deep":${'['.repeat(depth)}${']'.repeat(depth)}`) })),
  }),

  rewrite: defineFault({
    summary:
      'Puts `value` (or the JSON text in `json`) at the JSON pointer `pointer` of the answer, or takes that member out with `remove`: an odd action target, other AllowableValues, a page that links itself.',
    defaults: { pointer: '/Name', value: null as FaultValue, json: '', remove: false as boolean },
    after: (reply, { pointer, value, json, remove }) => {
      const changed =
        reply.body === null ? undefined : rewrite(reply.body.toString(), pointer, json === '' ? value : JSON.parse(json), remove)
      return changed === undefined ? undefined : { kind: 'reply', reply: { ...reply, body: changed } }
    },
  }),

  html: defineFault({
    summary: 'An HTML page in place of JSON.',
    defaults: { status: 200 },
    after: (_reply, { status }) => ({
      kind: 'reply',
      reply: {
        status,
        headers: { 'content-type': 'text/html' },
        body: '<!DOCTYPE html><html><head><title>Login</title></head><body>Please log in.</body></html>',
      },
    }),
  }),

  emptyAnswer: defineFault({
    summary: 'An answer with its status and no body.',
    defaults: { status: 200 },
    after: (reply, { status }) => ({ kind: 'reply', reply: { status, headers: reply.headers, body: Buffer.alloc(0) } }),
  }),

  text: defineFault({
    summary: 'Puts `prefix` in front of the JSON (a byte order mark unless told) and sends it as `contentType`.',
    defaults: { prefix: '\uFEFF', contentType: 'text/plain' },
    after: (reply, { prefix, contentType }) =>
      withBody(reply, text => ({ ...reply, headers: { ...reply.headers, 'content-type': contentType }, body: prefix + text })),
  }),
}

function withBody(reply: Reply, change: (text: string) => Reply): Step | undefined {
  return reply.body === null || reply.body.length === 0 ? undefined : { kind: 'reply', reply: change(reply.body.toString()) }
}

/** Changes one member of a JSON text by its pointer (RFC 6901); undefined where there is no such place. */
function rewrite(text: string, pointer: string, value: unknown, remove: boolean): string | undefined {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    return undefined
  }
  const keys = pointer
    .split('/')
    .slice(1)
    .map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  const last = keys.pop()
  const holder = keys.reduce<unknown>((place, key) => (place as Record<string, unknown> | null | undefined)?.[key], root)
  if (last === undefined || typeof holder !== 'object' || holder === null) return undefined
  if (remove) delete (holder as Record<string, unknown>)[last]
  else (holder as Record<string, unknown>)[last] = value
  return JSON.stringify(root)
}

/** Adds a member to a JSON object in text form. */
function extend(text: string, member: string): string {
  return `${text.slice(0, text.lastIndexOf('}'))},${member}}`
}

const bombs = new Map<number, Buffer>()

function bomb(bytes: number): Buffer {
  const known = bombs.get(bytes) ?? gzipSync(`{"PowerState":"Off","Padding":"${'0'.repeat(bytes)}"}`, { level: 1 })
  bombs.set(bytes, known)
  return known
}

/** Pads the object with one long string; piece by piece, so that the simulator itself stays small. */
function sendHuge({ response }: Exchange, reply: Reply, text: string, bytes: number, chunked: boolean): void {
  const head = `${text.slice(0, text.lastIndexOf('}'))},"Padding":"`
  const tail = '"}'
  let left = Math.max(0, bytes - head.length - tail.length)
  const length = head.length + left + tail.length
  response.writeHead(reply.status, {
    'content-type': 'application/json',
    ...reply.headers,
    ...(chunked ? {} : { 'content-length': String(length) }),
  })
  response.write(head)
  const piece = Buffer.alloc(PIECE, 'x')
  const pump = (): void => {
    while (left > 0) {
      const size = Math.min(left, PIECE)
      left -= size
      if (!response.write(size === PIECE ? piece : piece.subarray(0, size))) {
        response.once('drain', pump)
        return
      }
    }
    response.end(tail)
  }
  pump()
}

function sendCut({ response }: Exchange, reply: Reply, text: string, part: string, how: 'length' | 'chunked'): void {
  const length = how === 'length' ? { 'content-length': String(Buffer.byteLength(text)) } : {}
  response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers, ...length })
  response.write(part, () => response.destroy())
}

function sendSlowly({ bmc, response }: Exchange, reply: Reply, text: string, bytes: number, everyMs: number): void {
  const body = Buffer.from(text)
  let sent = 0
  response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers, 'content-length': String(body.length) })
  const step = (): void => {
    if (response.destroyed) return
    response.write(body.subarray(sent, sent + bytes))
    sent += bytes
    if (sent >= body.length) response.end()
    else bmc.clock.setTimeout(step, everyMs)
  }
  step()
}
