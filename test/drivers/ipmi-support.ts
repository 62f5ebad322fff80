import type { Test } from 'tap'
import type { DriverContext, ExchangeLimits } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { ipmi } from '../../src/drivers/ipmi.ts'
import { type IpmiOptions, type IpmiSide, type SimulatedBmc, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts'
import { systemPorts, UdpTransport } from '../../src/wire/ipmi/index.ts'

/** A signal that never fires. */
export const signal = new AbortController().signal
/** A time to live without end. */
export const NEVER = Number.POSITIVE_INFINITY

/** The code of the DriverError that `work` ends with. */
export const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no failure',
    (error: unknown) => (error instanceof DriverError ? error.code : String(error)),
  )

/** A context over real time with the rules' limits, and a monotonic clock that is not the socket's. */
export function contextOf(
  limits: Partial<ExchangeLimits> = {},
  credential = { username: 'admin', password: new Secret('simulated') },
): DriverContext {
  return {
    clock: { now: () => Date.now(), mono: () => performance.now() + 1_000_003, sleep: async () => undefined },
    limits: { ...RULES.exchange, ...limits },
    credential: async () => credential,
  }
}

/** One simulated BMC, and the driver that speaks to it. */
export interface Subject {
  bmc: SimulatedBmc
  side: IpmiSide
  device: Device
  driver: ReturnType<typeof ipmi>
}

/** A driver with a transport of its own, and a BMC. At the test's end nothing of the transport is open. */
export async function subject(
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
