import { bodyOf, headerOf, messageIdsOf, retryAfterMs } from './answer.ts'
import { type FailureReason, RedfishError } from './failure.ts'
import { textOf } from './json.ts'
import { type Auth, type Conversation, postHeaders } from './session.ts'

/** A power command to send. */
export interface CommandRequest {
  /** The Reset action's target, resolved. */
  path: string
  resetType: string
  /** The log-in that the command's intent names: it goes over this one or not at all (S3). */
  auth: Auth
  /** Counted from the call: at this age its sockets are destroyed. */
  timeToLiveMs: number
  /** Use a new connection, for services that reset kept ones (quirk table). */
  freshConnection?: boolean
}

/**
 * What became of a command. It says nothing about power.
 * `answered`: a whole answer came. `unanswered`: bytes may have left; it may or may not be carried out, now or later. `unsent`: provably no byte left.
 */
export type CommandResult =
  | {
      kind: 'answered'
      status: number
      /** 2xx, whatever the body says: HPE sends 200 with an `error` object that holds Success. */
      accepted: boolean
      messageIds: string[]
      retryAfterMs?: number
      /** The task's or its monitor's path, where the service made one: a hint, never proof. */
      taskLocation?: string
      /** Status and the beginning of the body, for the evidence. */
      raw: string
    }
  | { kind: 'unanswered'; reason: FailureReason }
  | { kind: 'unsent'; reason: FailureReason | 'session_changed' | 'no_credential' }

/**
 * POSTs one Reset, once: no repetition, no log-in, no redirect, no If-Match (Dell's iDRAC10 answers 412 to it, gofish has to take it back).
 * A 401, a 3xx or a 412 is an answer. Never throws.
 */
export async function sendCommand(
  to: Conversation,
  request: CommandRequest,
  authHeader: Record<string, string>,
  expiresAt: number,
  signal?: AbortSignal,
): Promise<CommandResult> {
  const body = JSON.stringify({ ResetType: request.resetType })
  try {
    const answer = await to.exchange({ method: 'POST', path: request.path, headers: postHeaders(authHeader), body, signal, expiresAt })
    const parsed = bodyOf(answer, to.depthLimit)
    const wait = retryAfterMs(answer, to.wallNow())
    const isTask = parsed !== undefined && (textOf(parsed, '@odata.type') ?? '').startsWith('#Task.')
    const task = to.resolve(headerOf(answer, 'location')) ?? (isTask ? to.resolve(parsed['@odata.id']) : undefined)
    return {
      kind: 'answered',
      status: answer.status,
      accepted: answer.status >= 200 && answer.status <= 299,
      messageIds: messageIdsOf(parsed),
      ...(wait === undefined ? {} : { retryAfterMs: wait }),
      ...(task === undefined || answer.status !== 202 ? {} : { taskLocation: task }),
      raw: `${answer.status} ${printable(answer.body.subarray(0, 800).toString('utf8'))}`.trimEnd().slice(0, 200),
    }
  } catch (error) {
    if (!(error instanceof RedfishError)) return { kind: 'unanswered', reason: 'connection_lost' }
    const { reason } = error
    return error.facts.written === false ? { kind: 'unsent', reason } : { kind: 'unanswered', reason }
  }
}

/** Runs of white space and control characters as one space: evidence is one line. */
function printable(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ')
}
