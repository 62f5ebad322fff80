import { Type } from 'typebox'
import { DeviceName, named, PATTERNS, pageOf, Revision, ref, strict, Time, words } from './common.ts'
import { PowerWord } from './job.ts'

const Hardware = Type.Object(
  {
    uuid: Type.Optional(Type.String()),
    serial: Type.Optional(Type.String()),
    manufacturer: Type.Optional(Type.String()),
    model: Type.Optional(Type.String()),
    system: Type.Optional(Type.String()),
  },
  { description: 'What identifies the hardware, as its own controller tells it.' },
)

const tls = {
  mode: words(['pin', 'ca', 'insecure'], {
    description: '`pin`: this certificate only (without `fingerprint`: the first one seen). `ca`: signed by `ca`. `insecure`: not checked.',
  }),
  fingerprint: Type.Optional(
    Type.String({ pattern: PATTERNS.fingerprint.pattern, description: 'SHA-256 of the certificate; with `pin` only.' }),
  ),
  ca: Type.Optional(Type.String({ minLength: 1, maxLength: 65_536, description: 'PEM text; with `ca` only, and required there.' })),
}

/** How the device's certificate is checked, as asked for. Which field goes with which mode is checked by `tlsOf`. */
export const TlsRequestSchema = named('TlsRequest', strict(tls))

/** The same, as shown. */
export const TlsSchema = named(
  'Tls',
  Type.Object({ mode: tls.mode, fingerprint: Type.Optional(Type.String()), ca: Type.Optional(Type.String()) }),
)

/** One endpoint that can isolate a node. */
export const DeviceSchema = named(
  'Device',
  Type.Object(
    {
      name: Type.String(),
      driver: Type.String(),
      address: Type.String(),
      endpoint: Type.String({ description: 'What one lease covers: a controller with all its systems.' }),
      systemId: Type.Optional(Type.String()),
      tls: ref(TlsSchema),
      status: words(['verified', 'unverified'], { description: '`unverified`: never reached yet; checked before its first command.' }),
      hardware: Type.Optional(Hardware),
      product: Type.Optional(Type.String()),
      powerOnDelayMs: Type.Optional(Type.Integer()),
      powerOffDelayMs: Type.Optional(Type.Integer()),
      createdAt: Time,
      revision: Revision,
      warnings: Type.Optional(Type.Array(Type.String(), { description: 'Only in the answer to its registration.' })),
    },
    {
      description: 'One endpoint that can isolate a node. Its credential is never shown.',
      examples: [
        {
          name: 'bmc-worker-3',
          driver: 'redfish',
          address: 'https://192.0.2.13',
          endpoint: 'https://192.0.2.13:443',
          tls: { mode: 'pin' },
          status: 'verified',
          product: 'HPE iLO 5 v2.72',
          createdAt: '2026-11-22T13:00:00.000Z',
          revision: 1,
        },
      ],
    },
  ),
)

/** A page of devices. */
export const DevicePageSchema = pageOf(DeviceSchema, 'DevicePage')

const username = Type.String({ minLength: 1, maxLength: 255 })
const password = Type.String({ minLength: 1, maxLength: 1024, writeOnly: true, format: 'password' })
const address = Type.String({
  minLength: 1,
  maxLength: 2048,
  description: '`http[s]://HOST[:PORT][/prefix]`, IPv6 in brackets; `http` needs `tls.mode: insecure`.',
  examples: ['https://192.0.2.13'],
})
const systemId = Type.String({ minLength: 1, maxLength: 1024, description: 'Which system, where the controller has several.' })

/** Body of `POST /v1/devices`. */
export const DeviceRequestSchema = named(
  'DeviceRequest',
  strict(
    {
      name: DeviceName,
      driver: Type.String({ minLength: 1, maxLength: 64, description: 'One of `/v1/drivers`.', examples: ['redfish'] }),
      address,
      username,
      password,
      systemId: Type.Optional(systemId),
      tls: Type.Optional(ref(TlsRequestSchema)),
    },
    {
      description: 'The credential is sealed at once and never given back. `tls` defaults to `{"mode": "pin"}`.',
      examples: [{ name: 'bmc-worker-3', driver: 'redfish', address: 'https://192.0.2.13', username: 'fence', password: 'correct horse' }],
    },
  ),
)

/** Body of `PATCH /v1/devices/{name}`. */
export const DeviceChangeSchema = named(
  'DeviceChange',
  strict(
    { address: Type.Optional(address), systemId: Type.Optional(systemId), tls: Type.Optional(ref(TlsRequestSchema)) },
    { minProperties: 1, examples: [{ address: 'https://192.0.2.14' }] },
  ),
)

/** Body of `PUT /v1/devices/{name}/credential`. */
export const CredentialSchema = named(
  'Credential',
  strict({ username, password }, { examples: [{ username: 'fence', password: 'correct horse' }] }),
)

const OrNull = Type.Unsafe<string | null>({ type: ['string', 'null'] })

/** What a device offers, as just found. */
export const ProbeSchema = named(
  'Probe',
  Type.Object({
    hardware: Hardware,
    power: PowerWord,
    product: Type.String(),
    systemId: Type.String(),
    others: Type.Array(Type.Object({ id: Type.String(), reason: Type.String() })),
    commands: Type.Object({ on: OrNull, off: OrNull }, { description: 'What would be sent; null where the device offers none.' }),
    refusals: Type.Array(Type.Object({ command: words(['on', 'off']), reason: Type.String() })),
    witnesses: Type.Array(Type.String()),
    session: words(['session', 'basic']),
    fingerprint: Type.Optional(Type.String()),
    warnings: Type.Array(Type.String()),
  }),
)

/** The kinds of device that this gateway can drive. */
export const DriverListSchema = named(
  'DriverList',
  Type.Object(
    { items: Type.Array(Type.Object({ kind: Type.String(), mechanism: Type.String(), title: Type.String() })) },
    { examples: [{ items: [{ kind: 'redfish', mechanism: 'direct', title: 'Redfish service of a BMC' }] }] },
  ),
)

/** The name in a path. */
export const DeviceParams = Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) })
/** PATCH only changes what the caller has read. */
export const IfMatchHeaders = Type.Object({
  'If-Match': Type.Optional(Type.String({ description: 'The ETag you read. Missing: 428. Changed meanwhile: 412.', examples: ['"1"'] })),
})
