import t from 'tap'
import { endpointOf, parseAddress } from '../../src/wire/ipmi/address.ts'
import { encodeSuiteRecords, parseSuiteRecords } from '../../src/wire/ipmi/capabilities.ts'
import { type CommandSpec, privilegeOf } from '../../src/wire/ipmi/command.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { completionOf } from '../../src/wire/ipmi/completion.ts'
import { FrameError, IpmiError } from '../../src/wire/ipmi/failure.ts'
import { isUsable, renderGuid } from '../../src/wire/ipmi/guid.ts'
import { QUIRKS } from '../../src/wire/ipmi/quirks.ts'
import { statusOf } from '../../src/wire/ipmi/status.ts'
import { accept, freshWindow } from '../../src/wire/ipmi/window.ts'

/** Bytes from hexadecimal text; blanks only show where fields end. */
const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')

/** Why something was refused, or what was taken instead. */
const reasonOf = (work: () => unknown): string => {
  try {
    return `taken: ${JSON.stringify(work())}`
  } catch (error) {
    return error instanceof FrameError || error instanceof IpmiError ? error.reason : String(error)
  }
}

const OFF = {
  on: false,
  restorePolicy: 'previous',
  overload: false,
  interlock: false,
  fault: false,
  controlFault: false,
  lastEvent: { mainsFailed: false, overload: false, interlock: false, fault: false, onByCommand: false },
  intrusion: false,
  frontPanelLockout: false,
  driveFault: false,
  fanFault: false,
} as const

const NO_EVENT = OFF.lastEvent

