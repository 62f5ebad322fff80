import t, { type Test } from 'tap'
import { type FaultName, IPMI_FAULTS, type SimulatorOptions } from '../../src/simulator/index.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { renderGuid } from '../../src/wire/ipmi/guid.ts'
import { decodeResponse, encodeRequest } from '../../src/wire/ipmi/message.ts'
import { encodePing, encodeSetup, parsePacket } from '../../src/wire/ipmi/rmcp.ts'
import { encodeOpenRequest, encodeRakp1, encodeRakp3 } from '../../src/wire/ipmi/setup.ts'
import { type Bench, bench, DOWN, type RawConsole, type RawSession, UP } from './ipmi-console.ts'
import { ask, powerState, reset, systemPath, until } from './support.ts'

const STATUS = { packet: 'chassisStatus' }
const CONTROL = { packet: 'chassisControl' }

const covered = new Set<string>()

/** One test of one fault, for either suite; the name is noted, so that the last test can tell which have none. */
function fault(
  name: FaultName,
  title: string,
  run: (t: Test, bench: Bench & { session: RawSession }) => Promise<void>,
  options: Partial<SimulatorOptions> = {},
): void {
  covered.add(name)
  for (const suite of [17, 3] as const) {
    t.test(`${name}: ${title} (suite ${suite})`, async t => {
      const all = await bench(t, {}, options)
      await run(t, { ...all, session: await all.console.session({ suite }) })
    })
  }
}

/** What our own decoders say of the answer to a status, or `silence`. */
async function status(console: RawConsole, session: RawSession): Promise<string> {
  const [answer] = await console.ask(console.command(session, 'chassisStatus'))
  return answer === undefined ? 'silence' : reading(console, session, answer)
}

/** `on` or `off` where an answer is good, else why it is not. */
function reading(console: RawConsole, session: RawSession, answer: Buffer): string {
  try {
    return COMMANDS.chassisStatus.decode(console.read(session, answer).data).on ? 'on' : 'off'
  } catch (error) {
    return error instanceof Error && 'reason' in error ? String(error.reason) : String(error)
  }
}

/** Why a log-in failed on a packet that is none. */
async function logInFailure(console: RawConsole): Promise<string> {
  return console.logIn().then(
    () => 'none',
    error => String(error.reason),
  )
}

// The way to the BMC.

fault('loss', 'of a request, of an answer, of some', async (t, { bmc, console, session }) => {
  bmc.faults.set('loss', { direction: 'in' }, { count: 1, match: CONTROL })
  t.equal(await console.call(session, 'chassisControl', DOWN), undefined)
  t.equal(bmc.trueState, 'on')
  bmc.faults.set('loss', { direction: 'out' }, { count: 1, match: CONTROL })
  t.equal(await console.call(session, 'chassisControl', DOWN), undefined)
  t.equal(bmc.trueState, 'off', 'it was done all the same')
  t.equal(await status(console, session), 'off')
  bmc.faults.set('loss', { rate: 0.5 }, { match: STATUS })
  const seen = []
  for (let round = 0; round < 40; round++) seen.push(await status(console, session))
  const lost = seen.filter(one => one === 'silence').length
  t.ok(lost > 15 && lost < 39, `${lost} of 40: three in four go one way or the other`)
  bmc.faults.clear()
  for (const packet of ['open', 'rakp1', 'rakp3']) {
    bmc.faults.set('loss', {}, { match: { packet }, count: 1 })
    t.match(await console.logIn(), { status: 'silence' }, packet)
  }
})

fault('duplicate', 'of answers and of requests', async (t, { bmc, side, console, session }) => {
  bmc.faults.set('duplicate', { copies: 2 }, { match: STATUS, count: 1 })
  const answers = await console.ask(console.command(session, 'chassisStatus'))
  t.equal(answers.length, 3)
  t.same(answers[2], answers[0])
  bmc.faults.set('duplicate', { direction: 'in' }, { match: CONTROL, count: 1 })
  t.equal((await console.ask(console.command(session, 'chassisControl', DOWN))).length, 1, 'the second has a number that was used')
  t.equal(side.received.length, 1)
})

