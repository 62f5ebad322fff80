import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { encodeSuiteRecords, parseSuiteRecords } from '../../src/wire/ipmi/capabilities.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { FrameError } from '../../src/wire/ipmi/failure.ts'
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from '../../src/wire/ipmi/message.ts'
import { encodePing, encodePong, encodeSetup, encodeV15, parsePacket } from '../../src/wire/ipmi/rmcp.ts'
import { seal, unseal } from '../../src/wire/ipmi/seal.ts'
import * as setup from '../../src/wire/ipmi/setup.ts'
import { SUITES } from '../../src/wire/ipmi/suites.ts'
import { accept, freshWindow } from '../../src/wire/ipmi/window.ts'

const KEYS = { k1: Buffer.alloc(32, 1), k2: Buffer.alloc(32, 2) }
const IV = Buffer.alloc(16, 3)
const RANDOM = Buffer.alloc(16, 4)
const USER = Buffer.from('admin')

/** The same numbers in every run (xorshift, 32 bits): a failure can be repeated by its round. */
const generator = (seed: number): ((below: number) => number) => {
  let state = seed
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const status = COMMANDS.chassisStatus
const answer = encodeResponse({ netFn: 1, command: 1, sequence: 5, completion: 0, data: Buffer.from([0x21, 0, 0]) })
const sealed = (id: 3 | 17, message: Buffer): Buffer => seal({ suite: SUITES[id], keys: KEYS, sessionId: 7, sequence: 9, message, iv: IV })
const suites = [{ id: 17, auth: 3, integrity: [4], confidentiality: [1] }]

/** Good bytes, and everything that may be made of them; each decoder is given mutations of what it understands, and noise. */
const targets: { name: string; good: Buffer; decode: (bytes: Buffer) => unknown }[] = [
  ...[
    encodePing(1),
    encodePong(1),
    encodeV15(answer),
    // The wrapper of 2.0 outside any session, as ipmitool uses it.
    Buffer.concat([Buffer.from('0600ff0706000000000000000000', 'hex'), Buffer.from([answer.length, 0]), answer]),
    encodeSetup('rakp2', setup.encodeRakp2({ tag: 1, status: 0, consoleId: 7, random: RANDOM, guid: IV, code: Buffer.alloc(32) })),
    sealed(3, answer),
    sealed(17, answer),
  ].map((good, index) => ({ name: `parsePacket ${index}`, good, decode: parsePacket })),
  ...([3, 17] as const).map(id => ({
    name: `unseal ${id}`,
    good: sealed(id, answer),
    decode: (bytes: Buffer) => {
      const packet = parsePacket(bytes)
      if (packet.kind === 'session') unseal(packet, SUITES[id], KEYS)
    },
  })),
  {
    // As if the code were right: what is behind it meets any bytes as well.
    name: 'unseal, believed',
    good: sealed(17, answer),
    decode: bytes => {
      const packet = parsePacket(bytes)
      if (packet.kind === 'session' && packet.authenticated) {
        const authCode = createHmac('sha256', KEYS.k1).update(packet.signed).digest().subarray(0, 16)
        const plain = unseal({ ...packet, authCode }, SUITES[17], KEYS)
        decodeResponse(plain, { checkSums: false })
      }
    },
  },
  {
    name: 'open request',
    good: setup.encodeOpenRequest({ tag: 1, privilege: 3, consoleId: 7, suite: SUITES[17] }),
    decode: setup.decodeOpenRequest,
  },
  {
    name: 'open response',
    good: setup.encodeOpenResponse({ tag: 1, status: 0, privilege: 3, consoleId: 7, bmcId: 8, algorithms: SUITES[17] }),
    decode: setup.decodeOpenResponse,
  },
  {
    name: 'rakp1',
    good: setup.encodeRakp1({ tag: 1, bmcId: 8, random: RANDOM, role: 0x13, user: USER }),
    decode: setup.decodeRakp1,
  },
  {
    name: 'rakp2',
    good: setup.encodeRakp2({ tag: 1, status: 0, consoleId: 7, random: RANDOM, guid: IV, code: Buffer.alloc(32) }),
    decode: bytes => [setup.decodeRakp2(bytes), setup.decodeRakp2(bytes, { slack: true })],
  },
  { name: 'rakp3', good: setup.encodeRakp3({ tag: 1, status: 0, bmcId: 8, code: Buffer.alloc(32) }), decode: setup.decodeRakp3 },
  { name: 'rakp4', good: setup.encodeRakp4({ tag: 1, status: 0, consoleId: 7, code: Buffer.alloc(16) }), decode: setup.decodeRakp4 },
  { name: 'request', good: encodeRequest({ netFn: 0, command: 1, sequence: 5, data: status.encode() }), decode: decodeRequest },
  { name: 'response', good: answer, decode: bytes => decodeResponse(bytes, { checkSums: true }) },
  { name: 'response, no check sums', good: answer, decode: bytes => decodeResponse(bytes, { checkSums: false }) },
  { name: 'suites', good: encodeSuiteRecords(suites), decode: parseSuiteRecords },
  ...Object.entries(COMMANDS).flatMap(([name, spec]) => [
    { name: `${name} asked`, good: Buffer.from([0xdc, 1, 0, 0]), decode: (bytes: Buffer): unknown => spec.decodeArgs(bytes) },
    { name: `${name} answered`, good: Buffer.alloc(16, 0xdc), decode: (bytes: Buffer): unknown => spec.decode(bytes) },
  ]),
]

const EDGES = [0x00, 0x01, 0x06, 0x07, 0x0f, 0x10, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff]

/** One to three changes of good bytes, or noise. */
const mutated = (good: Buffer, random: (below: number) => number): Buffer => {
  let bytes = Buffer.from(good)
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const at = random(Math.max(bytes.length, 1))
    const kind = random(7)
    if (kind <= 1 && bytes.length > 0) bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(8)), at)
    else if (kind === 2 && bytes.length > 0) bytes.writeUInt8(EDGES[random(EDGES.length)] ?? 0, at)
    else if (kind === 3) bytes = bytes.subarray(0, at)
    else if (kind === 4) bytes = Buffer.concat([bytes, Buffer.alloc(1 + random(40), random(256))])
    else if (kind === 5) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(at + 1 + random(4), bytes.length))])
    else if (random(4) === 0) bytes = Buffer.from(Array.from({ length: random(120) }, () => random(256)))
  }
  return bytes
}

