import type { Test } from 'tap'
import { type FarmBmc, farm } from './farm.ts'
import { type IpmiSim, ipmiSim } from './ipmi-sim.ts'
import { programsOf } from './processes.ts'

/** A BMC that is not ours, whichever it is, and the machine behind it. */
export interface PeerBmc {
  readonly stack: 'ipmi_sim' | 'go-ipmi'
  readonly port: number
  /** As our client is told. */
  readonly address: string
  /** The GUID of RAKP message 2, as hex. */
  readonly guid: string
  readonly password: string
  /** What is true, whatever it says. */
  power(): Promise<'on' | 'off'>
  /** Sets what is true. */
  turn(power: 'on' | 'off'): Promise<void>
  /** Power commands that reached the machine, repeated ones each time. */
  commands(): Promise<number>
  /** Commands take effect so much later. */
  slow(ms: number): Promise<void>
  /** Commands are accepted and nothing happens. */
  ignore(): Promise<void>
  /** Status says this, whatever is true. */
  lie(power: 'on' | 'off'): Promise<void>
  /** Commands are answered 0xFF and nothing happens. */
  refuse(): Promise<void>
  /** Status is answered 0xFF. */
  unreadable(): Promise<void>
}

/** One kind of BMC with one of the cipher suites that it speaks. */
export interface Stack {
  readonly name: PeerBmc['stack']
  readonly suite: 3 | 17
  /** Starts one; stopped when the test ends. Undefined where it is not installed: the test is then skipped or failed by its name. */
  start(t: Test, options?: { kg?: string }): Promise<PeerBmc | undefined>
}

/** ipmi_sim has no 17. */
export const STACKS: readonly Stack[] = [
  { name: 'ipmi_sim', suite: 3, start: startSim },
  { name: 'go-ipmi', suite: 3, start: startFarm },
  { name: 'go-ipmi', suite: 17, start: startFarm },
]

async function startSim(t: Test, options: { kg?: string } = {}): Promise<PeerBmc | undefined> {
  const found = programsOf(t, 'openipmi')
  return found && simulated(await ipmiSim(t, found, options))
}

async function startFarm(t: Test, options: { kg?: string } = {}): Promise<PeerBmc | undefined> {
  const found = programsOf(t, 'ipmi-farm')
  if (!found) return undefined
  const [bmc] = await farm(t, found, options)
  return bmc && farmed(bmc)
}

/** An ipmi_sim in the common form. */
export function simulated(sim: IpmiSim): PeerBmc {
  const { port, address, guid, password } = sim
  return {
    stack: 'ipmi_sim',
    port,
    address,
    guid,
    password,
    power: async () => sim.power(),
    turn: async power => sim.turn(power),
    commands: async () => sim.commands().length,
    slow: async ms => sim.fault('delay', ms / 1000),
    ignore: async () => sim.fault('ignore'),
    lie: async power => sim.fault('lie', power === 'on' ? 1 : 0),
    refuse: async () => sim.fault('fail'),
    unreadable: async () => sim.fault('getfail'),
  }
}

/** One BMC of a farm in the common form. */
export function farmed(bmc: FarmBmc): PeerBmc {
  const { port, address, guid, password } = bmc
  return {
    stack: 'go-ipmi',
    port,
    address,
    guid,
    password,
    power: async () => ((await bmc.state()).on ? 'on' : 'off'),
    turn: power => bmc.set({ on: power === 'on' }),
    commands: async () => (await bmc.state()).controls,
    slow: ms => bmc.set({ offMs: ms, onMs: ms }),
    ignore: () => bmc.set({ ignore: true }),
    lie: power => bmc.set({ lie: power }),
    refuse: () => bmc.set({ fail: 0xff }),
    unreadable: () => bmc.set({ failStatus: 0xff }),
  }
}
