import t from 'tap'
import { exitCode, SeveralErrors, UsageError } from '../../src/cli/exit.ts'
import { GatewayAwayError, ProblemError, WaitTimeoutError } from '../../src/client/problem.ts'
import type { EvidenceItem, Job } from '../../src/client/types.ts'
import { jobLike } from '../client/support.ts'
import { FakeGateway, problem, run } from './support.ts'

const esc = '\x1b'
const escapes = new RegExp(`${esc}\\[[?0-9;]*[a-zA-Z]`, 'g')
const sgr = new RegExp(`${esc}\\[[0-9;]*m`)

const read = (second: number, power: 'on' | 'off', counted = true): EvidenceItem => ({
  at: `2026-01-01T12:00:0${second}.000Z`,
  device: 'bmc1',
  kind: 'read',
  source: 'redfish /redfish/v1/Systems/1 PowerState',
  raw: power === 'off' ? '"Off"' : '"On"',
  power,
  counted,
})
const command: EvidenceItem = {
  at: '2026-01-01T12:00:02.000Z',
  device: 'bmc1',
  kind: 'command',
  source: 'redfish ForceOff',
  raw: '204',
  command: 'off',
}
const off: Job[] = [
  jobLike({ state: 'queued' }),
  jobLike({ revision: 2, phase: 'reading', evidence: [read(1, 'on', false)] }),
  jobLike({ revision: 3, phase: 'confirming', evidence: [read(1, 'on', false), command, read(3, 'off')] }),
  jobLike({
    revision: 4,
    state: 'succeeded',
    endedAt: '2026-01-01T12:00:06.000Z',
    power: 'off',
    assurance: 'confirmed',
    receiptId: 'receipt-1',
    evidence: [read(1, 'on', false), command, read(3, 'off'), read(4, 'off'), read(5, 'off')],
  }),
]
const failed = (code: string): Job => jobLike({ state: 'failed', failure: { code: code as never, message: 'because', device: 'bmc1' } })

t.test('exit codes', async t => {
  const table: [string, Job | Error, number][] = [
    ['an off that succeeded', jobLike({ state: 'succeeded', power: 'off' }), 0],
    ['status on', jobLike({ action: 'status', state: 'succeeded', power: 'on' }), 0],
    ['status off', jobLike({ action: 'status', state: 'succeeded', power: 'off' }), 0],
    ['status transitioning', jobLike({ action: 'status', state: 'succeeded', power: 'transitioning' }), 0],
    ['status unknown', jobLike({ action: 'status', state: 'succeeded', power: 'unknown' }), 3],
    ['status without a power', jobLike({ action: 'status', state: 'succeeded' }), 3],
    ['cancelled', jobLike({ state: 'cancelled' }), 1],
    ...['refused', 'identity_mismatch', 'auth_failed', 'superseded', 'cancelled', 'unsupported', 'ambiguous_system', 'tls_mismatch'].map(
      (code): [string, Job, number] => [code, failed(code), 1],
    ),
    ...['deadline', 'unreachable', 'indeterminate', 'session_limit', 'bad_answer', 'device_busy', 'internal', 'a_code_of_the_future'].map(
      (code): [string, Job, number] => [code, failed(code), 3],
    ),
    ['failed without a reason', jobLike({ state: 'failed' }), 3],
    ['still queued', jobLike({ state: 'queued' }), 3],
    ['still blocked', jobLike({ state: 'blocked' }), 3],
    ['still running', jobLike({ state: 'running' }), 3],
    ['wrong usage', new UsageError('x'), 2],
    ['400', new ProblemError(400, { code: 'bad_request' }), 2],
    ['401', new ProblemError(401, { code: 'unauthenticated' }), 2],
    ['404 unknown node', new ProblemError(404, { code: 'unknown_node' }), 2],
    ['409 held', new ProblemError(409, { code: 'held' }), 2],
    ['422', new ProblemError(422, { code: 'no_level' }), 2],
    ['500', new ProblemError(500, { code: 'internal' }), 3],
    ['503', new ProblemError(503, { code: 'store_unavailable' }), 3],
    ['gateway away', new GatewayAwayError('http://x', new Error('refused')), 3],
    ['not ended in time', new WaitTimeoutError('late'), 3],
    ['a fault of the command itself', new TypeError('x'), 3],
    ['several refused', new SeveralErrors('x', [new ProblemError(409, {}), new ProblemError(422, {})]), 2],
    ['several, one not known', new SeveralErrors('x', [new ProblemError(409, {}), new ProblemError(503, {})]), 3],
  ]
  for (const [name, outcome, code] of table) t.equal(exitCode(outcome), code, `${name}: ${code}`)
  t.equal(exitCode(new ProblemError(404, {}), true), 3, 'once a job was accepted, a refused read of it is not known')
})

