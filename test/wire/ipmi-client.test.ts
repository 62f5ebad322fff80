import { getEventListeners } from 'node:events'
import t, { type Test } from 'tap'
import type { CipherSuite } from '../../src/core/power.ts'
import { Secret } from '../../src/core/secret.ts'
import type { ClientOptions } from '../../src/wire/ipmi/client-options.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { IpmiError } from '../../src/wire/ipmi/failure.ts'
import { encodeResponse } from '../../src/wire/ipmi/message.ts'
import { parsePacket } from '../../src/wire/ipmi/rmcp.ts'
import { decodeOpenRequest } from '../../src/wire/ipmi/setup.ts'
import { suiteOf } from '../../src/wire/ipmi/suites.ts'
import { Net } from './ipmi-net.ts'

const SUITES: readonly CipherSuite[] = [17, 3]
const status = COMMANDS.chassisStatus

/** What a promise was rejected with, as reason and facts. */
async function failure(net: Net, promise: Promise<unknown>) {
  try {
    await net.settle(promise)
  } catch (error) {
    if (error instanceof IpmiError) return { reason: error.reason, ...error.facts }
    throw error
  }
  return { reason: 'none' }
}

/** After a close nothing may be left: no timer, no socket. */
function atRest(t: Test, net: Net): void {
  t.equal(net.timers, 0, 'no timer is left')
  t.equal(net.open, 0, 'no socket is left')
}

t.test('a cold status is five packets, a kept one is one', async t => {
  const net = new Net()
  const client = net.client({ privilege: 'user' })
  t.match(await net.settle(client.execute(status, undefined)), { on: true })
  t.equal(net.sent.length, 4)
  t.match(await net.settle(client.execute(status, undefined)), { on: true })
  t.equal(net.sent.length, 5)
  t.match(client.facts, { suite: 17, guid: net.bmc.guid })
  t.equal(await net.settle(client.close({ confirmed: false })), 'unknown')
  t.equal(net.sent.length, 6)
  await net.time.run(10)
  t.equal(net.bmc.sessions.size, 0)
  atRest(t, net)
})

t.test('the loss of any single packet, in either direction, is made good', async t => {
  for (const suite of SUITES) {
    // open, RAKP1, RAKP3, privilege, status, control, status, close.
    for (const way of ['toBmc', 'toUs'] as const) {
      for (let lost = 1; lost <= 8; lost++) {
        const net = new Net()
        net[way] = (bytes, count) => (count === lost ? [] : [{ bytes }])
        const client = net.client({ suite })
        const what = `suite ${suite}, ${way} ${lost}`
        await net.settle(client.elevate())
        t.match(await net.settle(client.execute(status, undefined)), { on: true }, what)
        client.ticket()
        const reply = await net.settle(client.sendOnce(COMMANDS.chassisControl, { action: 'down' }, undefined, Number.POSITIVE_INFINITY))
        t.equal(reply.kind, lost === 6 ? 'unanswered' : 'answered', what)
        t.ok(net.bmc.controls.length <= 1, `${what}: the command ran at most once`)
        if (lost !== 6) t.match(await net.settle(client.execute(status, undefined)), { on: false }, what)
        t.equal(await net.settle(client.close({ confirmed: true })), lost === 8 && way === 'toUs' ? 'unknown' : 'closed', what)
        atRest(t, net)
      }
    }
  }
})

t.test('every packet twice, in both directions: each thing happens once', async t => {
  for (const suite of SUITES) {
    const net = new Net()
    net.toBmc = bytes => [{ bytes }, { bytes, late: 3 }]
    net.toUs = bytes => [{ bytes }, { bytes }, { bytes, late: 5 }]
    const client = net.client({ suite })
    for (let round = 0; round < 5; round++) t.match(await net.settle(client.execute(status, undefined)), { on: true })
    await net.settle(client.elevate())
    client.ticket()
    await net.settle(client.sendOnce(COMMANDS.chassisControl, { action: 'down' }, undefined, Number.POSITIVE_INFINITY))
    t.same(net.bmc.controls, ['down'])
    t.match(await net.settle(client.execute(status, undefined)), { on: false })
    t.equal(await net.settle(client.close({ confirmed: true })), 'closed')
    atRest(t, net)
  }
})