/** name, direction, bytes, value: each is encoded and decoded. */
const cases: [keyof typeof COMMANDS, 'asks' | 'answers', string, unknown][] = [
  ['chassisStatus', 'asks', '', undefined],
  ['chassisStatus', 'answers', '20 00 00', OFF],
  ['chassisStatus', 'answers', '41 10 00', { ...OFF, on: true, restorePolicy: 'on', lastEvent: { ...NO_EVENT, onByCommand: true } }],
  [
    'chassisStatus',
    'answers',
    '00 01 01 05',
    { ...OFF, restorePolicy: 'off', lastEvent: { ...NO_EVENT, mainsFailed: true }, intrusion: true, frontPanel: 5 },
  ],
  [
    'chassisStatus',
    'answers',
    '7e 0e 0e',
    {
      ...OFF,
      restorePolicy: 'unknown',
      overload: true,
      interlock: true,
      fault: true,
      controlFault: true,
      lastEvent: { mainsFailed: false, overload: true, interlock: true, fault: true, onByCommand: false },
      frontPanelLockout: true,
      driveFault: true,
      fanFault: true,
    },
  ],
  ['chassisControl', 'asks', '00', { action: 'down' }],
  ['chassisControl', 'asks', '01', { action: 'up' }],
  ['chassisControl', 'answers', '', undefined],
  ['setRestorePolicy', 'asks', '00', { policy: 'off' }],
  ['setRestorePolicy', 'asks', '01', { policy: 'previous' }],
  ['setRestorePolicy', 'asks', '02', { policy: 'on' }],
  ['setRestorePolicy', 'asks', '03', { policy: 'unchanged' }],
  ['setRestorePolicy', 'answers', '07', { supported: ['off', 'previous', 'on'] }],
  ['setRestorePolicy', 'answers', '04', { supported: ['on'] }],
  ['setRestorePolicy', 'answers', '00', { supported: [] }],
  ['restartCause', 'asks', '', undefined],
  ['restartCause', 'answers', '01 0e', { cause: 1, name: 'chassis control', channel: 14 }],
  ['restartCause', 'answers', '0f 01', { cause: 15, name: 'cause 15', channel: 1 }],
  ['deviceId', 'asks', '', undefined],
  [
    'deviceId',
    'answers',
    '20 01 82 72 02 bf a20200 0301',
    {
      id: 0x20,
      revision: 1,
      updating: true,
      firmware: '2.72',
      ipmi: '2.0',
      additional: 0xbf,
      manufacturer: 674,
      product: 0x0103,
    },
  ],
  [
    'deviceId',
    'answers',
    '23 09 08 00 51 9f 911200 020f aabbccdd',
    {
      id: 0x23,
      revision: 9,
      updating: false,
      firmware: '8.00',
      ipmi: '1.5',
      additional: 0x9f,
      manufacturer: 0x1291,
      product: 0x0f02,
      auxiliary: hex('aabbccdd'),
    },
  ],
  ['deviceGuid', 'asks', '', undefined],
  ['deviceGuid', 'answers', '000102030405060708090a0b0c0d0e0f', { guid: hex('000102030405060708090a0b0c0d0e0f') }],
  ['systemGuid', 'asks', '', undefined],
  ['systemGuid', 'answers', '', { guid: null }],
  ['setSessionPrivilege', 'asks', '03', { privilege: 'operator' }],
  ['setSessionPrivilege', 'answers', '04', { privilege: 'administrator' }],
  ['closeSession', 'asks', '05040302', { sessionId: 0x02030405 }],
  ['closeSession', 'answers', '', undefined],
  ['sessionInfo', 'asks', '00', undefined],
  ['sessionInfo', 'answers', '00 04 01', { handle: 0, limit: 4, active: 1 }],
  [
    'sessionInfo',
    'answers',
    '07 04 02 03 03 11',
    { handle: 7, limit: 4, active: 2, session: { user: 3, privilege: 3, channel: 1, rmcpPlus: true } },
  ],
  ['dcmiPower', 'asks', 'dc 01 00 00', undefined],
  [
    'dcmiPower',
    'answers',
    'dc 7b00 0100 ff01 8000 04030201 e8030000 40',
    {
      watts: 123,
      minimum: 1,
      maximum: 511,
      average: 128,
      at: 0x01020304,
      periodMs: 1000,
      measuring: true,
    },
  ],
  ['authCapabilities', 'asks', '8e 04', { privilege: 'administrator', extended: true }],
  ['authCapabilities', 'asks', '0e 02', { privilege: 'user', extended: false }],
  [
    'authCapabilities',
    'answers',
    '01 94 25 02 a20200 07',
    {
      channel: 1,
      authTypes: 0x14,
      extended: true,
      ipmi15: false,
      ipmi20: true,
      kg: true,
      perMessageAuthDisabled: false,
      userLevelAuthDisabled: false,
      namedUsers: true,
      namelessUsers: false,
      anonymous: true,
      oem: 674,
      oemData: 7,
    },
  ],
  ['cipherSuites', 'asks', '0e 00 80', { index: 0 }],
  ['cipherSuites', 'asks', '0e 00 bf', { index: 63 }],
  ['cipherSuites', 'answers', '01 c0 11 03 44 81', { channel: 1, bytes: hex('c0 11 03 44 81') }],
  ['cipherSuites', 'answers', '01', { channel: 1, bytes: hex('') }],
]

t.test('every command, byte by byte both ways', async t => {
  for (const [name, direction, bytes, value] of cases) {
    const spec: CommandSpec<never, unknown> = COMMANDS[name] as CommandSpec<never, unknown>
    const encoded = direction === 'asks' ? spec.encode(value as never) : spec.encodeReply(value)
    t.equal(encoded.toString('hex'), hex(bytes).toString('hex'), `${name} ${direction} '${bytes}': written`)
    t.same(direction === 'asks' ? spec.decodeArgs(hex(bytes)) : spec.decode(hex(bytes)), value, `${name} ${direction} '${bytes}': read`)
  }
  const shown = new Set(cases.map(([name, direction]) => `${name} ${direction}`))
  for (const name of Object.keys(COMMANDS)) t.ok(shown.has(`${name} asks`) && shown.has(`${name} answers`), `${name} was shown both ways`)
})

