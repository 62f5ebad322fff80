import { Agent } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import t, { type Test } from 'tap'
import { FAULTS, type FaultName, IPMI_FAULTS, type SimulatedBmc, type SimulatorOptions, startSimulator } from '../../src/simulator/index.ts'
import { type Answer, ask, login, messageKey, powerState, reset, silent, systemPath, token, until, VirtualClock } from './support.ts'

/** A BMC on its own with a virtual clock. */
interface Bench {
  readonly bmc: SimulatedBmc
  readonly clock: VirtualClock
  /** Waits for a timer of the BMC and lets `ms` pass. */
  pass(ms: number): Promise<void>
  read(options?: Parameters<typeof ask>[3]): Promise<Answer>
  chassisState(): Promise<unknown>
  watts(): Promise<unknown>
}

const covered = new Set<string>()

/** One test of one fault; the name is noted, so that the last test can tell which have none. */
function fault(
  name: FaultName,
  title: string,
  run: (t: Test, bench: Bench) => Promise<void>,
  options: Partial<SimulatorOptions> = {},
): void {
  covered.add(name)
  t.test(`${name}: ${title}`, async t => {
    const clock = new VirtualClock()
    const simulator = await startSimulator({ redfish: 1, clock, ...options })
    t.teardown(() => simulator.close())
    const bmc = simulator.bmc(0)
    const chassis = `/redfish/v1/Chassis/${bmc.systemOrThrow(undefined).spec.chassisId}`
    await run(t, {
      bmc,
      clock,
      pass: async ms => {
        await clock.untilWaiting()
        clock.advance(ms)
      },
      read: (asked = {}) => ask(bmc, 'GET', systemPath(bmc), asked),
      chassisState: async () => (await ask(bmc, 'GET', chassis)).get('PowerState'),
      watts: async () => (await ask(bmc, 'GET', `${chassis}/Power`)).get('PowerControl', 0, 'PowerConsumedWatts'),
    })
  })
}

// The way to the BMC.

fault('delay', 'the work is done after the wait, or ahead of it', async (t, { bmc, pass }) => {
  bmc.faults.set('delay', { ms: 5000 })
  const late = reset(bmc, 'ForceOff')
  await until(() => bmc.counters.requests === 1)
  t.equal(bmc.trueState, 'on')
  await pass(5000)
  t.equal((await late).status, 204)
  t.equal(bmc.trueState, 'off')
  bmc.faults.clear()
  bmc.faults.set('delay', { ms: 5000, when: 'after' })
  const answeredLate = reset(bmc, 'On')
  await until(() => bmc.trueState === 'on')
  await pass(5000)
  t.equal((await answeredLate).status, 204)
})

fault('delay', 'a session that was closed during the wait is no longer good', async (t, { bmc, pass }) => {
  const as = await token(bmc)
  bmc.faults.set('delay', { ms: 5000 }, { match: { path: 'Reset' } })
  const late = reset(bmc, 'ForceOff', { as })
  await until(() => bmc.counters.byMethod.POST === 2)
  await ask(bmc, 'DELETE', '/redfish/v1/SessionService/Sessions/1')
  await pass(5000)
  t.equal((await late).status, 401)
  t.equal(bmc.trueState, 'on')
})

fault('hang', 'no answer ever: to the connection, to the request, or after the work', async (t, { bmc, read }) => {
  bmc.faults.set('hang', { when: 'connection' }, { count: 1 })
  await silent(
    t,
    signal => read({ signal }),
    () => bmc.counters.connections === 1,
  )
  t.equal(bmc.counters.requests, 0)
  bmc.faults.set('hang', {}, { match: { method: 'POST' } })
  await silent(
    t,
    signal => reset(bmc, 'ForceOff', { signal }),
    () => bmc.counters.requests === 1,
  )
  t.equal(bmc.trueState, 'on')
  bmc.faults.clear()
  bmc.faults.set('hang', { when: 'after' }, { match: { method: 'POST' } })
  await silent(
    t,
    signal => reset(bmc, 'ForceOff', { signal }),
    () => bmc.trueState === 'off',
  )
  t.equal((await read()).status, 200, 'the others are answered')
})

