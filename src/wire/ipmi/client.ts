import type { CipherSuite } from '../../core/power.ts'
import { completionError, type Patience, patienceFor } from './client-answer.ts'
import { type Job, Jobs } from './client-jobs.ts'
import { type ClientOptions, type Limits, limitsOf, logInOf } from './client-options.ts'
import { after, type IpmiPorts } from './client-ports.ts'
import { ClientSession, type Drops } from './client-session.ts'
import { type SessionTicketData, ticketOf } from './client-ticket.ts'
import { type CommandSpec, PRIVILEGE_LEVELS, type Privilege } from './command.ts'
import { COMMANDS } from './commands.ts'
import { FrameError, IpmiError, type IpmiFacts } from './failure.ts'
import type { Response } from './message.ts'
import { LOST_AFTER } from './session-schedule.ts'
import type { LogIn, Session } from './session-state.ts'

/** How a command that is sent once went. Never a statement about power. */
export type OnceReply =
  /** The BMC answered; 0 means that it took the command. */
  | { kind: 'answered'; completion: number; raw: string }
  /** It left, or may have, and no answer came: it may have been done, now or later, until its session is closed. */
  | { kind: 'unanswered'; raw: string }
  /** Nothing of it left this process. */
  | { kind: 'unsent'; raw: string }

/** What a session showed of itself; what comes under the codes of the log-in is authenticated. */
export interface SessionFacts {
  /** Names the session to people; not secret. */
  sessionName: string
  /** 16 bytes, authenticated: the machine's identity (S9). */
  guid: Buffer
  suite: CipherSuite
}

/**
 * One conversation with one BMC: at most one session, one exchange at a time, requests in the order in which they are asked. Reads log in where needed, and once more
 * where a kept session turns out lost; commands (`sendOnce`) never do. All methods can be aborted and throw IpmiError, but those that say otherwise.
 */
export class IpmiClient {
  /** Packets of the BMC that were not taken, by reason. */
  readonly drops: Drops = {}
  readonly #ports: IpmiPorts
  readonly #options: ClientOptions
  readonly #limits: Limits
  readonly #machine: Buffer | undefined
  readonly #jobs = new Jobs(() => this.#interrupt())
  #live: ClientSession | undefined
  #ticketed: ClientSession | undefined
  #ready = false
  #doubtful = false
  #closing: Promise<'closed' | 'unknown'> | undefined
  #facts: SessionFacts | undefined
  #calledOff: (() => void) | undefined

  /** `machine`: the GUID of the only machine that is spoken to; where a log-in proves another one, nothing is asked over it, and the reason is `other_machine`. */
  constructor(ports: IpmiPorts, options: ClientOptions, machine?: Buffer) {
    this.#ports = ports
    this.#options = options
    this.#machine = machine
    this.#limits = limitsOf(options)
  }

  /** What the last session showed; undefined before the first. */
  get facts(): SessionFacts | undefined {
    return this.#facts
  }

