import t, { type Test } from 'tap'
import { COMMANDS, discover, type IpmiClient, IpmiError, parseAddress, REFUSED_SUITES, systemPorts } from '../../src/wire/ipmi/index.ts'
import { parsePacket, type SetupType } from '../../src/wire/ipmi/rmcp.ts'
import { decodeOpenRequest } from '../../src/wire/ipmi/setup.ts'
import { clientOf, command, failureOf, once, read, readUntil } from './ipmi-client.ts'
import { type PeerBmc, STACKS, type Stack } from './ipmi-stacks.ts'
import { programsOf, runProgram } from './processes.ts'
import { type Relay, relay, type Seen } from './relay.ts'

// Our client against two BMCs that were not written here: OpenIPMI's ipmi_sim (suite 3 only) and the server of go-ipmi (3 and 17).

/** Set-up packets of one kind that went to the BMC, or came from it. */
function setups(seen: readonly Seen[], type: SetupType): Buffer[] {
  return seen.flatMap(({ bytes }) => {
    const packet = parsePacket(bytes)
    return packet.kind === 'setup' && packet.type === type ? [packet.payload] : []
  })
}

/** The algorithms of every Open Session that was sent, as `auth/integrity/confidentiality`, each once. */
function proposed(heard: Relay): string[] {
  const suites = setups(heard.seen, 'openRequest').map(payload => decodeOpenRequest(payload).suite)
  return [...new Set(suites.map(({ auth, integrity, confidentiality }) => `${auth}/${integrity}/${confidentiality}`))]
}

const THREE = '1/1/1'
const SEVENTEEN = '3/4/1'

/** The answer, or the completion code that it was refused with. */
async function answerOf<Reply>(what: Promise<Reply>): Promise<Reply | string> {
  try {
    return await what
  } catch (error) {
    if (!(error instanceof IpmiError) || error.facts.completion === undefined) throw error
    return `0x${error.facts.completion.toString(16)}`
  }
}

/** Every command of the table, and what this BMC makes of it. */
async function everyCommand(t: Test, { name, suite }: Stack, bmc: PeerBmc): Promise<void> {
  const sim = name === 'ipmi_sim'
  const client = clientOf(t, bmc, { suite, privilege: 'administrator' })
  const guid = { guid: Buffer.from(bmc.guid, 'hex') }
  t.match(await client.execute(COMMANDS.chassisStatus, undefined), { on: true, fault: false, ...(sim ? {} : { frontPanel: 0 }) })
  t.match(
    await client.execute(COMMANDS.deviceId, undefined),
    sim ? { firmware: '9.08', ipmi: '2.0', manufacturer: 4753 } : { id: 0x20, product: 1 },
  )
  t.strictSame(await answerOf(client.execute(COMMANDS.deviceGuid, undefined)), sim ? '0xc1' : guid, 'the GUID by one command')
  t.strictSame(await answerOf(client.execute(COMMANDS.systemGuid, undefined)), sim ? guid : '0xc1', 'or by the other')
  t.equal(client.facts?.guid.toString('hex'), bmc.guid, 'the same that the log-in has authenticated')
  t.match(await client.execute(COMMANDS.sessionInfo, undefined), { limit: sim ? 63 : 4, active: 1, session: { user: 2, rmcpPlus: true } })
  t.strictSame(await client.execute(COMMANDS.setSessionPrivilege, { privilege: 'administrator' }), { privilege: 'administrator' })
  for (const policy of ['off', 'unchanged'] as const)
    t.equal(await answerOf(client.execute(COMMANDS.setRestorePolicy, { policy })), '0xc1', 'neither has a restore policy')
  t.equal(await answerOf(client.execute(COMMANDS.restartCause, undefined)), '0xc1', 'nor a restart cause')
  t.equal(await answerOf(client.execute(COMMANDS.dcmiPower, undefined)), '0xc1', 'nor a watt meter')
  const asked = { privilege: 'operator', extended: true } as const
  const capable = await answerOf(client.execute(COMMANDS.authCapabilities, asked))
  t.match(capable, sim ? '0xd5' : { ipmi20: true, kg: false }, 'what ipmi_sim answers outside a session only')
  t.match(
    await discover(systemPorts(), parseAddress(bmc.address)),
    { pong: true, capabilities: { ipmi20: true, kg: false } },
    'without a log-in',
  )
  t.ok((await client.execute(COMMANDS.cipherSuites, { index: 0 })).bytes.length > 0, 'suites inside a session')
  // The specification has 0x87 for an id that does not exist; neither BMC does. So neither can say that an unknown session is closed.
  t.equal(await answerOf(client.execute(COMMANDS.closeSession, { sessionId: 0x7fff_fffe })), sim ? '0x87' : '0xc9', 'Close of no session')
  t.equal(client.facts?.suite, suite)
  t.strictSame(client.drops, {}, 'every packet of it was to our liking')
  t.equal(await client.close({ confirmed: true }), 'closed')
}

