import { IpmiClient } from './client.ts'
import { type ClientOptions, limitsOf } from './client-options.ts'
import type { IpmiPorts } from './client-ports.ts'
import { resolveHost } from './client-resolve.ts'
import { ClientSession } from './client-session.ts'
import type { SessionTicketData } from './client-ticket.ts'
import { COMMANDS } from './commands.ts'
import { IpmiError } from './failure.ts'
import { isUsable } from './guid.ts'
import { adopt } from './session-exchange.ts'
import { LOST_AFTER } from './session-schedule.ts'
import type { Session } from './session-state.ts'
import { SUITES } from './suites.ts'

/** Close Session's completion code for an id that the BMC does not know (§22.19). */
const NO_SUCH_SESSION = 0x87

/**
 * Closes an earlier session with nothing but its ticket (S3): first by its own Close under its own keys; where nothing answers that, the BMC does not know the session any
 * more or is away, so then by a new log-in that asks for the old id to be closed: only at the machine that the session was opened at, which both log-ins have to
 * prove by the same GUID (ids say nothing about another machine's sessions, and an address may have been given to one). `closed` only by the BMC's word (0x00 or
 * 0x87); all else is `unknown`, also where the ticket or the machine names no GUID.
 * A log-in that the BMC refuses is `unknown` too, and counted by `failed`, where given, for the caller's breaker. Never throws.
 */
export async function closeByTicket(
  ports: IpmiPorts,
  options: ClientOptions,
  ticket: SessionTicketData,
  signal?: AbortSignal,
  failed: (error: IpmiError) => void = () => undefined,
): Promise<'closed' | 'unknown'> {
  try {
    const { host, port } = options.address
    const address = await resolveHost(ports, host, limitsOf(options).connectMs, signal)
    if (await closeItself(ports, options, sessionOf(ticket, options), address, port, ticket.nextSequence, signal)) return 'closed'
    const machine = Buffer.from(ticket.guid ?? '', 'hex')
    if (signal?.aborted || !isUsable(machine)) return 'unknown'
    return await closeFromAnother(ports, options, machine, Number.parseInt(ticket.bmcId, 16), signal)
  } catch (error) {
    if (error instanceof IpmiError) failed(error)
    return 'unknown'
  }
}

function sessionOf(ticket: SessionTicketData, options: ClientOptions): Session {
  return {
    consoleId: Number.parseInt(ticket.consoleId, 16),
    bmcId: Number.parseInt(ticket.bmcId, 16),
    suite: SUITES[ticket.suite],
    keys: { k1: Buffer.from(ticket.k1, 'hex'), k2: Buffer.from(ticket.k2, 'hex') },
    guid: Buffer.alloc(0),
    checkSums: !(options.quirks ?? []).includes('skip-checksum'),
    retransmitMs: limitsOf(options).retransmitMs,
    stride: 1,
  }
}

/** Five packets: a BMC that has the session and is there answers one of them. */
function closeItself(
  ports: IpmiPorts,
  options: ClientOptions,
  session: Session,
  address: string,
  port: number,
  nextSequence: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise(resolve => {
    const live = new ClientSession(ports, address, port)
    const onAbort = () => live.close(false, 0, () => resolve(false))
    signal?.addEventListener('abort', onAbort, { once: true })
    live.adopt(adopt(session, nextSequence))
    live.close(true, LOST_AFTER * limitsOf(options).retransmitMs, known => {
      signal?.removeEventListener('abort', onAbort)
      resolve(known)
    })
  })
}

/** Where the BMC gave the old id to this very log-in, the old session is gone as well, and closing the new one says so. */
async function closeFromAnother(
  ports: IpmiPorts,
  options: ClientOptions,
  machine: Buffer,
  bmcId: number,
  signal: AbortSignal | undefined,
): Promise<'closed' | 'unknown'> {
  // Each of its log-ins is looked at, also one in between.
  const client = new IpmiClient(ports, options, machine)
  try {
    await client.elevate(signal)
    await client.execute(COMMANDS.closeSession, { sessionId: bmcId }, signal)
    return 'closed'
  } catch (error) {
    if (error instanceof IpmiError && error.reason === 'completion' && error.facts.completion === NO_SUCH_SESSION) return 'closed'
    throw error
  } finally {
    await client.close({ confirmed: false })
  }
}
