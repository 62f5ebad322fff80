import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { SafestateError } from '../core/errors.ts'
import type { Api } from './context.ts'
import { namingFields } from './fields.ts'
import { EdgeError, expected, PROBLEM_TYPE, plainError, problemOf, sendProblem } from './problems.ts'
import { refusalOf } from './validation.ts'

/** Makes every error an RFC 9457 problem: what handlers throw, what fastify finds, addresses and methods that don't exist. */
export function answerErrors(app: Api): void {
  const routes: { path: RegExp; methods: Set<string> }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ path: pathPattern(url), methods: new Set([method].flat()) })
  })

  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const translated = error.validation ? refusalOf(request) : namingFields(translate(error), request.body)
    if (!expected(translated)) request.log.error({ err: plainError(error) }, 'a request failed')
    return sendProblem(request, reply, translated)
  })

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const methods = [...new Set(routes.filter(route => route.path.test(path)).flatMap(route => [...route.methods]))].sort()
    if (methods.length === 0) return sendProblem(request, reply, new SafestateError('not_found', 'there is nothing at this address'))
    reply.header('allow', methods.join(', '))
    return sendProblem(request, reply, new EdgeError(405, 'bad_request', `this address takes ${methods.join(', ')} only`))
  })
}

/** Requests that come in over open connections while the server closes are told to come back. */
export function refuseWhenClosing(app: Api, closing: AbortSignal): void {
  app.addHook('onRequest', async (request, reply) => {
    if (!closing.aborted) return undefined
    return sendProblem(request, reply, new SafestateError('store_unavailable', 'the gateway is closing'))
  })
  // A connection kept open after its answer would hold up the end of the process for the keep-alive time.
  app.addHook('onSend', async (_request, reply) => {
    if (closing.aborted) reply.header('connection', 'close')
  })
}

/** fastify's errors in our words. Their own messages are not used: some repeat what was sent. */
function translate(error: FastifyError): unknown {
  if (error instanceof SafestateError) return error
  const status = error.statusCode ?? 500
  if (status === 413) return new SafestateError('too_large', 'the body is larger than 1 MiB')
  if (status === 415) return new SafestateError('unsupported_media_type', 'the body has to be application/json')
  if (status >= 400 && status < 500) {
    const json = error instanceof SyntaxError || error.code === 'FST_ERR_CTP_INVALID_JSON_BODY'
    return new SafestateError('bad_request', json ? 'the body is not JSON' : 'the request is malformed', {
      errors: [{ field: json ? 'body' : 'request', message: json ? 'is not JSON' : 'is malformed' }],
    })
  }
  return error
}

/** The addresses that a route's pattern stands for. */
function pathPattern(url: string): RegExp {
  const escaped = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:[A-Za-z]+/g, '[^/]+')
    .replace(/\*/g, '.*')
  return new RegExp(`^${escaped}$`)
}

/** The answer to a request that never reached a route: an address that can't be decoded, or a name that is too long to be one of ours. */
export function unroutable(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const long = error.code === 'FST_ERR_MAX_PARAM_LENGTH' || error.statusCode === 414
  const refusal = long ? new SafestateError('not_found', 'there is nothing at this address') : translate(error)
  sendProblem(request, reply, refusal)
}

/** The answer to bytes that are no HTTP request: there is no request yet, so it is written by hand. */
export function malformed(error: { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, text] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'the request did not arrive in time']
      : ['400 Bad Request', 'this is not HTTP']
  const problem = { ...problemOf(new SafestateError('bad_request', text), randomUUID()), status: Number(status.slice(0, 3)) }
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
