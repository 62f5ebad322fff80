import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import { IpmiClient } from '../../src/wire/ipmi/client.ts'
import { closeByTicket } from '../../src/wire/ipmi/client-settle.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import type { IpmiError } from '../../src/wire/ipmi/failure.ts'
import { Net } from './ipmi-net.ts'

const status = COMMANDS.chassisStatus
const control = COMMANDS.chassisControl
const FOREVER = Number.POSITIVE_INFINITY
const DOWN = { action: 'down' } as const

/** A client that may send a command, and its ticket as it lies in a store: JSON. */
async function armed(net: Net, options = {}) {
  const client = net.client(options)
  await net.settle(client.elevate())
  const ticket = JSON.parse(JSON.stringify(client.ticket()))
  return { client, ticket }
}

const controls = (net: Net) => net.bmc.log.filter(one => one === control.name).length

t.test('a command is sent once, over the named session', async t => {
  const net = new Net()
  const { client } = await armed(net)
  const before = net.sent.length
  t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'answered', completion: 0, raw: 'completion 0x00' })
  t.equal(net.sent.length, before + 1)
  t.same(net.bmc.controls, ['down'])
  net.bmc.completions[control.name] = [0xd5]
  t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), {
    kind: 'answered',
    completion: 0xd5,
    raw: 'completion 0xd5',
  })
  t.equal(await net.settle(client.close({ confirmed: true })), 'closed')
  t.equal(net.timers + net.open, 0)
})

t.test('under silence it stays at once: no repetition, no log-in, and then the session is settled', async t => {
  for (const lost of ['toBmc', 'toUs'] as const) {
    const net = new Net()
    const { client } = await armed(net)
    const before = net.sent.length
    net[lost] = () => []
    const from = net.time.mono()
    t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'unanswered', raw: 'no answer' })
    t.equal(net.time.mono() - from, 5_000)
    t.equal(net.sent.length, before + 1)
    t.equal(controls(net), lost === 'toUs' ? 1 : 0)
    net[lost] = bytes => [{ bytes }]
    t.equal(await net.settle(client.close({ confirmed: true })), 'closed')
    t.equal(net.bmc.sessions.size, 0)
  }
})

t.test('an unanswered command whose session can not be closed for certain is unknown', async t => {
  const net = new Net()
  const { client } = await armed(net)
  net.toUs = () => []
  await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER))
  t.equal(await net.settle(client.close({ confirmed: true })), 'unknown')
  t.equal(net.timers + net.open, 0)

  const other = new Net()
  const lost = await armed(other)
  other.bmc.mute.add(control.name)
  await other.settle(lost.client.sendOnce(control, DOWN, undefined, FOREVER))
  other.bmc.reset()
  t.match(await other.settle(lost.client.execute(status, undefined)), { on: false })
  t.equal(
    await other.settle(lost.client.close({ confirmed: true })),
    'unknown',
    'another session than the command was sent over was closed',
  )
})

t.test('a command does not wait for room', async t => {
  const net = new Net({ concurrency: 1 })
  const { client } = await armed(net)
  net.toBmc = () => []
  const other = net.client()
  const opening = other.open()
  opening.catch(() => undefined)
  net.toBmc = bytes => [{ bytes }]
  const from = net.time.mono()
  t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'answered' })
  t.ok(net.time.mono() - from < 10)
  await net.settle(Promise.all([client.close({ confirmed: true }), other.close({ confirmed: true })]))
})

t.test('nothing is sent too late, nor over another session than the named one', async t => {
  const net = new Net()
  const { client } = await armed(net)
  const before = net.sent.length
  const now = net.time.mono()
  t.match(await net.settle(client.sendOnce(control, DOWN, undefined, now)), { kind: 'unsent', raw: 'its time to live was over' })
  t.match(await net.settle(client.sendOnce(control, DOWN, AbortSignal.abort(), FOREVER)), { kind: 'unsent' })
  t.equal(net.sent.length, before)

  // It waits its turn behind a read that takes longer than its time to live.
  net.bmc.mute.add(status.name)
  const read = client.execute(status, undefined)
  read.catch(() => undefined)
  const late = client.sendOnce(control, DOWN, undefined, now + 1_000)
  t.match(await net.settle(late), { kind: 'unsent' })
  net.bmc.mute.clear()
  t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'unsent', raw: 'the named session is gone' })

  await net.settle(client.execute(status, undefined))
  t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'unsent' }, 'a new session has to be named first')
  client.ticket()
  const fresh = net.client()
  t.match(await net.settle(fresh.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'unsent' }, 'it never logs in')
  await net.settle(client.close({ confirmed: true }))
  t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'unsent' }, 'closed')
  t.same(net.bmc.controls, [])
  t.equal(controls(net), 0)
})

