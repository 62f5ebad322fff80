import { isIPv4 } from 'node:net'

/**
 * The one spelling of a host as it stands in an address (IPv6 in brackets), without brackets and in lower case: leases cover hosts, so one host must not have two.
 * One dot at the end is dropped, IPv4 in IPv6's clothes is IPv4, a zone is as the system takes it (`%eth0`; in addresses also `%25eth0`, RFC 6874).
 * Undefined where it is none: a name without a letter or digit, empty labels, and numbers that only old C libraries read as IPv4 (`1`, `10.1`, `010.0.0.1`):
 * they are a slip of the hand, and the machine that they mean is another one.
 */
export function canonicalHost(given: string): string | undefined {
  if (given.startsWith('[')) return canonicalV6(given)
  const text = given.replace(/\.$/, '')
  const host = hostnameOf(text)
  if (host === undefined || isIPv4(host)) return host === text ? host : undefined
  return /[a-z0-9]/.test(host) && !host.split('.').includes('') ? host : undefined
}

function canonicalV6(given: string): string | undefined {
  const [, address, zone] = /^\[([0-9a-f:.]+)(?:%(?:25)?([a-z0-9._~-]+))?\]$/i.exec(given) ?? []
  const host = address === undefined ? undefined : hostnameOf(`[${address}]`)?.slice(1, -1)
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(host ?? '') ?? []
  if (high !== undefined && low !== undefined) return zone === undefined ? `${dotted(high)}.${dotted(low)}` : undefined
  return host === undefined || zone === undefined ? host : `${host}%${zone}`
}

/** Two bytes of an IPv4 address out of one group of an IPv6 address. */
function dotted(group: string): string {
  const value = Number.parseInt(group, 16)
  return `${value >> 8}.${value & 0xff}`
}

function hostnameOf(host: string): string | undefined {
  try {
    return new URL(`http://${host}`).hostname
  } catch {
    return undefined
  }
}
