import { isIPv6 } from 'node:net'
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
 * One slash at the end is taken: copied addresses have it.
 */
export function parseAddress(text: string): IpmiAddress {
  const match = /^ipmi:\/\/(?:\[([^\]]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?\/?$/i.exec(text)
  if (match === null) throw bad()
  const [, v6, name, digits] = match
  const port = digits === undefined ? PORT : Number(digits)
  if (port === 0 || port > 65_535) throw bad()
  if (v6 !== undefined) {
    if (!isIPv6(v6)) throw bad()
    return { host: canonicalV6(v6), port }
  }
  return { host: nameOrV4(name ?? ''), port }
}

/** `HOST` where the port is 623, else `HOST:PORT`, IPv6 in brackets: what a lease covers, one name for one BMC. */
export function endpointOf({ host, port }: IpmiAddress): string {
  const bracketed = host.includes(':') ? `[${host}]` : host
  return port === PORT ? bracketed : `${bracketed}:${port}`
}

/** One spelling for one address: `::1`, not `0:0:0:0:0:0:0:1`. A zone (`%eth0`) stays as it is. */
function canonicalV6(text: string): string {
  const [address = text, zone] = text.split('%', 2)
  const host = parseUrl(`http://[${address}]`)?.hostname
  if (host === undefined) throw bad()
  return host.slice(1, -1) + (zone === undefined ? '' : `%${zone}`)
}

/** `010.0.0.1`, `10.1` and the like are read as the system would read them, then written in one way. */
function nameOrV4(text: string): string {
  const host = parseUrl(`http://${text}`)?.hostname
  if (host === undefined || host === '') throw bad()
  return host
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function bad(): IpmiError {
  return new IpmiError('bad_address', 'not an address of the form ipmi://HOST[:PORT]')
}
