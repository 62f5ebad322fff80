/** A GUID as it was sent, and the three ways to read it: firmware disagrees about the order of its bytes (ipmitool issue 25). */
export interface Guid {
  /** 32 hexadecimal digits in the order of the wire: what is pinned. */
  raw: string
  /** §20.8: all bytes reversed. */
  specification: string
  /** As SMBIOS stores it: the first three fields reversed. What most makers send, and what Kubernetes reads as `systemUUID`. */
  smbios: string
  /** RFC 4122: as sent. */
  rfc4122: string
  /** The one of the three whose version and variant make sense; SMBIOS's order where several do, or none. */
  likely: string
}

/** All readings of 16 raw bytes, in lower case. Throws RangeError for another length. */
export function renderGuid(raw: Buffer): Guid {
  if (raw.length !== 16) throw new RangeError(`${raw.length} bytes are no GUID`)
  const hex = raw.toString('hex')
  const specification = dashed(reversed(hex))
  const smbios = dashed(reversed(hex.slice(0, 8)) + reversed(hex.slice(8, 12)) + reversed(hex.slice(12, 16)) + hex.slice(16))
  const rfc4122 = dashed(hex)
  const readings = [smbios, rfc4122, specification]
  // A right reading has a known version; the variant's bits tell apart what the version leaves open.
  const likely = readings.find(text => hasVersion(text) && hasVariant(text)) ?? readings.find(hasVersion) ?? smbios
  return { raw: hex, specification, smbios, rfc4122, likely }
}

/** False for what says nothing about the machine: all bytes alike (zeros, FF). */
export function isUsable(raw: Buffer): boolean {
  return raw.length === 16 && raw.some(byte => byte !== raw[0])
}

/** Versions 1 to 5, at the head of the third field: those that firmware makes (ipmitool goes by the same). */
function hasVersion(text: string): boolean {
  return /^.{14}[1-5]/.test(text)
}

/** The variant of RFC 4122: binary 10 at the head of the fourth field. */
function hasVariant(text: string): boolean {
  return /^.{19}[89ab]/.test(text)
}

function reversed(hex: string): string {
  return (hex.match(/../g) ?? []).reverse().join('')
}

function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
