import type { JsonObject } from '../personality.ts'
import type { PowerState } from '../power.ts'
import type { Bmc, SimulatedSystem } from './bmc.ts'
import { timestamp } from './tasks.ts'

/** What the power properties say in one answer: the truth as the personality puts it, unless a fault changes it. `undefined` leaves out. */
export interface PowerView {
  system: unknown
  chassis: unknown
  watts: number | null
  /** The truth beneath, for faults that depend on it. */
  readonly trueState: PowerState
}

/** The view of an honest BMC. */
export function powerView(bmc: Bmc, system: SimulatedSystem): PowerView {
  const { personality } = bmc
  const { state } = system.power
  const { watts, powerState } = personality.chassis
  const words: Record<PowerState, string> = {
    on: 'On',
    off: 'Off',
    poweringOff: personality.whilePoweringOff,
    poweringOn: personality.whilePoweringOn,
  }
  return {
    system: words[state],
    // The power rail: it is on until it is off.
    chassis: powerState ? (state === 'off' ? 'Off' : 'On') : undefined,
    watts: watts === null ? null : state === 'off' ? watts.off : watts.on,
    trueState: state,
  }
}

/** The paths of one System and what belongs to it. */
export function systemPaths(system: SimulatedSystem): {
  system: string
  reset: string
  actionInfo: string
  chassis: string
  power: string
} {
  const path = `/redfish/v1/Systems/${system.spec.id}`
  const chassis = `/redfish/v1/Chassis/${system.spec.chassisId}`
  return {
    system: path,
    reset: `${path}/Actions/ComputerSystem.Reset`,
    actionInfo: `${path}/ResetActionInfo`,
    chassis,
    power: `${chassis}/Power`,
  }
}

/** The service root. */
export function serviceRoot(bmc: Bmc): JsonObject {
  const { personality } = bmc
  return {
    '@odata.type': '#ServiceRoot.v1_13_0.ServiceRoot',
    '@odata.id': personality.rootId,
    Id: 'RootService',
    Name: 'Root Service',
    RedfishVersion: personality.redfishVersion,
    Vendor: personality.vendor ?? undefined,
    Product: personality.product ?? undefined,
    UUID: personality.serviceUuid ? bmc.serviceUuid : undefined,
    ProtocolFeaturesSupported: {
      ExcerptQuery: false,
      FilterQuery: false,
      OnlyMemberQuery: false,
      SelectQuery: personality.selectQuery,
      ExpandQuery: { ExpandAll: false, Levels: false, Links: false, NoLinks: false },
    },
    Systems: link('/redfish/v1/Systems'),
    Chassis: link('/redfish/v1/Chassis'),
    Managers: link('/redfish/v1/Managers'),
    SessionService: link('/redfish/v1/SessionService'),
    AccountService: link('/redfish/v1/AccountService'),
    Tasks: link('/redfish/v1/TaskService'),
    Links: { Sessions: link('/redfish/v1/SessionService/Sessions') },
    Oem: personality.oem === null ? undefined : { [personality.oem]: {} },
  }
}

/** A ComputerSystem. */
export function computerSystem(bmc: Bmc, system: SimulatedSystem, view: PowerView): JsonObject {
  const { personality } = bmc
  const { spec, identity, power } = system
  const paths = systemPaths(system)
  const { Links: ownLinks, Oem: ownOem, ...body } = spec.body
  const isUp = power.state === 'on'
  const managed = {
    Chassis: [link(paths.chassis)],
    'Chassis@odata.count': 1,
    ManagedBy: [link(`/redfish/v1/Managers/${personality.managerId}`)],
  }
  const progress = personality.bootProgress
  return {
    '@odata.type': '#ComputerSystem.v1_16_0.ComputerSystem',
    '@odata.id': paths.system,
    Id: spec.id,
    Name: spec.isNode ? 'System' : spec.id,
    Description: 'Computer System',
    SystemType: 'Physical',
    Manufacturer: personality.manufacturer ?? undefined,
    Model: spec.isNode ? (personality.model ?? undefined) : undefined,
    SerialNumber: identity.serial ?? undefined,
    UUID: identity.uuid,
    PowerState: view.system as string,
    PowerRestorePolicy: system.restorePolicy ?? undefined,
    LastResetTime: lastReset(bmc, system),
    BootProgress:
      progress === false || !spec.isNode
        ? undefined
        : { LastState: isUp ? progress.on : progress.off, LastStateTime: timestamp(power.lastResetAt) },
    ...body,
    Links: spec.linksChassis ? { ...managed, ...(ownLinks as JsonObject | undefined) } : undefined,
    Actions: spec.reset === 'none' ? undefined : { '#ComputerSystem.Reset': resetAction(bmc, system) },
    Oem: personality.name === 'hpe' ? withPostState(ownOem as JsonObject, isUp) : ownOem,
  }
}

function lastReset(bmc: Bmc, system: SimulatedSystem): string | undefined {
  const { lastResetTime } = bmc.personality
  if (lastResetTime === 'none') return undefined
  return timestamp(lastResetTime === 'epoch' ? 0 : system.power.lastResetAt)
}