t.test('every command refuses other lengths', async t => {
  for (const [name, direction, bytes] of cases) {
    const spec: CommandSpec<never, unknown> = COMMANDS[name] as CommandSpec<never, unknown>
    const decode = direction === 'asks' ? spec.decodeArgs : spec.decode
    const lengths = new Set(cases.filter(one => one[0] === name && one[1] === direction).map(one => hex(one[2]).length))
    // A network session's address behind what is read of Get Session Info; the page of suites has no fixed length.
    if (name === 'sessionInfo') lengths.add(18)
    if (name === 'cipherSuites' && direction === 'answers') for (let length = 1; length <= 17; length++) lengths.add(length)
    if (name === 'deviceGuid' || name === 'systemGuid') lengths.add(0).add(16)
    const long = Buffer.concat([hex(bytes), Buffer.alloc(40)])
    for (let length = 0; length <= 40; length++) {
      if (lengths.has(length) && (direction === 'answers' || length === hex(bytes).length)) continue
      const reason = reasonOf(() => decode(long.subarray(0, length)))
      if (!/^(short|long|field)$/.test(reason)) t.fail(`${name} ${direction} with ${length} bytes: ${reason}`)
    }
  }
  t.match(COMMANDS.sessionInfo.decode(hex('07 04 02 03 03 11 0a000001 001122334455 6f02')), { session: { user: 3 } })
})

t.test('what commands refuse', async t => {
  for (let action = 2; action < 256; action++) {
    const reason = reasonOf(() => COMMANDS.chassisControl.decodeArgs(Buffer.from([action])))
    if (reason !== 'field') t.fail(`chassis action ${action}: ${reason}`)
  }
  const words = JSON.stringify(COMMANDS).toLowerCase()
  for (const word of ['cycle', 'reset', 'soft']) t.notOk(words.includes(word), `no ${word} in the table`)
  t.equal(
    reasonOf(() => COMMANDS.setRestorePolicy.decodeArgs(hex('04'))),
    'field',
  )
  for (const level of ['00', '01', '05'])
    t.equal(
      reasonOf(() => COMMANDS.setSessionPrivilege.decode(hex(level))),
      'field',
      `level ${level}`,
    )
  t.equal(
    reasonOf(() => COMMANDS.authCapabilities.decodeArgs(hex('8e 05'))),
    'field',
  )
  t.equal(
    reasonOf(() => COMMANDS.sessionInfo.decodeArgs(hex('01'))),
    'field',
    'another session',
  )
  t.equal(
    reasonOf(() => COMMANDS.dcmiPower.decode(hex('dd 7b00 0100 ff01 8000 04030201 e8030000 40'))),
    'field',
    'another group',
  )
  t.equal(
    reasonOf(() => COMMANDS.dcmiPower.decodeArgs(hex('dc 02 00 00'))),
    'field',
  )
  t.equal(
    reasonOf(() => COMMANDS.dcmiPower.decodeArgs(hex('db 01 00 00'))),
    'field',
  )
  t.equal(
    reasonOf(() => COMMANDS.cipherSuites.decodeArgs(hex('0e 01 80'))),
    'field',
    'suites of another payload',
  )
  t.equal(
    reasonOf(() => COMMANDS.cipherSuites.decodeArgs(hex('0e 00 00'))),
    'field',
    'a list by algorithms',
  )
})

t.test('the table: numbers, privileges and sections as in the reference', async t => {
  const table = Object.entries(COMMANDS).map(([key, { netFn, command, privilege, section, sessionless = false }]) => {
    const number = [netFn, command].map(byte => byte.toString(16).padStart(2, '0')).join('/')
    return `${key} ${number} ${privilege} §${section}${sessionless ? ' sessionless' : ''}`
  })
  t.same(table, [
    'chassisStatus 00/01 user §28.2',
    'chassisControl 00/02 operator §28.3',
    'setRestorePolicy 00/06 operator §28.8',
    'restartCause 00/07 user §28.11',
    'deviceId 06/01 user §20.1',
    'deviceGuid 06/08 user §20.8',
    'systemGuid 06/37 user §22.14 sessionless',
    'setSessionPrivilege 06/3b user §22.18',
    'closeSession 06/3c user §22.19',
    'sessionInfo 06/3d user §22.20',
    'dcmiPower 2c/02 user §DCMI 6.6.1',
    'authCapabilities 06/38 user §22.13 sessionless',
    'cipherSuites 06/54 user §22.15 sessionless',
  ])
  t.same([0, 1, 2, 3, 4, 5].map(privilegeOf), [undefined, undefined, 'user', 'operator', 'administrator', undefined])
})