t.test('off', async t => {
  const fake = await FakeGateway.start()
  t.teardown(() => fake.stop())
  t.beforeEach(() => {
    fake.seen.length = 0
    fake.routes.clear()
  })

  await t.test('in a pipe: one line a change, no escape codes, the verdict at the end', async t => {
    fake.job(...off)
    const { code, out, err } = await run(fake.url, ['off', 'node1', '--reason', 'disk', '--deadline', '2m'])
    t.equal(code, 0)
    t.equal(err, '')
    t.notMatch(out, '\x1b')
    t.match(out, /default\/node1 off: queued\n/)
    t.match(out, /bmc1 {2}read on/)
    t.match(out, /default\/node1 off: running, confirming\n/)
    t.match(out, /✓ default\/node1 is off \(confirmed\)\n {2}job job-1 {2}receipt receipt-1\n$/)
    t.equal(out.split('\n').filter(line => line.includes('command off')).length, 1, 'each piece of evidence once')
    t.equal(out.split('\n').filter(line => line.includes('read off')).length, 3)
    t.same(fake.bodies('POST /v1/jobs'), [{ node: 'node1', cluster: 'default', action: 'off', reason: 'disk', deadlineSeconds: 120 }])
    t.match(fake.seen[0]?.headers, { 'idempotency-key': 'key-1', authorization: 'Bearer test-token' })
  })

  await t.test('a read that says the same again is no change: counted, not repeated', async t => {
    const at = (n: number): string => new Date(Date.parse('2026-01-01T12:00:00Z') + n * 600).toISOString()
    const many = Array.from({ length: 40 }, (_, n) => ({ ...read(1, 'off'), at: at(n) }))
    const other = many.map(item => ({ ...item, device: 'bmc2' })).slice(0, 5)
    const evidence = [...many.slice(0, 20), ...other, ...many.slice(20), { ...read(1, 'on'), at: at(99) }]
    fake.job(jobLike({ state: 'failed', failure: { code: 'deadline', message: 'late' }, evidence }))
    const { out } = await run(fake.url, ['off', 'node1'])
    t.equal(out.split('\n').filter(line => line.includes('bmc1  read off')).length, 3)
    t.match(out, /bmc1 {2}37 more like it\n.*bmc1 {2}read on/)
    t.match(out, /bmc2 {2}2 more like it/)
    const { out: shown } = await run(fake.url, ['off', 'node1'], { tty: true, env: { NO_COLOR: '1' } })
    const table = shown.slice(shown.indexOf('TIME'))
    t.equal(table.split('\n').filter(line => /bmc1 +off ✓/.test(line)).length, 4, 'the first three and the last')
    t.match(table, /bmc1 +… 36 more like it/)
    t.equal(table.split('\n').filter(line => /bmc2 +off ✓/.test(line)).length, 5, 'one that is left out would save nothing')
  })

  await t.test('--json: the job bare and nothing else on standard output', async t => {
    fake.job(...off)
    for (const tty of [false, true]) {
      const { code, out, err } = await run(fake.url, ['off', 'node1', '--json'], { tty })
      t.equal(code, 0)
      t.same(JSON.parse(out), off[3])
      if (!tty) t.equal(err, '')
      fake.job(...off)
      fake.seen.length = 0
    }
    fake.job(failed('identity_mismatch'))
    const { code, out, err } = await run(fake.url, ['off', 'node1', '--json'])
    t.equal(code, 1)
    t.match(JSON.parse(out), { state: 'failed' })
    t.match(err, /^error: default\/node1 off: identity_mismatch: because \(bmc1\)/)
  })

  await t.test('on a terminal: a block that redraws itself, the cursor given back, then the evidence as a table', async t => {
    fake.job(...off)
    const { code, out } = await run(fake.url, ['off', 'rack7/node1'], { tty: true })
    t.equal(code, 0)
    t.ok(out.startsWith('\x1b[?25l'))
    t.ok(out.lastIndexOf('\x1b[?25h') > out.lastIndexOf('\x1b[?25l'))
    t.match(out, /off 1\/3/)
    t.match(out, /confirming/)
    const end = out.slice(out.lastIndexOf('\x1b[?25h'))
    t.match(end, /TIME +DEVICE +POWER +ANSWER +SOURCE/)
    t.match(end, /✓/)
    t.match(fake.bodies('POST /v1/jobs')[0], { node: 'node1', cluster: 'rack7', reason: 'safestate off by ana@console' })
  })

  await t.test('NO_COLOR takes the colours, a dumb terminal gets lines', async t => {
    fake.job(...off)
    const plain = await run(fake.url, ['off', 'node1'], { tty: true, env: { NO_COLOR: '1' } })
    t.notMatch(plain.out, sgr)
    t.match(plain.out, '\x1b[?25h')
    fake.job(...off)
    fake.seen.length = 0
    const dumb = await run(fake.url, ['off', 'node1'], { tty: true, env: { TERM: 'dumb' } })
    t.notMatch(dumb.out, '\x1b')
    t.match(dumb.out, /default\/node1 off: queued\n/)
  })

  await t.test('no line of the block is wider than the terminal', async t => {
    const long = { ...read(1, 'on', false), source: 'redfish /redfish/v1/'.padEnd(300, 'x') }
    fake.job(jobLike({ state: 'running', phase: 'reading', evidence: [long] }), ...off.slice(3))
    const { out } = await run(fake.url, ['off', 'node1'], { tty: true, columns: 40, env: { NO_COLOR: '1' } })
    const block = out.slice(0, out.lastIndexOf('\x1b[?25h'))
    for (const line of block.replace(escapes, '').split(/[\r\n]/)) t.ok(line.length < 40, JSON.stringify(line))
  })

  await t.test('what a device or a person wrote cannot steer the terminal', async t => {
    const evil = { ...read(3, 'off'), raw: '"Off\x1b[2J\x1b]0;owned\x07\u202e"', source: 'a\nb' }
    fake.job(jobLike({ state: 'failed', evidence: [evil], failure: { code: 'bad_answer', message: 'x\x1b[31m' }, node: 'n\x9b1m' }))
    for (const argv of [
      ['off', 'node1'],
      ['watch', 'job-1'],
    ]) {
      const { out, err } = await run(fake.url, argv)
      for (const char of ['\x1b', '\x07', '\x9b', '\u202e']) t.notOk((out + err).includes(char))
    }
  })

  await t.test('failures are told with what to do, and the code says what is known', async t => {
    fake.job(failed('indeterminate'))
    const ended = await run(fake.url, ['off', 'node1'])
    t.equal(ended.code, 3)
    t.match(ended.err, /^error: default\/node1 off: indeterminate: because \(bmc1\) {2}job job-1\n {2}next: .*hold release/)
    fake.routes.set('POST /v1/jobs', () => problem(404, 'unknown_node', 'Unknown node', 'there is no node default/node1'))
    const unknown = await run(fake.url, ['off', 'node1'])
    t.equal(unknown.code, 2)
    t.equal(unknown.out, '')
    t.match(unknown.err, /^error: Unknown node: there is no node default\/node1\n {2}next: .*node add/)
    fake.routes.set('POST /v1/jobs', () =>
      problem(400, 'bad_request', 'Bad request', '1 field', { errors: [{ field: 'deadlineSeconds', message: 'must be <= 3600' }] }),
    )
    t.match((await run(fake.url, ['off', 'node1', '--deadline', '9999'])).err, 'deadlineSeconds: must be <= 3600')
  })

  await t.test('--no-wait prints the accepted job', async t => {
    fake.job(jobLike({ state: 'queued', joined: true }))
    const { code, out } = await run(fake.url, ['off', 'node1', '--no-wait'])
    t.equal(code, 0)
    t.match(out, /job job-1 joined \(queued\)/)
    t.equal(fake.seen.length, 1)
    t.match(JSON.parse((await run(fake.url, ['off', 'node1', '--no-wait', '--json'])).out), { id: 'job-1' })
  })

  await t.test('Ctrl-C gives the cursor back and leaves the job alone', async t => {
    fake.job(jobLike({ state: 'running' }), jobLike({ state: 'running', revision: 2 }))
    const { code, out, err } = await run(fake.url, ['off', 'node1'], {
      tty: true,
      interrupt: press => {
        fake.routes.set('GET /v1/jobs/job-1', () => {
          press()
          return { status: 200, body: jobLike({ state: 'running' }), headers: { etag: '"0"' } }
        })
      },
    })
    t.equal(code, 130)
    t.ok(out.endsWith('\x1b[?25h'))
    t.match(err, /job job-1 goes on without you/)
    t.match(err, /safestate cancel job-1/)
    t.notOk(fake.seen.some(each => each.path.endsWith('/cancel')))
  })

  await t.test('an answer that got lost: the same key again; a gateway that stays away is 3, with the key to ask again', async t => {
    fake.job(...off)
    const take = fake.routes.get('POST /v1/jobs')
    let tries = 0
    fake.routes.set('POST /v1/jobs', seen => (++tries === 1 ? undefined : take?.(seen)))
    t.equal((await run(fake.url, ['off', 'node1', '--json', '--idempotency-key', 'mine'])).code, 0)
    t.same(
      fake.seen.filter(each => each.method === 'POST').map(each => each.headers['idempotency-key']),
      ['mine', 'mine'],
    )
    const untrusted = async (): Promise<Response> => {
      throw new TypeError('fetch failed', {
        cause: Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      })
    }
    const away = await run('https://gateway.test', ['off', 'node1'], { fetch: untrusted })
    t.equal(away.code, 3)
    t.match(away.err, /^error: no answer from the gateway: https:\/\/gateway\.test: self-signed/)
    t.match(away.err, /NODE_EXTRA_CA_CERTS/)
    t.match(away.err, /--idempotency-key key-1/)
  })

  await t.test('a token that is revoked while it waits is not "not taken"', async t => {
    fake.job(jobLike({ state: 'running' }))
    fake.routes.set('GET /v1/jobs/job-1', () => problem(401, 'unauthenticated', 'Not authenticated', 'unknown token'))
    const { code, err } = await run(fake.url, ['off', 'node1'])
    t.equal(code, 3)
    t.match(err, /job job-1 was accepted/)
  })
})