t.test('200,000 damaged packets: refused with a reason or taken, and nothing else is ever thrown', async t => {
  const limit = Error.stackTraceLimit
  t.teardown(() => {
    Error.stackTraceLimit = limit
  })
  Error.stackTraceLimit = 0
  const random = generator(0x5afe57a7)
  const taken = new Map<string, number>()
  const refused = new Map<string, number>()
  for (let round = 0; round < 200_000; round++) {
    const target = targets[round % targets.length]
    if (target === undefined) throw new Error('no target')
    const bytes = mutated(target.good, random)
    try {
      target.decode(bytes)
      taken.set(target.name, (taken.get(target.name) ?? 0) + 1)
    } catch (error) {
      if (error instanceof FrameError) refused.set(target.name, (refused.get(target.name) ?? 0) + 1)
      else t.fail(`${target.name}, round ${round}: ${error}`, { bytes: bytes.toString('hex') })
    }
  }
  // Otherwise the loop would show nothing about a decoder.
  for (const { name } of targets) t.ok((refused.get(name) ?? 0) > 100, `${name} refused ${refused.get(name)}, took ${taken.get(name) ?? 0}`)
  for (const name of ['unseal, believed', 'rakp1', 'rakp2', 'response, no check sums', 'parsePacket 6', 'chassisStatus answered'])
    t.ok((taken.get(name) ?? 0) > 10, `${name} took some: what lies behind the first checks was reached`)
})

/** Plain objects, as decoders make them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record(model, { noNullPrototype: true })
const byte = fc.nat(0xff)
const word = fc.nat(0xffff_ffff)
const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map(array => Buffer.from(array))
const upTo = (length: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength: length }).map(array => Buffer.from(array))
const algorithms = record({ auth: fc.nat(63), integrity: fc.nat(63), confidentiality: fc.nat(63) })
const code = fc.constantFrom(20, 32).chain(bytes)
const icv = fc.constantFrom(12, 16).chain(bytes)

/** Whatever is written is read again. */
const roundTrip = <T>(arbitrary: fc.Arbitrary<T>, encode: (value: T) => Buffer, decode: (bytes: Buffer) => unknown) =>
  fc.assert(
    fc.property(arbitrary, value => assert.deepStrictEqual(decode(encode(value)), value)),
    { numRuns: 200 },
  )

