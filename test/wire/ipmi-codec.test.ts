import { createCipheriv, createHmac } from 'node:crypto'
import t from 'tap'
import { checksum } from '../../src/wire/ipmi/checksum.ts'
import { Reader } from '../../src/wire/ipmi/cursor.ts'
import { FrameError } from '../../src/wire/ipmi/failure.ts'
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from '../../src/wire/ipmi/message.ts'
import { rakp2Code, rakp3Code, rakp4Code, roleByte, sameCode, sessionKeys, userBytes } from '../../src/wire/ipmi/rakp.ts'
import { encodePing, encodePong, encodeSetup, encodeV15, type Packet, parsePacket } from '../../src/wire/ipmi/rmcp.ts'
import { seal, unseal } from '../../src/wire/ipmi/seal.ts'
import * as setup from '../../src/wire/ipmi/setup.ts'
import { REFUSED_SUITES, SUITES, sameAlgorithms, suiteOf } from '../../src/wire/ipmi/suites.ts'

/** Bytes from hexadecimal text; blanks and bars only show where fields end. */
const hex = (text: string): Buffer => Buffer.from(text.replace(/[\s|]/g, ''), 'hex')
const text = (bytes: Buffer): string => bytes.toString('hex')

/** Why a decoder refused, or what it took instead. */
const reasonOf = (work: () => unknown): string => {
  try {
    return `taken: ${JSON.stringify(work())}`
  } catch (error) {
    return error instanceof FrameError ? error.reason : String(error)
  }
}

const sessionPacket = (datagram: Buffer): Extract<Packet, { kind: 'session' }> => {
  const packet = parsePacket(datagram)
  if (packet.kind !== 'session') throw new Error(`a ${packet.kind} packet`)
  return packet
}

// One handshake with values that can be told apart: ids a3a2a1a0 and 05040302 on the wire, randoms 00… and 10…, GUID 20….
const RM = hex('000102030405060708090a0b0c0d0e0f')
const RC = hex('101112131415161718191a1b1c1d1e1f')
const GUID = hex('202122232425262728292a2b2c2d2e2f')
const IV = hex('303132333435363738393a3b3c3d3e3f')
const CONSOLE = 0xa0a1a2a3
const BMC = 0x02030405
const USER = Buffer.from('admin')
const FACTS = { consoleId: CONSOLE, bmcId: BMC, consoleRandom: RM, bmcRandom: RC, guid: GUID, role: 0x14, user: USER }

t.test('datagrams, byte by byte both ways', async t => {
  const ping = hex('06 00 ff 06 | 00 00 11 be | 80 | 2a | 00 | 00')
  t.equal(text(encodePing(0x2a)), text(ping), 'ping')
  t.same(parsePacket(ping), { kind: 'ping', tag: 0x2a })
  const pong = hex('06 00 ff 06 | 00 00 11 be | 40 | 2a | 00 | 10 | 000011be | 00000000 | 81 | 00 | 000000000000')
  t.equal(text(encodePong(0x2a)), text(pong), 'pong')
  t.same(parsePacket(pong), { kind: 'pong', tag: 0x2a, ipmi: true })
  t.same(
    parsePacket(hex(`${text(pong).slice(0, 40)}01${text(pong).slice(42)}`)),
    { kind: 'pong', tag: 0x2a, ipmi: false },
    'ASF without IPMI',
  )

  const v15 = hex('06 00 ff 07 | 00 | 00000000 | 00000000 | 03 | 010203')
  t.equal(text(encodeV15(hex('010203'))), text(v15), 'sessionless')
  t.same(parsePacket(v15), { kind: 'v15', message: hex('010203') })
  t.throws(() => encodeV15(Buffer.alloc(256)), RangeError)

  const clear = hex('06 00 ff 07 | 06 | 00 | 00000000 | 00000000 | 0300 | 010203')
  t.match(parsePacket(clear), {
    kind: 'session',
    sessionId: 0,
    sequence: 0,
    encrypted: false,
    authenticated: false,
    payload: hex('010203'),
  })

  for (const [type, number] of [
    ['openRequest', '10'],
    ['openResponse', '11'],
    ['rakp1', '12'],
    ['rakp2', '13'],
    ['rakp3', '14'],
    ['rakp4', '15'],
  ] as const) {
    const bytes = hex(`06 00 ff 07 | 06 | ${number} | 00000000 | 00000000 | 0200 | abcd`)
    t.equal(text(encodeSetup(type, hex('abcd'))), text(bytes), type)
    t.same(parsePacket(bytes), { kind: 'setup', type, payload: hex('abcd') })
  }

  const code = 'c0c1c2c3c4c5c6c7c8c9cacb'
  t.same(
    parsePacket(hex(`06 00 ff 07 | 06 | c0 | a3a2a1a0 | 09000000 | 0300 | 010203 | ffffff | 03 | 07 | ${code}`)),
    {
      kind: 'session',
      sessionId: CONSOLE,
      sequence: 9,
      encrypted: true,
      authenticated: true,
      payload: hex('010203'),
      signed: hex('06 | c0 | a3a2a1a0 | 09000000 | 0300 | 010203 | ffffff | 03 | 07'),
      authCode: hex(code),
    },
    'session, framed',
  )
  t.same(
    parsePacket(hex('06 55 00 06 000011be 80 2a 00 00')),
    { kind: 'ping', tag: 0x2a },
    'reserved byte and sequence of RMCP mean nothing',
  )
})

