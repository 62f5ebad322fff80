import { after, type IpmiPorts } from './client-ports.ts'
import { IpmiError, type IpmiFacts } from './failure.ts'
import type { Response } from './message.ts'
import { seal } from './seal.ts'
import { alarmOf, idle, step } from './session.ts'
import type { DropReason, Entropy, LogIn, Request, Session, SessionEffect, SessionEvent, SessionState } from './session-state.ts'
import { costOf } from './session-trial.ts'
import type { Receiver, Route } from './transport.ts'
import type { Place } from './transport-gate.ts'

/** How a request over a session went. */
export type Outcome =
  | { kind: 'answered'; response: Response }
  | { kind: 'unanswered' }
  /** A packet could not be sent, or the session was closed. */
  | { kind: 'failed'; error: IpmiError }

/** Packets that were not taken, by reason. */
export type Drops = Partial<Record<DropReason, number>>

/**
 * One session at work: feeds the pure machine with packets, time and random bytes and does what it asks for. At most one request at a time.
 * It ends exactly once: by `close`, or by a failed log-in; after that it has no timer and no route.
 */
export class ClientSession implements Receiver {
  /** Set Session Privilege was answered with yes. */
  elevated = false
  /** A command went out over it whose answer did not come. */
  doubtful = false
  readonly #ports: IpmiPorts
  readonly #route: Route
  readonly #drops: Drops
  #state: SessionState = idle
  #calledOff: (() => void) | undefined
  #alarm = Number.POSITIVE_INFINITY
  #place: Place | undefined
  #onOpened: ((error: IpmiError | undefined) => void) | undefined
  #onOutcome: ((outcome: Outcome) => void) | undefined
  #onClosed: ((known: boolean) => void) | undefined

  constructor(ports: IpmiPorts, address: string, port: number, drops: Drops = {}) {
    this.#ports = ports
    this.#drops = drops
    this.#route = ports.transport.attach(address, port, this)
  }

  /** The established session; undefined before and after. */
  get session(): Session | undefined {
    return 'session' in this.#state ? this.#state.session : undefined
  }

  /** What the log-in that is under way has cost so far. */
  get logInFacts(): IpmiFacts {
    return 'trial' in this.#state ? costOf(this.#state.trial) : {}
  }

  /** The number of the next packet. */
  get nextSequence(): number {
    return 'session' in this.#state ? this.#state.nextSequence : 1
  }

  /** Logs in, as soon as there is room; then calls `opened`, with the reason where it failed. */
  open(logIn: LogIn, opened: (error: IpmiError | undefined) => void): void {
    this.#onOpened = opened
    this.#enter(() => this.#step({ kind: 'open', now: this.#ports.clock.mono(), logIn, entropy: this.#entropy() }))
  }

  /** Takes over a session of another process, to close it. */
  adopt(state: SessionState): void {
    this.#state = state
  }