t.test('what is written is read again', async t => {
  roundTrip(
    record({ tag: byte, privilege: fc.nat(15), consoleId: word, suite: algorithms }),
    setup.encodeOpenRequest,
    setup.decodeOpenRequest,
  )
  const opened = {
    tag: byte,
    status: fc.constant(0),
    privilege: fc.nat(15),
    consoleId: word,
    bmcId: word.filter(id => id !== 0),
    algorithms,
  }
  roundTrip(record(opened), setup.encodeOpenResponse, setup.decodeOpenResponse)
  roundTrip(record({ tag: byte, bmcId: word, random: bytes(16), role: byte, user: upTo(255) }), setup.encodeRakp1, setup.decodeRakp1)
  const rakp2 = { tag: byte, status: fc.constant(0), consoleId: word, random: bytes(16), guid: bytes(16), code }
  roundTrip(record(rakp2), setup.encodeRakp2, setup.decodeRakp2)
  roundTrip(record({ tag: byte, status: fc.constant(0), bmcId: word, code }), setup.encodeRakp3, setup.decodeRakp3)
  roundTrip(record({ tag: byte, status: fc.constant(0), consoleId: word, code: icv }), setup.encodeRakp4, setup.decodeRakp4)
  const even = fc.nat(31).map(half => half * 2)
  const message = { command: byte, sequence: fc.nat(63), data: upTo(200) }
  roundTrip(record({ netFn: even, ...message }), encodeRequest, decodeRequest)
  roundTrip(record({ netFn: even.map(netFn => netFn + 1), ...message, completion: byte }), encodeResponse, read =>
    decodeResponse(read, { checkSums: true }),
  )
  const offered = record({
    id: byte,
    auth: fc.nat(63),
    integrity: fc.array(fc.nat(63), { maxLength: 4 }),
    confidentiality: fc.array(fc.nat(63), { maxLength: 4 }),
  })
  roundTrip(fc.array(offered, { maxLength: 8 }), encodeSuiteRecords, parseSuiteRecords)
  t.pass('held')
})

t.test('what is sealed is unsealed by the same keys and by no others', async t => {
  const sealing = record({
    id: fc.constantFrom<3 | 17>(3, 17),
    k1: bytes(32),
    k2: bytes(32),
    sessionId: word,
    sequence: word,
    message: upTo(300),
    iv: bytes(16),
  })
  fc.assert(
    fc.property(sealing, bytes(32), ({ id, k1, k2, sessionId, sequence, message, iv }, other) => {
      const suite = SUITES[id]
      const packet = parsePacket(seal({ suite, keys: { k1, k2 }, sessionId, sequence, message, iv }))
      if (packet.kind !== 'session') return false
      fc.pre(!other.equals(k1))
      try {
        unseal(packet, suite, { k1: other, k2 })
        return false
      } catch (error) {
        if (!(error instanceof FrameError) || error.reason !== 'bad_code') return false
      }
      return packet.sessionId === sessionId && packet.sequence === sequence && unseal(packet, suite, { k1, k2 }).equals(message)
    }),
    { numRuns: 500 },
  )
  t.pass('held')
})

t.test('the window is a set of what was seen, 32 wide, wherever it stands', async t => {
  const NUMBERS = 0xffff_ffff
  // Positions on an endless line that passes the wrap; the model keeps the whole line.
  const walk = fc.tuple(
    fc.constantFrom(0, 1_000, NUMBERS - 40, NUMBERS - 3),
    fc.array(fc.integer({ min: -40, max: 45 }), { maxLength: 120 }),
  )
  fc.assert(
    fc.property(walk, ([start, steps]) => {
      let window = freshWindow()
      let highest = 0
      const seen = new Set<number>()
      for (const step of steps) {
        const position = Math.max(start + 1, (highest || start + 50) + step)
        const expected = highest === 0 || (!seen.has(position) && position > highest - 32)
        const result = accept(window, ((position - 1) % NUMBERS) + 1)
        if (result.accepted !== expected) return false
        window = result.window
        if (expected) {
          seen.add(position)
          highest = Math.max(highest, position)
        }
      }
      return true
    }),
    { numRuns: 1_000 },
  )
  t.pass('held')
})
