import type { Test } from 'tap'
import { type Simulator, startSimulator } from '../../src/simulator/index.ts'

/** One BMC of each personality, in this process; stopped when the test ends. */
export async function rack(t: Test, tls: boolean): Promise<Simulator> {
  const simulator = await startSimulator({ redfish: 8, personality: 'mixed', tls, offDelayMs: 1_500, onDelayMs: 0 })
  t.teardown(() => simulator.close())
  return simulator
}
