import type { CipherSuite, Command, Power, RestorePolicy } from './power.ts'

/** What identifies a piece of hardware, as its own controller tells it. Compared case-insensitively; see `fencing/identity.ts`. */
export interface Hardware {
  uuid?: string
  /** The GUID of an IPMI session (RAKP2) as 32 hexadecimal digits in the order of the wire: firmware disagrees about the byte order, so `uuid` is only the likeliest reading. */
  guid?: string
  serial?: string
  manufacturer?: string
  model?: string
  /** The controller's own path or id of the system, e.g. `/redfish/v1/Systems/1`: tells two nodes of one blade apart. */
  system?: string
}

/** A second source about the same power, read in the same exchange (S11). */
export interface Witness {
  source: string
  power: Power
  raw: string
}

/**
 * What a machine drew while it read on, right before a command: what its watts are compared with once it reads off (S11). A job keeps it, for the process
 * that takes the job over.
 */
export interface RunningDraw {
  /** The machine as its driver knows it, e.g. by its GUID: nothing is said about another. */
  machine: string
  watts: number
  /** The device's own time stamp of the reading, s. */
  at: number
}

/** One typed read of a device. `startedAt` and `startedMono` are taken before the request was written: a read is only as fresh as its question. */
export interface Observation {
  device: string
  power: Power
  /** Where it was read, e.g. `redfish /redfish/v1/Systems/1 PowerState`. */
  source: string
  /** The value as it was sent, shortened to 200 characters: `"Off"`, `null`, `(missing)`. */
  raw: string
  hardware: Hardware
  witnesses: Witness[]
  /** True where the service's `Off` is worth nothing without a witness that says off as well (OpenBMC, S11). */
  witnessRequired: boolean
  /** The `SessionTicket.id` of the log-in that it was read over: what a command's session is compared with. */
  session: string
  /** SHA-256 of the certificate that it was read under, where TLS is used: what a pin without a fingerprint keeps. */
  fingerprint?: string
  /** The IPMI cipher suite that it was read under, where IPMI is used: what the device keeps, so that it never goes down unseen. */
  cipherSuite?: CipherSuite
  /**
   * What the machine does when mains power returns, where the same answer tells it; null where it has no such setting. What a hold changes is kept
   * from here, before it is changed (S7). Absent: the driver did not see it.
   */
  restorePolicy?: RestorePolicy | null
  startedAt: number
  startedMono: number
  endedAt: number
  endedMono: number
}

/** The reply to a power command. It decides nothing: the next read does. */
export type CommandReply =
  | { kind: 'answered'; accepted: boolean; raw: string; retryAfterMs?: number }
  /** May or may not have been carried out: time-out, reset or abort after bytes may have left. */
  | { kind: 'unanswered'; raw: string }
  /** Provably nothing was written. */
  | { kind: 'unsent'; raw: string }

/** One line of a job's evidence, as the API shows it. */
export interface EvidenceItem {
  at: string
  device: string
  kind: 'read' | 'command'
  source: string
  raw: string
  power?: Power
  /** Only on commands. */
  command?: Command
  /** Whether this read counted towards the verdict. */
  counted?: boolean
}
