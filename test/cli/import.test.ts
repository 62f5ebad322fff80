import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseInventory } from '../../src/cli/inventory.ts'
import { FakeGateway, problem, run } from './support.ts'

const SECRET = 'hunter2-secret'
const good = `
devices:
  - { name: bmc1, driver: redfish, address: 'https://10.0.0.1', username: fence, passwordFile: secrets/bmc1, tls: insecure }
  - { name: bmc2, driver: redfish, address: 'https://10.0.0.2', username: fence, password: ${SECRET}, systemId: '2' }
nodes:
  - { name: n1, cluster: rack7, systemUuid: U1, levels: [[bmc1]] }
  - { name: n2, levels: [[bmc1], [bmc2]] }
`

t.test('an inventory file', async t => {
  const dir = t.testdir({ secrets: { bmc1: `${SECRET}\n`, two: 'a\nb\n', empty: '' }, 'ca.pem': '-----BEGIN CERTIFICATE-----' })

  await t.test('is read with its password files', async t => {
    t.same(parseInventory(good, dir), {
      devices: [
        { name: 'bmc1', driver: 'redfish', address: 'https://10.0.0.1', username: 'fence', password: SECRET, tls: { mode: 'insecure' } },
        { name: 'bmc2', driver: 'redfish', address: 'https://10.0.0.2', username: 'fence', password: SECRET, systemId: '2' },
      ],
      nodes: [
        { cluster: 'rack7', name: 'n1', systemUuid: 'U1', levels: [['bmc1']] },
        { cluster: 'default', name: 'n2', levels: [['bmc1'], ['bmc2']] },
      ],
      problems: [],
    })
    t.same(parseInventory(JSON.stringify({ devices: [], nodes: [{ name: 'n', levels: [['x']] }] }), dir).problems, [], 'JSON too')
  })

  await t.test('with IPMI devices, their settings and BMC keys', async t => {
    const text = `
devices:
  - { name: i1, driver: ipmi, address: 'ipmi://10.0.0.1', username: fence, passwordFile: secrets/bmc1, kgFile: secrets/bmc1, ipmi: { cipherSuite: 17 } }
  - { name: i2, driver: ipmi, address: 'ipmi://10.0.0.2', username: fence, password: p, kg: k, ipmi: { privilege: administrator, quirks: [skip-checksum] } }
  - { name: i3, driver: ipmi, address: 'ipmi://10.0.0.3', username: fence, password: p }
`
    const base = { driver: 'ipmi', username: 'fence' }
    t.same(parseInventory(text, dir), {
      devices: [
        { ...base, name: 'i1', address: 'ipmi://10.0.0.1', password: SECRET, kg: SECRET, ipmi: { cipherSuite: '17' } },
        {
          ...base,
          name: 'i2',
          address: 'ipmi://10.0.0.2',
          password: 'p',
          kg: 'k',
          ipmi: { privilege: 'administrator', quirks: ['skip-checksum'] },
        },
        { ...base, name: 'i3', address: 'ipmi://10.0.0.3', password: 'p' },
      ],
      nodes: [],
      problems: [],
    })
    const bad = `
devices:
  - { name: i1, driver: ipmi, address: 'ipmi://10.0.0.1', username: fence, password: p, kg: ${SECRET}, kgFile: x, ipmi: { suite: 17 } }
  - { name: i2, driver: ipmi, address: 'ipmi://10.0.0.2', username: fence, password: p, kgFile: secrets/two, ipmi: { quirks: ignore-watts } }
`
    t.same(parseInventory(bad, dir).problems, [
      'devices[0].ipmi.suite: unknown key (known: cipherSuite, privilege, quirks)',
      'devices[0]: give either kg or kgFile',
      'devices[1].ipmi.quirks: must be a list',
      'devices[1].kgFile: secrets/two must hold one line',
    ])
  })

  await t.test('tells all its problems at once, each with its path, none with a password', async t => {
    const bad = `
devices:
  - { name: bmc1, driver: redfish, address: 'https://10.0.0.1', username: fence, password: ${SECRET} }
  - { name: bmc1, driver: redfish, address: 10.0.0.2, username: fence, password: 12345 }
  - { driver: redfish, adress: 'https://x', username: fence }
  - { name: bmc4, driver: redfish, address: 'https://x', username: fence, password: ${SECRET}, passwordFile: x }
  - { name: bmc5, driver: redfish, address: 'https://x', username: fence, passwordFile: secrets/none }
  - { name: bmc6, driver: redfish, address: 'https://x', username: fence, passwordFile: secrets/two }
  - { name: bmc7, driver: redfish, address: 'https://x', username: fence, passwordFile: secrets/empty, tls: maybe }
  - { name: bmc8, driver: redfish, address: 'https://x', username: fence, password: x, tls: { mode: ca } }
  - ${SECRET}
nodes:
  - { name: n1, levels: [[bmc1], []] }
  - { name: n1, levels: bmc1 }
  - { name: n3 }
other: 1
`
    const { problems } = parseInventory(bad, dir)
    t.same(problems, [
      'other: unknown key (known: devices, nodes)',
      'devices[1].address: not an address like https://HOST[:PORT]',
      'devices[1].password: must be text; put it in quotes',
      'devices[2].adress: unknown key (known: name, driver, address, username, password, passwordFile, systemId, tls, ipmi, kg, kgFile)',
      'devices[2].address: missing',
      'devices[2].name: missing',
      'devices[2]: give either password or passwordFile',
      'devices[3]: give either password or passwordFile',
      "devices[4].passwordFile: can't read secrets/none: no such file",
      'devices[5].passwordFile: secrets/two must hold one line',
      'devices[6].tls: unknown TLS mode maybe',
      'devices[6].passwordFile: secrets/empty must hold one line',
      'devices[7].tls.ca: missing',
      'devices[8]: must be an object',
      'devices[8].address: missing',
      'devices[8].name: missing',
      'devices[8].driver: missing',
      'devices[8].username: missing',
      'devices[8]: give either password or passwordFile',
      'nodes[0].levels[1]: no device in it',
      'nodes[1].levels: must be a list',
      'nodes[2].levels: no level in it',
      'devices[1].name: the same as devices[0]',
      'nodes[1].name: the same as nodes[0]',
    ])
    t.notMatch(problems.join('\n'), SECRET)
  })

  await t.test('that is no YAML is told by line, without the line', async t => {
    const { problems } = parseInventory(`devices:\n  - { name: a, password: "${SECRET} }\n  - b: [\n`, dir)
    t.ok(problems.length > 0)
    t.match(problems[0], /^line \d+, column \d+: /)
    t.notMatch(problems.join('\n'), SECRET)
    for (const value of [`"x" "${SECRET}"`, `|${SECRET}\n x`, `*${SECRET}`, `!${SECRET} x`, `\`${SECRET}`]) {
      const found = parseInventory(`devices:\n- name: a\n  password: ${value}\n`, dir).problems
      t.equal(found.length > 0 && found.every(each => /^line|alias/.test(each)), true, value)
      t.notMatch(found.join('\n'), SECRET, 'nor with the word that it stumbled over')
    }
    t.same(parseInventory('', dir).problems, ['not an inventory: {devices: [...], nodes: [...]}'])
    t.same(parseInventory('{}', dir).problems, ['neither devices nor nodes in it'])
    t.match(parseInventory('{"devices": [], "devices": []}', dir).problems, [/duplicate key/])
  })
})

