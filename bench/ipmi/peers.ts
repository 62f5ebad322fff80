import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Operation, PASSWORD, POLL_MS, type Result, type Target, USERNAME } from './orders.ts'
import { childrenCpuMs, memoryOf, run, timed } from './programs.ts'

/** A program to compare with. */
export interface Peer {
  readonly name: string
  /** Carries out one operation per BMC, all of them at once or as many at a time as it is used with. Undefined: it has no such operation. */
  measure(op: Operation, targets: readonly Target[], sweeps?: number): Promise<Result> | undefined
}

const at = ({ host, port }: Target): string => `${host}:${port}`

/** FreeIPMI's ipmipower: one process for all BMCs. It says nothing about single ones but their state, so there are no latencies. */
export class Ipmipower implements Peer {
  readonly name = 'ipmipower'
  readonly #program: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'safestate-bench-'))

  constructor(program: string) {
    this.#program = program
    const lines = [`username ${USERNAME}`, `password ${PASSWORD}`, 'cipher-suite-id 17', 'driver-type LAN_2_0', '']
    writeFileSync(join(this.#folder, 'freeipmi.conf'), lines.join('\n'), { mode: 0o600 })
  }

  measure(op: Operation, targets: readonly Target[]): Promise<Result> | undefined {
    return op === 'kept' ? undefined : this.#measure(op, targets)
  }

  /** Its highest resident memory over a sweep, MB; a run of its own, because looking takes CPU. */
  async memoryMb(targets: readonly Target[]): Promise<number> {
    let memory: ReturnType<typeof memoryOf> | undefined
    const looking = setInterval(() => memory?.look(), 5)
    await run(this.#program, this.#arguments('status', targets), {
      started: pid => {
        memory = memoryOf(pid)
      },
    })
    clearInterval(looking)
    return memory?.highestMb() ?? Number.NaN
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #arguments(op: 'status' | 'off', targets: readonly Target[]): string[] {
    const what = op === 'status' ? ['-l', 'USER', '--stat'] : ['-l', 'OPERATOR', '--off', '--wait-until-off']
    return [`--config-file=${join(this.#folder, 'freeipmi.conf')}`, '-h', targets.map(at).join(','), ...what]
  }

  async #measure(op: 'status' | 'off', targets: readonly Target[]): Promise<Result> {
    const { out, code, wallMs, cpuMs } = await timed(this.#program, this.#arguments(op, targets))
    const wanted = op === 'status' ? /: on$/gm : /: (ok|off)$/gm
    const missing = targets.length - (out.match(wanted)?.length ?? 0)
    const failed = Array.from({ length: missing }, () => `no such answer, exit code ${code}: ${out.slice(0, 80)}`)
    return { wallMs, cpuMs, ops: targets.length, ms: [], failed }
  }
}

/** A program that is run once per BMC, some at a time. */
abstract class PerBmc implements Peer {
  abstract readonly name: string
  protected readonly program: string
  readonly #atOnce: number

  constructor(program: string, atOnce: number) {
    this.program = program
    this.#atOnce = atOnce
  }

  measure(op: Operation, targets: readonly Target[]): Promise<Result> | undefined {
    return op === 'kept' ? undefined : this.#measure(op, targets)
  }

  protected abstract once(op: 'status' | 'off', target: Target): Promise<boolean>

  async #measure(op: 'status' | 'off', targets: readonly Target[]): Promise<Result> {
    const waiting = targets.entries()
    const ms: number[] = []
    const failed: string[] = []
    const cpu = childrenCpuMs()
    const start = performance.now()
    const work = async (): Promise<void> => {
      for (const [index, target] of waiting) {
        if (!(await this.once(op, target))) failed.push(`${at(target)}: ${op} failed`)
        ms[index] = performance.now() - start
      }
    }
    await Promise.all(Array.from({ length: this.#atOnce }, work))
    return { wallMs: performance.now() - start, cpuMs: childrenCpuMs() - cpu, ops: targets.length, ms, failed }
  }
}

/** ipmitool over lanplus, as `xargs -P16` would run it; off is `power off`, then `power status` until it says off. */
export class Ipmitool extends PerBmc {
  override readonly name = 'ipmitool'

  protected override async once(op: 'status' | 'off', target: Target): Promise<boolean> {
    if (op === 'status') return /is on/.test(await this.#power(target, 'status'))
    if (!/Down\/Off/.test(await this.#power(target, 'off'))) return false
    while (!/is off/.test(await this.#power(target, 'status'))) await new Promise(resolve => setTimeout(resolve, POLL_MS))
    return true
  }

  async #power({ host, port }: Target, action: 'status' | 'off'): Promise<string> {
    const who = [
      '-I',
      'lanplus',
      '-C',
      '17',
      '-L',
      action === 'status' ? 'USER' : 'OPERATOR',
      '-H',
      host,
      '-p',
      String(port),
      '-U',
      USERNAME,
      '-E',
    ]
    return (await run(this.program, [...who, 'chassis', 'power', action], { env: { IPMI_PASSWORD: PASSWORD } })).out
  }
}

/** fence_ipmilan as Pacemaker runs it; it runs ipmitool. */
export class FenceIpmilan extends PerBmc {
  override readonly name = 'fence_ipmilan'

  protected override async once(op: 'status' | 'off', { host, port }: Target): Promise<boolean> {
    const who = { username: USERNAME, password: PASSWORD, lanplus: 1, cipher: 17, privlvl: op === 'status' ? 'user' : 'operator' }
    const options = { action: op, ip: host, ipport: port, ...who }
    const input = Object.entries(options).map(([name, value]) => `${name}=${value}\n`)
    return (await run(this.program, [], { input: input.join('') })).code === 0
  }
}

/** go-ipmi's client: one process, a goroutine per BMC; wall, CPU and times are its own, without the start of the process. */
export class GoIpmi implements Peer {
  readonly name = 'go-ipmi'
  readonly #program: string

  constructor(program: string) {
    this.#program = program
  }

  async measure(op: Operation, targets: readonly Target[], sweeps = 1): Promise<Result> {
    const verb = { status: 'sweep', kept: 'kept', off: 'fence' }[op]
    const input = targets.map(at).join('\n')
    const args = [
      '-user',
      USERNAME,
      '-privilege',
      op === 'off' ? 'operator' : 'user',
      '-sweeps',
      String(sweeps),
      '-poll',
      `${POLL_MS}ms`,
      verb,
    ]
    const { out } = await run(this.#program, args, { input, env: { IPMI_PASSWORD: PASSWORD } })
    const result = JSON.parse(out) as Omit<Result, 'ops'>
    return { ...result, ops: result.ms.length }
  }
}
