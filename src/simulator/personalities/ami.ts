import type { Personality } from '../personality.ts'
import { boot, HEALTHY, links, refusal, subResources, summaries } from './parts.ts'

const SYSTEM = '/redfish/v1/Systems/Self'

/**
 * AMI MegaRAC SP-X (seen: DGX H100, Gigabyte): two Systems, of which the second is a GPU board that is always on and has no Reset action;
 * values only in an ActionInfo, four of them; the action answers 202 with a task. The `already` answer is a guess: it was not seen.
 */
export const ami: Personality = {
  name: 'ami',
  vendor: 'AMI',
  product: 'AMI Redfish Server',
  redfishVersion: '1.11.0',
  registry: 'Base.1.13.0',
  oem: 'Ami',
  manufacturer: 'NVIDIA',
  model: 'DGXH100',
  managerId: 'BMC',
  managerModel: '77171220',
  firmware: '23.11.20',
  rootId: '/redfish/v1',
  serviceUuid: true,
  selectQuery: true,
  etag: 'strong',
  systems: [
    {
      id: 'Self',
      chassisId: 'Self',
      uuid: 'upper',
      serial: '166292#######',
      reset: 'actionInfo',
      isNode: true,
      linksChassis: true,
      body: {
        AssetTag: 'Free form asset tag',
        BiosVersion: '1.1.3',
        HostName: null,
        HostingRoles: [],
        IndicatorLED: 'Off',
        PartNumber: ' ',
        SKU: '920-24387-2540-000',
        SubModel: null,
        Status: HEALTHY,
        Boot: boot(['None', 'Pxe', 'Floppy', 'Cd', 'Usb', 'Hdd', 'BiosSetup', 'Utilities', 'Diags', 'UefiTarget', 'UefiHttp']),
        ...summaries('Intel(R) Xeon(R) Platinum 8480C', 2, 2048),
        ...subResources(SYSTEM, [
          'Bios',
          'EthernetInterfaces',
          'LogServices',
          'Memory',
          'MemoryDomains',
          'NetworkInterfaces',
          'Processors',
          'SecureBoot',
          'SimpleStorage',
          'Storage',
        ]),
        PCIeDevices: links(
          '/redfish/v1/Chassis/Self/PCIeDevices',
          48,
          index => `00_${index.toString(16).padStart(2, '0').toUpperCase()}_00`,
        ),
        'PCIeDevices@odata.count': 48,
        PCIeFunctions: links('/redfish/v1/Chassis/Self/PCIeDevices', 64, index => {
          const device = `00_${(index % 48).toString(16).padStart(2, '0').toUpperCase()}_00`
          return `${device}/PCIeFunctions/${device}_${Math.floor(index / 48)}`
        }),
        'PCIeFunctions@odata.count': 64,
        TrustedModules: [{ FirmwareVersion: '7.2', InterfaceType: 'TPM2_0' }],
        Oem: {
          Ami: { '@odata.type': '#AMIComputerSystem.v1_0_0.AMIComputerSystem', ManagerBootConfiguration: { ManagerBootMode: 'None' } },
        },
      },
    },
    {
      id: 'HGX_Baseboard_0',
      chassisId: 'HGX_BMC_0',
      uuid: 'random',
      serial: null,
      reset: 'none',
      isNode: false,
      linksChassis: true,
      body: { Status: HEALTHY, ...subResources('/redfish/v1/Systems/HGX_Baseboard_0', ['LogServices', 'Memory', 'Processors']) },
    },
  ],
  chassis: { type: 'RackMount', powerState: true, watts: null },
  resetTypes: ['ForceOff', 'ForceRestart', 'GracefulShutdown', 'On'],
  applyTimeSupport: true,
  whilePoweringOff: 'PoweringOff',
  whilePoweringOn: 'PoweringOn',
  bootProgress: false,
  powerRestorePolicy: 'LastState',
  lastResetTime: 'true',
  answers: {
    accepted: { kind: 'task' },
    alreadyOff: refusal(409, 'HttpStatus.1.0.Conflict', 'The requested state is the current state.'),
    alreadyOn: refusal(409, 'HttpStatus.1.0.Conflict', 'The requested state is the current state.'),
    wrongState: refusal(409, 'HttpStatus.1.0.Conflict', 'The request can not be done in the current state.'),
  },
  sessions: {
    timeoutSeconds: 30,
    limit: 16,
    lostStatus: 401,
    exhausted: {
      status: 503,
      messageId: 'Base.1.13.0.SessionLimitExceeded',
      message: 'The session establishment failed due to the number of simultaneous sessions.',
    },
  },
}
