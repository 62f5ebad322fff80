import fc from 'fast-check'
import type { Job } from '../../src/core/job.ts'

/** The names of the small world that the histories play in. */
export const nodes = ['default/n1', 'default/n2'] as const
export const devices = ['d1', 'd2', 'd3'] as const
export const endpoints = ['bmc1', 'bmc2'] as const
export const holders = ['alice', 'bob'] as const
export const keys = ['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8'] as const
export const hardware = ['uuid:1', 'uuid:2'] as const

/** One verb with its arguments. Numbers pick from what there is by then (jobs, holds, actors, intents), so that a sequence fits any history. */
export type VerbStep =
  | {
      verb: 'accept'
      node: string
      action: Job['action']
      holder: string
      attempt: number
      key: string
      hash: string
      lastReleases?: number
    }
  | { verb: 'take'; job: number; actor: string; endpoints: string[]; urgency: number; preemptible: boolean }
  | { verb: 'renew' | 'release'; actor: number }
  | { verb: 'intend'; actor: number; command: 'on' | 'off'; endpoint: string }
  | { verb: 'settle'; actor: number; intent: number; endpoint: string; how: 'answered' | 'closed' | 'expired' | 'unsent' }
  | { verb: 'record'; actor: number; wakeIn: number | null }
  | { verb: 'conclude'; actor: number; ending: 'off' | 'power' | 'failed'; goesOn: boolean; stale: boolean }
  | { verb: 'releaseHold'; hold: number; holder: string; attempt: number; restore: boolean; force: boolean }
  | { verb: 'cancel'; job: number; holder: string }
  | { verb: 'cancelKey'; key: string; holder: string }
  | { verb: 'notePolicy'; actor: number; hold: number | null; leg: 'on' | 'off'; before: 'off' | 'on' | null; trouble: 'refused' | null }
  | { verb: 'observeHold'; hold: number; power: 'on' | 'off' | 'unknown' }
  | { verb: 'dismiss'; job: number }
  | { verb: 'due' }
  | { verb: 'addDevice' | 'removeDevice'; device: string; hardware: string[] }
  | { verb: 'updateDevice'; device: string; expected: number; hardware: string[] }
  | { verb: 'addNode' | 'removeNode'; node: string; devices: string[] }
  | { verb: 'pass'; ms: number }

const job = fc.nat(5)
const actor = fc.nat(3)
const hold = fc.nat(3)
const holder = fc.constantFrom(...holders)
const node = fc.constantFrom(...nodes)
const endpoint = fc.constantFrom(...endpoints)
const attempt = fc.constantFrom(1, 1, 1, 2)

function verb<T extends VerbStep['verb']>(...names: T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...names)
}