t.test('datagrams that are dropped, and why', async t => {
  const head = '06 00 ff 07'
  const code16 = '00'.repeat(16)
  const cases: [string, string, string][] = [
    ['empty', '', 'short'],
    ['RMCP header alone', head, 'short'],
    ['another RMCP version', '05 00 ff 07 06', 'not_rmcp'],
    ['acknowledgement of IPMI', '06 00 01 87 00', 'acknowledgement'],
    ['acknowledgement of ASF', '06 00 01 86 00', 'acknowledgement'],
    ['OEM class', '06 00 ff 08 00', 'message_class'],
    ['IPMI 1.5 with MD5', `${head} 02 00000000 00000000 00`, 'auth_type'],
    ['IPMI 1.5 in a session', `${head} 00 00000000 01000000 00`, 'not_sessionless'],
    ['IPMI 1.5 with a sequence', `${head} 00 01000000 00000000 00`, 'not_sessionless'],
    ['IPMI 1.5, header cut', `${head} 00 0000`, 'short'],
    ['IPMI 1.5, length too large', `${head} 00 00000000 00000000 03 0102`, 'short'],
    ['IPMI 1.5, bytes behind', `${head} 00 00000000 00000000 01 0102`, 'long'],
    ['session header cut', `${head} 06 c0 a3a2a1a0 090000`, 'short'],
    ['OEM payload', `${head} 06 02 00000000 0000 00000000 00000000 0000`, 'payload_type'],
    ['serial over LAN', `${head} 06 c1 a3a2a1a0 09000000 0000 ${code16}`, 'payload_type'],
    ['payload length too large', `${head} 06 10 00000000 00000000 0300 0102`, 'short'],
    ['payload length too small', `${head} 06 10 00000000 00000000 0100 0102`, 'long'],
    ['64 KiB said', `${head} 06 c0 a3a2a1a0 09000000 ffff ${code16}`, 'short'],
    ['handshake in a session', `${head} 06 13 01000000 00000000 0000`, 'not_sessionless'],
    ['handshake with a sequence', `${head} 06 13 00000000 01000000 0000`, 'not_sessionless'],
    ['handshake signed', `${head} 06 53 00000000 00000000 0000 ffff0207 ${code16}`, 'not_sessionless'],
    ['handshake encrypted', `${head} 06 93 00000000 00000000 0000`, 'not_sessionless'],
    ['code of 11 bytes', `${head} 06 c0 a3a2a1a0 09000000 0000 ffff0207 ${'00'.repeat(11)}`, 'short'],
    ['code of 13 bytes', `${head} 06 c0 a3a2a1a0 09000000 0000 ffff0207 ${'00'.repeat(13)}`, 'short'],
    ['code of 17 bytes', `${head} 06 c0 a3a2a1a0 09000000 0000 ffff0207 ${'00'.repeat(17)}`, 'long'],
    ['no code at all', `${head} 06 40 a3a2a1a0 09000000 0000`, 'short'],
    ['ASF, cut', '06 00 ff 06 000011be 40 2a', 'short'],
    ['ASF of somebody else', '06 00 ff 06 be110000 80 2a 00 00', 'asf'],
    ['ASF, length too large', '06 00 ff 06 000011be 80 2a 00 01', 'short'],
    ['ASF, bytes behind', '06 00 ff 06 000011be 80 2a 00 00 00', 'long'],
    ['ASF of another type', '06 00 ff 06 000011be 10 2a 00 00', 'asf'],
    ['ping with data', '06 00 ff 06 000011be 80 2a 00 01 00', 'asf'],
  ]
  for (const [name, bytes, reason] of cases)
    t.equal(
      reasonOf(() => parsePacket(hex(bytes))),
      reason,
      name,
    )
})

