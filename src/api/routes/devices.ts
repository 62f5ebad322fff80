import type { Static } from 'typebox'
import { SafestateError } from '../../core/errors.ts'
import type { DeviceInput } from '../../core/gateway.ts'
import { Secret } from '../../core/secret.ts'
import type { Device, TlsSetting } from '../../core/topology.ts'
import type { Api, Context } from '../context.ts'
import { etagOf, expectedRevision, sendRevision } from '../etag.ts'
import { operation } from '../operation.ts'
import { PageQuery, ref, strict } from '../schemas/common.ts'
import {
  CredentialSchema,
  DeviceChangeSchema,
  DevicePageSchema,
  DeviceParams,
  DeviceRequestSchema,
  DeviceSchema,
  DriverListSchema,
  IfMatchHeaders,
  ProbeSchema,
  type TlsRequestSchema,
} from '../schemas/device.ts'
import { badRequest } from '../validation.ts'
import { goneSignal } from '../wait.ts'
import { ConditionalHeaders, LOCATION_HEADERS, REVISION_HEADERS } from './headers.ts'

/** A device as the document describes it. IPMI has no TLS: showing a mode would promise something. */
export function showDevice(device: Device): Static<typeof DeviceSchema> {
  const { tls, ...rest } = device
  return device.driver === 'ipmi' ? rest : { ...rest, tls }
}

/** Takes the secrets out of a body, so that from here on they can't be logged or sent. */
function takeSecrets(body: { password: string; kg?: string }): { password: Secret; kg?: Secret } {
  const { kg } = body
  const taken = { password: new Secret(body.password), ...(kg === undefined ? {} : { kg: new Secret(kg) }) }
  body.password = ''
  if (kg !== undefined) body.kg = ''
  return taken
}

/** The TLS setting that a body asks for. Throws `bad_request` for fields that don't go with the mode. */
function tlsOf({ mode, fingerprint, ca }: Static<typeof TlsRequestSchema>): TlsSetting {
  const errors = [
    ...(fingerprint !== undefined && mode !== 'pin' ? [{ field: 'tls.fingerprint', message: 'goes with mode pin only' }] : []),
    ...(ca !== undefined && mode !== 'ca' ? [{ field: 'tls.ca', message: 'goes with mode ca only' }] : []),
    ...(ca === undefined && mode === 'ca' ? [{ field: 'tls.ca', message: 'is missing' }] : []),
  ]
  if (errors.length > 0) throw badRequest(errors)
  if (mode === 'ca' && ca !== undefined) return { mode, ca }
  if (mode === 'insecure') return { mode }
  return { mode: 'pin', ...(fingerprint === undefined ? {} : { fingerprint: fingerprint.replaceAll(':', '').toLowerCase() }) }
}

