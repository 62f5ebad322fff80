import { createSocket, type Socket } from 'node:dgram'
import type { Target } from './orders.ts'

/** What the relay's process is told; answered with `true`. */
export type RelayOrder =
  | { readonly op: 'start'; readonly bmcs: readonly Target[]; readonly front: readonly Target[] }
  /** Shares of 1: of datagrams lost, each way, and of answers that come twice. Forgets the clients so far. */
  | { readonly op: 'set'; readonly loss: number; readonly dup: number }

/** A UDP relay in front of BMCs as a process of its own, so that its work is on nobody's account. Each client gets a port of its own at each BMC. */
export function serveRelay(): void {
  let loss = 0
  let dup = 0
  const ways: Map<string, Socket>[] = []
  const lost = (): boolean => Math.random() < loss

  const start = async (bmc: Target, front: Target): Promise<void> => {
    const near = createSocket('udp4')
    const clients = new Map<string, Socket>()
    ways.push(clients)
    near.on('message', (bytes, from) => {
      if (lost()) return
      const key = `${from.address} ${from.port}`
      let far = clients.get(key)
      if (far === undefined) {
        far = createSocket('udp4')
        far.on('message', answer => {
          if (lost()) return
          near.send(answer, from.port, from.address)
          if (Math.random() < dup) near.send(answer, from.port, from.address)
        })
        clients.set(key, far)
      }
      far.send(bytes, bmc.port, bmc.host)
    })
    await new Promise<void>((resolve, reject) => {
      near.once('error', reject)
      near.bind(front.port, front.host, resolve)
    })
  }

  const obey = async (order: RelayOrder): Promise<void> => {
    if (order.op === 'start') {
      await Promise.all(order.bmcs.map((bmc, index) => start(bmc, order.front[index] ?? bmc)))
      return
    }
    loss = order.loss
    dup = order.dup
    for (const clients of ways) {
      for (const far of clients.values()) far.close()
      clients.clear()
    }
  }
  // Its sockets would keep it alive when the benchmark is killed.
  process.on('disconnect', () => process.exit())
  process.on('message', (order: RelayOrder) => {
    obey(order).then(
      () => process.send?.(true),
      (error: unknown) => {
        process.stderr.write(`relay: ${String(error)}\n`)
        process.exit(1)
      },
    )
  })
}
