import { type ChildProcess, fork, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'
import { type Order, PASSWORD, type Result, type Target } from './orders.ts'
import type { RelayOrder } from './relay.ts'

/** A process of this script with a role, one order at a time. */
class Role<Orders, Reply> {
  readonly #child: ChildProcess
  readonly #name: string

  constructor(script: string, name: string) {
    this.#name = name
    this.#child = fork(script, [`role:${name}`], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  }

  tell(order: Orders): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the process ${this.#name} ended with ${code}`))
      this.#child.once('exit', ended)
      this.#child.once('message', reply => {
        this.#child.off('exit', ended)
        resolve(reply as Reply)
      })
      this.#child.send(order as object)
    })
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Our client in a process of its own. */
export class Ours extends Role<Order, Result> {
  constructor(script: string) {
    super(script, 'ours')
  }
}

/** What is true of all BMCs of the farm together. */
export interface FarmTotals {
  readonly cpuMs: number
  readonly on: number
  readonly controls: number
  readonly packetsIn: number
  readonly sessions: number
}

/** The farm of go-ipmi BMCs: test/peers/ipmi-farm. */
export class Farm {
  readonly targets: readonly Target[]
  readonly #child: ChildProcess
  readonly #control: string

  private constructor(child: ChildProcess, control: string, targets: readonly Target[]) {
    this.#child = child
    this.#control = control
    this.targets = targets
  }

  static async start(program: string, bmcs: number): Promise<Farm> {
    const args = ['-n', String(bmcs), '-base', '127.10.0.1', '-port', String(await freePort()), '-until-eof']
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, IPMI_PASSWORD: PASSWORD } })
    const line = await new Promise<string>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`the farm ended with ${code}`)))
      createInterface({ input: child.stdout }).once('line', resolve)
    })
    const { control, bmcs: targets } = JSON.parse(line) as { control: string; bmcs: Target[] }
    return new Farm(
      child,
      control,
      targets.map(({ host, port }) => ({ host, port })),
    )
  }

  async set(faults: { on?: boolean; offMs?: number }): Promise<void> {
    await this.#ask('/set', faults)
  }

  /** Forgets all sessions: what an earlier client left open under loss would fill the BMCs' four places for a minute. */
  async reset(): Promise<void> {
    await this.#ask('/reset', {})
  }

  async totals(): Promise<FarmTotals> {
    return (await this.#ask('/totals')) as FarmTotals
  }

  stop(): void {
    this.#child.removeAllListeners('exit')
    this.#child.kill('SIGKILL')
  }

  async #ask(path: string, body?: object): Promise<unknown> {
    const response = await fetch(this.#control + path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`farm ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
}

/** A relay in front of BMCs that loses and doubles datagrams. */
export class Relay extends Role<RelayOrder, true> {
  /** Where the BMCs are found behind the relay. */
  readonly targets: readonly Target[]

  private constructor(script: string, targets: readonly Target[]) {
    super(script, 'relay')
    this.targets = targets
  }

  static async start(script: string, bmcs: readonly Target[]): Promise<Relay> {
    const port = await freePort()
    const front = bmcs.map((_, index) => ({ host: `127.20.${Math.floor(index / 250)}.${(index % 250) + 1}`, port }))
    const relay = new Relay(script, front)
    await relay.tell({ op: 'start', bmcs, front })
    return relay
  }
}

/** A port that is free on 127.0.0.1 and so, most likely, on its neighbours. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', reject)
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })
}