t.test('the handshake, byte by byte both ways', async t => {
  const triple = (a: string, i: string, c: string): string => `00 0000 08 ${a} 000000 | 01 0000 08 ${i} 000000 | 02 0000 08 ${c} 000000`
  const head = '2a | 00 | 0000 | a3a2a1a0'
  const kec = '11'.repeat(20)
  const cases: [string, string, unknown, (value: never) => Buffer, (bytes: Buffer) => unknown][] = [
    [
      'Open Session Request, suite 17',
      `2a | 03 | 0000 | a3a2a1a0 | ${triple('03', '04', '01')}`,
      { tag: 0x2a, privilege: 3, consoleId: CONSOLE, suite: { auth: 3, integrity: 4, confidentiality: 1 } },
      setup.encodeOpenRequest,
      setup.decodeOpenRequest,
    ],
    [
      'Open Session Response, suite 3',
      `2a | 00 | 03 00 | a3a2a1a0 | 05040302 | ${triple('01', '01', '01')}`,
      {
        tag: 0x2a,
        status: 0,
        privilege: 3,
        consoleId: CONSOLE,
        bmcId: BMC,
        algorithms: { auth: 1, integrity: 1, confidentiality: 1 },
      },
      setup.encodeOpenResponse,
      setup.decodeOpenResponse,
    ],
    [
      'Open Session Response, refused',
      '2a | 11 | 00 00 | a3a2a1a0',
      { tag: 0x2a, status: 0x11, privilege: 0, consoleId: CONSOLE },
      setup.encodeOpenResponse,
      setup.decodeOpenResponse,
    ],
    [
      'RAKP1',
      `2a | 000000 | 05040302 | ${text(RM)} | 14 | 0000 | 05 | 61646d696e`,
      { tag: 0x2a, bmcId: BMC, random: RM, role: 0x14, user: USER },
      setup.encodeRakp1,
      setup.decodeRakp1,
    ],
    [
      'RAKP1 without a name',
      `2a | 000000 | 05040302 | ${text(RM)} | 14 | 0000 | 00`,
      { tag: 0x2a, bmcId: BMC, random: RM, role: 0x14, user: hex('') },
      setup.encodeRakp1,
      setup.decodeRakp1,
    ],
    [
      'RAKP2',
      `${head} | ${text(RC)} | ${text(GUID)} | ${kec}`,
      { tag: 0x2a, status: 0, consoleId: CONSOLE, random: RC, guid: GUID, code: hex(kec) },
      setup.encodeRakp2,
      setup.decodeRakp2,
    ],
    [
      'RAKP2, refused',
      '2a | 0d | 0000 | a3a2a1a0',
      { tag: 0x2a, status: 13, consoleId: CONSOLE, random: hex(''), guid: hex(''), code: hex('') },
      setup.encodeRakp2,
      setup.decodeRakp2,
    ],
    [
      'RAKP3',
      `2a | 00 | 0000 | 05040302 | ${'22'.repeat(32)}`,
      { tag: 0x2a, status: 0, bmcId: BMC, code: hex('22'.repeat(32)) },
      setup.encodeRakp3,
      setup.decodeRakp3,
    ],
    [
      'RAKP3 that gives up',
      '2a | 0f | 0000 | 05040302',
      { tag: 0x2a, status: 15, bmcId: BMC, code: hex('') },
      setup.encodeRakp3,
      setup.decodeRakp3,
    ],
    [
      'RAKP4, suite 3',
      `${head} | ${'33'.repeat(12)}`,
      { tag: 0x2a, status: 0, consoleId: CONSOLE, code: hex('33'.repeat(12)) },
      setup.encodeRakp4,
      setup.decodeRakp4,
    ],
    [
      'RAKP4, suite 17',
      `${head} | ${'33'.repeat(16)}`,
      { tag: 0x2a, status: 0, consoleId: CONSOLE, code: hex('33'.repeat(16)) },
      setup.encodeRakp4,
      setup.decodeRakp4,
    ],
    [
      'RAKP4, refused',
      '2a | 02 | 0000 | a3a2a1a0',
      { tag: 0x2a, status: 2, consoleId: CONSOLE, code: hex('') },
      setup.encodeRakp4,
      setup.decodeRakp4,
    ],
  ]
  for (const [name, bytes, value, encode, decode] of cases) {
    t.equal(text(encode(value as never)), text(hex(bytes)), `${name}: written`)
    t.same(decode(hex(bytes)), value, `${name}: read`)
    t.match(
      reasonOf(() => decode(Buffer.concat([hex(bytes), hex('00')]))),
      /^(short|long)$/,
      `${name}: a byte behind it`,
    )
    for (let length = 3; length < hex(bytes).length; length++) {
      // The codes of suite 3, which the layout can't tell from those of 17: `sameCode` does.
      if ((name === 'RAKP3' && length === 28) || (name === 'RAKP4, suite 17' && length === 20)) continue
      const reason = reasonOf(() => decode(hex(bytes).subarray(0, length)))
      if (reason !== 'short' && reason !== 'long') t.fail(`${name} of ${length} bytes: ${reason}`)
    }
  }

  t.equal(encodedOf('openRequest').length, 32 + 16)
  t.same(setup.decodeOpenResponse(hex('2a 04')), { tag: 0x2a, status: 4 }, 'ipmi_sim: an error of two bytes')
  t.same(setup.decodeRakp2(hex('2a 0d')).consoleId, 0)
  t.same(setup.decodeRakp4(hex('2a 0d')).consoleId, 0)
  t.match(
    setup.decodeOpenResponse(hex(`2a 01 0300 a3a2a1a0 00000000 ${triple('00', '00', '00')}`)),
    { status: 1, consoleId: CONSOLE },
    'an error of full length',
  )
  t.notOk('bmcId' in setup.decodeOpenResponse(hex(`2a 01 0300 a3a2a1a0 05040302 ${triple('00', '00', '00')}`)), 'errors open nothing')
  t.equal(
    reasonOf(() => setup.decodeOpenResponse(hex('2a 00'))),
    'short',
    'an acceptance of two bytes',
  )
  t.equal(
    reasonOf(() => setup.decodeOpenResponse(hex(`2a 00 0300 a3a2a1a0 00000000 ${triple('01', '01', '01')}`))),
    'field',
    'BMC id 0',
  )
  t.equal(
    reasonOf(() => setup.decodeOpenRequest(hex(`2a 03 0000 a3a2a1a0 01 0000 08 01 000000 ${triple('01', '01', '01').slice(21)}`))),
    'field',
  )
  t.equal(
    reasonOf(() => setup.decodeOpenRequest(hex(`2a 03 0000 a3a2a1a0 00 0000 00 01 000000 ${triple('01', '01', '01').slice(21)}`))),
    'field',
  )
  t.same(setup.decodeOpenRequest(hex(`2a 00 0000 a3a2a1a0 ${triple('00', '00', '00')}`)).suite, {
    auth: 0,
    integrity: 0,
    confidentiality: 0,
  })

  const slack = hex(`${head} | ${text(RC)} | ${text(GUID)} | ${kec} | 99`)
  t.equal(
    reasonOf(() => setup.decodeRakp2(slack)),
    'short',
    'rakp2-slack, not named',
  )
  t.equal(text(setup.decodeRakp2(slack, { slack: true }).code), kec, 'rakp2-slack, named: one byte is cut off')
  t.equal(
    reasonOf(() => setup.decodeRakp2(Buffer.concat([slack, hex('99')]), { slack: true })),
    'short',
    'and no second one',
  )
  t.equal(text(setup.decodeRakp2(slack.subarray(0, -1), { slack: true }).code), kec, 'the right length is taken as well')
  t.throws(() => setup.encodeRakp1({ tag: 0, bmcId: 0, random: hex('00'), role: 0, user: USER }), RangeError)
})

