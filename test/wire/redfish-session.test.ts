import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import { type Answer, messageIdsOf, retryAfterMs } from '../../src/wire/redfish/answer.ts'
import type { RedfishError } from '../../src/wire/redfish/failure.ts'
import {
  type Bmc,
  clientOf,
  inTurn,
  json,
  logInReply,
  oneSystem,
  PASSWORD,
  type Reply,
  type Routes,
  serve,
  status,
  TOKEN,
} from './support.ts'

const SYSTEM = '/redfish/v1/Systems/1'
const SESSIONS = '/redfish/v1/SessionService/Sessions'

const reasonOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no failure',
    (error: RedfishError) => error.reason,
  )
const logIns = (bmc: Bmc): number => bmc.heard.filter(one => one.method === 'POST' && one.path === SESSIONS).length

t.test('log-in: where Links.Sessions says, once, any 2xx with a token', async t => {
  const bmc = await serve(t, oneSystem())
  const client = clientOf(t, bmc.url)
  const auth = await client.logIn()
  t.match(auth, { kind: 'session', ref: { location: `${SESSIONS}/1` } })
  t.equal(auth.kind === 'session' && auth.ref.token.reveal(), TOKEN)
  t.equal(await client.logIn(), auth, 'not twice')
  t.same(JSON.parse(bmc.heard[1]?.body ?? ''), { UserName: 'root', Password: PASSWORD })
  t.equal(bmc.heard[0]?.headers['authorization'], undefined, 'the service root is read without credentials')
  await client.get(SYSTEM)
  t.equal(bmc.heard.at(-1)?.headers['x-auth-token'], TOKEN)
  t.equal(await client.logOut(), 'closed')
  t.match(bmc.heard.at(-1), { method: 'DELETE', path: `${SESSIONS}/1`, headers: { 'x-auth-token': TOKEN } })

  const cases: [string, Reply, Routes, string | null][] = [
    [
      '204 and headers in odd case',
      (_q, r) => void r.writeHead(204, { 'x-auth-TOKEN': TOKEN, LOCATION: `${SESSIONS}/7` }).end(),
      {},
      `${SESSIONS}/7`,
    ],
    ['absolute Location', logInReply(TOKEN, `http://127.0.0.1:9${SESSIONS}/7`), {}, `${SESSIONS}/7`],
    ['absolute Location of an inner host', logInReply(TOKEN, `https://192.168.0.5${SESSIONS}/7`), {}, `${SESSIONS}/7`],
    [
      'no Location, but a body',
      (_q, r) => json(r.setHeader('X-Auth-Token', TOKEN), 201, { '@odata.id': `${SESSIONS}/8` }),
      {},
      `${SESSIONS}/8`,
    ],
    [
      'no Location: found in the collection',
      logInReply(TOKEN),
      {
        [`GET ${SESSIONS}`]: { Members: [{ '@odata.id': `${SESSIONS}/a` }, { '@odata.id': `${SESSIONS}/b` }] },
        [`GET ${SESSIONS}/a`]: { UserName: 'somebody' },
        [`GET ${SESSIONS}/b`]: { UserName: 'root' },
      },
      `${SESSIONS}/b`,
    ],
    [
      'no Location and two of ours: neither is closed by guess',
      logInReply(TOKEN),
      {
        [`GET ${SESSIONS}`]: { Members: [{ '@odata.id': `${SESSIONS}/a` }, { '@odata.id': `${SESSIONS}/b` }] },
        [`GET ${SESSIONS}/a`]: { UserName: 'root' },
        [`GET ${SESSIONS}/b`]: { UserName: 'root' },
      },
      null,
    ],
    ['no Location, no collection', logInReply(TOKEN), {}, null],
  ]
  for (const [name, reply, more, location] of cases) {
    const one = await serve(t, { ...oneSystem(), [`POST ${SESSIONS}`]: reply, ...more })
    const client = clientOf(t, one.url)
    t.match(await client.logIn(), { kind: 'session', ref: { location } }, name)
    if (location === null) t.equal(await client.logOut(), 'unknown', `${name}: not closable`)
  }
})

