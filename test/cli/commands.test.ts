import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompactSign, calculateJwkThumbprint, exportJWK } from 'jose'
import t from 'tap'
import { LevelOptions, nodeName, seconds } from '../../src/cli/options.ts'
import { clean, table } from '../../src/cli/output/text.ts'
import { jobLike } from '../client/support.ts'
import { FakeGateway, problem, run } from './support.ts'

const NOWHERE = 'http://127.0.0.1:1'
const SECRET = 'hunter2-secret'

t.test('what is typed wrong is 2, with a way out, before anything is sent', async t => {
  const wrong: [string[], RegExp][] = [
    [[], /Usage: safestate/],
    [['of', 'node1'], /unknown command 'of'[\s\S]*Did you mean one of off, on\?|unknown command 'of'/],
    [['off'], /missing required argument 'node'/],
    [['off', 'node1', 'node2'], /too many arguments/],
    [['off', 'a/b/c'], /NAME or CLUSTER\/NAME/],
    [['off', '/node1'], /NAME or CLUSTER\/NAME/],
    [['off', 'node1', '--deadline', 'soon'], /120s, 2m or 120/],
    [['off', 'node1', '--force'], /unknown option '--force'/],
    [['off', 'node1', '--token', 'x'], /unknown option '--token'/],
    [['device', 'add', 'bmc1', '--driver', 'redfish', '--address', 'https://x', '--username', 'u'], /give --password-stdin/],
    [['device', 'add', 'bmc1', '--driver', 'redfish', '--address', 'https://x', '--password-stdin'], /'--username <name>' not specified/],
    [['node', 'add', 'node1'], /level 1 has no device/],
    [['node', 'add', 'node1', '--device', 'a', '--level', '3', '--device', 'b'], /level 2 has no device/],
    [['node', 'add', 'node1', '--device', 'a', '--device', 'a'], /named twice/],
    [['node', 'add', 'node1', '--level', '0', '--device', 'a'], /whole number/],
    [['hold', 'release', 'node1'], /--reason/],
    [['token', 'create', 'ci'], /--scope/],
    [['simulate'], /--redfish/],
    [['simulate', '--redfish', '0', '--ipmi', '0'], /give --redfish N, --ipmi N or both/],
    [['simulate', '--ipmi', 'some'], /whole number/],
    [['gateway', '--url', 'http://x'], /are for commands that ask a gateway/],
    [['approvals', 'list'], /unknown command/],
    [['agent'], /unknown command/],
    [['controller'], /unknown command/],
    [['off', 'node1', '--url', 'nonsense'], /nonsense: Invalid URL[\s\S]*SAFESTATE_URL/],
    [['off', 'node1', '--url', 'http://user:pw@host'], /must not contain a user name/],
    [['off', 'node1', '--token-file', '/does/not/exist'], /can't read the token file .*no such file/],
    [['verify', '/does/not/exist', '--jwks', 'x'], /can't read the receipt/],
    [['verify', 'x'], /--jwks/],
    [['import', '/does/not/exist'], /can't read the inventory/],
  ]
  for (const [argv, message] of wrong) {
    const { code, out, err } = await run(NOWHERE, argv)
    t.equal(code, 2, argv.join(' '))
    t.match(err, message)
    t.equal(out, '')
  }
  const noToken = await run(NOWHERE, ['jobs'], { env: { SAFESTATE_TOKEN: '' } })
  t.match(noToken, { code: 2, err: /^error: no API token\n {2}next: .*DATA_DIR\/admin-token/ })
  t.match(await run(NOWHERE, ['jobs']), {
    code: 3,
    err: /no answer from the gateway: http:\/\/127\.0\.0\.1:1: .*\n {2}next: .*safestate gateway/,
  })
})

t.test('help, with examples, for each command', async t => {
  const all = await run(NOWHERE, ['--help'])
  t.equal(all.code, 0)
  for (const word of ['Power:', 'off', 'reboot', 'hold', 'verify', 'import', 'gateway', 'simulate', 'token', 'vault', 'Examples:'])
    t.match(all.out, word)
  for (const word of ['approvals', 'agent', 'controller']) t.notMatch(all.out, new RegExp(`^ *${word}`, 'm'))
  const commands = [
    ...[
      'gateway',
      'simulate',
      'device add',
      'device probe',
      'device list',
      'device credential',
      'device remove',
      'import',
      'node add',
      'node list',
      'node show',
      'node remove',
    ],
    ...['off', 'on', 'reboot', 'status', 'hold list', 'hold release', 'jobs', 'watch', 'cancel', 'receipt', 'verify', 'vault rotate'],
    ...['token create', 'token list', 'token revoke'],
  ]
  for (const command of commands) {
    const { code, out, err } = await run(NOWHERE, [...command.split(' '), '--help'])
    t.equal(code, 0)
    t.match(out, /\nExamples:\n {2}\S/, command)
    t.equal(err, '')
  }
  t.match(await run(NOWHERE, ['--version']), { code: 0, out: '0.0.0-test\n' })
})

t.test('options', async t => {
  t.same(['120', '120s', '2m', '1h'].map(seconds), [120, 120, 120, 3600])
  for (const text of ['', '-1', '1.5', '2 m', '1d', '12345678']) t.throws(() => seconds(text), text)
  t.same(nodeName('node1'), { cluster: 'default', name: 'node1' })
  t.same(nodeName('rack7/node1'), { cluster: 'rack7', name: 'node1' })
  const levels = new LevelOptions()
  levels.device('a')
  levels.level('2')
  levels.device('c')
  levels.level('1')
  levels.device('b')
  t.same(levels.result(), [['a', 'b'], ['c']], '--level holds for the devices behind it')
  t.equal(
    table(
      ['A', 'BB'],
      [
        ['xxx', ''],
        ['y', 'z'],
      ],
    ),
    'A    BB\nxxx\ny    z',
  )
  t.equal(clean('a\x1b[1m\nb'), 'a\\x1b[1m\\x0ab')
})

t.test('the roots get their flags', async t => {
  let flags: object = {}
  const roots = {
    gateway: async (given: object) => {
      flags = given
      return 3
    },
    simulate: async (given: object) => {
      flags = given
      return undefined
    },
  }
  t.match(await run(NOWHERE, ['gateway', '--listen', '127.0.0.1:0', '--data-dir', 'd', '--allow-volatile-store'], { roots }), { code: 3 })
  t.same(flags, { listen: '127.0.0.1:0', dataDir: 'd', allowVolatileStore: true })
  t.match(await run(NOWHERE, ['simulate', '--redfish', '8', '--inventory', 'i.yaml', '--off-delay', '3s'], { roots }), { code: 0 })
  t.same(flags, { redfish: 8, inventory: 'i.yaml', offDelayMs: 3000 })
  t.match(await run(NOWHERE, ['simulate', '--redfish', '0', '--ipmi', '8'], { roots }), { code: 0 })
  t.same(flags, { redfish: 0, ipmi: 8 })
  const broken = { gateway: () => Promise.reject(new Error('listen: no port\nredisUrl: no URL')) }
  t.match(await run(NOWHERE, ['gateway'], { roots: broken }), { code: 1, err: /^error: listen: no port\n {2}redisUrl: no URL\n$/ })
})

t.test('devices and nodes', async t => {
  const fake = await FakeGateway.start()
  t.teardown(() => fake.stop())
  const dir = t.testdir({
    'ca.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'not.pem': 'hello',
    token: 'from-file\n',
  })
  const device = {
    name: 'bmc1',
    driver: 'redfish',
    address: 'https://10.0.0.1',
    endpoint: '10.0.0.1',
    tls: { mode: 'pin' },
    status: 'verified',
    product: 'iLO 5',
    createdAt: '2026-01-01T00:00:00Z',
    revision: 1,
  }
  const add = ['device', 'add', 'bmc1', '--driver', 'redfish', '--address', 'https://10.0.0.1', '--username', 'fence', '--password-stdin']

  await t.test('the password comes from one line of standard input and is shown nowhere', async t => {
    fake.on('POST /v1/devices', { ...device, warnings: ['the certificate is self-signed'] })
    for (const stdin of [`${SECRET}\n`, SECRET, `${SECRET}\r\n`]) {
      const { code, out, err } = await run(fake.url, add, { stdin })
      t.equal(code, 0)
      t.equal(out, 'bmc1 verified: iLO 5\n')
      t.notMatch(out + err, SECRET)
    }
    for (const body of fake.bodies('POST /v1/devices')) t.match(body, { password: SECRET, username: 'fence', tls: { mode: 'pin' } })
    t.match(await run(fake.url, add, { stdin: '' }), { code: 2, err: /no password on standard input/ })
    t.match(await run(fake.url, add, { stdin: `a\nb\n` }), { code: 2, err: /more than one line/ })
    for (const argv of [
      [...add, `--password=${SECRET}`],
      [...add, '--password', SECRET],
      ['jobs', `--token=${SECRET}`],
      ['jobs', `--token=it's ${SECRET}\n${SECRET}`],
    ]) {
      const { code, out, err } = await run(fake.url, argv, { stdin: 'x' })
      t.equal(code, 2, 'a secret as an argument is refused')
      t.notMatch(out + err, SECRET, 'and not repeated')
    }
  })

  await t.test('TLS modes', async t => {
    fake.seen.length = 0
    fake.on('POST /v1/devices', device)
    await run(fake.url, [...add, '--tls', `ca:${join(dir, 'ca.pem')}`, '--system-id', 'Node3'], { stdin: 'x' })
    await run(fake.url, [...add, '--tls', 'insecure'], { stdin: 'x' })
    t.match(fake.bodies('POST /v1/devices'), [
      { systemId: 'Node3', tls: { mode: 'ca', ca: /BEGIN CERTIFICATE/ } },
      { tls: { mode: 'insecure' } },
    ])
    t.match(await run(fake.url, [...add, '--tls', 'maybe'], { stdin: 'x' }), { code: 2, err: /unknown TLS mode maybe/ })
    t.match(await run(fake.url, [...add, '--tls', `ca:${join(dir, 'not.pem')}`], { stdin: 'x' }), { code: 2, err: /no PEM certificate/ })
  })

  await t.test('an IPMI device: its settings, its BMC key from a file, and no TLS', async t => {
    fake.seen.length = 0
    const { tls: _tls, ...bare } = device
    fake.on('POST /v1/devices', { ...bare, name: 'ipmi1', driver: 'ipmi', address: 'ipmi://10.0.0.1', cipherSuite: 17 })
    const base = ['device', 'add', 'ipmi1', '--driver', 'ipmi', '--address', 'ipmi://10.0.0.1', '--username', 'fence', '--password-stdin']
    const secrets = t.testdir({ kg: `${SECRET}-kg\n`, two: 'a\nb\n' })
    t.equal((await run(fake.url, base, { stdin: SECRET })).code, 0)
    const settings = ['--cipher-suite', '17', '--privilege', 'administrator', '--quirk', 'skip-checksum', '--quirk', 'ignore-watts']
    const added = await run(fake.url, [...base, ...settings, '--kg-file', join(secrets, 'kg')], { stdin: SECRET })
    t.equal(added.code, 0)
    t.notMatch(added.out + added.err, SECRET)
    await run(fake.url, [...base, '--tls', 'insecure'], { stdin: SECRET })
    const plain = { name: 'ipmi1', driver: 'ipmi', address: 'ipmi://10.0.0.1', username: 'fence', password: SECRET }
    t.same(fake.bodies('POST /v1/devices'), [
      plain,
      {
        ...plain,
        kg: `${SECRET}-kg`,
        ipmi: { cipherSuite: '17', privilege: 'administrator', quirks: ['skip-checksum', 'ignore-watts'] },
      },
      { ...plain, tls: { mode: 'insecure' } },
    ])
    t.match(await run(fake.url, [...base, '--kg-file', join(secrets, 'two')], { stdin: SECRET }), { code: 2, err: /must hold one line/ })
    t.match(await run(fake.url, [...base, '--kg-file', join(secrets, 'none')], { stdin: SECRET }), { code: 2, err: /no such file/ })
    fake.on('PUT /v1/devices/ipmi1/credential')
    const credential = ['device', 'credential', 'ipmi1', '--username', 'u', '--password-stdin', '--kg-file', join(secrets, 'kg')]
    t.equal((await run(fake.url, credential, { stdin: SECRET })).code, 0)
    t.same(fake.bodies('PUT /v1/devices/ipmi1/credential'), [{ username: 'u', password: SECRET, kg: `${SECRET}-kg` }])
  })

  await t.test('a probe of an IPMI device says what is offered, used and refused, and why', async t => {
    fake.on('POST /v1/devices/ipmi1/probe', {
      hardware: { uuid: 'u1', guid: '31' },
      power: 'on',
      product: 'Dell BMC, product 256, firmware 2.72, IPMI 2.0',
      systemId: '',
      others: [],
      commands: { on: 'Chassis Control: power up', off: 'Chassis Control: power down' },
      refusals: [],
      witnesses: ['ipmi DCMI power reading: 212 W'],
      session: 'session',
      cipherSuite: 17,
      offers: [
        { name: 'cipher suite 0', use: 'refused', reason: 'it checks no password\u001b[2J' },
        { name: 'cipher suite 17', use: 'used', reason: 'this session' },
        { name: 'cipher suite 3', use: 'unused', reason: '17 is spoken' },
      ],
      restorePolicy: 'previous',
      warnings: ['it offers cipher suite 0'],
    })
    const { code, out, err } = await run(fake.url, ['device', 'probe', 'ipmi1'])
    t.equal(code, 0)
    t.equal(
      out,
      `product:     Dell BMC, product 256, firmware 2.72, IPMI 2.0
identity:    UUID u1, read from the GUID 31
power:       on
off:         Chassis Control: power down
on:          Chassis Control: power up
witnesses:   ipmi DCMI power reading: 212 W
mains power: is as before when it returns; set to stay off for a hold
log-in:      session, cipher suite 17
used:        cipher suite 17: this session
not used:    cipher suite 3: 17 is spoken
refused:     cipher suite 0: it checks no password\\x1b[2J
`,
    )
    t.equal(err, 'warning: it offers cipher suite 0\n')
  })

  await t.test('lists, probe, remove', async t => {
    fake.routes.set('GET /v1/devices', ({ query }) =>
      query.get('after') === null
        ? { status: 200, body: { items: [device], next: 'c1' } }
        : { status: 200, body: { items: [{ ...device, name: 'bmc2', status: 'unverified' }] } },
    )
    const { code, out } = await run(fake.url, ['device', 'list'])
    t.equal(code, 0)
    t.match(out, /NAME +DRIVER[\s\S]*bmc1 +redfish[\s\S]*bmc2 .*unverified/)
    t.match(JSON.parse((await run(fake.url, ['device', 'list', '--json'])).out), { items: [{ name: 'bmc1' }, { name: 'bmc2' }] })
    fake.on('POST /v1/devices/bmc1/probe', {
      hardware: { uuid: 'u1', manufacturer: 'HPE' },
      power: 'on',
      product: 'iLO 5',
      systemId: '1',
      others: [{ id: '2', reason: 'another system' }],
      commands: { on: 'On', off: null },
      refusals: [{ command: 'off', reason: 'no ForceOff' }],
      witnesses: [],
      session: 'session',
      offers: [],
      restorePolicy: 'previous',
      warnings: [],
    })
    const probed = await run(fake.url, ['device', 'probe', 'bmc1'])
    t.match(probed.out, /power: +on\n[\s\S]*off: +not offered[\s\S]*not chosen: +2: another system[\s\S]*refused: +off: no ForceOff/)
    fake.on('PUT /v1/devices/bmc1/credential')
    t.match(await run(fake.url, ['device', 'credential', 'bmc1', '--username', 'u2', '--password-stdin'], { stdin: SECRET }), {
      code: 0,
      out: /sealed/,
    })
    t.same(fake.bodies('PUT /v1/devices/bmc1/credential'), [{ username: 'u2', password: SECRET }])
    fake.on('DELETE /v1/devices/bmc1')
    t.match(await run(fake.url, ['device', 'remove', 'bmc1']), { code: 0, out: 'bmc1 removed\n' })
    fake.on('DELETE /v1/devices/we/ird')
    t.equal((await run(fake.url, ['device', 'remove', 'we/ird'])).code, 0, 'a name is one part of the path')
  })

  await t.test('nodes, with their levels in the order they were typed', async t => {
    const node = { cluster: 'rack7', name: 'n1', levels: [['bmc1'], ['psu1', 'psu2']], createdAt: '2026-01-01T00:00:00Z', revision: 1 }
    fake.on('POST /v1/nodes', node)
    const argv = [
      'node',
      'add',
      'rack7/n1',
      '--device',
      'bmc1',
      '--level',
      '2',
      '--device',
      'psu1',
      '--device',
      'psu2',
      '--system-uuid',
      'u1',
    ]
    t.match(await run(fake.url, argv), { code: 0, out: 'rack7/n1: bmc1, then psu1 + psu2\n' })
    t.same(fake.bodies('POST /v1/nodes'), [{ cluster: 'rack7', name: 'n1', levels: [['bmc1'], ['psu1', 'psu2']], systemUuid: 'u1' }])
    fake.on('GET /v1/nodes', { items: [node] })
    t.match(await run(fake.url, ['node', 'list']), { code: 0, out: /rack7\/n1 +bmc1, then psu1 \+ psu2/ })
    fake.on('GET /v1/nodes/rack7/n1', node).on('GET /v1/nodes/rack7/n1/readiness', {
      ready: false,
      binding: 'declared',
      problems: [{ code: 'unverified', message: 'never reached', device: 'bmc1' }],
      warnings: [],
      devices: [],
    })
    t.match(await run(fake.url, ['node', 'show', 'rack7/n1']), {
      code: 0,
      out: /rack7\/n1 {2}not ready[\s\S]*binding: +declared[\s\S]*unverified: never reached \(bmc1\)/,
    })
    fake.on('DELETE /v1/nodes/rack7/n1')
    t.match(await run(fake.url, ['node', 'remove', 'rack7/n1']), { code: 0, out: 'rack7/n1 removed\n' })
  })

  await t.test('the address and the token, from the command line before the environment', async t => {
    fake.seen.length = 0
    fake.on('GET /v1/nodes', { items: [] })
    await run(NOWHERE, ['node', 'list', '--url', fake.url, '--token-file', join(dir, 'token')])
    await run(NOWHERE, ['--url', `${fake.url}/`, '--token-file', join(dir, 'token'), 'node', 'list'])
    t.same(
      fake.seen.map(each => each.headers.authorization),
      ['Bearer from-file', 'Bearer from-file'],
    )
    fake.seen.length = 0
    fake.routes.set('GET /v1/nodes', () => ({ status: 307, headers: { location: '/elsewhere' } }))
    t.equal((await run(fake.url, ['node', 'list'])).code, 3)
    t.equal(fake.seen.length, 1, 'a redirect is not followed: it would carry the token')
    const { code, err } = await run(fake.url, ['node', 'list'], { env: { SAFESTATE_TOKEN: 'two words' } })
    t.equal(code, 2)
    t.notMatch(err, 'two words')
  })
})

t.test('holds', async t => {
  const fake = await FakeGateway.start()
  t.teardown(() => fake.stop())
  const hold = {
    id: 'h1',
    cluster: 'default',
    node: 'n1',
    state: 'confirmed',
    holders: [
      { holder: 'token:1', attempt: 1, since: '2026-01-01T00:00:00Z' },
      { holder: 'cr:prod/u1', attempt: 3, since: '2026-01-01T00:00:00Z' },
    ],
    owesOn: true,
    jobId: 'j1',
    power: 'off',
    revision: 1,
    createdAt: '2026-01-01T00:00:00Z',
  }
  fake.on('GET /v1/holds', { items: [hold] }).on('GET /v1/nodes/default/n1/hold', hold)
  t.match(await run(fake.url, ['hold', 'list']), { code: 0, out: /default\/n1 +confirmed +off +- +token:1, cr:prod\/u1#3 +on/ })
  fake.on('POST /v1/holds/h1/release', { hold: { ...hold, holders: [hold.holders[0]] } })
  t.match(await run(fake.url, ['hold', 'release', 'n1', '--holder', 'cr:prod/u1', '--reason', 'done']), {
    code: 0,
    out: /still held by token:1/,
  })
  fake.on('POST /v1/holds/h1/release', { hold: { ...hold, state: 'released', holders: [] }, job: jobLike({ action: 'on', id: 'j2' }) })
  t.match(await run(fake.url, ['hold', 'release', 'n1', '--keep-off', '--reason', 'done']), { code: 0, out: /powering on: job j2/ })
  t.same(fake.bodies('POST /v1/holds/h1/release'), [
    { holder: 'cr:prod/u1', attempt: 3, restore: true, reason: 'done' },
    { restore: false, reason: 'done' },
  ])
  t.match(await run(fake.url, ['hold', 'release', 'n1', '--holder', 'nobody', '--reason', 'x']), {
    code: 2,
    err: /nobody does not hold[\s\S]*token:1, cr:prod\/u1/,
  })
  fake.routes.set('POST /v1/holds/h1/release', () => problem(409, 'stale_release', 'Stale release', 'you are no holder'))
  t.match(await run(fake.url, ['hold', 'release', 'n1', '--reason', 'x']), {
    code: 2,
    err: /its holders: token:1, cr:prod\/u1; name one with --holder/,
  })
})

t.test('jobs, tokens, vault', async t => {
  const fake = await FakeGateway.start()
  t.teardown(() => fake.stop())
  fake.routes.set('GET /v1/jobs', ({ query }) => ({
    status: 200,
    body: { items: [jobLike({ id: `j${query.get('after') ?? 0}` })], next: String(Number(query.get('after') ?? 0) + 1) },
  }))
  const { out } = await run(fake.url, ['jobs', 'rack7/n1', '--limit', '3', '--json'])
  t.same(
    JSON.parse(out).items.map((job: { id: string }) => job.id),
    ['j0', 'j1', 'j2'],
  )
  t.match(fake.seen[0]?.query.toString(), /node=n1&cluster=rack7/)
  t.match(await run(fake.url, ['jobs', '--limit', '1']), { code: 0, out: /JOB +NODE[\s\S]*j0 +default\/node1 +off +running/ })

  fake.on('POST /v1/tokens', { id: 't1', name: 'ci', token: SECRET, scopes: ['jobs:off'], createdAt: '2026-01-01T00:00:00Z' })
  const created = await run(fake.url, ['token', 'create', 'ci', '--scope', 'jobs:off', '--scope', 'jobs:read', '--cluster', 'rack7'])
  t.equal(created.out, `${SECRET}\n`, 'the token alone, so that it can go into a file')
  t.notMatch(created.err, SECRET)
  t.same(fake.bodies('POST /v1/tokens'), [{ name: 'ci', scopes: ['jobs:off', 'jobs:read'], clusters: ['rack7'] }])
  fake.on('GET /v1/tokens', { items: [{ id: 't1', name: 'ci', scopes: ['admin'], createdAt: '2026-01-01T00:00:00Z' }] })
  t.match(await run(fake.url, ['token', 'list']), { code: 0, out: /ci +t1 +admin +all/ })
  fake.on('DELETE /v1/tokens/ci')
  t.match(await run(fake.url, ['token', 'revoke', 'ci']), { code: 0, out: 'ci revoked\n' })
  fake.on('POST /v1/vault/rotate', { keyId: 'k2', resealed: 3 })
  t.match(await run(fake.url, ['vault', 'rotate']), { code: 0, out: '3 secrets sealed under key k2\n' })
})

t.test('receipt and verify', async t => {
  const fake = await FakeGateway.start()
  t.teardown(() => fake.stop())
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const jwks = { keys: [{ ...jwk, kid }] }
  const payload = {
    iss: 'safestate:1',
    jti: 'r1',
    cluster: 'default',
    node: 'n1',
    state: 'off',
    assurance: 'confirmed',
    mechanism: 'direct',
    binding: 'declared',
    hardware: [{ device: 'bmc1', manufacturer: 'HPE', uuid: 'u1' }],
    job: 'job-1',
    attempt: 1,
    hold: 'h1',
    holders: [{ holder: 'token:1', attempt: 1 }],
    lateHand: 'closed',
    observations: [0, 1, 2].map(n => ({
      device: 'bmc1',
      at: `2026-01-01T12:00:0${n}Z`,
      source: 's',
      raw: '"Off"',
      power: 'off',
      witnesses: [],
    })),
    commands: [],
    rules: { reads: 3 },
    warnings: [],
    storeEpoch: 'e1',
    storeDurable: true,
    requestedAt: '2026-01-01T11:59:00Z',
    confirmedAt: '2026-01-01T12:00:02Z',
    issuedAt: '2026-01-01T12:00:03Z',
  }
  const sign = (body: object, typ: string): Promise<string> =>
    new CompactSign(new TextEncoder().encode(JSON.stringify(body))).setProtectedHeader({ alg: 'EdDSA', typ, kid }).sign(privateKey)
  const jws = await sign(payload, 'safestate-receipt+jwt')
  const list = (revoked: object[]): Promise<string> =>
    sign({ iss: payload.iss, issuedAt: '2026-01-01T13:00:00Z', revoked }, 'safestate-revocations+jwt')
  const dir = t.testdir({
    'keys.json': JSON.stringify(jwks),
    'empty.json': '{"keys": []}',
    'none.jws': await list([]),
    'revoked.jws': await list([{ jti: 'r1', revokedAt: '2026-01-01T12:30:00Z', reason: 'found on' }]),
  })
  const file = (name: string): string => join(dir, name)
  fake
    .on('GET /v1/jobs/job-1', jobLike({ state: 'succeeded', receiptId: 'r1' }))
    .on('GET /v1/receipts/r1', { id: 'r1', jws, status: 'standing' })
    .on('GET /.well-known/jwks.json', jwks)

  t.match(await run(fake.url, ['receipt', 'job-1']), { code: 0, out: `${jws}\n`, err: '' })
  t.match(await run(fake.url, ['receipt', 'job-1', '--output', file('r.jws')]), { code: 0, out: '', err: /written to/ })
  t.equal(readFileSync(file('r.jws'), 'utf8'), `${jws}\n`)
  t.match(await run(fake.url, ['receipt', 'job-1', '--output', file('no/such/r.jws')]), { code: 2, err: /no such file/ })
  fake.on('GET /v1/jobs/job-2', jobLike({ id: 'job-2', state: 'failed', failure: { code: 'deadline', message: 'x' } }))
  t.match(await run(fake.url, ['receipt', 'job-2']), { code: 3, out: '', err: /has no receipt: off, failed, deadline/ })

  const offline = { env: { SAFESTATE_URL: NOWHERE, SAFESTATE_TOKEN: '' } }
  const verify = (...more: string[]) => run(NOWHERE, ['verify', file('r.jws'), ...more], offline)
  const good = await verify('--jwks', file('keys.json'))
  t.match(good, { code: 0, out: /✓ valid {2}default\/n1 was off at 2026-01-01T12:00:02Z[\s\S]*revocation +not checked/ })
  t.match(JSON.parse((await verify('--jwks', file('keys.json'), '--revocations', file('none.jws'), '--json')).out), {
    valid: true,
    kid,
    payload: { jti: 'r1' },
    revocation: 'none',
  })
  const revoked = await verify('--jwks', file('keys.json'), '--revocations', file('revoked.jws'), '--json')
  t.equal(revoked.code, 1)
  t.match(JSON.parse(revoked.out), { valid: false, revocation: 'revoked' })
  t.match(await verify('--jwks', file('keys.json'), '--revocations', file('revoked.jws')), { code: 1, out: /✗ not valid {2}revoked at/ })
  t.match(await verify('--jwks', file('empty.json')), { code: 1, out: /✗ not valid/ })
  t.match(JSON.parse((await verify('--jwks', file('empty.json'), '--json')).out), {
    valid: false,
    kid: null,
    payload: null,
    revocation: 'not-checked',
  })
  t.match(await verify('--jwks', file('r.jws')), { code: 2, err: /holds no key set/ })
  t.match(await verify('--jwks', `${fake.url}/.well-known/jwks.json`), { code: 0 })
  t.equal(fake.seen.at(-1)?.headers.authorization, undefined, 'no token goes to a URL that may be anybody’s')
  t.match(await verify('--jwks', `${fake.url}/nothing`), { code: 2, err: /HTTP 404/ })
  t.match(await verify('--jwks', 'http://127.0.0.1:1/x'), { code: 3 })
  const [head, body, signature] = jws.split('.')
  const forged = Buffer.from(JSON.stringify({ ...payload, node: 'n2' })).toString('base64url')
  writeFileSync(file('r.jws'), `${head}.${forged}.${signature}`)
  t.match(await verify('--jwks', file('keys.json')), { code: 1, out: /✗ not valid/ }, String(body?.length))
  t.ok(statSync(file('r.jws')).size > 0)
})
