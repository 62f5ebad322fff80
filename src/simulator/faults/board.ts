import type { Bmc } from '../redfish/bmc.ts'
import { checkParameters, type FaultName, type FaultParameters, findFault } from './index.ts'
import type { FaultDefinition, FaultMatch, FaultValue } from './types.ts'

/** How long and where a fault stands. `count` is the number of requests it applies to. */
export interface FaultScope {
  readonly count?: number
  readonly match?: FaultMatch
}

/** A fault that stands now; `left` is null where it is not counted. */
export interface ActiveFault {
  readonly id: number
  readonly name: string
  readonly parameters: Readonly<Record<string, FaultValue>>
  readonly match: FaultMatch
  readonly left: number | null
}

/** The request that matchers look at. */
export type FaultTarget =
  | { readonly protocol: 'redfish'; readonly method: string; readonly path: string; readonly resetType?: string | undefined }
  | { readonly protocol: 'ipmi'; readonly packet: string; readonly systemId: string }

interface Entry {
  readonly id: number
  readonly name: string
  readonly definition: FaultDefinition<Record<string, FaultValue>>
  readonly parameters: Record<string, FaultValue>
  readonly match: FaultMatch
  readonly undo: (() => void) | undefined
  left: number
}

/** The switchboard of one BMC. Faults are set and cleared while it runs, and act in the order in which they were set. */
export class FaultBoard {
  readonly #bmc: Bmc
  #entries: readonly Entry[] = []
  #nextId = 1

  constructor(bmc: Bmc) {
    this.#bmc = bmc
  }

  /** True while no fault stands: then a request takes the short way. */
  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** Sets a fault and answers its id. A second one of that name stands beside the first. */
  set<N extends FaultName>(name: N, parameters: Partial<FaultParameters<N>> = {}, scope: FaultScope = {}): number {
    return this.setByName(name, parameters, scope)
  }

  /** As `set`, for names and parameters that come from outside. Throws an error that says what is wrong. */
  setByName(name: string, given: Readonly<Record<string, unknown>>, scope: FaultScope = {}): number {
    const definition = findFault(name)
    const checked = checkParameters(name, given)
    const parameters = definition.prepare?.(this.#bmc, checked) ?? checked
    const match = scope.match ?? {}
    const undo = definition.start?.(this.#bmc, parameters, match)
    const left = scope.count ?? definition.defaultCount ?? Number.POSITIVE_INFINITY
    const id = this.#nextId++
    this.#entries = [...this.#entries, { id, name, definition, parameters, match, undo, left }]
    return id
  }

  /** Takes back the fault of an id, all of a name, or all. The answer is how many that were. */
  clear(which?: FaultName | number): number {
    const gone = this.#entries.filter(({ id, name }) => which === undefined || which === id || which === name)
    this.#entries = this.#entries.filter(entry => !gone.includes(entry))
    // The last set is undone first, so that two changes of the same thing end where they began.
    for (const { undo } of gone.reverse()) undo?.()
    return gone.length
  }

  /** The faults that stand, in order. */
  list(): readonly ActiveFault[] {
    return this.#entries.map(({ id, name, parameters, match, left }) => ({
      id,
      name,
      parameters,
      match,
      left: Number.isFinite(left) ? left : null,
    }))
  }

  /**
   * Asks each standing fault that matches, in order. `ask` answers undefined or false where the fault does not act;
   * every other answer counts as one use and is yielded. `target` is null for a connection, which no matcher can name.
   */
  *ask<T>(
    target: FaultTarget | null,
    ask: (definition: FaultDefinition<Record<string, FaultValue>>, parameters: Record<string, FaultValue>) => T | undefined | false,
  ): Generator<T> {
    for (const entry of this.#entries) {
      if (entry.left <= 0 || (target !== null && !fits(entry.match, target))) continue
      const result = ask(entry.definition, entry.parameters)
      if (result === undefined || result === false) continue
      entry.left--
      if (entry.left <= 0) this.clear(entry.id)
      yield result
    }
  }

  /** Lets each standing fault that matches change something; `targetOf` is called only when there are faults at all. */
  apply<E>(
    targetOf: (exchange: E) => FaultTarget,
    exchange: E,
    act: (definition: FaultDefinition<Record<string, FaultValue>>, parameters: Record<string, FaultValue>) => boolean | undefined,
  ): void {
    if (this.isEmpty) return
    const steps = this.ask(targetOf(exchange), act)
    while (steps.next().done !== true);
  }
}

function fits(match: FaultMatch, target: FaultTarget): boolean {
  if (match.protocol !== undefined && match.protocol !== target.protocol) return false
  if (target.protocol === 'ipmi') {
    return (
      match.method === undefined &&
      match.path === undefined &&
      match.resetType === undefined &&
      (match.packet === undefined || match.packet === target.packet) &&
      (match.systemId === undefined || match.systemId === target.systemId)
    )
  }
  return (
    match.packet === undefined &&
    (match.method === undefined || match.method === target.method) &&
    (match.path === undefined || target.path.includes(match.path)) &&
    (match.resetType === undefined || match.resetType === target.resetType) &&
    (match.systemId === undefined || target.path.split('/')[4] === match.systemId)
  )
}
