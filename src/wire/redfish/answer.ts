import type { IncomingHttpHeaders } from 'node:http'
import { type FailureFacts, RedfishError } from './failure.ts'
import { isObject, type JsonObject, parseJson, textOf } from './json.ts'

/** One complete HTTP answer: body decompressed and within bounds, not yet parsed. */
export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** The longest wait that a service can talk us into. */
const RETRY_AFTER_MAX_MS = 60_000

/** A header's value; of a repeated one the first. */
export function headerOf(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/**
 * `Retry-After` in ms: seconds or an HTTP-date, clamped to 0–60 s; undefined where absent or unreadable.
 * A date counts from the answer's own `Date`, because clocks of BMCs are often wrong; from ours (`wallNow`) only where it has none.
 */
export function retryAfterMs(answer: Answer, wallNow: number): number | undefined {
  const value = headerOf(answer, 'retry-after')?.trim()
  if (value === undefined || value === '') return undefined
  if (/^[+-]?\d+(\.\d+)?$/.test(value)) return clampWait(Number(value) * 1_000)
  const until = Date.parse(value)
  if (Number.isNaN(until)) return undefined
  const from = Date.parse(headerOf(answer, 'date') ?? '')
  return clampWait(until - (Number.isNaN(from) ? wallNow : from))
}

/**
 * The last dotted parts of all MessageIds of a body (`Base.1.12.NoValidSession` → `NoValidSession`), `error.code` last.
 * `@Message.ExtendedInfo` is an array in the specification and an object, text or null on some services.
 */
export function messageIdsOf(body: JsonObject | undefined): string[] {
  if (body === undefined) return []
  const error = isObject(body['error']) ? body['error'] : body
  const info = error['@Message.ExtendedInfo']
  const entries: unknown[] = Array.isArray(info) ? info.slice(0, 50) : [info]
  const ids = entries.map(entry => (isObject(entry) ? (textOf(entry, 'MessageId') ?? textOf(entry, 'MessageID')) : undefined))
  if (error !== body) ids.push(textOf(error, 'code'))
  return [...new Set(ids.filter(id => id !== undefined && id !== '').map(id => lastPart(id as string)))]
}

/** The body as an object where it is one; undefined for empty, XHTML and other bodies, which are common under error statuses. */
export function bodyOf(answer: Answer, depthLimit: number): JsonObject | undefined {
  try {
    return parseJson(answer.body, depthLimit)
  } catch {
    return undefined
  }
}

/** Facts of an answer that is an error. */
export function factsOf(answer: Answer, depthLimit: number, wallNow: number): FailureFacts & { messageIds: string[] } {
  const wait = retryAfterMs(answer, wallNow)
  return {
    status: answer.status,
    messageIds: messageIdsOf(bodyOf(answer, depthLimit)),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
    written: true,
  }
}

/**
 * Whether an answer says that the session is gone: 401, or 403 with NoValidSession (OpenBMC; bmcweb `error_messages.cpp`).
 * A 403 with anything else is a matter of privilege: that session lives.
 */
export function isSessionLost(status: number, messageIds: readonly string[]): boolean {
  return status === 401 || (status === 403 && messageIds.includes('NoValidSession'))
}

/** Whether a log-in was refused for want of a free session: standard, and Dell's RAC0218. */
export function isSessionLimit(messageIds: readonly string[]): boolean {
  return messageIds.includes('SessionLimitExceeded') || messageIds.includes('RAC0218')
}

/** The error for an answer other than 2xx to a read. */
export function errorOf(facts: FailureFacts & { messageIds: string[] }, what: string): RedfishError {
  const status = facts.status ?? 0
  const said = facts.messageIds.length > 0 ? ` (${facts.messageIds.join(', ').slice(0, 120)})` : ''
  const fail = (reason: RedfishError['reason']) => new RedfishError(reason, `${what}: HTTP ${status}${said}`, facts)
  if (facts.messageIds.includes('PasswordChangeRequired')) return fail('password_change_required')
  if (isSessionLimit(facts.messageIds)) return fail('session_limit')
  if (status >= 300 && status < 400) return fail('redirect_refused')
  if (status === 401) return fail('unauthorized')
  if (status === 403) return fail('forbidden')
  if (status === 404 || status === 410) return fail('not_found')
  // SYS518: Dell, "iDRAC not ready", sent with 500.
  if (status === 429 || (status >= 502 && status <= 504) || facts.messageIds.includes('SYS518')) return fail('busy')
  return fail('http_error')
}

function clampWait(ms: number): number {
  return Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}

function lastPart(id: string): string {
  return id.slice(id.lastIndexOf('.') + 1).slice(0, 80)
}
