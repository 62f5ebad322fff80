/** What was wrong with a packet or a part of one. A packet that is dropped says nothing about power; the reason is for counters and tests. */
export type FrameReason =
  // Lengths: fewer or more bytes than the layout has.
  | 'short'
  | 'long'
  // RMCP header and session wrapper (§13.1.3, §13.6).
  | 'not_rmcp'
  | 'acknowledgement'
  | 'message_class'
  | 'asf'
  | 'auth_type'
  | 'payload_type'
  | 'not_sessionless'
  // In-session protection (§13.28).
  | 'unauthenticated'
  | 'unencrypted'
  | 'bad_code'
  | 'bad_trailer'
  | 'bad_padding'
  // The message inside (§13.8).
  | 'checksum'
  | 'addresses'
  | 'net_function'
  // A value that the layout does not have at its place.
  | 'field'

/** A packet that is not what it should be. The only thing that decoders of this room throw, whatever bytes they are given. */
export class FrameError extends Error {
  readonly reason: FrameReason

  constructor(reason: FrameReason, message: string) {
    super(message)
    this.name = 'FrameError'
    this.reason = reason
  }
}

/** Why an exchange with a BMC failed. None of these is ever a statement about power. */
export type IpmiReason =
  | 'bad_address'
  // Getting there.
  | 'unreachable'
  | 'exchange_timeout'
  | 'socket'
  // Ended from our side.
  | 'aborted'
  | 'closed'
  // Logging in.
  | 'auth_failed'
  | 'bad_credential'
  | 'privilege'
  | 'suite_refused'
  | 'suite_downgrade'
  | 'session_limit'
  // Another machine than the one that is meant: its log-in proves another GUID.
  | 'other_machine'
  // What the BMC said.
  | 'busy'
  | 'completion'
  | 'bad_answer'

/** Facts that go with a failure; none of them may be a secret (no packets, no keys, no names of users). */
export interface IpmiFacts {
  /** The RMCP+ status code of a refused handshake (`status.ts`). */
  status?: number
  /** The completion code of a refused command (`completion.ts`). */
  completion?: number
  /** How long to wait before asking again, where that is known. */
  retryAfterMs?: number
  /** How many failed log-ins at the BMC this stands for: the breaker counts them. */
  logIns?: number
}

/** The one error that the session and the client of this room throw. It holds no packet and no key. */
export class IpmiError extends Error {
  readonly reason: IpmiReason
  readonly facts: IpmiFacts

  constructor(reason: IpmiReason, message: string, facts: IpmiFacts = {}) {
    super(message)
    this.name = 'IpmiError'
    this.reason = reason
    this.facts = facts
  }
}
