import t from 'tap'
import type { CipherSuite } from '../../src/core/power.ts'
import type { IpmiQuirk } from '../../src/core/topology.ts'
import { decodeRequest, encodeResponse } from '../../src/wire/ipmi/message.ts'
import { encodeSetup, parsePacket, type SessionPacket } from '../../src/wire/ipmi/rmcp.ts'
import { seal, unseal } from '../../src/wire/ipmi/seal.ts'
import { alarmOf, idle, step } from '../../src/wire/ipmi/session.ts'
import type { LogIn, Request, SessionEffect, SessionEvent, SessionState, Trial } from '../../src/wire/ipmi/session-state.ts'
import { firstTrial, judge, logInEnds, outOfTime, troubleOf } from '../../src/wire/ipmi/session-trial.ts'
import { decodeOpenRequest, decodeRakp1, decodeRakp3 } from '../../src/wire/ipmi/setup.ts'
import { suiteOf } from '../../src/wire/ipmi/suites.ts'
import { ScriptedBmc } from './ipmi-bmc.ts'

const STATUS: Request = { netFn: 0, command: 1, data: Buffer.alloc(0), limitMs: 5_000, once: false }
const DOWN: Request = { netFn: 0, command: 2, data: Buffer.from([0]), limitMs: 5_000, once: true }

function logIn(change: Partial<LogIn> = {}): LogIn {
  return {
    user: Buffer.from('admin'),
    password: Buffer.from('secret'),
    kg: undefined,
    privilege: 3,
    suite: 'auto',
    provenSuite: undefined,
    quirks: new Set<IpmiQuirk>(),
    exchangeMs: 5_000,
    connectMs: 3_000,
    retransmitMs: 250,
    ...change,
  }
}

/** A machine with its own clock, stepped by hand. */
class Bench {
  state: SessionState = idle
  now = 1_000
  effects: SessionEffect[] = []
  #count = 0
  readonly bmc = new ScriptedBmc()
  readonly logIn: LogIn

  constructor(change: Partial<LogIn> = {}) {
    this.logIn = logIn(change)
  }

  step(event: SessionEvent): SessionEffect[] {
    const next = step(this.state, event)
    this.state = next.state
    this.effects = [...next.effects]
    const fresh = next.effects.findIndex(effect => effect.do === 'fresh')
    if (fresh < 0) return this.effects
    const before = this.effects
    this.step({ kind: 'entropy', now: this.now, entropy: this.entropy() })
    this.effects = [...before.slice(0, fresh), ...this.effects]
    return this.effects
  }

