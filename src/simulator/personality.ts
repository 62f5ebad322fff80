import type { PowerOperation } from './power.ts'
import type { Random } from './random.ts'

/** JSON as a BMC sends it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined }
/** A JSON object; members that are undefined are not sent. */
export interface JsonObject {
  [key: string]: Json | undefined
}

/** The DMTF ResetType values that we have seen BMCs offer (`Off`: HPE Cray EX only). */
export type ResetType =
  | 'On'
  | 'Off'
  | 'ForceOff'
  | 'ForceOn'
  | 'ForceRestart'
  | 'GracefulRestart'
  | 'GracefulShutdown'
  | 'PushPowerButton'
  | 'Nmi'
  | 'PowerCycle'

/** What each ResetType does to the machine; `button` depends on the state, `none` leaves the power alone. */
export const RESET_OPERATIONS: Record<ResetType, PowerOperation | 'button' | 'none'> = {
  On: 'on',
  ForceOn: 'on',
  Off: 'softOff',
  ForceOff: 'off',
  GracefulShutdown: 'softOff',
  ForceRestart: 'reset',
  GracefulRestart: 'reset',
  PushPowerButton: 'button',
  PowerCycle: 'cycle',
  Nmi: 'none',
}

/**
 * How a BMC answers an action: a bare status; an error body with a message of a registry (also under 200, as HPE does);
 * or 202 with a task.
 */
export type ActionAnswer =
  | { readonly kind: 'empty'; readonly status: 200 | 204 }
  | { readonly kind: 'message'; readonly status: number; readonly messageId: string; readonly message: string }
  | { readonly kind: 'task' }

/**
 * How a System shows its UUID: `random` lower case; `upper` in capitals; `service-tag` as Dell builds it, from the serial number;
 * `mac` zeros and a MAC address (Supermicro); `null` as a JSON null; `absent` not at all.
 */
export type UuidRule = 'random' | 'upper' | 'service-tag' | 'mac' | 'null' | 'absent'

/** One ComputerSystem of a BMC. */
export interface SystemSpec {
  readonly id: string
  readonly chassisId: string
  readonly uuid: UuidRule
  /** See `Random.pattern`. Systems of one BMC with the same pattern share one serial number; null: none shown. */
  readonly serial: string | null
  /** Where the AllowableValues are: in the action, in an ActionInfo, in both, or there is no Reset action at all. */
  readonly reset: 'inline' | 'actionInfo' | 'both' | 'none'
  /** False for a board that never goes off and is nobody's node (HGX). */
  readonly isNode: boolean
  /** Whether the System links its Chassis. */
  readonly linksChassis: boolean
  /** What stands in the System beside what the simulator itself fills in. */
  readonly body: JsonObject
}

/** What the numbers of a Chassis look like. */
export interface ChassisSpec {
  readonly type: string
  /** Whether Chassis.PowerState is there and follows the machine. */
  readonly powerState: boolean
  /** Watts when on and when off; null where the BMC has no PowerControl. */
  readonly watts: { readonly on: number; readonly off: number } | null
}

/** All that makes one vendor's BMC different from another's. Data only. */
export interface Personality {
  readonly name: string
  /** ServiceRoot.Vendor; null leaves it out, as old services do. */
  readonly vendor: string | null
  readonly product: string | null
  readonly redfishVersion: string
  /** Registry and version in front of the message keys of its error bodies. */
  readonly registry: string
  /** The key under Oem, if the vendor has one. */
  readonly oem: string | null
  readonly manufacturer: string | null
  readonly model: string | null
  readonly managerId: string
  readonly managerModel: string
  readonly firmware: string
  /** `@odata.id` of the service root: most write it without the last slash. */
  readonly rootId: '/redfish/v1' | '/redfish/v1/'
  readonly serviceUuid: boolean
  readonly selectQuery: boolean
  /** Kind of ETag on resources. */
  readonly etag: 'none' | 'weak' | 'strong'
  readonly systems: readonly SystemSpec[]
  readonly chassis: ChassisSpec
  readonly resetTypes: readonly ResetType[]
  /** `@Redfish.OperationApplyTimeSupport` on the Reset action (AMI). */
  readonly applyTimeSupport: boolean
  /** What PowerState says while the machine is on its way. */
  readonly whilePoweringOff: 'On' | 'PoweringOff'
  readonly whilePoweringOn: 'On' | 'Off' | 'PoweringOn'
  readonly bootProgress: false | { readonly on: string; readonly off: string }
  readonly powerRestorePolicy: 'AlwaysOn' | 'AlwaysOff' | 'LastState' | null
  /** Whether LastResetTime is given; OpenBMC's stays at 1970. */
  readonly lastResetTime: 'none' | 'true' | 'epoch'
  readonly answers: {
    readonly accepted: ActionAnswer
    readonly alreadyOff: ActionAnswer
    readonly alreadyOn: ActionAnswer
    readonly wrongState: ActionAnswer
  }
  readonly sessions: {
    readonly timeoutSeconds: number
    readonly limit: number
    /** The status for a token that is no longer good. */
    readonly lostStatus: 401 | 403
    readonly exhausted: { readonly status: number; readonly messageId: string; readonly message: string }
  }
}

/** The identity of one simulated System: what is on its label, and what its BMC says. */
export interface SystemIdentity {
  /** What the operating system sees (dmidecode): lower case, never empty. */
  readonly systemUuid: string
  /** What the BMC says; null as JSON null, undefined not at all. */
  readonly uuid: string | null | undefined
  readonly serial: string | null
}

/** Draws the identities of the Systems of one BMC, in the order of its personality. */
export function drawIdentities(personality: Personality, random: Random): SystemIdentity[] {
  const serials = new Map<string, string>()
  return personality.systems.map(spec => {
    const serial = spec.serial === null ? null : (serials.get(spec.serial) ?? random.pattern(spec.serial))
    if (spec.serial !== null && serial !== null) serials.set(spec.serial, serial)
    return { ...drawUuid(spec.uuid, random), serial }
  })
}

function drawUuid(rule: UuidRule, random: Random): Pick<SystemIdentity, 'systemUuid' | 'uuid'> {
  const systemUuid = random.uuid()
  switch (rule) {
    case 'random':
      return { systemUuid, uuid: systemUuid }
    case 'upper':
      return { systemUuid, uuid: systemUuid.toUpperCase() }
    case 'service-tag': {
      // Dell spells "DELL" and the service tag in ASCII; ours are not real, so the digits after "DELL" are drawn.
      const spelled = `4c4c4544-00${random.hex(2)}-${random.hex(4)}-80${random.hex(2)}-c${random.hex(11)}`
      return { systemUuid: spelled, uuid: spelled }
    }
    case 'mac':
      return { systemUuid, uuid: `00000000-0000-0000-0000-7CC255${random.hex(6).toUpperCase()}` }
    case 'null':
      return { systemUuid, uuid: null }
    case 'absent':
      return { systemUuid, uuid: undefined }
  }
}