t.test('a late off of an earlier request is not the answer to a later one', async t => {
  const net = new Net()
  const client = net.client()
  await net.settle(client.open())
  net.bmc.on = false
  // The first answer takes 400 ms; the request is repeated meanwhile and answered in time.
  let first = true
  net.toUs = bytes => {
    const late = first ? 400 : 0
    first = false
    return [{ bytes, late }]
  }
  t.match(await net.settle(client.execute(status, undefined)), { on: false })
  net.bmc.on = true
  let answers = 0
  net.toUs = bytes => (answers++ < 2 ? [] : [{ bytes }])
  t.match(await net.settle(client.execute(status, undefined)), { on: true }, 'the off that comes in between is dropped')
  t.match(client.drops, { unmatched: 1 })
  await net.settle(client.close({ confirmed: true }))
})

t.test('replays: of the same session, of an earlier one, of an earlier handshake', async t => {
  const net = new Net()
  const first = net.client()
  net.bmc.on = false
  t.match(await net.settle(first.execute(status, undefined)), { on: false })
  const recorded = [...net.answered]
  net.bmc.on = true
  // All that was ever said, before each right answer.
  net.toUs = bytes => [...recorded.map(one => ({ bytes: one })), { bytes }]
  for (let round = 0; round < 70; round++) t.match(await net.settle(first.execute(status, undefined)), { on: true })
  await net.settle(first.close({ confirmed: true }))
  const second = net.client()
  t.match(await net.settle(second.execute(status, undefined)), { on: true })
  t.ok((second.drops.foreign ?? 0) > 0)
  await net.settle(second.close({ confirmed: true }))
  atRest(t, net)
})

t.test('only the exact address and port is listened to', async t => {
  for (const from of [{ address: '192.0.2.8' }, { port: 624 }, { address: '2001:db8::7' }]) {
    const net = new Net()
    net.toUs = bytes => [{ bytes, ...from }]
    const client = net.client()
    t.match(await failure(net, client.execute(status, undefined)), { reason: 'unreachable' })
    t.ok(net.transport.counters.foreign > 0)
    await net.settle(client.close({ confirmed: true }))
    atRest(t, net)
  }
})

t.test('suites: 3 where there is no 17, never below the proven one', async t => {
  const net = new Net()
  net.bmc.suites = [3]
  const old = net.client()
  t.match(await net.settle(old.execute(status, undefined)), { on: true })
  t.equal(old.facts?.suite, 3)
  await net.settle(old.close({ confirmed: true }))

  const before = net.sent.length
  t.match(await failure(net, net.client({ provenSuite: 17 }).open()), { reason: 'suite_downgrade', status: 0x11 })
  const proposed = net.sent.slice(before).flatMap(bytes => {
    const packet = parsePacket(bytes)
    return packet.kind === 'setup' ? [suiteOf(decodeOpenRequest(packet.payload).suite)?.id] : []
  })
  t.same(proposed, [17, 17])
  net.bmc.suites = []
  t.match(await failure(net, net.client().open()), { reason: 'suite_refused' })
  atRest(t, net)
})

t.test('a full session table: asked until the limit of the exchange, then said so', async t => {
  const net = new Net()
  net.bmc.slots = 0
  const from = net.time.mono()
  t.match(await failure(net, net.client().execute(status, undefined)), { reason: 'session_limit', status: 1, retryAfterMs: 10_000 })
  t.equal(net.time.mono() - from, 5_000)
  net.time.after(2_000, () => (net.bmc.slots = 1))
  const client = net.client()
  t.match(await net.settle(client.execute(status, undefined)), { on: true }, 'a place that comes free is taken')
  await net.settle(client.close({ confirmed: true }))
  atRest(t, net)
})

t.test('a BMC that restarts: reads find a new session, and its GUID is seen anew', async t => {
  const net = new Net()
  const client = net.client()
  await net.settle(client.execute(status, undefined))
  const name = client.facts?.sessionName
  net.bmc.reset()
  net.bmc.guid = Buffer.alloc(16, 0x42)
  const from = net.time.mono()
  t.match(await net.settle(client.execute(status, undefined)), { on: true })
  t.ok(net.time.mono() - from < 1_600, 'five unanswered packets are enough')
  t.not(client.facts?.sessionName, name)
  t.same(client.facts?.guid, net.bmc.guid)
  net.toBmc = () => []
  t.match(await failure(net, client.execute(status, undefined)), { reason: 'unreachable' })
  await net.settle(client.close({ confirmed: true }))
  atRest(t, net)
})

