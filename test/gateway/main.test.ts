// The way of a fence through the whole house: real gateway, real store, simulated BMCs, and nothing but HTTP.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import type { Answer } from './client.ts'
import {
  beside,
  complaints,
  eventually,
  KINDS,
  type Machine,
  offs,
  provenOff,
  register,
  type Scenario,
  serve,
  simulate,
  truthAt,
} from './support.ts'

t.jobs = KINDS.length

for (const kind of KINDS) {
  void t.test(`${kind}: the way of a fence`, { buffered: true }, async t => {
    const served = await serve(t, kind)
    if (!served) return
    const { api } = served
    const machines = await register(api, await simulate(t, { redfish: 20, seed: 11 }))
    const machine = (): Machine => {
      const next = machines.pop()
      if (!next) throw new Error('no machine is left')
      return next
    }

    const scenarios: Scenario[] = [
      [
        'off with live progress, held, released and on again, reboot, status',
        async t => {
          const { bmc, node, device } = machine()
          t.match(await api.must('GET', `/v1/devices/${device}`), {
            status: 'verified',
            hardware: { uuid: String },
            tls: { mode: 'insecure' },
          })
          t.match(await api.must('GET', `/v1/nodes/default/${node}/readiness`), { ready: true, binding: 'proven', problems: [] })
          t.match(await api.run('status', node), { state: 'succeeded', power: 'on' })

          const taken = await api.post('off', node, { reason: 'kubelet silent' })
          t.equal(taken.status, 202)
          t.equal(taken.headers.get('location'), `/v1/jobs/${taken.body.id}`)
          t.match(taken.body, {
            state: 'queued',
            joined: false,
            holders: [{ holder: /^token:/, attempt: 1 }],
            holdId: String,
            reason: 'kubelet silent',
          })
          t.match(await api.hold(node), { state: 'pending', holders: [{ attempt: 1 }] }, 'held from its acceptance on (S1)')
          const seen = await followed(api, taken.body.id)
          t.ok(seen.length > 3, `long polls show ${seen.length} changes`)
          t.same(
            seen.map(({ revision }) => revision),
            [...new Set(seen.map(({ revision }) => revision))].sort((a, b) => a - b),
          )
          const job = seen.at(-1)
          const payload = await provenOff(t, api, bmc, job)
          t.match(payload, {
            binding: 'proven',
            mechanism: 'direct',
            lateHand: 'closed',
            assurance: 'corroborated',
            storeDurable: true,
            hold: taken.body.holdId,
          })
          t.equal(payload.hardware[0]?.uuid, bmc.systems[0]?.identity.uuid)
          t.ok(Date.parse(payload.confirmedAt) - (bmc.history[0]?.at ?? 0) >= 2_000, 'it dwelt')
          t.equal(offs(bmc), 1)
          t.equal(bmc.systems[0]?.restorePolicy, 'AlwaysOff', 'and it would stay off over a power cut (S7)')

          const hold = await api.hold(node)
          t.match(hold, { state: 'confirmed', power: 'off', owesOn: true, receiptId: job.receiptId })
          for (const action of ['on', 'reboot'])
            t.match(
              await api.post(action, node),
              { status: 409, body: { code: 'held', node: `default/${node}` } },
              `${action} under a hold`,
            )
          t.match(await api.run('status', node), { state: 'succeeded', power: 'off' }, 'reads pass')
          t.match(await api.release(hold.id, { attempt: 7 }), { status: 409, body: { code: 'stale_release' } })
          t.match(await api.release(hold.id, { holder: 'somebody-else' }), { status: 409 })
          t.equal(truthAt(bmc, Date.now()), 'off')

          const released = await api.release(hold.id)
          t.match(released, { status: 200, body: { hold: { state: 'released' }, job: { action: 'on' } } })
          t.match(await api.ended(released.body.job), { state: 'succeeded', power: 'on' })
          t.equal(bmc.trueState, 'on')
          t.equal(bmc.systems[0]?.restorePolicy, 'LastState', 'put back')
          t.equal(await api.hold(node), undefined)
          t.match(await api.must('GET', `/v1/receipts/${job.receiptId}`), { status: 'released' })
          t.match(await api.release(hold.id), { status: 409, body: { code: 'stale_release' } }, 'twice')

          const boot = bmc.power.bootId
          const rebooted = await api.run('reboot', node)
          t.match(rebooted, { state: 'succeeded', power: 'on', receiptId: String, warnings: [{ code: 'insecure_tls' }] })
          t.not(bmc.power.bootId, boot, 'another boot')
          t.same(
            bmc.commands.map(({ type }) => type),
            ['ForceOff', 'On', 'ForceOff', 'On'],
            'off and on, never a cycle or reset',
          )
          t.equal(await api.hold(node), undefined, 'nobody holds it')
        },
      ],
      [
        'one key is one job',
        async t => {
          const { bmc, node } = machine()
          const other = machine()
          const key = randomUUID()
          const first = await api.post('off', node, { key })
          const again = await api.post('off', node, { key })
          t.equal(again.status, 202)
          t.equal(again.headers.get('location'), first.headers.get('location'))
          t.equal(first.headers.get('idempotency-replayed'), null)
          t.equal(again.headers.get('idempotency-replayed'), 'true')
          t.match(await api.post('off', other.node, { key }), { status: 422, body: { code: 'idempotency_key_reused' } })
          const { token } = await api.must('POST', '/v1/tokens', { name: 'other', scopes: ['jobs:off', 'jobs:read'] }, 201)
          const foreign = await api.as(token).post('off', other.node, { key })
          t.equal(foreign.status, 202, 'keys of different tokens never meet')
          t.not(foreign.headers.get('location'), first.headers.get('location'))
          await provenOff(t, api, bmc, await api.ended(first.body))
          await provenOff(t, api, other.bmc, await api.ended(foreign.body))
          const late = await api.post('off', node, { key })
          t.match(late, { status: 202, body: { id: first.body.id, state: 'succeeded' } }, 'also after its end')
          t.equal(offs(bmc), 1)
          const many = await Promise.all(Array.from({ length: 10 }, () => api.post('status', node, { key: `${key}-s` })))
          t.same([...new Set(many.map(({ status, body }) => `${status} ${body.id}`))].length, 1, 'ten at once')
        },
      ],
      [
        'two holders: the first release keeps it off, the last switches it on',
        async t => {
          const { bmc, node } = machine()
          const first = await api.post('off', node, { holder: 'cr:prod/a' })
          const second = await api.post('off', node, { holder: 'cr:prod/b', attempt: 3 })
          t.equal(second.headers.get('location'), first.headers.get('location'), 'it joins')
          t.match([first.body.joined, second.body.joined], [false, true])
          const payload = await provenOff(t, api, bmc, await api.ended(first.body))
          const holders = [
            { holder: 'cr:prod/a', attempt: 1 },
            { holder: 'cr:prod/b', attempt: 3 },
          ]
          t.same(payload.holders, holders, 'the receipt names both')
          t.equal(offs(bmc), 1)
          const late = await api.run('off', node, { holder: 'cr:prod/c' })
          const own = await provenOff(t, api, bmc, late)
          t.not(own.jti, payload.jti, 'a third gets a receipt of its own')
          t.equal(own.holders.length, 3)
          const { id } = await api.hold(node)
          for (const holder of ['cr:prod/c', 'cr:prod/a']) {
            const left = await api.release(id, { holder })
            t.match(left, { status: 200, body: { hold: { state: 'confirmed' } } })
            t.equal(left.body.job, undefined, 'no on')
          }
          t.match(await api.release(id, { holder: 'cr:prod/a' }), { status: 409, body: { code: 'stale_release' } })
          t.match(await api.post('on', node), { status: 409, body: { code: 'held' } })
          t.match(
            await api.release(id, { holder: 'cr:prod/b', attempt: 2 }),
            { status: 409, body: { code: 'stale_release' } },
            'an older attempt',
          )
          const on = await api.submit('on', node, { releaseHolder: { holdId: id, holder: 'cr:prod/b', attempt: 3 } })
          t.match(await api.ended(on), { state: 'succeeded', power: 'on' })
          t.equal(bmc.trueState, 'on')
          t.equal(bmc.history.length, 2, 'off once and on once')
        },
      ],
      [
        'a release that keeps it off; an on of a person switches it on later',
        async t => {
          const { bmc, node } = machine()
          await provenOff(t, api, bmc, await api.run('off', node))
          const { id } = await api.hold(node)
          const released = await api.release(id, { restore: false })
          t.match(released, { status: 200, body: { hold: { state: 'released' } } })
          t.equal(released.body.job, undefined)
          t.equal(bmc.trueState, 'off')
          t.match(await api.run('on', node), { state: 'succeeded', power: 'on' })
          t.equal(bmc.trueState, 'on')
        },
      ],
      [
        'cancel: before the command it ends the job and its hold, after it is refused',
        async t => {
          const { bmc, node } = machine()
          const hang = bmc.faults.set('hang')
          const job = await api.submit('off', node)
          const both = await api.submit('off', node, { holder: 'cr:prod/b' })
          t.equal(both.id, job.id)
          t.match(
            await api.must('POST', `/v1/jobs/${job.id}/cancel`),
            { state: /queued|running/, holders: [{ holder: 'cr:prod/b' }] },
            'the other still wants it',
          )
          t.match(await api.ask('POST', `/v1/jobs/${job.id}/cancel`, { body: { holder: 'nobody' } }), { status: 403 })
          t.match(await api.must('POST', `/v1/jobs/${job.id}/cancel`, { holder: 'cr:prod/b' }), {
            state: 'cancelled',
            failure: { code: 'cancelled' },
          })
          t.equal(await api.hold(node), undefined, 'nobody holds it')
          t.equal(bmc.commands.length, 0)
          bmc.faults.clear(hang)

          bmc.faults.set('slowPower', { offMs: 1_500 })
          const next = await api.submit('off', node)
          await eventually('the command is sent', () => bmc.commands.length > 0)
          t.match(await api.ask('POST', `/v1/jobs/${next.id}/cancel`), { status: 409, body: { code: 'no_change', jobId: next.id } })
          await provenOff(t, api, bmc, await api.ended(next))
          t.match(await api.ask('POST', `/v1/jobs/${next.id}/cancel`), { status: 409, body: { code: 'no_change' } })
        },
      ],
      [
        'cancel by key: used, not used yet',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('hang')
          const cancel = (key: string) => api.ask('POST', '/v1/jobs/cancel', { headers: { 'idempotency-key': key } })
          const [used, unused] = [randomUUID(), randomUUID()]
          const job = await api.submit('off', node, { key: used })
          t.match(await cancel(used), { status: 200, body: { id: job.id, state: 'cancelled' } })
          t.equal((await cancel(unused)).status, 204)
          t.match(await api.post('off', node, { key: unused }), { status: 409, body: { code: 'idempotency_key_cancelled' } })
          t.equal(await api.hold(node), undefined)
          t.equal(bmc.commands.length, 0)
          t.match(await api.ask('POST', '/v1/jobs/cancel'), { status: 400, body: { code: 'idempotency_key_missing' } })
        },
      ],
      [
        'a batch answers item by item',
        async t => {
          const [one, two] = [machine(), machine()]
          const item = (node: string, more: object = {}) => ({
            idempotencyKey: randomUUID(),
            node,
            action: 'off',
            reason: 'rack 7',
            ...more,
          })
          const items = [
            item(one.node),
            item('no-such-node'),
            item(two.node, { deadlineSeconds: 0 }),
            item(two.node),
            { nonsense: true },
            item(two.node, { action: 'explode' }),
            item(two.node, { mechanisms: ['meatware'] }),
          ]
          const { items: results } = await api.must('POST', '/v1/jobs/batch', { items })
          t.match(results, [
            { status: 202, location: /^\/v1\/jobs\//, job: { node: one.node } },
            { status: 404, problem: { code: 'unknown_node' } },
            { status: 400, problem: { code: 'bad_request', errors: [{ field: 'deadlineSeconds' }] } },
            { status: 202, job: { node: two.node } },
            { status: 400, problem: { errors: [{ field: /./ }] } },
            { status: 400, problem: { errors: [{ field: 'action' }] } },
            { status: 422, problem: { code: 'no_level' } },
          ])
          const again = await api.must('POST', '/v1/jobs/batch', { items: items.slice(0, 1) })
          t.match(again.items, [{ status: 202, replayed: true, location: results[0].location }])
          await provenOff(t, api, one.bmc, await api.ended(results[0].job))
          await provenOff(t, api, two.bmc, await api.ended(results[3].job))
        },
      ],
      [
        'server-sent events: nothing is lost between two connections',
        async t => {
          const { bmc, node } = machine()
          const mine = (event: { event: string; data: Answer['body'] }) => event.data.node === node
          const first = api.events('/v1/events', event => mine(event) && event.event === 'job')
          // The stream has to stand before the job begins: a status job is repeated until it shows.
          const stop = new AbortController()
          void (async () => {
            while (!stop.signal.aborted) await api.run('status', node)
          })().catch(() => undefined)
          const seen = await first
          stop.abort()
          const from = seen.at(-1)?.id ?? ''
          t.match(from, /^\d+-\d+$/)
          const job = await api.run('off', node)
          const rest = await api.events('/v1/events', event => event.event === 'receipt' && event.data.id === job.receiptId, {
            headers: { 'last-event-id': from },
          })
          const topics = new Set(rest.filter(mine).map(({ event }) => event))
          t.same([...topics].sort(), ['hold', 'job', 'receipt'], 'what came while nobody listened')
          t.ok(rest.every(({ id }) => /^\d+-\d+$/.test(id)))
          await provenOff(t, api, bmc, job)

          const status = await api.submit('status', node)
          const own = await api.events(`/v1/jobs/${status.id}/events`, () => false)
          t.match(own.at(-1), { event: 'job', data: { id: status.id, state: 'succeeded' } }, 'the stream of a job ends with it')
          const over = await api.ask('GET', `/v1/jobs/${status.id}/events`, { headers: { 'last-event-id': own.at(-1)?.id ?? '' } })
          t.equal(over.status, 204)
        },
      ],
      [
        'ETag, 304 and long polls',
        async t => {
          const { node, device } = machine()
          const job = await api.run('status', node)
          const plain = await api.ask('GET', `/v1/jobs/${job.id}`)
          const etag = plain.headers.get('etag') ?? ''
          t.equal(etag, `"${plain.body.revision}"`)
          t.equal((await api.ask('GET', `/v1/jobs/${job.id}`, { headers: { 'if-none-match': etag } })).status, 304)
          const began = performance.now()
          const waited = await api.ask('GET', `/v1/jobs/${job.id}`, { headers: { 'if-none-match': etag, prefer: 'wait=1' } })
          t.equal(waited.status, 304)
          t.equal(waited.headers.get('preference-applied'), 'wait=1')
          t.ok(performance.now() - began >= 990, 'it waited')
          t.equal(
            (await api.ask('GET', `/v1/jobs/${job.id}`, { headers: { 'if-none-match': '"0"', prefer: 'wait=50' } })).status,
            200,
            'at once',
          )
          const found = await api.ask('GET', `/v1/devices/${device}`)
          const patch = (headers: Record<string, string>) =>
            api.ask('PATCH', `/v1/devices/${device}`, { body: { tls: { mode: 'insecure' } }, headers })
          t.match(await patch({}), { status: 428, body: { code: 'revision_missing' } })
          t.match(await patch({ 'if-match': '"999"' }), { status: 412, body: { code: 'revision_changed' } })
          t.equal((await patch({ 'if-match': found.headers.get('etag') ?? '' })).status, 200)
        },
      ],
      [
        'an off ends a waiting on and reboot, and owes what they wanted',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('slowPower', { offMs: 2_000 })
          const reboot = await api.submit('reboot', node)
          await eventually('the reboot has sent its off', () => bmc.commands.length > 0)
          const off = await api.run('off', node)
          t.match(await api.ended(reboot), { state: 'failed', failure: { code: 'superseded' } })
          await provenOff(t, api, bmc, off)
          t.match(await api.hold(node), { holders: [{ holder: off.holders[0].holder }], owesOn: true })
          t.same(
            bmc.commands.map(({ type }) => type).filter(type => type === 'On'),
            [],
            'no on',
          )
        },
      ],
      [
        'an off that ends a reboot and is then cancelled gives back what the reboot owed',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('slowPower', { offMs: 800 })
          const reboot = await api.submit('reboot', node)
          await eventually('the reboot has sent its off', () => bmc.commands.length > 0)
          const hang = bmc.faults.set('hang')
          const off = await api.submit('off', node)
          t.match(await api.must('POST', `/v1/jobs/${off.id}/cancel`), { state: 'cancelled' })
          t.match(await api.ended(reboot), { state: 'failed', failure: { code: 'superseded' } })
          t.equal(await api.hold(node), undefined)
          bmc.faults.clear(hang)
          const { items } = await api.must('GET', `/v1/jobs?node=${node}&action=on`)
          t.equal(items.length, 1, 'an on is queued in the same step')
          t.match(await api.ended(items[0]), { state: 'succeeded', power: 'on' })
          t.equal(bmc.trueState, 'on')
        },
      ],
    ]
    await beside(t, scenarios)

    const spare = connect(Number(new URL(served.url).port), '127.0.0.1').on('error', () => undefined)
    await once(spare, 'connect')
    const began = performance.now()
    await served.close()
    t.ok(performance.now() - began < 10_000, 'a connection that sends nothing does not hold up the end')
  })
}

void t.test('Node has nothing to complain about', async t => t.same(complaints, []))

/** All states of a job that long polls show, the last one included. */
async function followed(api: Parameters<typeof register>[0], id: string): Promise<Answer['body'][]> {
  const seen: Answer['body'][] = []
  let etag = '"0"'
  for (;;) {
    const answer = await api.ask('GET', `/v1/jobs/${id}`, { headers: { 'if-none-match': etag, prefer: 'wait=10' } })
    if (answer.status !== 200) continue
    etag = answer.headers.get('etag') ?? ''
    seen.push(answer.body)
    if (['succeeded', 'failed', 'cancelled'].includes(answer.body.state)) return seen
  }
}