t.test('log-in refused, limited, or not offered', async t => {
  const root = oneSystem()['GET /redfish/v1/'] as Record<string, unknown>
  const basic: [string, Routes][] = [
    ['Dell: 503 RAC0218', { [`POST ${SESSIONS}`]: status(503, 'IDRAC.2.8.RAC0218') }],
    ['503 SessionLimitExceeded', { [`POST ${SESSIONS}`]: status(503, 'Base.1.12.SessionLimitExceeded') }],
    ['400 SessionLimitExceeded', { [`POST ${SESSIONS}`]: status(400, 'Base.1.5.SessionLimitExceeded') }],
    ['404', { [`POST ${SESSIONS}`]: status(404) }],
    ['201 without a token', { [`POST ${SESSIONS}`]: (_q, r) => void r.writeHead(201, { location: `${SESSIONS}/1` }).end() }],
    ['no SessionService (sushy-emulator)', { 'GET /redfish/v1/': { ...root, Links: {} } }],
  ]
  for (const [name, routes] of basic) {
    const bmc = await serve(t, { ...oneSystem(), ...routes })
    const client = clientOf(t, bmc.url)
    t.match((await client.get(SYSTEM)).body, { PowerState: 'On' }, name)
    t.equal(client.auth?.kind, 'basic', `${name}: Basic`)
    t.equal(bmc.heard.at(-1)?.headers['authorization'], `Basic ${Buffer.from(`root:${PASSWORD}`).toString('base64')}`)
    t.ok(logIns(bmc) <= 1)
    t.equal(await client.logOut(), 'unknown', `${name}: nothing that could be closed`)
  }
  const refused: [string, Reply, string][] = [
    ['401', status(401, 'Base.1.12.NoValidSession'), 'bad_credentials'],
    ['401 with XHTML', (_q, r) => void r.writeHead(401, { 'content-type': 'text/html' }).end('<?xml?><html/>'), 'bad_credentials'],
    ['403', status(403, 'Base.1.12.InsufficientPrivilege'), 'bad_credentials'],
    ['403 PasswordChangeRequired', status(403, 'Base.1.12.PasswordChangeRequired'), 'password_change_required'],
    ['503', status(503, 'Base.1.12.ServiceTemporarilyUnavailable', { 'retry-after': '7' }), 'busy'],
    ['500', status(500, 'Base.1.12.InternalError'), 'http_error'],
    ['307', status(307, undefined, { location: `${SESSIONS}/` }), 'redirect_refused'],
  ]
  for (const [name, reply, reason] of refused) {
    const bmc = await serve(t, { ...oneSystem(), [`POST ${SESSIONS}`]: reply })
    t.equal(await reasonOf(clientOf(t, bmc.url).get(SYSTEM)), reason, name)
    t.equal(logIns(bmc), 1, `${name}: one try`)
    t.equal(bmc.heard.filter(one => one.path === SYSTEM).length, 0)
  }
  const lenient = await serve(t, {
    ...oneSystem(),
    [`POST ${SESSIONS}`]: (_q, r) => {
      r.setHeader('x-auth-token', TOKEN)
      r.setHeader('location', `${SESSIONS}/1`)
      json(r, 201, { '@Message.ExtendedInfo': [{ MessageId: 'Base.1.12.PasswordChangeRequired' }] })
    },
  })
  t.equal(await reasonOf(clientOf(t, lenient.url).get(SYSTEM)), 'password_change_required', '201 with PasswordChangeRequired (bmcweb)')
  t.equal(lenient.heard.at(-1)?.method, 'DELETE', 'and the session is not leaked')
  const broken = await serve(t, oneSystem())
  const client = clientOf(t, broken.url, { credential: async () => Promise.reject(new Error('vault')) })
  await t.rejects(client.get(SYSTEM), { message: 'vault' }, 'no credential')
  t.equal(logIns(broken), 0)
})

t.test('a session that is lost: one new log-in, then the read again', async t => {
  const cases: [string, Reply][] = [
    ['401', status(401, 'Base.1.12.NoValidSession')],
    ['401 without a body', status(401)],
    ['403 NoValidSession (OpenBMC)', status(403, 'Base.1.13.0.NoValidSession')],
  ]
  for (const [name, lost] of cases) {
    const bmc = await serve(t, {
      ...oneSystem(),
      [`POST ${SESSIONS}`]: inTurn(logInReply('first', `${SESSIONS}/1`), logInReply('second', `${SESSIONS}/2`)),
    })
    const client = clientOf(t, bmc.url)
    const before = await client.logIn()
    bmc.routes[`GET ${SYSTEM}`] = (q, r) => {
      if (q.headers['x-auth-token'] === 'second') json(r, 200, { PowerState: 'Off' })
      else (lost as (q: unknown, r: unknown) => void)(q, r)
    }
    t.match((await client.get(SYSTEM)).body, { PowerState: 'Off' }, name)
    t.equal(logIns(bmc), 2)
    t.not(client.auth, before, 'the caller can see that it is another session')
    bmc.routes[`GET ${SYSTEM}`] = lost
    t.not(await reasonOf(client.get(SYSTEM)), 'no failure', `${name}: for ever`)
    t.equal(logIns(bmc), 3, 'one log-in a read')
  }
  for (const [name, answer, reason] of [
    ['403 InsufficientPrivilege', status(403, 'Base.1.12.InsufficientPrivilege'), 'forbidden'],
    ['403 with XHTML', (_q, r) => void r.writeHead(403).end('<html/>'), 'forbidden'],
    ['403 PasswordChangeRequired', status(403, 'Base.1.12.PasswordChangeRequired'), 'password_change_required'],
    ['404', status(404), 'not_found'],
    ['429', status(429), 'busy'],
    ['503', status(503, undefined, { 'retry-after': '2' }), 'busy'],
    ['500 SYS518 (iDRAC not ready)', status(500, 'IDRAC.2.8.SYS518'), 'busy'],
    ['500', status(500), 'http_error'],
  ] as [string, Reply, string][]) {
    const bmc = await serve(t, { ...oneSystem(), [`GET ${SYSTEM}`]: answer })
    t.equal(await reasonOf(clientOf(t, bmc.url).get(SYSTEM)), reason, name)
    t.equal(logIns(bmc), 1, `${name}: no new log-in`)
    t.equal(bmc.heard.filter(one => one.path === SYSTEM).length, 1, `${name}: asked once`)
  }
})

