import t, { type Test } from 'tap'
import type { CipherSuite } from '../../src/core/power.ts'
import { Secret } from '../../src/core/secret.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { type Case, type Operation, run, type Story } from './ipmi-case.ts'
import { Lab } from './ipmi-lab.ts'

/*
 * The faults of the reference page (section 8) against our client and the whole simulated BMC, each with status, off and on, and with both suites.
 * What has to hold in every case stands in `judge` of ipmi-case.ts; what a case expects beyond that stands in the case.
 */

const SUITES: readonly CipherSuite[] = [17, 3]
const OPERATIONS: readonly Operation[] = ['status', 'off', 'on']

/** Offs that were truly said once, in another session of the same account. */
const OLD_OFFS = new Map<CipherSuite, string>()
for (const suite of SUITES) {
  const lab = new Lab({ suite, seed: 99, initial: 'off' })
  const client = lab.client()
  await lab.settle(client.execute(COMMANDS.chassisStatus, undefined))
  await lab.settle(client.close({ confirmed: false }))
  OLD_OFFS.set(suite, lab.side.lastAnswers.get('chassisStatus')?.toString('hex') ?? '')
}

const unhandled: unknown[] = []
process.on('unhandledRejection', error => unhandled.push(error))

/** A group of cases, each with every operation and both suites. */
function cases(title: string, list: readonly Case[]): void {
  t.test(title, async t => {
    for (const one of list) {
      for (const operation of OPERATIONS) {
        for (const suite of SUITES) {
          await t.test(`${one.name}: ${operation}, suite ${suite}`, async t => {
            const { lab, story, problems } = await run(one, operation, suite)
            t.same(problems, [])
            one.expect?.(t, story, operation, lab)
          })
        }
      }
    }
  })
}

/** The goal was reached: everything read is the truth, and the machine is where it was to be. */
function succeeds(t: Test, { readings, settled }: Story, operation: Operation, { bmc }: Lab): void {
  t.equal(bmc.trueState, operation === 'off' ? 'off' : 'on')
  t.equal(readings.at(-1)?.on, operation !== 'off')
  if (operation !== 'status') t.equal(settled, 'closed')
}

/** Nothing was read, and nothing was done. */
function learnsNothing(t: Test, { readings, failures }: Story, operation: Operation, { bmc, side }: Lab): void {
  t.same(readings, [])
  t.ok(failures.length > 0)
  t.equal(side.received.length, 0)
  t.equal(bmc.trueState, operation === 'on' ? 'off' : 'on')
}

/** Nothing was read. */
function readsNothing(t: Test, { readings, failures }: Story): void {
  t.same(readings, [])
  t.ok(failures.length > 0)
}

/**
 * A session that is not there any more answers nothing, so only another one can have it confirmed, and only an administrator's (the specification
 * refuses others before it looks for the session). What can not be proven is unknown: the gateway then waits for the command's time to live.
 */
function provenByAdministrator(t: Test, { settled, privilege }: Story, operation: Operation): void {
  if (operation !== 'status') t.equal(settled, privilege === 'administrator' ? 'closed' : 'unknown')
}

/** A case as operator and as administrator. */
function asBoth(one: Case): Case[] {
  return [one, { ...one, name: `${one.name}, as administrator`, client: { ...one.client, privilege: 'administrator' } }]
}

const PACKETS = ['open', 'rakp1', 'rakp3', 'setSessionPrivilege', 'chassisStatus', 'chassisControl', 'closeSession'] as const
const ANSWERED_STATUS = ['open', 'rakp1', 'rakp3', 'chassisStatus'] as readonly string[]
/** The data of a chassis status that says off. */
const SAYS_OFF = '204000'

cases('nothing wrong', [{ name: 'no fault', arm: () => {}, expect: succeeds }])

