import { FrameError } from './failure.ts'
import { decodeResponse, encodeRequest, type Response } from './message.ts'
import type { SessionPacket } from './rmcp.ts'
import { unseal } from './seal.ts'
import { gapAfter } from './session-schedule.ts'
import type { Counters, DropReason, Exchange, Request, Session, SessionEffect, SessionState, Step } from './session-state.ts'
import { accept, freshWindow } from './window.ts'

type Ready = Extract<SessionState, { phase: 'ready' }>
/** A session with a request under way. */
export type Exchanging = Extract<SessionState, { phase: 'exchange' | 'closing' }>

/** Application functions, Close Session (§22.19): the end of a session belongs to the session itself. */
const APP = 0x06
const CLOSE = 0x3c
const OK = 0x00
/** The BMC knows no session with that id: it is closed. */
const NO_SUCH_SESSION = 0x87

/** Sends a request: the first time. */
export function beginExchange(state: Ready, request: Request, now: number): Step {
  return began(state, 'exchange', request, now)
}

/** Ends a session with its Close. Unconfirmed, nothing is waited for: one packet, and the session is no longer ours. */
export function beginClose(state: Ready | Exchanging, confirmed: boolean, limitMs: number, now: number): Step {
  const data = bmcIdBytes(state.session)
  const step = began(state, 'closing', { netFn: APP, command: CLOSE, data, limitMs, once: false }, now)
  return confirmed ? step : { state: { phase: 'closed' }, effects: [...step.effects, { do: 'closed', known: false }] }
}

/** The first packet of a session that is left before anybody used it. */
export function closeOver(session: Session): SessionEffect {
  const message = encodeRequest({ netFn: APP, command: CLOSE, sequence: 1, data: bmcIdBytes(session) })
  return { do: 'seal', session, sequence: 1, message, again: false }
}

function began(state: Counters, phase: 'exchange' | 'closing', request: Request, now: number): Step {
  const requestNumber = (state.requestNumber + 1) & 0x3f
  const { netFn, command, data, once } = request
  const message = encodeRequest({ netFn, command, sequence: requestNumber, data })
  const nextAt = once ? Number.POSITIVE_INFINITY : now + gapAfter(1, state.session.retransmitMs)
  const exchange: Exchange = { netFn, command, message, tries: 1, nextAt, endsAt: now + request.limitMs }
  return sealed(state, phase, requestNumber, exchange, false)
}

/**
 * A session that another process opened, to be closed with nothing but its keys. What that process sent after it wrote `nextSequence` down is not known:
 * the command itself, and perhaps some reads. A BMC takes numbers up to 15 beyond the highest it saw (§6.12.13), so steps of 7 find its window wherever it is.
 */
export function adopt(session: Session, nextSequence: number): SessionState {
  const sequence = sequenceAfter(nextSequence, 1)
  return { phase: 'ready', session: { ...session, stride: 7 }, nextSequence: sequence, requestNumber: 0x1f, window: freshWindow() }
}

/** Numbers go from 1 to 0xFFFFFFFF and round again; 0 is none. */
function sequenceAfter(sequence: number, stride: number): number {
  return ((sequence + stride - 1) % 0xffff_ffff) + 1
}

/** One more packet: a new sequence number for each, repeated or not (§6.12.13). */
function sealed(state: Counters, phase: 'exchange' | 'closing', requestNumber: number, exchange: Exchange, again: boolean): Step {
  const { session, nextSequence: sequence, window } = state
  return {
    state: { phase, session, nextSequence: sequenceAfter(sequence, session.stride), requestNumber, window, exchange },
    effects: [{ do: 'seal', session, sequence, message: exchange.message, again }],
  }
}

/** An exchange when time has passed: repeats with the same request number, or ends unanswered. */
export function exchangeTick(state: Exchanging, now: number): Step {
  const { exchange } = state
  if (now >= exchange.endsAt) return ended(state, state.phase === 'closing' ? { do: 'closed', known: false } : { do: 'unanswered' })
  if (now < exchange.nextAt) return { state, effects: [] }
  const tries = exchange.tries + 1
  const nextAt = now + gapAfter(tries, state.session.retransmitMs)
  return sealed(state, state.phase, state.requestNumber, { ...exchange, tries, nextAt }, true)
}

/** When an exchange has to be stepped next. */
export function exchangeAlarm({ exchange }: Exchanging): number {
  return Math.min(exchange.nextAt, exchange.endsAt)
}

/** Nobody waits for the answer any more: it will find another request number. */
export function forgotten(state: Exchanging): Step {
  return { state: ready(state), effects: [] }
}

/** Takes a packet of the session. Code first, then sequence, then the message, then whether it answers the request that is under way. */
export function sessionArrived(state: Ready | Exchanging, packet: SessionPacket): Step {
  if (packet.sessionId !== state.session.consoleId) return dropped(state, 'foreign')
  let message: Buffer
  try {
    message = unseal(packet, state.session.suite, state.session.keys)
  } catch (error) {
    return dropped(state, dropReason(error))
  }
  const { accepted, window } = accept(state.window, packet.sequence)
  if (!accepted) return dropped(state, 'replayed')
  const seen = { ...state, window }
  let response: Response
  try {
    response = decodeResponse(message, { checkSums: state.session.checkSums })
  } catch (error) {
    return dropped(seen, dropReason(error))
  }
  if (seen.phase === 'ready' || !answers(seen, response)) return dropped(seen, 'unmatched')
  if (seen.phase === 'exchange') return ended(seen, { do: 'answered', response })
  return ended(seen, { do: 'closed', known: response.completion === OK || response.completion === NO_SUCH_SESSION })
}

function answers({ exchange, requestNumber }: Exchanging, response: Response): boolean {
  return response.netFn === exchange.netFn + 1 && response.sequence === requestNumber && response.command === exchange.command
}

function ended(state: Exchanging, effect: SessionEffect): Step {
  return { state: effect.do === 'closed' ? { phase: 'closed' } : ready(state), effects: [effect] }
}

function ready({ session, nextSequence, requestNumber, window }: Counters): Ready {
  return { phase: 'ready', session, nextSequence, requestNumber, window }
}

function dropped(state: SessionState, why: DropReason): Step {
  return { state, effects: [{ do: 'dropped', why }] }
}

/** Damage found by the decoders, by where it was found. Anything else is a mistake of ours and goes up. */
function dropReason(error: unknown): DropReason {
  if (!(error instanceof FrameError)) throw error
  if (error.reason === 'bad_code') return 'bad_code'
  return error.reason === 'unauthenticated' || error.reason === 'unencrypted' ? 'unprotected' : 'damaged'
}

function bmcIdBytes(session: Session): Buffer {
  const data = Buffer.allocUnsafe(4)
  data.writeUInt32LE(session.bmcId)
  return data
}
