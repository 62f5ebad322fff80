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
const COMPLETION: Readonly<Record<number, Completion>> = {
  0: { name: 'ok', handling: 'ok' },
  192: { name: 'node busy', handling: 'busy' },
  193: { name: 'invalid command', handling: 'unsupported' },
  194: { name: 'command invalid for this unit', handling: 'refused' },
  195: { name: 'timeout while processing', handling: 'unclear' },
  196: { name: 'out of space', handling: 'refused' },
  197: { name: 'reservation cancelled or invalid', handling: 'refused' },
  198: { name: 'request data truncated', handling: 'refused' },
  199: { name: 'request data length invalid', handling: 'refused' },
  200: { name: 'request data field length limit exceeded', handling: 'refused' },
  201: { name: 'parameter out of range', handling: 'refused' },
  202: { name: 'can not return that many data bytes', handling: 'refused' },
  203: { name: 'sensor, data or record not present', handling: 'refused' },
  204: { name: 'invalid data field in request', handling: 'refused' },
  205: { name: 'command illegal for this sensor or record', handling: 'refused' },
  206: { name: 'response could not be provided', handling: 'refused' },
  207: { name: 'duplicated request', handling: 'unclear' },
  208: { name: 'sensor records are being updated', handling: 'busy' },
  209: { name: 'firmware is being updated', handling: 'busy' },
  210: { name: 'the controller is starting', handling: 'busy' },
  211: { name: 'destination unavailable', handling: 'refused' },
  212: { name: 'insufficient privilege', handling: 'privilege' },
  213: { name: 'not supported in present state', handling: 'state' },
  214: { name: 'sub-function disabled', handling: 'refused' },
  255: { name: 'unspecified error', handling: 'refused' },
}

/** What a completion code means. 0x01 to 0x7E are the maker's, 0x80 to 0xBE the command's own (`CommandSpec.completions`). */
export function completionOf(code: number, spec?: { completions?: Readonly<Record<number, Completion>> }): Completion {
  const known = COMPLETION[code] ?? spec?.completions?.[code]
  if (known !== undefined) return known
  const hex = `0x${code.toString(16).padStart(2, '0')}`
  if (code >= 0x01 && code <= 0x7e) return { name: `maker's code ${hex}`, handling: 'refused' }
  return { name: code >= 0x80 && code <= 0xbe ? `command's code ${hex}` : `unknown code ${hex}`, handling: 'refused' }
}