cases('1. loss of each packet, each way', [
  ...PACKETS.flatMap(packet =>
    (['in', 'out'] as const).flatMap((direction): Case[] => [
      ...asBoth({
        name: `${packet} ${direction}, once`,
        arm: lab => lab.fault('loss', { direction }, packet, 1),
        expect: (t, story, operation, lab) => {
          if (packet === 'chassisControl' && operation !== 'status') {
            // Not sent again: lost on its way in it was not done, and that is read.
            t.equal(story.once?.kind, 'unanswered')
            t.equal(story.settled, 'closed')
            const done = direction === 'out'
            t.equal(lab.bmc.trueState, done === (operation === 'on') ? 'on' : 'off')
            t.equal(story.readings.at(-1)?.on, lab.bmc.trueState === 'on')
          } else if (packet === 'closeSession' && direction === 'out') provenByAdministrator(t, story, operation)
          else succeeds(t, story, operation, lab)
        },
      }),
      {
        name: `${packet} ${direction}, always`,
        arm: lab => lab.fault('loss', { direction }, packet),
        expect: (t, story) => {
          if (ANSWERED_STATUS.includes(packet)) readsNothing(t, story)
          else t.ok(story.readings.length > 0)
        },
      },
    ]),
  ),
  ...[0.1, 0.3, 0.5].map(
    (rate): Case => ({
      name: `a share of ${rate}`,
      arm: lab => lab.fault('loss', { rate }),
      ...(rate > 0.1 ? {} : { expect: (t, { readings }) => t.ok(readings.length > 0) }),
    }),
  ),
  { name: 'silence', arm: lab => lab.fault('hang'), expect: learnsNothing },
])

cases('2. duplication', [
  { name: 'every answer', arm: lab => lab.fault('duplicate'), expect: succeeds },
  { name: 'every answer, five times, later', arm: lab => lab.fault('duplicate', { copies: 5, lateMs: 700 }), expect: succeeds },
  { name: 'every request', arm: lab => lab.fault('duplicate', { direction: 'in' }), expect: succeeds },
  { name: 'everything, later', arm: lab => lab.fault('duplicate', { direction: 'both', copies: 2, lateMs: 40 }), expect: succeeds },
  ...PACKETS.map(
    (packet): Case => ({ name: `${packet}, much later`, arm: lab => lab.fault('duplicate', { lateMs: 9000 }, packet), expect: succeeds }),
  ),
])

cases('3. late and out of order', [
  { name: 'every answer once more, behind the next', arm: lab => lab.fault('reorder', { copy: true }), expect: succeeds },
  { name: 'every answer once more, behind the third', arm: lab => lab.fault('reorder', { copy: true, behind: 3 }), expect: succeeds },
  { name: 'some answers behind the next', arm: lab => lab.fault('reorder', { rate: 0.3 }) },
  { name: 'every answer behind the next', arm: lab => lab.fault('reorder') },
  { name: 'answers 700 ms late', arm: lab => lab.fault('delay', { ms: 700, when: 'after' }), expect: succeeds },
  { name: 'answers 6 s late', arm: lab => lab.fault('delay', { ms: 6000, when: 'after' }) },
  { name: 'requests 700 ms late', arm: lab => lab.fault('delay', { ms: 700, when: 'before' }) },
  {
    name: 'the power command 8 s late, its session closed meanwhile',
    arm: lab => lab.fault('delay', { ms: 8000, when: 'before' }, 'chassisControl'),
    expect: (t, { once, settled }, operation, { bmc, side }) => {
      if (operation === 'status') return
      t.equal(once?.kind, 'unanswered')
      t.equal(settled, 'closed')
      t.equal(side.received.length, 0, 'it comes to a session that is not there any more')
      t.equal(bmc.trueState, operation === 'on' ? 'off' : 'on')
    },
  },
])

cases('4. session sequence numbers', [
  { name: 'zero', arm: lab => lab.fault('sequence', { how: 'zero' }), expect: readsNothing },
  { name: 'the same again', arm: lab => lab.fault('sequence', { how: 'same' }) },
  { name: 'old ones', arm: lab => lab.fault('sequence', { how: 'old', by: 40 }) },
  { name: 'every second one left out', arm: lab => lab.fault('sequence', { how: 'jump', by: 1 }), expect: succeeds },
  { name: 'far ahead', arm: lab => lab.fault('sequence', { how: 'jump', by: 100_000 }), expect: succeeds },
  { name: 'over the end', arm: lab => lab.fault('sequence', { how: 'wrap' }), expect: succeeds },
  { name: 'always 1', arm: lab => lab.fault('sequence', { how: 'value', value: 1 }) },
])