function withPostState(oem: JsonObject, isUp: boolean): JsonObject {
  return { ...oem, Hpe: { ...(oem.Hpe as JsonObject), PostState: isUp ? 'FinishedPost' : 'PowerOff' } }
}

function resetAction(bmc: Bmc, system: SimulatedSystem): JsonObject {
  const { resetTypes, applyTimeSupport } = bmc.personality
  const { reset } = system.spec
  const paths = systemPaths(system)
  return {
    target: paths.reset,
    'ResetType@Redfish.AllowableValues': reset === 'actionInfo' ? undefined : [...resetTypes],
    '@Redfish.ActionInfo': reset === 'inline' ? undefined : paths.actionInfo,
    '@Redfish.OperationApplyTimeSupport': applyTimeSupport
      ? {
          '@odata.type': '#Settings.v1_2_2.OperationApplyTimeSupport',
          MaintenanceWindowDurationInSeconds: 600,
          MaintenanceWindowResource: link(paths.system),
          SupportedValues: ['Immediate', 'AtMaintenanceWindowStart'],
        }
      : undefined,
  }
}

/** The ActionInfo of a Reset action; where the values are inline too, they are here in another order, as with Lenovo. */
export function resetActionInfo(bmc: Bmc, system: SimulatedSystem): JsonObject {
  const { resetTypes } = bmc.personality
  return {
    '@odata.type': '#ActionInfo.v1_1_2.ActionInfo',
    '@odata.id': systemPaths(system).actionInfo,
    Id: 'ResetActionInfo',
    Name: 'Reset Action Info',
    Parameters: [
      {
        Name: 'ResetType',
        Required: true,
        DataType: 'String',
        AllowableValues: system.spec.reset === 'both' ? [...resetTypes].sort() : [...resetTypes],
      },
    ],
  }
}

/** A Chassis. */
export function chassis(bmc: Bmc, system: SimulatedSystem, view: PowerView): JsonObject {
  const { personality } = bmc
  const paths = systemPaths(system)
  return {
    '@odata.type': '#Chassis.v1_16_0.Chassis',
    '@odata.id': paths.chassis,
    Id: system.spec.chassisId,
    Name: 'Computer System Chassis',
    ChassisType: personality.chassis.type,
    Manufacturer: personality.manufacturer ?? undefined,
    Model: personality.model ?? undefined,
    SerialNumber: system.identity.serial ?? undefined,
    PowerState: view.chassis as string | undefined,
    Status: { Health: 'OK', HealthRollup: 'OK', State: 'Enabled' },
    Power: link(paths.power),
    Links: {
      ComputerSystems: [link(paths.system)],
      ManagedBy: [link(`/redfish/v1/Managers/${personality.managerId}`)],
    },
  }
}

/** The Power resource of a Chassis. */
export function chassisPower(system: SimulatedSystem, view: PowerView): JsonObject {
  const { power } = systemPaths(system)
  return {
    '@odata.type': '#Power.v1_7_1.Power',
    '@odata.id': power,
    Id: 'Power',
    Name: 'Power',
    PowerControl:
      view.watts === null
        ? []
        : [
            {
              '@odata.id': `${power}#/PowerControl/0`,
              MemberId: '0',
              Name: 'System Power Control',
              PowerConsumedWatts: view.watts,
              PowerMetrics: {
                AverageConsumedWatts: view.watts,
                IntervalInMin: 1,
                MaxConsumedWatts: view.watts,
                MinConsumedWatts: view.watts,
              },
            },
          ],
  }
}

/** The Manager: the BMC itself. */
export function manager(bmc: Bmc): JsonObject {
  const { personality } = bmc
  return {
    '@odata.type': '#Manager.v1_12_0.Manager',
    '@odata.id': `/redfish/v1/Managers/${personality.managerId}`,
    Id: personality.managerId,
    Name: 'Manager',
    ManagerType: 'BMC',
    Model: personality.managerModel,
    FirmwareVersion: personality.firmware,
    UUID: bmc.serviceUuid,
    ServiceEntryPointUUID: bmc.serviceUuid,
    DateTime: timestamp(bmc.clock.now()),
    DateTimeLocalOffset: '+00:00',
    PowerState: 'On',
    Status: { Health: 'OK', State: 'Enabled' },
    Links: {
      ManagerForServers: bmc.systems.map(system => link(systemPaths(system).system)),
      ManagerForChassis: bmc.systems.map(system => link(systemPaths(system).chassis)),
    },
  }
}

/** A collection page: `skip` members left out before it, at most the BMC's page size in it. */
export function collection(bmc: Bmc, path: string, type: string, members: readonly string[], skip: number): JsonObject {
  const end = skip + bmc.pageSize
  return {
    '@odata.type': `#${type}.${type}`,
    '@odata.id': path,
    Name: type.replace(/([a-z])([A-Z])/g, '$1 $2'),
    Members: members.slice(skip, end).map(link),
    'Members@odata.count': members.length,
    'Members@odata.nextLink': end < members.length ? `${path}?$skip=${end}` : undefined,
  }
}

/** A reference to a resource. */
export function link(path: string): { '@odata.id': string } {
  return { '@odata.id': path }
}
