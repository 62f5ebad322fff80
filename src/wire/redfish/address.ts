import { canonicalHost } from '../host.ts'
import { RedfishError } from './failure.ts'

/** A parsed `http[s]://HOST[:PORT][/prefix]`. */
export interface RedfishAddress {
  secure: boolean
  /** Host name or IP address, without brackets, lower case. */
  host: string
  port: number
  /** Scheme, host and port as requests need them, without a trailing slash. */
  origin: string
  /** Path put before every reference of the service (`root_prefix` of proxies), without a trailing slash; usually empty. */
  prefix: string
}

/**
 * Parses a device address. A pasted `/redfish/v1` at its end is dropped; the host comes in its one spelling (`canonicalHost`), which is also what is asked.
 * Throws RedfishError `bad_address`: other schemes, user info (credentials don't belong in addresses), query, fragment, bad host or port.
 */
export function parseAddress(text: string): RedfishAddress {
  const [, given = ''] = /^https?:\/\/(\[[^\]/?#@\s]*\]|[^:/?#@\s]+)(?::\d*)?(?:\/[^?#@\s]*)?$/i.exec(text) ?? []
  const url = parseUrl(text)
  const host = canonicalHost(given)
  if (url === undefined || host === undefined) throw bad()
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  if (port === 0) throw bad()
  const prefix = trimSlashes(trimSlashes(url.pathname).replace(/\/redfish(\/v1)?$/, ''))
  url.hostname = host.includes(':') ? `[${host}]` : host
  return { secure, host, port, origin: url.origin, prefix }
}

/**
 * What a lease covers: the host alone, IPv6 in brackets, so that every protocol of one BMC shares it (S6); with `:PORT` only where the port is not
 * the scheme's default. Prefixes and schemes don't count: one BMC never gets two.
 */
export function endpointOf({ host, port, secure }: RedfishAddress): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === (secure ? 443 : 80) ? name : `${name}:${port}`
}

/**
 * Turns a reference that the service gave (`@odata.id`, `target`, `Location`) into the path to send, or undefined where it must not be followed:
 * another scheme, host or port, control characters, dot segments. Trailing slashes are kept: some services insist on theirs.
 */
export function resolveReference(address: RedfishAddress, reference: unknown): string | undefined {
  if (typeof reference !== 'string' || reference.length === 0 || reference.length > 2_048) return undefined
  let path = reference
  if (/^https?:\/\//i.test(path)) {
    const url = parseUrl(path)
    if (url === undefined || url.origin !== address.origin || url.username !== '' || url.password !== '') return undefined
    path = url.pathname + url.search
  }
  const fragment = path.indexOf('#')
  if (fragment >= 0) path = path.slice(0, fragment)
  // Only printable ASCII without backslash; the URL standard reads a backslash as a slash.
  if (!path.startsWith('/') || path.startsWith('//') || !/^[\x21-\x5b\x5d-\x7e]+$/.test(path)) return undefined
  if (/(^|\/)(\.|%2e){1,2}(\/|\?|$)/i.test(path)) return undefined
  const { prefix } = address
  return prefix === '' || path === prefix || path.startsWith(`${prefix}/`) ? path : prefix + path
}

/** The path without query and trailing slashes: only for comparing two references, never for sending. */
export function comparable(path: string): string {
  const query = path.indexOf('?')
  return trimSlashes(query < 0 ? path : path.slice(0, query))
}

/** The last segment of a path, e.g. `System.Embedded.1`. */
export function lastSegment(path: string): string {
  const bare = comparable(path)
  return bare.slice(bare.lastIndexOf('/') + 1)
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function trimSlashes(path: string): string {
  let end = path.length
  while (end > 0 && path.charCodeAt(end - 1) === 47) end--
  return path.slice(0, end)
}

function bad(): RedfishError {
  return new RedfishError('bad_address', 'not an address of the form http[s]://HOST[:PORT][/prefix]')
}