fault('duplicate', 'a late copy', async (t, { bmc, clock, console, session }) => {
  bmc.faults.set('duplicate', { lateMs: 300 }, { match: STATUS, count: 1 })
  const [answer] = await console.ask(console.command(session, 'chassisStatus'))
  clock.advance(300)
  t.same((await console.next()).bytes, answer)
})

fault('reorder', 'an answer behind the next, and a second time', async (t, { bmc, console, session }) => {
  bmc.faults.set('reorder', {}, { match: STATUS, count: 1 })
  console.send(console.command(session, 'chassisStatus'))
  console.send(console.command(session, 'deviceId'))
  const numbers = [await console.next(), await console.next()].map(({ bytes }) => console.read(session, bytes).sequence)
  t.same(numbers, [3, 2], 'the number of the first is the lower one')
  bmc.faults.set('reorder', { copy: true, behind: 2 }, { match: STATUS, count: 1 })
  const asked = ['chassisStatus', 'deviceId', 'deviceGuid', 'deviceId'] as const
  for (const name of asked) console.send(console.command(session, name))
  const seen = []
  for (const _ of [...asked, 'copy']) seen.push(console.read(session, (await console.next()).bytes).sequence)
  t.same(seen, [4, 5, 6, 4, 7])
})

fault('bitFlip', 'of an answer and of a request, one bit or any', async (t, { bmc, side, console, session }) => {
  const right = await console.ask(console.command(session, 'chassisStatus'))
  const bits = (right[0]?.length ?? 0) * 8
  for (let bit = 32; bit < bits; bit++) {
    bmc.faults.set('bitFlip', { bit }, { match: STATUS, count: 1 })
    t.not(await status(console, session), 'on', `bit ${bit}`)
  }
  t.same(bmc.faults.list(), [], 'each was used')
  bmc.faults.set('bitFlip', { bit: 9999 }, { match: STATUS })
  t.equal(await status(console, session), 'on', 'there is no such bit')
  bmc.faults.clear()
  bmc.faults.set('bitFlip', { direction: 'in', bit: 130 }, { match: CONTROL, count: 1 })
  t.equal(await console.call(session, 'chassisControl', DOWN), undefined)
  t.match(side.counters.dropped, { bad_code: 1 })
  bmc.faults.set('bitFlip', {}, { match: STATUS })
  const [one, two] = [
    await console.ask(console.command(session, 'chassisStatus')),
    await console.ask(console.command(session, 'chassisStatus')),
  ]
  t.equal(one.length + two.length, 2)
})

fault('garbage', 'nothing, a lot, or ahead of the answer', async (t, { bmc, console, session }) => {
  const answersWith = async (parameters: { bytes: number; value?: number; extra?: boolean }): Promise<Buffer[]> => {
    bmc.faults.set('garbage', parameters, { match: STATUS, count: 1 })
    return console.ask(console.command(session, 'chassisStatus'))
  }
  t.same(await answersWith({ bytes: 0 }), [Buffer.alloc(0)])
  t.same(
    (await answersWith({ bytes: 65_507 })).map(({ length }) => length),
    [65_507],
  )
  const [extra, answer] = await answersWith({ bytes: 8, value: 6, extra: true })
  t.same(extra, Buffer.alloc(8, 6))
  t.match(console.read(session, answer ?? Buffer.alloc(0)), { completion: 0 })
})

fault('otherPort', 'the answer comes, and not from where it was asked', async (t, { bmc, console, session }) => {
  const { port } = new URL(bmc.ipmi?.url ?? '')
  bmc.faults.set('otherPort', {}, { match: STATUS, count: 1 })
  console.send(console.command(session, 'chassisStatus'))
  const answer = await console.next()
  t.not(answer.port, Number(port))
  t.match(console.read(session, answer.bytes), { completion: 0 })
})

