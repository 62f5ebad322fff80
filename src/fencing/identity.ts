import type { Hardware } from '../core/evidence.ts'
import type { Binding } from '../core/topology.ts'

/** A UUID in one form, or undefined where it identifies nothing: absent, all zeros, all f. */
function usableUuid(uuid: string | undefined): string | undefined {
  const text = uuid?.trim().toLowerCase()
  return text && !/^[0-]+$/.test(text) && !/^[f-]+$/.test(text) ? text : undefined
}

/** A GUID as 32 hexadecimal digits in the order of the wire, or undefined where it identifies nothing. */
function usableGuid(guid: string | undefined): string | undefined {
  const text = usableUuid(guid)?.replaceAll('-', '')
  return text?.length === 32 ? text : undefined
}

/** Board makers fill serials with words; those identify nothing. */
function usableSerial(serial: string | undefined): string | undefined {
  const text = serial?.trim().toLowerCase()
  return text && !/^(0+|none|null|n\/a|not specified|to be filled.*|default string|unknown)$/.test(text) ? text : undefined
}

function reversed(field: string): string {
  return (field.match(/../g) ?? []).reverse().join('')
}

/** The first three fields byte-swapped: SMBIOS before 2.6 stored them little-endian, and some firmware still shows them so. */
function swapped(uuid: string): string {
  const [a = '', b = '', c = '', ...rest] = uuid.split('-')
  return [reversed(a), reversed(b), reversed(c), ...rest].join('-')
}

/**
 * The UUIDs that an IPMI GUID may stand for. The specification has its bytes in reverse (IPMI 2.0, 20.8), many BMCs send the order of SMBIOS (the
 * first three fields little-endian) or of RFC 4122, and nothing in the answer says which.
 */
function readings(guid: string): string[] {
  const dashed = (hex: string) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return [...new Set([dashed(reversed(guid)), swapped(dashed(guid)), dashed(guid)])]
}

/** Every UUID that this hardware may be known by elsewhere: one, or the three readings of a GUID. */
function uuidsOf(hardware: Hardware): string[] {
  const guid = usableGuid(hardware.guid)
  if (guid) return readings(guid)
  const uuid = usableUuid(hardware.uuid)
  return uuid ? [uuid] : []
}

/** Supermicro derives a UUID from the MAC behind a zero prefix: it names the board, but an operating system may show another. */
function isWeak(uuid: string): boolean {
  return uuid.startsWith('00000000-0000-0000-0000-')
}

/**
 * The keys under which a piece of hardware is claimed, so that it can't be registered twice by one driver, and is known again by another (S6).
 * None: it tells nothing about itself.
 */
export function hardwareKeys(hardware: Hardware): string[] {
  const uuids = uuidsOf(hardware)
  if (uuids.length > 0) return uuids.map(uuid => `uuid:${uuid}`)
  const serial = usableSerial(hardware.serial)
  return serial ? [`serial:${(hardware.manufacturer ?? '').toLowerCase()}:${serial}:${hardware.system ?? ''}`] : []
}

/**
 * Whether what answers is still what was pinned: nothing that both tell may differ, and at least one thing that was pinned must be told again.
 * GUIDs are compared as they were sent: firmware that changes its byte order is looked at by a person. Hardware that never told anything can't be
 * recognised, and passes: its binding stays declared.
 */
export function sameHardware(pinned: Hardware, seen: Hardware): boolean {
  const pairs = [
    [usableUuid(pinned.uuid), usableUuid(seen.uuid)],
    [usableGuid(pinned.guid), usableGuid(seen.guid)],
    [usableSerial(pinned.serial), usableSerial(seen.serial)],
  ] as const
  if (pairs.some(([was, is]) => was !== undefined && is !== undefined && was !== is)) return false
  return pairs.every(([was]) => was === undefined) || pairs.some(([was, is]) => was !== undefined && was === is)
}

/** How a node's own `systemUuid` and the hardware that answers go together: `contradicted` where both speak and differ (S9). */
export function bindingOf(systemUuid: string | undefined, hardware: Hardware): Binding | 'contradicted' {
  const node = usableUuid(systemUuid)
  if (!node) return 'declared'
  if (usableSerial(hardware.serial) === node) return 'proven'
  const boards = uuidsOf(hardware)
  if (boards.length === 0) return 'declared'
  if (boards.some(board => node === board || node === swapped(board))) return 'proven'
  return boards.some(isWeak) ? 'declared' : 'contradicted'
}
