import type { CipherSuite } from '../../core/power.ts'
import type { IpmiQuirk } from '../../core/topology.ts'
import type { IpmiFacts, IpmiReason } from './failure.ts'
import type { Response } from './message.ts'
import type { SessionKeys } from './rakp.ts'
import type { Packet } from './rmcp.ts'
import type { Suite } from './suites.ts'
import type { SequenceWindow } from './window.ts'

/** What a log-in goes by. Lives in the states of the handshake only: an established session holds no password. */
export interface LogIn {
  user: Buffer
  password: Buffer
  /** The BMC key, where the BMC has one; else the password takes its place (§13.31). */
  kg: Buffer | undefined
  /** 2 user, 3 operator, 4 administrator: the same in Open Session and RAKP1, which cures the `opensesspriv` class of BMCs without a flag. */
  privilege: number
  suite: 'auto' | CipherSuite
  /** The best suite that ever worked with this BMC: `auto` never goes below. */
  provenSuite: CipherSuite | undefined
  quirks: ReadonlySet<IpmiQuirk>
  /** Limit of the whole log-in, in ms. */
  exchangeMs: number
  /** Within this a BMC must have shown a sign of itself, in ms. */
  connectMs: number
  retransmitMs: number
  /** After so many handshakes that fail as a wrong password makes them the log-in is given up; default, and at most, two. */
  maxBadLogIns?: number
}

/** What the handshakes of one log-in have shown so far. Nothing of a handshake is authenticated, so no single refusal decides (reference, §3.7). */
export interface Trial {
  /** Proposed next. */
  suite: CipherSuite
  startedAt: number
  /** Whether anything came that can only be an answer to us. */
  answered: boolean
  handshakes: number
  /** Handshakes that failed as a wrong password would make them: two are the end, there is no third. */
  badLogIns: number
  /** Handshakes in which this suite was refused, or another chosen. */
  refusals: number
  /** Suites refused for good. */
  refused: readonly CipherSuite[]
  /** Answers in a row that say that no session is free. */
  shortages: number
  /** The last status other than 0. */
  status?: number
}

/** What must be new in every handshake, so that no answer to an earlier one fits. */
export interface Entropy {
  /** One byte. */
  tag: number
  /** Our session id: 32 bits, never 0. */
  consoleId: number
  /** 16 bytes. */
  random: Buffer
}

/** A packet of the handshake that waits for its answer. */
export interface Sent {
  bytes: Buffer
  tries: number
  nextAt: number
}

interface Handshake {
  logIn: LogIn
  trial: Trial
  entropy: Entropy
  sent: Sent
}

/** What the BMC added to the handshake in RAKP2, already authenticated, and what follows from it. */
export interface Agreement {
  session: Session
  /** RAKP4's code as it must be. */
  icv: Buffer
}

/** One established session: what does not change while it lives. */
export interface Session {
  consoleId: number
  bmcId: number
  suite: Suite
  keys: SessionKeys
  /** The BMC's GUID as it came in RAKP2, under its code: the machine's identity in every session (S9). */
  guid: Buffer
  /** False: the two checksums inside are not looked at (a quirk); the code over the whole packet always is. */
  checkSums: boolean
  retransmitMs: number
  /** By how much our sequence number grows with each packet: 1, and more only where another process may have sent we don't know how many (`adopt`). */
  stride: number
}

/** What changes with every packet of an established session. */
export interface Counters {
  session: Session
  /** The number of our next packet: 1 first, never 0, a new one for each repetition. */
  nextSequence: number
  /** The number of the last request: six bits. */
  requestNumber: number
  window: SequenceWindow
}

/** A request that waits for its answer. */
export interface Exchange {
  netFn: number
  command: number
  message: Buffer
  tries: number
  /** Infinity where the request is sent once and never again. */
  nextAt: number
  endsAt: number
}

/** Everything a session can be. Times are those of the events' `now`: monotonic ms. */
export type SessionState =
  | { phase: 'idle' }
  | ({ phase: 'open' } & Handshake)
  | ({ phase: 'rakp2'; bmcId: number } & Handshake)
  | ({ phase: 'rakp4'; agreement: Agreement } & Handshake)
  | { phase: 'rest'; logIn: LogIn; trial: Trial; until: number }
  | ({ phase: 'ready' } & Counters)
  | ({ phase: 'exchange'; exchange: Exchange } & Counters)
  | ({ phase: 'closing'; exchange: Exchange } & Counters)
  | { phase: 'closed' }
  | { phase: 'failed' }

/** A request to be made: at most one at a time. */
export interface Request {
  netFn: number
  command: number
  data: Buffer
  /** How long an answer is waited for, in ms. */
  limitMs: number
  /** Sent once, never again, whatever happens: power commands (S3). */
  once: boolean
}

/** What a session is told. */
export type SessionEvent =
  | { kind: 'open'; now: number; logIn: LogIn; entropy: Entropy }
  /** The answer to `fresh`. */
  | { kind: 'entropy'; now: number; entropy: Entropy }
  /** From the exact address and port of the BMC: the caller sees to that. */
  | { kind: 'packet'; now: number; packet: Packet }
  | { kind: 'tick'; now: number }
  | { kind: 'request'; now: number; request: Request }
  /** Nobody waits for the answer to the request any more. */
  | { kind: 'forget'; now: number }
  /** `confirmed`: the answer is waited for, for `limitMs`. */
  | { kind: 'close'; now: number; confirmed: boolean; limitMs: number }

/** Why a log-in ended. */
export interface Failure {
  reason: IpmiReason
  message: string
  facts: IpmiFacts
}

/** Why a packet was not taken: for counters and tests. */
export type DropReason = 'foreign' | 'damaged' | 'unprotected' | 'bad_code' | 'replayed' | 'unmatched' | 'unexpected'

/** What a session wants done. */
export type SessionEffect =
  | { do: 'send'; bytes: Buffer }
  /** Sign, encrypt with a new IV, and send. `again`: a repetition. */
  | { do: 'seal'; session: Session; sequence: number; message: Buffer; again: boolean }
  /** Step with `entropy` next. */
  | { do: 'fresh' }
  | { do: 'ready'; session: Session }
  | { do: 'failed'; failure: Failure }
  | { do: 'answered'; response: Response }
  | { do: 'unanswered' }
  /** `known`: the BMC said that the session is closed, or that it knows none such. */
  | { do: 'closed'; known: boolean }
  | { do: 'dropped'; why: DropReason }

/** The outcome of one step. */
export interface Step {
  state: SessionState
  effects: readonly SessionEffect[]
}