cases('5. codes and flags', [
  ...['rakp1', 'rakp3', 'chassisStatus', 'chassisControl', 'setSessionPrivilege', 'closeSession'].flatMap((packet): Case[] => {
    // A BMC that does not prove that it knows password and keys is nobody.
    const expect = { rakp1: learnsNothing, rakp3: learnsNothing, chassisStatus: readsNothing }[packet]
    const always = (name: string, arm: Case['arm']): Case => ({ name: `${name} in ${packet}`, arm, ...(expect && { expect }) })
    return [
      { name: `wrong code in ${packet}, once`, arm: lab => lab.fault('wrongCode', {}, packet, 1) },
      always('wrong code', lab => lab.fault('wrongCode', {}, packet)),
      ...[0, 1, 8, 11].map(bytes => always(`${bytes} bytes of the code`, lab => lab.fault('truncatedCode', { bytes }, packet))),
    ]
  }),
  {
    name: 'a wrong code, saying off',
    arm: lab => {
      lab.fault('data', { hex: SAYS_OFF }, 'chassisStatus')
      lab.fault('wrongCode', {}, 'chassisStatus')
    },
    expect: readsNothing,
  },
  ...[
    { authenticated: false, encrypted: false },
    { authenticated: true, encrypted: false },
    { authenticated: false, encrypted: true },
  ].map(
    (parameters): Case => ({
      name: `unprotected ${JSON.stringify(parameters)}, saying off`,
      arm: lab => {
        lab.fault('data', { hex: SAYS_OFF }, 'chassisStatus')
        lab.fault('unprotected', parameters, 'chassisStatus')
      },
      expect: readsNothing,
    }),
  ),
])

cases('7. lengths, padding, nonsense', [
  ...[1, -1, 4, -4, 16, -16, 0x1000].map(
    (by): Case => ({ name: `payload length ${by}`, arm: lab => lab.fault('lengthLie', { by }, 'chassisStatus'), expect: readsNothing }),
  ),
  ...['open', 'rakp1', 'rakp3'].map(
    (packet): Case => ({
      name: `payload length in ${packet}`,
      arm: lab => lab.fault('lengthLie', { by: 2 }, packet),
      expect: learnsNothing,
    }),
  ),
  { name: 'too much padding', arm: lab => lab.fault('padding', { how: 'long' }, 'chassisStatus'), expect: readsNothing },
  { name: 'wrong padding', arm: lab => lab.fault('padding', { how: 'wrong' }, 'chassisStatus'), expect: readsNothing },
  { name: 'wrong check sums', arm: lab => lab.fault('checksums', {}, 'chassisStatus'), expect: readsNothing },
  {
    name: 'wrong check sums, and the quirk for them',
    arm: lab => lab.fault('checksums'),
    client: { quirks: ['skip-checksum'] },
    expect: succeeds,
  },
  ...[0, 1, 4, 15, 16, 40, 65_507].flatMap((bytes): Case[] => [
    { name: `${bytes} bytes of nonsense`, arm: lab => lab.fault('garbage', { bytes }), expect: learnsNothing },
    { name: `${bytes} bytes of nonsense ahead of each answer`, arm: lab => lab.fault('garbage', { bytes, extra: true }), expect: succeeds },
    { name: `${bytes} sixes`, arm: lab => lab.fault('garbage', { bytes, value: 6, extra: true }), expect: succeeds },
  ]),
  {
    name: 'the wrapper of 1.5, saying off',
    arm: lab => {
      lab.fault('data', { hex: SAYS_OFF }, 'chassisStatus')
      lab.fault('v15Answer', {}, 'chassisStatus')
    },
    expect: readsNothing,
  },
  ...['', '21', '2100', '2100400000'].map(
    (hex): Case => ({ name: `a status of "${hex}"`, arm: lab => lab.fault('data', { hex }, 'chassisStatus'), expect: readsNothing }),
  ),
])

cases('8. replays of an off', [
  ...(['instead', 'before', 'after'] as const).flatMap(when =>
    [false, true].map(
      (readdress): Case => ({
        name: `of an older session, ${when}, ${readdress ? 'with the numbers of now' : 'as it was'}`,
        arm: lab => lab.fault('replay', { when, readdress, datagram: OLD_OFFS.get(lab.suite) }),
        expect: when === 'instead' ? readsNothing : succeeds,
      }),
    ),
  ),
])

