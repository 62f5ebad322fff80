import { PRIVILEGE_LEVELS, type Privilege, privilegeOf, whole } from './command.ts'
import type { Reader } from './cursor.ts'
import { FrameError } from './failure.ts'

/** The channel that a question came over. */
const THIS_CHANNEL = 0x0e

/** Get Channel Authentication Capabilities (§22.13): what log-ins the BMC takes. Its flags are for people: several makers misreport them. */
export interface AuthCapabilities {
  channel: number
  /** IPMI 1.5's methods, one bit each: 0 none, 1 MD2, 2 MD5, 4 password, 5 the maker's own. */
  authTypes: number
  /** Whether the two version flags mean anything: the BMC knows of IPMI 2.0. */
  extended: boolean
  ipmi15: boolean
  ipmi20: boolean
  /** The BMC's own key (Kg) is set. */
  kg: boolean
  perMessageAuthDisabled: boolean
  userLevelAuthDisabled: boolean
  /** Users with names, users without, and a log-in with neither name nor password. */
  namedUsers: boolean
  namelessUsers: boolean
  anonymous: boolean
  oem: number
  oemData: number
}

/** `extended: false` is asked again of BMCs that only know 1.5 and refuse the question. */
export interface AuthCapabilitiesArgs {
  privilege: Privilege
  extended: boolean
}

/** Channel, with bit 7 for 2.0's flags, and privilege. */
export function encodeCapabilitiesArgs({ privilege, extended }: AuthCapabilitiesArgs): Buffer {
  return Buffer.from([THIS_CHANNEL | (extended ? 0x80 : 0), PRIVILEGE_LEVELS[privilege]])
}

/** The channel is not looked at: there is one. Throws FrameError for other privileges than the three. */
export function decodeCapabilitiesArgs(data: Buffer): AuthCapabilitiesArgs {
  return whole(data, reader => {
    const extended = (reader.u8() & 0x80) !== 0
    const level = reader.u8() & 0x0f
    const privilege = privilegeOf(level)
    if (privilege === undefined) throw new FrameError('field', `privilege level ${level}`)
    return { privilege, extended }
  })
}

/** 8 bytes. */
export function decodeCapabilities(data: Buffer): AuthCapabilities {
  return whole(data, reader => {
    const channel = reader.u8() & 0x0f
    const types = reader.u8()
    const users = reader.u8()
    const versions = reader.u8()
    return {
      channel,
      authTypes: types & 0x3f,
      extended: (types & 0x80) !== 0,
      ipmi15: (versions & 1) !== 0,
      ipmi20: (versions & 2) !== 0,
      kg: (users & 0x20) !== 0,
      perMessageAuthDisabled: (users & 0x10) !== 0,
      userLevelAuthDisabled: (users & 8) !== 0,
      namedUsers: (users & 4) !== 0,
      namelessUsers: (users & 2) !== 0,
      anonymous: (users & 1) !== 0,
      oem: reader.u24(),
      oemData: reader.u8(),
    }
  })
}

/** The other direction, for a BMC. */
export function encodeCapabilities(capabilities: AuthCapabilities): Buffer {
  const bytes = Buffer.alloc(8)
  bytes[0] = capabilities.channel
  bytes[1] = capabilities.authTypes | (capabilities.extended ? 0x80 : 0)
  bytes[2] =
    (capabilities.kg ? 0x20 : 0) |
    (capabilities.perMessageAuthDisabled ? 0x10 : 0) |
    (capabilities.userLevelAuthDisabled ? 8 : 0) |
    (capabilities.namedUsers ? 4 : 0) |
    (capabilities.namelessUsers ? 2 : 0) |
    (capabilities.anonymous ? 1 : 0)
  bytes[3] = (capabilities.ipmi15 ? 1 : 0) | (capabilities.ipmi20 ? 2 : 0)
  bytes.writeUIntLE(capabilities.oem, 4, 3)
  bytes[7] = capabilities.oemData
  return bytes
}

/** One page of Get Channel Cipher Suites (§22.15). A page with fewer than 16 bytes is the last. */
export interface CipherSuitePage {
  channel: number
  /** At most 16; records go on over the ends of pages. */
  bytes: Buffer
}

/** How many bytes a page has at most. */
export const PAGE_BYTES = 16
/** Index of the last page that can be asked for. */
export const LAST_PAGE = 0x3f

/** Channel, payload type IPMI, list by suites and index of the page (0 to 63). */
export function encodePageArgs({ index }: { index: number }): Buffer {
  return Buffer.from([THIS_CHANNEL, 0, 0x80 | index])
}

/** Throws FrameError where it asks for another payload's suites or a list by algorithms. */
export function decodePageArgs(data: Buffer): { index: number } {
  return whole(data, reader => {
    reader.skip(1)
    const payload = reader.u8() & 0x3f
    const list = reader.u8()
    if (payload !== 0 || (list & 0x80) === 0) throw new FrameError('field', `suites of payload ${payload}, list ${list}`)
    return { index: list & LAST_PAGE }
  })
}

/** The channel, and up to 16 bytes. */
export function decodePage(data: Buffer): CipherSuitePage {
  return whole(data, reader => {
    const channel = reader.u8() & 0x0f
    if (reader.left > PAGE_BYTES) throw new FrameError('long', `a page of ${reader.left} bytes`)
    return { channel, bytes: reader.rest() }
  })
}

/** The other direction, for a BMC. */
export function encodePage({ channel, bytes }: CipherSuitePage): Buffer {
  return Buffer.concat([Buffer.from([channel]), bytes])
}

/** One suite that a BMC says it has. The id is advisory: some makers' 17 is something else. */
export interface OfferedSuite {
  id: number
  /** IANA's number of the maker whose own suite it is. */
  oem?: number
  auth: number
  integrity: number[]
  confidentiality: number[]
}

/** The records of all pages together: `C0 id auth 40|integrity… 80|confidentiality…`, `C1` with the maker's number behind the id. Throws FrameError. */
export function parseSuiteRecords(bytes: Buffer): OfferedSuite[] {
  return whole(bytes, reader => {
    const suites: OfferedSuite[] = []
    while (reader.left > 0) suites.push(readSuite(reader, bytes))
    return suites
  })
}

function readSuite(reader: Reader, bytes: Buffer): OfferedSuite {
  const start = reader.u8()
  if (start !== 0xc0 && start !== 0xc1) throw new FrameError('field', `a suite's record begins with ${start}`)
  const id = reader.u8()
  const suite: OfferedSuite =
    start === 0xc1
      ? { id, oem: reader.u24(), auth: 0, integrity: [], confidentiality: [] }
      : { id, auth: 0, integrity: [], confidentiality: [] }
  while (reader.left > 0) {
    const next = bytes[bytes.length - reader.left] ?? 0xc0
    if (next >= 0xc0) return suite
    const number = reader.u8() & 0x3f
    if (next >= 0x80) suite.confidentiality.push(number)
    else if (next >= 0x40) suite.integrity.push(number)
    else suite.auth = number
  }
  return suite
}

/** The other direction, for a BMC. */
export function encodeSuiteRecords(suites: readonly OfferedSuite[]): Buffer {
  return Buffer.concat(
    suites.map(({ id, oem, auth, integrity, confidentiality }) => {
      const head = oem === undefined ? [0xc0, id] : [0xc1, id, oem & 0xff, (oem >> 8) & 0xff, oem >> 16]
      return Buffer.from([...head, auth, ...integrity.map(one => 0x40 | one), ...confidentiality.map(one => 0x80 | one)])
    }),
  )
}
