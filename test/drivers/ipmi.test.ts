import t, { type Test } from 'tap'
import type { DriverContext, ExchangeLimits } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { ipmi } from '../../src/drivers/ipmi.ts'
import { redfish } from '../../src/drivers/redfish.ts'
import { type IpmiOptions, type IpmiSide, type SimulatedBmc, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts'
import { systemPorts, UdpTransport } from '../../src/wire/ipmi/index.ts'
import { driverContract, type Rig } from '../contract/driver.ts'

const signal = new AbortController().signal
const NEVER = Number.POSITIVE_INFINITY

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no failure',
    (error: unknown) => (error instanceof DriverError ? error.code : String(error)),
  )

/** A context over real time with the rules' limits, and a monotonic clock that is not the socket's. */
function contextOf(
  limits: Partial<ExchangeLimits> = {},
  credential = { username: 'admin', password: new Secret('simulated') },
): DriverContext {
  return {
    clock: { now: () => Date.now(), mono: () => performance.now() + 1_000_003, sleep: async () => undefined },
    limits: { ...RULES.exchange, ...limits },
    credential: async () => credential,
  }
}

interface Subject {
  bmc: SimulatedBmc
  side: IpmiSide
  device: Device
  driver: ReturnType<typeof ipmi>
}

/** A driver with a transport of its own, and a BMC. At the test's end nothing of the transport is open. */
async function subject(
  t: Test,
  ipmiOptions: IpmiOptions = {},
  options: Partial<SimulatorOptions> = {},
  changes: Partial<Device> = {},
): Promise<Subject> {
  const simulator = await startSimulator({ ipmi: 1, ipmiOptions, offDelayMs: 0, onDelayMs: 0, ...options })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  const side = bmc.ipmi
  if (side === undefined) throw new Error('no IPMI side')
  const driver = ipmi(systemPorts(new UdpTransport()))
  const device: Device = {
    name: 'bmc1',
    driver: 'ipmi',
    address: side.url,
    endpoint: driver.endpoint(side.url),
    tls: { mode: 'pin' },
    status: 'unverified',
    createdAt: new Date(0).toISOString(),
    revision: 1,
    ...changes,
  }
  return { bmc, side, device, driver }
}

for (const suite of [17, 3] as const) {
  const driver = ipmi()
  driverContract(`ipmi, suite ${suite}`, driver, async t => {
    // An operator may not ask about a session that is gone.
    const { bmc, side, device } = await subject(t, { suites: [suite] }, {}, { ipmi: { privilege: 'administrator' } })
    const rig: Rig = {
      device,
      context: contextOf({ exchangeMs: 900, connectMs: 600 }),
      truth: () => bmc.power.state,
      received: () => side.received.length,
      logIns: () => side.counters.logins + side.counters.loginFailures,
      sessions: () => side.sessions.active().length,
      silence: () => void bmc.faults.set('hang', { when: 'after' }),
      ignore: () => void bmc.faults.set('ignored'),
      refuse: () => void bmc.faults.set('completion', { code: 0xd5 }, { match: { packet: 'chassisControl' } }),
      loseSessions: () => side.sessions.clear(),
      swap: () => {
        bmc.faults.set('identity')
        side.sessions.clear()
      },
      lockOut: () => void bmc.faults.set('wrongCredentials'),
      heal: () => bmc.faults.clear(),
      press: state => bmc.power.force(state, 'a person'),
      losesInSilence: true,
      logInTries: 2,
    }
    return rig
  })
}

t.test('addresses: the host alone is the endpoint, as for Redfish (S6)', async t => {
  const driver = ipmi()
  t.equal(driver.endpoint('ipmi://BMC.example'), 'bmc.example')
  t.equal(driver.endpoint('ipmi://10.0.0.7:623'), '10.0.0.7')
  t.equal(driver.endpoint('ipmi://[FD00::7]:6230'), '[fd00::7]:6230')
  t.equal(driver.endpoint('ipmi://10.0.0.7'), redfish.endpoint('https://10.0.0.7/redfish/v1'))
  t.equal(driver.endpoint('ipmi://[fd00::7]'), redfish.endpoint('http://[FD00:0::7]:80'))
})

t.test('what IPMI can not carry is refused by field, and not repeated', async t => {
  const driver = ipmi()
  const fieldsOf = (username: string, password: string, kg?: string): unknown => {
    try {
      driver.checkCredential?.({ username, password: new Secret(password), ...(kg === undefined ? {} : { kg: new Secret(kg) }) })
      return []
    } catch (error) {
      const { code, message, facts } = error as DriverError
      t.equal(code, 'bad_credential')
      t.notOk(message.includes(password) || (kg !== undefined && message.includes(kg)))
      return facts.errors?.map(({ field }) => field)
    }
  }
  t.same(fieldsOf('u'.repeat(16), 'p'.repeat(20), 'k'.repeat(20)), [])
  t.same(fieldsOf('u'.repeat(17), 'p'.repeat(20)), ['username'])
  t.same(fieldsOf('ü'.repeat(9), 'ü'.repeat(11), `0x${'ab'.repeat(21)}`), ['username', 'password', 'kg'], 'bytes are counted, not characters')
  t.same(fieldsOf('u', 'p', '0xabc'), ['kg'], 'half a byte')
})
