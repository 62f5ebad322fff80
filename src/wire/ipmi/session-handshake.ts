import { FrameError } from './failure.ts'
import { type Handshake as Hashed, rakp2Code, rakp3Code, rakp4Code, roleByte, sameCode, sessionKeys } from './rakp.ts'
import { encodeSetup, type SetupPacket } from './rmcp.ts'
import { closeOver } from './session-exchange.ts'
import { gapAfter, SILENT_TRIES } from './session-schedule.ts'
import type { Entropy, LogIn, Sent, SessionEffect, SessionState, Step, Trial } from './session-state.ts'
import { judge, logInEnds, outOfTime, type Trouble, troubleOf } from './session-trial.ts'
import {
  decodeOpenResponse,
  decodeRakp2,
  decodeRakp4,
  encodeOpenRequest,
  encodeRakp1,
  encodeRakp3,
  type OpenResponse,
  type Rakp2,
  type Rakp4,
} from './setup.ts'
import { SUITES, sameAlgorithms } from './suites.ts'
import { freshWindow } from './window.ts'

type Opening = Extract<SessionState, { phase: 'open' }>
type Answering = Extract<SessionState, { phase: 'rakp2' }>
type Confirming = Extract<SessionState, { phase: 'rakp4' }>
/** A log-in under way, between handshakes or in one. */
export type LoggingIn = Opening | Answering | Confirming | Extract<SessionState, { phase: 'rest' }>

/** RMCP+ status of a RAKP3 that gives up: the code of RAKP2 did not fit. It frees the place at the BMC (§13.22). */
const BAD_CODE = 0x0f
const FOREIGN: readonly SessionEffect[] = [{ do: 'dropped', why: 'foreign' }]
const DAMAGED: readonly SessionEffect[] = [{ do: 'dropped', why: 'damaged' }]
const UNEXPECTED: readonly SessionEffect[] = [{ do: 'dropped', why: 'unexpected' }]

/** Begins a handshake: Open Session. */
export function beginHandshake(logIn: LogIn, trial: Trial, entropy: Entropy, now: number): Step {
  const { tag, consoleId } = entropy
  const payload = encodeOpenRequest({ tag, privilege: logIn.privilege, consoleId, suite: SUITES[trial.suite] })
  const sent = sending(encodeSetup('openRequest', payload), logIn, now)
  return {
    state: { phase: 'open', logIn, trial: { ...trial, handshakes: trial.handshakes + 1 }, entropy, sent },
    effects: [{ do: 'send', bytes: sent.bytes }],
  }
}

/** Takes a step of the handshake from the BMC. What does not fit tag, id and phase is dropped: it may belong to an earlier handshake. */
export function setupArrived(state: Opening | Answering | Confirming, packet: SetupPacket, now: number): Step {
  try {
    if (state.phase === 'open' && packet.type === 'openResponse') return openAnswered(state, decodeOpenResponse(packet.payload), now)
    if (state.phase === 'rakp2' && packet.type === 'rakp2') {
      return rakp2Arrived(state, decodeRakp2(packet.payload, { slack: state.logIn.quirks.has('rakp2-slack') }), now)
    }
    if (state.phase === 'rakp4' && packet.type === 'rakp4') return rakp4Arrived(state, decodeRakp4(packet.payload), now)
  } catch (error) {
    if (error instanceof FrameError) return { state, effects: DAMAGED }
    throw error
  }
  return { state, effects: UNEXPECTED }
}

function openAnswered(state: Opening, reply: OpenResponse, now: number): Step {
  const { logIn, entropy } = state
  if (reply.tag !== entropy.tag) return { state, effects: FOREIGN }
  if (reply.status !== 0) return troubled(state, troubleOf(reply.status, true), now)
  if (reply.consoleId !== entropy.consoleId || reply.bmcId === undefined || reply.algorithms === undefined)
    return { state, effects: FOREIGN }
  if (!sameAlgorithms(reply.algorithms, SUITES[state.trial.suite])) return troubled(state, { kind: 'other_algorithms' }, now)
  const { bmcId } = reply
  const payload = encodeRakp1({ tag: entropy.tag, bmcId, random: entropy.random, role: roleOf(logIn), user: logIn.user })
  const sent = sending(encodeSetup('rakp1', payload), logIn, now)
  return {
    state: { phase: 'rakp2', logIn, trial: answered(state.trial), entropy, bmcId, sent },
    effects: [{ do: 'send', bytes: sent.bytes }],
  }
}

