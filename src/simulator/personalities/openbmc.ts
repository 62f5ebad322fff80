import type { Personality } from '../personality.ts'
import { HEALTHY, NO_CONTENT, subResources } from './parts.ts'

const SYSTEM = '/redfish/v1/Systems/system'

/**
 * Stock OpenBMC (bmcweb, RedfishVersion 1.17): 204 whatever the state, a lost session is 403 NoValidSession, no UUID, no serial number, no
 * ETag, System.PowerState from the host's state manager (see the `stateManagerCrash` fault) and Chassis.PowerState from the power rail.
 */
export const openbmc: Personality = {
  name: 'openbmc',
  vendor: null,
  product: null,
  redfishVersion: '1.17.0',
  registry: 'Base.1.13.0',
  oem: null,
  manufacturer: null,
  model: null,
  managerId: 'bmc',
  managerModel: 'OpenBmc',
  firmware: '2.15.0',
  rootId: '/redfish/v1',
  serviceUuid: true,
  selectQuery: true,
  etag: 'none',
  systems: [
    {
      id: 'system',
      chassisId: 'chassis',
      uuid: 'absent',
      serial: null,
      reset: 'actionInfo',
      isNode: true,
      linksChassis: true,
      body: {
        Boot: {
          AutomaticRetryAttempts: 3,
          AutomaticRetryConfig: 'RetryAttempts',
          'AutomaticRetryConfig@Redfish.AllowableValues': ['Disabled', 'RetryAttempts'],
          BootSourceOverrideEnabled: 'Disabled',
          BootSourceOverrideMode: 'Legacy',
          'BootSourceOverrideMode@Redfish.AllowableValues': ['Legacy', 'UEFI'],
          BootSourceOverrideTarget: 'None',
          'BootSourceOverrideTarget@Redfish.AllowableValues': ['None', 'Pxe', 'Hdd', 'Cd', 'Diags', 'BiosSetup', 'Usb'],
          RemainingAutomaticRetryAttempts: 3,
          StopBootOnFault: 'Never',
          TrustedModuleRequiredToBoot: 'Required',
        },
        GraphicalConsole: { ConnectTypesSupported: ['KVMIP'], MaxConcurrentSessions: 4, ServiceEnabled: true },
        IndicatorLED: 'Off',
        LocationIndicatorActive: false,
        MemorySummary: { Status: { State: 'Disabled' }, TotalSystemMemoryGiB: null },
        PCIeDevices: [],
        'PCIeDevices@odata.count': 0,
        ProcessorSummary: { CoreCount: 0, Count: 0, Status: { State: 'Disabled' } },
        SerialConsole: {
          IPMI: { ServiceEnabled: true },
          MaxConcurrentSessions: 15,
          SSH: { HotKeySequenceDisplay: 'Press ~. to exit console', Port: 2200, ServiceEnabled: true },
        },
        Status: HEALTHY,
        ...subResources(SYSTEM, ['Bios', 'FabricAdapters', 'LogServices', 'Memory', 'Processors', 'Storage']),
      },
    },
  ],
  chassis: { type: 'RackMount', powerState: true, watts: null },
  resetTypes: ['On', 'ForceOff', 'ForceOn', 'ForceRestart', 'GracefulRestart', 'GracefulShutdown', 'PowerCycle', 'Nmi'],
  applyTimeSupport: false,
  whilePoweringOff: 'PoweringOff',
  whilePoweringOn: 'PoweringOn',
  bootProgress: { on: 'OSRunning', off: 'None' },
  powerRestorePolicy: 'AlwaysOff',
  lastResetTime: 'epoch',
  answers: { accepted: NO_CONTENT, alreadyOff: NO_CONTENT, alreadyOn: NO_CONTENT, wrongState: NO_CONTENT },
  sessions: {
    timeoutSeconds: 1800,
    // bmcweb has no cap of its own; a bound all the same, since a leak should show.
    limit: 64,
    lostStatus: 403,
    exhausted: {
      status: 503,
      messageId: 'Base.1.13.0.SessionLimitExceeded',
      message: 'The session establishment failed due to the number of simultaneous sessions.',
    },
  },
}
