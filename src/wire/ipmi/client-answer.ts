import type { CommandSpec } from './command.ts'
import { completionOf } from './completion.ts'
import { IpmiError, type IpmiReason } from './failure.ts'
import type { Response } from './message.ts'

type Named = Pick<CommandSpec<never, unknown>, 'name' | 'completions'>

/** How long a BMC that stays busy is to be left alone, in ms: firmware updates and starts take minutes. */
const BUSY_MS = 5_000

/** Whether a read is asked again, and after how long, in ms; undefined: the answer stands. */
export type Patience = (spec: Named, response: Response, now: number) => number | undefined

/**
 * For one read: a BMC that is busy, or does not know whether it did what it was asked, is asked again, after 250 ms, 500 ms and then each second, while the limit lasts.
 * Reads may be repeated; power commands never come here.
 */
export function patienceFor(startedAt: number, limitMs: number): Patience {
  let restMs = 125
  return (spec, response, now) => {
    const { handling } = completionOf(response.completion, spec)
    if (handling !== 'busy' && handling !== 'unclear') return undefined
    restMs = Math.min(restMs * 2, 1_000)
    return now + restMs < startedAt + limitMs ? restMs : undefined
  }
}

/** What an answer with a completion code other than 0 is to the caller; undefined where it is 0. */
export function completionError(spec: Named, response: Response): IpmiError | undefined {
  const { completion } = response
  const { name, handling } = completionOf(completion, spec)
  if (handling === 'ok') return undefined
  const reason: IpmiReason = handling === 'busy' || handling === 'privilege' ? handling : 'completion'
  const facts = handling === 'busy' ? { completion, retryAfterMs: BUSY_MS } : { completion }
  return new IpmiError(reason, `${spec.name}: ${name}`, facts)
}