t.test('a new session that falls silent is an answer too: no third is opened', async t => {
  const net = new Net()
  net.bmc.mute.add(status.name)
  const client = net.client()
  t.match(await failure(net, client.execute(status, undefined)), { reason: 'exchange_timeout' })
  t.equal(net.bmc.log.filter(one => one === 'openRequest').length, 1)
  await net.settle(client.close({ confirmed: true }))
  atRest(t, net)
})

t.test('wrong credentials: exactly two log-ins, and what the protocol can not carry none', async t => {
  const net = new Net()
  const before = net.bmc.log.length
  t.match(await failure(net, net.client({ password: new Secret('wrong') }).open()), { reason: 'auth_failed', logIns: 2 })
  t.equal(net.bmc.log.slice(before).filter(one => one === 'rakp1').length, 2)
  const kg = net.client({ kg: new Secret('no such key') })
  t.match(await failure(net, kg.open()), { reason: 'auth_failed', logIns: 2 })

  const sent = net.sent.length
  for (const options of [
    { password: new Secret('x'.repeat(21)) },
    { password: new Secret('é'.repeat(11)) },
    { username: 'u'.repeat(17) },
    { username: 'a\0b' },
    { kg: new Secret('k'.repeat(21)) },
    { kg: new Secret('0x123') },
  ]) {
    t.match(await failure(net, net.client(options).open()), { reason: 'bad_credential' })
  }
  t.equal(net.sent.length, sent)
  net.bmc.reset()
  net.bmc.password = 'x'.repeat(20)
  net.bmc.kg = Buffer.from('0001feff', 'hex')
  const right = net.client({ password: new Secret(net.bmc.password), kg: new Secret('0x0001FEff') })
  t.match(await net.settle(right.execute(status, undefined)), { on: true })
  await net.settle(right.close({ confirmed: true }))
  net.bmc.kg = undefined
  const none = net.client({ password: new Secret(net.bmc.password), kg: new Secret('0x0000') })
  t.equal((await failure(net, none.open())).reason, 'none', 'a key of zeros is none: the password takes its place')
  await net.settle(none.close({ confirmed: true }))
  atRest(t, net)
})

t.test('what a log-in has cost is told whyever it ends: the breaker counts it', async t => {
  /** The second handshake is never answered, but for `then`. */
  const half = (then: (net: Net) => void, options: Partial<ClientOptions> = {}) => {
    const net = new Net()
    const client = net.client({ password: new Secret('wrong'), ...options })
    net.toBmc = bytes => {
      const packet = parsePacket(bytes)
      if (packet.kind === 'setup' && packet.type === 'rakp3') then(net)
      return [{ bytes }]
    }
    net.toUs = bytes => (net.bmc.log.includes('gave up 15') ? [] : [{ bytes }])
    return { net, client }
  }
  const abort = new AbortController()
  const aborted = half(net => net.time.after(1_000, () => abort.abort()))
  const both = [aborted.client.open(abort.signal), aborted.client.execute(status, undefined)]
  for (const one of both) one.catch(() => undefined)
  t.match(await failure(aborted.net, both[0] ?? Promise.resolve()), { reason: 'aborted', logIns: 1 })
  aborted.net.toUs = bytes => [{ bytes }]
  t.match(await failure(aborted.net, both[1] ?? Promise.resolve()), { reason: 'auth_failed', logIns: 2 }, 'each log-in for itself')

  const closed = half(net => net.time.after(1_000, () => void closed.client.close({ confirmed: false })))
  const waiting = closed.client.open()
  waiting.catch(() => undefined)
  const behind = closed.client.elevate()
  t.match(await failure(closed.net, behind), { reason: 'closed', logIns: undefined }, 'once')
  t.match(await failure(closed.net, waiting), { reason: 'closed', logIns: 1 })

  const broken = half(net => net.time.after(1_000, () => net.breakSocket('ENOTCONN')))
  t.match(await failure(broken.net, broken.client.open()), { reason: 'socket', logIns: 1 })

  const silent = half(() => undefined)
  t.match(await failure(silent.net, silent.client.open()), { reason: 'exchange_timeout', logIns: 1 })

  const refused = half(net => (net.bmc.suites = []), { suite: 3 })
  refused.net.toUs = bytes => [{ bytes }]
  t.match(await failure(refused.net, refused.client.open()), { reason: 'suite_refused', logIns: 1 })

  const before = half(() => undefined)
  before.net.toBmc = () => []
  t.match(await failure(before.net, before.client.open()), { reason: 'unreachable', logIns: undefined }, 'and none where none was refused')
  for (const { net, client } of [aborted, closed, broken, silent, refused, before]) {
    await net.settle(client.close({ confirmed: false }))
    atRest(t, net)
  }
})

