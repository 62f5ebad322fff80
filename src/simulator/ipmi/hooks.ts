import type { Algorithms } from '../../wire/ipmi/suites.ts'
import type { PowerState } from '../power.ts'
import type { Draft } from './draft.ts'
import type { IpmiSession } from './sessions.ts'
import type { IpmiSide, ReceivedControl } from './side.ts'

/** One datagram on its way. `late`: milliseconds until it goes on. */
export interface Datagram {
  readonly bytes: Buffer
  readonly late: number
  /** An answer leaves by the BMC's own port, or by another one. */
  readonly port: 'own' | 'other'
  /** An answer is kept until so many further answers have left. */
  readonly behind: number
}

/** What travels for one packet: a fault may take it away, change it, or add to it. */
export interface Flight {
  readonly side: IpmiSide
  readonly direction: 'in' | 'out'
  /** Which exchange it belongs to: `ping`, `open`, `rakp1`, `rakp3`, a command of `COMMANDS`, or `other`. Answers bear the name of their request. */
  readonly packet: string
  datagrams: readonly Datagram[]
}

/**
 * What old firmware does differently in a log-in. `pad-user-16`: names have 16 bytes in all hashes. `no-name-only-lookup`: hashes leave out that bit of the role byte
 * (both Intel SE7520AF2). `rakp2-slack`: a byte too many behind RAKP2's code (Supermicro H8QME, Sun ILOM).
 */
export type FirmwareQuirk = 'pad-user-16' | 'no-name-only-lookup' | 'rakp2-slack'

/** How a step of the handshake is answered. */
export interface SetupPlan {
  readonly side: IpmiSide
  readonly packet: 'open' | 'rakp1' | 'rakp3'
  /** A status that refuses it. */
  status: number | undefined
  /** The refusal has only tag and status, as ipmi_sim's. */
  isBare: boolean
  /** What an Open Session Response claims to have chosen; undefined: what was asked for. */
  chosen: Algorithms | undefined
  acceptSuite0: boolean
  /** The BMC computes with another password than the account's. */
  wrongPassword: boolean
  /** An oddity of old firmware; see `FirmwareQuirk`. */
  quirk: FirmwareQuirk | undefined
}

/** How a command is carried out and answered. */
export interface CommandPlan {
  readonly side: IpmiSide
  readonly packet: string
  readonly session: IpmiSession | undefined
  /** Replaces the completion code of the answer. */
  completion: number | undefined
  /** False: nothing is done. */
  execute: boolean
  answered: boolean
  /** Sessions that are lost with it: its own, or all, as in a reset of the BMC. */
  loses: 'none' | 'own' | 'all'
  /** For so long the BMC is deaf afterwards. */
  deafMs: number
  /** A power command's entry in the log; its completion code is written when it is settled. */
  entry: ReceivedControl | undefined
}

/** DCMI's reading (DCMI 1.5, §6.6.1). */
export interface PowerReading {
  watts: number
  /** Seconds since 1970. */
  timestamp: number
  measuring: boolean
}

/** What a reading of power says: the truth, unless a fault changes it. */
export interface IpmiView {
  on: boolean
  /** Undefined: no DCMI (C1h). */
  reading: PowerReading | undefined
  readonly trueState: PowerState
}

/** The places where a fault acts on the IPMI side. A hook answers true where it did something; only that is counted. */
export interface IpmiHooks<P> {
  flight?(flight: Flight, parameters: P): boolean
  setup?(plan: SetupPlan, parameters: P): boolean
  command?(plan: CommandPlan, parameters: P): boolean
  read?(view: IpmiView, parameters: P, packet: string): boolean
  /** The answer is settled; its protection is not made yet. */
  draft?(draft: Draft, parameters: P, side: IpmiSide): boolean
}