/** What a fence does, with all that can come between. */
const step: fc.Arbitrary<VerbStep> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        verb: verb('accept'),
        node,
        action: fc.constantFrom<Job['action']>('off', 'off', 'off', 'on', 'reboot', 'status'),
        holder,
        attempt,
        key: fc.constantFrom(...keys),
        hash: fc.constantFrom('h', 'h', 'h', 'other'),
        lastReleases: hold,
      },
      { requiredKeys: ['verb', 'node', 'action', 'holder', 'attempt', 'key', 'hash'] },
    ),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      verb: verb('take'),
      job,
      actor: fc.constantFrom('gateway-1', 'gateway-2'),
      endpoints: fc.subarray([...endpoints], { minLength: 1 }),
      urgency: fc.nat(2),
      preemptible: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ verb: verb('renew', 'release'), actor }) },
  { weight: 5, arbitrary: fc.record({ verb: verb('intend'), actor, command: fc.constantFrom('on', 'off', 'off'), endpoint }) },
  {
    weight: 4,
    arbitrary: fc.record({
      verb: verb('settle'),
      actor,
      intent: fc.nat(2),
      endpoint,
      how: fc.constantFrom('answered', 'closed', 'expired', 'unsent'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ verb: verb('record'), actor, wakeIn: fc.constantFrom(0, 1000, 60_000, null) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      verb: verb('conclude'),
      actor,
      ending: fc.constantFrom('off', 'off', 'power', 'failed'),
      goesOn: fc.constantFrom(false, false, true),
      stale: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: verb('releaseHold'),
      hold,
      holder,
      attempt,
      restore: fc.boolean(),
      force: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: verb('cancel'), job, holder }) },
  { weight: 1, arbitrary: fc.record({ verb: verb('cancelKey'), key: fc.constantFrom(...keys), holder }) },
  {
    weight: 2,
    arbitrary: fc.record({
      verb: verb('notePolicy'),
      actor,
      hold: fc.constantFrom(null, null, 0, 1),
      leg: fc.constantFrom('on', 'off', 'off'),
      before: fc.constantFrom('on', 'off', null),
      trouble: fc.constantFrom('refused', null),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: verb('observeHold'), hold, power: fc.constantFrom('on', 'off', 'unknown') }) },
  { weight: 1, arbitrary: fc.record({ verb: verb('dismiss'), job }) },
  { weight: 2, arbitrary: fc.record({ verb: verb('due') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: verb('addDevice', 'removeDevice'),
      device: fc.constantFrom(...devices),
      hardware: fc.subarray([...hardware]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      verb: verb('updateDevice'),
      device: fc.constantFrom(...devices),
      expected: fc.constantFrom(1, 1, 2),
      hardware: fc.subarray([...hardware]),
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: verb('addNode', 'removeNode'), node, devices: fc.subarray([...devices]) }) },
  // Odd amounts: a lease's last moment must not be one of the moments at which steps are done, as those take a little real time.
  { weight: 2, arbitrary: fc.record({ verb: verb('pass'), ms: fc.constantFrom(501, 7001, 40_003) }) },
)

const inventory: VerbStep[] = [
  { verb: 'addDevice', device: 'd1', hardware: ['uuid:1'] },
  { verb: 'addDevice', device: 'd2', hardware: [] },
  { verb: 'addNode', node: 'default/n1', devices: ['d1'] },
  { verb: 'addNode', node: 'default/n2', devices: ['d2'] },
]

/** Random histories of two nodes and two BMCs, from the registration on. */
export const histories: fc.Arbitrary<VerbStep[]> = fc.array(step, { minLength: 15, maxLength: 45 }).map(steps => [...inventory, ...steps])

/** A whole fence, and a reboot with it, by hand: what random histories seldom reach. */
export const fence: VerbStep[] = [
  ...inventory,
  { verb: 'accept', node: 'default/n1', action: 'off', holder: 'alice', attempt: 1, key: 'k1', hash: 'h' },
  { verb: 'accept', node: 'default/n1', action: 'off', holder: 'bob', attempt: 1, key: 'k2', hash: 'h' },
  { verb: 'accept', node: 'default/n1', action: 'off', holder: 'bob', attempt: 1, key: 'k2', hash: 'other' },
  { verb: 'due' },
  { verb: 'take', job: 0, actor: 'gateway-1', endpoints: ['bmc1'], urgency: 0, preemptible: false },
  { verb: 'take', job: 0, actor: 'gateway-2', endpoints: ['bmc1', 'bmc2'], urgency: 0, preemptible: false },
  { verb: 'record', actor: 0, wakeIn: 1000 },
  { verb: 'intend', actor: 0, command: 'off', endpoint: 'bmc1' },
  { verb: 'conclude', actor: 0, ending: 'off', goesOn: false, stale: false },
  { verb: 'cancel', job: 0, holder: 'alice' },
  { verb: 'settle', actor: 0, intent: 0, endpoint: 'bmc1', how: 'answered' },
  { verb: 'pass', ms: 501 },
  { verb: 'renew', actor: 0 },
  { verb: 'notePolicy', actor: 0, hold: null, leg: 'on', before: 'off', trouble: null },
  { verb: 'notePolicy', actor: 0, hold: null, leg: 'off', before: 'on', trouble: null },
  { verb: 'notePolicy', actor: 0, hold: 0, leg: 'off', before: 'off', trouble: 'refused' },
  { verb: 'conclude', actor: 0, ending: 'off', goesOn: false, stale: true },
  { verb: 'conclude', actor: 0, ending: 'off', goesOn: false, stale: false },
  { verb: 'release', actor: 0 },
  { verb: 'notePolicy', actor: 0, hold: 0, leg: 'off', before: null, trouble: null },
  { verb: 'accept', node: 'default/n1', action: 'on', holder: 'alice', attempt: 1, key: 'k3', hash: 'h' },
  { verb: 'observeHold', hold: 0, power: 'off' },
  { verb: 'pass', ms: 40_003 },
  { verb: 'due' },
  { verb: 'observeHold', hold: 0, power: 'on' },
  { verb: 'releaseHold', hold: 0, holder: 'alice', attempt: 2, restore: true, force: false },
  { verb: 'releaseHold', hold: 0, holder: 'alice', attempt: 1, restore: true, force: false },
  { verb: 'releaseHold', hold: 0, holder: 'bob', attempt: 1, restore: true, force: false },
  { verb: 'due' },
  { verb: 'accept', node: 'default/n2', action: 'reboot', holder: 'bob', attempt: 1, key: 'k4', hash: 'h' },
  { verb: 'take', job: 1, actor: 'gateway-2', endpoints: ['bmc2'], urgency: 1, preemptible: false },
  { verb: 'conclude', actor: 1, ending: 'off', goesOn: true, stale: false },
  { verb: 'pass', ms: 7001 },
  { verb: 'conclude', actor: 1, ending: 'power', goesOn: false, stale: false },
]
