import t, { type Test } from 'tap'
import type { Rules } from '../../src/core/rules.ts'
import { World, type WorldOptions } from './world.ts'

/**
 * The schedules of `reference/schedules.md`. Each is played with all rules on, where nothing may break, and with the named switches off, where
 * the named property must be seen to break: a schedule that breaks nothing then shows nothing.
 */
export function schedule(
  name: string,
  play: (world: World, t: Test) => Promise<void>,
  options: WorldOptions & { broken?: [off: (keyof Rules['switches'])[], property: RegExp][] } = {},
): void {
  const { broken = [], ...worldOptions } = options
  t.test(name, async t => {
    const world = await World.make(worldOptions)
    await play(world, t)
    await world.settle()
    t.same(world.violations, [], 'with all rules nothing breaks') || t.comment(world.log)
    t.same([...new Set(world.gateways.flatMap(({ errors }) => errors.map(String)))], [], 'no step threw')
    for (const [off, property] of broken) {
      const without = await World.make({ ...worldOptions, off })
      // What a schedule itself asserts may fail then: only the oracle speaks.
      await play(without, silent(t)).catch(() => undefined)
      await without.settle(1_000_000)
      t.match(
        without.violations.join('; '),
        property,
        `without ${off.join(' and ')} it does: ${without.violations.join('; ') || 'nothing broke'}`,
      )
    }
  })
}

/** A test whose assertions are not counted. */
function silent(t: Test): Test {
  return new Proxy(t, { get: () => () => true })
}

/** So that the long dwell of a node that was found off does not hide what another rule is there for. */
export const quick = (rules: Rules): Rules => ({ ...rules, confirm: { ...rules.confirm, foundOffDwellMs: rules.confirm.dwellMs } })

/** A node that is off, held by nobody. */
export function isOff(world: World): void {
  world.bmc().power = 'off'
}