const encodedOf = (type: 'openRequest'): Buffer =>
  encodeSetup(type, setup.encodeOpenRequest({ tag: 1, privilege: 3, consoleId: CONSOLE, suite: SUITES[17] }))

// Made with Python's hmac and openssl's aes-128-cbc from the reference page's formulas, not with this code.
const VECTORS = {
  3: {
    rakp2: 'c83d3e435f7922251ac3c45461c80d3c3f57cd7c',
    rakp3: 'eb5778f62620ec5e2c050b2d9cd5186c80ff0503',
    sik: 'a39ae2b160a1e5efe017ffd6ec1a4ff8eeac6f54',
    k1: '58dbc1afa00eb3f9487c9eaef0dc7892cc43e496',
    k2: '8bd9b8ce0674b5d745ced91e728ac1a51464fcaf',
    rakp4: 'e9e10fb567f41d8c311210b3',
    sikOfKg: 'fd720e2b8421dc2ad6c654c31e704f3f57f2e50e',
    status:
      '0600ff0706c005040302010000002000303132333435363738393a3b3c3d3e3fef969f0633f645f50dec73174ff7694cffff02077a3c4682a9204af6bc28a909',
    off: '0600ff0706c0a3a2a1a0090000002000303132333435363738393a3b3c3d3e3fe362de59eb222518e7ce73d837291de0ffff020706e40a3df994d4b8f1a453f4',
  },
  17: {
    rakp2: 'eac6698ce16bedf12cdb3ce92fb03bd6e7fd56492d2de155087bca76d5d36bb1',
    rakp3: '35e3ebdabf40374b6c78fef8d3a13830e2b86bafbd4d316682af7bc201b8d589',
    sik: '0c4b7464110cf18fd94ec46aa0242c66ab06157709c02ea7db1653aac04b1023',
    k1: 'b56faef1c37759ee6f92dccb3dfb8a7610c83e064883aa735d3e84c1cb0c5728',
    k2: '45d88aac4a3d9b6ac2cdf022f1f31a5a82ac0aecfe8d8559b4060eb4a13b4334',
    rakp4: '521d32124b333660eabcd6bdb097ae52',
    sikOfKg: '10e2cce22cb81413cb66e3d547ad6abfacd8b62754d6cb8955ef51db31074453',
    status:
      '0600ff0706c005040302010000002000303132333435363738393a3b3c3d3e3f61866d7254c687541a7ed5e88f64cf4bffff02074d8b823b0d288afa093de7ae33e91334',
    off: '0600ff0706c0a3a2a1a0090000002000303132333435363738393a3b3c3d3e3f2afadca9e147231168bde72577327085ffff0207df5dcea9db746555eefb5743b9849b95',
  },
} as const