t.test('one log-in is left: one refused handshake is the end of it', async t => {
  const net = new Net()
  const client = net.client({ password: new Secret('wrong'), maxBadLogIns: 1 })
  t.match(await failure(net, client.open()), { reason: 'auth_failed', logIns: 1 })
  t.equal(net.bmc.log.filter(one => one === 'rakp1').length, 1)
  await net.settle(client.close({ confirmed: false }))
  atRest(t, net)
})

t.test('requests go one after the other, in their order', async t => {
  const net = new Net()
  const client = net.client()
  let under = 0
  net.toBmc = bytes => {
    under++
    t.equal(under, 1)
    return [{ bytes }]
  }
  net.toUs = bytes => {
    under--
    return [{ bytes }]
  }
  const order: number[] = []
  await net.settle(Promise.all([1, 2, 3, 4].map(async one => client.execute(status, undefined).then(() => order.push(one)))))
  t.same(order, [1, 2, 3, 4])
  under = 0
  await net.settle(client.close({ confirmed: true }))
})

t.test('what the BMC says: busy is asked again, privilege and refusals are told, nonsense is nonsense', async t => {
  const net = new Net()
  const client = net.client()
  const { name } = status
  net.bmc.completions[name] = [0xc0, 0xd2, 0xc3]
  t.match(await net.settle(client.execute(status, undefined)), { on: true })
  net.bmc.completions[name] = Array(40).fill(0xc0)
  t.match(await failure(net, client.execute(status, undefined)), { reason: 'busy', completion: 0xc0, retryAfterMs: Number })
  net.bmc.completions[name] = [0xd4, 0xff, 0xc1]
  t.match(await failure(net, client.execute(status, undefined)), { reason: 'privilege', completion: 0xd4 })
  t.match(await failure(net, client.execute(status, undefined)), { reason: 'completion', completion: 0xff })
  t.match(await failure(net, client.execute(status, undefined)), { reason: 'completion', completion: 0xc1 })

  const session = net.bmc.session
  net.bmc.completions[name] = []
  net.toUs = bytes => {
    const number = net.bmc.log.filter(one => one === name).length & 0x3f
    const empty = encodeResponse({ netFn: 1, command: 1, sequence: number, completion: 0, data: Buffer.alloc(0) })
    return [{ bytes: net.bmc.reply(session, empty) }, { bytes, late: 1 }]
  }
  t.match(await failure(net, client.execute(status, undefined)), { reason: 'bad_answer' })
  net.toUs = bytes => [{ bytes }]
  await net.settle(client.close({ confirmed: true }))

  net.bmc.completions[COMMANDS.setSessionPrivilege.name] = [0x80]
  const low = net.client()
  t.match(await failure(net, low.elevate()), { reason: 'privilege', completion: 0x80 })
  await net.settle(low.close({ confirmed: true }))
  const user = net.client({ privilege: 'user' })
  t.match(await failure(net, user.execute(COMMANDS.setRestorePolicy, { policy: 'off' })), { reason: 'privilege', completion: 0x81 })
  await net.settle(user.close({ confirmed: true }))
  const operator = net.client()
  t.match(await net.settle(operator.execute(COMMANDS.setRestorePolicy, { policy: 'off' })), { supported: ['off', 'previous', 'on'] })
  await net.settle(operator.elevate())
  t.equal(net.bmc.log.filter(one => one === COMMANDS.setSessionPrivilege.name).length, 3, 'once a session')
  await net.settle(operator.close({ confirmed: true }))
  atRest(t, net)
})