function rakp2Arrived(state: Answering, reply: Rakp2, now: number): Step {
  const { logIn, entropy, bmcId } = state
  if (reply.tag !== entropy.tag) return { state, effects: FOREIGN }
  // An error reply may leave our id out.
  if (reply.status !== 0) return troubled(state, troubleOf(reply.status, false), now)
  if (reply.consoleId !== entropy.consoleId) return { state, effects: FOREIGN }
  const suite = SUITES[state.trial.suite]
  const facts: Hashed = {
    consoleId: entropy.consoleId,
    bmcId,
    consoleRandom: entropy.random,
    bmcRandom: reply.random,
    guid: reply.guid,
    role: roleOf(logIn),
    user: logIn.user,
  }
  if (!sameCode(rakp2Code(suite, { ...facts, password: logIn.password }), reply.code)) {
    const bytes = encodeSetup('rakp3', encodeRakp3({ tag: entropy.tag, status: BAD_CODE, bmcId, code: reply.code }))
    return troubled(state, { kind: 'log_in', what: 'wrong user or password (the code of RAKP2 does not fit)' }, now, [
      { do: 'send', bytes },
    ])
  }
  const { sik, k1, k2 } = sessionKeys(suite, { ...facts, kg: logIn.kg ?? logIn.password })
  const code = rakp3Code(suite, { ...facts, password: logIn.password })
  const sent = sending(encodeSetup('rakp3', encodeRakp3({ tag: entropy.tag, status: 0, bmcId, code })), logIn, now)
  // A copy: the GUID outlives the datagram it came in.
  const guid = Buffer.from(reply.guid)
  const agreement = {
    session: {
      consoleId: entropy.consoleId,
      bmcId,
      suite,
      keys: { k1, k2 },
      guid,
      checkSums: !logIn.quirks.has('skip-checksum'),
      retransmitMs: logIn.retransmitMs,
      stride: 1,
    },
    icv: rakp4Code(suite, { sik, consoleRandom: entropy.random, bmcId, guid }),
  }
  return {
    state: { phase: 'rakp4', logIn, trial: answered(state.trial), entropy, agreement, sent },
    effects: [{ do: 'send', bytes: sent.bytes }],
  }
}

function rakp4Arrived(state: Confirming, reply: Rakp4, now: number): Step {
  const { entropy, agreement } = state
  if (reply.tag !== entropy.tag) return { state, effects: FOREIGN }
  // Status 02 to a repeated RAKP3 among them: some BMCs forget the handshake that they have just completed.
  if (reply.status !== 0) return troubled(state, troubleOf(reply.status, false), now)
  if (reply.consoleId !== entropy.consoleId) return { state, effects: FOREIGN }
  if (!sameCode(agreement.icv, reply.code)) {
    return troubled(state, { kind: 'log_in', what: 'wrong BMC key (the code of RAKP4 does not fit)' }, now)
  }
  const { session } = agreement
  // Nothing of the log-in is kept: an established session holds no password.
  return {
    state: { phase: 'ready', session, nextSequence: 1, requestNumber: 0, window: freshWindow() },
    effects: [{ do: 'ready', session }],
  }
}

/** A log-in when time has passed: repeats, begins afresh, or ends. */
export function logInTick(state: LoggingIn, now: number): Step {
  const { logIn, trial } = state
  if (now >= logInEnds(logIn, trial))
    return { state: { phase: 'failed' }, effects: [...givenUp(state), { do: 'failed', failure: outOfTime(logIn, trial) }] }
  if (state.phase === 'rest') return now < state.until ? { state, effects: [] } : { state, effects: [{ do: 'fresh' }] }
  if (now < state.sent.nextAt) return { state, effects: [] }
  if (state.phase !== 'open' && state.sent.tries >= SILENT_TRIES) return troubled(state, { kind: 'damage' }, now, givenUp(state))
  const tries = state.sent.tries + 1
  const sent = { bytes: state.sent.bytes, tries, nextAt: now + gapAfter(tries, logIn.retransmitMs) }
  return { state: { ...state, sent }, effects: [{ do: 'send', bytes: sent.bytes }] }
}

/** When a log-in has to be stepped next. */
export function logInAlarm(state: LoggingIn): number {
  return Math.min(logInEnds(state.logIn, state.trial), state.phase === 'rest' ? state.until : state.sent.nextAt)
}

/** What a log-in that is left says good-bye with: after RAKP3 the BMC may hold a session whose keys we have; it need not wait for a minute to be free again. */
export function givenUp(state: LoggingIn): SessionEffect[] {
  return state.phase === 'rakp4' ? [closeOver(state.agreement.session)] : []
}

function troubled(state: Opening | Answering | Confirming, trouble: Trouble, now: number, effects: SessionEffect[] = []): Step {
  // Silence is no answer.
  const heard = trouble.kind === 'damage' && trouble.status === undefined ? state.trial : answered(state.trial)
  const verdict = judge(state.logIn, heard, trouble)
  if ('failure' in verdict) return { state: { phase: 'failed' }, effects: [...effects, { do: 'failed', failure: verdict.failure }] }
  const rest = { phase: 'rest' as const, logIn: state.logIn, trial: verdict.trial, until: now + verdict.restMs }
  return { state: rest, effects: verdict.restMs === 0 ? [...effects, { do: 'fresh' }] : effects }
}

function answered(trial: Trial): Trial {
  return trial.answered ? trial : { ...trial, answered: true }
}

function sending(bytes: Buffer, logIn: LogIn, now: number): Sent {
  return { bytes, tries: 1, nextAt: now + gapAfter(1, logIn.retransmitMs) }
}

function roleOf(logIn: LogIn): number {
  return roleByte(logIn.privilege, { nameOnlyLookup: !logIn.quirks.has('no-name-only-lookup') })
}
