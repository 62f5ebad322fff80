/** What to make of a completion code. */
export interface Completion {
  name: string
  /**
   * `busy`: ask again later; `unclear`: it may have been done, only a read tells; `state`: not possible as things are (off while off);
   * `privilege`: the session may not; `unsupported`: the BMC has no such command; `refused`: all others.
   */
  handling: 'ok' | 'busy' | 'unclear' | 'state' | 'privilege' | 'unsupported' | 'refused'
}

/** Table 5-2. */
const ROWS: readonly [code: number, name: string, handling: Completion['handling']][] = [
  [0x00, 'ok', 'ok'],
  [0xc0, 'node busy', 'busy'],
  [0xc1, 'invalid command', 'unsupported'],
  [0xc2, 'command invalid for this unit', 'refused'],
  [0xc3, 'timeout while processing', 'unclear'],
  [0xc4, 'out of space', 'refused'],
  [0xc5, 'reservation cancelled or invalid', 'refused'],
  [0xc6, 'request data truncated', 'refused'],
  [0xc7, 'request data length invalid', 'refused'],
  [0xc8, 'request data field length limit exceeded', 'refused'],
  [0xc9, 'parameter out of range', 'refused'],
  [0xca, 'can not return that many data bytes', 'refused'],
  [0xcb, 'sensor, data or record not present', 'refused'],
  [0xcc, 'invalid data field in request', 'refused'],
  [0xcd, 'command illegal for this sensor or record', 'refused'],
  [0xce, 'response could not be provided', 'refused'],
  [0xcf, 'duplicated request', 'unclear'],
  [0xd0, 'sensor records are being updated', 'busy'],
  [0xd1, 'firmware is being updated', 'busy'],
  [0xd2, 'the controller is starting', 'busy'],
  [0xd3, 'destination unavailable', 'refused'],
  [0xd4, 'insufficient privilege', 'privilege'],
  [0xd5, 'not supported in present state', 'state'],
  [0xd6, 'sub-function disabled', 'refused'],
  [0xff, 'unspecified error', 'refused'],
]
const COMPLETIONS = new Map<number, Completion>(ROWS.map(([code, name, handling]) => [code, { name, handling }]))

/** What a completion code means. 0x01 to 0x7E are the maker's, 0x80 to 0xBE the command's own (`CommandSpec.completions`). */
export function completionOf(code: number, spec?: { completions?: ReadonlyMap<number, Completion> }): Completion {
  const known = COMPLETIONS.get(code) ?? spec?.completions?.get(code)
  if (known !== undefined) return known
  const hex = `0x${code.toString(16).padStart(2, '0')}`
  if (code >= 0x01 && code <= 0x7e) return { name: `maker's code ${hex}`, handling: 'refused' }
  return { name: code >= 0x80 && code <= 0xbe ? `command's code ${hex}` : `unknown code ${hex}`, handling: 'refused' }
}
