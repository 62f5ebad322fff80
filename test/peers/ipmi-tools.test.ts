import t, { type Test } from 'tap'
import { type IpmiSide, PERSONALITY_NAMES, type SimulatedBmc, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts'
import { ipmitool, TOOLS, type Tool, type ToolAction, type ToolTarget } from './ipmi-tools.ts'
import { programsOf } from './processes.ts'

// Clients that were not written here, against our simulator's IPMI side: so that it is not only known to our own.

/** One simulated BMC that speaks IPMI; stopped when the test ends. */
async function simulated(t: Test, options: SimulatorOptions): Promise<{ bmc: SimulatedBmc; side: IpmiSide; port: number }> {
  const simulator = await startSimulator({ ipmi: 1, offDelayMs: 300, onDelayMs: 0, ...options })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  if (bmc.ipmi === undefined) throw new Error('no IPMI side')
  return { bmc, side: bmc.ipmi, port: Number(new URL(bmc.ipmi.url.replace('ipmi:', 'http:')).port) }
}

function targetOf(bmc: SimulatedBmc, port: number, suite: 3 | 17): ToolTarget {
  return { port, suite, username: bmc.username, password: bmc.password }
}

/** Status, off, on, as its user would do it, and what truly happened. */
async function fence(t: Test, tool: Tool, file: string, suite: 3 | 17, kg?: string): Promise<void> {
  const { bmc, side, port } = await simulated(t, { ipmiOptions: { suites: [suite], ...(kg === undefined ? {} : { kg }) } })
  const target = { ...targetOf(bmc, port, suite), ...(kg === undefined ? {} : { kg }) }
  const run = (action: ToolAction) => tool.run(t, file, target, action)
  const powered = async (power: 'on' | 'off'): Promise<void> => {
    const { ended } = await run(power)
    t.equal(ended.code, 0, `${power}: ${ended.err}`)
    if (tool.waits) t.equal(bmc.trueState, power, 'it came back when that was true')
    let said: string | undefined
    do said = (await run('status')).power
    while (said !== power && said !== undefined)
    t.equal(said, power, `it reads ${power}`)
    t.equal(bmc.trueState, power)
  }
  t.match(await run('status'), { power: 'on', ended: { code: 0 } })
  await powered('off')
  await powered('on')
  t.strictSame(
    side.received.map(({ action, executed, completion }) => ({ action, executed, completion })),
    ['down', 'up'].map(action => ({ action, executed: 'now', completion: 0 })),
    'one command each',
  )
  t.equal(new Set(side.received.map(({ session }) => session)).size, 2, 'each in a session of its own')
  t.strictSame([side.sessions.active().length, side.counters.loginFailures], [0, 0], 'all sessions closed, no log-in failed')
  t.notOk(
    Object.keys(side.counters.dropped).some(reason => reason !== 'sequence'),
    `dropped: ${JSON.stringify(side.counters.dropped)}`,
  )
}

async function refused(t: Test, tool: Tool, file: string, suite: 3 | 17): Promise<void> {
  const users = [{ name: 'reader', password: 'reading-only', privilege: 'user' }] as const
  const { bmc, side, port } = await simulated(t, { ipmiOptions: { suites: [suite], users } })
  const target = targetOf(bmc, port, suite)
  for (const [name, changes] of Object.entries({
    'a wrong password': { password: 'wrong' },
    'an unknown user': { username: 'nobody' },
    'a user who may only read': { username: 'reader', password: 'reading-only' },
  })) {
    const { power, ended } = await tool.run(t, file, { ...target, ...changes }, 'off')
    t.not(power, 'off', name)
    if (tool.name === 'pyghmi') t.match(ended.out, /error/)
    else t.not(ended.code, 0, `${name}: ${ended.out}${ended.err}`)
  }
  t.equal(bmc.trueState, 'on')
  t.strictSame(
    side.received.filter(({ executed }) => executed !== 'never'),
    [],
    'no command got through',
  )
  t.ok(side.counters.loginFailures > 0)
}

t.jobs = 3
for (const tool of TOOLS) {
  t.test(tool.name, { timeout: 150_000 }, async t => {
    const file = programsOf(t, tool.peer)?.[tool.program]
    if (file === undefined) return
    for (const suite of [3, 17] as const) {
      await t.test(`status, off, on; suite ${suite}`, t => fence(t, tool, file, suite))
      if (tool.takesKey) await t.test(`with a BMC key; suite ${suite}`, t => fence(t, tool, file, suite, 'a-key-for-the-bmc'))
      await t.test(`who may not; suite ${suite}`, t => refused(t, tool, file, suite))
    }
  })
}

t.test('ipmitool at every personality', { timeout: 150_000 }, async t => {
  const file = programsOf(t, 'ipmitool')?.['ipmitool']
  if (file === undefined) return
  for (const personality of PERSONALITY_NAMES) {
    await t.test(personality, async t => {
      const { bmc, port } = await simulated(t, { personality, offDelayMs: 0 })
      const target = targetOf(bmc, port, 17)
      t.match(await ipmitool(file, target, 'status'), { power: 'on', ended: { code: 0 } })
      t.match((await ipmitool(file, target, 'off')).ended, { code: 0 })
      t.match(await ipmitool(file, target, 'status'), { power: 'off', ended: { code: 0 } })
      t.equal(bmc.trueState, 'off')
    })
  }
})