  /** Makes a request and tells its outcome, once. One that is sent `once` waits for no room: it leaves in this call, or never. */
  ask(request: Request, told: (outcome: Outcome) => void): void {
    this.#onOutcome = told
    const begin = () => {
      if (this.#state.phase === 'ready') this.#step({ kind: 'request', now: this.#ports.clock.mono(), request })
      else this.#tell({ kind: 'failed', error: new IpmiError('closed', 'the session is closed') })
    }
    if (request.once || this.#place?.inside === true) begin()
    else this.#enter(begin)
  }

  /** The request that is under way interests nobody any more. */
  forget(): void {
    this.#onOutcome = undefined
    this.#leave()
    this.#step({ kind: 'forget', now: this.#ports.clock.mono() })
  }

  /** Ends the session. `closed` is told whether the BMC is known to have closed it; unconfirmed, nothing is waited for. Open requests are not told of it. */
  close(confirmed: boolean, limitMs: number, closed: (known: boolean) => void = () => undefined): void {
    this.#onOpened = undefined
    this.#onOutcome = undefined
    this.#onClosed = closed
    this.#leave()
    this.#step({ kind: 'close', now: this.#ports.clock.mono(), confirmed, limitMs })
  }

  arrived(packet: Parameters<Receiver['arrived']>[0]): void {
    this.#step({ kind: 'packet', now: this.#ports.clock.mono(), packet })
  }

  failed(error: IpmiError): void {
    switch (this.#state.phase) {
      case 'open':
      case 'rakp2':
      case 'rakp4':
      case 'rest':
      case 'idle':
        this.#opened(new IpmiError(error.reason, error.message, { ...error.facts, ...this.logInFacts }))
        break
      case 'exchange':
        this.#step({ kind: 'forget', now: this.#ports.clock.mono() })
        this.#tell({ kind: 'failed', error })
        break
      case 'closing':
        this.#closed(false)
        break
      default:
      // Nobody waits: the next request will see for itself.
    }
  }

  #step(event: SessionEvent): void {
    const { state, effects } = step(this.#state, event)
    this.#state = state
    for (const effect of effects) this.#do(effect)
    // Who waits for a session to come free has nothing under way.
    if (this.#state.phase === 'rest') this.#leave()
    this.#arm()
  }

  #do(effect: SessionEffect): void {
    switch (effect.do) {
      case 'send':
        this.#send(effect.bytes, 'sent' in this.#state && this.#state.sent.tries > 1)
        break
      case 'seal': {
        const { session, sequence, message, again } = effect
        const { suite, keys, bmcId: sessionId } = session
        this.#send(seal({ suite, keys, sessionId, sequence, message, iv: this.#ports.random(16) }), again)
        break
      }
      case 'fresh':
        this.#step({ kind: 'entropy', now: this.#ports.clock.mono(), entropy: this.#entropy() })
        break
      case 'ready':
        this.#opened(undefined)
        break
      case 'failed':
        this.#opened(new IpmiError(effect.failure.reason, effect.failure.message, effect.failure.facts))
        break
      case 'answered':
        this.#tell({ kind: 'answered', response: effect.response })
        break
      case 'unanswered':
        this.#tell({ kind: 'unanswered' })
        break
      case 'closed':
        this.#closed(effect.known)
        break
      case 'dropped':
        this.#drops[effect.why] = (this.#drops[effect.why] ?? 0) + 1
    }
  }

  #send(bytes: Buffer, again: boolean): void {
    // Silent for a whole period: nothing of it is in any buffer any more.
    if (again) this.#leave()
    this.#route.send(bytes)
  }

  /** Who asks something as soon as he is logged in keeps his place: behind all that wait to log in, each of a thousand sessions would be kept open for all the others' log-ins. */
  #opened(error: IpmiError | undefined): void {
    const told = this.#onOpened
    const place = this.#place
    this.#onOpened = undefined
    if (error !== undefined) this.#end()
    told?.(error)
    // Another place is one that he waits for now, because his own went with a repetition.
    if (this.#place === place && this.#state.phase !== 'exchange') this.#leave()
  }

  #tell(outcome: Outcome): void {
    this.#leave()
    const told = this.#onOutcome
    this.#onOutcome = undefined
    told?.(outcome)
  }

  #closed(known: boolean): void {
    const told = this.#onClosed
    this.#onClosed = undefined
    this.#end()
    told?.(known)
  }

  #end(): void {
    this.#state = { phase: 'closed' }
    this.#leave()
    this.#disarm()
    this.#route.detach()
  }

  #enter(start: () => void): void {
    this.#place = this.#ports.transport.enter(start)
    if (this.#place.inside) start()
  }

  #leave(): void {
    const place = this.#place
    this.#place = undefined
    place?.leave()
  }

  /** One timer a session. One that is set for earlier stays, and sees then that it came too early: in a handshake that goes well no other is ever set. */
  #arm(): void {
    const alarm = alarmOf(this.#state)
    if (alarm === undefined) {
      this.#disarm()
      return
    }
    if (alarm >= this.#alarm) return
    this.#disarm()
    this.#alarm = alarm
    this.#calledOff = after(this.#ports.clock, Math.max(0, alarm - this.#ports.clock.mono()), () => {
      this.#alarm = Number.POSITIVE_INFINITY
      this.#calledOff = undefined
      this.#step({ kind: 'tick', now: this.#ports.clock.mono() })
    })
  }

  #disarm(): void {
    if (this.#calledOff === undefined) return
    this.#calledOff()
    this.#calledOff = undefined
    this.#alarm = Number.POSITIVE_INFINITY
  }

  #entropy(): Entropy {
    const bytes = this.#ports.random(21)
    return { tag: bytes.readUInt8(20), consoleId: bytes.readUInt32LE(16) || 1, random: bytes.subarray(0, 16) }
  }
}
