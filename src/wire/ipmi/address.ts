import { canonicalHost } from '../host.ts'
import { IpmiError } from './failure.ts'

/** A parsed `ipmi://HOST[:PORT]`. */
export interface IpmiAddress {
  /** Host name or IP address, without brackets, lower case. */
  host: string
  port: number
}

/** RMCP's port. */
const PORT = 623

/**
 * Parses a device address. Throws IpmiError `bad_address`: other schemes, user info (credentials don't belong in addresses), paths, queries, bad host or port.
 * One slash at the end is taken: copied addresses have it. The host comes in its one spelling (`canonicalHost`).
 */
export function parseAddress(text: string): IpmiAddress {
  const [, given, digits] = /^ipmi:\/\/(\[[^\]]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/i.exec(text) ?? []
  const host = given === undefined ? undefined : canonicalHost(given)
  const port = digits === undefined ? PORT : Number(digits)
  if (host === undefined || port === 0 || port > 65_535) throw new IpmiError('bad_address', 'not an address of the form ipmi://HOST[:PORT]')
  return { host, port }
}

/** `HOST` where the port is 623, else `HOST:PORT`, IPv6 in brackets: what a lease covers, one name for one BMC. */
export function endpointOf({ host, port }: IpmiAddress): string {
  const bracketed = host.includes(':') ? `[${host}]` : host
  return port === PORT ? bracketed : `${bracketed}:${port}`
}