const STATUS_REQUEST = hex('20 00 e0 | 81 14 01 | 6a')
const OFF_ANSWER = hex('81 04 7b | 20 14 01 | 00 | 20 00 00 | ab')
const SUITE_IDS = [3, 17] as const
const keysOf = (id: 3 | 17) => ({ k1: hex(VECTORS[id].k1), k2: hex(VECTORS[id].k2) })

for (const id of SUITE_IDS) {
  const suite = SUITES[id]
  const known = VECTORS[id]
  const keys = keysOf(id)
  const password = Buffer.from('secret')

  t.test(`suite ${id}: codes and keys`, async t => {
    t.equal(text(rakp2Code(suite, { ...FACTS, password })), known.rakp2)
    t.equal(text(rakp2Code(suite, { ...FACTS, password: Buffer.concat([password], 20) })), known.rakp2, 'padded to 20 bytes: the same')
    t.equal(text(rakp3Code(suite, { ...FACTS, password })), known.rakp3)
    const derived = sessionKeys(suite, { ...FACTS, kg: password })
    t.same(
      [text(derived.sik), text(derived.k1), text(derived.k2)],
      [known.sik, known.k1, known.k2],
      'constants of 20 bytes under both hashes',
    )
    t.equal(text(rakp4Code(suite, { ...FACTS, sik: derived.sik })), known.rakp4)
    t.equal(text(sessionKeys(suite, { ...FACTS, kg: Buffer.from('bmckey') }).sik), known.sikOfKg, 'with the BMC key')
    t.same([known.rakp2.length / 2, known.rakp4.length / 2], [suite.kecBytes, suite.icvBytes])
    const padded = userBytes('admin', { padUser16: true })
    t.equal(text(padded), text(Buffer.concat([USER], 16)))
    t.not(text(rakp3Code(suite, { ...FACTS, password, user: padded })), known.rakp3, 'pad-user-16 goes into the hash, length and all')
  })

  t.test(`suite ${id}: sealed packets, byte by byte both ways`, async t => {
    const sealed = seal({ suite, keys, sessionId: BMC, sequence: 1, message: STATUS_REQUEST, iv: IV })
    t.equal(text(sealed), known.status, 'written')
    const packet = sessionPacket(hex(known.off))
    t.match(packet, { sessionId: CONSOLE, sequence: 9, encrypted: true, authenticated: true })
    t.equal(text(unseal(packet, suite, keys)), text(OFF_ANSWER), 'read')
    for (let length = 0; length < 64; length++) {
      const message = Buffer.alloc(length, length)
      const bytes = seal({ suite, keys, sessionId: BMC, sequence: 0xffff_ffff, message, iv: IV })
      const back = sessionPacket(bytes)
      if (!unseal(back, suite, keys).equals(message) || back.sequence !== 0xffff_ffff) t.fail(`a message of ${length} bytes`)
    }
  })

  t.test(`suite ${id}: no flipped bit, cut or longer packet is believed`, async t => {
    const bytes = hex(known.off)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const reason = reasonOf(() => text(unseal(sessionPacket(flipped), suite, keys)))
      // RMCP's reserved byte and sequence are under no code and say nothing.
      const meaningless = bit >> 3 === 1 || bit >> 3 === 2
      if (reason.startsWith('taken') !== meaningless || reason.startsWith('Error')) t.fail(`bit ${bit}: ${reason}`)
    }
    for (let length = 0; length < bytes.length; length++) {
      const reason = reasonOf(() => unseal(sessionPacket(bytes.subarray(0, length)), suite, keys))
      if (reason !== 'short' && reason !== 'bad_code') t.fail(`${length} bytes: ${reason}`)
    }
    t.match(
      reasonOf(() => unseal(sessionPacket(Buffer.concat([bytes, hex('00')])), suite, keys)),
      /short|long|bad_code/,
    )
    const other = SUITES[id === 3 ? 17 : 3]
    t.equal(
      reasonOf(() => unseal(sessionPacket(bytes), other, keysOf(other.id))),
      'bad_code',
      'under the other suite',
    )
    t.equal(
      reasonOf(() => unseal(sessionPacket(bytes), suite, { ...keys, k1: keys.k2 })),
      'bad_code',
      'under another key: an older session',
    )
  })
}

