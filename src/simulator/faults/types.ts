import type { IpmiHooks } from '../ipmi/hooks.ts'
import type { ActionAnswer, ResetType } from '../personality.ts'
import type { PowerDelays, PowerOperation } from '../power.ts'
import type { Bmc, SimulatedSystem } from '../redfish/bmc.ts'
import type { Exchange, Reply } from '../redfish/exchange.ts'
import type { PowerView } from '../redfish/resources.ts'
import type { Task, TaskState } from '../redfish/tasks.ts'

/** A parameter of a fault, as it comes in JSON. */
export type FaultValue = number | string | boolean | null

/** What a fault wants done with a request: answer it so, wait first, never answer, or cut the connection (`reset`: with RST). */
export type Step =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'never' }
  | { readonly kind: 'drop' }

/** Which power reading is being made. */
export type ReadKind = 'system' | 'chassis' | 'power'

/** How a log-in that succeeds is answered; faults change it. */
export interface LoginPlan {
  refusal: Reply | undefined
  location: 'usual' | 'absent' | 'absolute'
  sendToken: boolean
}

/** How a power command is carried out, whichever protocol it came by; faults of the machine change it before anything is pressed. */
export interface PowerPlan {
  readonly system: SimulatedSystem
  readonly operation: PowerOperation | 'none'
  /** False: accepted and ignored. */
  execute: boolean
  /** Pressed so much later; null for now. */
  lateMs: number | null
  delays: Partial<PowerDelays>
  /** After all this, no answer comes (IPMI has no connection to drop: both are silence there). */
  silence: 'never' | 'drop' | undefined
}

/** How a Redfish reset is carried out and answered. */
export interface ResetPlan extends PowerPlan {
  readonly type: ResetType
  /** Replaces every answer of the personality, and nothing is pressed. */
  refusal: Reply | undefined
  /** Replaces the personality's answer to an accepted command. */
  accepted: ActionAnswer | undefined
  /** Replaces the personality's answer when there is nothing to do. */
  already: ActionAnswer | undefined
  task: { outcome: TaskState; monitor: Task['monitor']; location: boolean; ends: boolean }
}

/**
 * Which requests a fault applies to; all that is given must fit. `path` is any part of the path. Method, path and ResetType are Redfish's,
 * `packet` is IPMI's: `ping`, `open`, `rakp1`, `rakp3`, the name of a command (`chassisControl`), or `other`.
 */
export interface FaultMatch {
  readonly protocol?: 'redfish' | 'ipmi'
  readonly packet?: string
  readonly method?: string
  readonly path?: string
  readonly resetType?: string
  readonly systemId?: string
}

/**
 * One fault: what it is, its parameters with their defaults, and the places where it acts. A hook that did nothing says so by `undefined`
 * or `false`; then the request is not counted against the fault's `count`.
 */
export interface FaultDefinition<P> {
  readonly summary: string
  readonly defaults: P
  /** How many requests it applies to when the caller does not say; unlimited without. */
  readonly defaultCount?: number
  /** Settles parameters at the moment the fault is set. */
  prepare?(bmc: Bmc, parameters: P): P
  /** Changes the BMC while the fault stands; the answer undoes it. */
  start?(bmc: Bmc, parameters: P, match: FaultMatch): (() => void) | undefined
  /** A TCP connection came in: leave it silent, or reset it. */
  connect?(parameters: P): 'silent' | 'reset' | undefined
  /** A request came in; nothing was done yet. */
  before?(exchange: Exchange, parameters: P): Step | undefined
  /** A session or Basic credentials were good so far. */
  authorize?(exchange: Exchange, parameters: P): Reply | undefined
  login?(plan: LoginPlan, parameters: P, exchange: Exchange): boolean
  /** A log-out came in; true leaves the session open although it is answered well. */
  logout?(parameters: P): boolean
  /** A power command, of either protocol. */
  machine?(plan: PowerPlan, parameters: P): boolean
  command?(plan: ResetPlan, parameters: P, exchange: Exchange): boolean
  read?(view: PowerView, parameters: P, kind: ReadKind): boolean
  /** All is done, and this would be the answer. */
  after?(reply: Reply, parameters: P, exchange: Exchange): Step | undefined
  /** Where it acts on the IPMI side. */
  readonly ipmi?: IpmiHooks<P>
}

/** Types a definition by its defaults. */
export function defineFault<P extends Record<string, FaultValue>>(definition: FaultDefinition<P>): FaultDefinition<P> {
  return definition
}
