import t from 'tap'
import type { SafestateError } from '../../src/core/errors.ts'
import type { JobRequest } from '../../src/core/gateway.ts'
import { bodyHash } from '../../src/fencing/intake.ts'
import { World } from '../queue/world.ts'

t.test('what is refused before anything is written', async t => {
  const world = await World.make({ levels: [['b1'], ['b2']] })
  world.gateway().stop()
  const cases: [what: string, request: Partial<JobRequest> & { action?: JobRequest['action'] }, code: string, fields: string[]][] = [
    ['an unknown node', { node: 'n9' }, 'unknown_node', []],
    ['a node of another cluster', { cluster: 'other' }, 'unknown_node', []],
    ['no time', { deadlineSeconds: 0 }, 'bad_request', ['deadlineSeconds']],
    ['too much time', { deadlineSeconds: 3_601 }, 'bad_request', ['deadlineSeconds']],
    ['half a second', { deadlineSeconds: 1.5 }, 'bad_request', ['deadlineSeconds']],
    [
      'two wrong fields',
      { deadlineSeconds: 0, releaseHolder: { holdId: 'h', holder: 'A', attempt: 1 } },
      'bad_request',
      ['deadlineSeconds', 'releaseHolder'],
    ],
    ['a plan that does not fit (S18)', { deadlineSeconds: 39 }, 'plan_too_long', ['deadlineSeconds']],
    ['mechanisms that no level has', { mechanisms: ['metal3'] }, 'no_level', []],
    ['assurance that no level reaches', { acceptAssurance: ['removed'] }, 'no_level', []],
    ['a node that the action does not affect (S6)', { alsoNodes: ['n2'] }, 'not_affected', ['alsoNodes']],
  ]
  for (const [what, { action = 'off', ...request }, code, fields] of cases) {
    const error = await world.post(action, request).then(
      () => undefined,
      (refused: SafestateError) => refused,
    )
    t.equal(error?.code, code, what)
    t.same(error?.facts.errors?.map(({ field }) => field) ?? [], fields, `${what}: the fields are named`)
  }
  t.same(world.jobs(), [])
  t.equal(await world.hold(), undefined)
})

t.test('what a job is made of', async t => {
  const world = await World.make()
  world.gateway().stop()
  const { job } = await world.post('off', { alsoNodes: ['n1', 'default/n1'], reason: 'because' })
  t.match(job, {
    state: 'queued',
    action: 'off',
    reason: 'because',
    holders: [{ holder: 'token:admin', attempt: 1 }],
    deadlineSeconds: 120,
  })
  t.equal(Date.parse(job.deadlineAt) - Date.parse(job.createdAt), 120_000)
})

t.test('the fingerprint of a body', async t => {
  const request: JobRequest = { node: 'n1', action: 'off', reason: 'r' }
  t.equal(bodyHash(request), bodyHash({ reason: 'r', action: 'off', node: 'n1' }), 'in any order')
  t.not(bodyHash(request), bodyHash({ ...request, reason: 's' }))
  t.not(bodyHash(request), bodyHash({ ...request, attempt: 1 }))
})