/** Signs anything at all, as only a BMC with the keys could: what is left to refuse once the code is right. */
const signed = (flags: number, payload: Buffer, trailer = 'ffff0207'): Buffer => {
  const length = Buffer.from([payload.length & 0xff, payload.length >> 8])
  const body = Buffer.concat([hex('06'), Buffer.from([flags]), hex('a3a2a1a0 09000000'), length, payload, hex(trailer)])
  const code = createHmac('sha256', keysOf(17).k1).update(body).digest().subarray(0, 16)
  return Buffer.concat([hex('0600ff07'), body, code])
}

/** IV and blocks of exactly these bytes, padding and all. */
const encrypted = (plain: Buffer): Buffer => {
  const cipher = createCipheriv('aes-128-cbc', keysOf(17).k2.subarray(0, 16), IV).setAutoPadding(false)
  return Buffer.concat([IV, cipher.update(plain), cipher.final()])
}

t.test('what a right code does not excuse', async t => {
  const open = (datagram: Buffer): string => reasonOf(() => text(unseal(sessionPacket(datagram), SUITES[17], keysOf(17))))
  const answer = encrypted(Buffer.concat([OFF_ANSWER, hex('01020304 04')]))
  t.equal(open(signed(0xc0, answer)), `taken: "${text(OFF_ANSWER)}"`, 'the control: as it should be')
  t.equal(open(signed(0x40, OFF_ANSWER, 'ffffff0307')), 'unencrypted', 'signed, in plain text')
  const plainV2 = hex(`06 00 ff 07 | 06 | 00 | a3a2a1a0 | 09000000 | 0b00 | ${text(OFF_ANSWER)}`)
  t.equal(open(plainV2), 'unauthenticated', 'neither signed nor encrypted, and claims off')
  const unsigned = Buffer.concat([hex('06 00 ff 07 | 06 | 80 | a3a2a1a0 | 09000000 | 2000'), answer])
  t.equal(open(unsigned), 'unauthenticated', 'encrypted, not signed')
  const forged = signed(0x40, OFF_ANSWER, 'ffffff0307')
  forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1)
  t.equal(open(forged), 'bad_code', 'the code comes first: nothing else of a forged packet is looked at')

  const pads: [string, string, string][] = [
    ['16 bytes of padding', '010203040506070809 0a0b0c0d0e0f 10', 'bad_padding'],
    ['255 bytes of padding', '010203040506070809 0a0b0c0d0e0f ff', 'bad_padding'],
    ['16 bytes of padding over two blocks', `${'00'.repeat(15)} 0102030405060708090a0b0c0d0e0f10 10`, 'bad_padding'],
    ['padding that counts wrong', '0000000000000000000000 01020305 04', 'bad_padding'],
    ['padding of zeros', '0000000000000000000000 00000000 04', 'bad_padding'],
  ]
  for (const [name, plain, reason] of pads) t.equal(open(signed(0xc0, encrypted(hex(plain)))), reason, name)
  t.equal(open(signed(0xc0, encrypted(hex('010203040506070809 0a0b0c0d0e0f 0f')))), 'taken: ""', '15 bytes are the most')
  t.equal(open(signed(0xc0, IV)), 'bad_padding', 'an IV and nothing behind it')
  t.equal(open(signed(0xc0, hex(''))), 'bad_padding', 'no payload')
  t.equal(open(signed(0xc0, answer.subarray(0, 28), 'ffff0207')), 'bad_padding', 'no whole blocks')
  t.equal(open(signed(0xc0, answer, 'fffe0207')), 'bad_trailer', 'pad byte')
  t.equal(open(signed(0xc0, answer, 'ffff0107')), 'bad_trailer', 'pad length')
  t.equal(open(signed(0xc0, answer, 'ffff0206')), 'bad_trailer', 'next header')
})