async function offAndOn(t: Test, { suite }: Stack, bmc: PeerBmc): Promise<void> {
  const client = clientOf(t, bmc, { suite })
  await bmc.slow(400)
  t.match(await command(client, 'down'), { kind: 'answered', completion: 0 })
  const off = await readUntil(client, 'off')
  t.equal(off[0], 'on', `accepted is not off yet: ${off.length - 1} times on`)
  t.equal(await bmc.power(), 'off', 'and then it is')
  t.match(await once(client, 'up'), { kind: 'answered', completion: 0 })
  const on = await readUntil(client, 'on')
  t.equal(on[0], 'off', 'nor is it on yet')
  t.equal(await bmc.power(), 'on')
  t.equal(await bmc.commands(), 2, 'one command each')
  t.equal(await client.close({ confirmed: true }), 'closed', 'by its own word')
}

async function badBmcs(t: Test, stack: Stack): Promise<void> {
  const cases: Record<string, (bmc: PeerBmc) => Promise<void>> = {
    'ignores commands': bmc => bmc.ignore(),
    'refuses commands with 0xFF (ipmipower exits with 0 and says nothing)': bmc => bmc.refuse(),
    'says on, whatever is true': bmc => bmc.lie('on'),
  }
  for (const [name, make] of Object.entries(cases)) {
    await t.test(name, async t => {
      const bmc = await stack.start(t)
      if (!bmc) return
      await make(bmc)
      const client = clientOf(t, bmc, { suite: stack.suite })
      const refuses = name.startsWith('refuses')
      t.match(await command(client, 'down'), { kind: 'answered', completion: refuses ? 0xff : 0 })
      t.strictSame([await read(client), await read(client), await read(client)], ['on', 'on', 'on'], 'never read as off')
      t.equal(await bmc.commands(), 1, 'and asked once')
    })
  }
  await t.test('says off, whatever is true', async t => {
    const bmc = await stack.start(t)
    if (!bmc) return
    await bmc.lie('off')
    const client = clientOf(t, bmc, { suite: stack.suite })
    t.equal(await read(client), 'off', 'a client can only repeat what it is told; witnesses are for the driver')
    t.equal(await bmc.power(), 'on')
  })
  await t.test('can not read its power', async t => {
    const bmc = await stack.start(t)
    if (!bmc) return
    await bmc.unreadable()
    const client = clientOf(t, bmc, { suite: stack.suite })
    t.match(await failureOf(read(client)), { reason: 'completion', facts: { completion: 0xff } }, 'no answer is made of that')
  })
}

