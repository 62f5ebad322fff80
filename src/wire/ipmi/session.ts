import { beginClose, beginExchange, type Exchanging, exchangeAlarm, exchangeTick, forgotten, sessionArrived } from './session-exchange.ts'
import { beginHandshake, givenUp, type LoggingIn, logInAlarm, logInTick, setupArrived } from './session-handshake.ts'
import type { SessionEffect, SessionEvent, SessionState, Step } from './session-state.ts'
import { firstTrial } from './session-trial.ts'

const NOTHING: readonly SessionEffect[] = []
const UNEXPECTED: readonly SessionEffect[] = [{ do: 'dropped', why: 'unexpected' }]

/** A session that nothing happened to yet. */
export const idle: SessionState = { phase: 'idle' }

/**
 * One RMCP+ session as a pure function: what it is and what happens make what it becomes and what is to be done. No clock, no socket, no random source:
 * they come in with the events. idle → open → rakp2 → rakp4 → ready ⇄ exchange → closing → closed, or failed; from a handshake that went wrong over rest to open.
 * An event that has no meaning in a state changes nothing.
 */
export function step(state: SessionState, event: SessionEvent): Step {
  switch (event.kind) {
    case 'open':
      return state.phase === 'idle'
        ? beginHandshake(event.logIn, firstTrial(event.logIn, event.now), event.entropy, event.now)
        : none(state)
    case 'entropy':
      return state.phase === 'rest' ? beginHandshake(state.logIn, state.trial, event.entropy, event.now) : none(state)
    case 'packet':
      return arrived(state, event)
    case 'tick':
      if (isLoggingIn(state)) return logInTick(state, event.now)
      return isExchanging(state) ? exchangeTick(state, event.now) : none(state)
    case 'request':
      return state.phase === 'ready' ? beginExchange(state, event.request, event.now) : none(state)
    case 'forget':
      return state.phase === 'exchange' ? forgotten(state) : none(state)
    case 'close':
      return closed(state, event)
  }
}

/** When the session has to be stepped with a `tick`; undefined where it waits for nothing. */
export function alarmOf(state: SessionState): number | undefined {
  if (isLoggingIn(state)) return logInAlarm(state)
  return isExchanging(state) ? exchangeAlarm(state) : undefined
}

function arrived(state: SessionState, { packet, now }: Extract<SessionEvent, { kind: 'packet' }>): Step {
  switch (state.phase) {
    case 'open':
    case 'rakp2':
    case 'rakp4':
      return packet.kind === 'setup' ? setupArrived(state, packet, now) : { state, effects: UNEXPECTED }
    case 'ready':
    case 'exchange':
    case 'closing':
      return packet.kind === 'session' ? sessionArrived(state, packet) : { state, effects: UNEXPECTED }
    default:
      return { state, effects: UNEXPECTED }
  }
}

function closed(state: SessionState, { confirmed, limitMs, now }: Extract<SessionEvent, { kind: 'close' }>): Step {
  switch (state.phase) {
    case 'ready':
    case 'exchange':
      return beginClose(state, confirmed, limitMs, now)
    case 'open':
    case 'rakp2':
    case 'rest':
    case 'idle':
      // No command went anywhere: there is no session to be closed.
      return { state: { phase: 'closed' }, effects: [{ do: 'closed', known: true }] }
    case 'rakp4':
      return { state: { phase: 'closed' }, effects: [...givenUp(state), { do: 'closed', known: true }] }
    case 'closing':
      // Waited for already; whoever does not want to wait any longer does not know.
      return confirmed ? none(state) : { state: { phase: 'closed' }, effects: [{ do: 'closed', known: false }] }
    default:
      return none(state)
  }
}

function isLoggingIn(state: SessionState): state is LoggingIn {
  return state.phase === 'open' || state.phase === 'rakp2' || state.phase === 'rakp4' || state.phase === 'rest'
}

function isExchanging(state: SessionState): state is Exchanging {
  return state.phase === 'exchange' || state.phase === 'closing'
}

function none(state: SessionState): Step {
  return { state, effects: NOTHING }
}