cases('9. answers from elsewhere', [
  {
    name: 'another port, saying off',
    arm: lab => {
      lab.fault('data', { hex: SAYS_OFF }, 'chassisStatus')
      lab.fault('otherPort', {}, 'chassisStatus')
    },
    expect: readsNothing,
  },
  { name: 'everything from another port', arm: lab => lab.fault('otherPort'), expect: learnsNothing },
  {
    name: 'to another request, saying off',
    arm: lab => {
      lab.fault('data', { hex: SAYS_OFF }, 'chassisStatus')
      lab.fault('otherRequest', {}, 'chassisStatus')
    },
    expect: readsNothing,
  },
  {
    name: 'to another command, saying off',
    arm: lab => {
      lab.fault('data', { hex: SAYS_OFF }, 'chassisStatus')
      lab.fault('otherRequest', { by: 0, command: 2 }, 'chassisStatus')
    },
    expect: readsNothing,
  },
])

cases('10. the BMC restarts', [
  ...(['before', 'after'] as const).flatMap(when =>
    [0, 3000, 30_000].flatMap(deafMs =>
      asBoth({
        name: `${when} the power command, deaf for ${deafMs} ms`,
        arm: lab => lab.fault('bmcReset', { when, deafMs }, 'chassisControl'),
        expect: (t, story, operation, lab) => {
          if (operation === 'status') {
            succeeds(t, story, operation, lab)
            return
          }
          t.equal(story.once?.kind, 'unanswered')
          t.equal(lab.bmc.trueState, (when === 'after') === (operation === 'on') ? 'on' : 'off')
          if (deafMs < 30_000) {
            provenByAdministrator(t, story, operation)
            t.equal(story.readings.at(-1)?.on, lab.bmc.trueState === 'on')
          } else t.equal(story.settled, 'unknown')
        },
      }),
    ),
  ),
  { name: 'at every status', arm: lab => lab.fault('bmcReset', { when: 'before' }, 'chassisStatus', 1000), expect: readsNothing },
  { name: 'at one status', arm: lab => lab.fault('bmcReset', { when: 'after' }, 'chassisStatus'), expect: succeeds },
  { name: 'its session is lost at a status', arm: lab => lab.fault('sessionLost', {}, 'chassisStatus'), expect: succeeds },
  ...asBoth({
    name: 'its session is lost at the command',
    arm: lab => lab.fault('sessionLost', {}, 'chassisControl'),
    expect: (t, story, operation) => {
      if (operation !== 'status') t.equal(story.once?.kind, 'unanswered')
      provenByAdministrator(t, story, operation)
    },
  }),
])

cases('11. the session table is full', [
  ...[0x01, 0x0b].flatMap((ipmiStatus): Case[] => [
    {
      name: `status ${ipmiStatus}, always`,
      arm: lab => lab.fault('sessionTableFull', { ipmiStatus }),
      expect: (t, story, operation, lab) => {
        learnsNothing(t, story, operation, lab)
        t.ok(story.failures.includes('session_limit'))
        t.equal(story.logIns, 0, 'a full table is no failed log-in')
      },
    },
    { name: `status ${ipmiStatus}, twice`, arm: lab => lab.fault('sessionTableFull', { ipmiStatus }, 'open', 2), expect: succeeds },
  ]),
])

cases('12. slow machines', [
  ...[2000, 30_000, 120_000].map(
    (ms): Case => ({
      name: `${ms} ms`,
      arm: lab => lab.fault('slowPower', { offMs: ms, onMs: ms }),
      expect: (t, { readings }, operation) => {
        if (operation === 'off' && ms > 2000)
          t.ok(
            readings.every(({ on }) => on),
            'on until it is off',
          )
      },
    }),
  ),
  {
    name: 'never off',
    arm: lab => lab.fault('stuckPoweringOff'),
    expect: (t, { readings }, operation) => operation === 'off' && t.ok(readings.every(({ on }) => on)),
  },
])

cases('13. lies and wills of its own', [
  { name: 'always off', arm: lab => lab.fault('lie', { reports: 'Off' }), lies: true },
  { name: 'always on', arm: lab => lab.fault('lie', { reports: 'On' }) },
  { name: 'off once', arm: lab => lab.fault('flap'), lies: true },
  {
    name: 'ignored',
    arm: lab => lab.fault('ignored'),
    expect: (t, { readings, once }, operation) => {
      if (operation !== 'status') t.match(once, { kind: 'answered', completion: 0 })
      t.ok(
        readings.every(({ on }) => on === (operation !== 'on')),
        'the next read says so',
      )
    },
  },
  { name: 'done 10 s later', arm: lab => lab.fault('late') },
  { name: 'done 10 s later, unanswered', arm: lab => lab.fault('late', { answered: 'never' }) },
  { name: 'power returns', arm: lab => lab.fault('powerReturns', { ms: 600 }) },
])