t.test('messages, byte by byte both ways', async t => {
  const request = { netFn: 0, command: 1, sequence: 5, data: hex('') }
  t.equal(text(encodeRequest(request)), text(STATUS_REQUEST))
  t.same(decodeRequest(STATUS_REQUEST), request)
  const answer = { netFn: 1, command: 1, sequence: 5, completion: 0, data: hex('20 00 00') }
  t.equal(text(encodeResponse(answer)), text(OFF_ANSWER))
  t.same(decodeResponse(OFF_ANSWER, { checkSums: true }), answer)
  const own = hex('20 04 dc | 20 14 01 | 00 | 20 00 00 | ab')
  t.same(decodeResponse(own, { checkSums: true }), { ...answer, requester: 0x20 }, "go-ipmi's server answers to the BMC's own address")
  t.equal(text(encodeResponse({ ...answer, requester: 0x20 })), text(own))
  t.equal(encodeRequest({ ...request, sequence: 64 + 5 })[4], 5 << 2, 'numbers of requests have six bits')

  const wrong = (at: number, value: number, source = OFF_ANSWER): Buffer => {
    const bytes = Buffer.from(source)
    bytes[at] = value
    return bytes
  }
  const decode = (bytes: Buffer, checkSums = true): string => reasonOf(() => decodeResponse(bytes, { checkSums }))
  for (let at = 0; at < OFF_ANSWER.length; at++) t.equal(decode(wrong(at, (OFF_ANSWER[at] ?? 0) ^ 0x10)), 'checksum', `byte ${at}`)
  t.match(decode(wrong(2, 0), false), 'taken', 'skip-checksum: the first')
  t.match(decode(wrong(OFF_ANSWER.length - 1, 0), false), 'taken', 'skip-checksum: the second')
  t.equal(decode(wrong(0, 0x8f), false), 'addresses', 'for another console')
  t.equal(decode(wrong(3, 0x22), false), 'addresses', 'of another controller')
  t.equal(decode(wrong(1, 0), false), 'net_function', 'a request is no answer')
  t.equal(decode(OFF_ANSWER.subarray(0, 7)), 'short', 'no completion code')
  t.equal(decode(hex('')), 'short')
  t.equal(
    reasonOf(() => decodeRequest(OFF_ANSWER)),
    'addresses',
    'an answer is no request',
  )
  t.equal(
    reasonOf(() => decodeRequest(hex('20 04 dc 81 14 01 6a'))),
    'net_function',
  )
  t.equal(
    reasonOf(() => decodeRequest(wrong(6, 0, STATUS_REQUEST))),
    'checksum',
  )
  t.equal(
    reasonOf(() => decodeRequest(STATUS_REQUEST.subarray(0, 6))),
    'short',
  )
  t.equal(checksum(hex('20 00'), 0, 2), 0xe0)
  t.equal(checksum(hex('ff 81 14 01 00'), 1, 4), 0x6a)
})

