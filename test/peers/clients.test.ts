import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { PersonalityName, SimulatedBmc, Simulator } from '../../src/simulator/index.ts'
import { type Ended, programsOf, runProgram } from './processes.ts'
import { rack } from './rack.ts'

// Clients that were not written here, against the simulator: so that it is not only known to our own.

function bmcOf(simulator: Simulator, personality: PersonalityName): SimulatedBmc {
  const bmc = simulator.bmcs.find(one => one.personality.name === personality)
  if (bmc === undefined) throw new Error(`no ${personality}`)
  return bmc
}

/** The path of a BMC's first node, where it has several systems; a client that finds its way alone is not told. */
function systemPath(bmc: SimulatedBmc): string | undefined {
  return bmc.systems.length > 1 ? `/redfish/v1/Systems/${bmc.systemOrThrow(undefined).spec.id}` : undefined
}

/** What truly happened to a BMC's first node, and that nothing happened to its other systems. */
function truth(t: Test, bmc: SimulatedBmc, operations: string[]): void {
  const [first, ...others] = [bmc.systemOrThrow(undefined), ...bmc.systems.filter(system => system !== bmc.systemOrThrow(undefined))]
  t.same(
    first?.power.history.filter(({ to }) => to === 'on' || to === 'off').map(({ to }) => to),
    operations,
    'what truly happened',
  )
  t.ok(
    others.every(({ power }) => power.history.length === 0),
    'nothing happened to its other systems',
  )
}

interface SushyReport {
  ambiguous?: string[]
  members: string[]
  uuid: string | null
  resets: string[]
  before: string
  off: string[]
  on: string[]
}

t.test('sushy 5.14, the client of OpenStack Ironic', async t => {
  const found = programsOf(t, 'sushy')
  if (!found) return
  const script = fileURLToPath(new URL('sushy-client.py', import.meta.url))
  const use = async (bmc: SimulatedBmc, mode: string, system?: string): Promise<SushyReport> => {
    const input = JSON.stringify({ url: bmc.url, username: bmc.username, password: bmc.password, mode, system })
    const { code, out, err } = await runProgram(found['python'] ?? '', [script], { input })
    if (code !== 0) throw new Error(err)
    return JSON.parse(out) as SushyReport
  }
  const fence = async (t: Test, bmc: SimulatedBmc, mode: string): Promise<void> => {
    const report = await use(bmc, mode, systemPath(bmc))
    t.match(report, { before: 'On', members: bmc.systems.map(({ spec }) => `/redfish/v1/Systems/${spec.id}`) })
    t.equal(report.uuid, bmc.systemOrThrow(undefined).identity.uuid ?? null, 'the UUID that its BMC shows')
    t.ok(report.resets.includes('ForceOff') && report.resets.includes('On'), `it may ask for ${report.resets}`)
    t.ok(report.off.length > 1 && report.off.at(-1) === 'Off', `accepted is not off yet: ${[...new Set(report.off)]}`)
    truth(t, bmc, ['off', 'on'])
    t.same(
      bmc.commands.map(({ type }) => type),
      ['ForceOff', 'On'],
      'one command each',
    )
    const { logins, logouts, basicRequests, unauthorized } = bmc.counters
    t.same(
      { logins, logouts, unauthorized, basic: basicRequests > 0 },
      { logins: mode === 'basic' ? 0 : 1, logouts: mode === 'basic' ? 0 : 1, unauthorized: 0, basic: mode === 'basic' },
      'authenticated as it was told',
    )
  }
  t.jobs = 2
  const secure = await rack(t, true)
  for (const bmc of secure.bmcs) void t.test(`${bmc.personality.name}, TLS, session`, t => fence(t, bmc, 'session'))
  const plain = await rack(t, false)
  void t.test('generic, HTTP, Basic', t => fence(t, bmcOf(plain, 'generic'), 'basic'))
  void t.test('dell, HTTP, session or Basic', t => fence(t, bmcOf(plain, 'dell'), 'auto'))
  for (const name of ['ami', 'cray'] as const) {
    void t.test(`${name}: several systems and none named`, async t => {
      const bmc = bmcOf(plain, name)
      t.equal((await use(bmc, 'session')).ambiguous?.length, bmc.systems.length, 'sushy refuses to choose')
      truth(t, bmc, [])
    })
  }
})

t.test('fence_redfish of Debian’s fence-agents', async t => {
  const found = programsOf(t, 'fence-agents')
  if (!found) return
  // Always TLS and Basic: it has nothing else. Parameters go in by standard input.
  const use = (bmc: SimulatedBmc, action: string, more: Record<string, string> = {}): Promise<Ended> => {
    const { hostname, port } = new URL(bmc.url)
    const { username, password } = bmc
    const path = systemPath(bmc)
    const options = {
      action,
      ip: hostname,
      ipport: port,
      username,
      password,
      ssl_insecure: '1',
      ...(path ? { systems_uri: path } : {}),
      ...more,
    }
    const input = Object.entries(options)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')
    return runProgram(found['fence_redfish'] ?? '', [], { input })
  }
  t.jobs = 2
  const simulator = await rack(t, true)
  for (const name of ['dell', 'hpe', 'ami', 'cray'] as const) {
    const bmc = bmcOf(simulator, name)
    void t.test(name, async t => {
      t.match(await use(bmc, 'status'), { code: 0, out: /Status: ON/ })
      t.match(await use(bmc, 'off'), { code: 0, out: /Success: Powered OFF/ })
      t.equal(bmc.trueState, 'off')
      t.match(await use(bmc, 'status'), { code: 2, out: /Status: OFF/ }, 'its way to say off')
      t.match(await use(bmc, 'on'), { code: 0, out: /Success: Powered ON/ })
      truth(t, bmc, ['off', 'on'])
      t.same([bmc.counters.logins, bmc.counters.basicRequests > 0], [0, true], 'Basic alone')
    })
  }
  const openbmc = bmcOf(simulator, 'openbmc')
  void t.test('a wrong password', async t => {
    const { code } = await use(openbmc, 'off', { password: 'wrong' })
    t.equal(code, 1)
    t.equal(openbmc.counters.resets, 0, 'no command got through')
    t.equal(openbmc.trueState, 'on')
  })
})
