import type { PowerReading } from '../wire/ipmi/controller.ts'

/** Machines remembered: more than one gateway has. */
const MOST = 10_000

/** What a machine drew while it ran: the least that was read, and the BMC's time stamp of the newest such reading, s. */
export type RunningWatts = Pick<PowerReading, 'watts' | 'at'>

/** What is known about the watts of one machine. */
export interface MachineWatts {
  /** What it drew while it ran; undefined before it was read running. */
  running: RunningWatts | undefined
  /** Its watts said off since: the next reading while it is on begins anew. */
  stopped: boolean
  /** Questions in a row that were not answered. */
  silences: number
  /** Not asked before this, in ms of `now`. */
  quietUntil: number
}

/**
 * What machines drew while they ran, for as long as this process lives: sessions come and go (one whose command was not answered is always closed), and the
 * machine stays the same. Keyed by address and the GUID that the log-in proved.
 */
export class WattsMemory {
  /** Monotonic ms. */
  readonly now: () => number
  readonly #machines = new Map<string, MachineWatts>()

  constructor(now: () => number) {
    this.now = now
  }

  /** The machine's entry, made where there is none. */
  of(key: string): MachineWatts {
    const known = this.#machines.get(key) ?? { running: undefined, stopped: false, silences: 0, quietUntil: 0 }
    // Whoever was asked for last is forgotten last.
    this.#machines.delete(key)
    this.#machines.set(key, known)
    const [oldest] = this.#machines.keys()
    if (this.#machines.size > MOST && oldest !== undefined) this.#machines.delete(oldest)
    return known
  }
}