t.test('closing a session with nothing but its ticket (S3)', async t => {
  const cases: [string, Reply, 'closed' | 'unknown'][] = [
    ['204', status(204), 'closed'],
    ['200', status(200), 'closed'],
    ['202', status(202), 'closed'],
    ['404', status(404, 'Base.1.12.ResourceMissingAtURI'), 'closed'],
    ['401', status(401), 'closed'],
    ['403 NoValidSession', status(403, 'Base.1.12.NoValidSession'), 'closed'],
    ['403 InsufficientPrivilege: it lives', status(403, 'Base.1.12.InsufficientPrivilege'), 'unknown'],
    ['403 without a word', status(403), 'unknown'],
    ['301', status(301, undefined, { location: '/elsewhere' }), 'unknown'],
    ['405', status(405), 'unknown'],
    ['410', status(410), 'unknown'],
    ['500', status(500), 'unknown'],
    ['503', status(503), 'unknown'],
    ['dropped', (_q, r) => void r.socket?.destroy(), 'unknown'],
  ]
  for (const [name, reply, expected] of cases) {
    const bmc = await serve(t, { [`DELETE ${SESSIONS}/9`]: reply })
    const client = clientOf(t, bmc.url)
    t.equal(await client.closeSession({ location: `${SESSIONS}/9`, token: new Secret('theirs') }), expected, name)
    t.equal(bmc.heard.length, 1, `${name}: sent once, no log-in, nothing followed`)
    t.equal(bmc.heard[0]?.headers['x-auth-token'], 'theirs', "with the session's own token")
  }
  const silent = await serve(t, { 'DELETE *': () => undefined })
  const client = clientOf(t, silent.url, { limits: { exchangeMs: 60 } })
  t.equal(await client.closeSession({ location: `${SESSIONS}/9`, token: new Secret('x') }), 'unknown', 'silence')
  t.equal(await client.closeSession({ location: null, token: new Secret('x') }), 'unknown', 'no location')
  t.equal(await client.closeSession({ location: 'https://elsewhere/s', token: new Secret('x') }), 'unknown', 'another host')
  t.equal(silent.heard.length, 1)
})

t.test('errors: the last part of each MessageId, whatever the shape', async t => {
  const info = (value: unknown) => messageIdsOf({ error: { code: 'Base.1.5.GeneralError', '@Message.ExtendedInfo': value } })
  t.same(info([{ MessageId: 'Base.1.12.0.NoValidSession' }, { MessageId: 'X' }, null, 7, {}]), ['NoValidSession', 'X', 'GeneralError'])
  t.same(info({ MessageId: 'Base.1.5.AccessDenied' }), ['AccessDenied', 'GeneralError'], 'an object')
  t.same(info('text'), ['GeneralError'])
  t.same(info(null), ['GeneralError'])
  t.same(messageIdsOf({ error: null }), [])
  t.same(messageIdsOf(undefined), [])
})

t.test('Retry-After', async t => {
  const at = Date.parse('Tue, 06 Jun 2017 17:07:48 GMT')
  const wait = (value: string | undefined, date?: string) => {
    const headers = { ...(value === undefined ? {} : { 'retry-after': value }), ...(date === undefined ? {} : { date }) }
    return retryAfterMs({ status: 503, headers, body: Buffer.alloc(0) } satisfies Answer, at)
  }
  t.equal(wait('7'), 7_000)
  t.equal(wait('-5'), 0)
  t.equal(wait('999999999999'), 60_000)
  t.equal(wait('Tue, 06 Jun 2017 17:07:58 GMT'), 10_000, "our clock where there's no Date")
  t.equal(wait('Thu, 01 Jan 1970 00:00:30 GMT', 'Thu, 01 Jan 1970 00:00:10 GMT'), 20_000, "the BMC's own clock, decades behind")
  t.equal(wait('Tue, 06 Jun 2017 17:00:00 GMT'), 0, 'past')
  t.equal(wait('soon'), undefined)
  t.equal(wait(''), undefined)
  t.equal(wait(undefined), undefined)
})
