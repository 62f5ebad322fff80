/**
 * `safestate/ipmi`: an IPMI 2.0 (RMCP+) client without dependencies. Suites 17 and 3 only, every answer authenticated before it is looked at, one UDP socket for thousands of BMCs,
 * power commands sent once over a session that can be closed from elsewhere.
 *
 * ```ts
 * const client = new IpmiClient(systemPorts(), { address: parseAddress('ipmi://10.0.0.7'), username: 'admin', password: new Secret('…'), privilege: 'user', suite: 'auto' })
 * const { on } = await client.execute(COMMANDS.chassisStatus, undefined)
 * await client.close({ confirmed: false })
 * ```
 */
export { Secret } from '../../core/secret.ts'
export { endpointOf, type IpmiAddress, parseAddress } from './address.ts'
export type { AuthCapabilities, OfferedSuite } from './capabilities.ts'
export type { ChassisStatus } from './chassis.ts'
export { IpmiClient, type OnceReply, type SessionFacts } from './client.ts'
export { type Discovery, discover, ping } from './client-discover.ts'
export type { ClientOptions } from './client-options.ts'
export { type IpmiPorts, pooledRandom, systemPorts, type TimerClock } from './client-ports.ts'
export { closeByTicket } from './client-settle.ts'
export type { SessionTicketData } from './client-ticket.ts'
export type { CommandSpec, Privilege } from './command.ts'
export { COMMANDS } from './commands.ts'
export { type Completion, completionOf } from './completion.ts'
export type { DeviceId, PowerReading, RestartCause } from './controller.ts'
export { IpmiError, type IpmiFacts, type IpmiReason } from './failure.ts'
export { type Guid, isUsable, renderGuid } from './guid.ts'
export { QUIRKS, type Quirk } from './quirks.ts'
export { type SetupStatus, statusOf } from './status.ts'
export { REFUSED_SUITES, SUITES, type Suite } from './suites.ts'
export { type Transport, type TransportCounters, type TransportOptions, UdpTransport } from './transport.ts'
