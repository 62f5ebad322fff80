import type { CipherSuite } from '../../src/core/power.ts'
import { Secret } from '../../src/core/secret.ts'
import type { FaultName, IpmiOptions } from '../../src/simulator/index.ts'
import { receive } from '../../src/simulator/ipmi/endpoint.ts'
import { read } from '../../src/simulator/ipmi/receive.ts'
import type { IpmiSide } from '../../src/simulator/ipmi/side.ts'
import { PERSONALITIES } from '../../src/simulator/personalities/index.ts'
import { createRandom } from '../../src/simulator/random.ts'
import { Bmc } from '../../src/simulator/redfish/bmc.ts'
import { IpmiClient } from '../../src/wire/ipmi/client.ts'
import type { ClientOptions } from '../../src/wire/ipmi/client-options.ts'
import type { IpmiPorts } from '../../src/wire/ipmi/client-ports.ts'
import { UdpTransport } from '../../src/wire/ipmi/transport.ts'
import type { DatagramEvents } from '../../src/wire/ipmi/transport-udp.ts'
import { VirtualTime } from '../clock.ts'

const BMC = { address: '192.0.2.7', port: 623 }
const CONSOLE = { address: '192.0.2.1', port: 40_000 }
/** One way, in ms. */
const TRAVEL = 1

/** What a lab is set up with. */
export interface LabOptions {
  readonly suite: CipherSuite
  readonly seed?: number
  readonly initial?: 'on' | 'off'
  readonly ipmi?: IpmiOptions
}

/**
 * Our client and a whole simulated BMC, one datagram apart, in virtual time: no socket and no chance, so that a case runs the same each time and in
 * a few milliseconds. It counts what the client may not leave behind, and knows what was true when.
 */
export class Lab {
  readonly time = new VirtualTime()
  readonly bmc: Bmc
  readonly side: IpmiSide
  readonly ports: IpmiPorts
  readonly suite: CipherSuite
  /** Sockets open now, and timers of the client that were set and neither fired nor called off. */
  sockets = 0
  timers = 0
  /** Datagrams of the client by what they are. */
  readonly sent: Record<string, number> = {}
  readonly #initial: 'on' | 'off'

  constructor({ suite, seed = 1, initial = 'on', ipmi = {} }: LabOptions) {
    this.suite = suite
    const random = createRandom(seed, 7)
    const bytes = (count: number): Buffer => Buffer.from(random.hex(count * 2), 'hex')
    this.bmc = new Bmc({
      name: 'bmc',
      personality: PERSONALITIES.generic,
      clock: {
        now: () => this.time.now(),
        setTimeout: (run, ms) => this.time.after(ms, run),
        clearTimeout: timer => (timer as () => void)(),
      },
      username: 'admin',
      password: 'simulated',
      seed,
      index: 0,
      ipmi: { randomBytes: bytes, ...ipmi },
    })
    if (this.bmc.ipmi === undefined) throw new Error('it was to speak IPMI')
    this.side = this.bmc.ipmi
    this.#initial = initial
    this.bmc.power.force(initial, 'lab')
    this.ports = { transport: this.#transport(), clock: this.#clock(), random: bytes }
  }

  /** Sets a fault by its name; parameters are checked where it is set. */
  fault(name: FaultName, parameters: Readonly<Record<string, unknown>> = {}, packet?: string, count?: number): void {
    this.bmc.faults.setByName(name, parameters, {
      ...(packet === undefined ? {} : { match: { packet } }),
      ...(count === undefined ? {} : { count }),
    })
  }

  options(options: Partial<ClientOptions> = {}): ClientOptions {
    return {
      address: { host: BMC.address, port: BMC.port },
      username: 'admin',
      password: new Secret('simulated'),
      privilege: 'operator',
      suite: this.suite,
      ...options,
    }
  }

  client(options: Partial<ClientOptions> = {}): IpmiClient {
    return new IpmiClient(this.ports, this.options(options))
  }

  /** Lets time pass until a promise is settled, and throws where that takes longer than any limit of the client adds up to. */
  async settle<T>(promise: Promise<T>, ms = 600_000): Promise<T> {
    let settled = false
    const end = (): void => {
      settled = true
    }
    promise.then(end, end)
    if (!(await this.time.run(ms, () => settled))) throw new Error(`not settled within ${ms} ms`)
    return promise
  }

  /** Whether the machine was truly off at any moment from `from` to `to`. */
  wasOff(from: number, to: number): boolean {
    let state: string = this.#initial
    for (const event of this.bmc.history) {
      if (event.at > to) break
      if (event.at >= from && state === 'off') return true
      state = event.to
      if (event.at >= from && state === 'off') return true
    }
    return state === 'off'
  }

  #transport(): UdpTransport {
    return new UdpTransport({
      open: (_kind, events) => {
        this.sockets++
        let isOpen = true
        return {
          send: (bytes, _port, _address, done) => {
            const packet = read(this.side, bytes, `${CONSOLE.address}:${CONSOLE.port}`).packet
            this.sent[packet] = (this.sent[packet] ?? 0) + 1
            this.time.after(0, () => done(null))
            this.time.after(TRAVEL, () => this.#arriveAtBmc(bytes, events, () => isOpen))
          },
          close: () => {
            if (isOpen) this.sockets--
            isOpen = false
          },
        }
      },
    })
  }

  #arriveAtBmc(bytes: Buffer, events: DatagramEvents, isOpen: () => boolean): void {
    receive(this.side, bytes, CONSOLE, (answer, _to, by) => {
      this.time.after(TRAVEL, () => {
        if (isOpen()) events.arrived(Buffer.from(answer), BMC.address, by === 'own' ? BMC.port : BMC.port + 1)
      })
    })
  }

  #clock(): IpmiPorts['clock'] {
    return {
      now: () => this.time.now(),
      mono: () => this.time.mono(),
      sleep: () => Promise.reject(new Error('timers are cheaper')),
      after: (ms, fire) => {
        let isOver = false
        const end = (): void => {
          if (!isOver) this.timers--
          isOver = true
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
      },
    }
  }
}
