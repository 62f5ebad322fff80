import type { IpmiAddress } from './address.ts'
import { type AuthCapabilities, LAST_PAGE, type OfferedSuite, PAGE_BYTES, parseSuiteRecords } from './capabilities.ts'
import { completionError } from './client-answer.ts'
import { CONNECT_MS } from './client-options.ts'
import { after, type IpmiPorts } from './client-ports.ts'
import { resolveHost } from './client-resolve.ts'
import type { CommandSpec } from './command.ts'
import { COMMANDS } from './commands.ts'
import { FrameError, IpmiError } from './failure.ts'
import { decodeResponse, encodeRequest } from './message.ts'
import { encodePing, encodeV15, type Packet } from './rmcp.ts'
import { gapAfter } from './session-schedule.ts'
import type { Receiver, Route } from './transport.ts'

/** What a BMC says of itself to anybody who asks, without a log-in. Nothing of it is authenticated: for people and diagnosis, never for a decision. */
export interface Discovery {
  /** It answered a presence ping. Some BMCs have that switched off. */
  pong: boolean
  /** Absent where it did not answer, or not with what the specification has. */
  capabilities?: AuthCapabilities
  /** Absent likewise; ids are advisory. */
  suites?: OfferedSuite[]
}

const RETRANSMIT_MS = 250
/** Sendings of one question: about 1.5 s. */
const TRIES = 5

/** Whether anything answers a presence ping there (§13.2.3). False proves nothing, nor does true say anything about power. Throws IpmiError. */
export async function ping(ports: IpmiPorts, address: IpmiAddress, signal?: AbortSignal): Promise<boolean> {
  return await withQuestions(ports, address, signal, async asker => (await asker.ping()) !== undefined)
}

/**
 * Asks a BMC what it offers: presence, authentication capabilities, cipher suites. What it does not answer is left out; throws IpmiError `unreachable` where it
 * answers nothing at all, and `aborted`.
 */
export async function discover(ports: IpmiPorts, address: IpmiAddress, signal?: AbortSignal): Promise<Discovery> {
  return await withQuestions(ports, address, signal, async asker => {
    const [pong, capabilities] = await Promise.all([asker.ping(), capabilitiesOf(asker)])
    if (pong === undefined && capabilities === undefined) throw new IpmiError('unreachable', 'no answer to a ping nor to a question')
    const suites = capabilities === undefined ? undefined : await suitesOf(asker)
    return {
      pong: pong !== undefined,
      ...(capabilities === undefined ? {} : { capabilities }),
      ...(suites === undefined ? {} : { suites }),
    }
  })
}

/** First with the question for 2.0's flags, then, for BMCs that refuse that, without. */
async function capabilitiesOf(asker: Asker): Promise<AuthCapabilities | undefined> {
  for (const extended of [true, false]) {
    const found = await asker.ask(COMMANDS.authCapabilities, { privilege: 'operator', extended })
    if (found === undefined || !(found instanceof Error)) return found
  }
  return undefined
}

async function suitesOf(asker: Asker): Promise<OfferedSuite[] | undefined> {
  const pages: Buffer[] = []
  for (let index = 0; index <= LAST_PAGE; index++) {
    const page = await asker.ask(COMMANDS.cipherSuites, { index })
    if (page === undefined || page instanceof Error) return undefined
    pages.push(page.bytes)
    if (page.bytes.length < PAGE_BYTES) break
  }
  try {
    return parseSuiteRecords(Buffer.concat(pages))
  } catch (error) {
    if (error instanceof FrameError) return undefined
    throw error
  }
}

async function withQuestions<T>(
  ports: IpmiPorts,
  { host, port }: IpmiAddress,
  signal: AbortSignal | undefined,
  work: (asker: Asker) => Promise<T>,
): Promise<T> {
  const asker = new Asker(ports, await resolveHost(ports, host, CONNECT_MS, signal), port)
  const onAbort = () => asker.end(new IpmiError('aborted', 'aborted by the caller'))
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await work(asker)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    asker.end(undefined)
  }
}

interface Question {
  answers(packet: Packet): boolean
  settle(packet: Packet | undefined): void
  fail(error: IpmiError): void
}

/** Asks without a session. */
class Asker implements Receiver {
  readonly #ports: IpmiPorts
  readonly #route: Route
  readonly #open = new Set<Question>()
  #sequence: number
  #ended: IpmiError | undefined

  constructor(ports: IpmiPorts, address: string, port: number) {
    this.#ports = ports
    this.#sequence = ports.random(1).readUInt8(0)
    this.#route = ports.transport.attach(address, port, this)
  }

  /** The pong, or undefined. */
  ping(): Promise<Packet | undefined> {
    // 255 would mean that no answer is wanted.
    const tag = this.#ports.random(1).readUInt8(0) % 255
    return this.#question(encodePing(tag), packet => packet.kind === 'pong' && packet.tag === tag)
  }

  /** The reply; undefined where there is none; an error where the BMC refuses, or answers what it should not. */
  async ask<Args, Reply>(spec: CommandSpec<Args, Reply>, args: Args): Promise<Reply | IpmiError | undefined> {
    this.#sequence = (this.#sequence + 1) & 0x3f
    const sequence = this.#sequence
    const { netFn, command } = spec
    const answers = (packet: Packet) => {
      const response = responseOf(packet)
      return response?.netFn === netFn + 1 && response.command === command && response.sequence === sequence
    }
    const packet = await this.#question(encodeV15(encodeRequest({ netFn, command, sequence, data: spec.encode(args) })), answers)
    const response = packet === undefined ? undefined : responseOf(packet)
    if (response === undefined) return undefined
    const refused = completionError(spec, response)
    if (refused !== undefined) return refused
    try {
      return spec.decode(response.data)
    } catch (error) {
      if (error instanceof FrameError) return new IpmiError('bad_answer', `${spec.name}: ${error.message}`)
      throw error
    }
  }

  arrived(packet: Packet): void {
    for (const question of this.#open) if (question.answers(packet)) question.settle(packet)
  }

  failed(error: IpmiError): void {
    this.end(error)
  }

  /** Ends all questions, with the error where there is one, and the way to the BMC. */
  end(error: IpmiError | undefined): void {
    this.#ended ??= error
    for (const question of this.#open) error === undefined ? question.settle(undefined) : question.fail(error)
    this.#route.detach()
  }

  #question(bytes: Buffer, answers: (packet: Packet) => boolean): Promise<Packet | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended)
        return
      }
      let tries = 0
      let callOff: () => void = () => undefined
      const done = (act: () => void) => {
        callOff()
        this.#open.delete(question)
        act()
      }
      const question: Question = { answers, settle: packet => done(() => resolve(packet)), fail: error => done(() => reject(error)) }
      const send = () => {
        if (tries >= TRIES) {
          question.settle(undefined)
          return
        }
        tries++
        this.#route.send(bytes)
        callOff = after(this.#ports.clock, gapAfter(tries, RETRANSMIT_MS), send)
      }
      this.#open.add(question)
      send()
    })
  }
}

function responseOf(packet: Packet) {
  if (packet.kind !== 'v15') return undefined
  try {
    return decodeResponse(packet.message, { checkSums: true })
  } catch (error) {
    if (error instanceof FrameError) return undefined
    throw error
  }
}