fault('replay', 'an old answer, as it was or with the numbers of now', async (t, { bmc, console, session }) => {
  t.throws(() => bmc.faults.set('replay', { packet: 'deviceId' }), { message: /no answer to deviceId/ })
  bmc.power.force('off', 'test')
  const [off = Buffer.alloc(0)] = await console.ask(console.command(session, 'chassisStatus'))
  bmc.power.force('on', 'test')
  const replayed = async (when: 'instead' | 'before' | 'after', readdress = false): Promise<Buffer[]> => {
    bmc.faults.set('replay', { when, readdress, datagram: off.toString('hex') }, { count: 1 })
    return console.ask(console.command(session, 'chassisStatus'))
  }
  t.same(await replayed('instead'), [off])
  t.same((await replayed('before'))[0], off)
  t.same((await replayed('after'))[1], off)
  const [forged = Buffer.alloc(0)] = await replayed('instead', true)
  t.equal(reading(console, session, forged), 'bad_code')
  t.same(forged.subarray(14), off.subarray(14))
  bmc.faults.set('replay', {}, { count: 1 })
  const next = await console.ask(console.command(session, 'chassisStatus'))
  t.match(console.read(session, next[0] ?? off), { sequence: 6 }, 'the last one, as it was when the fault was set')
})

// What it answers.

fault('wrongCode', 'in a session and in the handshake', async (t, { bmc, console, session }) => {
  bmc.faults.set('wrongCode', {}, { match: STATUS, count: 1 })
  t.equal(await status(console, session), 'bad_code')
  t.equal(await status(console, session), 'on')
  for (const [packet, step] of [
    ['rakp1', 'rakp2'],
    ['rakp3', 'rakp4'],
  ] as const) {
    bmc.faults.set('wrongCode', {}, { match: { packet }, count: 1 })
    t.same(await console.logIn(), { step, status: 'bad code' })
  }
})

fault('truncatedCode', 'in a session and in the handshake', async (t, { bmc, console, session }) => {
  bmc.faults.set('truncatedCode', { bytes: 8 }, { match: STATUS, count: 1 })
  t.equal(await status(console, session), 'short')
  bmc.faults.set('truncatedCode', { bytes: 0 }, { match: STATUS, count: 1 })
  t.equal(await status(console, session), 'short')
  bmc.faults.set('truncatedCode', { bytes: 19 }, { match: { packet: 'rakp1' } })
  t.equal(await logInFailure(console), 'short')
})

fault('sequence', 'zero, the same, an old one, a jump, a value, over the end', async (t, { bmc, console, session }) => {
  const next = async (parameters: Parameters<typeof bmc.faults.set<'sequence'>>[1]): Promise<number | undefined> => {
    bmc.faults.clear()
    bmc.faults.set('sequence', parameters ?? {}, { match: STATUS })
    return (await console.call(session, 'chassisStatus'))?.sequence
  }
  t.equal(await next({ how: 'zero' }), 0)
  t.equal(await next({ how: 'same' }), 2)
  t.equal(await next({ how: 'old', by: 3 }), 1)
  t.equal(await next({ how: 'jump', by: 1000 }), 1005)
  t.equal(await next({ how: 'jump', by: 2 }), 1008, 'it goes on from there')
  t.equal(await next({ how: 'value', value: 77 }), 77)
  t.equal(await next({ how: 'wrap' }), 0xffff_fffe)
  bmc.faults.clear()
  const after = []
  for (let round = 0; round < 2; round++) after.push((await console.call(session, 'chassisStatus'))?.sequence)
  t.same(after, [0xffff_ffff, 1])
})

fault('unprotected', 'flags 00h, 40h and 80h, claiming off', async (t, { bmc, console, session }) => {
  bmc.faults.set('lie', { reports: 'Off' })
  for (const [authenticated, encrypted, reason] of [
    [false, false, 'unauthenticated'],
    [true, false, 'unencrypted'],
    [false, true, 'unauthenticated'],
  ] as const) {
    bmc.faults.set('unprotected', { authenticated, encrypted }, { match: STATUS, count: 1 })
    const [answer = Buffer.alloc(0)] = await console.ask(console.command(session, 'chassisStatus'))
    t.equal(answer[5], (authenticated ? 0x40 : 0) | (encrypted ? 0x80 : 0))
    t.equal(reading(console, session, answer), reason)
  }
})

fault('v15Answer', 'outside of any session', async (t, { bmc, console, session }) => {
  bmc.faults.set('v15Answer', {}, { match: STATUS, count: 1 })
  const [answer = Buffer.alloc(0)] = await console.ask(console.command(session, 'chassisStatus'))
  const packet = parsePacket(answer)
  t.equal(packet.kind, 'v15')
  if (packet.kind === 'v15') t.match(decodeResponse(packet.message, { checkSums: true }), { completion: 0, command: 1 })
})