  entropy() {
    this.#count++
    return { tag: 0x40 + this.#count, consoleId: 0xc0000000 + this.#count, random: Buffer.alloc(16, this.#count) }
  }

  open(): SessionEffect[] {
    return this.step({ kind: 'open', now: this.now, logIn: this.logIn, entropy: this.entropy() })
  }

  /** The datagrams that the last step sends. */
  get datagrams(): Buffer[] {
    return this.effects.flatMap(effect => {
      if (effect.do === 'send') return [effect.bytes]
      if (effect.do !== 'seal') return []
      const { session, sequence, message } = effect
      return [seal({ suite: session.suite, keys: session.keys, sessionId: session.bmcId, sequence, message, iv: Buffer.alloc(16, 1) })]
    })
  }

  /** What the BMC answers to what the last step sends. */
  answers(): Buffer[] {
    return this.datagrams.flatMap(bytes => this.bmc.receive(bytes))
  }

  arrive(datagram: Buffer): SessionEffect[] {
    return this.step({ kind: 'packet', now: this.now, packet: parsePacket(datagram) })
  }

  /** Lets the BMC answer what the last step sends, and takes its answer. */
  turn(): SessionEffect[] {
    const [answer] = this.answers()
    if (answer === undefined) throw new Error(`no answer in ${this.state.phase}`)
    return this.arrive(answer)
  }

  /** Lets time pass to the next alarm. */
  tick(): SessionEffect[] {
    this.now = alarmOf(this.state) ?? Number.NaN
    return this.step({ kind: 'tick', now: this.now })
  }

  ready(): this {
    this.open()
    this.turn()
    this.turn()
    this.turn()
    if (this.state.phase !== 'ready') throw new Error(this.state.phase)
    return this
  }

  ask(request: Request = STATUS): SessionEffect[] {
    return this.step({ kind: 'request', now: this.now, request })
  }

  /** The reason why the last packet was not taken. */
  get dropped(): string | undefined {
    const [effect] = this.effects
    return effect?.do === 'dropped' ? effect.why : undefined
  }
}

t.test('a handshake, an exchange and a close, in both suites', async t => {
  for (const suite of [17, 3] as CipherSuite[]) {
    const b = new Bench({ suite })
    const [open] = b.open()
    t.equal(b.state.phase, 'open')
    const request = open?.do === 'send' && parsePacket(open.bytes)
    const proposed = request && request.kind === 'setup' ? decodeOpenRequest(request.payload) : undefined
    t.equal(proposed && suiteOf(proposed.suite)?.id, suite)
    t.match(proposed, { tag: 0x41, privilege: 3, consoleId: 0xc0000001 })
    b.turn()
    t.equal(b.state.phase, 'rakp2')
    const rakp1 = parsePacket(b.datagrams[0] ?? Buffer.alloc(0))
    t.match(
      rakp1.kind === 'setup' && decodeRakp1(rakp1.payload),
      { role: 0x13 },
      'same privilege as in Open Session, looked up by name alone',
    )
    b.turn()
    t.equal(b.state.phase, 'rakp4')
    const [ready] = b.turn()
    t.equal(b.state.phase, 'ready')
    t.equal(ready?.do, 'ready')
    t.same(ready?.do === 'ready' && ready.session.guid, b.bmc.guid)
    t.notOk(JSON.stringify(b.state).includes('secret'), 'no log-in is kept')
    t.notOk('logIn' in b.state)
    t.equal(alarmOf(b.state), undefined, 'a session at rest waits for nothing')

    const [asked] = b.ask()
    t.match(asked, { do: 'seal', sequence: 1, again: false })
    const [answered] = b.turn()
    t.match(answered, { do: 'answered', response: { netFn: 1, command: 1, completion: 0, data: Buffer.from([1, 0, 0]) } })
    t.equal(b.state.phase, 'ready')
    t.match(b.ask(), [{ do: 'seal', sequence: 2 }])
    b.turn()

    t.match(b.step({ kind: 'close', now: b.now, confirmed: true, limitMs: 5_000 }), [{ do: 'seal', sequence: 3 }])
    t.match(b.turn(), [{ do: 'closed', known: true }])
    t.equal(b.state.phase, 'closed')
    t.equal(b.bmc.sessions.size, 0)
  }
})

t.test('unanswered setup packets are repeated unchanged, more and more slowly', async t => {
  const b = new Bench({ connectMs: 60_000, exchangeMs: 60_000 })
  b.open()
  const [first] = b.datagrams
  const gaps: number[] = []
  for (let tries = 0; tries < 9; tries++) {
    const before = b.now
    b.tick()
    gaps.push(Math.round(b.now - before))
    t.same(b.datagrams[0], first)
  }
  t.same(gaps, [250, 250, 300, 350, 400, 450, 500, 500, 500])
})

t.test('requests are repeated with the same request number, a new sequence number each', async t => {
  const b = new Bench().ready()
  const [first] = b.ask()
  const seen: number[] = []
  for (let tries = 0; tries < 4; tries++) {
    const [again] = b.tick()
    t.match(again, { do: 'seal', again: true })
    if (again?.do === 'seal' && first?.do === 'seal') {
      t.same(again.message, first.message)
      seen.push(again.sequence)
    }
  }
  t.same(seen, [2, 3, 4, 5])
  t.match(b.turn(), [{ do: 'answered' }])
  t.same(b.bmc.sequences, [5])
})

t.test('a request that is never answered ends at its limit; one that is sent once is sent once', async t => {
  const b = new Bench().ready()
  b.ask({ ...STATUS, limitMs: 600 })
  t.match([b.tick(), b.tick(), b.tick()], [[{ do: 'seal' }], [{ do: 'seal' }], [{ do: 'unanswered' }]])
  t.equal(b.now, 1_600)
  t.equal(b.state.phase, 'ready')

  t.match(b.ask(DOWN), [{ do: 'seal' }])
  t.match(b.tick(), [{ do: 'unanswered' }], 'the next thing that time brings is the end')
  t.equal(b.now, 6_600)
})

t.test('events without a meaning in a state change nothing', async t => {
  const b = new Bench().ready()
  const states: SessionState[] = [idle, b.state, { phase: 'closed' }, { phase: 'failed' }]
  for (const state of states) {
    const request: SessionEvent = { kind: 'request', now: 0, request: STATUS }
    const entropy: SessionEvent = { kind: 'entropy', now: 0, entropy: b.entropy() }
    const open: SessionEvent = { kind: 'open', now: 0, logIn: b.logIn, entropy: b.entropy() }
    for (const event of [request, entropy, open, { kind: 'tick', now: 9e9 } as const, { kind: 'forget', now: 0 } as const]) {
      if ((state.phase === 'idle' && event.kind === 'open') || (state.phase === 'ready' && event.kind === 'request')) continue
      const next = step(state, event)
      t.equal(next.state, state, `${event.kind} in ${state.phase}`)
      t.same(next.effects, [])
    }
  }
  b.ask()
  const before = b.state
  t.same(b.ask(), [], 'one request at a time')
  t.equal(b.state, before)
})

t.test('answers that do not belong to this handshake are dropped', async t => {
  const b = new Bench()
  b.open()
  const [response = Buffer.alloc(0)] = b.answers()
  const changed = (at: number) => {
    const bytes = Buffer.from(response)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    return bytes
  }
  const before = b.state
  // 16 bytes of header; then tag, status, privilege, 0, our id, the BMC's id, three records.
  for (const [what, bytes, why] of [
    ['another tag', changed(16), 'foreign'],
    ['another id of ours', changed(20), 'foreign'],
    ['a record of another kind', changed(28), 'damaged'],
    ['cut short', encodeSetup('openResponse', response.subarray(16, -1)), 'damaged'],
    ['a step of later', encodeSetup('rakp4', Buffer.from([0x41, 0, 0, 0, 0, 0, 0, 0])), 'unexpected'],
    [
      'a BMC id of 0',
      encodeSetup('openResponse', Buffer.concat([response.subarray(16, 24), Buffer.alloc(4), response.subarray(28)])),
      'damaged',
    ],
  ] as const) {
    b.arrive(bytes)
    t.equal(b.dropped, why, what)
    t.equal(b.state, before, what)
  }
  b.arrive(response)
  t.equal(b.state.phase, 'rakp2', 'and the right one still counts')
  b.arrive(response)
  t.equal(b.dropped, 'unexpected', 'once')
})

t.test('suite 17 first, 3 only when 17 was refused twice with a status that says so', async t => {
  for (const status of [0x04, 0x05, 0x10, 0x11, 0x12]) {
    const b = new Bench()
    b.bmc.statuses.openResponse = [status, status]
    b.open()
    t.equal(proposed(b), 17)
    b.turn()
    t.equal(proposed(b), 17, `${status}: one refusal is not believed: anybody can send it`)
    b.turn()
    t.equal(proposed(b), 3)
    b.turn()
    t.equal(b.state.phase, 'rakp2')
  }
  for (const status of [0x02, 0x03, 0x06, 0x07, 0x08, 0x0e, 0x40, 0xff]) {
    const b = new Bench()
    b.bmc.statuses.openResponse = Array(8).fill(status)
    b.open()
    for (let round = 0; round < 6; round++) {
      b.turn()
      while (b.state.phase === 'rest') b.tick()
      t.equal(proposed(b), 17, `${status} is no word about suites`)
    }
  }
})

t.test('no suite below the proven one, none below the one that was set, none twice', async t => {
  const ends = (change: Partial<LogIn>, status = 0x11) => {
    const b = new Bench(change)
    b.bmc.statuses.openResponse = Array(20).fill(status)
    b.open()
    const suites = [proposed(b)]
    for (let round = 0; round < 8 && b.state.phase === 'open'; round++) {
      b.turn()
      if (b.state.phase === 'open') suites.push(proposed(b))
    }
    const [effect] = b.effects
    return { suites, failure: effect?.do === 'failed' ? effect.failure : undefined }
  }
  for (const [change, suites, reason] of [
    [{}, [17, 17, 3, 3], 'suite_refused'],
    [{ suite: 17 }, [17, 17], 'suite_refused'],
    [{ suite: 3 }, [3, 3], 'suite_refused'],
    [{ provenSuite: 17 }, [17, 17], 'suite_downgrade'],
    [{ provenSuite: 3 }, [3, 3, 17, 17], 'suite_refused'],
    // What its owner sets counts.
    [{ suite: 3, provenSuite: 17 }, [3, 3], 'suite_refused'],
  ] as [Partial<LogIn>, CipherSuite[], string][]) {
    const end = ends(change)
    t.same(end.suites, suites)
    t.match(end.failure, { reason, facts: { status: 0x11 } })
  }
})

t.test('01 may be a word for a suite that is not there, or a full table: both suites in turn, then session_limit', async t => {
  const intel = new Bench()
  intel.bmc.statuses.openResponse = [1, 1]
  intel.open()
  intel.turn()
  intel.tick()
  intel.turn()
  intel.tick()
  t.equal(proposed(intel), 3)
  intel.turn()
  t.equal(intel.state.phase, 'rakp2')

  for (const [status, change, expected] of [
    [0x01, {}, [17, 17, 3, 3, 17, 17, 3, 3]],
    [0x0b, {}, [17, 17, 17, 17, 17, 17, 17, 17]],
    [0x01, { provenSuite: 17 as const }, [17, 17, 17, 17, 17, 17, 17, 17]],
  ] as const) {
    const b = new Bench(change)
    b.bmc.statuses.openResponse = Array(100).fill(status)
    b.open()
    const suites = [proposed(b)]
    while (b.state.phase !== 'failed') {
      if (b.state.phase === 'open') b.turn()
      b.tick()
      if (b.state.phase === 'open') suites.push(proposed(b))
    }
    t.same(suites.slice(0, 8), expected)
    t.ok(suites.length <= 16, `${suites.length} Open Sessions in five seconds are no flood`)
    t.match(b.effects, [{ do: 'failed', failure: { reason: 'session_limit', facts: { status, retryAfterMs: Number } } }])
    t.equal(b.now, 6_000)
  }
})

t.test('other algorithms than proposed are refused, also where they are good ones', async t => {
  const b = new Bench()
  const other = () => {
    const [response = Buffer.alloc(0)] = b.answers()
    const payload = Buffer.from(response.subarray(16))
    // The authentication algorithm of suite 3.
    payload[16] = 1
    return encodeSetup('openResponse', payload)
  }
  b.open()
  b.arrive(other())
  t.equal(b.state.phase, 'open')
  t.equal(proposed(b), 17)
  t.match(b.arrive(other()), [{ do: 'failed', failure: { reason: 'suite_downgrade' } }])
})

t.test('a wrong password is two log-ins, not one and not three', async t => {
  for (const set of [
    (b: ScriptedBmc) => (b.password = 'other'),
    (b: ScriptedBmc) => (b.user = 'somebody'),
    (b: ScriptedBmc) => (b.statuses.rakp4 = [0x0f, 0x0f]),
    (b: ScriptedBmc) => (b.statuses.rakp2 = [0x0a, 0x0a]),
    (b: ScriptedBmc) => (b.kg = Buffer.from('another key')),
  ]) {
    const b = new Bench()
    set(b.bmc)
    b.open()
    while (b.state.phase !== 'failed') b.turn()
    t.match(b.effects.at(-1), { do: 'failed', failure: { reason: 'auth_failed', facts: { logIns: 2 } } })
    t.equal(b.bmc.log.filter(one => one === 'openRequest').length, 2)
    t.notMatch(JSON.stringify(b.effects.at(-1)), /secret|other/)
  }
})

t.test('a RAKP2 that does not fit is told the BMC, and one is not believed', async t => {
  const b = new Bench()
  b.open()
  b.turn()
  const [rakp2 = Buffer.alloc(0)] = b.answers()
  rakp2[rakp2.length - 1] = (rakp2.at(-1) ?? 0) ^ 0x10
  const [gaveUp, again] = b.arrive(rakp2)
  t.equal(again?.do, 'send', 'a fresh handshake at once')
  const packet = gaveUp?.do === 'send' ? parsePacket(gaveUp.bytes) : undefined
  t.match(packet?.kind === 'setup' && decodeRakp3(packet.payload), { status: 0x0f, bmcId: 0x0a000001 })
  b.turn()
  t.same(b.bmc.log, ['openRequest', 'rakp1', 'rakp3', 'gave up 15', 'openRequest'])
})

t.test('a BMC that forgets the handshake, answers nonsense or falls silent in it: afresh, without counting as a log-in', async t => {
  for (const statuses of [{ rakp4: [0x02] }, { rakp2: [0x08] }, { openResponse: [0x40, 0x77] }, { rakp4: [0x55] }]) {
    const b = new Bench()
    b.bmc.statuses = statuses
    b.open()
    while (b.state.phase !== 'ready') {
      if (b.state.phase === 'rest') b.tick()
      else b.turn()
    }
    t.ok(b.bmc.log.filter(one => one === 'openRequest').length >= 2)
  }
  const b = new Bench()
  b.open()
  b.turn()
  const [rakp1] = b.datagrams
  for (let tries = 0; tries < 3; tries++) t.same(b.tick() && b.datagrams, [rakp1])
  b.tick()
  t.equal(b.state.phase, 'open', 'RAKP1 four times, then from the beginning')

  const c = new Bench()
  c.open()
  c.turn()
  c.turn()
  for (let tries = 0; tries < 4; tries++) c.tick()
  t.match(c.effects, [{ do: 'seal', sequence: 1 }, { do: 'send' }], 'the session that the BMC may hold is closed')
})

t.test('silence is unreachable after the limit for a first sign, and a bad log-in among silence is still counted', async t => {
  const b = new Bench()
  b.open()
  while (b.state.phase !== 'failed') b.tick()
  t.match(b.effects, [{ do: 'failed', failure: { reason: 'unreachable' } }])
  t.equal(b.now, 4_000)

  const c = new Bench()
  c.bmc.statuses.rakp2 = [0x0d]
  c.open()
  c.turn()
  c.turn()
  while (c.state.phase !== 'failed') c.tick()
  t.match(c.effects, [{ do: 'failed', failure: { reason: 'exchange_timeout', facts: { logIns: 1, status: 0x0d } } }])
  t.equal(c.now, 6_000)
})

t.test('what a status means, and what follows: the judge by itself', async t => {
  const trial: Trial = firstTrial(logIn(), 0)
  t.match(troubleOf(0x0b, true), { kind: 'full' })
  t.match(troubleOf(0x11, false), { kind: 'damage' }, 'suites are spoken of in Open Session alone')
  t.match(judge(logIn(), { ...trial, handshakes: 9 }, { kind: 'damage' }), { restMs: 500 }, 'no flood')
  t.equal(logInEnds(logIn(), trial), 3_000)
  t.equal(logInEnds(logIn(), { ...trial, answered: true }), 5_000)
  t.match(outOfTime(logIn(), { ...trial, answered: true, status: 0x40 }).message, /unknown status 0x40/)
})

t.test('in a session only what is signed, encrypted, new and awaited is an answer', async t => {
  const b = new Bench().ready()
  b.ask()
  const session = b.bmc.session
  if (session.keys === undefined) throw new Error('no keys')
  const off = (requestNumber: number, command = 1) =>
    encodeResponse({ netFn: 1, command, sequence: requestNumber, completion: 0, data: Buffer.from([0, 0, 0]) })
  const [right = Buffer.alloc(0)] = b.answers()
  const flags = (bits: number) => {
    const bytes = Buffer.from(right)
    bytes[5] = (bytes[5] ?? 0) & ~bits
    return bytes
  }
  const plain = (bits: number) =>
    Buffer.concat([Buffer.from([6, 0, 0xff, 7, 6, bits]), right.subarray(6, 14), Buffer.from([11, 0]), off(1)])
  const wrong = Buffer.from(right)
  wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1
  const other = seal({
    suite: session.suite,
    keys: { k1: session.keys.k2, k2: session.keys.k1 },
    sessionId: session.consoleId,
    sequence: 9,
    message: off(1),
    iv: Buffer.alloc(16),
  })
  const before = b.state
  for (const [what, bytes, why] of [
    ['not signed', plain(0x00), 'unprotected'],
    ['said to be encrypted, not signed', plain(0x80), 'unprotected'],
    ['the flag for encryption off', flags(0x80), 'bad_code'],
    ['a wrong code', wrong, 'bad_code'],
    ['other keys', other, 'bad_code'],
    ['sequence number 0', b.bmc.reply(session, off(1), 0), 'replayed'],
    ['a setup packet', encodeSetup('rakp4', Buffer.alloc(8)), 'unexpected'],
    ['another session', b.bmc.reply({ ...session, consoleId: session.consoleId + 1 }, off(1)), 'foreign'],
  ] as const) {
    b.arrive(bytes)
    t.equal(b.dropped, why, what)
    t.equal(b.state, before, what)
  }
  for (const [what, message, why] of [
    ['the previous request', off(0), 'unmatched'],
    ['another command', off(1, 2), 'unmatched'],
    ['another function', encodeResponse({ netFn: 7, command: 1, sequence: 1, completion: 0, data: Buffer.alloc(3) }), 'unmatched'],
    ['a check sum', Buffer.concat([off(1).subarray(0, -1), Buffer.from([0])]), 'damaged'],
  ] as const) {
    b.arrive(b.bmc.reply(session, message))
    t.equal(b.dropped, why, what)
    t.equal(b.state.phase, 'exchange', what)
  }
  t.match(b.arrive(right), [{ do: 'answered', response: { data: Buffer.from([1, 0, 0]) } }])
  b.ask()
  b.arrive(right)
  t.equal(b.dropped, 'replayed', 'the same packet again')
})

t.test('sequence numbers: jumps, disorder within 32, the end of the count, both ways', async t => {
  const b = new Bench().ready()
  const session = b.bmc.session
  const answer = (sequence: number) => {
    const [asked] = b.ask()
    const number = asked?.do === 'seal' ? decodeRequest(asked.message).sequence : 0
    b.arrive(
      b.bmc.reply(
        session,
        encodeResponse({ netFn: 1, command: 1, sequence: number, completion: 0, data: Buffer.from([1, 0, 0]) }),
        sequence,
      ),
    )
    const taken = b.dropped === undefined
    if (!taken) b.step({ kind: 'forget', now: b.now })
    return taken
  }
  t.same(
    [5, 3, 5, 1_000, 999, 969, 968, 0xffff_fff0, 0xffff_ffff, 1, 2, 0xffff_fffe, 0xffff_fff0].map(one =>
      answer(one === 0xffff_fff0 ? one : one),
    ),
    [true, true, false, true, true, true, false, false, false, false, false, false, false],
    'half a count ahead is behind',
  )
  if (b.state.phase !== 'ready') throw new Error(b.state.phase)
  b.state = { ...b.state, window: { highest: 0xffff_fff0, seen: 1 }, nextSequence: 0xffff_ffff }
  t.same([0xffff_ffff, 1, 2, 0xffff_fffe, 0xffff_fff0].map(answer), [true, true, true, true, false])
  t.equal(b.state.phase === 'ready' && b.state.nextSequence, 5, 'ours went from the last number to 1: 0 is none')
})

t.test('a close: unconfirmed it is one packet, confirmed only the right answer counts', async t => {
  const close = (confirmed: boolean): SessionEvent => ({ kind: 'close', now: 2_000, confirmed, limitMs: 1_000 })
  const b = new Bench().ready()
  t.match(b.step(close(false)), [{ do: 'seal' }, { do: 'closed', known: false }])
  t.equal(b.state.phase, 'closed')
  for (const [completion, known] of [
    [0x87, true],
    [0xd4, false],
    [0xc1, false],
  ] as const) {
    const c = new Bench().ready()
    c.bmc.completions['Close Session'] = [completion]
    c.step(close(true))
    t.match(c.turn(), [{ do: 'closed', known }])
  }
  const d = new Bench().ready()
  d.step(close(true))
  d.now = 2_000
  t.match([d.tick(), d.tick(), d.tick()], [[{ do: 'seal' }], [{ do: 'seal' }], [{ do: 'seal' }]])
  t.match(d.tick(), [{ do: 'closed', known: false }], 'no answer')
  const e = new Bench().ready()
  e.step(close(true))
  t.match(e.step(close(false)), [{ do: 'closed', known: false }], 'waited for no longer')
  const f = new Bench()
  f.open()
  t.match(f.step(close(true)), [{ do: 'closed', known: true }], 'no session yet')
  const g = new Bench()
  g.open()
  g.turn()
  g.turn()
  t.match(g.step(close(true)), [{ do: 'seal', sequence: 1 }, { do: 'closed' }], 'the BMC may have a session already')
})

t.test('quirks change what they say, and nothing else', async t => {
  const name = new Bench({ quirks: new Set(['no-name-only-lookup']) })
  name.open()
  name.turn()
  const rakp1 = parsePacket(name.datagrams[0] ?? Buffer.alloc(0))
  t.match(rakp1.kind === 'setup' && decodeRakp1(rakp1.payload), { role: 0x03 })

  for (const [quirks, taken] of [
    [[], false],
    [['rakp2-slack'], true],
  ] as [IpmiQuirk[], boolean][]) {
    const b = new Bench({ quirks: new Set(quirks) })
    b.open()
    b.turn()
    const [rakp2 = Buffer.alloc(0)] = b.answers()
    b.arrive(encodeSetup('rakp2', Buffer.concat([rakp2.subarray(16), Buffer.from([0])])))
    t.equal(b.state.phase, taken ? 'rakp4' : 'rakp2')
  }

  for (const [quirks, phase] of [
    [[], 'exchange'],
    [['skip-checksum'], 'ready'],
  ] as [IpmiQuirk[], string][]) {
    const b = new Bench({ quirks: new Set(quirks) }).ready()
    b.ask()
    const [right = Buffer.alloc(0)] = b.answers()
    const packet = parsePacket(right) as SessionPacket
    const { suite, keys } = b.bmc.session
    if (keys === undefined) throw new Error('no keys')
    const message = unseal(packet, suite, keys)
    message[message.length - 1] = (message.at(-1) ?? 0) ^ 1
    b.arrive(b.bmc.reply(b.bmc.session, message))
    t.equal(b.state.phase, phase)
  }
})

/** The suite of the Open Session that the last step sends. */
function proposed(b: Bench): number | undefined {
  const bytes = b.datagrams.at(-1)
  const packet = bytes === undefined ? undefined : parsePacket(bytes)
  if (packet?.kind !== 'setup' || packet.type !== 'openRequest') return undefined
  return suiteOf(decodeOpenRequest(packet.payload).suite)?.id
}
