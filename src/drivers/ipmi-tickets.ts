import { createHash } from 'node:crypto'
import { Secret } from '../core/secret.ts'
import type { SessionTicketData } from '../wire/ipmi/client-ticket.ts'

/** Closed sessions remembered: far more than are settled at once. */
const MOST = 1_000

/** A session's ticket as the caller seals it. */
export function sealable(ticket: SessionTicketData): Secret {
  return new Secret(JSON.stringify(ticket))
}

/** Reads a ticket back; undefined where it is none, e.g. of another version. */
export function ticketIn(closing: Secret): SessionTicketData | undefined {
  try {
    const found = JSON.parse(closing.reveal()) as Partial<Record<keyof SessionTicketData, unknown>> | null
    if (found === null || typeof found !== 'object') return undefined
    const { consoleId, bmcId, suite, k1, k2, nextSequence, guid } = found
    if (!isHex(consoleId) || !isHex(bmcId) || !isHex(k1) || !isHex(k2)) return undefined
    if ((suite !== 17 && suite !== 3) || !Number.isInteger(nextSequence)) return undefined
    return { consoleId, bmcId, suite, k1, k2, nextSequence: nextSequence as number, ...(isHex(guid) ? { guid } : {}) }
  } catch {
    return undefined
  }
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]+$/.test(value)
}

/**
 * Sessions that this process knows to be closed: their BMC said so. It does not answer a second Close under the keys of a session that it has forgotten,
 * and an operator may not ask about one over another, so that without this each would cost a log-in and then the time to live (S3).
 */
export class ClosedSessions {
  readonly #names = new Set<string>()

  add(ticket: SessionTicketData): void {
    this.#names.add(nameOf(ticket))
    const [oldest] = this.#names
    if (this.#names.size > MOST && oldest !== undefined) this.#names.delete(oldest)
  }

  has(ticket: SessionTicketData): boolean {
    return this.#names.has(nameOf(ticket))
  }
}

/** Ids are given again, keys are not. */
function nameOf({ consoleId, bmcId, k1 }: SessionTicketData): string {
  return createHash('sha256').update(`${consoleId} ${bmcId} ${k1}`).digest('base64')
}
