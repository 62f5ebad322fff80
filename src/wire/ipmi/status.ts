/** What an RMCP+ status code means for a log-in. None is authenticated: an `auth` only counts when it comes again. */
export interface SetupStatus {
  name: string
  /** `retry`: a new handshake later; `suite`: another cipher suite; `auth`: user, password, privilege or key; `other`: we, or the BMC, do something wrong. */
  kind: 'ok' | 'retry' | 'suite' | 'auth' | 'other'
}

/** Table 13-15. 01 is meant for a full session table; an Intel M50CYP also sends it for a suite it lacks (FreeIPMI LAN issue 28). */
const ROWS: readonly [code: number, name: string, kind: SetupStatus['kind']][] = [
  [0x00, 'ok', 'ok'],
  [0x01, 'insufficient resources to create a session', 'retry'],
  [0x02, 'invalid session id', 'retry'],
  [0x03, 'invalid payload type', 'other'],
  [0x04, 'invalid authentication algorithm', 'suite'],
  [0x05, 'invalid integrity algorithm', 'suite'],
  [0x06, 'no matching authentication payload', 'other'],
  [0x07, 'no matching integrity payload', 'other'],
  [0x08, 'inactive session id', 'retry'],
  [0x09, 'invalid role', 'auth'],
  [0x0a, 'unauthorized role or privilege level requested', 'auth'],
  [0x0b, 'insufficient resources to create a session at the requested time', 'retry'],
  [0x0c, 'invalid name length', 'auth'],
  [0x0d, 'unauthorized name', 'auth'],
  [0x0e, 'unauthorized GUID', 'other'],
  [0x0f, 'invalid integrity check value', 'auth'],
  [0x10, 'invalid confidentiality algorithm', 'suite'],
  [0x11, 'no cipher suite match with proposed security algorithms', 'suite'],
  [0x12, 'illegal or unrecognized parameter', 'suite'],
]
const STATUSES = new Map<number, SetupStatus>(ROWS.map(([code, name, kind]) => [code, { name, kind }]))

/** What a status code of the handshake means. Unknown ones are tried again: a flipped bit makes them (0x40 was seen). */
export function statusOf(code: number): SetupStatus {
  return STATUSES.get(code) ?? { name: `unknown status 0x${code.toString(16).padStart(2, '0')}`, kind: 'retry' }
}