t.test('records of cipher suites', async t => {
  const bytes = hex('c0 03 01 41 81 | c0 11 03 44 81 | c1 80 a20200 03 41 44 81 82'.replace(/\|/g, ''))
  const suites = [
    { id: 3, auth: 1, integrity: [1], confidentiality: [1] },
    { id: 17, auth: 3, integrity: [4], confidentiality: [1] },
    { id: 0x80, oem: 674, auth: 3, integrity: [1, 4], confidentiality: [1, 2] },
  ]
  t.same(parseSuiteRecords(bytes), suites)
  t.equal(encodeSuiteRecords(suites).toString('hex'), bytes.toString('hex'))
  t.same(parseSuiteRecords(hex('')), [])
  t.equal(
    reasonOf(() => parseSuiteRecords(hex('03 01 41 81'))),
    'field',
    'begins in the middle',
  )
  t.equal(
    reasonOf(() => parseSuiteRecords(hex('c0'))),
    'short',
  )
  t.equal(
    reasonOf(() => parseSuiteRecords(hex('c1 80 a202'))),
    'short',
  )
})

t.test('completion codes', async t => {
  const handlings: Record<string, number[]> = {
    ok: [0x00],
    busy: [0xc0, 0xd0, 0xd1, 0xd2],
    unclear: [0xc3, 0xcf],
    state: [0xd5],
    privilege: [0xd4],
    unsupported: [0xc1],
  }
  const special = new Map(Object.entries(handlings).flatMap(([handling, codes]) => codes.map(code => [code, handling] as const)))
  for (let code = 0; code < 256; code++) {
    const { handling, name } = completionOf(code)
    if (handling !== (special.get(code) ?? 'refused') || name === '') t.fail(`code ${code.toString(16)}: ${handling} ${name}`)
  }
  t.equal(completionOf(0xff).name, 'unspecified error')
  t.equal(completionOf(0x42).name, "maker's code 0x42")
  t.equal(completionOf(0x87).name, "command's code 0x87")
  t.equal(completionOf(0xe0).name, 'unknown code 0xe0')
  t.equal(completionOf(0x80, COMMANDS.chassisControl).handling, 'state', "chassis control's own: not in this state")
  t.equal(completionOf(0x81, COMMANDS.setSessionPrivilege).handling, 'privilege')
  t.equal(completionOf(0x87, COMMANDS.closeSession).name, 'no such session id')
  t.equal(completionOf(0xd4, COMMANDS.chassisControl).handling, 'privilege')
})

t.test('status codes of the handshake', async t => {
  const kinds: Record<string, number[]> = { ok: [0], suite: [4, 5, 16, 17, 18], auth: [9, 10, 12, 13, 15], other: [3, 6, 7, 14] }
  const special = new Map(Object.entries(kinds).flatMap(([kind, codes]) => codes.map(code => [code, kind] as const)))
  for (let code = 0; code < 256; code++) {
    const { kind, name } = statusOf(code)
    if (kind !== (special.get(code) ?? 'retry') || name === '') t.fail(`status ${code}: ${kind} ${name}`)
  }
  t.equal(statusOf(0x40).name, 'unknown status 0x40', 'a flipped bit is tried again, never final')
})

