// Promise 9: secrets are planted everywhere they are used, and looked for everywhere they must not be.
import { randomBytes, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t from 'tap'
import { resolveStore } from '../../src/store/resolve.ts'
import { beside, eventually, folder, isBuilt, KINDS, pathFor, register, simulate, spawnGateway, type Test } from './support.ts'

t.jobs = KINDS.length

/** What is looked for: each secret by a name that may be shown. */
class Marks {
  readonly #forms = new Map<string, string[]>()

  /** Looks for a secret as it is, and as it would look inside Base64, JSON and URLs. */
  add(name: string, secret: string): string {
    const inside = [0, 1, 2].map(shift =>
      Buffer.concat([Buffer.alloc(shift), Buffer.from(secret)])
        .toString('base64')
        .slice(shift === 0 ? 0 : 4, -4),
    )
    const forms = [secret, ...inside, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString('hex')]
    this.#forms.set(name, [...new Set(forms)])
    return secret
  }

  /** The names of the secrets that stand in a text. */
  in(text: string): string[] {
    return [...this.#forms].filter(([, forms]) => forms.some(form => text.includes(form))).map(([name]) => name)
  }

  get size(): number {
    return this.#forms.size
  }
}

for (const kind of KINDS) {
  void t.test(`${kind}: secrets stay in`, { buffered: true }, async t => {
    if (!isBuilt) return t.pass('nothing is built yet (npm run build)', { skip: true })
    const path = pathFor(t, kind)
    if (path === undefined) return
    const marks = new Marks()
    const dataDir = folder(t)
    const mark = (name: string) => marks.add(name, `${name}-${randomBytes(9).toString('hex')}/+"'`)
    const password = mark('bmc-password')
    const simulator = await simulate(t, { redfish: 6, seed: 61, password })
    for (const { name, sessions } of simulator.bmcs) {
      const open = sessions.open.bind(sessions)
      Object.assign(sessions, {
        open: (user: string) => {
          const session = open(user)
          if (session) marks.add(`session-token-${name}-${session.id}`, session.token)
          return session
        },
      })
    }
    const gateway = await spawnGateway(t, path, dataDir)
    const { api } = gateway
    marks.add('admin-token', api.token)
    const keys = readFileSync(join(dataDir, 'vault-key'), 'utf8')
    const [vaultKey] = /[A-Za-z0-9+/]{43}=/.exec(keys) ?? []
    if (vaultKey === undefined) throw new Error('no vault key')
    marks.add('vault-key', vaultKey)

    const stream = api.events('/v1/events', () => false, { ms: 120_000 })
    await use(t, gateway.api, simulator, mark, marks)

    const basic = { authorization: `Basic ${Buffer.from(`anyone:${api.token}`).toString('base64')}` }
    const pages = [
      '/queues/api/queues?activeQueue=fence',
      '/queues/api/queues?activeQueue=status',
      '/metrics',
      '/openapi.json',
      '/docs',
      '/readyz',
    ]
    const lists = ['devices', 'nodes', 'jobs?limit=200', 'holds', 'tokens', 'drivers'].map(list => `/v1/${list}`)
    for (const page of [...pages, ...lists]) {
      const shown = await api.ask('GET', page, {
        headers: page.startsWith('/queues') ? basic : {},
        ...(page.startsWith('/queues') ? { token: null } : {}),
      })
      t.equal(shown.status, 200, page)
    }
    const commandLines = readdirSync('/proc').flatMap(pid => {
      try {
        return /^\d+$/.test(pid) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : []
      } catch {
        return []
      }
    })
    t.ok(
      commandLines.some(line => line.includes(dataDir)),
      'the process list shows the gateway',
    )
    const redis = kind === 'redis' ? await dump(new Redis({ path: join(dataDir, 'store', 'child', 'redis.sock') })) : []
    await gateway.close()
    await stream
    const store = await resolveStore({ dataDir, path, warn: () => undefined })
    const kept = await dump(store.connection())
    await store.close()

    const places = {
      'standard output': gateway.out,
      log: gateway.logs,
      answers: api.heard,
      'command lines': commandLines,
      'the running store': redis,
      'the store': kept,
      'files of the store': files(join(dataDir, 'store')),
    }
    for (const [place, texts] of Object.entries(places)) {
      t.same([...new Set(texts.flatMap(text => marks.in(text)))], [], `${place}: ${texts.length} texts`)
    }
    t.ok(marks.size > 12, `${marks.size} secrets were looked for`)
    t.ok(gateway.logs.length > 20, 'there was something to read')
    t.ok(kept.length > 100)
    t.ok(api.heard.some(text => /"code":"auth_failed"/.test(text)) && api.heard.some(text => /"state":"confirmed"/.test(text)))

    // The search can fail: the same secrets, put where they must not be.
    const scratch = join(dataDir, 'scratch.log')
    writeFileSync(scratch, JSON.stringify({ msg: `log-in as admin with ${password}` }))
    t.same(marks.in(readFileSync(scratch, 'utf8')), ['bmc-password'])
    t.same(marks.in(`authorization: Basic ${Buffer.from(`admin:${password}`).toString('base64')}`), ['bmc-password'])
    t.same(marks.in(`x-auth-token ${api.token}`), ['admin-token'])
    t.equal(statSync(join(dataDir, 'vault-key')).mode & 0o777, 0o600)
    t.equal(statSync(join(dataDir, 'admin-token')).mode & 0o777, 0o600)
  })
}

/** Uses every way by which a secret comes in, goes out to a BMC or is near an error. */
async function use(
  t: Test,
  api: Parameters<typeof register>[0],
  simulator: Awaited<ReturnType<typeof simulate>>,
  mark: (name: string) => string,
  marks: Marks,
): Promise<void> {
  const bmc = simulator.bmc(5)
  const device = { driver: 'redfish', address: bmc.url, username: bmc.username, password: bmc.password, tls: { mode: 'insecure' } }
  const wrong = { ...device, name: 'wrong' }
  // Refused: a wrong password, one in an address, in a field that does not exist, in a body that is no JSON, as a token.
  t.match(await api.ask('POST', '/v1/devices', { body: { ...wrong, password: mark('wrong-password') } }), { body: { code: 'auth_failed' } })
  const address = `http://admin:${mark('password-in-address').replace(/\W/g, '')}@127.0.0.1`
  t.match(await api.ask('POST', '/v1/devices', { body: { ...wrong, address } }), { body: { code: 'bad_address' } })
  marks.add('password-in-address-as-sent', address.slice('http://admin:'.length, -'@127.0.0.1'.length))
  t.match(await api.ask('POST', '/v1/devices', { body: { ...wrong, pasword: mark('misspelt-field') } }), { status: 400 })
  t.match(await api.ask('POST', '/v1/devices', { body: { ...wrong, password: [mark('password-in-list')] } }), { status: 400 })
  t.match(await api.ask('POST', '/v1/devices', { body: `{"password": "${mark('broken-body').replace(/\W/g, '')}` }), { status: 400 })
  t.match(await api.ask('GET', '/v1/jobs', { token: mark('foreign-token').replace(/\W/g, '') }), { status: 401 })
  t.match(await api.ask('GET', `/v1/jobs?token=${encodeURIComponent(mark('token-in-query'))}`), { status: 400 })

  const machines = await register(api, simulator)
  const [good, unanswered, refused, changed, full] = machines
  if (!good || !unanswered || !refused || !changed || !full) throw new Error('too few machines')
  unanswered.bmc.faults.set('drop', { when: 'after' }, { count: 1, match: { method: 'POST', path: '.Reset' } })
  full.bmc.faults.set('sessionTableFull')
  full.bmc.sessions.clear()
  await beside(
    t as Test & { jobs: number },
    [
      [
        'an off, its receipt, a release and a reboot',
        async t => {
          const job = await api.run('off', good.node)
          t.equal(job.state, 'succeeded')
          await api.must('GET', `/v1/receipts/${job.receiptId}`)
          const hold = await api.hold(good.node, 0)
          const released = await api.release(hold.id)
          t.match(await api.ended(released.body.job), { state: 'succeeded' })
        },
      ],
      [
        'an unanswered command, settled by its session',
        async t => void t.match(await api.run('off', unanswered.node), { state: 'succeeded' }),
      ],
      ['Basic', async t => void t.match(await api.run('off', full.node), { state: 'succeeded' })],
      [
        'wrong credentials in a job, and an answer that repeats the password',
        async t => {
          refused.bmc.faults.set('wrongCredentials')
          refused.bmc.sessions.clear()
          t.match(await api.run('off', refused.node), { failure: { code: 'auth_failed' } })
          refused.bmc.faults.clear()
          const echo = {
            error: {
              code: 'Base.1.15.0.PropertyValueFormatError',
              message: `The value '${refused.bmc.password}' for the property Password is of a different format.`,
              '@Message.ExtendedInfo': [
                { MessageId: 'Base.1.15.0.PropertyValueFormatError', MessageArgs: [refused.bmc.password, 'Password'] },
              ],
            },
          }
          refused.bmc.faults.set('answer', { status: 400, body: JSON.stringify(echo) }, { match: { method: 'POST', path: 'Sessions' } })
          const credential = { username: refused.bmc.username, password: refused.bmc.password }
          t.equal((await api.ask('PUT', `/v1/devices/${refused.device}/credential`, { body: credential })).status, 204)
          t.match(await api.run('status', refused.node, { deadlineSeconds: 5 }), { state: 'failed' })
          t.not((await api.ask('POST', `/v1/devices/${refused.device}/probe`)).status, 200)
        },
      ],
      [
        'a new credential, a token, a rotation',
        async t => {
          const credential = { username: 'admin', password: mark('new-password') }
          t.equal((await api.ask('PUT', `/v1/devices/${changed.device}/credential`, { body: credential })).status, 204)
          t.match(await api.run('status', changed.node), { state: 'failed', failure: { code: 'auth_failed' } })
          // Its answer is the one place that shows a token.
          const made = await api.as(api.token).must('POST', '/v1/tokens', { name: randomUUID(), scopes: ['jobs:read'] }, 201)
          const reader = api.as(marks.add('made-token', made.token))
          t.equal((await reader.ask('GET', '/v1/jobs')).status, 200)
          const refusal = await reader.post('off', good.node)
          t.equal(refusal.status, 403)
          api.heard.push(...reader.heard)
          t.match(await api.must('POST', '/v1/vault/rotate'), { keyId: String })
        },
      ],
    ],
    5,
  )
  await eventually('all jobs have ended', async () => {
    const { items } = await api.must('GET', '/v1/jobs?limit=200')
    return items.every(({ endedAt }: { endedAt?: string }) => endedAt !== undefined)
  })
}

/** Every key of a store with everything in it, as text. */
async function dump(redis: Redis): Promise<string[]> {
  const texts: string[] = []
  for (let cursor = '0'; ; ) {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 1000)
    const names = keys.map(String)
    for (const key of names) texts.push(key, JSON.stringify(await contents(redis, key)))
    cursor = String(next)
    if (cursor === '0') break
  }
  redis.disconnect()
  return texts
}

async function contents(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.get(key)
    case 'hash':
      return redis.hgetall(key)
    case 'list':
      return redis.lrange(key, 0, -1)
    case 'set':
      return redis.smembers(key)
    case 'zset':
      return redis.zrange(key, '0', '-1')
    case 'stream':
      return redis.xrange(key, '-', '+')
    default:
      return redis.dump(key)
  }
}

/** All files below a folder, as they lie there: an append-only file holds everything that was ever written. */
function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'latin1'))
}
