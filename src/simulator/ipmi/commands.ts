import type { Request } from '../../wire/ipmi/message.ts'
import * as application from './application.ts'
import * as chassis from './chassis.ts'
import type { CommandPlan } from './hooks.ts'
import { PRIVILEGES } from './options.ts'
import type { IpmiSession } from './sessions.ts'
import type { IpmiSide } from './side.ts'

/** A command that a BMC is busy with. */
export interface Call {
  readonly side: IpmiSide
  readonly request: Request
  /** Undefined outside of any. */
  readonly session: IpmiSession | undefined
  /** The session sequence number of its packet. */
  readonly sequence: number
  readonly plan: CommandPlan
}

/** A completion code, and the data behind it where there is any. */
export interface Completed {
  readonly completion: number
  readonly data?: Buffer | readonly number[]
}

/** One command of the BMC. `privilege`: the least level; undefined: may be asked without a session. */
export interface CommandHandler {
  readonly packet: string
  readonly privilege: number | undefined
  run(call: Call): Completed
}

const { callback, user, operator, administrator } = PRIVILEGES

/**
 * By network function and command. Bytes are written here as the specification has them and not by the codecs of `wire/ipmi`:
 * an error there must not answer itself.
 */
const HANDLERS = new Map<number, CommandHandler>([
  [0x0001, { packet: 'chassisStatus', privilege: user, run: chassis.status }],
  [0x0002, { packet: 'chassisControl', privilege: operator, run: chassis.control }],
  [0x0006, { packet: 'setRestorePolicy', privilege: operator, run: chassis.setRestorePolicy }],
  [0x0007, { packet: 'restartCause', privilege: user, run: chassis.restartCause }],
  [0x0601, { packet: 'deviceId', privilege: user, run: application.deviceId }],
  [0x0602, { packet: 'coldReset', privilege: administrator, run: application.coldReset }],
  [0x0608, { packet: 'deviceGuid', privilege: user, run: application.deviceGuid }],
  [0x0637, { packet: 'systemGuid', privilege: undefined, run: application.systemGuid }],
  [0x0638, { packet: 'authCapabilities', privilege: undefined, run: application.authCapabilities }],
  [0x063b, { packet: 'setSessionPrivilege', privilege: callback, run: application.setSessionPrivilege }],
  [0x063c, { packet: 'closeSession', privilege: callback, run: application.closeSession }],
  [0x063d, { packet: 'sessionInfo', privilege: user, run: application.sessionInfo }],
  [0x0654, { packet: 'cipherSuites', privilege: undefined, run: application.cipherSuites }],
  [0x2c02, { packet: 'dcmiPower', privilege: user, run: chassis.powerReading }],
])

/** The handler of a request; undefined where the BMC has no such command. */
export function handlerOf({ netFn, command }: Request): CommandHandler | undefined {
  return HANDLERS.get((netFn << 8) | command)
}

/** What a request is called in counters and matchers. */
export function packetOf(request: Request): string {
  return handlerOf(request)?.packet ?? 'other'
}