t.test('the window of sequence numbers', async t => {
  /** Runs numbers through a fresh window: `y` taken, `n` not. */
  const run = (...numbers: number[]): string => {
    let window = freshWindow()
    return numbers
      .map(number => {
        const next = accept(window, number)
        window = next.window
        return next.accepted ? 'y' : 'n'
      })
      .join('')
  }
  const last = 0xffff_ffff
  const rows: [string, number[], string][] = [
    ['in order', [1, 2, 3], 'yyy'],
    ['0 is no number, first or later', [0, 1, 0], 'nyn'],
    ['repeats', [1, 1, 2, 2, 1], 'ynynn'],
    ['two swapped', [1, 3, 2, 2], 'yyyn'],
    ['every other number (ASRock)', [1, 3, 5, 7], 'yyyy'],
    ['any first number', [0x8000_0000], 'y'],
    ['a jump forward', [1, 1_000_000, 1_000_001], 'yyy'],
    ['a jump forgets what is far behind', [1, 1_000, 2], 'yyn'],
    ['31 late', [40, 9, 9], 'yyn'],
    ['32 late', [40, 8], 'yn'],
    ['a jump of 31 keeps the oldest', [1, 32, 1], 'yyn'],
    ['a jump of 32 drops it, and it is too old', [1, 33, 1], 'yyn'],
    ['around the end', [last - 1, last, 1, 2], 'yyyy'],
    ['around the end, one lost', [last, 2, 1, 1], 'yyyn'],
    ['late from before the end', [last - 1, 2, last, last, last - 1], 'yyynn'],
    ['a replay of what was before the end', [last, 1, last], 'yyn'],
    ['0 does not come between', [last, 0, 1], 'yny'],
    ['half way round is behind', [1, 0x8000_0002, 1], 'ynn'],
  ]
  for (const [name, numbers, expected] of rows) t.equal(run(...numbers), expected, name)
  t.same(accept(freshWindow(), 5), { accepted: true, window: { highest: 5, seen: 1 } })
  const window = { highest: 5, seen: 1 }
  t.equal(accept(window, 5).window, window, 'what is not taken changes nothing')
})