t.test('suites: 17 and 3, no other', async t => {
  t.equal(suiteOf({ auth: 3, integrity: 4, confidentiality: 1 })?.id, 17)
  t.equal(suiteOf({ auth: 1, integrity: 1, confidentiality: 1 })?.id, 3)
  for (const [auth, integrity, confidentiality] of [
    [0, 0, 0],
    [1, 0, 0],
    [1, 1, 0],
    [1, 1, 2],
    [2, 2, 1],
    [3, 4, 0],
    [3, 4, 3],
    [3, 1, 1],
    [1, 4, 1],
  ] as const) {
    t.equal(suiteOf({ auth, integrity, confidentiality }), undefined, `${auth} ${integrity} ${confidentiality}`)
  }
  t.ok(sameAlgorithms(SUITES[17], { auth: 3, integrity: 4, confidentiality: 1 }))
  for (const key of ['auth', 'integrity', 'confidentiality'] as const)
    t.notOk(sameAlgorithms(SUITES[17], { ...SUITES[17], [key]: 0 }), `another ${key}`)
  const reasons: [number[], RegExp][] = [
    [[0], /no password/],
    [[1, 2, 15, 16], /not encrypt/],
    [[4, 5, 18, 19], /RC4/],
    [[6, 7, 8, 9, 10, 11, 12, 13, 14], /MD5/],
    [[20, 128, 255], /not one of/],
  ]
  for (const [ids, reason] of reasons) for (const id of ids) t.match(REFUSED_SUITES(id), reason, `suite ${id}`)
})

t.test('small parts', async t => {
  t.equal(roleByte(3), 0x13, 'by name alone')
  t.equal(roleByte(4, { nameOnlyLookup: false }), 0x04, 'no-name-only-lookup')
  t.equal(text(userBytes('admin')), '61646d696e')
  t.ok(sameCode(hex('0102'), hex('0102')))
  t.notOk(sameCode(hex('0102'), hex('0103')))
  t.notOk(sameCode(hex('0102'), hex('010200')), 'unequal lengths are an answer, not an error')
  const reader = new Reader(hex('01 0203 040506 0708090a 0b0c 0d'))
  t.same([reader.u8(), reader.u16(), reader.u24(), reader.u32()], [0x01, 0x0302, 0x060504, 0x0a090807])
  reader.skip(1)
  t.equal(text(reader.take(1)), '0c')
  t.equal(reader.left, 1)
  t.equal(
    reasonOf(() => reader.end()),
    'long',
  )
  t.equal(
    reasonOf(() => reader.u16()),
    'short',
  )
  t.equal(text(reader.rest()), '0d')
  t.equal(
    reasonOf(() => reader.end()),
    'taken: undefined',
  )
})
