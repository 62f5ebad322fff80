import type { Test } from 'tap'
import { serveProgram } from './processes.ts'

/** What one BMC of the farm can be made to do; see test/peers/ipmi-farm/main.go. */
export interface FarmFaults {
  on?: boolean
  offMs?: number
  onMs?: number
  ignore?: boolean
  lie?: 'on' | 'off' | ''
  fail?: number
  failStatus?: number
  down?: boolean
  loss?: number
  dup?: number
  flip?: number
  delayMs?: number
  guid?: string
}

/** What is true of one BMC and its machine. */
export interface FarmState {
  on: boolean
  /** Chassis Control up and down that reached the machine, refused ones included. */
  controls: number
  /** Cycle, reset, soft shutdown. */
  cycles: number
  packetsIn: number
  packetsOut: number
  sessions: number
}

/** One BMC of the farm. */
export class FarmBmc {
  readonly host: string
  readonly port: number
  /** The 16 bytes that RAKP message 2 shows, as hex. */
  readonly guid: string
  readonly password: string
  readonly #control: string
  readonly #index: number

  constructor(place: { host: string; port: number; guid: string }, password: string, control: string, index: number) {
    this.host = place.host
    this.port = place.port
    this.guid = place.guid
    this.password = password
    this.#control = control
    this.#index = index
  }

  /** As our client is told. */
  get address(): string {
    return `ipmi://${this.host}:${this.port}`
  }

  async set(faults: FarmFaults): Promise<void> {
    await ask(`${this.#control}/set`, { bmc: this.#index, ...faults })
  }

  /** Forgets every session, as a BMC that starts again does. */
  async reset(): Promise<void> {
    await ask(`${this.#control}/reset`, { bmc: this.#index })
  }

  async state(): Promise<FarmState> {
    const { bmcs } = (await ask(`${this.#control}/state?bmc=${this.#index}`)) as { bmcs: FarmState[] }
    const [state] = bmcs
    if (state === undefined) throw new Error(`the farm has no BMC ${this.#index}`)
    return state
  }
}

async function ask(url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return response.json()
}

/** What a farm is started with. */
export interface FarmOptions {
  count?: number
  /** Cipher suites that it offers; both where none are given. */
  suites?: readonly number[]
  /** Sessions per BMC, 4 where none is given. */
  sessions?: number
  kg?: string
}

/** Starts a farm of go-ipmi BMCs, each on a free port of 127.0.0.1 and its machine on; stopped when the test ends. Users: admin, operator and user. */
export async function farm(t: Test, programs: Record<string, string>, options: FarmOptions = {}): Promise<FarmBmc[]> {
  const password = 'peers-only'
  const args = ['-n', String(options.count ?? 1), '-suites', (options.suites ?? [3, 17]).join(','), '-until-eof']
  if (options.sessions !== undefined) args.push('-sessions', String(options.sessions))
  const env = { IPMI_PASSWORD: password, ...(options.kg === undefined ? {} : { IPMI_KGKEY: options.kg }) }
  const { ready } = await serveProgram(t, programs['ipmi-farm'] ?? '', args, /^\{"bmcs".*|^\{"control".*/, env)
  const { control, bmcs } = JSON.parse(ready[0]) as { control: string; bmcs: { host: string; port: number; guid: string }[] }
  return bmcs.map((place, index) => new FarmBmc(place, password, control, index))
}
