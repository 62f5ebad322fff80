import { lookup } from 'node:dns/promises'
import { isIP, SocketAddress } from 'node:net'
import { FrameError, IpmiError } from './failure.ts'
import { type Packet, parsePacket } from './rmcp.ts'
import { Gate, type Place } from './transport-gate.ts'
import { type Datagrams, type OpenDatagrams, openUdp, type SocketKind } from './transport-udp.ts'

/** Who takes the packets of one BMC. */
export interface Receiver {
  /** A well-formed packet from exactly the address and port that were attached to. */
  arrived(packet: Packet): void
  /** A packet could not be sent, or the socket is gone. Reasons `unreachable` and `socket`. */
  failed(error: IpmiError): void
}

/** The way to one BMC. */
export interface Route {
  /** Sends once. */
  send(bytes: Buffer): void
  /** Nothing arrives any more. The last route of a socket closes it. May be called more than once. */
  detach(): void
}

/** What a client needs of the network. */
export interface Transport {
  /** The address behind a host: itself where it is an IP address (in its one canonical spelling), else looked up. Rejects with IpmiError `unreachable`. */
  resolve(host: string): string | Promise<string>
  /** `address` as `resolve` gave it. Opens the socket where there is none yet; never throws: what goes wrong is told to `receiver`. */
  attach(address: string, port: number, receiver: Receiver): Route
  /** Room for one more request under way: `inside` at once, or `start` is called when there is. */
  enter(start: () => void): Place
}

/** Settings of a transport; all have defaults. */
export interface TransportOptions {
  /** Requests under way at a time; default 256. More than the answers that fit into the receive buffer only cost repetitions. */
  concurrency?: number
  /** Asked of the kernel for each socket; default 4 MiB. */
  receiveBufferBytes?: number
  /** How a socket is opened; default: a real one. */
  open?: OpenDatagrams
}

/** What went through a transport. */
export interface TransportCounters {
  sent: number
  received: number
  /** From an address and port that nobody waits for. */
  foreign: number
  /** Framed wrongly: dropped unseen. */
  malformed: number
}

interface Lane {
  key: string
  datagrams: Datagrams
  routes: Map<string, UdpRoute[]>
  count: number
}

/** Errors of a single send that the next try may not have: they count as loss. */
const TRANSIENT = new Set(['ENOBUFS', 'ENOMEM', 'EAGAIN', 'EWOULDBLOCK', 'EINTR', 'ECONNREFUSED', 'EMSGSIZE'])
const NO_WAY = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EHOSTDOWN', 'EADDRNOTAVAIL', 'EINVAL', 'EAFNOSUPPORT'])
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/

/**
 * UDP for thousands of BMCs over one socket each for IPv4, IPv6 and the two loopbacks, opened with the first route and closed with the last.
 * Packets go to whoever is attached to exactly their source address and port; the session behind it looks at session id and tag.
 */
export class UdpTransport implements Transport {
  readonly counters: TransportCounters = { sent: 0, received: 0, foreign: 0, malformed: 0 }
  readonly #open: OpenDatagrams
  readonly #receiveBufferBytes: number
  readonly #gate: Gate
  readonly #lanes = new Map<string, Lane>()

  constructor(options: TransportOptions = {}) {
    this.#open = options.open ?? openUdp
    this.#receiveBufferBytes = options.receiveBufferBytes ?? 4 * 1024 * 1024
    this.#gate = new Gate(options.concurrency ?? 256)
  }

  resolve(host: string): string | Promise<string> {
    return isIP(host) === 0 ? lookUp(host) : canonical(host)
  }

  enter(start: () => void): Place {
    return this.#gate.enter(start)
  }

