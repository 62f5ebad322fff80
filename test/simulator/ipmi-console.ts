import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Test } from 'tap'
import { type IpmiOptions, type IpmiSide, type SimulatedBmc, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { decodeResponse, encodeRequest } from '../../src/wire/ipmi/message.ts'
import { rakp2Code, rakp3Code, rakp4Code, sameCode, sessionKeys, userBytes } from '../../src/wire/ipmi/rakp.ts'
import { encodePing, encodeSetup, encodeV15, parsePacket, type SetupType } from '../../src/wire/ipmi/rmcp.ts'
import { seal, unseal } from '../../src/wire/ipmi/seal.ts'
import {
  decodeOpenResponse,
  decodeRakp2,
  decodeRakp4,
  encodeOpenRequest,
  encodeRakp1,
  encodeRakp3,
  type OpenResponse,
} from '../../src/wire/ipmi/setup.ts'
import { SUITES, type Suite } from '../../src/wire/ipmi/suites.ts'
import { VirtualClock } from './support.ts'

/** The data of Chassis Control. */
export const DOWN = [0]
export const UP = [1]

/** Tags from here on are for the pings that end a round. */
const LAST_TAG = 0xfe

/** How to log in; what is left out is right. */
export interface LogIn {
  readonly suite?: Suite['id']
  readonly user?: string
  readonly password?: string
  readonly kg?: string
  /** 2 user, 3 operator, 4 administrator. */
  readonly privilege?: number
  readonly consoleId?: number
}

/** What came of a log-in: a session, or the step that went wrong and how. */
export type LoggedIn =
  | { readonly session: RawSession }
  | { readonly step: 'open' | 'rakp2' | 'rakp4'; readonly status: number | 'bad code' | 'silence' }

/** A session as this side sees it. */
export interface RawSession {
  readonly suite: Suite
  readonly keys: { sik: Buffer; k1: Buffer; k2: Buffer }
  readonly consoleId: number
  readonly bmcId: number
  readonly guid: Buffer
  sequence: number
  request: number
}

/** An answer to a command: what it says, or what is wrong with the packet. */
export type Answered = { readonly completion: number; readonly data: Buffer; readonly sequence: number; readonly rqSeq: number }

/** A console on a UDP socket of its own that does as it is told, right or wrong, and retransmits nothing. */
export class RawConsole {
  readonly bmc: SimulatedBmc
  readonly #socket: Socket
  readonly #to: { port: number; host: string }
  #inbox: { bytes: Buffer; port: number }[] = []
  #wake: (() => void) | undefined
  #nextId = 0xa0a1a200
  #ids = 0

  private constructor(bmc: SimulatedBmc, socket: Socket) {
    this.bmc = bmc
    this.#socket = socket
    const { hostname, port } = new URL(bmc.ipmi?.url ?? '')
    this.#to = { host: hostname, port: Number(port) }
    socket.on('message', (bytes, { port: from }) => {
      this.#inbox.push({ bytes, port: from })
      this.#wake?.()
    })
  }

  static async open(bmc: SimulatedBmc): Promise<RawConsole> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new RawConsole(bmc, socket)
  }

  close(): void {
    this.#socket.close()
  }

  send(bytes: Buffer): void {
    this.#socket.send(bytes, this.#to.port, this.#to.host)
  }

  /** The next datagram, whatever it is. */
  async next(): Promise<{ bytes: Buffer; port: number }> {
    for (;;) {
      const first = this.#inbox.shift()
      if (first !== undefined) return first
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /**
   * Sends a datagram and a ping behind it, and answers all that comes before the pong: a BMC works in order, so nothing more will come.
   * Faults that hold pings up, too, are not for this.
   */
  async ask(bytes: Buffer): Promise<Buffer[]> {
    this.send(bytes)
    return this.drain()
  }

  /** All that has come by now. */
  async drain(): Promise<Buffer[]> {
    const tag = this.#ids++ % LAST_TAG
    this.send(encodePing(tag))
    const answers: Buffer[] = []
    for (;;) {
      const { bytes } = await this.next()
      if (bytes[3] === 0x06 && bytes[8] === 0x40 && bytes[9] === tag) return answers
      answers.push(bytes)
    }
  }

  /** One step of the handshake; undefined where nothing came. */
  async step(type: SetupType, payload: Buffer): Promise<Buffer | undefined> {
    const [answer] = await this.ask(encodeSetup(type, payload))
    if (answer === undefined) return undefined
    const packet = parsePacket(answer)
    if (packet.kind !== 'setup') throw new Error(`a ${packet.kind} packet where a step of the handshake belongs`)
    return packet.payload
  }

  async openSession(
    suite: { auth: number; integrity: number; confidentiality: number },
    privilege = 4,
    id?: number,
  ): Promise<OpenResponse | undefined> {
    const answer = await this.step('openRequest', encodeOpenRequest({ tag: 1, privilege, consoleId: id ?? ++this.#nextId, suite }))
    return answer && decodeOpenResponse(answer)
  }

  /** The whole handshake, with every code checked. */
  async logIn(options: LogIn = {}): Promise<LoggedIn> {
    const { suite: suiteId = 17, user: name = this.bmc.username, privilege = 4, consoleId = ++this.#nextId } = options
    const suite = SUITES[suiteId]
    const password = Buffer.from(options.password ?? this.bmc.password)
    const opened = await this.openSession(suite, privilege, consoleId)
    if (opened === undefined) return { step: 'open', status: 'silence' }
    if (opened.status !== 0 || opened.bmcId === undefined) return { step: 'open', status: opened.status }
    const { bmcId } = opened
    const user = userBytes(name)
    const role = 0x10 | privilege
    const consoleRandom = Buffer.alloc(16, this.#ids++)
    const second = await this.step('rakp1', encodeRakp1({ tag: 2, bmcId, random: consoleRandom, role, user }))
    if (second === undefined) return { step: 'rakp2', status: 'silence' }
    const { status, random: bmcRandom, guid, code } = decodeRakp2(second)
    if (status !== 0) return { step: 'rakp2', status }
    const known = { consoleId, bmcId, consoleRandom, bmcRandom, guid, role, user }
    if (!sameCode(code, rakp2Code(suite, { ...known, password }))) return { step: 'rakp2', status: 'bad code' }
    const fourth = await this.step('rakp3', encodeRakp3({ tag: 3, status: 0, bmcId, code: rakp3Code(suite, { ...known, password }) }))
    if (fourth === undefined) return { step: 'rakp4', status: 'silence' }
    const last = decodeRakp4(fourth)
    if (last.status !== 0) return { step: 'rakp4', status: last.status }
    const keys = sessionKeys(suite, { ...known, kg: options.kg === undefined ? password : Buffer.from(options.kg) })
    if (!sameCode(last.code, rakp4Code(suite, { ...known, sik: keys.sik }))) return { step: 'rakp4', status: 'bad code' }
    return { session: { suite, keys, consoleId, bmcId, guid, sequence: 1, request: 1 } }
  }

  /** Logs in and raises the session to `privilege`; throws when that fails. */
  async session(options: LogIn = {}): Promise<RawSession> {
    const result = await this.logIn(options)
    if (!('session' in result)) throw new Error(`${result.step}: ${result.status}`)
    const { privilege = 4 } = options
    if (privilege > 2) await this.call(result.session, 'setSessionPrivilege', [privilege])
    return result.session
  }

  /** The datagram of a command; uses up a sequence number and an rqSeq. */
  command(session: RawSession, name: keyof typeof COMMANDS | [netFn: number, command: number], data: readonly number[] = []): Buffer {
    const { netFn, command } = Array.isArray(name) ? { netFn: name[0], command: name[1] } : COMMANDS[name]
    const message = encodeRequest({ netFn, command, sequence: session.request++ & 0x3f, data: Buffer.from(data) })
    const { suite, keys, bmcId } = session
    return seal({ suite, keys, sessionId: bmcId, sequence: session.sequence++, message, iv: Buffer.alloc(16, 7) })
  }

  /** What an answer says; throws FrameError where it is not to be believed. */
  read(session: RawSession, answer: Buffer, checkSums = true): Answered {
    const packet = parsePacket(answer)
    if (packet.kind !== 'session') throw new Error(`a ${packet.kind} packet where an answer belongs`)
    if (packet.sessionId !== session.consoleId) throw new Error('an answer to another session')
    const response = decodeResponse(unseal(packet, session.suite, session.keys), { checkSums })
    return { completion: response.completion, data: response.data, sequence: packet.sequence, rqSeq: response.sequence }
  }

  /** Asks one command in a session. Undefined: silence. */
  async call(
    session: RawSession,
    name: keyof typeof COMMANDS | [number, number],
    data: readonly number[] = [],
  ): Promise<Answered | undefined> {
    const [answer] = await this.ask(this.command(session, name, data))
    return answer && this.read(session, answer)
  }

  /** Asks one command outside of any session, in the wrapper of 1.5. */
  async callOutside(name: keyof typeof COMMANDS, data: readonly number[] = []): Promise<{ completion: number; data: Buffer } | undefined> {
    const { netFn, command } = COMMANDS[name]
    const [answer] = await this.ask(encodeV15(encodeRequest({ netFn, command, sequence: 5, data: Buffer.from(data) })))
    if (answer === undefined) return undefined
    const packet = parsePacket(answer)
    if (packet.kind !== 'v15') throw new Error(`a ${packet.kind} packet where a sessionless answer belongs`)
    return decodeResponse(packet.message, { checkSums: true })
  }

  /** Whether the chassis status says on; undefined where nothing came. */
  async isOn(session: RawSession): Promise<boolean | undefined> {
    const answer = await this.call(session, 'chassisStatus')
    return answer && COMMANDS.chassisStatus.decode(answer.data).on
  }
}

/** A BMC of both protocols with a virtual clock, and a console to it. */
export interface Bench {
  readonly bmc: SimulatedBmc
  readonly side: IpmiSide
  readonly clock: VirtualClock
  readonly console: RawConsole
  /** A second console, on another port. */
  another(): Promise<RawConsole>
}

/** Starts a bench; all ends with the test. */
export async function bench(t: Test, ipmiOptions: IpmiOptions = {}, options: Partial<SimulatorOptions> = {}): Promise<Bench> {
  const clock = new VirtualClock()
  const simulator = await startSimulator({ redfish: 1, ipmi: 1, clock, ipmiOptions, ...options })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const another = async (): Promise<RawConsole> => {
    const console = await RawConsole.open(bmc)
    t.teardown(() => console.close())
    return console
  }
  const { ipmi: side } = bmc
  if (side === undefined) throw new Error('it was to speak IPMI')
  return { bmc, side, clock, console: await another(), another }
}
