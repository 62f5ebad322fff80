import t from 'tap'
import type { SafestateError } from '../../src/core/errors.ts'
import type { Mechanism } from '../../src/core/power.ts'
import { RULES } from '../../src/core/rules.ts'
import type { Device } from '../../src/core/topology.ts'
import { levelShareMs, makePlan, type PlanLimits } from '../../src/fencing/plan.ts'

/** Devices are named after their mechanism: `direct1`, `metal3a`. */
function planOf(levels: string[][], limits: Partial<PlanLimits> = {}) {
  const devices = new Map(levels.flat().map(name => [name, { name } as Device]))
  const node = { cluster: 'default', name: 'n1', levels, createdAt: '', revision: 1 }
  const mechanismOf = ({ name }: Device) => name.replace(/[0-9ab]$/, '') as Mechanism
  try {
    const plan = makePlan(node, devices, mechanismOf, { action: 'off', deadlineSeconds: 120, ...limits }, RULES)
    return plan.levels.map(({ level, devices, assurance }) => `${level} ${devices.join('+')} ${assurance}`)
  } catch (error) {
    return (error as SafestateError).code
  }
}

t.test('the levels of a job', async t => {
  const cases: [what: string, levels: string[][], limits: Partial<PlanLimits>, plan: string[] | string][] = [
    ['one', [['direct1']], {}, ['1 direct1 corroborated']],
    ['two, in order', [['direct1'], ['direct2']], {}, ['1 direct1 corroborated', '2 direct2 corroborated']],
    ['all of a level', [['direct1', 'direct2']], {}, ['1 direct1+direct2 corroborated']],
    ['reported is not accepted unless it is named', [['metal3a'], ['direct1']], {}, ['2 direct1 corroborated']],
    [
      'named, it is',
      [['metal3a'], ['direct1']],
      { acceptAssurance: ['reported', 'confirmed'] },
      ['1 metal3a reported', '2 direct1 confirmed'],
    ],
    ['nor is a word', [['meatware1']], {}, 'no_level'],
    ['mechanisms limit', [['direct1'], ['machine1']], { mechanisms: ['machine'] }, ['2 machine1 removed']],
    ['none left', [['direct1']], { mechanisms: ['metal3'] }, 'no_level'],
    ['none can reach it', [['direct1']], { acceptAssurance: ['rebooted'] }, 'no_level'],
    ['an on goes to the first level only', [['direct1'], ['direct2']], { action: 'on' }, ['1 direct1 confirmed']],
    [
      'a status asks all',
      [['direct1'], ['direct2']],
      { action: 'status', deadlineSeconds: 1 },
      ['1 direct1 confirmed', '2 direct2 confirmed'],
    ],
    ['too long for its deadline (S18)', [['direct1'], ['direct2']], { deadlineSeconds: 39 }, 'plan_too_long'],
    ['just long enough', [['direct1'], ['direct2']], { deadlineSeconds: 40 }, ['1 direct1 corroborated', '2 direct2 corroborated']],
    ['one level needs its dwell', [['direct1']], { deadlineSeconds: 2 }, 'plan_too_long'],
    ['and no more', [['direct1']], { deadlineSeconds: 3 }, ['1 direct1 corroborated']],
  ]
  for (const [what, levels, limits, plan] of cases) t.same(planOf(levels, limits), plan, what)
})

t.test('shares of the deadline (S18)', async t => {
  t.equal(levelShareMs(120_000, 2, RULES), 60_000)
  t.equal(levelShareMs(120_000, 1, RULES), 120_000)
  t.equal(levelShareMs(30_000, 3, RULES), 20_000, 'at least the minimum')
  t.equal(levelShareMs(10_000, 3, RULES), 10_000, 'at most what is left')
})
