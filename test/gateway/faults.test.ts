// What BMCs do wrong. Whatever it is, the gateway never says off of a machine that is not: the simulator's true history is the judge.
import t from 'tap'
import { verifyReceipt } from '../../src/client/verify.ts'
import type { Answer } from './client.ts'
import {
  beside,
  complaints,
  eventually,
  FAST,
  KINDS,
  type Machine,
  notOff,
  offs,
  provenOff,
  register,
  type Scenario,
  serve,
  simulate,
  type Test,
} from './support.ts'

t.jobs = KINDS.length

for (const kind of KINDS) {
  void t.test(`${kind}: faults`, { buffered: true }, async t => {
    const served = await serve(t, kind)
    if (!served) return
    const { api } = served
    const machines = await register(api, await simulate(t, { redfish: 35, seed: 21 }), '-g')
    const openbmc = await register(api, await simulate(t, { redfish: 2, personality: 'openbmc', seed: 22 }), '-o')
    const secured = await register(api, await simulate(t, { redfish: 2, tls: true, seed: 23 }), '-s')
    const dell = await register(api, await simulate(t, { redfish: 2, personality: 'dell', seed: 24 }), '-d')
    const take = (from: Machine[]): Machine => {
      const next = from.pop()
      if (!next) throw new Error('no machine is left')
      return next
    }
    const machine = () => take(machines)

    /** A job that has only a few seconds, as it can't succeed. */
    const short = { deadlineSeconds: 12 }
    const commands = (job: Answer['body']) => job.evidence.filter(({ kind }: { kind: string }) => kind === 'command')

    const scenarios: Scenario[] = [
      [
        'stuck in PoweringOff: indeterminate, the hold stays, a late off is seen, a release puts it right',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('stuckPoweringOff')
          const job = await api.run('off', node, short)
          notOff(t, job, 'indeterminate')
          t.match(job, { power: 'transitioning' })
          t.equal(offs(bmc), 1, 'no second command while it is on its way')
          const hold = await api.hold(node)
          t.match(hold, { state: 'pending', owesOn: true, holders: [{ attempt: 1 }] })
          t.match(await api.post('on', node), { status: 409, body: { code: 'held' } })
          bmc.faults.clear()
          t.match(await api.hold(node, 0), { state: 'pending', power: 'off' }, 'the late off is read, and is no verdict')
          const released = await api.release(hold.id)
          t.match(await api.ended(released.body.job), { state: 'succeeded', power: 'on' })
          t.equal(bmc.trueState, 'on')
        },
      ],
      ...([{ value: null }, { value: 'Sleeping' }, { value: 'off' }, { value: 0 }, { missing: true }] as const).map(
        (parameters): Scenario => [
          `PowerState is ${JSON.stringify(parameters)}: never off`,
          async t => {
            const { bmc, node } = machine()
            bmc.faults.set('powerState', parameters)
            notOff(t, await api.run('off', node, short), 'indeterminate')
            t.ok(offs(bmc) <= 1)
          },
        ],
      ),
      [
        'it says Off and is not, its chassis knows better: vetoed',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('ignored')
          bmc.faults.set('lie', { reports: 'Off', chassis: false, watts: false })
          const job = await api.run('off', node, short)
          notOff(t, job, 'indeterminate')
          t.equal(bmc.trueState, 'on')
          t.equal(job.evidence.filter(({ counted }: { counted?: boolean }) => counted).length, 0, 'not one read counts')
        },
      ],
      [
        'OpenBMC with a crashed state manager: Off counts with chassis Off alone',
        async t => {
          const { bmc, node } = take(openbmc)
          bmc.faults.set('ignored')
          bmc.faults.set('lie', { reports: 'Off', chassis: false, watts: false })
          notOff(t, await api.run('off', node, short), 'indeterminate')
          const other = take(openbmc)
          t.match(await provenOff(t, api, other.bmc, await api.run('off', other.node)), { assurance: 'corroborated' })
        },
      ],
      [
        'it says On although it is off: no verdict, and no end of commands',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('lie', { reports: 'On', chassis: false })
          notOff(t, await api.run('off', node, { deadlineSeconds: 15 }), 'indeterminate')
          t.ok(offs(bmc) > 1 && offs(bmc) <= FAST.maxCommands, `${offs(bmc)} commands`)
          spaced(t, bmc.commands, FAST.powerOffDelayMs)
        },
      ],
      ...['On', 'PoweringOff'].map(
        (reports): Scenario => [
          `one read among the others says ${reports}: the count starts again`,
          async t => {
            const { bmc, node } = machine()
            const job = await api.submit('off', node)
            // After the first of them the restore policy is set and read back, which would take the one false answer.
            const counted = ({ evidence }: Answer['body']) => evidence.filter(({ counted }: { counted?: boolean }) => counted).length
            await eventually('two reads count', async () => counted(await api.must('GET', `/v1/jobs/${job.id}`)) >= 2)
            bmc.faults.set('flap', { reports })
            const flapped = Date.now()
            const payload = await provenOff(t, api, bmc, await api.ended(job))
            t.ok(payload.observations.length >= FAST.confirm.reads)
            t.ok(
              payload.observations.every(({ at }) => Date.parse(String(at)) >= flapped),
              'nothing read before it counts',
            )
          },
        ],
      ),
      [
        'one read says Off of a machine that is on',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('ignored', {}, { count: 1 })
          bmc.faults.set('flap', { reports: 'Off' }, { count: 2, match: { path: '/Systems/' } })
          await provenOff(t, api, bmc, await api.run('off', node))
        },
      ],
      ...(['before', 'after'] as const).flatMap((when): Scenario[] =>
        (['hang', 'drop'] as const).map(
          (fault): Scenario => [
            `the command gets no answer (${fault} ${when} it was done): its session is closed, then it is read`,
            async t => {
              const { bmc, node } = machine()
              bmc.faults.set(fault, { when }, { count: 1, match: { method: 'POST', path: '.Reset' } })
              const job = await api.run('off', node)
              const payload = await provenOff(t, api, bmc, job)
              t.equal(payload.lateHand, 'closed')
              t.match(commands(job)[0], { raw: /^unanswered/ })
              t.match(commands(job)[1], { source: /^settled/, raw: /closed/ })
              t.equal(offs(bmc), 1, 'done exactly once')
              t.equal(commands(job).filter(({ raw }: { raw: string }) => raw.startsWith('answered')).length, when === 'before' ? 1 : 0)
              t.ok(bmc.counters.logouts >= 1, 'the session of the unanswered command was closed')
              const settled = Date.parse(commands(job)[1].at)
              t.ok(payload.observations.every(({ at }) => Date.parse(String(at)) >= settled))
            },
          ],
        ),
      ),
      [
        'accepted and ignored: sent again after the delay, on the word of a fresh read',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('ignored', {}, { count: 1 })
          const job = await api.run('off', node)
          await provenOff(t, api, bmc, job)
          t.equal(offs(bmc), 2)
          spaced(t, bmc.commands, FAST.powerOffDelayMs)
          const [, second] = commands(job)
          const between = job.evidence.slice(job.evidence.indexOf(commands(job)[0]), job.evidence.indexOf(second))
          t.equal(between.at(-1).power, 'on', 'a fresh read said on')
        },
      ],
      [
        'accepted and ignored every time: indeterminate after three at most',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('ignored')
          const job = await api.run('off', node, { deadlineSeconds: 15 })
          notOff(t, job, 'indeterminate')
          t.ok(offs(bmc) > 1 && offs(bmc) <= FAST.maxCommands, `${offs(bmc)} commands`)
          spaced(t, bmc.commands, FAST.powerOffDelayMs)
          t.equal(bmc.trueState, 'on')
        },
      ],
      ...([409, 400] as const).map(
        (status): Scenario => [
          `already off, and the command is refused with ${status}: refused may be off`,
          async t => {
            const { bmc, node } = machine()
            bmc.power.force('off', 'somebody')
            bmc.faults.set('alreadyRefused', { status })
            const payload = await provenOff(t, api, bmc, await api.run('off', node))
            t.equal(offs(bmc), 1, 'the command is sent all the same (S8)')
            const span = (place: number) => Date.parse(String(payload.observations.at(place)?.at))
            t.ok(span(-1) - span(0) >= FAST.confirm.foundOffDwellMs - 50, 'it dwelt longer')
          },
        ],
      ),
      [
        'a Dell that is off already',
        async t => {
          const { bmc, node } = take(dell)
          bmc.power.force('off', 'somebody')
          await provenOff(t, api, bmc, await api.run('off', node))
        },
      ],
      [
        'every command is refused while it is on: indeterminate',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('refused', { status: 400 })
          const job = await api.run('off', node, short)
          notOff(t, job, 'indeterminate')
          t.ok(offs(bmc) <= FAST.maxCommands)
          spaced(t, bmc.commands, FAST.resendAfterRefusalMs)
        },
      ],
      [
        '503 with Retry-After, at reads and at the command',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('unavailable', { retryAfter: '1' }, { count: 2, match: { method: 'GET' } })
          bmc.faults.set('unavailable', { retryAfter: '2' }, { count: 1, match: { method: 'POST', path: '.Reset' } })
          const job = await api.run('off', node)
          await provenOff(t, api, bmc, job)
          const [refused, done] = commands(job)
          t.match([refused, done], [{ raw: /503/ }, { raw: /20\d/ }])
          t.ok(Date.parse(done.at) - Date.parse(refused.at) >= 1_950, 'it waited as long as it was asked to')
        },
      ],
      [
        'an on of before lands late: the off outlasts it',
        async t => {
          const { bmc, node } = machine()
          bmc.power.force('off', 'somebody')
          bmc.faults.set('late', { ms: 1_200 }, { count: 1, match: { resetType: 'On' } })
          const on = await api.submit('on', node)
          await eventually('the on is sent', () => bmc.commands.some(({ type }) => type === 'On'))
          await provenOff(t, api, bmc, await api.run('off', node))
          t.match(await api.ended(on), { state: 'failed', failure: { code: 'superseded' } })
          t.ok(
            bmc.history.some(({ to }) => to === 'on'),
            'it did land',
          )
        },
      ],
      [
        'found in the off phase of a power cycle of somebody else',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('offPhase', { onInMs: 2_300 })
          const payload = await provenOff(t, api, bmc, await api.run('off', node))
          const cycled = bmc.history.find(({ to }) => to === 'on')
          // On a slow machine the cycle may be over before the job reads first; then there was no off phase to find.
          if (cycled) t.ok(Date.parse(payload.confirmedAt) > cycled.at)
        },
      ],
      [
        'on again after the receipt, asked: revoked, and the signed list says so',
        async t => {
          const { bmc, node } = machine()
          const job = await api.run('off', node)
          const back = Date.now()
          bmc.power.request('on', 'somebody')
          const hold = await api.hold(node, 0)
          t.match(hold, { state: 'revoked', power: 'on', note: /found on/ })
          await revoked(t, api, job)
          t.ok(bmc.history.some(({ at, to }) => to === 'on' && at >= back))
          const again = await api.run('off', node)
          await provenOff(t, api, bmc, again)
          t.match(await api.hold(node), { id: hold.id, state: 'confirmed', receiptId: again.receiptId }, 'fenced again under the same hold')
          await revoked(t, api, job)
        },
      ],
      [
        'on again by itself after the receipt, nobody asks: the watch finds it',
        async t => {
          const { bmc, node } = machine()
          const job = await api.run('off', node)
          bmc.power.schedule('on', 300, 'power-returns')
          const found = api.events('/v1/events', ({ event, data }) => event === 'hold' && data.node === node && data.state === 'revoked')
          t.match((await found).at(-1)?.data, { power: 'on' })
          await revoked(t, api, job)
        },
      ],
      [
        'another machine answers before the command: nothing is sent',
        async t => {
          const { bmc, node, device } = machine()
          bmc.faults.set('identity')
          const job = await api.run('off', node)
          notOff(t, job, 'identity_mismatch')
          t.match(job.failure, { device, message: /answers/ })
          t.equal(bmc.commands.length, 0)
          t.equal(await api.hold(node), undefined, 'the hold is given back')
          t.match(await api.run('status', node), { state: 'failed', failure: { code: 'identity_mismatch' } })
        },
      ],
      [
        'another machine answers in mid-job: its off counts for nothing',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('slowPower', { offMs: 1_500 })
          const job = await api.submit('off', node)
          await eventually('the command is sent', () => bmc.commands.length > 0)
          bmc.faults.set('identity')
          const ended = await api.ended(job)
          notOff(t, ended, 'indeterminate')
          t.match(ended.failure.message, /answers/)
          t.match(await api.hold(node), { state: 'pending' })
          t.equal(offs(bmc), 1)
        },
      ],
      [
        'another certificate: no credential, no command',
        async t => {
          const { bmc, node, device } = take(secured)
          t.match(await api.must('GET', `/v1/devices/${device}`), { tls: { mode: 'pin', fingerprint: String } })
          await provenOff(t, api, secured[0]?.bmc ?? bmc, await api.run('off', secured[0]?.node ?? node))
          bmc.faults.set('certificate')
          bmc.resetCounters()
          const job = await api.run('off', node)
          notOff(t, job, 'tls_mismatch')
          t.match(
            { logins: bmc.counters.logins, resets: bmc.counters.resets, basic: bmc.counters.basicRequests },
            { logins: 0, resets: 0, basic: 0 },
          )
          t.equal(await api.hold(node), undefined)
        },
      ],
      [
        'answers of 50 MB: cut off, and fenced once they stop',
        async t => {
          const { bmc, node } = machine()
          const huge = bmc.faults.set('hugeAnswer')
          const job = await api.run('off', node, { deadlineSeconds: 12 })
          notOff(t, job, 'bad_answer')
          t.equal(bmc.commands.length, 0)
          bmc.faults.clear(huge)
          bmc.faults.set('hugeAnswer', { chunked: true }, { count: 1 })
          await provenOff(t, api, bmc, await api.run('off', node))
        },
      ],
      [
        'no session is free: Basic, and an unanswered command is waited out',
        async t => {
          const { bmc, node } = machine()
          await api.must('GET', '/livez')
          bmc.faults.set('sessionTableFull')
          bmc.sessions.clear()
          bmc.faults.set('drop', { when: 'after' }, { count: 1, match: { method: 'POST', path: '.Reset' } })
          const job = await api.run('off', node)
          const payload = await provenOff(t, api, bmc, job)
          t.equal(payload.lateHand, 'bounded')
          t.match(payload.warnings, [/late_hand_bounded/])
          t.ok(bmc.counters.basicRequests > 0)
          // Its time to live begins with its announcement, which came after the read before it.
          const before = Date.parse(job.evidence[job.evidence.indexOf(commands(job)[0]) - 1].at)
          const first = Date.parse(String(payload.observations[0]?.at))
          t.ok(
            first - before >= FAST.exchange.commandTtlMs,
            `the first counted read came ${first - before} ms after the read before the command`,
          )
          t.equal(offs(bmc), 1)
        },
      ],
      ...(['offline', 'hang'] as const).map(
        (fault): Scenario => [
          `out of reach (${fault}): failed as unreachable, nobody holds it`,
          async t => {
            const { bmc, node } = machine()
            if (fault === 'hang') bmc.faults.set('hang', { when: 'connection' })
            else bmc.faults.set('offline')
            bmc.dropConnections()
            const job = await api.run('off', node, { deadlineSeconds: 12 })
            notOff(t, job, 'unreachable')
            t.equal(await api.hold(node), undefined)
            t.match(await api.run('status', node, { deadlineSeconds: 12 }), { state: 'failed', failure: { code: 'unreachable' } })
            bmc.faults.clear()
            await provenOff(t, api, bmc, await api.run('off', node))
          },
        ],
      ),
      [
        'a session that is lost in the middle is no excuse to send anything twice',
        async t => {
          const { bmc, node } = machine()
          bmc.faults.set('sessionLost', {}, { count: 1, match: { method: 'POST', path: '.Reset' } })
          const job = await api.run('off', node)
          await provenOff(t, api, bmc, job)
          t.equal(offs(bmc), 1)
          t.match(commands(job)[0], { raw: /40[13]/ }, 'the lost session is an answer')
        },
      ],
    ]
    await beside(t, scenarios, 40)
  })
}

void t.test('Node has nothing to complain about', async t => t.same(complaints, []))

/** The commands to a BMC came at least so many ms after each other. */
function spaced(t: Test, sent: readonly { at: number }[], ms: number): void {
  for (const [index, { at }] of sent.entries()) {
    const before = sent[index - 1]
    if (before) t.ok(at - before.at >= ms, `${at - before.at} ms between two commands`)
  }
}

/** The receipt of a job is revoked, and both the gateway and the signed list say so. */
async function revoked(t: Test, api: Parameters<typeof register>[0], job: Answer['body']): Promise<void> {
  const receipt = await api.must('GET', `/v1/receipts/${job.receiptId}`)
  t.match(receipt, { status: 'revoked', revokedBecause: /found on/ })
  const [jwks, list] = await Promise.all([api.must('GET', '/.well-known/jwks.json'), api.text('/.well-known/revocations.jws')])
  t.match(await verifyReceipt(receipt.jws, jwks, list), { valid: false, revocation: 'revoked' })
}
