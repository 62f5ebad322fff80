// SIGKILL at the worst moments: of the gateway in the middle of a fence, of its store right after a 202, of both.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { type ProcessIdentity, readIdentity } from '../../src/store/servers/identity.ts'
import { redis } from '../store/support.ts'
import type { Answer } from './client.ts'
import {
  bin,
  eventually,
  folder,
  isBuilt,
  KINDS,
  type Kind,
  type Machine,
  offs,
  pathFor,
  provenOff,
  register,
  simulate,
  spawnGateway,
  type Test,
} from './support.ts'

t.jobs = 3

/** The process of the store that a gateway started itself, if one is recorded: between two there is none. */
function recordedStore(dataDir: string, kind: Kind): ProcessIdentity | undefined {
  return readIdentity(join(dataDir, 'store', kind === 'redis' ? 'child' : 'embedded', 'server.json'))
}

function storeOf(dataDir: string, kind: Kind): ProcessIdentity {
  const found = recordedStore(dataDir, kind)
  if (!found) throw new Error('no store server is recorded')
  return found
}

/** These tests need the program as it is built; `npm test` builds first. */
function unbuilt(t: Test): boolean {
  if (!isBuilt) t.pass('nothing is built yet (npm run build)', { skip: true })
  return !isBuilt
}

/** Off commands that a BMC got, each after the first only where a read between them said on. */
function justified(t: Test, { bmc, node }: Machine, job: Answer['body'], most: number): void {
  t.ok(offs(bmc) >= 1 && offs(bmc) <= most, `${node}: ${offs(bmc)} commands reached the BMC`)
  const sent = bmc.commands.filter(({ type }) => type === 'ForceOff')
  for (const [index, { at }] of sent.entries()) {
    const before = sent[index - 1]
    if (!before) continue
    const between = job.evidence.filter(
      (item: { at: string; power?: string }) => Date.parse(item.at) > before.at && Date.parse(item.at) <= at + 5,
    )
    t.ok(
      between.some(({ power }: { power?: string }) => power === 'on'),
      `${node}: a read said on before it was sent again`,
    )
  }
}

