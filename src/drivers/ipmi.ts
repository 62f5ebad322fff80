import type { Driver } from '../core/driver.ts'
import { DriverError } from '../core/errors.ts'
import { endpointOf, parseAddress } from '../wire/ipmi/address.ts'
import { type IpmiPorts, systemPorts } from '../wire/ipmi/client-ports.ts'
import { closeByTicket } from '../wire/ipmi/client-settle.ts'
import { addressError, checkCredential, driverError } from './ipmi-failure.ts'
import { IpmiSession, optionsOf, type Shared } from './ipmi-session.ts'
import { ClosedSessions, ticketIn } from './ipmi-tickets.ts'
import { WattsMemory } from './ipmi-watts-memory.ts'

/**
 * Any BMC that speaks IPMI 2.0 over the network. One transport serves all devices of the driver; nothing is open while no session is. `ports` are this
 * machine's unless a test brings others.
 */
export function ipmi(ports: IpmiPorts = systemPorts()): Driver {
  const closed = new ClosedSessions()
  const shared: Shared = { ports, closed, watts: new WattsMemory(() => ports.clock.mono()) }
  return {
    kind: 'ipmi',
    mechanism: 'direct',
    title: 'IPMI 2.0: any BMC that speaks RMCP+ with cipher suite 17 or 3',

    endpoint(address) {
      try {
        return endpointOf(parseAddress(address))
      } catch (error) {
        throw addressError(error)
      }
    },

    checkCredential,

    open(device, context) {
      return new IpmiSession(device, context, shared)
    },

    async probe(device, context, signal) {
      const session = new IpmiSession(device, context, shared)
      try {
        return await session.probe(signal)
      } finally {
        await session.close()
      }
    },

    async closeSession(device, closing, context, signal) {
      const ticket = ticketIn(closing)
      if (ticket === undefined) return 'unknown'
      if (closed.has(ticket)) return 'closed'
      try {
        const options = optionsOf(device, context)
        return await closeByTicket(ports, options, ticket, signal, error => {
          const told = driverError(error, device.name)
          if (told instanceof DriverError) context.logInFailed?.(told)
        })
      } catch {
        return 'unknown'
      }
    },
  }
}
