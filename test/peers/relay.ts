import { createSocket, type Socket } from 'node:dgram'
import type { Test } from 'tap'

/** One datagram that came by, and which way it went. */
export interface Seen {
  readonly to: 'bmc' | 'client'
  readonly bytes: Buffer
}

/** What becomes of a datagram: itself, nothing, others, or several. Called in the order of arrival. */
export type Through = (seen: Seen) => Buffer | undefined | readonly Buffer[]

/** A way to a BMC that writes down what passes and may change it. */
export interface Relay {
  readonly port: number
  /** As our client is told. */
  readonly address: string
  readonly seen: readonly Seen[]
  /** Puts a datagram on the way of the last client that spoke, as if it came from the other side. It is not written down. */
  inject(to: 'bmc' | 'client', bytes: Buffer): void
}

/** A UDP relay on a free port of 127.0.0.1 in front of a BMC; gone when the test ends. Each client gets a port of its own at the BMC. */
export async function relay(t: Test, target: { host?: string; port: number }, through: Through = ({ bytes }) => bytes): Promise<Relay> {
  const seen: Seen[] = []
  const ways = new Map<number, Socket>()
  const near = createSocket('udp4')
  let last: { to: (bytes: Buffer) => void; back: (bytes: Buffer) => void } | undefined
  const pass = (one: Seen, send: (bytes: Buffer) => void): void => {
    seen.push(one)
    const passed = through(one)
    for (const bytes of passed === undefined ? [] : Buffer.isBuffer(passed) ? [passed] : passed) send(bytes)
  }
  near.on('message', (bytes, from) => {
    let far = ways.get(from.port)
    if (far === undefined) {
      far = createSocket('udp4')
      far.on('message', answer => pass({ to: 'client', bytes: answer }, out => near.send(out, from.port, from.address)))
      far.on('error', () => undefined)
      ways.set(from.port, far)
    }
    const way = far
    const to = (out: Buffer): void => way.send(out, target.port, target.host ?? '127.0.0.1')
    last = { to, back: out => near.send(out, from.port, from.address) }
    pass({ to: 'bmc', bytes }, to)
  })
  near.on('error', () => undefined)
  await new Promise<void>(resolve => near.bind(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of [near, ...ways.values()]) socket.close()
  })
  const { port } = near.address()
  return { port, address: `ipmi://127.0.0.1:${port}`, seen, inject: (to, bytes) => (to === 'bmc' ? last?.to(bytes) : last?.back(bytes)) }
}