fault('lengthLie', 'more and less than there is, under a good code', async (t, { bmc, console, session }) => {
  for (const [by, reason] of [
    [1, /bad_code|short|long|bad_padding|bad_trailer/],
    [0x1000, /short/],
    [-4, /bad_code|short|long|bad_padding|bad_trailer/],
  ] as const) {
    bmc.faults.set('lengthLie', { by }, { match: STATUS, count: 1 })
    t.match(await status(console, session), reason, `${by}`)
  }
  bmc.faults.set('lengthLie', { by: 3 }, { match: { packet: 'open' } })
  t.equal(await logInFailure(console), 'short')
})

fault('padding', 'too long, or of the wrong bytes', async (t, { bmc, console, session }) => {
  for (const how of ['long', 'wrong'] as const) {
    bmc.faults.set('padding', { how }, { match: STATUS, count: 1 })
    t.equal(await status(console, session), 'bad_padding', how)
  }
})

fault('checksums', 'wrong inside, right outside', async (t, { bmc, console, session }) => {
  bmc.faults.set('checksums', {}, { match: STATUS, count: 2 })
  t.equal(await status(console, session), 'checksum')
  const [answer = Buffer.alloc(0)] = await console.ask(console.command(session, 'chassisStatus'))
  t.match(console.read(session, answer, false), { completion: 0 })
})

fault('otherRequest', 'an answer to what was not asked', async (t, { bmc, console, session }) => {
  bmc.faults.set('otherRequest', {}, { match: STATUS, count: 1 })
  const asked = session.request
  t.match(await console.call(session, 'chassisStatus'), { rqSeq: asked - 1, completion: 0 })
  bmc.faults.set('otherRequest', { by: 0, command: 2, netFn: 7 }, { match: STATUS, count: 1 })
  t.match(await console.call(session, 'chassisStatus'), { rqSeq: asked + 1, completion: 0 })
})

fault('data', 'other data, too little, too much', async (t, { bmc, console, session }) => {
  for (const [parameters, data] of [
    [{ hex: '00ff' }, '00ff'],
    [{ bytes: 1 }, '21'],
    [{ bytes: 6 }, '210040000000'],
  ] as const) {
    bmc.faults.set('data', parameters, { match: STATUS, count: 1 })
    t.equal((await console.call(session, 'chassisStatus'))?.data.toString('hex'), data)
  }
})

// What it does.

fault('setupStatus', 'at each step, also in two bytes', async (t, { bmc, console }) => {
  for (const [packet, step] of [
    ['open', 'open'],
    ['rakp1', 'rakp2'],
    ['rakp3', 'rakp4'],
  ] as const) {
    bmc.faults.set('setupStatus', { status: 0x40, bare: true }, { match: { packet }, count: 1 })
    t.same(await console.logIn(), { step, status: 0x40 })
  }
})

fault('suiteDowngrade', 'another suite than asked for', async (t, { bmc, console, session }) => {
  bmc.faults.set('suiteDowngrade', { suite: 0 })
  t.match(await console.openSession(session.suite), { status: 0, algorithms: { auth: 0, integrity: 0, confidentiality: 0 } })
})

fault('acceptSuite0', 'anybody is let in, without a code', async (t, { bmc, side, console }) => {
  const suite0 = { auth: 0, integrity: 0, confidentiality: 0 }
  t.match(await console.openSession(suite0), { status: 4 })
  bmc.faults.set('acceptSuite0')
  const { bmcId = 0 } = (await console.openSession(suite0)) ?? {}
  const user = Buffer.from('admin')
  const second = await console.step('rakp1', encodeRakp1({ tag: 1, bmcId, random: Buffer.alloc(16), role: 0x14, user }))
  t.equal(second?.length, 40)
  const [fourth] = await console.ask(encodeSetup('rakp3', encodeRakp3({ tag: 1, status: 0, bmcId, code: Buffer.alloc(0) })))
  t.equal(fourth?.length, 24)
  const plain = (command: number, netFn: number, sequence: number, data: number[]): Buffer => {
    const message = encodeRequest({ netFn, command, sequence, data: Buffer.from(data) })
    const head = Buffer.from('0600ff0706000000000000000000', 'hex')
    head.writeUInt32LE(bmcId, 6)
    head.writeUInt32LE(sequence, 10)
    return Buffer.concat([head, Buffer.from([message.length, 0]), message])
  }
  t.equal((await console.ask(plain(0x3b, 6, 1, [4]))).length, 1)
  t.equal((await console.ask(plain(2, 0, 2, DOWN))).length, 1)
  t.equal(bmc.trueState, 'off')
  t.match(side.received, [{ action: 'down', user: 'admin' }])
})

