import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { peers } from '../../scripts/lib/peers.mjs'
import { type Recording, retrace } from '../wire/ipmi-retrace.ts'
import { farm } from './farm.ts'
import { ipmiSim } from './ipmi-sim.ts'
import { ipmipower, type ToolTarget } from './ipmi-tools.ts'
import { folder, programsOf, runProgram } from './processes.ts'
import { relay, type Seen } from './relay.ts'

// Two stacks that are not ours speak to each other, with fresh random numbers every time, and we must be able to follow every byte. With
// SAFESTATE_RECORD=1 what was heard becomes test/wire/ipmi-vectors.json, which test/wire/ipmi-vectors.test.ts follows without any peer.

const FILE = fileURLToPath(new URL('../wire/ipmi-vectors.json', import.meta.url))

/** A client that reads the power, switches off, reads again and closes its session. */
type Client = (t: Test, file: string, target: ToolTarget) => Promise<void>

/** One session, three commands. */
const withIpmitool: Client = async (t, file, { port, username, password, suite, kg }) => {
  const script = join(folder(t), 'commands')
  writeFileSync(script, ['status', 'off', 'status', ''].map(action => (action ? `chassis power ${action}\n` : '')).join(''))
  const args = ['-I', 'lanplus', '-C', String(suite), '-H', '127.0.0.1', '-p', String(port), '-U', username, '-E']
  const env = { IPMI_PASSWORD: password, ...(kg === undefined ? {} : { IPMI_KGKEY: kg }) }
  const ended = await runProgram(file, [...args, ...(kg === undefined ? [] : ['-K']), 'exec', script], { env })
  t.equal(ended.code, 0, ended.err)
  t.match(ended.out, /Power is on\s+.*Down\/Off\s+.*Power is off/)
}

/** One session: it reads after the command until it is off. */
const withIpmipower: Client = async (t, file, target) => {
  const { ended } = await ipmipower(t, file, target, 'off')
  t.match(ended, { code: 0, out: /: ok$/m })
}

interface Listened {
  readonly recording: Recording
  readonly power: 'on' | 'off'
}

/** Starts a BMC, listens to a client at it. */
async function listen(t: Test, client: string, bmc: 'go-ipmi' | 'ipmi_sim', suite: 3 | 17, kg?: string): Promise<Listened | undefined> {
  const [peer, program, use] =
    client === 'ipmitool' ? (['ipmitool', 'ipmitool', withIpmitool] as const) : (['freeipmi', 'ipmipower', withIpmipower] as const)
  const found = programsOf(t, peer)
  const other = programsOf(t, bmc === 'go-ipmi' ? 'ipmi-farm' : 'openipmi')
  if (!found || !other) return undefined
  const more = kg === undefined ? {} : { kg }
  const [server] = bmc === 'go-ipmi' ? await farm(t, other, more) : [await ipmiSim(t, other, more)]
  if (server === undefined) throw new Error('no BMC')
  const heard = await relay(t, server)
  const file = found[program] ?? ''
  const target = { port: heard.port, username: 'admin', password: server.password, suite, ...more }
  await use(t, file, target)
  const recording: Recording = {
    client: `${program} ${await version(file, program === 'ipmitool' ? '-V' : '--version')}`,
    bmc: bmc === 'go-ipmi' ? `go-ipmi ${peers['ipmi-farm']?.version}` : `ipmi_sim of OpenIPMI ${await packaged('openipmi')}`,
    suite,
    username: target.username,
    password: target.password,
    ...more,
    packets: heard.seen.map(({ to, bytes }: Seen) => ({ to, hex: bytes.toString('hex') })),
  }
  const power = 'state' in server ? ((await server.state()).on ? 'on' : 'off') : server.power()
  return { recording, power }
}

async function version(file: string, option: string): Promise<string> {
  const { out } = await runProgram(file, [option])
  return /\d+(\.\d+)+/.exec(out)?.[0] ?? 'of unknown version'
}

async function packaged(name: string): Promise<string> {
  const { out } = await runProgram('dpkg', ['-s', name]).catch(() => ({ out: '' }))
  return /^Version: ([^-\s]+)/m.exec(out)?.[1] ?? 'of unknown version'
}

const KG = 'a-key-for-the-bmc'
const SESSIONS = [
  ['ipmitool', 'go-ipmi', 17],
  ['ipmitool', 'go-ipmi', 3],
  ['ipmitool', 'ipmi_sim', 3],
  ['ipmipower', 'go-ipmi', 17],
  ['ipmipower', 'ipmi_sim', 3],
  ['ipmitool', 'go-ipmi', 17, KG],
  ['ipmitool', 'ipmi_sim', 3, KG],
] as const

const recordings: Recording[] = []

for (const [client, bmc, suite, kg] of SESSIONS) {
  t.test(`${client} and ${bmc}, suite ${suite}${kg === undefined ? '' : ', BMC key'}`, async t => {
    const heard = await listen(t, client, bmc, suite, kg)
    if (heard === undefined) return
    t.equal(heard.power, 'off', 'it was a real power-off')
    const traced = retrace(heard.recording)
    const said = traced.map(({ to, what }) => `${to} ${what}`)
    t.ok(said.includes('bmc 00/02 00') && said.includes('client 00/02 00'), 'the command and its answer were understood')
    t.match(traced.at(-1), { to: 'client', what: '06/3c 00' }, 'down to the answer to Close')
    recordings.push(heard.recording)
  })
}

if (process.env['SAFESTATE_RECORD'] === '1') {
  t.test('recording', async t => {
    t.equal(recordings.length, SESSIONS.length, 'all of them')
    writeFileSync(FILE, `${JSON.stringify(recordings, undefined, 2)}\n`)
  })
}
