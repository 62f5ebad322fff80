/**
 * The byte orders in which BMCs send a GUID. `smbios`: the first three fields little-endian (most boards). `specification`: all reversed, the
 * node first (§20.8). `rfc4122`: as it is written. `zero`: none was ever set.
 */
export type GuidOrder = 'smbios' | 'specification' | 'rfc4122' | 'zero'

/** The 16 bytes that a BMC sends for a UUID. */
export function guidBytes(uuid: string, order: GuidOrder): Buffer {
  const written = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  switch (order) {
    case 'rfc4122':
      return written
    case 'specification':
      return written.reverse()
    case 'smbios':
      written.subarray(0, 4).reverse()
      written.subarray(4, 6).reverse()
      written.subarray(6, 8).reverse()
      return written
    case 'zero':
      return Buffer.alloc(16)
  }
}