fault('lockout', 'after so many wrong passwords, for a time', async (t, { bmc, clock, console, session: { suite } }) => {
  bmc.faults.set('lockout', { failures: 2, ms: 60_000 })
  const wrong = async (): Promise<void> => {
    const { bmcId = 0 } = (await console.openSession(suite)) ?? {}
    await console.step('rakp1', encodeRakp1({ tag: 1, bmcId, random: Buffer.alloc(16), role: 0x14, user: Buffer.from('admin') }))
    const answer = await console.step('rakp3', encodeRakp3({ tag: 1, status: 0, bmcId, code: Buffer.alloc(suite.kecBytes) }))
    t.equal(answer?.[1], 0x0f)
  }
  await wrong()
  t.match(await console.logIn(), { session: {} })
  await wrong()
  t.same(await console.logIn(), { step: 'rakp2', status: 0x0d })
  clock.advance(60_000)
  t.match(await console.logIn(), { session: {} })
})

fault('quirk', 'names of 16 bytes, another role byte, a byte too many', async (t, { bmc, console }) => {
  bmc.faults.set('quirk')
  t.same(await console.logIn(), { step: 'rakp2', status: 'bad code' })
  t.match(await console.logIn({ user: 'admin'.padEnd(16, '\0') }), { session: {} })
  bmc.faults.clear()
  bmc.faults.set('quirk', { name: 'no-name-only-lookup' })
  t.same(await console.logIn(), { step: 'rakp2', status: 'bad code' })
  bmc.faults.clear()
  bmc.faults.set('quirk', { name: 'rakp2-slack' })
  t.equal(await logInFailure(console), 'long')
})

fault('completion', 'any code, done or not, and a refused restore policy', async (t, { bmc, side, console, session }) => {
  for (const code of [0xc0, 0xc3, 0xcf, 0xd5, 0xff]) {
    bmc.faults.set('completion', { code }, { match: CONTROL, count: 1 })
    t.match(await console.call(session, 'chassisControl', DOWN), { completion: code, data: Buffer.alloc(0) })
  }
  t.equal(bmc.trueState, 'on')
  t.match(
    side.received.map(({ executed, completion }) => [executed, completion]),
    [
      ['never', 0xc0],
      ['never', 0xc3],
      ['never', 0xcf],
      ['never', 0xd5],
      ['never', 0xff],
    ],
  )
  bmc.faults.set('completion', { code: 0xc3, done: true }, { match: CONTROL, count: 1 })
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0xc3 })
  t.equal(bmc.trueState, 'off')
  bmc.faults.set('completion', { code: 0xc1 }, { match: { packet: 'setRestorePolicy' } })
  t.match(await console.call(session, 'setRestorePolicy', [0]), { completion: 0xc1 })
  t.equal(side.restorePolicy, 'LastState')
  t.equal(await status(console, session), 'off', 'the others are answered')
})

fault('bmcReset', 'at a command: before it, after it, and deaf for a while', async (t, { bmc, side, clock, console, session }) => {
  bmc.faults.set('bmcReset', { when: 'before' }, { match: CONTROL })
  t.equal(await console.call(session, 'chassisControl', DOWN), undefined)
  t.equal(bmc.trueState, 'on')
  t.same(side.sessions.list(), [])
  t.equal(await status(console, session), 'silence')
  const next = await console.session()
  bmc.faults.set('bmcReset', { deafMs: 5000 }, { match: CONTROL })
  console.send(console.command(next, 'chassisControl', DOWN))
  await until(() => bmc.trueState === 'off')
  const heard = side.counters.received
  console.send(encodePing(1))
  await until(() => side.counters.received > heard)
  t.match(side.counters.dropped, { deaf: 1 })
  clock.advance(5000)
  t.match(await console.logIn(), { session: {} })
  t.match(side.received, [
    { executed: 'never', completion: null },
    { executed: 'now', completion: null },
  ])
})

