import type { Personality, SystemSpec } from '../personality.ts'
import { boot, NO_CONTENT, subResources, summaries } from './parts.ts'

function node(id: string): SystemSpec {
  return {
    id,
    chassisId: id,
    uuid: 'null',
    // Both nodes show the serial number of the card that they share, so neither UUID nor serial tells them apart.
    serial: 'DP########',
    reset: 'actionInfo',
    isNode: true,
    linksChassis: false,
    body: {
      Description: 'GrizzlyPkNodeCard',
      BiosVersion: 'ex235n.bios-1.2.1',
      PartNumber: '102209502.B',
      Status: { Health: 'OK', State: 'Enabled' },
      Boot: boot(['None', 'Pxe', 'Hdd', 'BiosSetup', 'UefiHttp']),
      ...summaries('AMD EPYC 7A53 64-Core Processor', 1, 256),
      ...subResources(`/redfish/v1/Systems/${id}`, ['Bios', 'EthernetInterfaces', 'Memory', 'Processors']),
    },
  }
}

/**
 * HPE Cray EX blade (seen: EX235n, RedfishVersion 1.2): two nodes behind one BMC, listed in no order, without UUID and without a link to a
 * chassis; the ResetType `Off`, which is not in the DMTF enum, is its graceful shutdown. The `already` answers were not seen.
 */
export const cray: Personality = {
  name: 'cray',
  vendor: null,
  product: null,
  redfishVersion: '1.2.0',
  registry: 'Base.1.2.0',
  oem: null,
  manufacturer: 'HPE',
  model: 'HPE Cray EX235n',
  managerId: 'BMC',
  managerModel: 'Shasta Manager',
  firmware: 'nc.1.5.38',
  rootId: '/redfish/v1/',
  serviceUuid: false,
  selectQuery: false,
  etag: 'weak',
  systems: [node('Node1'), node('Node0')],
  chassis: { type: 'Card', powerState: true, watts: null },
  resetTypes: ['ForceOff', 'On', 'Off'],
  applyTimeSupport: false,
  whilePoweringOff: 'On',
  whilePoweringOn: 'Off',
  bootProgress: false,
  powerRestorePolicy: null,
  lastResetTime: 'none',
  answers: { accepted: NO_CONTENT, alreadyOff: NO_CONTENT, alreadyOn: NO_CONTENT, wrongState: NO_CONTENT },
  sessions: {
    timeoutSeconds: 30,
    limit: 16,
    lostStatus: 401,
    exhausted: {
      status: 503,
      messageId: 'Base.1.2.0.SessionLimitExceeded',
      message: 'The session establishment failed due to the number of simultaneous sessions.',
    },
  },
}