t.test('an abort or a close after it left can not call it back', async t => {
  const net = new Net()
  const { client } = await armed(net)
  const abort = new AbortController()
  net.time.after(1, () => abort.abort())
  t.match(await net.settle(client.sendOnce(control, DOWN, abort.signal, FOREVER)), { kind: 'unanswered', raw: 'aborted by the caller' })
  const reply = client.sendOnce(control, { action: 'up' }, undefined, FOREVER)
  const closing = client.close({ confirmed: true })
  t.match(await net.settle(reply), { kind: 'unanswered' })
  t.equal(await net.settle(closing), 'closed')
  t.same(net.bmc.controls, ['down', 'up'])
  t.equal(net.timers + net.open, 0)
})

t.test('a close that is lost is repeated soon, also while a command is waited for', async t => {
  const net = new Net()
  const { client } = await armed(net)
  net.bmc.mute.add(control.name)
  const reply = client.sendOnce(control, DOWN, undefined, FOREVER)
  await net.time.run(100)
  const before = net.sent.length
  net.toBmc = (bytes, count) => (count === before + 1 ? [] : [{ bytes }])
  const from = net.time.mono()
  t.equal(await net.settle(client.close({ confirmed: true })), 'closed')
  t.ok(net.time.mono() - from < 300)
  t.match(await net.settle(reply), { kind: 'unanswered' })
})

t.test('a session is closed from elsewhere with its ticket alone, however much was sent over it since', async t => {
  for (const suite of [17, 3] as const) {
    for (let since = 0; since <= 25; since++) {
      const net = new Net()
      const { client, ticket } = await armed(net, { suite })
      for (let sent = 0; sent < since; sent++) await net.settle(client.execute(status, undefined))
      const opens = net.bmc.log.filter(one => one === 'openRequest').length
      const [session] = net.bmc.sessions.keys()
      t.equal(await net.settle(closeByTicket(net.ports, net.options({ suite }), ticket)), 'closed', `${since} packets since`)
      t.notOk(net.bmc.sessions.has(session ?? 0))
      t.equal(net.bmc.log.filter(one => one === 'openRequest').length, opens, 'no log-in was needed')
      // The process that was stopped goes on: what it sends now is void.
      t.match(await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)), { kind: 'unanswered' })
      t.same(net.bmc.controls, [])
      await net.settle(client.close({ confirmed: false }))
      t.equal(net.timers + net.open, 0)
    }
  }
})

t.test('a session that the BMC does not know any more: a new log-in asks for the old id', async t => {
  const net = new Net()
  const { ticket } = await armed(net)
  net.bmc.reset()
  t.equal(await net.settle(closeByTicket(net.ports, net.options(), ticket)), 'closed')
  await net.time.run(10)
  t.same(net.bmc.log.slice(-6), ['openRequest', 'rakp1', 'rakp3', 'Set Session Privilege Level', 'Close Session', 'Close Session'])
  t.equal(net.bmc.sessions.size, 0, 'and is closed itself')

  // Its answers are lost on the way: it is closed at the first try, and the second says so.
  const deaf = new Net()
  const { ticket: other } = await armed(deaf)
  const before = deaf.answered.length
  deaf.toUs = (bytes, count) => (count === before + 1 ? [] : [{ bytes }])
  t.equal(await deaf.settle(closeByTicket(deaf.ports, deaf.options(), other)), 'closed')
  t.equal(deaf.bmc.log.filter(one => one === 'openRequest').length, 2)
})

t.test('an id that the BMC gave again is gone as well', async t => {
  const net = new Net()
  const { ticket } = await armed(net)
  net.bmc.reset()
  const again = { ...ticket, bmcId: (Number.parseInt(ticket.bmcId, 16) + 1).toString(16).padStart(8, '0') }
  t.equal(await net.settle(closeByTicket(net.ports, net.options(), again)), 'closed')
})

