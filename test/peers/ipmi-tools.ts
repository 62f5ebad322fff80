import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { type Ended, folder, runProgram } from './processes.ts'

/** Whom a tool speaks to, and as whom. */
export interface ToolTarget {
  readonly port: number
  readonly username: string
  readonly password: string
  readonly suite: 3 | 17
  /** The BMC key, where it has one. */
  readonly kg?: string
  /** `administrator` where none is given, as the tools do. */
  readonly privilege?: 'user' | 'operator' | 'administrator'
}

/** What a tool is asked to do. */
export type ToolAction = 'status' | 'off' | 'on'

/** What a tool said: `power` only where it named one. */
export interface ToolAnswer {
  readonly power: 'on' | 'off' | undefined
  readonly ended: Ended
}

function powerIn(text: string, on: RegExp, off: RegExp): 'on' | 'off' | undefined {
  return on.test(text) ? 'on' : off.test(text) ? 'off' : undefined
}

/** ipmitool 1.8 over lanplus. Password and BMC key go in by its environment. */
export async function ipmitool(file: string, target: ToolTarget, action: ToolAction): Promise<ToolAnswer> {
  const { port, username, password, suite, kg, privilege = 'administrator' } = target
  const args = [
    '-I',
    'lanplus',
    '-C',
    String(suite),
    '-L',
    privilege,
    '-H',
    '127.0.0.1',
    '-p',
    String(port),
    '-U',
    username,
    '-E',
    ...(kg === undefined ? [] : ['-K']),
  ]
  const env = { IPMI_PASSWORD: password, ...(kg === undefined ? {} : { IPMI_KGKEY: kg }) }
  const ended = await runProgram(file, [...args, 'chassis', 'power', action], { env })
  return { ended, power: powerIn(ended.out, /Chassis Power is on/, /Chassis Power is off/) }
}

/** ipmipower 1.6. Its secrets go in by a configuration file; it waits for what it asked for. `opensesspriv` is what ipmi_sim needs of it. */
export async function ipmipower(t: Test, file: string, target: ToolTarget, action: ToolAction): Promise<ToolAnswer> {
  const { port, username, password, suite, kg, privilege = 'administrator' } = target
  const config = join(folder(t), 'freeipmi.conf')
  const level = privilege === 'administrator' ? 'ADMIN' : privilege.toUpperCase()
  const lines = [
    `username ${username}`,
    `password ${password}`,
    `cipher-suite-id ${suite}`,
    `privilege-level ${level}`,
    'driver-type LAN_2_0',
  ]
  lines.push('workaround-flags opensesspriv', ...(kg === undefined ? [] : [`k_g ${kg}`]), '')
  writeFileSync(config, lines.join('\n'), { mode: 0o600 })
  const what = { status: ['--stat'], off: ['--off', '--wait-until-off'], on: ['--on', '--wait-until-on'] }[action]
  const ended = await runProgram(file, [`--config-file=${config}`, '-h', `127.0.0.1:${port}`, ...what])
  return { ended, power: powerIn(ended.out, /: on$/m, /: off$/m) }
}

/** fence_ipmilan of fence-agents 4.12, which runs ipmitool. All its parameters go in by standard input. */
export async function fenceIpmilan(file: string, target: ToolTarget, action: ToolAction): Promise<ToolAnswer> {
  const { port, username, password, suite, privilege = 'administrator' } = target
  const options = { action, ip: '127.0.0.1', ipport: port, username, password, lanplus: 1, cipher: suite, privlvl: privilege }
  const input = Object.entries(options)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
  const ended = await runProgram(file, [], { input })
  return { ended, power: powerIn(ended.out, /Status: ON/, /Status: OFF/) }
}

/** pyghmi 1.6.19, Ironic's client before sushy. It offers 17, then 3, and cannot be told which. */
export async function pyghmi(file: string, { port, username, password, kg }: ToolTarget, action: ToolAction): Promise<ToolAnswer> {
  const script = fileURLToPath(new URL('pyghmi-client.py', import.meta.url))
  const input = JSON.stringify({ host: '127.0.0.1', port, username, password, kg, actions: [action] })
  const ended = await runProgram(file, [script], { input })
  const power = (JSON.parse(ended.out || '{}') as { powers?: string[] }).powers?.at(-1)
  return { ended, power: power === 'on' || power === 'off' ? power : undefined }
}

/** go-ipmi's client, as the small program in bench/peers/goipmi. */
export async function goipmi(file: string, target: ToolTarget, action: ToolAction): Promise<ToolAnswer> {
  const { port, username, password, suite, privilege = 'administrator' } = target
  const args = ['-user', username, '-suite', String(suite), '-privilege', privilege, action, `127.0.0.1:${port}`]
  const ended = await runProgram(file, args, { env: { IPMI_PASSWORD: password } })
  return { ended, power: powerIn(ended.out, /^on$/m, /^off$/m) }
}

/** One tool with what it is called in the list of peers. */
export interface Tool {
  readonly name: string
  readonly peer: string
  readonly program: string
  /** Whether it knows of BMC keys. */
  readonly takesKey: boolean
  /** Whether its `off` and `on` come back only when the power has followed. */
  readonly waits: boolean
  run(t: Test, file: string, target: ToolTarget, action: ToolAction): Promise<ToolAnswer>
}

/** All tools that speak IPMI 2.0 here. None of them was written here. */
export const TOOLS: readonly Tool[] = [
  { name: 'ipmitool', peer: 'ipmitool', program: 'ipmitool', takesKey: true, waits: false, run: (_, ...rest) => ipmitool(...rest) },
  { name: 'ipmipower', peer: 'freeipmi', program: 'ipmipower', takesKey: true, waits: true, run: ipmipower },
  {
    name: 'fence_ipmilan',
    peer: 'fence-agents',
    program: 'fence_ipmilan',
    takesKey: false,
    waits: true,
    run: (_, ...rest) => fenceIpmilan(...rest),
  },
  { name: 'pyghmi', peer: 'pyghmi', program: 'python', takesKey: true, waits: true, run: (_, ...rest) => pyghmi(...rest) },
  { name: 'goipmi', peer: 'goipmi', program: 'goipmi', takesKey: false, waits: false, run: (_, ...rest) => goipmi(...rest) },
]
