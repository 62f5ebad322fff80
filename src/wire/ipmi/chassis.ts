import type { RestorePolicy } from '../../core/power.ts'
import { whole } from './command.ts'
import { FrameError } from './failure.ts'

/** Get Chassis Status (§28.2): whether the power is on, and what happened to it. */
export interface ChassisStatus {
  /** The one bit that counts. */
  on: boolean
  /** What the machine does when mains power returns. */
  restorePolicy: RestorePolicy | 'unknown'
  overload: boolean
  interlock: boolean
  fault: boolean
  controlFault: boolean
  /** Why the power changed last; several can be set. */
  lastEvent: { mainsFailed: boolean; overload: boolean; interlock: boolean; fault: boolean; onByCommand: boolean }
  intrusion: boolean
  frontPanelLockout: boolean
  driveFault: boolean
  fanFault: boolean
  /** The front panel's buttons as the fourth byte has them; absent where a BMC sends three (ipmi_sim and go-ipmi do). */
  frontPanel?: number
}

const POLICIES = ['off', 'previous', 'on', 'unknown'] as const
const POLICY_NAMES = ['off', 'previous', 'on'] as const satisfies readonly RestorePolicy[]

/** Get Chassis Status's data: 3 bytes, or 4. */
export function decodeChassisStatus(data: Buffer): ChassisStatus {
  return whole(data, reader => {
    const power = reader.u8()
    const last = reader.u8()
    const misc = reader.u8()
    return {
      on: bit(power, 0),
      restorePolicy: POLICIES[(power >> 5) & 3] ?? 'unknown',
      overload: bit(power, 1),
      interlock: bit(power, 2),
      fault: bit(power, 3),
      controlFault: bit(power, 4),
      lastEvent: {
        mainsFailed: bit(last, 0),
        overload: bit(last, 1),
        interlock: bit(last, 2),
        fault: bit(last, 3),
        onByCommand: bit(last, 4),
      },
      intrusion: bit(misc, 0),
      frontPanelLockout: bit(misc, 1),
      driveFault: bit(misc, 2),
      fanFault: bit(misc, 3),
      ...(reader.left > 0 ? { frontPanel: reader.u8() } : {}),
    }
  })
}

/** The other direction, for a BMC. Identify is not offered, so its bits are 0. */
export function encodeChassisStatus(status: ChassisStatus): Buffer {
  const { lastEvent } = status
  const power = bits(status.on, status.overload, status.interlock, status.fault, status.controlFault)
  const last = bits(lastEvent.mainsFailed, lastEvent.overload, lastEvent.interlock, lastEvent.fault, lastEvent.onByCommand)
  const misc = bits(status.intrusion, status.frontPanelLockout, status.driveFault, status.fanFault)
  const bytes = [power | (POLICIES.indexOf(status.restorePolicy) << 5), last, misc]
  return Buffer.from(status.frontPanel === undefined ? bytes : [...bytes, status.frontPanel])
}

/** Chassis Control (§28.3), and all that is sent of it: hard off and on. Cycle and reset would hide whether the node was ever off; soft asks the node. */
export type ChassisAction = 'down' | 'up'

/** One byte: 0 down, 1 up. */
export function encodeChassisAction(action: ChassisAction): Buffer {
  return Buffer.from([action === 'up' ? 1 : 0])
}

/** Throws FrameError `field` for cycle, reset, pulse and soft (2 to 5) and everything else. */
export function decodeChassisAction(data: Buffer): ChassisAction {
  const action = whole(data, reader => reader.u8())
  if (action > 1) throw new FrameError('field', `chassis action ${action}`)
  return action === 1 ? 'up' : 'down'
}

/** Set Power Restore Policy (§28.8); `unchanged` only asks what is supported. */
export type PolicyChange = RestorePolicy | 'unchanged'

const CHANGES: readonly PolicyChange[] = [...POLICY_NAMES, 'unchanged']

/** One byte: 0 off, 1 previous, 2 on, 3 unchanged. */
export function encodePolicyChange(policy: PolicyChange): Buffer {
  return Buffer.from([CHANGES.indexOf(policy)])
}

/** Throws FrameError `field` for other policies; reserved bits are not looked at. */
export function decodePolicyChange(data: Buffer): PolicyChange {
  return CHANGES[whole(data, reader => reader.u8()) & 7] ?? refusePolicy()
}

/** One byte with a bit for each policy that the machine can be set to. */
export function decodePolicies(data: Buffer): RestorePolicy[] {
  const mask = whole(data, reader => reader.u8())
  return POLICY_NAMES.filter((_, index) => bit(mask, index))
}

/** The other direction, for a BMC. */
export function encodePolicies(policies: readonly RestorePolicy[]): Buffer {
  return Buffer.from([bits(...POLICY_NAMES.map(policy => policies.includes(policy)))])
}

function refusePolicy(): never {
  throw new FrameError('field', 'no such restore policy')
}

function bit(byte: number, index: number): boolean {
  return ((byte >> index) & 1) === 1
}

function bits(...flags: boolean[]): number {
  return flags.reduce((byte, flag, index) => (flag ? byte | (1 << index) : byte), 0)
}
