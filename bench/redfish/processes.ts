import { type ChildProcess, fork, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Order, Result, Target } from './orders.ts'
import type { SimulatorCounts, SimulatorOrder, SimulatorReply } from './simulator.ts'

/** Without variables that name a CA bundle: with them set Python's `requests` ignores "don't verify". */
function environment(): NodeJS.ProcessEnv {
  const { REQUESTS_CA_BUNDLE: _requests, CURL_CA_BUNDLE: _curl, SSL_CERT_FILE: _openssl, ...rest } = process.env
  return rest
}

/** One client under measurement, in a process of its own. */
export class ClientProcess {
  readonly name: string
  readonly #child: ChildProcess
  readonly #waiting: { resolve(result: Result): void; reject(error: Error): void }[] = []

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name
    const child = spawn(command, args, { env: environment(), stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    child.on('error', error => this.#fail(error))
    child.on('close', code => this.#fail(new Error(`${name} ended with ${code}`)))
    child.stdin?.on('error', () => undefined)
    if (child.stdout)
      createInterface({ input: child.stdout }).on('line', line => this.#waiting.shift()?.resolve(JSON.parse(line) as Result))
  }

  /** Has one order carried out. Rejects when the process ends, or when any operation failed: a benchmark of failures says nothing. */
  async obey(order: Order): Promise<Result> {
    const result = await new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
    })
    const [first] = result.failed
    if (first !== undefined) throw new Error(`${this.name}: ${result.failed.length} of ${result.ms.length} operations failed: ${first}`)
    return result
  }

  stop(): void {
    this.#waiting.length = 0
    this.#child.kill('SIGKILL')
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

/** The simulator: several processes that hold equal shares of the BMCs. */
export class SimulatorProcesses {
  readonly targets: readonly Target[]
  readonly #children: readonly ChildProcess[]

  private constructor(children: readonly ChildProcess[], targets: readonly Target[]) {
    this.#children = children
    this.targets = targets
  }

  /** Starts `processes` of this script, each with the argument `role:simulator`. The BMCs are listed in turns, so that the first n lie in all of them. */
  static async start(
    script: string,
    processes: number,
    bmcs: number,
    personality: string,
    offDelayMs: number,
  ): Promise<SimulatorProcesses> {
    const children = Array.from({ length: processes }, () =>
      fork(script, ['role:simulator'], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
    )
    const share = Math.ceil(bmcs / processes)
    const shares = await Promise.all(
      children.map((child, index) => tell(child, { op: 'start', bmcs: share, seed: index + 1, personality, offDelayMs })),
    )
    const targets = Array.from(
      { length: share * processes },
      (_, index) => shares[index % processes]?.targets[Math.floor(index / processes)],
    )
    return new SimulatorProcesses(
      children,
      targets.filter(target => target !== undefined),
    )
  }

  /** Tells all processes and sums what they answer. */
  async tell(order: SimulatorOrder): Promise<SimulatorCounts> {
    const replies = await Promise.all(this.#children.map(child => tell(child, order)))
    const sum = (key: keyof SimulatorCounts): number => replies.reduce((total, { counts }) => total + counts[key], 0)
    return { handshakes: sum('handshakes'), requests: sum('requests'), off: sum('off'), cpuMs: sum('cpuMs') }
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }
}

function tell(child: ChildProcess, order: SimulatorOrder): Promise<SimulatorReply> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the simulator ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (reply: SimulatorReply) => {
      child.off('exit', ended)
      resolve(reply)
    })
    child.send(order)
  })
}
