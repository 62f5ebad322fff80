import type { SimulatorClock } from './clock.ts'

/** What the machine truly is, whatever its BMC says. */
export type PowerState = 'on' | 'off' | 'poweringOff' | 'poweringOn'

/** What can be asked of it. `softOff` is a shutdown that takes its time, `cycle` is off and on again, `reset` a new boot without an off. */
export type PowerOperation = 'on' | 'off' | 'softOff' | 'reset' | 'cycle'

/** `started`: it is being done. `already`: nothing to do. `wrongState`: it can't be done in this state (a reset of a machine that is off). */
export type PowerOutcome = 'started' | 'already' | 'wrongState'

/** One change of the true state. `at` is the clock's milliseconds, `cause` names who asked, `bootId` the boot that runs after the change. */
export interface PowerEvent {
  readonly at: number
  readonly operation: PowerOperation | 'force'
  readonly from: PowerState
  readonly to: PowerState
  readonly cause: string
  readonly bootId: string | null
}

/** An operation that will be done by itself, by `dueAt` on the clock. */
export interface PendingOperation {
  readonly id: number
  readonly operation: PowerOperation
  readonly dueAt: number
  readonly cause: string
}

/** How long the machine takes, in milliseconds. `Infinity` never ends. */
export interface PowerDelays {
  offDelayMs: number
  onDelayMs: number
  softOffDelayMs: number
  /** How long a cycle stays off. */
  cycleOffMs: number
}

/** What a machine is made of: its time, its boot ids, how long it takes, and its first state (on). */
export interface PowerModelOptions extends Partial<PowerDelays> {
  readonly clock: SimulatorClock
  /** Names each new boot. */
  readonly newBootId: () => string
  readonly initial?: 'on' | 'off'
}

interface Transition {
  readonly operation: PowerOperation
  readonly to: 'on' | 'off'
  readonly cause: string
  readonly endsAt: number
  readonly timer: unknown
  readonly then?: { readonly operation: PowerOperation; readonly afterMs: number }
}

/** More than any test needs; a bound, so that a bench of hours does not fill the memory. */
const HISTORY_LIMIT = 10_000

/**
 * The power of one machine, free of any protocol: Redfish and IPMI press the same buttons.
 * Its `history` is the oracle of the tests: what was truly done, and when.
 */
export class PowerModel {
  readonly delays: PowerDelays
  readonly history: PowerEvent[] = []
  readonly #clock: SimulatorClock
  readonly #newBootId: () => string
  readonly #pending = new Map<number, PendingOperation & { readonly timer: unknown }>()
  readonly #listeners = new Set<(event: PowerEvent) => void>()
  #state: PowerState
  #bootId: string | null
  #lastResetAt: number
  #transition: Transition | undefined
  #nextId = 1

  constructor(options: PowerModelOptions) {
    this.#clock = options.clock
    this.#newBootId = options.newBootId
    const offDelayMs = options.offDelayMs ?? 0
    this.delays = {
      offDelayMs,
      onDelayMs: options.onDelayMs ?? 0,
      softOffDelayMs: options.softOffDelayMs ?? Math.max(offDelayMs, 1) * 5,
      cycleOffMs: options.cycleOffMs ?? 1000,
    }
    this.#state = options.initial ?? 'on'
    this.#bootId = this.#state === 'on' ? this.#newBootId() : null
    this.#lastResetAt = this.#clock.now()
  }

  get state(): PowerState {
    return this.#state
  }

  /** The running boot, null while off. */
  get bootId(): string | null {
    return this.#bootId
  }

  /** When the machine was last switched or reset, on the clock. */
  get lastResetAt(): number {
    return this.#lastResetAt
  }