cases('14. completion codes', [
  ...[0xc0, 0xc3, 0xcf, 0xd2, 0xd4, 0xd5, 0xff, 0x80, 0x01].flatMap(code =>
    [false, true].map(
      (done): Case => ({
        name: `${code.toString(16)} on control, ${done ? 'done' : 'not done'}`,
        arm: lab => lab.fault('completion', { code, done }, 'chassisControl'),
        expect: (t, { once, settled, readings }, operation, lab) => {
          if (operation === 'status') return
          t.match(once, { kind: 'answered', completion: code })
          t.equal(settled, 'closed')
          t.equal(lab.bmc.trueState, done === (operation === 'on') ? 'on' : 'off')
          t.equal(readings.at(-1)?.on, lab.bmc.trueState === 'on')
        },
      }),
    ),
  ),
  ...[0xc0, 0xc1, 0xc3, 0xd2, 0xff].map(
    (code): Case => ({
      name: `${code.toString(16)} on status`,
      arm: lab => lab.fault('completion', { code }, 'chassisStatus'),
      expect: readsNothing,
    }),
  ),
  { name: 'c0 on status, twice', arm: lab => lab.fault('completion', { code: 0xc0 }, 'chassisStatus', 2), expect: succeeds },
  {
    name: 'd4 on all',
    arm: lab => lab.fault('forbidden'),
    expect: (t, story) => {
      readsNothing(t, story)
      t.ok(
        story.failures.every(reason => reason === 'privilege'),
        `${story.failures}`,
      )
    },
  },
])

cases('15. another machine answers', [
  {
    name: 'the GUID of the next session is another',
    arm: lab => {
      lab.time.after(300, () => lab.fault('identity'))
    },
    expect: (t, { guids }, operation) => {
      if (operation !== 'status') t.equal(new Set(guids).size, 2)
    },
  },
  { name: 'no GUID at all', arm: lab => lab.fault('guidOrder', { order: 'zero' }), expect: succeeds },
])

/** At most two log-ins for one call: a BMC locks accounts out. `tell` makes up to five calls, each of which may try. */
function stopsTrying(t: Test, story: Story, operation: Operation, lab: Lab): void {
  learnsNothing(t, story, operation, lab)
  t.equal(new Set(story.failures.filter(reason => reason !== 'closed')).size, 1, `${story.failures}`)
  const calls = story.failures.filter(reason => reason !== 'closed').length
  t.ok((lab.side.counters.byPacket['rakp1'] ?? 0) <= 2 * calls, `${lab.side.counters.byPacket['rakp1']} log-ins in ${calls} calls`)
  t.ok(story.logIns >= lab.side.counters.loginFailures, `${story.logIns} counted, ${lab.side.counters.loginFailures} at the BMC`)
}

cases('16. credentials', [
  { name: 'wrong password', arm: () => {}, client: { password: new Secret('wrong') }, expect: stopsTrying },
  { name: 'wrong user', arm: () => {}, client: { username: 'nobody' }, expect: stopsTrying },
  {
    name: 'wrong user, bogus code',
    arm: () => {},
    lab: { ipmi: { unknownUser: 'bogus' } },
    client: { username: 'nobody' },
    expect: stopsTrying,
  },
  { name: 'wrong BMC key', arm: () => {}, lab: { ipmi: { kg: 'right' } }, client: { kg: new Secret('wrong') }, expect: learnsNothing },
  { name: 'no BMC key', arm: () => {}, lab: { ipmi: { kg: 'right' } }, expect: learnsNothing },
  { name: 'the right BMC key', arm: () => {}, lab: { ipmi: { kg: 'right' } }, client: { kg: new Secret('right') }, expect: succeeds },
  {
    name: 'the account may too little',
    arm: () => {},
    lab: { ipmi: { users: [{ name: 'view', password: 'look', privilege: 'user' }] } },
    client: { username: 'view', password: new Secret('look') },
    expect: stopsTrying,
  },
  { name: 'locked out', arm: lab => lab.fault('lockout', { failures: 0 }), expect: stopsTrying },
  { name: 'its password was changed', arm: lab => lab.fault('wrongCredentials'), expect: stopsTrying },
  ...[0x02, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x0f, 0x40].flatMap(status =>
    ['open', 'rakp1', 'rakp3'].flatMap((packet): Case[] => [
      { name: `status ${status} to ${packet}, once`, arm: lab => lab.fault('setupStatus', { status }, packet, 1), expect: succeeds },
      {
        name: `status ${status} to ${packet}, in two bytes, always`,
        arm: lab => lab.fault('setupStatus', { status, bare: true }, packet),
        expect: learnsNothing,
      },
    ]),
  ),
])

