import type { Witness } from '../core/evidence.ts'
import type { IpmiClient } from '../wire/ipmi/client.ts'
import { COMMANDS } from '../wire/ipmi/commands.ts'
import { completionOf } from '../wire/ipmi/completion.ts'
import type { PowerReading } from '../wire/ipmi/controller.ts'
import { IpmiError } from '../wire/ipmi/failure.ts'

/** From this share of the running value on the machine still runs; up to `OFF` of it, it does not. Between the two nothing is said. */
const RUNNING = 0.7
const OFF = 0.5

/** Where the witness is named in evidence. */
export const WATTS_SOURCE = 'ipmi DCMI power reading'

/** What a machine drew while it ran. */
export type RunningWatts = Pick<PowerReading, 'watts' | 'at'>

/** What a reading says about a machine that its chassis status calls off. Pure. A time stamp that stands still is a copy, and says nothing. */
export function judgeWatts(running: RunningWatts, now: Pick<PowerReading, 'watts' | 'at' | 'measuring'>): Witness {
  const said = (power: Witness['power'], raw: string): Witness => ({ source: WATTS_SOURCE, power, raw })
  if (!now.measuring) return said('unknown', 'it is not measuring')
  if (now.at <= running.at) return said('unknown', `${now.watts} W, measured before`)
  const raw = `${now.watts} W (${running.watts} W while it ran)`
  if (now.watts >= running.watts * RUNNING) return said('on', raw)
  return said(now.watts <= running.watts * OFF ? 'off' : 'unknown', raw)
}

/**
 * Watts as a second witness of one device (S11): what the machine draws while it is on is remembered, right before a command, and compared with what it
 * draws when it reads off. Only within one session: what answers in another may be measured by another.
 */
export class Watts {
  #running: (RunningWatts & { session: string }) | undefined
  #isAbsent: boolean

  /** `isIgnored`: the quirk `ignore-watts`. */
  constructor(isIgnored: boolean) {
    this.#isAbsent = isIgnored
  }

  /** The machine reads on: notes what it draws. Never throws: that nothing is noted only means that there is no witness. */
  async note(client: IpmiClient, signal: AbortSignal): Promise<void> {
    this.#running = undefined
    try {
      const reading = await this.#ask(client, signal)
      const session = client.facts?.sessionName
      if (reading?.measuring && reading.watts > 0 && session !== undefined)
        this.#running = { watts: reading.watts, at: reading.at, session }
    } catch (error) {
      if (!(error instanceof IpmiError)) throw error
    }
  }

  /** The machine reads off: what its watts say, where they can say anything. Throws IpmiError where it can't be asked now: then better no read at all. */
  async witness(client: IpmiClient, signal: AbortSignal): Promise<Witness[]> {
    if (this.#running === undefined || this.#running.session !== client.facts?.sessionName) return []
    const { session } = this.#running
    const reading = await this.#ask(client, signal)
    // The question may have needed a new log-in.
    return reading === undefined || client.facts.sessionName !== session ? [] : [judgeWatts(this.#running, reading)]
  }

  /** The reading for people; undefined where there is none. Throws IpmiError. */
  async read(client: IpmiClient, signal: AbortSignal): Promise<PowerReading | undefined> {
    return this.#ask(client, signal)
  }

  /** Asked no more once the BMC said that it has none, or can't be understood. */
  async #ask(client: IpmiClient, signal: AbortSignal): Promise<PowerReading | undefined> {
    if (this.#isAbsent) return undefined
    try {
      return await client.execute(COMMANDS.dcmiPower, undefined, signal)
    } catch (error) {
      if (!(error instanceof IpmiError) || !isRefusal(error)) throw error
      this.#isAbsent = true
      return undefined
    }
  }
}

function isRefusal({ reason, facts }: IpmiError): boolean {
  if (reason === 'bad_answer' || reason === 'privilege') return true
  return reason === 'completion' && facts.completion !== undefined && completionOf(facts.completion).handling !== 'unclear'
}