t.test('only the machine that the session was opened at can say that it is closed', async t => {
  const other = Buffer.from('ffeeddccbbaa99887766554433221100', 'hex')
  const guids: [string, (net: Net) => Buffer, (guid: string | undefined) => string | undefined][] = [
    ['another machine has the address now', () => other, guid => guid],
    ['the machine names no GUID any more', () => Buffer.alloc(16), guid => guid],
    ['it named none at the first log-in either', () => Buffer.alloc(16), () => '00'.repeat(16)],
    ['nor did any', net => net.bmc.guid, () => 'ff'.repeat(16)],
    ['a ticket of before', net => net.bmc.guid, () => undefined],
    ['a ticket that was cut off', net => net.bmc.guid, guid => guid?.slice(2)],
  ]
  for (const [what, set, of] of guids) {
    for (const sameId of [false, true]) {
      const net = new Net()
      const { ticket } = await armed(net)
      net.bmc.reset()
      net.bmc.guid = set(net)
      const next = (Number.parseInt(ticket.bmcId, 16) + 1).toString(16).padStart(8, '0')
      const { guid, ...rest } = { ...ticket, ...(sameId ? { bmcId: next } : {}) }
      const changed = of(guid)
      const before = net.bmc.log.length
      const failures: IpmiError[] = []
      const settling = closeByTicket(
        net.ports,
        net.options(),
        { ...rest, ...(changed === undefined ? {} : { guid: changed }) },
        undefined,
        error => failures.push(error),
      )
      t.equal(await net.settle(settling), 'unknown', what)
      await net.time.run(10)
      const isAsked = changed === guid
      t.same(
        failures.map(({ reason }) => reason),
        isAsked ? ['other_machine'] : [],
        `${what}: told`,
      )
      t.same(
        net.bmc.log.slice(before),
        isAsked ? ['openRequest', 'rakp1', 'rakp3', 'Close Session'] : [],
        'nothing is asked but that its own session is closed',
      )
      t.equal(net.bmc.sessions.size + net.timers, 0)
    }
  }
  // It changes between the log-in and the Close: the session is lost, and another machine answers the next log-in.
  const net = new Net()
  const { ticket } = await armed(net)
  net.bmc.reset()
  const before = net.bmc.log.length
  net.toUs = bytes => {
    if (net.bmc.log.at(-1) !== 'Set Session Privilege Level') return [{ bytes }]
    net.bmc.reset()
    net.bmc.guid = other
    return [{ bytes }]
  }
  t.equal(await net.settle(closeByTicket(net.ports, net.options(), ticket)), 'unknown')
  t.equal(net.bmc.log.slice(before).filter(one => one === 'openRequest').length, 2)
  t.notOk(net.bmc.log.slice(before, -1).includes('Close Session'), 'and is not asked about the old session')
})

t.test('everything else is unknown, and a refused log-in is told to the breaker', async t => {
  const cases: [string, (net: Net) => void, string][] = [
    ['another word of the BMC', net => (net.bmc.completions['Close Session'] = [0xc9, 0xc9]), 'completion'],
    ['no privilege', net => (net.bmc.completions['Close Session'] = [0xd4]), 'privilege'],
    ['the table is full', net => (net.bmc.slots = 0), 'session_limit'],
    ['nobody there', net => (net.toBmc = () => []), 'unreachable'],
    ['another password', net => (net.bmc.password = 'changed'), 'auth_failed'],
  ]
  for (const [what, set, reason] of cases) {
    const net = new Net()
    const { ticket } = await armed(net)
    net.bmc.reset()
    set(net)
    const failures: IpmiError[] = []
    t.equal(await net.settle(closeByTicket(net.ports, net.options(), ticket, undefined, error => failures.push(error))), 'unknown', what)
    t.equal(failures[0]?.reason, reason)
    t.equal(failures[0]?.facts.logIns, reason === 'auth_failed' ? 2 : undefined)
    t.equal(net.bmc.log.filter(one => one === 'rakp1').length <= 3, true)
  }
  const net = new Net()
  const { ticket } = await armed(net)
  net.toUs = () => []
  for (const at of [0, 100, 1_600, 2_000]) {
    const abort = new AbortController()
    net.time.after(at, () => abort.abort())
    const from = net.time.mono()
    t.equal(await net.settle(closeByTicket(net.ports, net.options(), ticket, abort.signal)), 'unknown')
    t.equal(net.time.mono() - from, at, 'an abort is at once')
  }
  t.equal(await net.settle(closeByTicket(net.ports, net.options(), ticket, AbortSignal.abort())), 'unknown')
})

