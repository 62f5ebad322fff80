import type { PowerPlan } from './faults/types.ts'
import type { PowerOutcome } from './power.ts'

/** What became of a power command: pressed now, to be pressed later, or never. */
export type Executed = 'now' | 'late' | 'never'

/** Presses the button of a plan. An ignored command looks started; what is late is pressed by itself. `cause` names who asked. */
export function press(
  { operation, system, execute, lateMs, delays }: PowerPlan,
  cause: string,
): { outcome: PowerOutcome; executed: Executed } {
  if (operation === 'none' || !execute) return { outcome: 'started', executed: 'never' }
  if (lateMs !== null) {
    system.power.schedule(operation, lateMs, cause)
    return { outcome: 'started', executed: 'late' }
  }
  const outcome = system.power.request(operation, cause, delays)
  return { outcome, executed: outcome === 'started' ? 'now' : 'never' }
}