fault('drop', 'the connection is cut: at once, before the reset, after it', async (t, { bmc, read }) => {
  bmc.faults.set('drop', { when: 'connection' }, { count: 1 })
  await t.rejects(read(), { code: 'ECONNRESET' })
  bmc.faults.set('drop', {}, { count: 1, match: { resetType: 'ForceOff' } })
  await t.rejects(reset(bmc, 'ForceOff'), { code: 'ECONNRESET' })
  t.equal(bmc.trueState, 'on')
  t.equal(bmc.commands.length, 0)
  bmc.faults.set('drop', { when: 'after' }, { count: 1, match: { resetType: 'ForceOff' } })
  await t.rejects(reset(bmc, 'ForceOff'), { code: 'ECONNRESET' })
  t.equal(bmc.trueState, 'off')
  t.match(bmc.commands, [{ type: 'ForceOff', executed: 'now', session: 'basic' }])
  t.equal((await read()).status, 200)
})

fault('offline', 'connections are reset and sessions lost, until it is back', async (t, { bmc, read }) => {
  const as = await token(bmc)
  const agent = new Agent({ keepAlive: true })
  t.teardown(() => agent.destroy())
  await read({ as, agent })
  t.equal(bmc.connections.size, 1)
  bmc.faults.set('offline')
  await t.rejects(read({ as, agent }), { code: 'ECONNRESET' })
  await t.rejects(read(), { code: 'ECONNRESET' })
  bmc.faults.clear('offline')
  t.equal((await read({ as })).status, 401)
  t.equal((await read()).status, 200)
})

fault('reuseReset', 'the second request on a connection breaks', async (t, { bmc, read }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  bmc.faults.set('reuseReset')
  t.equal((await read({ agent })).status, 200)
  await t.rejects(read({ agent }), { code: 'ECONNRESET' })
  t.equal((await read({ agent })).status, 200)
})

fault('unavailable', '503 with any Retry-After, so many times', async (t, { bmc, read }) => {
  bmc.faults.set('unavailable', { retryAfter: '2' }, { count: 2 })
  for (const _ of [1, 2]) {
    const answer = await read()
    t.equal(answer.status, 503)
    t.equal(answer.headers['retry-after'], '2')
    t.equal(messageKey(answer), 'ServiceTemporarilyUnavailable')
  }
  t.equal((await read()).status, 200)
  bmc.faults.set('unavailable', { status: 429, retryAfter: '' })
  const bare = await read()
  t.equal(bare.status, 429)
  t.notOk('retry-after' in bare.headers)
})

fault('crowded', 'one request at a time', async (t, { bmc, pass }) => {
  bmc.faults.set('delay', { ms: 1000 }, { match: { method: 'POST' } })
  bmc.faults.set('crowded')
  const first = reset(bmc, 'ForceOff')
  await until(() => bmc.inFlight === 1)
  const second = await ask(bmc, 'GET', '/redfish/v1')
  t.same([second.status, second.headers['retry-after']], [503, '1'])
  await pass(1000)
  t.equal((await first).status, 204)
  t.equal((await ask(bmc, 'GET', '/redfish/v1')).status, 200)
  t.equal(bmc.counters.peakInFlight, 2)
})

fault('redirect', 'to another path that works, to another host, in a circle', async (t, { bmc, read }) => {
  bmc.faults.set('redirect')
  const moved = await read()
  t.equal(moved.status, 307)
  t.equal(moved.headers.location, `/moved${systemPath(bmc)}`)
  t.equal((await ask(bmc, 'GET', String(moved.headers.location))).get('PowerState'), 'On')
  bmc.faults.clear()
  bmc.faults.set('redirect', { to: 'host', status: 301 })
  t.equal((await read()).headers.location, `https://elsewhere.invalid${systemPath(bmc)}`)
  bmc.faults.clear()
  bmc.faults.set('redirect', { to: 'loop' })
  t.equal((await read()).headers.location, systemPath(bmc))
})

fault('answer', 'any status and body, where it matches', async (t, { bmc, read }) => {
  bmc.faults.set('answer', { status: 500, body: '{"error":{}}' }, { match: { method: 'DELETE' } })
  const as = await token(bmc)
  t.equal((await ask(bmc, 'DELETE', '/redfish/v1/SessionService/Sessions/1', { as })).status, 500)
  t.equal((await read({ as })).status, 200, 'the session is still open')
  bmc.faults.set('answer', { status: 200, contentType: 'text/html', body: '<p>' })
  t.equal((await read()).headers['content-type'], 'text/html')
})

