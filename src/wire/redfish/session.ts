import { Secret } from '../../core/secret.ts'
import { type Answer, bodyOf, errorOf, factsOf, headerOf, isSessionLimit, isSessionLost } from './answer.ts'
import type { Ask } from './exchange.ts'
import { RedfishError } from './failure.ts'
import { type JsonObject, linkOf, textOf } from './json.ts'

/** What it takes to use and to close one session. `location` is null where the service never told: such a session can't be closed. */
export interface SessionRef {
  location: string | null
  token: Secret
}

/** How requests are authenticated: over a session, or by Basic where the service has no free session or none at all. */
export type Auth = { kind: 'session'; ref: SessionRef } | { kind: 'basic' }

/** Opens the credential; called at log-in, and per request under Basic, so that nothing here keeps the password. */
export type CredentialSource = () => Promise<{ username: string; password: Secret }>

/** What the functions of this file need of a client. */
export interface Conversation {
  /** One exchange, nothing followed, nothing retried. */
  exchange(ask: Ask): Promise<Answer>
  /** A reference of the service as path to send, or undefined where it leads elsewhere. */
  resolve(reference: unknown): string | undefined
  readonly depthLimit: number
  wallNow(): number
}

/** `closed`: the session is gone at the service. `unknown`: it may live on; the caller has to wait instead (S3). */
export type Closing = 'closed' | 'unknown'

const JSON_HEADERS = {
  accept: 'application/json',
  'content-type': 'application/json',
  'odata-version': '4.0',
  'accept-encoding': 'identity',
}

/** Body headers of every POST of this room. */
export function postHeaders(auth: Record<string, string> = {}): Record<string, string> {
  return { ...JSON_HEADERS, ...auth }
}

/** The Basic header of a credential. */
export function basicHeader(credential: { username: string; password: Secret }): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password.reveal()}`).toString('base64')}`
}

/**
 * Logs in at `Links.Sessions`: any 2xx with a token counts (DMTF's mock-up server answers 204). Sent once.
 * Gives Basic where the service has no session service, no free session (Dell RAC0218 and SessionLimitExceeded) or sends no token.
 * Throws RedfishError: `bad_credentials`, `password_change_required`, and what an exchange throws.
 */
export async function logIn(to: Conversation, sessionsPath: string, source: CredentialSource, signal?: AbortSignal): Promise<Auth> {
  const credential = await source()
  const body = JSON.stringify({ UserName: credential.username, Password: credential.password.reveal() })
  const answer = await to.exchange({ method: 'POST', path: sessionsPath, headers: postHeaders(), body, signal })
  const facts = factsOf(answer, to.depthLimit, to.wallNow())
  if (answer.status < 200 || answer.status > 299) {
    if (isSessionLimit(facts.messageIds) || [404, 405, 501].includes(answer.status)) return { kind: 'basic' }
    const error = errorOf(facts, 'log-in')
    if (error.reason === 'unauthorized' || error.reason === 'forbidden') throw new RedfishError('bad_credentials', error.message, facts)
    throw error
  }
  const token = headerOf(answer, 'x-auth-token')
  if (token === undefined || token === '') return { kind: 'basic' }
  const own = bodyOf(answer, to.depthLimit)
  const ref: SessionRef = { location: locationOf(to, answer, own), token: new Secret(token) }
  if (facts.messageIds.includes('PasswordChangeRequired')) {
    await closeSession(to, ref, signal)
    throw errorOf(facts, 'log-in')
  }
  if (ref.location === null) ref.location = await findOwn(to, sessionsPath, ref.token, credential.username, signal)
  return { kind: 'session', ref }
}

/**
 * Closes a session with nothing but its reference (S3). Closed: 2xx, 404, or a lost-session answer to the session's own token
 * (401; 403 with NoValidSession). Anything else, silence too: unknown. Never throws, never follows a redirect.
 */
export async function closeSession(to: Conversation, ref: SessionRef, signal?: AbortSignal): Promise<Closing> {
  if (ref.location === null) return 'unknown'
  const path = to.resolve(ref.location)
  if (path === undefined) return 'unknown'
  const headers = { accept: 'application/json', 'odata-version': '4.0', 'accept-encoding': 'identity', 'x-auth-token': ref.token.reveal() }
  try {
    const answer = await to.exchange({ method: 'DELETE', path, headers, signal })
    if (answer.status >= 200 && answer.status <= 299) return 'closed'
    if (answer.status === 404) return 'closed'
    return isSessionLost(answer.status, factsOf(answer, to.depthLimit, to.wallNow()).messageIds) ? 'closed' : 'unknown'
  } catch {
    return 'unknown'
  }
}

/** The session's path from `Location` (relative or absolute; of an absolute one only the path: BMCs behind NAT name their inner host), else from the body. */
function locationOf(to: Conversation, answer: Answer, body: JsonObject | undefined): string | null {
  const header = headerOf(answer, 'location')?.replace(/^https?:\/\/[^/]*/i, '')
  return to.resolve(header) ?? to.resolve(body?.['@odata.id']) ?? null
}

/** Looks through the collection for the one session of this user; null where there are several or none. */
async function findOwn(
  to: Conversation,
  sessionsPath: string,
  token: Secret,
  username: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const headers = { accept: 'application/json', 'odata-version': '4.0', 'accept-encoding': 'identity', 'x-auth-token': token.reveal() }
  const read = async (path: string): Promise<JsonObject | undefined> => {
    const answer = await to.exchange({ method: 'GET', path, headers, signal })
    return answer.status === 200 ? bodyOf(answer, to.depthLimit) : undefined
  }
  try {
    const members = (await read(sessionsPath))?.['Members']
    if (!Array.isArray(members) || members.length > 32) return null
    const own: string[] = []
    for (const member of members) {
      const path = to.resolve(linkOf({ member }, 'member'))
      if (path === undefined) return null
      const session = await read(path)
      if (session === undefined || textOf(session, 'UserName') === username) own.push(path)
    }
    return own.length === 1 ? (own[0] ?? null) : null
  } catch {
    return null
  }
}
