import type { RunningDraw, Witness } from '../core/evidence.ts'
import type { IpmiClient } from '../wire/ipmi/client.ts'
import { COMMANDS } from '../wire/ipmi/commands.ts'
import { completionOf } from '../wire/ipmi/completion.ts'
import type { PowerReading } from '../wire/ipmi/controller.ts'
import { IpmiError } from '../wire/ipmi/failure.ts'
import type { MachineWatts, RunningWatts, WattsMemory } from './ipmi-watts-memory.ts'

/** From this share of the running value on the machine still runs; up to `OFF` of it, it does not. Between the two nothing is said. */
const RUNNING = 0.7
const OFF = 0.5
/** A machine that runs on less than this, in W, is not told from one on standby, whose fans, drives and BMC draw 5 to 40. */
const TELLING = 50
/** How long the answer is waited for, ms: a command may be waiting behind it. */
const GLANCE_MS = 1_000
/** After so many questions in a row without an answer (one may be a lost packet) none is asked for `QUIET_MS`. */
const SILENCES = 2
const QUIET_MS = 600_000

/** Where the witness is named in evidence. */
export const WATTS_SOURCE = 'ipmi DCMI power reading'

/** What a reading says about a machine that its chassis status calls off. Pure. A time stamp that stands still is a copy, and says nothing. */
export function judgeWatts(running: RunningWatts, now: Pick<PowerReading, 'watts' | 'at' | 'measuring'>): Witness {
  if (!now.measuring) return said('unknown', 'it is not measuring')
  if (now.at <= running.at) return said('unknown', `${now.watts} W, measured before`)
  const raw = `${now.watts} W (${running.watts} W while it ran)`
  if (running.watts < TELLING) return said('unknown', `${raw}: too little to tell on from off`)
  // The whole of it is shown to whoever wonders why nothing comes of an off.
  if (now.watts >= running.watts * RUNNING) return said('on', `${raw}, so it runs; the quirk ignore-watts turns this witness off`)
  return said(now.watts <= running.watts * OFF ? 'off' : 'unknown', raw)
}

function said(power: Witness['power'], raw: string): Witness {
  return { source: WATTS_SOURCE, power, raw }
}

/**
 * Watts as a second witness of one device (S11): what the machine draws while it is on is remembered, right before a command, and compared with what it
 * draws when it reads off. Each question is a glance: it never costs a session, nor a command more than a second. No answer, or any other than a
 * reading, contradicts nothing: a second opinion that is missing is none.
 */
export class Watts {
  readonly #memory: WattsMemory
  readonly #address: string
  readonly #isIgnored: boolean

  /** `isIgnored`: the quirk `ignore-watts`. */
  constructor(memory: WattsMemory, address: string, isIgnored: boolean) {
    this.#memory = memory
    this.#address = address
    this.#isIgnored = isIgnored
  }

  /** The machine reads on: notes what it draws. Throws IpmiError where the caller gave up. */
  async note(client: IpmiClient, machine: string, signal: AbortSignal): Promise<void> {
    const known = this.#of(machine)
    const reading = await this.#ask(client, known, signal)
    if (typeof reading === 'string' || !reading.measuring || reading.watts === 0) return
    // Load comes and goes: the least of one run is what the machine may fall to without being off.
    const least = known.running === undefined || known.stopped ? reading.watts : Math.min(known.running.watts, reading.watts)
    known.running = { watts: least, at: reading.at }
    known.stopped = false
  }

  /** What is known of the machine while it ran, for another process; undefined where nothing is. */
  draw(machine: string): RunningDraw | undefined {
    const { running } = this.#of(machine)
    return running && { machine, ...running }
  }

  /** Takes over what another process saw of this machine, where nothing is known of it here. */
  recall(machine: string, draw: RunningDraw | undefined): void {
    const known = this.#of(machine)
    if (known.running !== undefined || draw?.machine !== machine) return
    known.running = { watts: draw.watts, at: draw.at }
    known.quietUntil = 0
  }

  /** The machine reads off: what its watts say, where it was ever seen running. Throws IpmiError where the caller gave up. */
  async witness(client: IpmiClient, machine: string, signal: AbortSignal): Promise<Witness[]> {
    const known = this.#of(machine)
    if (known.running === undefined || this.#isIgnored) return []
    const reading = await this.#ask(client, known, signal)
    const witness = typeof reading === 'string' ? said('unknown', reading) : judgeWatts(known.running, reading)
    if (witness.power === 'off') known.stopped = true
    return [witness]
  }

  /** The reading for people; undefined where there is none. Throws IpmiError where the caller gave up. */
  async read(client: IpmiClient, machine: string, signal: AbortSignal): Promise<PowerReading | undefined> {
    const reading = await this.#ask(client, { ...this.#of(machine), quietUntil: 0 }, signal)
    return typeof reading === 'string' ? undefined : reading
  }

  #of(machine: string): MachineWatts {
    return this.#memory.of(`${this.#address} ${machine}`)
  }

  /** The reading, or why there is none. A BMC that never gave one and says so, or keeps silent, is left alone for a while. */
  async #ask(client: IpmiClient, known: MachineWatts, signal: AbortSignal): Promise<PowerReading | string> {
    if (this.#isIgnored || this.#memory.now() < known.quietUntil) return 'it is not asked'
    let reading: PowerReading | undefined
    try {
      reading = await client.glance(COMMANDS.dcmiPower, undefined, GLANCE_MS, signal)
    } catch (error) {
      if (!(error instanceof IpmiError) || error.reason === 'aborted' || error.reason === 'closed') throw error
      this.#silent(known, isForGood(error) ? SILENCES : 1)
      return error.message
    }
    if (reading === undefined) {
      this.#silent(known, 1)
      return 'it does not answer'
    }
    known.silences = 0
    return reading
  }

  /** One that gave a reading before is asked again each time: whatever it is now, it was a witness. */
  #silent(known: MachineWatts, times: number): void {
    known.silences += times
    if (known.running !== undefined || known.silences < SILENCES) return
    known.silences = 0
    known.quietUntil = this.#memory.now() + QUIET_MS
  }
}

function isForGood({ reason, facts: { completion } }: IpmiError): boolean {
  if (reason === 'bad_answer' || reason === 'privilege') return true
  return completion !== undefined && completionOf(completion).handling === 'unsupported'
}