// The answer itself.

fault('hugeAnswer', 'valid JSON of 50 MB, with a length or in chunks', async (t, { bmc, read }) => {
  bmc.faults.set('hugeAnswer')
  const answer = await read()
  t.equal(answer.text.length, 50 * 1_048_576)
  t.equal(answer.headers['content-length'], String(50 * 1_048_576))
  t.equal(answer.get('PowerState'), 'On')
  bmc.faults.clear()
  bmc.faults.set('hugeAnswer', { bytes: 100_000, chunked: true })
  const chunked = await read()
  t.equal(chunked.headers['transfer-encoding'], 'chunked')
  t.equal(chunked.text.length, 100_000)
})

fault('gzipBomb', 'a small answer that unpacks to a large one', async (t, { bmc, read }) => {
  bmc.faults.set('gzipBomb', { bytes: 5_000_000 })
  const answer = await read()
  t.equal(answer.headers['content-encoding'], 'gzip')
  t.ok(answer.text.length < 100_000, `${answer.text.length} bytes on the wire`)
})

fault('truncated', 'cut before the length, in mid-chunk, or whole with half the JSON', async (t, { bmc, read }) => {
  bmc.faults.set('truncated')
  await t.rejects(read(), { code: 'ECONNRESET' })
  bmc.faults.clear()
  bmc.faults.set('truncated', { how: 'chunked' })
  await t.rejects(read(), { code: 'ECONNRESET' })
  bmc.faults.clear()
  bmc.faults.set('truncated', { how: 'short' })
  const short = await read()
  t.throws(() => short.get('PowerState'))
})

fault('slowBody', 'byte by byte', async (t, { bmc, clock, read }) => {
  bmc.faults.set('slowBody', { bytes: 1000, everyMs: 10_000 })
  const slow = read()
  let ended = false
  const end = slow.finally(() => {
    ended = true
  })
  for (const _ of [1, 2]) {
    await clock.untilWaiting()
    t.equal(ended, false)
    clock.advance(10_000)
  }
  await end
  t.equal((await slow).get('PowerState'), 'On')
})

fault('deepNesting', 'arrays in arrays', async (t, { bmc, read }) => {
  bmc.faults.set('deepNesting', { depth: 5000 })
  const answer = await read()
  t.ok(answer.text.includes('['.repeat(5000)))
  t.equal(answer.get('PowerState'), 'On')
})

fault('rewrite', 'any member of an answer: another value, other JSON, gone', async (t, { bmc, read }) => {
  const action = '/Actions/#ComputerSystem.Reset'
  const match = { path: systemPath(bmc) }
  bmc.faults.set('rewrite', { pointer: `${action}/target`, value: 'https://elsewhere.invalid/' }, { match })
  bmc.faults.set('rewrite', { pointer: `${action}/ResetType@Redfish.AllowableValues`, json: '["On","forceoff"]' }, { match })
  bmc.faults.set('rewrite', { pointer: '/UUID', remove: true }, { match })
  bmc.faults.set('rewrite', { pointer: '/No/Such/Place', value: 1 }, { match })
  const answer = await read()
  t.same(answer.get('Actions', '#ComputerSystem.Reset'), {
    target: 'https://elsewhere.invalid/',
    'ResetType@Redfish.AllowableValues': ['On', 'forceoff'],
  })
  t.notOk('UUID' in JSON.parse(answer.text))
})

fault('html', 'a page where JSON should be', async (t, { bmc, read }) => {
  bmc.faults.set('html')
  const answer = await read()
  t.equal(answer.status, 200)
  t.match(answer.text, /^<!DOCTYPE html>/)
})

fault('emptyAnswer', 'a status and nothing', async (t, { bmc, read }) => {
  bmc.faults.set('emptyAnswer')
  const answer = await read()
  t.equal(answer.status, 200)
  t.equal(answer.text, '')
})