fault('guidOrder', 'another byte order, or nothing, until it is cleared', async (t, { bmc, console, session }) => {
  const uuid = bmc.systemOrThrow(undefined).identity.systemUuid
  bmc.faults.set('guidOrder', { order: 'rfc4122' })
  t.equal(renderGuid((await console.session()).guid).rfc4122, uuid)
  bmc.faults.set('guidOrder', { order: 'zero' })
  t.same((await console.call(session, 'systemGuid'))?.data, Buffer.alloc(16))
  bmc.faults.clear()
  t.equal(renderGuid((await console.session()).guid).smbios, uuid)
})

fault('dcmi', 'a time stamp that stands still, no measuring, no DCMI', async (t, { bmc, clock, console, session }) => {
  const read = async () => console.call(session, 'dcmiPower', [0xdc, 1, 0, 0])
  bmc.faults.set('dcmi', { frozen: true, measuring: false }, { count: 2 })
  const first = COMMANDS.dcmiPower.decode((await read())?.data ?? Buffer.alloc(0))
  clock.advance(9000)
  t.match(COMMANDS.dcmiPower.decode((await read())?.data ?? Buffer.alloc(0)), { at: first.at, measuring: false })
  bmc.faults.set('dcmi', { absent: true })
  t.match(await read(), { completion: 0xc1 })
})

// The machine, and what both protocols have.

fault('lie', 'on both, or on one of them', async (t, { bmc, console, session }) => {
  bmc.faults.set('lie', { reports: 'Off' }, { match: { protocol: 'ipmi' } })
  t.equal(await status(console, session), 'off')
  t.equal(await powerState(bmc), 'On')
  t.match(COMMANDS.dcmiPower.decode((await console.call(session, 'dcmiPower', [0xdc, 1, 0, 0]))?.data ?? Buffer.alloc(0)), { watts: 0 })
  bmc.faults.clear()
  bmc.faults.set('lie', { reports: 'Off', watts: false })
  t.equal(await status(console, session), 'off')
  t.equal(await powerState(bmc), 'Off')
  t.match(COMMANDS.dcmiPower.decode((await console.call(session, 'dcmiPower', [0xdc, 1, 0, 0]))?.data ?? Buffer.alloc(0)), { watts: 344 })
  bmc.faults.clear()
  bmc.power.force('off', 'test')
  bmc.faults.set('lie', { reports: 'On' })
  t.equal(await status(console, session), 'on')
  bmc.faults.clear()
  bmc.faults.set('lie', { reports: 'PoweringOff' })
  t.equal(await status(console, session), 'off', 'one bit has no word for it')
})

fault('flap', 'off once, then the truth', async (t, { bmc, console, session }) => {
  bmc.faults.set('flap', {}, { match: { protocol: 'ipmi' } })
  t.equal(await powerState(bmc), 'On')
  t.equal(await status(console, session), 'off')
  t.equal(await status(console, session), 'on')
})

fault('watts', 'any figure', async (t, { bmc, console, session }) => {
  bmc.faults.set('watts', { watts: 500 })
  t.match(COMMANDS.dcmiPower.decode((await console.call(session, 'dcmiPower', [0xdc, 1, 0, 0]))?.data ?? Buffer.alloc(0)), { watts: 500 })
})

fault('ignored', 'both protocols say yes and do nothing', async (t, { bmc, side, console, session }) => {
  bmc.faults.set('ignored')
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0 })
  t.equal((await reset(bmc, 'ForceOff')).status, 204)
  t.equal(bmc.trueState, 'on')
  t.match(side.received, [{ executed: 'never', completion: 0 }])
})

