/** What an RMCP+ status code means for a log-in. None is authenticated: an `auth` only counts when it comes again. */
export interface SetupStatus {
  name: string
  /** `retry`: a new handshake later; `suite`: another cipher suite; `auth`: user, password, privilege or key; `other`: we, or the BMC, do something wrong. */
  kind: 'ok' | 'retry' | 'suite' | 'auth' | 'other'
}

/** Table 13-15. 01 is meant for a full session table; an Intel M50CYP also sends it for a suite it lacks (FreeIPMI LAN issue 28). */
const STATUS: Readonly<Record<number, SetupStatus>> = {
  0: { name: 'ok', kind: 'ok' },
  1: { name: 'insufficient resources to create a session', kind: 'retry' },
  2: { name: 'invalid session id', kind: 'retry' },
  3: { name: 'invalid payload type', kind: 'other' },
  4: { name: 'invalid authentication algorithm', kind: 'suite' },
  5: { name: 'invalid integrity algorithm', kind: 'suite' },
  6: { name: 'no matching authentication payload', kind: 'other' },
  7: { name: 'no matching integrity payload', kind: 'other' },
  8: { name: 'inactive session id', kind: 'retry' },
  9: { name: 'invalid role', kind: 'auth' },
  10: { name: 'unauthorized role or privilege level requested', kind: 'auth' },
  11: { name: 'insufficient resources to create a session at the requested time', kind: 'retry' },
  12: { name: 'invalid name length', kind: 'auth' },
  13: { name: 'unauthorized name', kind: 'auth' },
  14: { name: 'unauthorized GUID', kind: 'other' },
  15: { name: 'invalid integrity check value', kind: 'auth' },
  16: { name: 'invalid confidentiality algorithm', kind: 'suite' },
  17: { name: 'no cipher suite match with proposed security algorithms', kind: 'suite' },
  18: { name: 'illegal or unrecognized parameter', kind: 'suite' },
}

/** What a status code of the handshake means. Unknown ones are tried again: a flipped bit makes them (0x40 was seen). */
export function statusOf(code: number): SetupStatus {
  return STATUS[code] ?? { name: `unknown status 0x${code.toString(16).padStart(2, '0')}`, kind: 'retry' }
}
