import { build, type Draft } from './draft.ts'
import type { Datagram, Flight } from './hooks.ts'
import { handle, read } from './receive.ts'
import type { IpmiSide } from './side.ts'

/** Where a datagram came from. */
export interface Peer {
  readonly address: string
  readonly port: number
}

/** Sends bytes to a peer, from the BMC's own port or another one. */
export type Send = (bytes: Buffer, to: Peer, port: Datagram['port']) => void

/** What is kept of the last answers: one of each kind, no more than these kinds. */
const KINDS_LIMIT = 32

/** Takes one datagram through a BMC: faults of the way in, the work, faults of the answer, faults of the way out. */
export function receive(side: IpmiSide, bytes: Buffer, peer: Peer, send: Send): void {
  const { bmc, counters } = side
  counters.received++
  if (bmc.clock.now() < side.deafUntil) {
    side.drop('deaf')
    return
  }
  const from = `${peer.address}:${peer.port}`
  const work = (datagram: Buffer): void => answer(side, handle(side, datagram, from), peer, send)
  if (bmc.faults.isEmpty && bmc.latencyMs === 0) {
    work(bytes)
    return
  }
  // What it is called is settled before faults change it: a matcher means the packet that was sent.
  const flight = fly(side, 'in', read(side, bytes, from).packet, bytes)
  if (flight.length === 0) side.drop('fault')
  for (const datagram of flight) later(side, datagram.late + bmc.latencyMs, () => work(datagram.bytes))
}

function answer(side: IpmiSide, draft: Draft | undefined, peer: Peer, send: Send): void {
  if (draft === undefined) return
  const { bmc } = side
  const target = { protocol: 'ipmi', packet: draft.packet, systemId: side.system.spec.id } as const
  bmc.faults.apply(
    () => target,
    undefined,
    (definition, parameters) => definition.ipmi?.draft?.(draft, parameters, side),
  )
  const bytes = build(draft, side.randomBytes(16))
  const flight = bmc.faults.isEmpty ? [whole(bytes)] : fly(side, 'out', draft.packet, bytes)
  if (side.lastAnswers.size < KINDS_LIMIT || side.lastAnswers.has(draft.packet)) side.lastAnswers.set(draft.packet, bytes)
  const leave = (datagram: Datagram): void => {
    side.counters.sent++
    send(datagram.bytes, peer, datagram.port)
  }
  for (const datagram of flight) {
    if (datagram.behind > 0) side.held.push({ datagram, behind: datagram.behind + 1 })
    else later(side, datagram.late, () => leave(datagram))
  }
  for (const held of side.held) held.behind--
  for (const { datagram } of side.held.filter(({ behind }) => behind <= 0)) leave(datagram)
  side.held.splice(0, side.held.length, ...side.held.filter(({ behind }) => behind > 0))
}

function fly(side: IpmiSide, direction: Flight['direction'], packet: string, bytes: Buffer): readonly Datagram[] {
  const flight: Flight = { side, direction, packet, datagrams: [whole(bytes)] }
  side.bmc.faults.apply(
    () => ({ protocol: 'ipmi', packet, systemId: side.system.spec.id }),
    undefined,
    (definition, parameters) => definition.ipmi?.flight?.(flight, parameters),
  )
  return flight.datagrams
}

function whole(bytes: Buffer): Datagram {
  return { bytes, late: 0, port: 'own', behind: 0 }
}

function later(side: IpmiSide, ms: number, run: () => void): void {
  if (ms > 0) side.bmc.clock.setTimeout(run, ms)
  else run()
}
