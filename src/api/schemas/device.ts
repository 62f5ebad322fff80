import { Type } from 'typebox'
import type { IpmiQuirk } from '../../core/topology.ts'
import { DeviceName, named, PATTERNS, pageOf, Revision, ref, strict, Time, words } from './common.ts'
import { PowerWord } from './job.ts'

const Hardware = Type.Object(
  {
    uuid: Type.Optional(Type.String()),
    guid: Type.Optional(
      Type.String({
        description:
          'The GUID of an IPMI session, as it was sent: firmware disagrees about its byte order, so `uuid` is only the likeliest reading.',
      }),
    ),
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

const QUIRKS = [
  'no-name-only-lookup',
  'pad-user-16',
  'rakp4-integrity-algorithm',
  'rakp2-slack',
  'skip-checksum',
  'ignore-watts',
] as const satisfies readonly IpmiQuirk[]

const ipmi = {
  cipherSuite: Type.Optional(
    words(['auto', '17', '3'], {
      description:
        '`auto`: 17, and 3 only where the BMC says that it has no 17; a BMC that spoke 17 once is never spoken to with 3 again, unless this is set anew. Weaker ones are refused always.',
    }),
  ),
  privilege: Type.Optional(
    words(['operator', 'administrator'], { description: 'What a session asks for; `operator` (the default) suffices for power commands.' }),
  ),
  quirks: Type.Optional(
    Type.Array(words(QUIRKS), {
      maxItems: QUIRKS.length,
      uniqueItems: true,
      description: 'Where its firmware differs from the specification.',
    }),
  ),
}

/** How an IPMI device is spoken to, as asked for; only with `driver: ipmi`. */
export const IpmiRequestSchema = named('IpmiRequest', strict(ipmi, { description: 'With `driver: ipmi` only.' }))

/** The same, as shown. */
export const IpmiSchema = named('Ipmi', Type.Object(ipmi))

/** The IPMI cipher suites that may be used. */
const Suite = Type.Unsafe<17 | 3>({ type: 'integer', enum: [17, 3] })
const policies = ['off', 'previous', 'on'] as const

/** One endpoint that can isolate a node. */
export const DeviceSchema = named(
  'Device',
  Type.Object(
    {
      name: Type.String(),
      driver: Type.String(),
      address: Type.String(),
      endpoint: Type.String({ description: 'What one lease covers: a controller with all its systems and protocols.' }),
      systemId: Type.Optional(Type.String()),
      tls: Type.Optional(ref(TlsSchema)),
      ipmi: Type.Optional(ref(IpmiSchema)),
      cipherSuite: Type.Optional(Suite),
      restorePolicyBefore: Type.Optional(
        words(policies, {
          description: 'What it did when mains power returned before a hold set it to stay off; put back with the next `on`.',
        }),
      ),
      restorePolicyTrouble: Type.Optional(
        words(['none', 'refused', 'failed'], {
          description: 'Why that could not be set: it has no such setting, refuses it, or did not answer.',
        }),
      ),
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
          endpoint: '192.0.2.13',
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
  description:
    '`redfish`: `http[s]://HOST[:PORT][/prefix]`; `http` needs `tls.mode: insecure`. `ipmi`: `ipmi://HOST[:PORT]`, UDP port 623 where none is given. IPv6 in brackets.',
  examples: ['https://192.0.2.13', 'ipmi://192.0.2.13'],
})
const systemId = Type.String({ minLength: 1, maxLength: 1024, description: 'Which system, where the controller has several.' })

const kg = Type.String({
  minLength: 1,
  maxLength: 64,
  writeOnly: true,
  format: 'password',
  description:
    'The BMC key (Kg), where the BMC has one: up to 20 bytes of text, or `0x` and up to 40 hexadecimal digits. With `driver: ipmi` only.',
})

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
      kg: Type.Optional(kg),
      systemId: Type.Optional(systemId),
      tls: Type.Optional(ref(TlsRequestSchema)),
      ipmi: Type.Optional(ref(IpmiRequestSchema)),
    },
    {
      description:
        'The credential is sealed at once and never given back. `tls` defaults to `{"mode": "pin"}`. IPMI carries user names of up to 16 bytes and passwords of up to 20.',
      examples: [
        { name: 'bmc-worker-3', driver: 'redfish', address: 'https://192.0.2.13', username: 'fence', password: 'correct horse' },
        { name: 'ipmi-worker-3', driver: 'ipmi', address: 'ipmi://192.0.2.13', username: 'fence', password: 'correct horse' },
      ],
    },
  ),
)

/** Body of `PATCH /v1/devices/{name}`. */
export const DeviceChangeSchema = named(
  'DeviceChange',
  strict(
    {
      address: Type.Optional(address),
      systemId: Type.Optional(systemId),
      tls: Type.Optional(ref(TlsRequestSchema)),
      ipmi: Type.Optional(ref(IpmiRequestSchema)),
    },
    { minProperties: 1, examples: [{ address: 'https://192.0.2.14' }, { ipmi: { cipherSuite: 'auto' } }] },
  ),
)

/** Body of `PUT /v1/devices/{name}/credential`. */
export const CredentialSchema = named(
  'Credential',
  strict({ username, password, kg: Type.Optional(kg) }, { examples: [{ username: 'fence', password: 'correct horse' }] }),
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
    cipherSuite: Type.Optional(Suite),
    offers: Type.Array(Type.Object({ name: Type.String(), use: words(['used', 'unused', 'refused']), reason: Type.String() }), {
      description: 'What else it offers, what of it is used, and what would be refused and why.',
    }),
    restorePolicy: Type.Unsafe<(typeof policies)[number] | null>({
      type: ['string', 'null'],
      enum: [...policies, null],
      description: 'What it does when mains power returns; null where it can not be set.',
    }),
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
