import { algorithmsOf } from './algorithms.ts'
import type { Call, Completed } from './commands.ts'
import { CODES } from './completion.ts'
import { PRIVILEGES } from './options.ts'
import { MAKERS } from './products.ts'

/** This channel, as it is asked for (Eh), and its number as it is answered. */
const THIS_CHANNEL = 0x0e
const CHANNEL = 1
const PAGE = 16
const LAST_PAGE = 0x3f

/** Get Device ID (§20.1). */
export function deviceId({ side }: Call): Completed {
  const { personality } = side.bmc
  const bytes = Buffer.alloc(15)
  const [major = '0', minor = '0'] = personality.firmware.match(/\d+/g) ?? []
  bytes.set([0x20, 0x01, Number(major) & 0x7f, bcd(Number(minor) % 100), 0x02, 0x80])
  bytes.writeUIntLE(MAKERS[personality.name] ?? 0, 6, 3)
  bytes.writeUInt16LE(0x0100, 9)
  return { completion: CODES.ok, data: bytes }
}

/** Cold Reset (§20.2): all sessions are gone, and nothing is answered over them any more. */
export function coldReset({ plan }: Call): Completed {
  plan.loses = 'all'
  return { completion: CODES.ok }
}

/** Get Device GUID (§20.8): the BMC's own. */
export function deviceGuid({ side }: Call): Completed {
  return { completion: CODES.ok, data: side.deviceGuid }
}

/** Get System GUID (§22.14). */
export function systemGuid({ side }: Call): Completed {
  return { completion: CODES.ok, data: side.systemGuid }
}

/** Get Channel Authentication Capabilities (§22.13): 2.0 only, whatever was asked for. */
export function authCapabilities({ side, request: { data } }: Call): Completed {
  const [channel = 0, privilege = 0] = data
  if (data.length !== 2) return { completion: CODES.length }
  if (!isThisChannel(channel) || (privilege & 0x0f) < 1 || (privilege & 0x0f) > 4) return { completion: CODES.field }
  const wants2 = (channel & 0x80) !== 0
  const flags = (side.kg === undefined ? 0 : 0x20) | 0x04
  return { completion: CODES.ok, data: [CHANNEL, wants2 ? 0x80 : 0x00, flags, wants2 ? 0x02 : 0x00, 0, 0, 0, 0] }
}

/** Get Channel Cipher Suites (§22.15): records in pages of 16 bytes. */
export function cipherSuites({ side, request: { data } }: Call): Completed {
  const [channel = 0, payload = 0, index = 0] = data
  if (data.length !== 3) return { completion: CODES.length }
  if (!isThisChannel(channel) || payload !== 0) return { completion: CODES.field }
  const ids = [...(side.offersSuite0 ? [0] : []), ...side.suites]
  const records = ids.flatMap(id => {
    const { auth, integrity, confidentiality } = algorithmsOf(id)
    return [0xc0, id, auth, 0x40 | integrity, 0x80 | confidentiality]
  })
  const at = (index & LAST_PAGE) * PAGE
  return { completion: CODES.ok, data: [CHANNEL, ...records.slice(at, at + PAGE)] }
}

/** Set Session Privilege Level (§22.18); 0 only asks. */
export function setSessionPrivilege({ request: { data }, session }: Call): Completed {
  const [asked] = data
  if (data.length !== 1 || asked === undefined || session === undefined) return { completion: CODES.length }
  const level = asked & 0x0f
  const account = session.handshake?.user.privilege
  if (level !== 0) {
    if (level < PRIVILEGES.user || level > PRIVILEGES.administrator) return { completion: CODES.field }
    if (session.suite !== undefined && account !== undefined && level > PRIVILEGES[account]) return { completion: CODES.notForUser }
    if (level > session.limit) return { completion: CODES.aboveLimit }
    session.privilege = level
  }
  return { completion: CODES.ok, data: [session.privilege] }
}

/** Close Session (§22.19). Another's session needs an administrator. */
export function closeSession({ side, request: { data }, session, plan }: Call): Completed {
  if (data.length !== 4 || session === undefined) return { completion: CODES.length }
  const id = data.readUInt32LE(0)
  if (id !== session.id && session.privilege < PRIVILEGES.administrator) return { completion: CODES.privilege }
  if (side.sessions.find(id) === undefined) return { completion: CODES.noSession }
  const target = { protocol: 'ipmi', packet: 'closeSession', systemId: side.system.spec.id } as const
  const [stays] = [...side.bmc.faults.ask(target, (definition, parameters) => definition.logout?.(parameters))]
  if (stays !== true && plan.execute) {
    side.counters.closes++
    // Its own answer goes out over it first.
    if (id === session.id) plan.loses = 'own'
    else side.sessions.close(id)
  }
  return { completion: CODES.ok }
}

/** Get Session Info (§22.20): 0 is this one, FFh one by its id, all else by its place in the table. */
export function sessionInfo({ side, request: { data }, session }: Call): Completed {
  const active = side.sessions.active()
  const [index = 0] = data
  const asked =
    index === 0 ? session : index === 0xff && data.length === 5 ? active.find(({ id }) => id === data.readUInt32LE(1)) : active[index - 1]
  const head = [asked === undefined ? 0 : active.indexOf(asked) + 1, side.sessions.limit & 0x3f, active.length & 0x3f]
  if (asked === undefined) return { completion: CODES.ok, data: head }
  // The first slot is the anonymous user's, which this BMC does not have.
  const userNumber = asked.handshake === undefined ? 0 : side.users.indexOf(asked.handshake.user) + 2
  const [address = '', port = '0'] = splitLast(asked.from)
  const bytes = Buffer.alloc(18)
  bytes.set([...head, userNumber, asked.privilege, 0x10 | CHANNEL])
  if (/^[\d.]+$/.test(address)) bytes.set(address.split('.').map(Number), 6)
  bytes.writeUInt16LE(Number(port), 16)
  return { completion: CODES.ok, data: bytes }
}

function isThisChannel(byte: number): boolean {
  return (byte & 0x0f) === THIS_CHANNEL || (byte & 0x0f) === CHANNEL
}

function bcd(number: number): number {
  return (Math.floor(number / 10) << 4) | (number % 10)
}

function splitLast(text: string): string[] {
  const at = text.lastIndexOf(':')
  return [text.slice(0, at), text.slice(at + 1)]
}
