import { Queue } from 'bullmq'
import t from 'tap'
import { redis } from '../store/support.ts'
import { edge, tokenFor } from './support.ts'

const EXTERNAL = /(?:src|href|action|url\()\s*=?\s*["'(]?\s*(?:https?:)?\/\/[a-z]/i

t.test('/docs is all here, and may load nothing from elsewhere', async t => {
  const { call } = await edge(t)
  const page = await call('GET /docs')
  t.match(page.headers['content-type'], /^text\/html/)
  t.notMatch(page.text, EXTERNAL)
  t.match(page.headers['content-security-policy'], /default-src 'none'; script-src 'self';/)
  t.notMatch(page.headers['content-security-policy'], /http/)
  for (const [, file] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) {
    t.equal((await call(`GET ${new URL(file ?? '', 'http://x/docs/').pathname}`)).status, 200, String(file))
  }
  t.match((await call('GET /docs/static/swagger-initializer.js')).text, /"validatorUrl":\s*null/, 'the document is sent to nobody')
})

t.test('no queues, no board', async t => {
  const { call } = await edge(t)
  t.equal((await call('GET /queues')).status, 404)
})

t.test('/queues shows what waits, read-only and without secrets', async t => {
  const server = await redis(t)
  if (!server) return
  const queue = new Queue('fence', { connection: { host: '127.0.0.1', port: server.port } })
  t.teardown(() => queue.close())
  await queue.add(
    'off default/worker-3',
    { jobId: 'job-1', password: 'PLANTED-password', nested: { token: 'PLANTED-token' } },
    { jobId: 'wake-job-1' },
  )
  await queue.add('step', { jobId: 'job-2', action: 'off', cluster: 'prod', node: 'worker-4' }, { jobId: 'wake-job-2' })
  const { call, service } = await edge(t, { queues: [queue] })

  t.equal((await call('GET /queues', '')).status, 401)
  t.equal((await call('GET /queues/api/queues', '')).status, 401, 'its data too')
  t.equal((await call('GET /queues/api/queues', tokenFor(service, ['jobs:read']))).status, 403)
  const basic = { authorization: `Basic ${Buffer.from('me:admin').toString('base64')}` }
  const page = await call({ method: 'GET', url: '/queues', headers: basic }, '')
  t.equal(page.status, 200)
  t.notMatch(page.text, EXTERNAL, 'the page names nothing elsewhere')
  t.match(page.headers['content-security-policy'], /default-src 'none'/)
  for (const [, file] of page.text.matchAll(/(?:src|href)="(static[^"]+)"/g))
    t.equal((await call(`GET /queues/${file}`)).status, 200, String(file))

  const reader = tokenFor(service, ['queues:read'])
  const shown = await call('GET /queues/api/queues?activeQueue=fence&status=waiting&page=1&jobsPerPage=10', reader)
  t.equal(shown.status, 200)
  t.same(shown.body.queues[0].jobs.map((job: { name: string }) => job.name).sort(), ['off default/worker-3', 'off prod/worker-4'])
  t.equal(shown.body.queues[0].readOnlyMode, true)
  t.equal(shown.body.queues[0].allowRetries, false)
  const one = await call('GET /queues/api/queues/fence/wake-job-1', reader)
  t.equal(one.status, 200)
  t.match(one.text, 'job-1')
  t.notMatch(shown.text + one.text, 'PLANTED')
  for (const [method, url] of [
    ['PUT', '/queues/api/queues/fence/wake-job-1/promote'],
    ['PUT', '/queues/api/queues/fence/wake-job-1/clean'],
    ['PUT', '/queues/api/queues/fence/retry/failed'],
    ['PUT', '/queues/api/queues/fence/pause'],
    ['PUT', '/queues/api/queues/fence/obliterate'],
    ['POST', '/queues/api/queues/fence/add'],
  ] as const) {
    t.equal((await call({ method, url, payload: {} })).status, 405, `${method} ${url} even for an administrator`)
  }
  t.equal(await queue.getWaitingCount(), 2, 'nothing was changed')
})
