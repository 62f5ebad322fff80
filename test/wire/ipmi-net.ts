import { createHash } from 'node:crypto'
import { Secret } from '../../src/core/secret.ts'
import { IpmiClient } from '../../src/wire/ipmi/client.ts'
import type { ClientOptions } from '../../src/wire/ipmi/client-options.ts'
import type { IpmiPorts } from '../../src/wire/ipmi/client-ports.ts'
import { FrameError } from '../../src/wire/ipmi/failure.ts'
import { type TransportOptions, UdpTransport } from '../../src/wire/ipmi/transport.ts'
import type { DatagramEvents } from '../../src/wire/ipmi/transport-udp.ts'
import { VirtualTime } from '../clock.ts'
import { ScriptedBmc } from './ipmi-bmc.ts'

/** What becomes of a datagram on its way: each of these arrives, at its time and, towards us, from its source. */
export interface Passage {
  bytes: Buffer
  /** Further delay in ms; default 0. */
  late?: number
  address?: string
  port?: number
}

/** One way of the network: which datagrams arrive for one that was sent. `count` is from 1. */
export type Way = (bytes: Buffer, count: number) => Passage[]

const ADDRESS = '192.0.2.7'
const PORT = 623
/** One way, in ms. */
const TRAVEL = 1

/** A virtual network with one BMC on it, in virtual time: nothing is lost, doubled or late unless a test says so. */
export class Net {
  readonly time = new VirtualTime()
  readonly bmc = new ScriptedBmc()
  toBmc: Way = bytes => [{ bytes }]
  toUs: Way = bytes => [{ bytes }]
  /** Everything that was sent towards the BMC, and by it. */
  sent: Buffer[] = []
  answered: Buffer[] = []
  /** Sockets open now, and timers that were set and neither fired nor called off. */
  open = 0
  timers = 0
  /** Set: what sending a packet fails with. */
  sendError: string | undefined
  /** Breaks the socket, as the kernel would. */
  breakSocket: (code: string) => void = () => undefined
  readonly transport: UdpTransport
  readonly ports: IpmiPorts
  #events: DatagramEvents | undefined

  constructor(options: TransportOptions = {}) {
    this.transport = new UdpTransport({
      open: (_kind, events) => {
        this.open++
        this.#events = events
        let closed = false
        let broken = false
        this.breakSocket = code => {
          broken = true
          events.broke(errno(code))
        }
        return {
          send: (bytes, _port, _address, sent) => {
            if (broken) this.time.after(0, () => sent(errno('ERR_SOCKET_DGRAM_NOT_RUNNING')))
            else this.#send(bytes, sent)
          },
          close: () => {
            if (!closed) this.open--
            closed = true
          },
        }
      },
      ...options,
    })
    const clock = {
      now: () => this.time.now(),
      mono: () => this.time.mono(),
      sleep: () => Promise.reject(new Error('timers are cheaper')),
      after: (ms: number, fire: () => void) => this.#after(ms, fire),
    }
    this.ports = { transport: this.transport, clock, random: counted() }
  }

  /** A client with defaults for this BMC. */
  client(options: Partial<ClientOptions> = {}): IpmiClient {
    return new IpmiClient(this.ports, this.options(options))
  }

  options(options: Partial<ClientOptions> = {}): ClientOptions {
    return {
      address: { host: ADDRESS, port: PORT },
      username: 'admin',
      password: new Secret('secret'),
      privilege: 'operator',
      suite: 'auto',
      ...options,
    }
  }

  /** Lets time pass until a promise is settled. */
  async settle<T>(promise: Promise<T>, ms = 60_000): Promise<T> {
    let settled = false
    const done = promise.then(
      () => (settled = true),
      () => (settled = true),
    )
    if (!(await this.time.run(ms, () => settled))) throw new Error(`not settled within ${ms} ms`)
    await done
    return await promise
  }

  /** Delivers a datagram to the client now. */
  deliver({ bytes, address = ADDRESS, port = PORT }: Passage): void {
    this.#events?.arrived(bytes, address, port)
  }

  #send(bytes: Buffer, sent: (error: Error | null) => void): void {
    const error = this.sendError === undefined ? null : errno(this.sendError)
    this.time.after(0, () => sent(error))
    if (error !== null) return
    this.sent.push(bytes)
    for (const passage of this.toBmc(bytes, this.sent.length)) {
      this.time.after(TRAVEL + (passage.late ?? 0), () => this.#atBmc(passage.bytes))
    }
  }

  #atBmc(bytes: Buffer): void {
    let answers: Buffer[]
    try {
      answers = this.bmc.receive(bytes)
    } catch (error) {
      // What a BMC can't read it drops.
      if (error instanceof FrameError) return
      throw error
    }
    for (const answer of answers) {
      this.answered.push(answer)
      for (const passage of this.toUs(answer, this.answered.length)) {
        this.time.after(TRAVEL + (passage.late ?? 0), () => this.deliver(passage))
      }
    }
  }

  #after(ms: number, fire: () => void): () => void {
    let over = false
    const end = () => {
      if (!over) this.timers--
      over = true
    }
    this.timers++
    const callOff = this.time.after(ms, () => {
      end()
      fire()
    })
    return () => {
      end()
      callOff()
    }
  }
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** Different bytes each time and the same in each run. */
function counted(): (bytes: number) => Buffer {
  let count = 0
  return bytes => createHash('sha512').update(`random ${count++}`).digest().subarray(0, bytes)
}