fault('late', 'done later, answered or not', async (t, { bmc, side, clock, console, session }) => {
  bmc.faults.set('late', { ms: 10_000 }, { count: 1 })
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0 })
  t.equal(await status(console, session), 'on')
  clock.advance(10_000)
  t.equal(await status(console, session), 'off')
  bmc.faults.set('late', { ms: 10_000, answered: 'never' })
  t.equal(await console.call(session, 'chassisControl', UP), undefined)
  t.match(side.received, [
    { executed: 'late', completion: 0 },
    { executed: 'late', completion: null },
  ])
  clock.advance(10_000)
  t.equal(await status(console, session), 'on')
})

fault('slowPower', 'an off takes its time', async (t, { bmc, clock, console, session }) => {
  bmc.faults.set('slowPower', { offMs: 30_000 })
  await console.call(session, 'chassisControl', DOWN)
  clock.advance(29_999)
  t.equal(await status(console, session), 'on')
  clock.advance(1)
  t.equal(await status(console, session), 'off')
})

fault('stuckPoweringOff', 'on for ever', async (t, { bmc, clock, console, session }) => {
  bmc.faults.set('stuckPoweringOff')
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0 })
  clock.advance(59_000)
  t.equal(await status(console, session), 'on')
  bmc.faults.clear()
  t.equal(await status(console, session), 'off')
})

fault('powerReturns', 'after an off over either protocol', async (t, { bmc, clock, console, session }) => {
  bmc.faults.set('powerReturns', { ms: 5000, times: 2 })
  await console.call(session, 'chassisControl', DOWN)
  clock.advance(5000)
  t.equal(await status(console, session), 'on')
  t.match(COMMANDS.restartCause.decode((await console.call(session, 'restartCause'))?.data ?? Buffer.alloc(0)), { cause: 6 })
  await reset(bmc, 'ForceOff')
  t.equal(await status(console, session), 'off')
  clock.advance(5000)
  t.equal(await status(console, session), 'on')
})

fault('offPhase', 'off now, on again soon', async (t, { bmc, clock, console, session }) => {
  bmc.faults.set('offPhase')
  t.equal(await status(console, session), 'off')
  clock.advance(5000)
  t.equal(await status(console, session), 'on')
})

fault('identity', 'another machine: the GUID of new sessions is another', async (t, { bmc, console, session }) => {
  bmc.faults.set('identity', { uuid: '11111111-2222-4333-8444-555555555555' })
  t.equal(renderGuid((await console.session()).guid).smbios, '11111111-2222-4333-8444-555555555555')
  t.equal((await ask(bmc, 'GET', systemPath(bmc))).get('UUID'), '11111111-2222-4333-8444-555555555555')
  bmc.faults.clear()
  t.same((await console.session()).guid, session.guid)
})

fault('sessionTableFull', 'with the status given', async (t, { bmc, console, session }) => {
  bmc.faults.set('sessionTableFull', {}, { count: 1, match: { protocol: 'ipmi' } })
  t.same(await console.logIn(), { step: 'open', status: 0x01 })
  bmc.faults.set('sessionTableFull', { ipmiStatus: 0x0b })
  t.same(await console.logIn(), { step: 'open', status: 0x0b })
  t.equal(await status(console, session), 'on', 'open ones go on')
})

fault('sessionLost', 'silence from then on, and nothing is done', async (t, { bmc, side, console, session }) => {
  bmc.faults.set('sessionLost', {}, { match: CONTROL })
  t.equal(await console.call(session, 'chassisControl', DOWN), undefined)
  t.equal(await status(console, session), 'silence')
  t.equal(bmc.trueState, 'on')
  t.match(side.received, [{ executed: 'never', completion: null }])
  t.match(await console.logIn(), { session: {} })
})

fault('wrongCredentials', 'the BMC has another password', async (t, { bmc, console, session }) => {
  bmc.faults.set('wrongCredentials')
  t.same(await console.logIn(), { step: 'rakp2', status: 'bad code' })
  t.equal(await status(console, session), 'on', 'open ones go on')
})

fault('forbidden', 'D4h for all but Close', async (t, { bmc, console, session }) => {
  bmc.faults.set('forbidden')
  t.match(await console.call(session, 'chassisControl', DOWN), { completion: 0xd4 })
  t.equal(bmc.trueState, 'on')
  const id = Buffer.alloc(4)
  id.writeUInt32LE(session.bmcId)
  t.match(await console.call(session, 'closeSession', [...id]), { completion: 0 })
})

