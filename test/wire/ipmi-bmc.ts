import type { CipherSuite } from '../../src/core/power.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { decodeRequest, encodeResponse } from '../../src/wire/ipmi/message.ts'
import { rakp2Code, rakp3Code, rakp4Code, type SessionKeys, sameCode, sessionKeys } from '../../src/wire/ipmi/rakp.ts'
import { encodeSetup, parsePacket, type SetupPacket, type SetupType } from '../../src/wire/ipmi/rmcp.ts'
import { seal, unseal } from '../../src/wire/ipmi/seal.ts'
import {
  decodeOpenRequest,
  decodeRakp1,
  decodeRakp3,
  encodeOpenResponse,
  encodeRakp2,
  encodeRakp4,
  type OpenRequest,
  type Rakp1,
} from '../../src/wire/ipmi/setup.ts'
import { type Suite, suiteOf } from '../../src/wire/ipmi/suites.ts'

/** One session at the BMC. */
export interface BmcSession {
  bmcId: number
  consoleId: number
  suite: Suite
  request: OpenRequest
  rakp1?: Rakp1
  random: Buffer
  keys?: SessionKeys & { sik: Buffer }
  active: boolean
  privilege: number
  /** Numbers of ours that it took, and the highest. */
  seen: Set<number>
  highest: number
  /** The number of its next packet. */
  next: number
}

/**
 * A BMC as a script: does what the specification says, but for what a test sets. Takes datagrams and returns its answers; knows no time and no network.
 * Everything that arrives is written down in `log`, as `openRequest`, `rakp1`, `rakp3`, or a command's name.
 */
export class ScriptedBmc {
  on = true
  /** Chassis Control commands that reached the machine. */
  controls: string[] = []
  user = 'admin'
  password = 'secret'
  kg: Buffer | undefined
  suites: CipherSuite[] = [17, 3]
  guid: Buffer = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  slots = 8
  log: string[] = []
  /** Sequence numbers of the packets of sessions, in the order in which they came. */
  sequences: number[] = []
  /** Statuses to answer a step with, one after the other; 0 lets it pass. */
  statuses: Partial<Record<'openResponse' | 'rakp2' | 'rakp4', number[]>> = {}
  /** Completion codes to answer a command (by name) with, one after the other; 0 lets it pass. */
  completions: Record<string, number[]> = {}
  /** Commands (by name) that are carried out and not answered. */
  mute = new Set<string>()
  /** What a test answers a command (by name) with; undefined lets it pass. */
  custom: (name: string, data: Buffer) => { completion: number; data: Buffer } | undefined = () => undefined
  sessions = new Map<number, BmcSession>()
  #nextId = 0x0a000001

  /** Forgets everything that a restart forgets. */
  reset(): void {
    this.sessions.clear()
  }

  receive(datagram: Buffer): Buffer[] {
    const packet = parsePacket(datagram)
    if (packet.kind === 'setup') return this.#setup(packet)
    if (packet.kind !== 'session') return []
    const session = this.sessions.get(packet.sessionId)
    if (session?.keys === undefined || !session.active) return []
    const message = unseal(packet, session.suite, session.keys)
    // §6.12.13: up to 15 ahead, up to 16 behind, each once.
    if (packet.sequence > session.highest + 15 || packet.sequence < session.highest - 16 || session.seen.has(packet.sequence)) return []
    session.seen.add(packet.sequence)
    session.highest = Math.max(session.highest, packet.sequence)
    this.sequences.push(packet.sequence)
    const request = decodeRequest(message)
    const answer = this.#command(session, request.netFn, request.command, request.data)
    if (answer === undefined) return []
    const { netFn, command, sequence } = request
    return [this.reply(session, encodeResponse({ netFn: netFn + 1, command, sequence, ...answer }))]
  }

  /** A packet of the session with this message, and the BMC's next number. */
  reply(session: BmcSession, message: Buffer, sequence = session.next++): Buffer {
    if (session.keys === undefined) throw new Error('no keys yet')
    return seal({ suite: session.suite, keys: session.keys, sessionId: session.consoleId, sequence, message, iv: Buffer.alloc(16, 7) })
  }

  /** The only session there is. */
  get session(): BmcSession {
    const [session] = [...this.sessions.values()].filter(one => one.active)
    if (session === undefined) throw new Error('no session')
    return session
  }

