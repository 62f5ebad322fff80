import type { Hardware } from '../core/evidence.ts'
import type { Binding } from '../core/topology.ts'

/** A UUID in one form, or undefined where it identifies nothing: absent, all zeros, all f. */
function usableUuid(uuid: string | undefined): string | undefined {
  const text = uuid?.trim().toLowerCase()
  return text && !/^[0-]+$/.test(text) && !/^[f-]+$/.test(text) ? text : undefined
}

/** Board makers fill serials with words; those identify nothing. */
function usableSerial(serial: string | undefined): string | undefined {
  const text = serial?.trim().toLowerCase()
  return text && !/^(0+|none|null|n\/a|not specified|to be filled.*|default string|unknown)$/.test(text) ? text : undefined
}

/** The first three fields byte-swapped: SMBIOS before 2.6 stored them little-endian, and some firmware still shows them so. */
function swapped(uuid: string): string {
  const swap = (field: string) => (field.match(/../g) ?? []).reverse().join('')
  const [a = '', b = '', c = '', ...rest] = uuid.split('-')
  return [swap(a), swap(b), swap(c), ...rest].join('-')
}

/** Supermicro derives a UUID from the MAC behind a zero prefix: it names the board, but an operating system may show another. */
function isWeak(uuid: string): boolean {
  return uuid.startsWith('00000000-0000-0000-0000-')
}

/** The keys under which a piece of hardware is claimed, so that it can't be registered twice (S6). None: it tells nothing about itself. */
export function hardwareKeys(hardware: Hardware): string[] {
  const uuid = usableUuid(hardware.uuid)
  if (uuid) return [`uuid:${uuid}`]
  const serial = usableSerial(hardware.serial)
  return serial ? [`serial:${(hardware.manufacturer ?? '').toLowerCase()}:${serial}:${hardware.system ?? ''}`] : []
}

/**
 * Whether what answers is still what was pinned: nothing that both tell may differ, and at least one thing that was pinned must be told again.
 * Hardware that never told anything can't be recognised, and passes: its binding stays declared.
 */
export function sameHardware(pinned: Hardware, seen: Hardware): boolean {
  const pairs = [
    [usableUuid(pinned.uuid), usableUuid(seen.uuid)],
    [usableSerial(pinned.serial), usableSerial(seen.serial)],
  ] as const
  if (pairs.some(([was, is]) => was !== undefined && is !== undefined && was !== is)) return false
  return pairs.every(([was]) => was === undefined) || pairs.some(([was, is]) => was !== undefined && was === is)
}

/** How a node's own `systemUuid` and the hardware that answers go together: `contradicted` where both speak and differ (S9). */
export function bindingOf(systemUuid: string | undefined, hardware: Hardware): Binding | 'contradicted' {
  const node = usableUuid(systemUuid)
  const board = usableUuid(hardware.uuid)
  if (!node) return 'declared'
  if (usableSerial(hardware.serial) === node) return 'proven'
  if (!board) return 'declared'
  if (node === board || node === swapped(board)) return 'proven'
  return isWeak(board) ? 'declared' : 'contradicted'
}