  /** Operations that will still happen by themselves, the next one first. */
  get pending(): readonly PendingOperation[] {
    return [...this.#pending.values()]
      .map(({ id, operation, dueAt, cause }) => ({ id, operation, dueAt, cause }))
      .sort((left, right) => left.dueAt - right.dueAt || left.id - right.id)
  }

  /** True while a change that was begun has not reached its end. */
  get busy(): boolean {
    return this.#transition !== undefined
  }

  /** Calls `listener` after each change; the answer takes it off again. */
  subscribe(listener: (event: PowerEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Presses a button now. `delays` replaces the machine's own for this one press. */
  request(operation: PowerOperation, cause: string, delays: Partial<PowerDelays> = {}): PowerOutcome {
    const { offDelayMs, onDelayMs, softOffDelayMs, cycleOffMs } = { ...this.delays, ...delays }
    switch (operation) {
      case 'on':
        // On a machine that is going down the button does nothing: it is still powered.
        return this.#state === 'off' ? this.#begin({ operation, cause, to: 'on', ms: onDelayMs }) : 'already'
      case 'off':
        return this.#powerOff(operation, cause, offDelayMs)
      case 'softOff':
        return this.#state === 'poweringOff' ? 'already' : this.#powerOff(operation, cause, softOffDelayMs)
      case 'cycle':
        if (this.#state === 'off') return 'wrongState'
        return this.#powerOff(operation, cause, offDelayMs, { operation: 'on', afterMs: cycleOffMs })
      case 'reset':
        if (this.#state !== 'on') return 'wrongState'
        this.#change('on', operation, cause, this.#newBootId())
        return 'started'
    }
  }

  /** Lets `operation` happen by itself in `afterMs`; on a machine in transition it waits for the end of that. The answer is its id. */
  schedule(operation: PowerOperation, afterMs: number, cause: string): number {
    const id = this.#nextId++
    const run = (): void => {
      const entry = this.#pending.get(id)
      if (entry === undefined) return
      const waitMs = operation === 'on' && this.#state === 'poweringOff' ? this.#remainingMs() : 0
      if (waitMs > 0) {
        this.#pending.set(id, { ...entry, dueAt: this.#clock.now() + waitMs, timer: this.#timer(run, waitMs) })
        return
      }
      this.#pending.delete(id)
      this.request(operation, cause)
    }
    this.#pending.set(id, { id, operation, dueAt: this.#clock.now() + afterMs, cause, timer: this.#timer(run, afterMs) })
    return id
  }

  /** Takes a pending operation back; false when it has happened or never was. */
  cancel(id: number): boolean {
    const entry = this.#pending.get(id)
    if (entry === undefined) return false
    this.#clock.clearTimeout(entry.timer)
    return this.#pending.delete(id)
  }

  /** Ends the running transition at once (a stuck one, too). */
  settle(): void {
    if (this.#transition !== undefined) this.#finish(this.#transition)
  }

  /** The hand of the tester: the state is so from now on, without any button. */
  force(state: 'on' | 'off', cause: string): void {
    this.#dropTransition()
    if (state !== this.#state) this.#change(state, 'force', cause, state === 'on' ? this.#newBootId() : null)
  }

  /** Stops all timers. */
  close(): void {
    this.#dropTransition()
    for (const { timer } of this.#pending.values()) this.#clock.clearTimeout(timer)
    this.#pending.clear()
    this.#listeners.clear()
  }

  #powerOff(operation: PowerOperation, cause: string, ms: number, then?: Transition['then']): PowerOutcome {
    if (this.#state === 'off') return 'already'
    if (this.#transition?.to === 'off') {
      // A hard off hastens a shutdown that is under way, and never slows it down.
      if (ms >= this.#remainingMs()) return 'started'
      this.#dropTransition()
    }
    return this.#begin({ operation, cause, to: 'off', ms, ...(then === undefined ? {} : { then }) })
  }

  #begin(plan: { operation: PowerOperation; cause: string; to: 'on' | 'off'; ms: number; then?: Transition['then'] }): PowerOutcome {
    const { operation, cause, to, ms, then } = plan
    this.#dropTransition()
    const follow = then === undefined ? {} : { then }
    if (ms <= 0) {
      this.#finish({ operation, cause, to, endsAt: this.#clock.now(), timer: undefined, ...follow })
      return 'started'
    }
    const passing: PowerState = to === 'on' ? 'poweringOn' : 'poweringOff'
    if (this.#state !== passing) this.#change(passing, operation, cause, to === 'on' ? this.#newBootId() : this.#bootId)
    const transition: Transition = {
      operation,
      cause,
      to,
      endsAt: this.#clock.now() + ms,
      timer: this.#timer(() => this.#finish(transition), ms),
      ...follow,
    }
    this.#transition = transition
    return 'started'
  }

  #finish(transition: Transition): void {
    this.#dropTransition()
    const { operation, cause, to, then } = transition
    this.#change(to, operation, cause, to === 'off' ? null : (this.#bootId ?? this.#newBootId()))
    if (then !== undefined) this.schedule(then.operation, then.afterMs, cause)
  }

  #change(to: PowerState, operation: PowerEvent['operation'], cause: string, bootId: string | null): void {
    const event: PowerEvent = { at: this.#clock.now(), operation, from: this.#state, to, cause, bootId }
    this.#state = to
    this.#bootId = bootId
    this.#lastResetAt = event.at
    this.history.push(event)
    if (this.history.length > HISTORY_LIMIT) this.history.shift()
    for (const listener of this.#listeners) listener(event)
  }

  #remainingMs(): number {
    return this.#transition === undefined ? 0 : Math.max(0, this.#transition.endsAt - this.#clock.now())
  }

  #timer(run: () => void, ms: number): unknown {
    // setTimeout takes Infinity for 1 ms: what never ends gets no timer.
    return Number.isFinite(ms) ? this.#clock.setTimeout(run, ms) : undefined
  }

  #dropTransition(): void {
    if (this.#transition?.timer !== undefined) this.#clock.clearTimeout(this.#transition.timer)
    this.#transition = undefined
  }
}
