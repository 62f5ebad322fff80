import { createCertificate } from '../redfish/certificate.ts'
import { messageReply } from '../redfish/messages.ts'
import { defineFault } from './types.ts'

const HOUR_MS = 3_600_000

/** Faults of who the BMC, or the machine behind it, is. */
export const identityFaults = {
  identity: defineFault({
    summary: 'Another machine answers under the same address: UUID (IPMI: GUID) and serial number become those given, or new ones.',
    defaults: { uuid: '', serial: '' },
    start: (bmc, { uuid, serial }, match) => {
      const system = bmc.systemOrThrow(match.systemId)
      const before = system.identity
      const shown = uuid === '' ? bmc.random.uuid() : uuid
      bmc.changeIdentity(system, {
        systemUuid: shown.toLowerCase(),
        uuid: before.uuid === null || before.uuid === undefined ? before.uuid : shown,
        serial: before.serial === null ? null : serial === '' ? bmc.random.pattern('ZZ#######@@') : serial,
      })
      return () => bmc.changeIdentity(system, before)
    },
  }),

  certificate: defineFault({
    summary: 'Another certificate (`new`, or one that has `expired`); open connections are cut. Clearing puts the first back.',
    defaults: { kind: 'new' as 'new' | 'expired' },
    start: (bmc, { kind }) => {
      const before = bmc.certificate
      const now = Date.now()
      bmc.certificate = createCertificate({
        commonName: bmc.name,
        ...(kind === 'expired' ? { notBefore: now - 48 * HOUR_MS, notAfter: now - 24 * HOUR_MS } : {}),
      })
      return () => {
        bmc.certificate = before
      }
    },
  }),

  missing: defineFault({
    summary: 'Requests that match are 404: a System that moved, an ActionInfo that is not there.',
    defaults: {},
    authorize: ({ bmc }) => messageReply(bmc.personality, 'ResourceMissingAtURI'),
  }),
}
