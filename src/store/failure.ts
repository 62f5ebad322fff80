import { SafestateError } from '../core/errors.ts'

/** What the answers of a server mean, by the first word of its error (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors). */
const answers: Record<string, string> = {
  OOM: 'the store is out of memory',
  READONLY: 'the store is a read-only replica',
  LOADING: 'the store is still loading its data',
  MISCONF: "the store can't write to its disk",
  CLUSTERDOWN: 'the cluster of the store is down',
  MOVED: 'the store is a cluster, and another node of it holds our keys',
  MASTERDOWN: 'the store lost its primary',
  NOREPLICAS: 'the store has too few replicas',
  BUSY: 'the store is busy with a script',
  NOAUTH: 'the store asks for a password',
  WRONGPASS: 'the store refused our user name or password',
  NOPERM: 'the store does not let our user do this',
}

/**
 * Any failure of the Redis client as `store_unavailable`. Only words of our own and codes get into the message: errors of the client carry
 * whole commands, and those can carry passwords and sealed credentials.
 */
export function unavailable(error: unknown): SafestateError {
  if (error instanceof SafestateError) return error
  return new SafestateError('store_unavailable', reason(error))
}

/** Whether the server said that it doesn't know the script: it has run nothing of it. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && error.message.startsWith('NOSCRIPT')
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return 'the store failed'
  if (error.name === 'ReplyError') {
    const word = /^[A-Z]+(?= )/.exec(error.message)?.[0] ?? 'ERR'
    return `${answers[word] ?? 'the store refused a command'} (${word})`
  }
  if ('code' in error && typeof error.code === 'string') return `the store can't be reached (${error.code})`
  if (error.message.startsWith('Socket timeout')) return 'the store did not answer in time'
  return 'the connection to the store was lost'
}