t.test('an abort ends what it belongs to at once, and leaves nothing behind', async t => {
  for (let at = 0; at <= 12; at++) {
    const net = new Net()
    const client = net.client()
    const abort = new AbortController()
    net.time.after(at, () => abort.abort())
    const from = net.time.mono()
    // The second waits behind the first.
    const both = [client.execute(status, undefined, abort.signal), client.execute(status, undefined)]
    t.match(await failure(net, Promise.all(both)), at <= 8 ? { reason: 'aborted' } : { reason: 'none' })
    if (at <= 8) t.equal(net.time.mono() - from, at)
    t.match(await net.settle(both[1] ?? Promise.reject(new Error())), { on: true }, 'the next one goes on')
    t.equal(await net.settle(client.close({ confirmed: true })), 'closed')
    await net.time.run(10)
    atRest(t, net)
  }
  const net = new Net()
  const { signal } = new AbortController()
  const client = net.client()
  await net.settle(Promise.all([client.execute(status, undefined, signal), client.elevate(signal)]))
  t.equal(getEventListeners(signal, 'abort').length, 0, 'a signal that lives long does not gather listeners')
  await net.settle(client.close({ confirmed: true }))
  net.sent.length = 0
  t.match(await failure(net, net.client().open(AbortSignal.abort())), { reason: 'aborted' })
  t.equal(net.sent.length, 0)
})

t.test('close ends everything at any moment', async t => {
  const busy = new Net()
  busy.bmc.completions[status.name] = Array(40).fill(0xc0)
  const rests = busy.client()
  const asking = rests.execute(status, undefined)
  asking.catch(() => undefined)
  await busy.time.run(400)
  t.equal(await busy.settle(rests.close({ confirmed: true })), 'closed')
  atRest(t, busy)
  for (let at = 0; at <= 9; at++) {
    const net = new Net()
    const client = net.client()
    const asked = client.execute(status, undefined)
    const waiting = client.elevate()
    // Looked at below: rejected before that.
    for (const one of [asked, waiting]) one.catch(() => undefined)
    await net.time.run(at)
    const closing = client.close({ confirmed: at % 2 === 0 })
    t.match(await failure(net, waiting), { reason: 'closed' })
    t.match(await failure(net, asked), at < 8 ? { reason: 'closed' } : { reason: 'none' })
    t.equal(await net.settle(closing), await net.settle(client.close({ confirmed: true })), 'a second close is the first')
    t.match(await failure(net, client.execute(status, undefined)), { reason: 'closed' })
    t.throws(() => client.ticket(), /no session/)
    await net.time.run(10)
    atRest(t, net)
  }
})

t.test('a glance: sent once, over the session that is there, which stays as it was', async t => {
  const net = new Net()
  const client = net.client()
  const { dcmiPower } = COMMANDS
  const asked = () => net.bmc.log.filter(one => one === dcmiPower.name).length
  t.equal(await net.settle(client.glance(dcmiPower, undefined, 1_000)), undefined, 'without a session nothing is asked')
  t.equal(net.sent.length, 0)
  await net.settle(client.open())
  const name = client.facts?.sessionName
  t.match(await failure(net, client.glance(dcmiPower, undefined, 1_000)), { reason: 'completion', completion: 0xc1 })
  net.bmc.completions[dcmiPower.name] = [0xc0]
  t.match(await failure(net, client.glance(dcmiPower, undefined, 1_000)), { reason: 'busy' }, 'a busy BMC is not asked again')
  net.bmc.mute.add(dcmiPower.name)
  const before = asked()
  const from = net.time.mono()
  t.equal(await net.settle(client.glance(dcmiPower, undefined, 1_000)), undefined)
  t.equal(net.time.mono() - from, 1_000)
  t.equal(asked(), before + 1)
  t.match(await net.settle(client.execute(status, undefined)), { on: true })
  t.equal(client.facts?.sessionName, name, 'silence does not cost the session')
  const aborting = new AbortController()
  net.time.after(100, () => aborting.abort())
  t.match(await failure(net, client.glance(dcmiPower, undefined, 1_000, aborting.signal)), { reason: 'aborted' })
  net.bmc.mute.clear()
  net.sendError = 'ENETUNREACH'
  t.equal(await net.settle(client.glance(dcmiPower, undefined, 1_000)), undefined, 'what can not be sent is silence, too')
  net.sendError = undefined
  t.match(await net.settle(client.execute(status, undefined)), { on: true })
  t.equal(await net.settle(client.close({ confirmed: true })), 'closed')
  atRest(t, net)
})
