import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { receive, type Send } from './endpoint.ts'
import type { IpmiSide } from './side.ts'

/** The listening side of one BMC. */
export interface IpmiListener {
  readonly port: number
  close(): Promise<void>
}

/** Begins to listen for a BMC on a UDP socket of its own; port 0 takes a free one. Rejects where the address is taken. */
export async function listenIpmi(side: IpmiSide, { host, port }: { host: string; port: number }): Promise<IpmiListener> {
  const socket = await bind(host, port)
  // Made when a fault wants an answer from another port.
  let other: Promise<Socket> | undefined
  let isClosed = false
  const send: Send = (bytes, { address, port: to }, by) => {
    if (isClosed) return
    if (by === 'own') {
      socket.send(bytes, to, address, ignore)
      return
    }
    other ??= bind(host, 0)
    other.then(
      wrong => {
        if (!isClosed) wrong.send(bytes, to, address, ignore)
      },
      () => {},
    )
  }
  socket.on('message', (bytes, { address, port: from }) => receive(side, bytes, { address, port: from }, send))
  return {
    port: socket.address().port,
    close: async () => {
      if (isClosed) return
      isClosed = true
      await Promise.all([shut(socket), other?.then(shut, () => {})])
    },
  }
}

/** An answer that could not be sent is an answer that was lost: UDP promises no more. */
function ignore(): void {}

function bind(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' })
    socket.once('error', error => {
      socket.close()
      reject(error)
    })
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.removeAllListeners('error')
      socket.on('error', ignore)
      resolve(socket)
    })
  })
}

function shut(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.close(() => resolve()))
}
