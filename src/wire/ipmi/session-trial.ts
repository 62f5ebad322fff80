import type { CipherSuite } from '../../core/power.ts'
import type { IpmiFacts } from './failure.ts'
import { restBefore, restWhenFull } from './session-schedule.ts'
import type { Failure, LogIn, Trial } from './session-state.ts'
import { statusOf } from './status.ts'

/** What a log-in that ends without a session has cost the account, whyever it ends: every refused handshake counts. */
export function costOf({ badLogIns }: Trial): IpmiFacts {
  return badLogIns > 0 ? { logIns: badLogIns } : {}
}

/** How a handshake went wrong. */
export type Trouble =
  /** A status that says that the BMC lacks the suite. */
  | { kind: 'suite'; status: number }
  /** It chose other algorithms than were proposed. */
  | { kind: 'other_algorithms' }
  /** Status 01 or 0B. */
  | { kind: 'full'; status: number }
  /** As a wrong password, user, privilege or BMC key makes it: a status, or a code that does not fit. */
  | { kind: 'log_in'; status?: number; what: string }
  /** Anything else: a flipped bit, a handshake forgotten, silence in the middle. */
  | { kind: 'damage'; status?: number }

/** After so many handshakes with the same refusal it is believed. */
const BELIEVED = 2
const NO_RESOURCES = 0x01
const NO_RESOURCES_NOW = 0x0b
/** Idle sessions go after 60 s (§6.12.15); asking each 10 s finds the first free place soon. */
const FULL_RETRY_MS = 10_000

/** A log-in that begins. */
export function firstTrial(logIn: LogIn, now: number): Trial {
  const suite = logIn.suite === 'auto' ? (logIn.provenSuite ?? 17) : logIn.suite
  return { suite, startedAt: now, answered: false, handshakes: 0, badLogIns: 0, refusals: 0, refused: [], shortages: 0 }
}

/** What a status other than 0 means for a log-in. `inOpen`: it came in the Open Session Response, where alone suites are spoken of. */
export function troubleOf(status: number, inOpen: boolean): Trouble {
  const { kind, name } = statusOf(status)
  if (status === NO_RESOURCES || status === NO_RESOURCES_NOW) return { kind: 'full', status }
  if (kind === 'suite' && inOpen) return { kind: 'suite', status }
  if (kind === 'auth') return { kind: 'log_in', status, what: name }
  return { kind: 'damage', status }
}

/** What follows from a handshake that went wrong: another one after `restMs`, or the end. Pure. */
export function judge(logIn: LogIn, before: Trial, trouble: Trouble): { trial: Trial; restMs: number } | { failure: Failure } {
  const status = 'status' in trouble ? trouble.status : undefined
  const trial: Trial = status === undefined ? before : { ...before, status }
  switch (trouble.kind) {
    case 'suite':
    case 'other_algorithms':
      return afterRefusal(logIn, { ...trial, refusals: trial.refusals + 1, shortages: 0 }, trouble.kind)
    case 'full':
      return afterShortage(logIn, { ...trial, shortages: trial.shortages + 1 })
    case 'log_in': {
      const badLogIns = trial.badLogIns + 1
      if (badLogIns < Math.min(BELIEVED, logIn.maxBadLogIns ?? BELIEVED)) return { trial: { ...trial, badLogIns, shortages: 0 }, restMs: 0 }
      const message = `the BMC refuses the log-in: ${trouble.what}, in ${badLogIns} handshake${badLogIns === 1 ? '' : 's'}`
      return { failure: { reason: 'auth_failed', message, facts: { logIns: badLogIns, ...(status === undefined ? {} : { status }) } } }
    }
    case 'damage':
      return again({ ...trial, shortages: 0 })
  }
}

function again(trial: Trial): { trial: Trial; restMs: number } {
  return { trial, restMs: restBefore(trial.handshakes) }
}

function afterRefusal(logIn: LogIn, trial: Trial, kind: 'suite' | 'other_algorithms') {
  // At once: it can't come often.
  if (trial.refusals < BELIEVED) return { trial, restMs: 0 }
  const refused = [...trial.refused, trial.suite]
  const next = kind === 'suite' ? otherSuite(logIn, trial.suite, refused) : undefined
  if (next !== undefined) return { trial: { ...trial, suite: next, refusals: 0, refused }, restMs: 0 }
  return { failure: refusal(logIn, trial, kind) }
}

function refusal(logIn: LogIn, trial: Trial, kind: 'suite' | 'other_algorithms'): Failure {
  const facts = { ...costOf(trial), ...(trial.status === undefined ? {} : { status: trial.status }) }
  if (kind === 'other_algorithms') {
    return { reason: 'suite_downgrade', message: `the BMC answers suite ${trial.suite} with other algorithms, repeatedly`, facts }
  }
  if (logIn.suite === 'auto' && logIn.provenSuite === 17 && trial.suite === 17) {
    return { reason: 'suite_downgrade', message: 'the BMC refuses suite 17, which it took before: nothing weaker is tried', facts }
  }
  const tried = [...trial.refused, trial.suite].sort((a, b) => b - a).join(' and ')
  return { reason: 'suite_refused', message: `the BMC refuses cipher suite ${tried}; no other may be used`, facts }
}

/**
 * No session is free, or so it says: an Intel M50CYP answers 01 where it lacks the suite (FreeIPMI LAN issue 28). So after the second 01 the other suite is tried,
 * and so on in turn until the time is up: a full table answers 01 to both.
 */
function afterShortage(logIn: LogIn, trial: Trial): { trial: Trial; restMs: number } {
  const restMs = restWhenFull(trial.shortages)
  const next = trial.status === NO_RESOURCES && trial.shortages >= BELIEVED ? otherSuite(logIn, trial.suite, trial.refused) : undefined
  if (next === undefined) return { trial, restMs }
  return { trial: { ...trial, suite: next, shortages: 0, refusals: 0 }, restMs }
}

/** The other of the two suites, where it may be tried. Never from 17 down to 3 where 17 once worked. */
function otherSuite(logIn: LogIn, suite: CipherSuite, refused: readonly CipherSuite[]): CipherSuite | undefined {
  const other = suite === 17 ? 3 : 17
  if (logIn.suite !== 'auto' || refused.includes(other)) return undefined
  return other === 3 && logIn.provenSuite === 17 ? undefined : other
}

/** When a log-in that is still under way has to end. */
export function logInEnds(logIn: LogIn, trial: Trial): number {
  return trial.startedAt + (trial.answered ? logIn.exchangeMs : Math.min(logIn.connectMs, logIn.exchangeMs))
}

/** Why it ended without a verdict of the BMC. */
export function outOfTime(logIn: LogIn, trial: Trial): Failure {
  if (!trial.answered) return { reason: 'unreachable', message: `no answer within ${logIn.connectMs} ms`, facts: {} }
  const facts = { ...costOf(trial), ...(trial.status === undefined ? {} : { status: trial.status }) }
  if (trial.shortages > 0 || trial.status === NO_RESOURCES || trial.status === NO_RESOURCES_NOW) {
    return { reason: 'session_limit', message: 'the BMC has no free session', facts: { ...facts, retryAfterMs: FULL_RETRY_MS } }
  }
  const last = trial.status === undefined ? '' : `; last it answered: ${statusOf(trial.status).name}`
  const message = `no session within ${logIn.exchangeMs} ms and ${trial.handshakes} handshakes${last}`
  return { reason: 'exchange_timeout', message, facts }
}