async function credentials(t: Test, stack: Stack): Promise<void> {
  const { suite } = stack
  const bmc = await stack.start(t)
  if (!bmc) return
  const sim = stack.name === 'ipmi_sim'
  const wrong = {
    'a wrong password': { password: 'wrong' },
    'the right password and more': { password: `${bmc.password}x` },
    'an unknown user': { username: 'nobody' },
    'a BMC key where there is none': { kg: 'wrong' },
  }
  for (const [name, changes] of Object.entries(wrong)) {
    const heard = await relay(t, bmc)
    const client = clientOf(t, bmc, { suite, ...changes, address: heard.address })
    const error = await failureOf(read(client))
    t.match(error, { reason: 'auth_failed', facts: { logIns: 2 } }, name)
    t.notMatch(JSON.stringify(error) + error.message + error.stack, bmc.password, 'the error holds no password')
    t.equal(setups(heard.seen, 'openRequest').length, 2, 'tried twice, because one bad code may be a flipped bit, and no more')
    t.equal(await client.close({ confirmed: true }), 'closed', 'there is nothing to close')
  }
  for (const password of ['', 'x'.repeat(21)]) {
    const heard = await relay(t, bmc)
    const error = await failureOf(clientOf(t, bmc, { suite, password, address: heard.address }).open())
    t.equal(error.reason, password === '' ? 'auth_failed' : 'bad_credential', `${password.length} bytes`)
    if (password !== '') t.equal(heard.seen.length, 0, 'not even tried')
  }

  const keyed = await stack.start(t, { kg: 'a-key-for-the-bmc' })
  if (!keyed) return
  const client = clientOf(t, keyed, { suite, kg: 'a-key-for-the-bmc' })
  t.equal(await read(client), 'on', 'the right key')
  t.match(await command(client, 'down'), { kind: 'answered', completion: 0 })
  t.equal(await keyed.power(), 'off')
  t.equal(await client.close({ confirmed: true }), 'closed')
  // Each of these leaves two of the BMC's places taken for a minute: it believes in a session whose keys we do not have.
  t.equal((await failureOf(clientOf(t, keyed, { suite }).open())).reason, 'auth_failed', 'no key where one is needed')
  t.equal((await failureOf(clientOf(t, keyed, { suite, kg: 'another' }).open())).reason, 'auth_failed', 'another key')

  const weak = clientOf(t, bmc, { suite, privilege: 'user', username: sim ? 'view' : 'user' })
  t.equal(await read(weak), 'on', 'user suffices for reading')
  t.match(await command(weak, 'down'), { kind: 'answered', completion: 0xd4 }, 'not for a command')
  t.equal(await bmc.power(), 'on')
  t.equal(await weak.close({ confirmed: true }), 'closed')
  if (sim) return t.comment('ipmi_sim lets every user be an operator; not tested there')
  const climber = await failureOf(clientOf(t, bmc, { suite, privilege: 'operator', username: 'user' }).open())
  t.match(climber, { reason: 'auth_failed', facts: { status: 0x0a } }, 'a user who wants to be operator')
}

async function fullTable(t: Test, stack: Stack): Promise<void> {
  const bmc = await stack.start(t)
  if (!bmc) return
  const ports = systemPorts()
  const inside: IpmiClient[] = []
  let refused: IpmiError | undefined
  while (refused === undefined && inside.length < 100) {
    const client = clientOf(t, bmc, { suite: stack.suite, exchangeMs: inside.length < 3 ? 5_000 : 700 }, ports)
    await client.open().then(
      () => inside.push(client),
      (error: unknown) => {
        refused = error as IpmiError
      },
    )
  }
  t.equal(inside.length, stack.name === 'ipmi_sim' ? 63 : 4, 'places')
  t.match(refused, { reason: 'session_limit', facts: { status: 1 } }, 'the next is told so')
  t.ok((refused?.facts.retryAfterMs ?? 0) > 0, 'and when to come again')
  const heard = await relay(t, bmc)
  const waiting = clientOf(t, bmc, { suite: stack.suite, address: heard.address, exchangeMs: 60_000 }, ports)
  const opened = waiting.open()
  await shortage(heard)
  t.equal(await inside[0]?.close({ confirmed: true }), 'closed')
  await opened
  t.equal(await read(waiting), 'on', 'one that waits takes the place that comes free')
  for (const client of [...inside, waiting]) await client.close({ confirmed: true })
}

/** Waits for the first answer to an Open Session. */
async function shortage(heard: Relay): Promise<void> {
  while (setups(heard.seen, 'openResponse').length === 0) await new Promise(resolve => setImmediate(resolve))
}