  /** Logs in, unless that is done. */
  open(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const job: Job = { start: () => this.#withSession(job, () => this.#jobs.finish(job, resolve)), fail: reject }
      this.#jobs.add(job, signal)
    })
  }

  /**
   * Asks one thing and returns the answer. Repeats it while it is unanswered or the BMC is busy, so it is not for power commands. Logs in where needed, and raises the
   * session's privilege where the command needs more than `user`.
   */
  execute<Args, Reply>(spec: CommandSpec<Args, Reply>, args: Args, signal?: AbortSignal): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const read: Read = {
        spec: spec as CommandSpec<unknown, unknown>,
        data: spec.encode(args),
        patience: undefined,
        start: () => this.#withSession(read, (session, fresh) => this.#read(read, session, fresh)),
        answer: response => {
          try {
            resolve(decoded(spec, response))
          } catch (error) {
            reject(error)
          }
        },
        fail: reject,
      }
      this.#jobs.add(read, signal)
    })
  }

  /**
   * Asks one thing that is good to know and not worth a session: over the session that is there, sent once, waited for `limitMs` at most. Never logs in, and leaves
   * the session as it was, answered or not. Undefined where nothing came back, or there is no session. Throws IpmiError for an answer that refuses or is none.
   */
  glance<Args, Reply>(spec: CommandSpec<Args, Reply>, args: Args, limitMs: number, signal?: AbortSignal): Promise<Reply | undefined> {
    return new Promise((resolve, reject) => {
      const data = spec.encode(args)
      const job: Job = {
        start: () => {
          const session = this.#live
          if (!this.#ready || session === undefined) return this.#jobs.finish(job, () => resolve(undefined))
          const { netFn, command } = spec
          session.ask({ netFn, command, data, limitMs: Math.min(limitMs, this.#limits.exchangeMs), once: true }, outcome =>
            this.#jobs.finish(job, () => {
              if (outcome.kind !== 'answered') return resolve(undefined)
              try {
                resolve(decoded(spec, outcome.response))
              } catch (error) {
                reject(error)
              }
            }),
          )
        },
        fail: reject,
      }
      this.#jobs.add(job, signal)
    })
  }

  /** Raises the session to the privilege of the options, once a session; nothing is sent where that is `user`. Reason `privilege` where the BMC does not allow it. */
  elevate(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const { privilege } = this.#options
      const read: Read = {
        ...this.#rise(privilege),
        patience: undefined,
        start: () =>
          this.#withSession(read, (session, fresh) => {
            if (privilege === 'user' || session.elevated) this.#jobs.finish(read, resolve)
            else this.#read(read, session, fresh)
          }),
        answer: response => {
          const refused = completionError(RISE, response)
          if (refused === undefined) resolve()
          else reject(refused)
        },
        fail: reject,
      }
      this.#jobs.add(read, signal)
    })
  }

  /** What it takes to close the present session from another process (S3), and what `sendOnce` is bound to from now on. Throws IpmiError `closed` where there is none. Secret. */
  ticket(): SessionTicketData {
    const session = this.#ready ? this.#live?.session : undefined
    if (this.#live === undefined || session === undefined) throw new IpmiError('closed', 'there is no session to be named')
    this.#ticketed = this.#live
    return ticketOf(session, this.#live.nextSequence)
  }

  /**
   * Sends a command once, over the session that `ticket` named last and no other; never repeats it, never logs in, never sends after `expiresAtMono` (of the ports' clock).
   * An answer is waited for until the limit of an exchange. Never throws.
   */
  sendOnce<Args>(spec: CommandSpec<Args, unknown>, args: Args, signal: AbortSignal | undefined, expiresAtMono: number): Promise<OnceReply> {
    return new Promise(resolve => {
      const data = spec.encode(args)
      let sent = false
      const done = (reply: OnceReply) => this.#jobs.finish(job, () => resolve(reply))
      const job: Job = {
        start: () => {
          const session = this.#live
          if (!this.#ready || session === undefined || session !== this.#ticketed)
            return done({ kind: 'unsent', raw: 'the named session is gone' })
          if (this.#ports.clock.mono() >= expiresAtMono) return done({ kind: 'unsent', raw: 'its time to live was over' })
          sent = true
          session.doubtful = true
          const { netFn, command } = spec
          session.ask({ netFn, command, data, limitMs: this.#limits.exchangeMs, once: true }, outcome => {
            if (outcome.kind === 'unanswered') return done({ kind: 'unanswered', raw: 'no answer' })
            if (outcome.kind === 'failed') return done({ kind: 'unanswered', raw: outcome.error.message })
            session.doubtful = false
            const { completion } = outcome.response
            done({ kind: 'answered', completion, raw: `completion 0x${completion.toString(16).padStart(2, '0')}` })
          })
        },
        fail: error => resolve({ kind: sent ? 'unanswered' : 'unsent', raw: error.message }),
      }
      this.#jobs.add(job, signal)
    })
  }

  /**
   * Ends the conversation; everything under way ends with reason `closed`. `confirmed`: waits for the BMC's word that the session is closed, for the limit of an exchange;
   * else its Close is sent and not waited for. `closed` only where nothing that was sent over a session of this client can still be carried out. Never throws.
   */
  close({ confirmed }: { confirmed: boolean }): Promise<'closed' | 'unknown'> {
    this.#closing ??= this.#close(confirmed)
    return this.#closing
  }

  #close(confirmed: boolean): Promise<'closed' | 'unknown'> {
    this.#jobs.close(this.#live?.logInFacts ?? {})
    this.#callOff()
    const session = this.#live
    const verdict = (known: boolean) => (known && !this.#doubtful ? 'closed' : 'unknown')
    if (session === undefined) return Promise.resolve(verdict(true))
    this.#live = undefined
    return new Promise(resolve => session.close(confirmed, this.#limits.exchangeMs, known => resolve(verdict(known))))
  }

  /** The job whose turn it was was aborted. What its log-in has cost already goes with its error: the breaker counts it, whoever gave up. */
  #interrupt(): IpmiFacts {
    this.#callOff()
    const facts = this.#live?.logInFacts ?? {}
    if (this.#ready) this.#live?.forget()
    else this.#drop()
    return facts
  }

  #callOff(): void {
    this.#calledOff?.()
    this.#calledOff = undefined
  }

  /** Leaves the session without waiting for anything. */
  #drop(): void {
    const session = this.#live
    this.#live = undefined
    this.#ready = false
    if (session === undefined) return
    if (session.doubtful) this.#doubtful = true
    session.close(false, 0)
  }

  #withSession(job: Job, then: (session: ClientSession, fresh: boolean) => void): void {
    if (this.#live !== undefined && this.#ready) {
      then(this.#live, false)
      return
    }
    const { beforeLogIn } = this.#options
    if (beforeLogIn === undefined) {
      this.#resolve(job, then)
      return
    }
    const failed = (error: unknown) => this.#fail(job, error instanceof Error ? error : new Error(String(error)))
    beforeLogIn.call(this.#options).then(() => {
      if (this.#jobs.has(job)) this.#resolve(job, then)
    }, failed)
  }

  /** Begins the log-in at the address that the host's name stands for. */
  #resolve(job: Job, then: (session: ClientSession, fresh: boolean) => void): void {
    let logIn: LogIn
    try {
      logIn = logInOf(this.#options)
    } catch (error) {
      if (!(error instanceof IpmiError)) throw error
      this.#fail(job, error)
      return
    }
    const opened = (session: ClientSession) => then(session, true)
    const { host } = this.#options.address
    const address = this.#ports.transport.resolve(host)
    if (typeof address === 'string') {
      this.#logIn(job, logIn, address, opened)
      return
    }
    // A name server that never answers must not outlast the limit.
    const limit = this.#limits.connectMs
    const late = () => this.#fail(job, new IpmiError('unreachable', `the name ${host} was not resolved within ${limit} ms`))
    this.#calledOff = after(this.#ports.clock, limit, late)
    address.then(
      found => {
        if (!this.#jobs.has(job)) return
        this.#callOff()
        this.#logIn(job, logIn, found, opened)
      },
      (error: unknown) => {
        if (!this.#jobs.has(job)) return
        this.#callOff()
        this.#fail(job, error instanceof IpmiError ? error : new IpmiError('unreachable', `the name ${host} could not be resolved`))
      },
    )
  }

  #logIn(job: Job, logIn: LogIn, address: string, then: (session: ClientSession) => void): void {
    const session = new ClientSession(this.#ports, address, this.#options.address.port, this.drops)
    this.#live = session
    session.open(logIn, error => {
      if (error !== undefined) {
        this.#live = undefined
        this.#fail(job, error)
        return
      }
      this.#note(session.session)
      this.#options.afterLogIn?.()
      if (this.#machine !== undefined && this.#facts?.guid.equals(this.#machine) !== true) {
        this.#drop()
        this.#fail(job, new IpmiError('other_machine', 'another machine answers: its log-in proves another GUID'))
        return
      }
      this.#ready = true
      then(session)
    })
  }

  #note(session: Session | undefined): void {
    if (session === undefined) return
    const { consoleId, bmcId, guid, suite } = session
    this.#facts = { sessionName: `${hex8(consoleId)}-${hex8(bmcId)}`, guid, suite: suite.id }
  }

  /** Asks over a session; a kept one that is silent is taken as lost, and the question asked once more over a new one. */
  #read(read: Read, session: ClientSession, fresh: boolean): void {
    const { spec } = read
    if (spec.privilege !== 'user' && !session.elevated) {
      const { spec: rise, data } = this.#rise(this.#atLeast(spec.privilege))
      this.#ask(read, session, fresh, rise, data, response => {
        const refused = completionError(rise, response)
        session.elevated = refused === undefined
        if (refused === undefined) this.#read(read, session, fresh)
        else this.#fail(read, refused)
      })
      return
    }
    this.#ask(read, session, fresh, spec, read.data, response => {
      read.patience ??= patienceFor(this.#ports.clock.mono(), this.#limits.exchangeMs)
      const restMs = read.patience(spec, response, this.#ports.clock.mono())
      if (restMs !== undefined) {
        this.#calledOff = after(this.#ports.clock, restMs, () => this.#read(read, session, false))
        return
      }
      if (spec === RISE && response.completion === 0) session.elevated = true
      this.#jobs.finish(read, () => read.answer(response))
    })
  }

  #ask(read: Read, session: ClientSession, fresh: boolean, spec: AnySpec, data: Buffer, answered: (response: Response) => void): void {
    const { exchangeMs, retransmitMs } = this.#limits
    const limitMs = fresh ? exchangeMs : Math.min(exchangeMs, LOST_AFTER * retransmitMs)
    session.ask({ netFn: spec.netFn, command: spec.command, data, limitMs, once: false }, outcome => {
      if (outcome.kind === 'answered') return answered(outcome.response)
      this.#drop()
      if (!fresh) return this.#withSession(read, next => this.#read(read, next, true))
      this.#fail(
        read,
        outcome.kind === 'failed' ? outcome.error : new IpmiError('exchange_timeout', `${spec.name}: no answer within ${exchangeMs} ms`),
      )
    })
  }

  #rise(privilege: Privilege): { spec: AnySpec; data: Buffer } {
    return { spec: RISE, data: COMMANDS.setSessionPrivilege.encode({ privilege }) }
  }

  #atLeast(privilege: Privilege): Privilege {
    return PRIVILEGE_LEVELS[privilege] > PRIVILEGE_LEVELS[this.#options.privilege] ? privilege : this.#options.privilege
  }

  #fail(job: Job, error: Error): void {
    this.#jobs.finish(job, () => job.fail(error))
  }
}

type AnySpec = CommandSpec<unknown, unknown>

interface Read extends Job {
  spec: AnySpec
  data: Buffer
  patience: Patience | undefined
  answer(response: Response): void
}

const RISE = COMMANDS.setSessionPrivilege as AnySpec

function decoded<Args, Reply>(spec: CommandSpec<Args, Reply>, response: Response): Reply {
  const refused = completionError(spec, response)
  if (refused !== undefined) throw refused
  try {
    return spec.decode(response.data)
  } catch (error) {
    if (!(error instanceof FrameError)) throw error
    throw new IpmiError('bad_answer', `${spec.name}: ${error.message}`)
  }
}

function hex8(id: number): string {
  return id.toString(16).padStart(8, '0')
}