t.test('GUIDs in three orders', async t => {
  // One UUID, 11223344-5566-4788-99aa-bbccddeeff00, as three kinds of firmware send it.
  const uuid = '11223344-5566-4788-99aa-bbccddeeff00'
  const rows: [string, 'rfc4122' | 'smbios' | 'specification'][] = [
    ['112233445566478899aabbccddeeff00', 'rfc4122'],
    ['443322116655884799aabbccddeeff00', 'smbios'],
    ['00ffeeddccbbaa998847665544332211', 'specification'],
  ]
  for (const [raw, order] of rows) {
    const guid = renderGuid(hex(raw))
    t.equal(guid.raw, raw)
    t.equal(guid[order], uuid, order)
    t.equal(guid.likely, uuid, `${order} is told by version and variant`)
  }
  // What ipmi_sim is set to in the reference.
  const odd = renderGuid(hex('0123456789abcdef0123456789abcdef'))
  t.same(
    odd,
    {
      raw: '0123456789abcdef0123456789abcdef',
      specification: 'efcdab89-6745-2301-efcd-ab8967452301',
      smbios: '67452301-ab89-efcd-0123-456789abcdef',
      rfc4122: '01234567-89ab-cdef-0123-456789abcdef',
      likely: 'efcdab89-6745-2301-efcd-ab8967452301',
    },
    'the version alone decides where no variant does',
  )
  t.equal(renderGuid(hex('ff'.repeat(16))).likely, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  t.equal(
    renderGuid(hex('11223344556657475799aabbccddee00')).likely,
    '44332211-6655-4757-5799-aabbccddee00',
    "where several make sense: SMBIOS's",
  )
  t.notOk(isUsable(hex('00'.repeat(16))))
  t.notOk(isUsable(hex('ff'.repeat(16))))
  t.notOk(isUsable(hex('')))
  t.ok(isUsable(hex(`${'00'.repeat(15)}01`)))
  t.throws(() => renderGuid(hex('00')), RangeError)
})

t.test('addresses', async t => {
  const good: [string, { host: string; port: number }, string][] = [
    ['ipmi://10.0.0.7', { host: '10.0.0.7', port: 623 }, '10.0.0.7'],
    ['ipmi://10.0.0.7:623', { host: '10.0.0.7', port: 623 }, '10.0.0.7'],
    ['IPMI://BMC-1.example:9001/', { host: 'bmc-1.example', port: 9001 }, 'bmc-1.example:9001'],
    ['ipmi://[FD00:0::7]', { host: 'fd00::7', port: 623 }, '[fd00::7]'],
    ['ipmi://[fd00::7]:65535', { host: 'fd00::7', port: 65_535 }, '[fd00::7]:65535'],
    ['ipmi://[fe80::1%eth0]', { host: 'fe80::1%eth0', port: 623 }, '[fe80::1%eth0]'],
    // One host, one lease: whatever way it is written.
    ['ipmi://bmc1.example.', { host: 'bmc1.example', port: 623 }, 'bmc1.example'],
    ['ipmi://10.0.0.7.:9001', { host: '10.0.0.7', port: 9001 }, '10.0.0.7:9001'],
    ['ipmi://[::ffff:10.0.0.7]', { host: '10.0.0.7', port: 623 }, '10.0.0.7'],
    ['ipmi://[0:0:0:0:0:FFFF:a00:7]:9001', { host: '10.0.0.7', port: 9001 }, '10.0.0.7:9001'],
    ['ipmi://[fe80::1%25eth0]', { host: 'fe80::1%eth0', port: 623 }, '[fe80::1%eth0]'],
    ['ipmi://[fe80:0::1%25Eth0.7]', { host: 'fe80::1%Eth0.7', port: 623 }, '[fe80::1%Eth0.7]'],
    ['ipmi://[fe80::1%25]', { host: 'fe80::1%25', port: 623 }, '[fe80::1%25]'],
    ['ipmi://7up', { host: '7up', port: 623 }, '7up'],
    ['ipmi://a_b', { host: 'a_b', port: 623 }, 'a_b'],
  ]
  for (const [text, expected, endpoint] of good) {
    t.same(parseAddress(text), expected, text)
    t.equal(endpointOf(parseAddress(text)), endpoint, `${text}: endpoint`)
  }
  const bad = [
    '',
    'bmc',
    'bmc:623',
    'ipmi:bmc',
    'ipmi://',
    'ipmi:///',
    'ipmi://:623',
    'http://bmc',
    'ipmi://bmc:0',
    'ipmi://bmc:65536',
    'ipmi://bmc:x',
    'ipmi://bmc/x',
  ]
  bad.push(
    'ipmi://user:secret@bmc',
    'ipmi://bmc?x=1',
    'ipmi://bmc#x',
    'ipmi://fd00::7',
    'ipmi://[bmc]',
    'ipmi://[::1',
    'ipmi://bm c',
    'ipmi://10.0.0.256',
    'ipmi://bmc\n',
  )
  // What a slip of the hand leaves behind must not become another machine.
  bad.push('ipmi://-', 'ipmi://.', 'ipmi://_', 'ipmi://..', 'ipmi://bmc..', 'ipmi://a..b', 'ipmi://.bmc')
  bad.push('ipmi://1', 'ipmi://1.', 'ipmi://10.1', 'ipmi://0x7f.1', 'ipmi://010.0.0.1', 'ipmi://2130706433', 'ipmi://10.0.0.7..')
  bad.push('ipmi://[::1%]', 'ipmi://[fe80::1%a b]', 'ipmi://[fe80::1%a%b]', 'ipmi://[::ffff:10.0.0.7%eth0]', 'ipmi://[]', 'ipmi://[%eth0]')
  for (const text of bad)
    t.equal(
      reasonOf(() => parseAddress(text)),
      'bad_address',
      JSON.stringify(text),
    )
  try {
    parseAddress('ipmi://admin:hunter2@bmc')
  } catch (error) {
    t.notMatch(String(error), /hunter2/, 'no secret in the error')
  }
})

t.test('quirks are described', async t => {
  for (const [name, quirk] of Object.entries(QUIRKS))
    for (const [field, text] of Object.entries(quirk)) t.ok(text.length > 3, `${name}: ${field}`)
  t.equal(Object.keys(QUIRKS).length, 6)
})