t.jobs = 2
for (const stack of STACKS) {
  t.test(`${stack.name}, suite ${stack.suite}`, { timeout: 120_000 }, async t => {
    const withBmc = (test: (t: Test, stack: Stack, bmc: PeerBmc) => Promise<void>) => async (t: Test) => {
      const bmc = await stack.start(t)
      if (bmc) await test(t, stack, bmc)
    }
    await t.test('every command', withBmc(everyCommand))
    await t.test('off and on, confirmed by reading', withBmc(offAndOn))
    await t.test('a BMC that', t => badBmcs(t, stack))
    await t.test('credentials', t => credentials(t, stack))
    await t.test('a full session table', t => fullTable(t, stack))
  })
}

t.test('cipher suites', { timeout: 120_000 }, async t => {
  const [sim, go] = [STACKS.find(({ name }) => name === 'ipmi_sim'), STACKS.find(({ name }) => name === 'go-ipmi')]
  await t.test('suite 0 is offered and never used', async t => {
    const bmc = await sim?.start(t)
    if (!bmc) return
    const { suites } = await discover(systemPorts(), parseAddress(bmc.address))
    t.strictSame(
      suites?.find(({ id }) => id === 0),
      { id: 0, auth: 0, integrity: [0], confidentiality: [0] },
      'it is offered',
    )
    t.match(REFUSED_SUITES(0), /no password/)
    const tool = programsOf(t, 'ipmitool')
    if (tool) {
      const args = [
        '-I',
        'lanplus',
        '-C',
        '0',
        '-H',
        '127.0.0.1',
        '-p',
        String(bmc.port),
        '-U',
        'admin',
        '-E',
        'chassis',
        'power',
        'status',
      ]
      const { out } = await runProgram(tool['ipmitool'] ?? '', args, { env: { IPMI_PASSWORD: 'wrong' } })
      t.match(out, /Chassis Power is on/, 'and lets in without the password')
    }
    const heard = await relay(t, bmc)
    const error = await failureOf(clientOf(t, bmc, { suite: 'auto', password: 'wrong', address: heard.address }).open())
    t.equal(error.reason, 'auth_failed')
    t.strictSame(proposed(heard), [SEVENTEEN, THREE], '17 is proposed first, then 3, and nothing else ever')
  })
  await t.test('auto finds the best that there is', async t => {
    for (const [stack, expected, steps] of [
      [sim, 3, [SEVENTEEN, THREE]],
      [go, 17, [SEVENTEEN]],
    ] as const) {
      const bmc = await stack?.start(t)
      if (!bmc) continue
      const heard = await relay(t, bmc)
      const client = clientOf(t, bmc, { suite: 'auto', address: heard.address })
      t.equal(await read(client), 'on')
      t.equal(client.facts?.suite, expected)
      t.strictSame(proposed(heard), steps)
    }
  })
  await t.test('17 and nothing less', async t => {
    const bmc = await sim?.start(t)
    if (!bmc) return
    for (const [changes, reason] of [
      [{ suite: 17 }, 'suite_refused'],
      [{ suite: 'auto', provenSuite: 17 }, 'suite_downgrade'],
    ] as const) {
      const heard = await relay(t, bmc)
      t.equal((await failureOf(clientOf(t, bmc, { ...changes, address: heard.address }).open())).reason, reason)
      t.strictSame(proposed(heard), [SEVENTEEN])
    }
  })
  await t.test('algorithms changed on the way', async t => {
    const bmc = await go?.start(t)
    if (!bmc) return
    // 16 bytes of header, tag, status, privilege, 0, two ids; the algorithm is the fifth byte of each record of eight.
    const heard = await relay(t, bmc, ({ to, bytes }) => {
      if (to === 'client' && bytes[5] === 0x11) for (const at of [32, 40, 48]) bytes[at] = 0
      return bytes
    })
    t.equal((await failureOf(clientOf(t, bmc, { suite: 'auto', address: heard.address }).open())).reason, 'suite_downgrade')
    t.strictSame(
      [setups(heard.seen, 'openResponse').length > 0, setups(heard.seen, 'rakp1').length],
      [true, 0],
      'no name, no code left for it',
    )
  })
})