for (const kind of KINDS) {
  void t.test(`${kind}: kills`, { buffered: true }, async t => {
    if (unbuilt(t)) return
    const path = pathFor(t, kind)
    if (path === undefined) return
    const dataDir = folder(t)
    const simulator = await simulate(t, { redfish: 8, seed: 51 })
    let gateway = await spawnGateway(t, path, dataDir)
    const [accepted, commanded, ignored, confirming, queued, both, held] = await register(gateway.api, simulator)
    if (!accepted || !commanded || !ignored || !confirming || !queued || !both || !held) throw new Error('too few machines')
    const submit = (machine: Machine) => gateway.api.submit('off', machine.node)
    const ended = (job: { id: string }) => gateway.api.ended(job, 40_000)

    const before = await gateway.api.run('off', held.node)
    await provenOff(t, gateway.api, held.bmc, before)

    // Four jobs in four phases at the moment of the kill.
    commanded.bmc.faults.set('hang', { when: 'after' }, { count: 1, match: { method: 'POST', path: '.Reset' } })
    ignored.bmc.faults.set('ignored', {}, { count: 1 })
    confirming.bmc.faults.set('slowPower', { offMs: 300 })
    const jobs = [await submit(commanded), await submit(ignored)]
    await eventually('the commands are sent', () => offs(commanded.bmc) > 0 && offs(ignored.bmc) > 0)
    jobs.push(await submit(confirming))
    await eventually('one confirms', async () => (await gateway.api.must('GET', `/v1/jobs/${jobs[2]?.id}`)).phase === 'confirming')
    jobs.push(await submit(accepted))
    await gateway.kill()

    gateway = await spawnGateway(t, path, dataDir)
    t.match(await gateway.api.post('on', held.node), { status: 409, body: { code: 'held' } }, 'a hold outlives its gateway')
    t.match(await gateway.api.hold(held.node), { state: 'confirmed', receiptId: before.receiptId })
    for (const [index, machine] of [commanded, ignored, confirming, accepted].entries()) {
      const job = await ended(jobs[index])
      await provenOff(t, gateway.api, machine.bmc, job)
      justified(t, machine, job, machine === ignored ? 2 : 1)
    }
    const { items } = await gateway.api.must('GET', '/v1/jobs?action=off&limit=200')
    t.equal(items.length, 5, 'five jobs were asked for, five there are')
    t.match(
      (await gateway.api.must('GET', `/v1/jobs/${jobs[0].id}`)).evidence.filter(({ source }: { source: string }) =>
        /^settled/.test(source),
      ),
      [{ raw: /closed/ }],
    )

    // The store alone, right after a 202.
    const first = storeOf(dataDir, kind)
    const job = await submit(queued)
    process.kill(first.pid, 'SIGKILL')
    await eventually('the store is started again', () => {
      const now = recordedStore(dataDir, kind)
      return now !== undefined && now.pid !== first.pid
    })
    const away = await eventually('the job is there', async () => {
      const answer = await gateway.api.ask('GET', `/v1/jobs/${job.id}`).catch(() => undefined)
      if (answer?.status === 503) t.match(answer.body, { code: 'store_unavailable', retryable: true })
      return answer?.status === 200 && answer
    })
    t.equal(away.body.id, job.id)
    const survived = await eventually(
      'it has ended',
      async () => {
        const answer = await gateway.api.ask('GET', `/v1/jobs/${job.id}`).catch(() => undefined)
        return answer?.status === 200 && answer.body.endedAt !== undefined && answer.body
      },
      40_000,
    )
    await provenOff(t, gateway.api, queued.bmc, survived)
    justified(t, queued, survived, 1)

    // Both at once, right after a 202.
    const last = await submit(both)
    process.kill(storeOf(dataDir, kind).pid, 'SIGKILL')
    await gateway.kill()
    const lastStart = Date.now()
    gateway = await spawnGateway(t, path, dataDir)
    const replayed = await gateway.api.must('GET', `/v1/jobs/${last.id}`)
    t.equal(replayed.id, last.id, 'acknowledged is kept')
    const done = await ended(last)
    await provenOff(t, gateway.api, both.bmc, done)
    justified(t, both, done, 1)
    t.match(await gateway.api.hold(held.node, 0), { state: 'confirmed', power: 'off' }, 'and the first hold still stands')
    await gateway.close()
    t.equal(gateway.process.exitCode, 0, 'SIGTERM ends it well')
    const left = simulator.bmcs.flatMap(({ sessions }) => sessions.list()).filter(({ openedAt }) => openedAt >= lastStart)
    t.same(left, [], 'and it has logged out everywhere')
  })
}

void t.test('two gateways on one Redis: when one is killed the other ends its jobs', { buffered: true }, async t => {
  if (unbuilt(t)) return
  const server = await redis(t)
  if (!server) return
  const simulator = await simulate(t, { redfish: 6, seed: 52, offDelayMs: 1_500 })
  const env = { REDIS_URL: server.url, SAFESTATE_VAULT_KEY: randomBytes(32).toString('base64') }
  const start = () => spawnGateway(t, process.env['PATH'] ?? '', folder(t), env)
  const [one, two] = await Promise.all([start(), start()])
  t.equal(one.api.token, two.api.token, 'the first token belongs to the store')
  const machines = await register(one.api, simulator)
  const jobs = await Promise.all(machines.map(({ node }, index) => (index % 2 === 0 ? one : two).api.submit('off', node)))
  await eventually('all commands are sent', () => machines.every(({ bmc }) => offs(bmc) > 0))
  await one.kill()
  for (const [index, machine] of machines.entries()) {
    const job = await two.api.ended(jobs[index], 40_000)
    await provenOff(t, two.api, machine.bmc, job)
    justified(t, machine, job, 1)
  }
})

void t.test('a half-configured gateway does not start', { buffered: true }, async t => {
  if (unbuilt(t)) return
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, 'gateway', '--listen', 'nonsense'], {
    env: { PATH: '/nowhere', SAFESTATE_LOG_LEVEL: 'loud', SAFESTATE_TLS_KEY: '/nowhere/key' },
    encoding: 'utf8',
  })
  t.equal(status, 1)
  t.equal(stdout, '')
  for (const field of ['listen', 'dataDir', 'logLevel', 'tlsCert']) t.match(stderr, field)
  t.notMatch(stderr, /\n {4}at /, 'no stack')
})