fault('text', 'a byte order mark and text/plain', async (t, { bmc, read }) => {
  bmc.faults.set('text')
  const answer = await read()
  t.equal(answer.headers['content-type'], 'text/plain')
  t.match(Buffer.from(answer.text, 'latin1').toString(), /^\uFEFF\{/)
})

// Sessions.

fault('sessionTableFull', 'no log-in, Basic goes on', async (t, { bmc, read }) => {
  bmc.faults.set('sessionTableFull')
  t.equal((await login(bmc)).status, 503)
  t.equal((await read()).status, 200)
})

fault(
  'sessionLost',
  'once in mid-session, in the words of the vendor',
  async (t, { bmc, read }) => {
    const as = await token(bmc)
    bmc.faults.set('sessionLost', {}, { match: { path: 'Systems' } })
    const lost = await read({ as })
    t.equal(lost.status, 403)
    t.equal(messageKey(lost), 'NoValidSession')
    t.equal((await read({ as })).status, 403, 'it is gone for good')
    t.equal((await read({ as: await token(bmc) })).status, 200, 'a new one is good')
    bmc.faults.set('sessionLost', { status: 401, forget: false })
    const kept = await token(bmc)
    t.equal((await read({ as: kept })).status, 401)
    t.equal((await read({ as: kept })).status, 200)
  },
  { personality: 'openbmc' },
)

fault('wrongCredentials', 'neither log-in nor Basic; the open session goes on', async (t, { bmc, read }) => {
  const as = await token(bmc)
  bmc.faults.set('wrongCredentials')
  t.equal((await login(bmc)).status, 401)
  t.equal((await read()).status, 401)
  t.equal((await read({ as })).status, 200)
})

fault('passwordChangeRequired', 'logged in, and nothing else allowed', async (t, { bmc, read }) => {
  bmc.faults.set('passwordChangeRequired')
  const as = await token(bmc)
  t.equal(messageKey(await read({ as })), 'PasswordChangeRequired')
})

fault('forbidden', 'the account may not switch', async (t, { bmc, read }) => {
  bmc.faults.set('forbidden', {}, { match: { method: 'POST', path: 'Reset' } })
  const answer = await reset(bmc, 'ForceOff')
  t.equal(answer.status, 403)
  t.equal(messageKey(answer), 'InsufficientPrivilege')
  t.equal((await read()).status, 200)
})

fault('loginShape', 'without Location, with an absolute one, without token', async (t, { bmc }) => {
  bmc.faults.set('loginShape', { location: 'absent' }, { count: 1 })
  const bare = await login(bmc)
  t.notOk('location' in bare.headers)
  t.ok('x-auth-token' in bare.headers)
  bmc.faults.set('loginShape', { location: 'absolute' }, { count: 1 })
  t.equal((await login(bmc)).headers.location, `${bmc.url}/redfish/v1/SessionService/Sessions/2`)
  bmc.faults.set('loginShape', { token: false }, { count: 1 })
  const none = await login(bmc)
  t.equal(none.status, 201)
  t.notOk('x-auth-token' in none.headers)
})

fault('logoutIgnored', 'answered well, and still open', async (t, { bmc, read }) => {
  const as = await token(bmc)
  bmc.faults.set('logoutIgnored')
  t.equal((await ask(bmc, 'DELETE', '/redfish/v1/SessionService/Sessions/1', { as })).status, 204)
  t.equal((await read({ as })).status, 200)
})

// What is said of the power.

fault('lie', 'Off while on, and the witnesses with it unless told otherwise', async (t, { bmc, chassisState, watts }) => {
  bmc.faults.set('lie')
  t.same([await powerState(bmc), await chassisState(), await watts()], ['Off', 'Off', 0])
  t.equal(bmc.trueState, 'on')
  bmc.faults.clear()
  bmc.faults.set('lie', { chassis: false, watts: false })
  t.same([await powerState(bmc), await chassisState(), await watts()], ['Off', 'On', 344])
})

fault('flap', 'Off in one read, then On', async (t, { bmc }) => {
  bmc.faults.set('flap')
  t.same([await powerState(bmc), await powerState(bmc)], ['Off', 'On'])
  bmc.faults.set('flap', { reports: 'PoweringOff' }, { count: 2 })
  t.same([await powerState(bmc), await powerState(bmc), await powerState(bmc)], ['PoweringOff', 'PoweringOff', 'On'])
})

fault(
  'stuckPoweringOff',
  'for ever, until the fault is cleared',
  async (t, { bmc, clock }) => {
    bmc.faults.set('stuckPoweringOff')
    t.equal(await powerState(bmc), 'On')
    t.equal((await reset(bmc, 'ForceOff')).status, 204)
    clock.advance(3_600_000)
    t.equal(await powerState(bmc), 'PoweringOff')
    t.equal(bmc.trueState, 'poweringOff')
    bmc.faults.clear()
    t.equal(await powerState(bmc), 'Off')
  },
  { personality: 'dell' },
)

fault('powerState', 'null, a number, an unknown word, or missing', async (t, { bmc, read }) => {
  for (const value of [null, 3, 'Standby', 'off', 'OFF ', 'Sleeping']) {
    bmc.faults.clear()
    bmc.faults.set('powerState', { value })
    t.equal(await powerState(bmc), value)
  }
  bmc.faults.clear()
  bmc.faults.set('powerState', { missing: true })
  t.notMatch((await read()).text, /"PowerState"/)
})

fault('stale', 'the state of a while ago, with its ETag, while the chassis tells the truth', async (t, { bmc, read, chassisState }) => {
  bmc.power.force('off', 'test')
  bmc.faults.set('stale')
  const before = await read()
  bmc.power.force('on', 'test')
  const after = await read()
  t.same([after.get('PowerState'), after.headers.age, await chassisState()], ['Off', '30', 'On'])
  t.equal(before.get('PowerState'), 'Off')
  bmc.faults.clear()
  t.equal(await powerState(bmc), 'On')
})

fault('chassisContradicts', 'the opposite of the System', async (t, { bmc, chassisState }) => {
  bmc.faults.set('chassisContradicts')
  t.same([await powerState(bmc), await chassisState()], ['On', 'Off'])
  bmc.power.force('off', 'test')
  t.same([await powerState(bmc), await chassisState()], ['Off', 'On'])
})

fault('watts', 'near the running value although off', async (t, { bmc, watts }) => {
  bmc.faults.set('watts', { watts: 340 })
  bmc.power.force('off', 'test')
  t.equal(await watts(), 340)
  bmc.faults.clear()
  t.equal(await watts(), 12)
})

// What a command leads to.

fault('alreadyRefused', 'only when there is nothing to do', async (t, { bmc }) => {
  bmc.faults.set('alreadyRefused', { status: 400 })
  t.equal((await reset(bmc, 'ForceOff')).status, 204)
  t.equal((await reset(bmc, 'ForceOff')).status, 400)
  t.equal((await reset(bmc, 'On')).status, 204)
  t.equal((await reset(bmc, 'On')).status, 400)
})

fault('refused', 'whatever the state: "already off" of a machine that is on', async (t, { bmc }) => {
  bmc.faults.set('refused')
  t.equal((await reset(bmc, 'ForceOff')).status, 409)
  t.equal(bmc.trueState, 'on')
  t.match(bmc.commands, [{ executed: 'never', status: 409 }])
})

fault('onConflict', 'an on soon after the off is refused', async (t, { bmc, clock }) => {
  bmc.faults.set('onConflict', { ms: 60_000 })
  await reset(bmc, 'ForceOff')
  const early = await reset(bmc, 'On')
  t.equal(early.status, 409)
  t.equal(messageKey(early), 'ActionParameterValueConflict')
  clock.advance(60_000)
  t.equal((await reset(bmc, 'On')).status, 204)
  t.equal(bmc.trueState, 'on')
})

fault('ignored', 'accepted, and nothing happens', async (t, { bmc, clock }) => {
  bmc.faults.set('ignored', {}, { count: 1 })
  t.equal((await reset(bmc, 'ForceOff')).status, 204)
  clock.advance(3_600_000)
  t.equal(bmc.trueState, 'on')
  t.match(bmc.commands, [{ executed: 'never', status: 204 }])
  await reset(bmc, 'ForceOff')
  t.equal(bmc.trueState, 'off')
})

fault('late', 'done later, answered or not, on and off alike', async (t, { bmc, clock }) => {
  bmc.faults.set('late', { ms: 40_000 }, { match: { resetType: 'ForceOff' } })
  t.equal((await reset(bmc, 'ForceOff')).status, 204)
  clock.advance(39_999)
  t.equal(bmc.trueState, 'on')
  clock.advance(1)
  t.equal(bmc.trueState, 'off')
  bmc.faults.clear()
  bmc.faults.set('late', { ms: 40_000, answered: 'drop' })
  await t.rejects(reset(bmc, 'On'), { code: 'ECONNRESET' })
  t.equal(bmc.trueState, 'off')
  clock.advance(40_000)
  t.equal(bmc.trueState, 'on')
  bmc.faults.clear()
  bmc.faults.set('late', { ms: 40_000, answered: 'never' })
  await silent(
    t,
    signal => reset(bmc, 'ForceOff', { signal }),
    () => bmc.power.pending.length === 1,
  )
  clock.advance(40_000)
  t.equal(bmc.trueState, 'off')
  t.match(bmc.commands, [
    { executed: 'late', status: 204 },
    { executed: 'late', status: 0 },
    { executed: 'late', status: 0 },
  ])
})

fault('slowPower', 'off and on take their time', async (t, { bmc, clock }) => {
  bmc.faults.set('slowPower', { offMs: 8000, onMs: 4000 })
  await reset(bmc, 'ForceOff')
  clock.advance(7999)
  t.equal(await powerState(bmc), 'PoweringOff')
  clock.advance(1)
  await reset(bmc, 'On')
  t.equal(await powerState(bmc), 'PoweringOn')
  clock.advance(4000)
  t.equal(await powerState(bmc), 'On')
})

fault('taskAnswer', 'with and without Location, ending well, badly, never, or with its monitor gone', async (t, { bmc, clock }) => {
  const monitor = (answer: Answer): Promise<Answer> => ask(bmc, 'GET', String(answer.headers.location))
  bmc.power.delays.offDelayMs = 2000
  bmc.faults.set('taskAnswer', {}, { count: 1 })
  const usual = await reset(bmc, 'ForceOff')
  t.same([usual.status, usual.get('TaskState'), (await monitor(usual)).status], [202, 'Running', 202])
  clock.advance(2000)
  t.same([(await monitor(usual)).status, (await monitor(usual)).get('TaskState')], [200, 'Completed'])
  t.equal((await ask(bmc, 'GET', '/redfish/v1/TaskService/Tasks')).get('Members@odata.count'), 1)

  bmc.faults.set('taskAnswer', { location: false, outcome: 'Exception' }, { count: 1 })
  const failing = await reset(bmc, 'On')
  t.notOk('location' in failing.headers)
  const task = await ask(bmc, 'GET', `/redfish/v1/TaskService/Tasks/${failing.get('Id')}`)
  t.same([task.get('TaskState'), task.get('TaskStatus')], ['Exception', 'Critical'])

  bmc.faults.set('taskAnswer', { ends: false }, { count: 1 })
  const endless = await reset(bmc, 'ForceOff')
  clock.advance(3_600_000)
  t.equal((await monitor(endless)).status, 202)
  t.equal(bmc.trueState, 'off')

  bmc.faults.set('taskAnswer', { monitor: 'gone' }, { count: 1 })
  t.equal((await monitor(await reset(bmc, 'On'))).status, 404)
  bmc.faults.set('taskAnswer', { monitor: 'early200', ends: false }, { count: 1 })
  const early = await monitor(await reset(bmc, 'ForceOff'))
  t.same([early.status, early.get('TaskState')], [200, 'Running'])
})

fault('acceptedAs', '200 with nothing, 201, 202 without anything', async (t, { bmc }) => {
  for (const status of [200, 201, 202]) {
    bmc.faults.clear()
    bmc.faults.set('acceptedAs', { status })
    const answer = await reset(bmc, 'ForceOff')
    t.same([answer.status, answer.text], [status, ''])
  }
  t.equal(bmc.trueState, 'off')
})

fault('ifMatchRefused', 'an ETag on a command', async (t, { bmc }) => {
  bmc.faults.set('ifMatchRefused')
  t.equal((await reset(bmc, 'ForceOff', { headers: { 'if-match': '"x"' } })).status, 412)
  t.equal(bmc.trueState, 'on')
  t.equal((await reset(bmc, 'ForceOff')).status, 204)
})

fault('powerReturns', 'on again by itself, once', async (t, { bmc, clock }) => {
  bmc.faults.set('powerReturns', { ms: 5000 })
  await reset(bmc, 'ForceOff')
  clock.advance(4999)
  t.equal(bmc.trueState, 'off')
  clock.advance(1)
  t.equal(bmc.trueState, 'on')
  t.match(bmc.history.at(-1), { cause: 'power-returns' })
  await reset(bmc, 'ForceOff')
  clock.advance(60_000)
  t.equal(bmc.trueState, 'off')
})

fault('offPhase', 'off when found, on soon after', async (t, { bmc, clock }) => {
  bmc.faults.set('offPhase', { onInMs: 3000 })
  t.equal(await powerState(bmc), 'Off')
  t.equal((await reset(bmc, 'ForceOff')).status, 204)
  clock.advance(3000)
  t.equal(await powerState(bmc), 'On')
})

// Who it is.

fault('identity', 'another machine under the same address', async (t, { bmc, read }) => {
  const before = await read()
  bmc.faults.set('identity')
  const swapped = await read()
  t.not(swapped.get('UUID'), before.get('UUID'))
  t.not(swapped.get('SerialNumber'), before.get('SerialNumber'))
  bmc.faults.set('identity', { uuid: '00000000-0000-4000-8000-000000000001', serial: 'OTHER' })
  const given = await read()
  t.same([given.get('UUID'), given.get('SerialNumber')], ['00000000-0000-4000-8000-000000000001', 'OTHER'])
  bmc.faults.clear()
  t.equal((await read()).get('UUID'), before.get('UUID'))
})

fault(
  'certificate',
  'a new one, an expired one, the first again',
  async (t, { bmc, read }) => {
    const agent = new SecureAgent({ keepAlive: true })
    t.teardown(() => agent.destroy())
    const first = await read({ agent })
    t.equal(first.fingerprint, bmc.certificate.fingerprint256)
    bmc.faults.set('certificate')
    await until(() => bmc.connections.size === 0)
    const second = await read()
    t.not(second.fingerprint, first.fingerprint)
    t.equal(second.fingerprint, bmc.certificate.fingerprint256)
    bmc.faults.set('certificate', { kind: 'expired' })
    await t.rejects(read({ ca: bmc.certificate.cert }), { code: 'CERT_HAS_EXPIRED' })
    bmc.faults.clear()
    t.equal((await read({ ca: bmc.certificate.cert })).fingerprint, first.fingerprint)
  },
  { tls: true },
)

fault(
  'missing',
  'a System that moved, an ActionInfo that is not there',
  async (t, { bmc, read }) => {
    bmc.faults.set('missing', {}, { match: { path: 'ActionInfo' } })
    t.equal((await ask(bmc, 'GET', `${systemPath(bmc)}/ResetActionInfo`)).status, 404)
    t.equal((await read()).status, 200)
  },
  { personality: 'supermicro' },
)

// The switchboard.

t.test('faults stand beside each other, count, match, and are refused when they are wrong', async t => {
  const simulator = await startSimulator({ redfish: 1, personality: 'cray' })
  t.teardown(() => simulator.close())
  const bmc = simulator.bmc(0)
  bmc.faults.set('lie', {}, { match: { systemId: 'Node0' } })
  const second = bmc.faults.set('powerState', { value: 'Strange' }, { match: { systemId: 'Node1' }, count: 5 })
  t.equal((await ask(bmc, 'GET', '/redfish/v1/Systems/Node0')).get('PowerState'), 'Off')
  t.equal((await ask(bmc, 'GET', '/redfish/v1/Systems/Node1')).get('PowerState'), 'Strange')
  t.match(bmc.faults.list(), [
    { name: 'lie', left: null },
    { id: second, name: 'powerState', left: 4, parameters: { value: 'Strange' } },
  ])
  t.equal(bmc.faults.clear(second), 1)
  t.equal(bmc.faults.clear('flap'), 0)
  t.equal(bmc.faults.clear(), 1)
  t.throws(() => bmc.faults.setByName('explode', {}), { message: /unknown fault "explode"; there are delay, hang/ })
  t.throws(() => bmc.faults.setByName('delay', { seconds: 1 }), { message: /no parameter "seconds"; it has ms, when/ })
  t.throws(() => bmc.faults.setByName('delay', { ms: 'long' }), { message: /"ms" of fault "delay" is to be a number/ })
})

t.test('every fault of the table has a test (those of IPMI alone have theirs in ipmi.test.ts)', async t => {
  t.same(
    Object.keys(FAULTS).filter(name => !covered.has(name) && !(name in IPMI_FAULTS)),
    [],
  )
})