t.test('status, on, reboot, watch, cancel', async t => {
  const fake = await FakeGateway.start()
  t.teardown(() => fake.stop())

  await t.test('status is one line', async t => {
    fake.job(jobLike({ action: 'status', state: 'succeeded', power: 'on', evidence: [read(1, 'on', false)] }))
    const { code, out, err } = await run(fake.url, ['status', 'node1'])
    t.equal(code, 0)
    t.match(out, /^default\/node1 on {2}\(read \d\d:\d\d:\d\d via bmc1, redfish \/redfish\/v1\/Systems\/1 PowerState\)\n$/)
    t.equal(err, '')
    fake.job(jobLike({ action: 'status', state: 'succeeded', power: 'unknown' }))
    t.match(await run(fake.url, ['status', 'node1']), { code: 3, out: 'default/node1 unknown\n' })
  })

  await t.test('a reboot that stays off says so', async t => {
    fake.job(
      jobLike({
        action: 'reboot',
        state: 'succeeded',
        assurance: 'confirmed',
        receiptId: 'r1',
        warnings: [{ code: 'not_restored', message: 'the node stays off' }],
      }),
    )
    const { code, out, err } = await run(fake.url, ['reboot', 'node1'])
    t.equal(code, 0)
    t.match(out, /was off \(confirmed\) and did not come back on/)
    t.match(err, /warning: not_restored: the node stays off/)
  })

  await t.test('watch shows an ended job with its evidence, and has its exit code', async t => {
    fake.on('GET /v1/jobs/job-1', off[3])
    const { code, out } = await run(fake.url, ['watch', 'job-1'])
    t.equal(code, 0)
    t.match(out, /TIME +DEVICE/)
    fake.on('GET /v1/jobs/job-1', failed('deadline'))
    t.equal((await run(fake.url, ['watch', 'job-1'])).code, 3)
  })

  await t.test('cancel', async t => {
    fake.on('POST /v1/jobs/job-1/cancel', jobLike({ state: 'cancelled' }))
    t.match(await run(fake.url, ['cancel', 'job-1']), { code: 0, out: /is cancelled/ })
    fake.routes.set('POST /v1/jobs/job-1/cancel', () => problem(409, 'no_change', 'Too late', 'its command was sent'))
    t.match(await run(fake.url, ['cancel', 'job-1']), { code: 2, err: /Too late/ })
  })
})
