import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../core/clock.ts'
import { type Transport, UdpTransport } from './transport.ts'

/** A clock that can also call back: cheaper than a promise for each packet. Without `after`, `sleep` is used. */
export interface TimerClock extends Clock {
  /** Calls `fire` in `ms`; returns how to call it off. */
  after?(ms: number, fire: () => void): () => void
}

/** What a client works with. Nothing of it is global; many clients share one transport. */
export interface IpmiPorts {
  transport: Transport
  clock: TimerClock
  /** Random bytes fit for keys. */
  random(bytes: number): Buffer
}

/** The ports of this machine: real time, random bytes of the system, and one transport, own or shared. */
export function systemPorts(transport: Transport = new UdpTransport()): IpmiPorts {
  return { transport, clock: systemClock, random: pooledRandom() }
}

const POOL = 4096

/** Random bytes from the system, fetched 4 KiB at a time: every packet needs 16, and a call to the kernel's generator costs more than to encrypt them. Each byte is given out once. */
export function pooledRandom(): (bytes: number) => Buffer {
  let pool: Buffer = Buffer.alloc(0)
  return bytes => {
    if (pool.length < bytes) pool = randomBytes(Math.max(POOL, bytes))
    const taken = pool.subarray(0, bytes)
    pool = pool.subarray(bytes)
    return taken
  }
}

/** Calls `fire` in `ms` of the clock's time, unless called off. */
export function after(clock: TimerClock, ms: number, fire: () => void): () => void {
  if (clock === systemClock) {
    // Whole ms, rounded up: a timer that fires early would only be set again.
    const timer = setTimeout(fire, Math.ceil(ms))
    return () => clearTimeout(timer)
  }
  if (clock.after !== undefined) return clock.after(ms, fire)
  const abort = new AbortController()
  clock.sleep(ms, abort.signal).then(fire, () => undefined)
  return () => abort.abort()
}