t.test('a name server that never answers holds up no settling: until the limit, or an abort', async t => {
  const net = new Net()
  const { client, ticket } = await armed(net)
  const options = net.options({ address: { host: 'bmc.example', port: 623 }, connectMs: 700 })
  for (const [resolve, reason, ms] of [
    [() => new Promise<string>(() => undefined), 'unreachable', 700],
    [() => Promise.reject(new Error('no such name')), 'unreachable', 0],
    [() => new Promise<string>(() => undefined), 'aborted', 100],
  ] as const) {
    net.transport.resolve = resolve
    const abort = new AbortController()
    if (reason === 'aborted') net.time.after(100, () => abort.abort())
    const failures: IpmiError[] = []
    const from = net.time.mono()
    const settling = closeByTicket(net.ports, options, ticket, abort.signal, error => failures.push(error))
    t.equal(await net.settle(settling), 'unknown')
    t.match(failures, [{ reason }])
    t.equal(net.time.mono() - from, ms)
  }
  net.transport.resolve = async () => '192.0.2.7'
  t.equal(await net.settle(closeByTicket(net.ports, options, ticket)), 'closed')
  await net.settle(client.close({ confirmed: false }))
  t.equal(net.timers + net.open, 0)
})

t.test('a ticket and a client show no secret by accident', async t => {
  const net = new Net()
  const client = net.client({ password: new Secret('hush-hush') })
  t.throws(() => client.ticket(), /no session/)
  net.bmc.password = 'hush-hush'
  await net.settle(client.open())
  t.notMatch(JSON.stringify([client, client.facts, client.drops]), /hush/)
  const { inspect } = await import('node:util')
  t.notMatch(inspect(client, { depth: 9, showHidden: true }), /hush/)
  t.ok(client instanceof IpmiClient)
  await net.settle(client.close({ confirmed: true }))
})

t.test('packets that can not be sent are failures with a name, or loss', async t => {
  for (const [code, reason] of [
    ['ENETUNREACH', 'unreachable'],
    ['EHOSTUNREACH', 'unreachable'],
    ['EPERM', 'socket'],
    ['ENOBUFS', 'none'],
    ['ECONNREFUSED', 'none'],
  ] as const) {
    const net = new Net()
    const client = net.client()
    net.sendError = code
    net.time.after(600, () => (net.sendError = undefined))
    const from = net.time.mono()
    const outcome = await net.settle(
      client.execute(status, undefined).then(
        () => 'none',
        (error: IpmiError) => error.reason,
      ),
    )
    t.equal(outcome, reason, code)
    t.equal(net.time.mono() - from < 10, reason !== 'none', 'what will not get better is told at once')
    await net.settle(client.execute(status, undefined).catch(() => undefined))
    await net.settle(client.close({ confirmed: true }))
    t.equal(net.timers + net.open, 0)
  }
  const net = new Net()
  const { client } = await armed(net)
  net.sendError = 'ENETUNREACH'
  t.match(
    await net.settle(client.sendOnce(control, DOWN, undefined, FOREVER)),
    { kind: 'unanswered', raw: /ENETUNREACH/ },
    'not certain enough',
  )
  t.equal(await net.settle(client.close({ confirmed: true })), 'unknown')
  t.equal(net.timers + net.open, 0)
})

t.test('a socket that can not be opened, or breaks, is told; the next read opens another', async t => {
  const net = new Net()
  const client = net.client()
  const open = client.open()
  net.breakSocket('EMFILE')
  t.match(
    await net.settle(
      open.then(
        () => 'none',
        (error: IpmiError) => error.reason,
      ),
    ),
    'socket',
  )
  t.match(await net.settle(client.execute(status, undefined)), { on: true })
  net.breakSocket('ENOTCONN')
  t.match(await net.settle(client.execute(status, undefined)), { on: true }, 'the session went with its socket')
  await net.settle(client.close({ confirmed: true }))
  t.equal(net.timers + net.open, 0)
})
