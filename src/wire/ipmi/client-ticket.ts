import type { CipherSuite } from '../../core/power.ts'
import type { Session } from './session-state.ts'

/** What it takes to close a session from another process (S3). JSON; ids and keys in hexadecimal digits. The keys are secret. */
export interface SessionTicketData {
  consoleId: string
  bmcId: string
  suite: CipherSuite
  k1: string
  k2: string
  /** The number of the next packet when the ticket was written: the command's. */
  nextSequence: number
  /** The machine's GUID as the log-in proved it: whoever closes the session over another one must speak to the same machine. Tickets of before have none. */
  guid?: string
}

/** The ticket of a session. */
export function ticketOf({ consoleId, bmcId, suite, keys, guid }: Session, nextSequence: number): SessionTicketData {
  return {
    consoleId: hex(consoleId),
    bmcId: hex(bmcId),
    suite: suite.id,
    k1: keys.k1.toString('hex'),
    k2: keys.k2.toString('hex'),
    nextSequence,
    guid: guid.toString('hex'),
  }
}

function hex(id: number): string {
  return id.toString(16).padStart(8, '0')
}