  #setup({ type, payload }: SetupPacket): Buffer[] {
    this.log.push(type)
    if (type === 'openRequest') return [this.#open(decodeOpenRequest(payload))]
    if (type === 'rakp1') return [this.#rakp1(decodeRakp1(payload))]
    const rakp3 = decodeRakp3(payload)
    const session = this.sessions.get(rakp3.bmcId)
    if (rakp3.status !== 0) {
      this.log.push(`gave up ${rakp3.status}`)
      this.sessions.delete(rakp3.bmcId)
      return []
    }
    const answer = (status: number, code: Buffer = Buffer.alloc(0)) =>
      wrap('rakp4', encodeRakp4({ tag: rakp3.tag, status, consoleId: session?.consoleId ?? 0, code }))
    const forced = this.statuses.rakp4?.shift() ?? 0
    if (forced !== 0) return [answer(forced)]
    if (session?.rakp1 === undefined || session.active) return [answer(0x02)]
    const facts = this.#facts(session, session.rakp1)
    if (!sameCode(rakp3Code(session.suite, facts), rakp3.code)) return [answer(0x0f)]
    session.keys = sessionKeys(session.suite, { ...facts, kg: this.kg ?? facts.password })
    session.active = true
    return [answer(0, rakp4Code(session.suite, { ...facts, sik: session.keys.sik }))]
  }

  #open(request: OpenRequest): Buffer {
    const { tag, privilege, consoleId } = request
    const suite = suiteOf(request.suite)
    const answer = (status: number) => wrap('openResponse', encodeOpenResponse({ tag, status, consoleId }))
    const forced = this.statuses.openResponse?.shift() ?? 0
    if (forced !== 0) return answer(forced)
    if (suite === undefined || !this.suites.includes(suite.id)) return answer(0x11)
    if (this.sessions.size >= this.slots) return answer(0x01)
    const bmcId = this.#nextId++
    const session = { bmcId, consoleId, suite, request, random: Buffer.alloc(16, bmcId & 0xff), active: false, privilege: 2 }
    this.sessions.set(bmcId, { ...session, seen: new Set(), highest: 0, next: 1 })
    return wrap('openResponse', encodeOpenResponse({ tag, status: 0, privilege, consoleId, bmcId, algorithms: request.suite }))
  }

  #rakp1(rakp1: Rakp1): Buffer {
    const session = this.sessions.get(rakp1.bmcId)
    const { tag } = rakp1
    const none = Buffer.alloc(0)
    const error = (status: number) => ({ tag, status, consoleId: session?.consoleId ?? 0, random: none, guid: none, code: none })
    const forced = this.statuses.rakp2?.shift() ?? 0
    if (forced !== 0) return wrap('rakp2', encodeRakp2(error(forced)))
    if (session === undefined) return wrap('rakp2', encodeRakp2(error(0x02)))
    if (rakp1.user.toString() !== this.user) return wrap('rakp2', encodeRakp2(error(0x0d)))
    session.rakp1 = rakp1
    const code = rakp2Code(session.suite, this.#facts(session, rakp1))
    return wrap('rakp2', encodeRakp2({ tag, status: 0, consoleId: session.consoleId, random: session.random, guid: this.guid, code }))
  }

  #facts(session: BmcSession, rakp1: Rakp1) {
    const { consoleId, bmcId, random: bmcRandom } = session
    const { random: consoleRandom, role, user } = rakp1
    return { consoleId, bmcId, consoleRandom, bmcRandom, guid: this.guid, role, user, password: Buffer.from(this.password) }
  }

  #command(session: BmcSession, netFn: number, command: number, data: Buffer): { completion: number; data: Buffer } | undefined {
    const spec = Object.values(COMMANDS).find(one => one.netFn === netFn && one.command === command)
    const name = spec?.name ?? `${netFn}/${command}`
    this.log.push(name)
    const forced = this.completions[name]?.shift() ?? 0
    if (forced !== 0) return { completion: forced, data: Buffer.alloc(0) }
    const answer = this.custom(name, data) ?? this.#answer(session, name, data)
    return this.mute.has(name) ? undefined : answer
  }

  #answer(session: BmcSession, name: string, data: Buffer): { completion: number; data: Buffer } {
    const ok = (bytes: Buffer = Buffer.alloc(0)) => ({ completion: 0, data: bytes })
    const no = (completion: number) => ({ completion, data: Buffer.alloc(0) })
    switch (name) {
      case COMMANDS.chassisStatus.name:
        return ok(Buffer.from([this.on ? 1 : 0, 0, 0]))
      case COMMANDS.chassisControl.name:
        if (session.privilege < 3) return no(0xd4)
        this.on = data[0] === 1
        this.controls.push(this.on ? 'up' : 'down')
        return ok()
      case COMMANDS.setSessionPrivilege.name:
        if ((data[0] ?? 0) > session.request.privilege) return no(0x81)
        session.privilege = data[0] ?? 0
        return ok(data)
      case COMMANDS.setRestorePolicy.name:
        return session.privilege < 3 ? no(0xd4) : ok(Buffer.from([7]))
      case COMMANDS.closeSession.name:
        return no(this.sessions.delete(data.readUInt32LE(0)) ? 0 : 0x87)
      default:
        return no(0xc1)
    }
  }
}

function wrap(type: SetupType, payload: Buffer): Buffer {
  return encodeSetup(type, payload)
}
