import type { Personality } from '../personality.ts'
import { boot, HEALTHY, refusal, subResources, success, summaries } from './parts.ts'

const SYSTEM = '/redfish/v1/Systems/1'
const INVALID = 'iLO.2.14.InvalidOperationForSystemState'
const INVALID_TEXT =
  'The operation was not successful due to the current power state (for example, attempting to turn the power off when it is already off).'

/**
 * HPE ProLiant with iLO 5 (seen: DL385 Gen10 Plus v2, RedfishVersion 1.6): success is a 200 with an `error` object, off when off is a
 * 400, the UUID is in capitals, a session lasts 30 s, Oem.Hpe.PostState follows the power.
 */
export const hpe: Personality = {
  name: 'hpe',
  vendor: 'HPE',
  product: 'ProLiant DL385 Gen10 Plus v2',
  redfishVersion: '1.6.0',
  registry: 'Base.1.4',
  oem: 'Hpe',
  manufacturer: 'HPE',
  model: 'ProLiant DL385 Gen10 Plus v2',
  managerId: '1',
  managerModel: 'iLO 5',
  firmware: 'iLO 5 v2.72',
  rootId: '/redfish/v1',
  serviceUuid: true,
  selectQuery: true,
  etag: 'weak',
  systems: [
    {
      id: '1',
      chassisId: '1',
      uuid: 'upper',
      serial: 'MXQ######@',
      reset: 'inline',
      isNode: true,
      linksChassis: true,
      body: {
        AssetTag: '',
        BiosVersion: 'A42 v2.60 (08/11/2022)',
        HostName: '',
        IndicatorLED: 'Off',
        SKU: 'P38411-B21',
        Status: HEALTHY,
        Boot: boot(['None', 'Cd', 'Hdd', 'Usb', 'SDCard', 'Utilities', 'Diags', 'BiosSetup', 'Pxe', 'UefiShell', 'UefiHttp', 'UefiTarget']),
        ...summaries('AMD EPYC 7543 32-Core Processor', 2, 512),
        ...subResources(SYSTEM, [
          'Bios',
          'EthernetInterfaces',
          'LogServices',
          'Memory',
          'MemoryDomains',
          'NetworkInterfaces',
          'Processors',
          'SecureBoot',
          'Storage',
        ]),
        Oem: {
          Hpe: {
            '@odata.type': '#HpeComputerSystemExt.v2_8_0.HpeComputerSystemExt',
            Actions: {
              '#HpeComputerSystemExt.PowerButton': {
                'PushType@Redfish.AllowableValues': ['Press', 'PressAndHold'],
                target: `${SYSTEM}/Actions/Oem/Hpe/HpeComputerSystemExt.PowerButton`,
              },
              '#HpeComputerSystemExt.SystemReset': {
                'ResetType@Redfish.AllowableValues': ['ColdBoot', 'AuxCycle'],
                target: `${SYSTEM}/Actions/Oem/Hpe/HpeComputerSystemExt.SystemReset`,
              },
            },
            AggregateHealthStatus: Object.fromEntries(
              ['BiosOrHardwareHealth', 'Fans', 'Memory', 'Network', 'PowerSupplies', 'Processors', 'Storage', 'Temperatures'].map(name => [
                name,
                { Status: { Health: 'OK' } },
              ]),
            ),
            Bios: {
              Backup: { Date: '04/28/2022', Family: 'A42', VersionString: 'A42 v2.56 (04/28/2022)' },
              Current: { Date: '08/11/2022', Family: 'A42', VersionString: 'A42 v2.60 (08/11/2022)' },
              UefiClass: 2,
            },
            CurrentPowerOnTimeSeconds: null,
            DeviceDiscoveryComplete: {
              AMSDeviceDiscovery: 'NoAMS',
              DeviceDiscovery: 'vMainDeviceDiscoveryComplete',
              SmartArrayDiscovery: 'Complete',
            },
            IntelligentProvisioningAlwaysOn: true,
            PowerAllocationLimit: 1600,
            PowerAutoOn: 'Restore',
            PowerOnDelay: 'Minimum',
            PowerRegulatorMode: 'Dynamic',
            ServerFQDN: '',
            VirtualProfile: 'Inactive',
          },
        },
      },
    },
  ],
  chassis: { type: 'RackMount', powerState: true, watts: { on: 531, off: 15 } },
  resetTypes: ['On', 'ForceOff', 'GracefulShutdown', 'ForceRestart', 'Nmi', 'PushPowerButton', 'GracefulRestart'],
  applyTimeSupport: false,
  whilePoweringOff: 'On',
  whilePoweringOn: 'On',
  bootProgress: false,
  powerRestorePolicy: null,
  lastResetTime: 'none',
  answers: {
    accepted: success('Base.1.4.Success'),
    alreadyOff: refusal(400, INVALID, INVALID_TEXT),
    alreadyOn: refusal(400, INVALID, INVALID_TEXT),
    wrongState: refusal(400, INVALID, INVALID_TEXT),
  },
  sessions: {
    timeoutSeconds: 30,
    limit: 13,
    lostStatus: 401,
    exhausted: {
      status: 503,
      messageId: 'Base.1.4.SessionLimitExceeded',
      message: 'The session establishment failed due to the number of simultaneous sessions.',
    },
  },
}