t.test('import', async t => {
  const fake = await FakeGateway.start()
  t.teardown(() => fake.stop())
  const dir = t.testdir({ 'inventory.yaml': good })
  mkdirSync(join(dir, 'secrets'))
  writeFileSync(join(dir, 'secrets', 'bmc1'), `${SECRET}\n`)
  const file = join(dir, 'inventory.yaml')
  const bmc1 = { name: 'bmc1', driver: 'redfish', address: 'https://10.0.0.1', tls: { mode: 'insecure' }, status: 'verified' }
  const bmc2 = {
    name: 'bmc2',
    driver: 'redfish',
    address: 'https://10.0.0.2/',
    tls: { mode: 'pin', fingerprint: 'f' },
    systemId: '2',
    status: 'verified',
  }
  const has = (devices: object[], nodes: object[]): void => {
    fake.seen.length = 0
    fake
      .on('GET /v1/devices', { items: devices })
      .on('GET /v1/nodes', { items: nodes })
      .on('GET /v1/drivers', { items: [{ kind: 'redfish' }] })
    fake.routes.set('POST /v1/devices', ({ body }) => ({ status: 201, body: { ...(body as object), status: 'verified' } }))
    fake.routes.set('POST /v1/nodes', ({ body }) => ({ status: 201, body: body as object }))
  }
  const posts = (): string[] => fake.seen.filter(each => each.method === 'POST').map(each => (each.body as { name: string }).name)

  await t.test('registers devices, then nodes', async t => {
    has([], [])
    const { code, out, err } = await run(fake.url, ['import', file])
    t.equal(code, 0)
    t.equal(out, 'devices: 2 registered\nnodes: 2 registered\n')
    t.equal(err, '')
    t.same([...posts().slice(0, 2).sort(), ...posts().slice(2).sort()], ['bmc1', 'bmc2', 'n1', 'n2'])
    t.match(
      fake.bodies('POST /v1/devices').find(body => (body as { name: string }).name === 'bmc1'),
      { password: SECRET },
    )
  })

  await t.test('again: keeps what is there, and says so', async t => {
    has(
      [bmc1, bmc2],
      [
        { cluster: 'rack7', name: 'n1', systemUuid: 'u1', levels: [['bmc1']] },
        { cluster: 'default', name: 'n2', levels: [['bmc1'], ['bmc2']] },
      ],
    )
    const { code, out } = await run(fake.url, ['import', file])
    t.equal(code, 0)
    t.equal(out, 'devices: 0 registered, 2 there already, kept\nnodes: 0 registered, 2 there already, kept\n')
    t.same(posts(), [])
  })

  await t.test('nothing is registered while the file and the gateway do not agree', async t => {
    has([{ ...bmc1, address: 'https://10.0.0.9', tls: { mode: 'pin' } }], [{ cluster: 'default', name: 'n2', levels: [['bmc2']] }])
    const { code, err } = await run(fake.url, ['import', file])
    t.equal(code, 2)
    t.match(err, /devices\[0\]: bmc1 is registered with another address, tls/)
    t.match(err, /nodes\[1\]: default\/n2 is registered with another topology/)
    t.match(err, /2 problems; nothing was registered/)
    t.same(posts(), [])
    const other = join(dir, 'other.yaml')
    writeFileSync(
      other,
      "devices: [{name: a, driver: ipmi, address: 'https://x', username: u, password: p}]\nnodes: [{name: n, levels: [[a, nowhere]]}]",
    )
    const unknown = await run(fake.url, ['import', other])
    t.equal(unknown.code, 2)
    t.match(unknown.err, /devices\[0\]\.driver: ipmi is not known; this gateway has: redfish/)
    t.match(unknown.err, /nodes\[0\]\.levels\[0\]\[1\]: there is no device nowhere/)
  })

  await t.test('one bad device spoils no other, and its nodes are left out', async t => {
    has([], [])
    fake.routes.set('POST /v1/devices', ({ body }) =>
      (body as { name: string }).name === 'bmc2'
        ? problem(409, 'hardware_taken', 'Hardware taken', 'it is bmc7')
        : { status: 201, body: { ...(body as object), status: 'unverified' } },
    )
    const { code, out, err } = await run(fake.url, ['import', file])
    t.equal(code, 2)
    t.equal(out, 'devices: 1 registered, 1 not\nnodes: 1 registered\n')
    t.match(err, /error: device bmc2: Hardware taken: it is bmc7/)
    t.match(err, /left out: node default\/n2/)
    t.match(err, /not reached yet.*: bmc1/)
    t.notMatch(out + err, SECRET)
  })

  await t.test('a gateway that goes away in the middle is 3', async t => {
    has([], [])
    fake.routes.set('POST /v1/devices', () => undefined)
    const { code, err } = await run(fake.url, ['import', file])
    t.equal(code, 3)
    t.match(err, /no answer from the gateway/)
    t.notMatch(err, SECRET)
  })

  await t.test('progress: lines in a pipe, one line that changes on a terminal', async t => {
    has([], [])
    const many = join(dir, 'many.json')
    const devices = Array.from({ length: 25 }, (_, n) => ({
      name: `b${n}`,
      driver: 'redfish',
      address: `https://10.0.1.${n}`,
      username: 'u',
      password: 'p',
    }))
    writeFileSync(many, JSON.stringify({ devices, nodes: [] }))
    t.equal((await run(fake.url, ['import', many])).out, '10/25 devices\n20/25 devices\ndevices: 25 registered\n')
    t.match((await run(fake.url, ['import', many], { tty: true })).out, '\r\x1b[K12/25 devices')
  })
})
