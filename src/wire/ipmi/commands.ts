import type { RestorePolicy } from '../../core/power.ts'
import * as capabilities from './capabilities.ts'
import * as chassis from './chassis.ts'
import { type CommandSpec, NOTHING, nothing, type Privilege } from './command.ts'
import * as controller from './controller.ts'
import * as rights from './rights.ts'

/** Network functions of requests (table 5-1). */
const CHASSIS = 0x00
const APPLICATION = 0x06
const GROUP = 0x2c

const none = (): Buffer => NOTHING

/** What is said in the table below: which arguments a command takes and what it answers. */
interface Commands {
  chassisStatus: CommandSpec<void, chassis.ChassisStatus>
  chassisControl: CommandSpec<{ action: chassis.ChassisAction }, void>
  setRestorePolicy: CommandSpec<{ policy: chassis.PolicyChange }, { supported: RestorePolicy[] }>
  restartCause: CommandSpec<void, controller.RestartCause>
  deviceId: CommandSpec<void, controller.DeviceId>
  deviceGuid: CommandSpec<void, controller.GuidReply>
  systemGuid: CommandSpec<void, controller.GuidReply>
  setSessionPrivilege: CommandSpec<{ privilege: Privilege }, { privilege: Privilege }>
  closeSession: CommandSpec<{ sessionId: number }, void>
  sessionInfo: CommandSpec<void, rights.SessionInfo>
  dcmiPower: CommandSpec<void, controller.PowerReading>
  authCapabilities: CommandSpec<capabilities.AuthCapabilitiesArgs, capabilities.AuthCapabilities>
  cipherSuites: CommandSpec<{ index: number }, capabilities.CipherSuitePage>
}

/**
 * Every command that is spoken, and no other: one entry is one command with its place in the specification, the privilege it needs and its layout in both
 * directions. There is no cycle, no reset and no soft shutdown: a reboot is off, confirmed, then on.
 */
export const COMMANDS: Readonly<Commands> = {
  chassisStatus: {
    name: 'Get Chassis Status',
    netFn: CHASSIS,
    command: 0x01,
    privilege: 'user',
    section: '28.2',
    encode: none,
    decodeArgs: nothing,
    decode: chassis.decodeChassisStatus,
    encodeReply: chassis.encodeChassisStatus,
  },
  chassisControl: {
    name: 'Chassis Control',
    netFn: CHASSIS,
    command: 0x02,
    privilege: 'operator',
    section: '28.3',
    completions: new Map([[0x80, { name: 'not supported in present state', handling: 'state' }]]),
    encode: ({ action }) => chassis.encodeChassisAction(action),
    decodeArgs: data => ({ action: chassis.decodeChassisAction(data) }),
    decode: nothing,
    encodeReply: none,
  },
  setRestorePolicy: {
    name: 'Set Power Restore Policy',
    netFn: CHASSIS,
    command: 0x06,
    privilege: 'operator',
    section: '28.8',
    encode: ({ policy }) => chassis.encodePolicyChange(policy),
    decodeArgs: data => ({ policy: chassis.decodePolicyChange(data) }),
    decode: data => ({ supported: chassis.decodePolicies(data) }),
    encodeReply: ({ supported }) => chassis.encodePolicies(supported),
  },
  restartCause: {
    name: 'Get System Restart Cause',
    netFn: CHASSIS,
    command: 0x07,
    privilege: 'user',
    section: '28.11',
    encode: none,
    decodeArgs: nothing,
    decode: controller.decodeRestartCause,
    encodeReply: controller.encodeRestartCause,
  },
  deviceId: {
    name: 'Get Device ID',
    netFn: APPLICATION,
    command: 0x01,
    privilege: 'user',
    section: '20.1',
    encode: none,
    decodeArgs: nothing,
    decode: controller.decodeDeviceId,
    encodeReply: controller.encodeDeviceId,
  },
  deviceGuid: {
    name: 'Get Device GUID',
    netFn: APPLICATION,
    command: 0x08,
    privilege: 'user',
    section: '20.8',
    encode: none,
    decodeArgs: nothing,
    decode: controller.decodeGuid,
    encodeReply: controller.encodeGuid,
  },
  systemGuid: {
    name: 'Get System GUID',
    netFn: APPLICATION,
    command: 0x37,
    privilege: 'user',
    sessionless: true,
    section: '22.14',
    encode: none,
    decodeArgs: nothing,
    decode: controller.decodeGuid,
    encodeReply: controller.encodeGuid,
  },
  setSessionPrivilege: {
    name: 'Set Session Privilege Level',
    netFn: APPLICATION,
    command: 0x3b,
    privilege: 'user',
    section: '22.18',
    completions: new Map([
      [0x80, { name: 'the user has no such privilege', handling: 'privilege' }],
      [0x81, { name: 'beyond the limit of user or channel', handling: 'privilege' }],
      [0x82, { name: 'user level authentication can not be switched off', handling: 'refused' }],
    ]),
    encode: rights.encodePrivilege,
    decodeArgs: rights.decodePrivilege,
    decode: rights.decodePrivilege,
    encodeReply: rights.encodePrivilege,
  },
  closeSession: {
    name: 'Close Session',
    netFn: APPLICATION,
    command: 0x3c,
    privilege: 'user',
    section: '22.19',
    completions: new Map([
      [0x87, { name: 'no such session id', handling: 'refused' }],
      [0x88, { name: 'no such session handle', handling: 'refused' }],
    ]),
    encode: rights.encodeSessionId,
    decodeArgs: rights.decodeSessionId,
    decode: nothing,
    encodeReply: none,
  },
  sessionInfo: {
    name: 'Get Session Info',
    netFn: APPLICATION,
    command: 0x3d,
    privilege: 'user',
    section: '22.20',
    encode: rights.encodeInfoArgs,
    decodeArgs: rights.decodeInfoArgs,
    decode: rights.decodeSessionInfo,
    encodeReply: rights.encodeSessionInfo,
  },
  dcmiPower: {
    name: 'DCMI Get Power Reading',
    netFn: GROUP,
    command: 0x02,
    privilege: 'user',
    section: 'DCMI 6.6.1',
    encode: controller.encodePowerArgs,
    decodeArgs: controller.decodePowerArgs,
    decode: controller.decodePowerReading,
    encodeReply: controller.encodePowerReading,
  },
  authCapabilities: {
    name: 'Get Channel Authentication Capabilities',
    netFn: APPLICATION,
    command: 0x38,
    privilege: 'user',
    sessionless: true,
    section: '22.13',
    encode: capabilities.encodeCapabilitiesArgs,
    decodeArgs: capabilities.decodeCapabilitiesArgs,
    decode: capabilities.decodeCapabilities,
    encodeReply: capabilities.encodeCapabilities,
  },
  cipherSuites: {
    name: 'Get Channel Cipher Suites',
    netFn: APPLICATION,
    command: 0x54,
    privilege: 'user',
    sessionless: true,
    section: '22.15',
    encode: capabilities.encodePageArgs,
    decodeArgs: capabilities.decodePageArgs,
    decode: capabilities.decodePage,
    encodeReply: capabilities.encodePage,
  },
}
