import type { Personality } from '../personality.ts'
import { ami } from './ami.ts'
import { cray } from './cray.ts'
import { dell } from './dell.ts'
import { generic } from './generic.ts'
import { hpe } from './hpe.ts'
import { lenovo } from './lenovo.ts'
import { openbmc } from './openbmc.ts'
import { supermicro } from './supermicro.ts'

/** All personalities, by name. */
export const PERSONALITIES = { generic, dell, hpe, lenovo, supermicro, ami, openbmc, cray } as const satisfies Record<string, Personality>

/** The name of a personality. */
export type PersonalityName = keyof typeof PERSONALITIES

/** Every name that `--personality` takes beside `mixed`. */
export const PERSONALITY_NAMES = Object.keys(PERSONALITIES) as PersonalityName[]

/**
 * Finds the personalities that a name stands for: one, or for `mixed` all of them in turn.
 * Throws an error that lists the names when there is none such.
 */
export function findPersonalities(name: string): readonly Personality[] {
  if (name === 'mixed') return PERSONALITY_NAMES.map(known => PERSONALITIES[known])
  const known = PERSONALITY_NAMES.find(candidate => candidate === name)
  if (known === undefined) throw new Error(`unknown personality "${name}"; there are ${[...PERSONALITY_NAMES, 'mixed'].join(', ')}`)
  return [PERSONALITIES[known]]
}
