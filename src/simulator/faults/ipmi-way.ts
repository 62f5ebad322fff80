import type { Datagram, Flight } from '../ipmi/hooks.ts'
import { defineFault } from './types.ts'

type Direction = 'in' | 'out' | 'both'

const MILLION = 1_000_000

/** Faults of the way to an IPMI BMC and back: what UDP does to datagrams, and what somebody on the way can do. `match.packet` names the exchange. */
export const ipmiWayFaults = {
  loss: defineFault({
    summary: 'Datagrams are lost at a `rate` (0 to 1): requests (`in`), answers (`out`) or both.',
    defaults: { rate: 1, direction: 'both' as Direction },
    ipmi: {
      flight: (flight, { rate, direction }) => {
        if (!goes(flight, direction, rate)) return false
        flight.datagrams = []
        return true
      },
    },
  }),

  duplicate: defineFault({
    summary: 'Datagrams come `copies` times more, `lateMs` after the first: requests (`in`), answers (`out`) or both.',
    defaults: { copies: 1, lateMs: 0, rate: 1, direction: 'out' as Direction },
    ipmi: {
      flight: (flight, { copies, lateMs, rate, direction }) => {
        if (!goes(flight, direction, rate)) return false
        flight.datagrams = flight.datagrams.flatMap(datagram => [
          datagram,
          ...Array.from({ length: copies }, () => ({ ...datagram, late: datagram.late + lateMs })),
        ])
        return true
      },
    },
  }),

  reorder: defineFault({
    summary: 'An answer is kept until `behind` further answers have left; with `copy` it leaves at once as well, and comes again then.',
    defaults: { behind: 1, copy: false as boolean, rate: 1 },
    ipmi: {
      flight: (flight, { behind, copy, rate }) => {
        if (!goes(flight, 'out', rate)) return false
        const kept = flight.datagrams.map(datagram => ({ ...datagram, behind: datagram.behind + behind }))
        flight.datagrams = copy ? [...flight.datagrams, ...kept] : kept
        return true
      },
    },
  }),

  bitFlip: defineFault({
    summary: 'One bit of each datagram is flipped: `bit` (counted from 0, the lowest of the first byte), or any where that is -1.',
    defaults: { bit: -1, rate: 1, direction: 'out' as Direction },
    ipmi: {
      flight: (flight, { bit, rate, direction }) => {
        if (flight.datagrams.every(({ bytes }) => bit >= bytes.length * 8) || !goes(flight, direction, rate)) return false
        change(flight, bytes => {
          const at = bit >= 0 ? bit : flight.side.random.integer(bytes.length * 8)
          if (at < bytes.length * 8) bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7))
          return bytes
        })
        return true
      },
    },
  }),

  garbage: defineFault({
    summary:
      'Answers are replaced by `bytes` bytes (0 and 65507 are fine), random or all of `value`; with `extra` they come ahead of the answer.',
    defaults: { bytes: 0, value: -1, extra: false as boolean },
    ipmi: {
      flight: (flight, { bytes: count, value, extra }) => {
        if (flight.direction !== 'out') return false
        const nonsense = flight.datagrams.map(datagram => ({
          ...datagram,
          bytes: value >= 0 ? Buffer.alloc(count, value) : flight.side.randomBytes(count),
        }))
        flight.datagrams = extra ? [...nonsense, ...flight.datagrams] : nonsense
        return true
      },
    },
  }),

  otherPort: defineFault({
    summary: 'Answers come from another port of the BMC.',
    defaults: {},
    ipmi: {
      flight: flight => {
        if (flight.direction !== 'out') return false
        flight.datagrams = flight.datagrams.map(datagram => ({ ...datagram, port: 'other' }))
        return true
      },
    },
  }),

  replay: defineFault({
    summary:
      'A recorded datagram comes `instead` of the answer, `before` or `after` it: `datagram` (hexadecimal), or the last answer to `packet` when the fault was set. `readdress` writes the session id and sequence number of now into it, as somebody without the keys can.',
    defaults: {
      packet: 'chassisStatus',
      datagram: '',
      when: 'instead' as 'instead' | 'before' | 'after',
      readdress: false as boolean,
    },
    prepare: (bmc, parameters) => {
      const datagram = parameters.datagram || bmc.ipmi?.lastAnswers.get(parameters.packet)?.toString('hex')
      if (datagram === undefined) throw new Error(`replay: no answer to ${parameters.packet} has gone out yet`)
      return { ...parameters, datagram }
    },
    ipmi: {
      flight: (flight, { packet, datagram, when, readdress }) => {
        if (flight.direction !== 'out' || flight.packet !== packet) return false
        const old = flight.datagrams.map(fresh => ({ ...fresh, bytes: recorded(datagram, readdress ? fresh.bytes : undefined) }))
        flight.datagrams = { instead: old, before: [...old, ...flight.datagrams], after: [...flight.datagrams, ...old] }[when]
        return true
      },
    },
  }),
}

/** Whether a fault acts on this flight: the direction fits, and the lot falls so. */
function goes(flight: Flight, direction: Direction, rate: number): boolean {
  if (direction !== 'both' && direction !== flight.direction) return false
  return flight.datagrams.length > 0 && (rate >= 1 || flight.side.random.integer(MILLION) < rate * MILLION)
}

/** Changes copies: the bytes that came in, or that are kept as the last answer, stay as they are. */
function change(flight: Flight, run: (bytes: Buffer) => Buffer): void {
  flight.datagrams = flight.datagrams.map((datagram): Datagram => ({ ...datagram, bytes: run(Buffer.from(datagram.bytes)) }))
}

/** Session id and sequence number are at 6 and 10 in the header of 2.0, in the clear. */
function recorded(hex: string, fresh: Buffer | undefined): Buffer {
  const bytes = Buffer.from(hex, 'hex')
  if (fresh !== undefined && bytes.length >= 14 && fresh.length >= 14) fresh.copy(bytes, 6, 6, 14)
  return bytes
}
