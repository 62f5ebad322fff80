import t, { type Test } from 'tap'
import type { SafestateError } from '../../src/core/errors.ts'
import { World, type WorldOptions } from './world.ts'

/** A test in a world of its own, at whose end all jobs have ended, nobody lacks an on, and nothing was broken. */
export function play(name: string, act: (world: World, t: Test) => Promise<void>, options: WorldOptions = {}): void {
  t.test(name, async t => {
    const world = await World.make(options)
    await act(world, t)
    await world.settle()
    t.same(world.violations, [], 'nothing was broken')
    t.same([...new Set(world.gateways.flatMap(({ errors }) => errors.map(String)))], [], 'no step threw')
  })
}

/** The code of the error that `work` ends with; `done` where it ends well. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: SafestateError) => error.code,
  )
}