  attach(address: string, port: number, receiver: Receiver): Route {
    const lane = this.#lane(kindOf(address))
    const key = keyOf(address, port)
    const route = new UdpRoute(lane.datagrams, address, port, receiver, this.counters, () => this.#detach(lane, key, route))
    lane.routes.set(key, [...(lane.routes.get(key) ?? []), route])
    lane.count++
    return route
  }

  #detach(lane: Lane, key: string, route: UdpRoute): void {
    const left = (lane.routes.get(key) ?? []).filter(one => one !== route)
    if (left.length === 0) lane.routes.delete(key)
    else lane.routes.set(key, left)
    lane.count--
    if (lane.count > 0) return
    lane.datagrams.close()
    if (this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key)
  }

  #lane(kind: SocketKind): Lane {
    const key = `${kind.family}${kind.loopback}`
    const found = this.#lanes.get(key)
    if (found !== undefined) return found
    const routes = new Map<string, UdpRoute[]>()
    const events = {
      arrived: (bytes: Buffer, address: string, port: number) => this.#arrived(routes, bytes, address, port),
      broke: (error: Error) => this.#broke(lane, error),
    }
    const lane: Lane = { key, routes, count: 0, datagrams: this.#open(kind, events, this.#receiveBufferBytes) }
    this.#lanes.set(key, lane)
    return lane
  }

  #arrived(routes: Map<string, UdpRoute[]>, bytes: Buffer, address: string, port: number): void {
    this.counters.received++
    const receivers = routes.get(keyOf(address, port))
    if (receivers === undefined) {
      this.counters.foreign++
      return
    }
    let packet: Packet
    try {
      packet = parsePacket(bytes)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.counters.malformed++
      return
    }
    for (const route of receivers) route.receiver.arrived(packet)
  }

  /** The socket is gone: the next route opens another. */
  #broke(lane: Lane, error: Error): void {
    if (this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key)
    const failure = new IpmiError('socket', `the UDP socket broke: ${codeOf(error)}`)
    for (const route of [...lane.routes.values()].flat()) route.receiver.failed(failure)
  }
}

class UdpRoute implements Route {
  readonly receiver: Receiver
  readonly #datagrams: Datagrams
  readonly #address: string
  readonly #port: number
  readonly #counters: TransportCounters
  readonly #leave: () => void
  readonly #sent: (error: Error | null) => void
  #attached = true

  constructor(datagrams: Datagrams, address: string, port: number, receiver: Receiver, counters: TransportCounters, leave: () => void) {
    this.receiver = receiver
    this.#datagrams = datagrams
    this.#address = address
    this.#port = port
    this.#counters = counters
    this.#leave = leave
    this.#sent = error => {
      if (error !== null && this.#attached) this.#unsent(codeOf(error))
    }
  }

  send(bytes: Buffer): void {
    if (!this.#attached) return
    this.#counters.sent++
    this.#datagrams.send(bytes, this.#port, this.#address, this.#sent)
  }

  detach(): void {
    if (!this.#attached) return
    this.#attached = false
    this.#leave()
  }

  #unsent(code: string): void {
    if (TRANSIENT.has(code)) return
    const reason = NO_WAY.has(code) ? 'unreachable' : 'socket'
    this.receiver.failed(new IpmiError(reason, `a packet could not be sent: ${code}`))
  }
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`
}

function kindOf(address: string): SocketKind {
  return isIP(address) === 6 ? { family: 6, loopback: address === '::1' } : { family: 4, loopback: address.startsWith('127.') }
}

/** As the kernel spells the source of a packet, so that the two can be compared. An IPv4 address in IPv6's clothes is IPv4. */
function canonical(address: string): string {
  if (isIP(address) === 4) return address
  const [bare = address, zone] = address.split('%')
  const spelled = new SocketAddress({ address: bare, family: 'ipv6' }).address
  const mapped = MAPPED.exec(spelled)?.[1]
  if (mapped !== undefined) return mapped
  return zone === undefined ? spelled : `${spelled}%${zone}`
}

async function lookUp(host: string): Promise<string> {
  try {
    return canonical((await lookup(host)).address)
  } catch (error) {
    throw new IpmiError('unreachable', `the name ${host} could not be resolved: ${codeOf(error)}`)
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code ?? 'unknown error'
}