/** `/v1/devices` and `/v1/drivers`. Devices belong to no cluster: the scope alone decides. */
export function deviceRoutes(api: Api, { service, closing }: Context): void {
  const known = async (name: string): Promise<Device> => {
    const device = await service.devices.get(name)
    if (!device) throw new SafestateError('unknown_device', 'there is no such device', { device: name })
    return device
  }

  /** The driver's kind, checked against those that are there: others are 422, with the list. */
  const driverOf = (kind: string): DeviceInput['driver'] => {
    const kinds = service.drivers().map(driver => driver.kind)
    if (kinds.includes(kind)) return kind as DeviceInput['driver']
    throw new SafestateError('unknown_driver', 'there is no such driver', {
      errors: [{ field: 'driver', message: `must be one of ${kinds.join(', ')}` }],
    })
  }

  api.get(
    '/v1/drivers',
    operation({
      id: 'listDrivers',
      tag: 'devices',
      summary: 'List the kinds of device that can be registered',
      access: { scopes: ['devices:read'] },
      answers: { 200: { description: 'All drivers.', schema: ref(DriverListSchema) } },
    }),
    async (_request, reply) => reply.send({ items: service.drivers() }),
  )

  api.get(
    '/v1/devices',
    operation({
      id: 'listDevices',
      tag: 'devices',
      summary: 'List devices',
      access: { scopes: ['devices:read'] },
      query: strict(PageQuery),
      answers: { 200: { description: 'A page of devices.', schema: ref(DevicePageSchema) } },
    }),
    async (request, reply) => {
      const { after, limit } = request.query
      const page = await service.devices.list({ limit: limit ?? 50, ...(after === undefined ? {} : { after }) })
      return reply.send({ ...page, items: page.items.map(showDevice) })
    },
  )

  api.post(
    '/v1/devices',
    operation({
      id: 'createDevice',
      tag: 'devices',
      summary: 'Register a device',
      description: "The device is contacted at once and its identity remembered. One that can't be reached is registered as `unverified`.",
      access: { scopes: ['devices:write'] },
      body: ref(DeviceRequestSchema),
      answers: { 201: { description: 'Registered.', schema: ref(DeviceSchema), headers: LOCATION_HEADERS } },
      refuses: [409, 422, 502, 504],
    }),
    async (request, reply) => {
      const secrets = takeSecrets(request.body)
      const { name, driver, address, username, systemId, tls, ipmi } = request.body
      const { device, warnings } = await service.devices.add({
        name,
        driver: driverOf(driver),
        address,
        username,
        ...secrets,
        ...(systemId === undefined ? {} : { systemId }),
        ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
        ...(ipmi === undefined ? {} : { ipmi }),
      })
      reply
        .code(201)
        .header('location', `/v1/devices/${encodeURIComponent(name)}`)
        .header('etag', etagOf(device.revision))
      return reply.send({ ...showDevice(device), warnings })
    },
  )

  api.get(
    '/v1/devices/:name',
    operation({
      id: 'getDevice',
      tag: 'devices',
      summary: 'Read a device',
      access: { scopes: ['devices:read'] },
      params: DeviceParams,
      headers: ConditionalHeaders,
      answers: {
        200: { description: 'The device.', schema: ref(DeviceSchema), headers: REVISION_HEADERS },
        304: { description: 'Unchanged.' },
      },
      refuses: [404],
    }),
    async (request, reply) => {
      const device = await known(request.params.name)
      return sendRevision(request, reply, device.revision, showDevice(device))
    },
  )

  api.patch(
    '/v1/devices/:name',
    operation({
      id: 'changeDevice',
      tag: 'devices',
      summary: 'Change address, system, TLS or IPMI settings of a device',
      access: { scopes: ['devices:write'] },
      params: DeviceParams,
      headers: IfMatchHeaders,
      body: ref(DeviceChangeSchema),
      answers: { 200: { description: 'The device after the change.', schema: ref(DeviceSchema), headers: REVISION_HEADERS } },
      refuses: [404, 409, 412, 422, 428, 502, 504],
    }),
    async (request, reply) => {
      const { name } = request.params
      const expected = await expectedRevision(request.headers['if-match'], async () => (await known(name)).revision)
      const { tls, ...change } = request.body
      const device = await service.devices.change(name, expected, { ...change, ...(tls === undefined ? {} : { tls: tlsOf(tls) }) })
      return reply.header('etag', etagOf(device.revision)).send(showDevice(device))
    },
  )

  api.put(
    '/v1/devices/:name/credential',
    operation({
      id: 'setCredential',
      tag: 'devices',
      summary: 'Replace the credential of a device',
      description: 'Write-only: it is sealed at once and never given back.',
      access: { scopes: ['devices:write'] },
      params: DeviceParams,
      body: ref(CredentialSchema),
      answers: { 204: { description: 'Sealed.' } },
      refuses: [404, 409, 422, 502, 504],
    }),
    async (request, reply) => {
      const secrets = takeSecrets(request.body)
      await service.devices.setCredential(request.params.name, { username: request.body.username, ...secrets })
      return reply.code(204).send()
    },
  )

  api.post(
    '/v1/devices/:name/probe',
    operation({
      id: 'probeDevice',
      tag: 'devices',
      summary: 'Contact a device now: what it is, its power, and what it would do',
      access: { scopes: ['devices:write'] },
      params: DeviceParams,
      answers: { 200: { description: 'What was found.', schema: ref(ProbeSchema) } },
      refuses: [404, 409, 422, 502, 504],
    }),
    async (request, reply) => {
      const { signal, done } = goneSignal(reply, closing)
      try {
        return reply.send(await service.devices.probe(request.params.name, signal))
      } finally {
        done()
      }
    },
  )

  api.delete(
    '/v1/devices/:name',
    operation({
      id: 'deleteDevice',
      tag: 'devices',
      summary: 'Remove a device and its credential',
      access: { scopes: ['devices:write'] },
      params: DeviceParams,
      answers: { 204: { description: 'Removed.' } },
      refuses: [404, 409],
    }),
    async (request, reply) => {
      await service.devices.remove(request.params.name)
      return reply.code(204).send()
    },
  )
}
