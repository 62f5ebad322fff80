import { createSocket, type Socket } from 'node:dgram'

/** One socket, as the transport sees it; a test puts its own in its place. */
export interface Datagrams {
  /** Sends once. `sent` is told of an error, or of none; a datagram that got lost is no error. Never throws. */
  send(bytes: Buffer, port: number, address: string, sent: (error: Error | null) => void): void
  close(): void
}

/** Which of the sockets: targets on loopback are spoken to from a socket that nothing outside can reach. */
export interface SocketKind {
  family: 4 | 6
  loopback: boolean
}

/** Whom a socket reports to. */
export interface DatagramEvents {
  /** `bytes` may be kept. */
  arrived(bytes: Buffer, address: string, port: number): void
  /** The socket could not be opened, or broke; nothing comes any more. */
  broke(error: Error): void
}

/** Opens a socket at once; what is sent before it is bound waits. Never throws. */
export type OpenDatagrams = (kind: SocketKind, events: DatagramEvents, receiveBufferBytes: number) => Datagrams

const BIND = { 4: { loopback: '127.0.0.1', all: '0.0.0.0' }, 6: { loopback: '::1', all: '::' } } as const

/**
 * A real socket. It does not keep the process alive: whoever waits for an answer has a timer that does.
 * Addresses are numbers already, so Node's look-up, which would put a turn of the event loop in front of each packet, is bypassed.
 */
export const openUdp: OpenDatagrams = (kind, events, receiveBufferBytes) => {
  const family = kind.family
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    lookup: (address, _options, callback) => callback(null, address, family),
  })
  let open = true
  const broke = (error: Error): void => {
    if (!open) return
    close()
    events.broke(error)
  }
  const close = (): void => {
    if (!open) return
    open = false
    socket.removeAllListeners('message')
    try {
      socket.close()
    } catch {
      // Already closed by itself, after a failed bind.
    }
  }
  socket.on('error', broke)
  socket.on('message', (bytes, from) => events.arrived(bytes, from.address, from.port))
  socket.bind({ port: 0, address: kind.loopback ? BIND[family].loopback : BIND[family].all }, () => enlarge(socket, receiveBufferBytes))
  socket.unref()
  return {
    send(bytes, port, address, sent) {
      try {
        socket.send(bytes, port, address, sent)
      } catch (error) {
        // Later, as all errors of a socket: nobody has to reckon with a call from inside its own.
        process.nextTick(sent, error instanceof Error ? error : new Error(String(error)))
      }
    },
    close,
  }
}

/** A thousand BMCs answer at once. The kernel may grant less (net.core.rmem_max); what does not fit is lost and repeated. */
function enlarge(socket: Socket, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes)
  } catch {
    // Closed meanwhile, or refused: the default has to do.
  }
}