cases('quirks: the log-in works with the quirk and not without', [
  ...(['pad-user-16', 'no-name-only-lookup', 'rakp2-slack'] as const).flatMap((name): Case[] => [
    { name, arm: lab => lab.fault('quirk', { name }), client: { quirks: [name] }, expect: succeeds },
    { name: `${name}, not known`, arm: lab => lab.fault('quirk', { name }), expect: learnsNothing },
  ]),
])

cases('17. suites', [
  { name: 'downgraded to none', arm: lab => lab.fault('suiteDowngrade', { suite: 0 }), expect: learnsNothing },
  {
    name: 'downgraded to none, which is accepted',
    arm: lab => {
      lab.fault('suiteDowngrade', { suite: 0 })
      lab.fault('acceptSuite0')
    },
    expect: learnsNothing,
  },
  { name: 'another one', arm: lab => lab.fault('suiteDowngrade', { suite: lab.suite === 17 ? 3 : 17 }), expect: learnsNothing },
  {
    name: 'downgraded, where 3 would do',
    arm: lab => lab.fault('suiteDowngrade', { suite: 3 }),
    client: { suite: 'auto', provenSuite: 17 },
    expect: learnsNothing,
  },
  {
    name: 'no 17, where it once worked',
    arm: () => {},
    lab: { ipmi: { suites: [3] } },
    client: { suite: 'auto', provenSuite: 17 },
    expect: learnsNothing,
  },
  { name: 'no 17, and none known of', arm: () => {}, lab: { ipmi: { suites: [3] } }, client: { suite: 'auto' }, expect: succeeds },
])

t.test('flips, loss and duplicates at random, all at once', async t => {
  for (let seed = 1; seed <= 40; seed++) {
    for (const suite of SUITES) {
      const arm = (lab: Lab): void => {
        lab.fault('loss', { rate: 0.1 })
        lab.fault('bitFlip', { rate: 0.1, direction: 'both' })
        lab.fault('duplicate', { rate: 0.2, direction: 'both', lateMs: 300 })
        lab.fault('reorder', { rate: 0.1, copy: true })
      }
      for (const operation of OPERATIONS) {
        const { problems } = await run({ name: '', arm, lab: { seed } }, operation, suite)
        t.same(problems, [], `seed ${seed}: ${operation}, suite ${suite}`)
      }
    }
  }
})

t.test('3. a late off from before the power-on is not the answer to a later question', async t => {
  for (const suite of SUITES) {
    const lab = new Lab({ suite, initial: 'off' })
    const client = lab.client()
    // The first answer is kept back, and its repetition answered; the kept one comes 300 ms later, into the next question.
    lab.fault('duplicate', { lateMs: 300 }, 'chassisStatus', 1)
    t.match(await lab.settle(client.execute(COMMANDS.chassisStatus, undefined)), { on: false })
    lab.bmc.power.force('on', 'test')
    lab.fault('loss', { direction: 'out' }, 'chassisStatus', 2)
    t.match(await lab.settle(client.execute(COMMANDS.chassisStatus, undefined)), { on: true })
    lab.fault('replay', { when: 'instead' }, 'chassisStatus', 1)
    lab.bmc.power.force('off', 'test')
    t.match(await lab.settle(client.execute(COMMANDS.chassisStatus, undefined)), { on: false }, 'an old on is no answer, either')
    await lab.settle(client.close({ confirmed: false }))
    await lab.time.run(1000)
    t.same([lab.timers, lab.sockets], [0, 0])
  }
})

t.test('nothing was left unhandled', async t => {
  await new Promise(resolve => setImmediate(resolve))
  t.same(unhandled, [])
})