fault('logoutIgnored', 'closed, it says, and is not', async (t, { bmc, console, session }) => {
  bmc.faults.set('logoutIgnored')
  const id = Buffer.alloc(4)
  id.writeUInt32LE(session.bmcId)
  t.match(await console.call(session, 'closeSession', [...id]), { completion: 0 })
  t.equal(await status(console, session), 'on')
})

fault('delay', 'before the work or after it', async (t, { bmc, side, clock, console, session }) => {
  bmc.faults.set('delay', { ms: 2000 }, { match: CONTROL, count: 1 })
  console.send(console.command(session, 'chassisControl', DOWN))
  await clock.untilWaiting()
  t.equal(bmc.trueState, 'on')
  clock.advance(2000)
  t.match(console.read(session, (await console.next()).bytes), { completion: 0 })
  bmc.faults.set('delay', { ms: 2000, when: 'after' }, { match: CONTROL, count: 1 })
  console.send(console.command(session, 'chassisControl', UP))
  await until(() => bmc.trueState === 'on')
  clock.advance(2000)
  t.match(console.read(session, (await console.next()).bytes), { completion: 0 })
  t.equal(side.received.length, 2)
})

fault('hang', 'silence, with the command done or not', async (t, { bmc, console, session }) => {
  bmc.faults.set('hang', {}, { match: CONTROL, count: 1 })
  t.equal(await console.call(session, 'chassisControl', DOWN), undefined)
  t.equal(bmc.trueState, 'on')
  bmc.faults.set('hang', { when: 'after' }, { match: CONTROL, count: 1 })
  t.equal(await console.call(session, 'chassisControl', DOWN), undefined)
  t.equal(bmc.trueState, 'off')
})

fault('offline', 'silent while it restarts, and its sessions are gone', async (t, { bmc, side, console, session }) => {
  bmc.faults.set('offline')
  const heard = side.counters.received
  console.send(console.command(session, 'chassisControl', DOWN))
  await until(() => side.counters.received > heard)
  bmc.faults.clear()
  t.equal(await status(console, session), 'silence')
  t.equal(bmc.trueState, 'on')
  t.match(await console.logIn(), { session: {} })
})

t.test('matchers tell the protocols apart', async t => {
  const { bmc, console } = await bench(t)
  const session = await console.session()
  bmc.faults.set('ignored', {}, { match: { protocol: 'redfish' } })
  bmc.faults.set('lie', {}, { match: { path: 'Systems' } })
  bmc.faults.set('flap', {}, { match: { systemId: 'nobody' } })
  t.equal(await status(console, session), 'on')
  t.equal(await powerState(bmc), 'Off')
  bmc.faults.clear()
  bmc.faults.set('ignored', {}, { match: { protocol: 'ipmi' } })
  await console.call(session, 'chassisControl', DOWN)
  t.equal(bmc.trueState, 'on')
  await reset(bmc, 'ForceOff')
  t.equal(bmc.trueState, 'off')
  bmc.faults.set('lie', { reports: 'On' }, { match: { packet: 'chassisStatus' } })
  t.equal(await powerState(bmc), 'Off', 'a packet is not of Redfish')
})

t.test('the answer to a request that is no command has its name, too', async t => {
  const { bmc, console } = await bench(t)
  bmc.faults.set('loss', {}, { match: { packet: 'open' } })
  t.same(
    await console.ask(
      encodeSetup(
        'openRequest',
        encodeOpenRequest({ tag: 1, privilege: 4, consoleId: 9, suite: { auth: 3, integrity: 4, confidentiality: 1 } }),
      ),
    ),
    [],
  )
  bmc.faults.set('completion', { code: 0xc0 }, { match: { packet: 'other' } })
  bmc.faults.clear('loss')
  t.match(await console.call(await console.session(), [0x0a, 0x10]), { completion: 0xc0 })
})

t.test('every fault of the IPMI side has a test', async t => {
  t.same(
    Object.keys(IPMI_FAULTS).filter(name => !covered.has(name)),
    [],
  )
})
