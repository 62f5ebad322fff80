import { Agent, type ClientRequest } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import type { TlsSetting } from '../../core/topology.ts'
import type { RedfishAddress } from './address.ts'
import { type FailureReason, RedfishError } from './failure.ts'
import { normalFingerprint } from './fingerprint.ts'

type Handover = (error: Error | null, socket: Duplex) => void

/** The same as axios sets on each request: equal figures save a system call per request. */
const TCP_KEEPALIVE_MS = 60_000

/**
 * The connection to one BMC: one socket at a time, kept alive between exchanges. A socket is handed to a request only when its certificate was
 * checked, so that no byte of a request can reach a stranger, and every failure before that moment is provably unsent.
 * (Node flushes a request as soon as the handshake is done, before a `secureConnect` listener runs; hence the hand-over instead of a listener.)
 * It extends http.Agent for both schemes: https.Agent adds only a cache of TLS sessions, and a resumed session shows no certificate to check.
 */
export class BmcAgent extends Agent {
  /** SHA-256 of the certificate last seen, as openssl prints it; undefined before the first TLS connection. */
  fingerprint: string | undefined
  /** Why the last connection attempt failed; read by the exchange that it was for. */
  failure: RedfishError | undefined
  /** Monotonic time at which the kept socket was last given back, in ms. */
  idleSince = 0
  /** Number of connections made: for tests and measurements. */
  connections = 0

  readonly #address: RedfishAddress
  readonly #tls: TlsSetting
  readonly #connectMs: number
  #pin: string | undefined
  #context: SecureContext | undefined
  #raw: Socket | undefined
  #secured: TLSSocket | undefined

  constructor(address: RedfishAddress, tls: TlsSetting, connectMs: number) {
    super({ keepAlive: true, keepAliveMsecs: TCP_KEEPALIVE_MS, maxSockets: 1, maxFreeSockets: 1 })
    Object.assign(this, { protocol: address.secure ? 'https:' : 'http:', defaultPort: address.port })
    this.#address = address
    this.#tls = tls
    this.#connectMs = connectMs
    if (tls.mode === 'pin' && tls.fingerprint !== undefined) this.#pin = normalFingerprint(tls.fingerprint)
  }

  override createConnection(_options: unknown, handover?: Handover): undefined {
    this.reset()
    this.failure = undefined
    this.connections++
    const raw = connect({ host: this.#address.host, port: this.#address.port, noDelay: true })
    this.#raw = raw
    let settled = false
    const refuse = (reason: FailureReason, detail: string): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      const failure = new RedfishError(reason, detail, { written: false })
      // An attempt that was given up may end after the next one has begun: that one's connection is not to be touched.
      if (this.#raw === raw) {
        this.failure = failure
        this.reset()
      }
      handover?.(failure, raw)
    }
    const timer = setTimeout(() => refuse('connect_timeout', `no connection within ${this.#connectMs} ms`), this.#connectMs)
    const early = (error: NodeJS.ErrnoException): void => refuse('unreachable', `can't connect: ${error.code ?? 'unknown'}`)
    const accept = (socket: Duplex): void => {
      if (settled) return
      settled = true
      raw.off('error', early)
      raw.on('error', () => undefined)
      handover?.(null, socket)
    }
    raw.on('error', early)
    raw.once('close', () => refuse('unreachable', 'the connection was closed before it was used'))
    raw.once('connect', () => {
      clearTimeout(timer)
      if (settled) return
      if (this.#address.secure) this.#secure(raw, accept, refuse)
      else accept(raw)
    })
    return undefined
  }

  #secure(raw: Socket, accept: (socket: Duplex) => void, refuse: (reason: FailureReason, detail: string) => void): void {
    const { host } = this.#address
    const tls = this.#tls
    let socket: TLSSocket
    try {
      // Without verification no roots are needed; loading them for each BMC costs milliseconds and memory.
      this.#context ??= createSecureContext({ ca: tls.mode === 'ca' ? tls.ca : [] })
      const name = isIP(host) === 0 ? { servername: host } : {}
      socket = connectTls({ socket: raw, host, ...name, secureContext: this.#context, rejectUnauthorized: tls.mode === 'ca' })
    } catch {
      refuse('tls', 'the configured CA is not a PEM certificate')
      return
    }
    this.#secured = socket
    // A handshake that breaks off says nothing about the certificate: a BMC that restarts does that too.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'unknown'
      refuse(/^E(CONN|PIPE|TIMEDOUT)/.test(code) ? 'unreachable' : 'tls', `TLS failed: ${code}`)
    })
    socket.once('close', () => refuse('unreachable', 'the connection was closed in the TLS handshake'))
    socket.once('secureConnect', () => {
      const seen = socket.getPeerCertificate().fingerprint256
      if (tls.mode === 'pin') {
        if (seen === undefined) return refuse('pin_mismatch', 'the service showed no certificate')
        const normal = normalFingerprint(seen)
        if (this.#pin !== undefined && this.#pin !== normal) {
          this.fingerprint = seen
          return refuse('pin_mismatch', `the certificate is not the pinned one: found ${seen}`)
        }
        this.#pin = normal
      }
      this.fingerprint = seen
      accept(socket)
    })
  }

  override keepSocketAlive(socket: Duplex): boolean {
    this.idleSince = performance.now()
    // Bytes that nobody asked for would be read as the answer to the next question: such a connection is not kept.
    socket.on('data', closeOnData)
    super.keepSocketAlive(socket)
    return true
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.off('data', closeOnData)
    super.reuseSocket(socket, request)
  }

  /**
   * Destroys every connection, those being made too. By RST where possible, so that what lies unsent in the kernel is not sent later (S3).
   */
  reset(): void {
    const raw = this.#raw
    const secured = this.#secured
    this.#raw = undefined
    this.#secured = undefined
    if (raw !== undefined) {
      // A reset fails on a socket that is being shut down already, and Node then never frees its handle.
      const canReset = !raw.connecting && !raw.writableEnded && secured?.writableEnded !== true
      // The TLS layer must go first and take the TCP socket with it: a TCP socket reset under a living TLS layer crashes Node.
      if (canReset && secured !== undefined) resetOnDestroy(raw)
      secured?.destroy()
      if (!raw.destroyed && canReset) raw.resetAndDestroy()
      raw.destroy()
    }
    this.destroy()
  }

  /** Closes a kept connection that has been idle for longer than `ms`: the service may have forgotten it already. */
  dropIdle(ms: number): void {
    if (this.idleSince > 0 && performance.now() - this.idleSince > ms) this.reset()
  }
}

/** Makes a socket's next `destroy` a reset. */
function resetOnDestroy(raw: Socket): void {
  const destroy = raw.destroy
  raw.destroy = () => {
    raw.destroy = destroy
    if (!raw.destroyed) raw.resetAndDestroy()
    return raw
  }
}

function closeOnData(this: Duplex): void {
  this.destroy()
}
