import { createSocket } from 'node:dgram'
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { folder, type Started, startProgram } from './processes.ts'

// OpenIPMI's ipmi_sim (2.0.33): a BMC that was not written here. Cipher suites 0 to 14 are fixed in its code (0 included, 17 not), errors to an Open
// Session are 2 bytes, chassis status is 3. It asks a program of ours for the machine's power, and waits for it: a slow program blocks the whole BMC.

/** Faults of the machine behind the BMC; the value is a number of seconds, a power (1 on, 0 off), or anything. */
export type SimFault = 'delay' | 'fail' | 'getfail' | 'ignore' | 'lie' | 'slow'

/** What the simulator asks its chassis program, and what that answers; the files of the folder are the machine and its faults. */
const CHASSIS = `#!/bin/sh
dir=$1
shift
echo "$*" >>"$dir/calls"
if [ -e "$dir/slow" ]; then sleep "$(cat "$dir/slow")"; fi
case "$1 $2" in
'get power')
  if [ -e "$dir/getfail" ]; then exit 1; fi
  if [ -e "$dir/lie" ]; then echo "power:$(cat "$dir/lie")"; else echo "power:$(cat "$dir/power")"; fi
  ;;
'set power')
  if [ -e "$dir/fail" ]; then exit 1; fi
  if [ -e "$dir/ignore" ]; then exit 0; fi
  if [ -e "$dir/delay" ]; then
    (sleep "$(cat "$dir/delay")"; echo "$3" >"$dir/next" && mv "$dir/next" "$dir/power") >/dev/null 2>&1 &
  else
    echo "$3" >"$dir/next" && mv "$dir/next" "$dir/power"
  fi
  ;;
esac
`

/** A management controller and nothing else. */
const EMULATION = [
  'mc_setbmc 0x20',
  'mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02',
  'sel_enable 0x20 1000 0x0a',
  'mc_enable 0x20',
  '',
]

const AUTHS = 'none md2 md5 straight'

/** A running ipmi_sim: one BMC. */
export class IpmiSim {
  readonly port: number
  readonly password: string
  /** The 16 bytes that RAKP message 2 shows, as hex. */
  readonly guid: string
  readonly #machine: string

  constructor(port: number, password: string, guid: string, machine: string) {
    this.port = port
    this.password = password
    this.guid = guid
    this.#machine = machine
  }

  /** As our client is told. */
  get address(): string {
    return `ipmi://127.0.0.1:${this.port}`
  }

  /** What is true, whatever the BMC says. */
  power(): 'on' | 'off' {
    return this.#read('power').trim() === '1' ? 'on' : 'off'
  }

  /** Sets what is true. */
  turn(power: 'on' | 'off'): void {
    this.#write('power', power === 'on' ? '1' : '0')
  }

  fault(name: SimFault, value: number | string = ''): void {
    this.#write(name, String(value))
  }

  mend(name: SimFault): void {
    rmSync(join(this.#machine, name), { force: true })
  }

  /** Every question and command that reached the machine, in order: `get power`, `set power 0`, … */
  calls(): string[] {
    return this.#read('calls').split('\n').filter(Boolean)
  }

  /** Only what would have changed the power. */
  commands(): string[] {
    return this.calls().filter(call => call.startsWith('set '))
  }

  #read(name: string): string {
    const file = join(this.#machine, name)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  /** Never half written: the chassis program may read it at any moment. */
  #write(name: string, text: string): void {
    const file = join(this.#machine, name)
    writeFileSync(`${file}.new`, `${text}\n`)
    renameSync(`${file}.new`, file)
  }
}

/**
 * Starts ipmi_sim on a free UDP port, its machine on; stopped when the test ends. Users: admin, oper (operator) and view (user), all with the same
 * password. `kg` is the BMC key: at most 19 characters, more it cuts off.
 */
export async function ipmiSim(t: Test, programs: Record<string, string>, options: { kg?: string } = {}): Promise<IpmiSim> {
  const here = folder(t)
  const machine = join(here, 'machine')
  const state = join(here, 'state')
  mkdirSync(machine)
  mkdirSync(state)
  writeFileSync(join(machine, 'power'), '1\n')
  appendFileSync(join(machine, 'calls'), '')
  const chassis = join(here, 'chassis.sh')
  writeFileSync(chassis, CHASSIS)
  chmodSync(chassis, 0o700)
  const emulation = join(here, 'bmc.emu')
  writeFileSync(emulation, EMULATION.join('\n'))
  const password = 'peers-only'
  const guid = '0123456789abcdef0123456789abcdef'
  const users = Object.entries({ admin: 'admin', oper: 'operator', view: 'user' })
  // Port 0 is not possible, so a port is chosen that is free now; where another process is faster it ends at once, and the next port is tried.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const config = join(here, `lan-${attempt}.conf`)
    const lines = [
      'name "bmc"',
      'set_working_mc 0x20',
      'startlan 1',
      `addr 127.0.0.1 ${port}`,
      'priv_limit admin',
      ...['callback', 'user', 'operator', 'admin'].map(level => `allowed_auths_${level} ${AUTHS}`),
      `guid ${guid}`,
      ...(options.kg === undefined ? [] : [`bmc_key "${options.kg}"`]),
      'endlan',
      `chassis_control "${chassis} ${machine}"`,
      ...users.map(([name, level], index) => `user ${index + 2} true "${name}" "${password}" ${level} 10 ${AUTHS}`),
      '',
    ]
    writeFileSync(config, lines.join('\n'), { mode: 0o600 })
    const started = startProgram(t, programs['ipmi_sim'] ?? '', ['-c', config, '-f', emulation, '-s', state, '-n', '-p'])
    if (await serves(started, port)) return new IpmiSim(port, password, guid, machine)
    if (attempt === 5) throw new Error(`ipmi_sim ended before it was ready:\n${started.last()}`)
  }
}

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

/** Get Channel Authentication Capabilities, outside any session: the one question that every BMC answers. Written down, so that our codecs have no part in it. */
const HELLO = Buffer.from('0600ff07000000000000000000092018c88100388e04b5', 'hex')

/** Asks until it answers (its output says nothing of that); false where the process ended first. */
function serves(started: Started, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    const ask = (): void => socket.send(HELLO, port, '127.0.0.1')
    const timer = setInterval(ask, 50)
    let over = false
    const settle = (answered: boolean): void => {
      if (over) return
      over = true
      clearInterval(timer)
      socket.close()
      resolve(answered)
    }
    socket.on('message', () => settle(true))
    socket.on('error', () => undefined)
    void started.ended.then(() => settle(false))
    ask()
  })
}
