import t, { type Test } from 'tap'
import { COMMANDS, closeByTicket, type IpmiClient, systemPorts } from '../../src/wire/ipmi/index.ts'
import { farm } from './farm.ts'
import { clientOf, command, failureOf, once, optionsOf, read, readUntil } from './ipmi-client.ts'
import { ipmiSim } from './ipmi-sim.ts'
import { farmed, type PeerBmc, STACKS, type Stack, simulated } from './ipmi-stacks.ts'
import { programsOf } from './processes.ts'
import { relay, type Seen } from './relay.ts'

// What arrives late, twice, damaged, or never (S3): our client in front of BMCs that are not ours, with a relay between them that decides.

/** A way to a BMC that can be cut in each direction, and holds what it cuts. */
async function wayTo(t: Test, bmc: PeerBmc) {
  const held: Seen[] = []
  const cut = { bmc: false, client: false }
  const heard = await relay(t, bmc, one => {
    if (!cut[one.to]) return one.bytes
    held.push(one)
    return undefined
  })
  return { ...heard, held, cut }
}

/** Raised and named, so that the next packet can be the command. */
async function named(client: IpmiClient): Promise<void> {
  await client.open()
  await client.elevate()
  client.ticket()
}

async function unanswered(t: Test, stack: Stack): Promise<void> {
  for (const lost of ['the answer', 'the command'] as const) {
    await t.test(`${lost} is lost`, async t => {
      const bmc = await stack.start(t)
      if (!bmc) return
      const way = await wayTo(t, bmc)
      const client = clientOf(t, bmc, { suite: stack.suite, address: way.address, exchangeMs: 700 })
      await named(client)
      way.cut[lost === 'the answer' ? 'client' : 'bmc'] = true
      t.match(await once(client, 'down'), { kind: 'unanswered' })
      t.equal(way.held.length, 1, 'one packet, not repeated')
      t.equal(await bmc.commands(), lost === 'the answer' ? 1 : 0, 'at the machine')
      way.cut.bmc = way.cut.client = false
      t.equal(await client.close({ confirmed: true }), 'closed', 'settled by the answer to Close')
      for (const { to, bytes } of way.held) way.inject(to, bytes)
      const after = clientOf(t, bmc, { suite: stack.suite })
      const power = lost === 'the answer' ? 'off' : 'on'
      t.equal(await read(after), power, 'only reading tells')
      t.equal(await bmc.power(), power, 'what was lost comes too late')
      t.equal(await bmc.commands(), lost === 'the answer' ? 1 : 0, 'and has no effect')
    })
  }
  await t.test('nothing is answered any more, Close neither', async t => {
    const bmc = await stack.start(t)
    if (!bmc) return
    const way = await wayTo(t, bmc)
    const client = clientOf(t, bmc, { suite: stack.suite, address: way.address, exchangeMs: 700 })
    await named(client)
    way.cut.client = true
    t.match(await once(client, 'down'), { kind: 'unanswered' })
    t.equal(await client.close({ confirmed: true }), 'unknown', 'not known to be closed')
  })
}

async function closedFromOutside(t: Test, stack: Stack): Promise<void> {
  await t.test('the ticket of a living session', async t => {
    const bmc = await stack.start(t)
    if (!bmc) return
    const client = clientOf(t, bmc, { suite: stack.suite, exchangeMs: 700 })
    await named(client)
    const ticket = JSON.parse(JSON.stringify(client.ticket())) as ReturnType<IpmiClient['ticket']>
    t.equal(
      await closeByTicket(systemPorts(), optionsOf(bmc, { suite: stack.suite }), ticket),
      'closed',
      'by another process, with the ticket alone',
    )
    t.match(await once(client, 'down'), { kind: 'unanswered' }, 'the late hand')
    t.equal(await bmc.commands(), 0, 'has no effect')
    t.equal(await bmc.power(), 'on')
  })
  await t.test('a command of which the answer got lost, and whose sender died', async t => {
    const bmc = await stack.start(t)
    if (!bmc) return
    const way = await wayTo(t, bmc)
    const client = clientOf(t, bmc, { suite: stack.suite, address: way.address, exchangeMs: 700 })
    await named(client)
    const ticket = client.ticket()
    way.cut.client = true
    t.match(await once(client, 'down'), { kind: 'unanswered' })
    t.equal(await closeByTicket(systemPorts(), optionsOf(bmc, { suite: stack.suite }), ticket), 'closed', 'its number is not used again')
    const after = clientOf(t, bmc, { suite: stack.suite })
    t.equal(await read(after), 'off')
    t.equal(await bmc.commands(), 1)
  })
  await t.test('a ticket that is not this session’s', async t => {
    const bmc = await stack.start(t)
    if (!bmc) return
    const client = clientOf(t, bmc, { suite: stack.suite, exchangeMs: 700 })
    await named(client)
    const ticket = { ...client.ticket(), k1: '00'.repeat(stack.suite === 17 ? 32 : 20) }
    const verdict = await closeByTicket(systemPorts(), optionsOf(bmc, { suite: stack.suite, privilege: 'administrator' }), ticket)
    const alive = (await once(client, 'down')).kind === 'answered'
    t.equal(alive ? 'unknown' : 'closed', verdict, `${verdict}, and so it is`)
  })
}

async function replayed(t: Test, stack: Stack): Promise<void> {
  const bmc = await stack.start(t)
  if (!bmc) return
  const way = await wayTo(t, bmc)
  const first = clientOf(t, bmc, { suite: stack.suite, address: way.address })
  t.match(await command(first, 'down'), { kind: 'answered', completion: 0 })
  t.equal(await read(first), 'off')
  const old = way.seen.filter(({ to }) => to === 'client').map(({ bytes }) => bytes)
  await bmc.turn('on')
  t.equal(await read(first), 'on')

  way.cut.client = true
  const asked = failureOf(
    clientOf(t, bmc, { suite: stack.suite, address: way.address, exchangeMs: 700 }).execute(COMMANDS.chassisStatus, undefined),
  )
  for (const bytes of old) way.inject('client', bytes)
  t.match(await asked, { reason: /unreachable|exchange_timeout/ }, 'a new session takes nothing of an old one')
  way.cut.client = false

  const second = clientOf(t, bmc, { suite: stack.suite, address: way.address, exchangeMs: 700 })
  await bmc.turn('off')
  t.equal(await read(second), 'off')
  const off = way.seen.at(-1)?.bytes
  if (off === undefined) throw new Error('nothing heard')
  await bmc.turn('on')
  // Request numbers have 6 bits: the 64th after it has the same, so only the packet's own number tells them apart.
  for (let count = 1; count < 64; count++) if ((await read(second)) !== 'on') t.fail(`read ${count} says off`)
  way.cut.client = true
  const again = failureOf(read(second))
  for (const bytes of [off, ...old]) way.inject('client', bytes)
  t.match(await again, { reason: /unreachable|exchange_timeout/ }, 'nor of itself a second time')
  way.cut.client = false
  t.equal(await read(second), 'on')

  t.equal(await first.close({ confirmed: true }), 'closed')
  const commands = await bmc.commands()
  for (const { to, bytes } of way.seen.slice()) if (to === 'bmc') way.inject(to, bytes)
  t.equal(await read(second), 'on', 'what the first session sent is void once it is closed')
  t.equal(await bmc.commands(), commands)
}

t.jobs = 3
for (const stack of STACKS) {
  t.test(`${stack.name}, suite ${stack.suite}`, { timeout: 120_000 }, async t => {
    await t.test('a command without an answer', t => unanswered(t, stack))
    await t.test('a session that is closed from outside', t => closedFromOutside(t, stack))
    await t.test('replays', t => replayed(t, stack))
  })
}

t.test('ipmi_sim: a machine so slow that reads are repeated', { timeout: 120_000 }, async t => {
  const found = programsOf(t, 'openipmi')
  if (!found) return
  const sim = await ipmiSim(t, found)
  const bmc = simulated(sim)
  const client = clientOf(t, bmc, { suite: 3 })
  await named(client)
  sim.fault('slow', 0.7)
  t.match(await once(client, 'down'), { kind: 'answered', completion: 0 }, 'it blocks, and answers in the end')
  t.equal(await read(client), 'off')
  sim.mend('slow')
  t.equal(await read(clientOf(t, bmc, { suite: 3, connectMs: 20_000, exchangeMs: 20_000 })), 'off')
  t.ok(sim.calls().filter(call => call === 'get power').length >= 3, 'it has carried out every repetition of a read')
  t.strictSame(sim.commands(), ['set power 0'], 'of the command there was none')
})

t.test('go-ipmi: a bad way', { timeout: 150_000 }, async t => {
  const found = programsOf(t, 'ipmi-farm')
  if (!found) return
  for (const suite of [3, 17] as const) {
    await t.test(`10 % lost each way, every answer twice, suite ${suite}`, async t => {
      const bmcs = await farm(t, found, { count: 40 })
      const ports = systemPorts()
      await Promise.all(bmcs.map((bmc, index) => bmc.set({ loss: 0.1, dup: 1, on: index % 2 === 0 })))
      const reads = await Promise.all(
        bmcs.map(async bmc => {
          const client = clientOf(t, farmed(bmc), { suite }, ports)
          const power = await read(client)
          await client.close({ confirmed: false })
          return power
        }),
      )
      t.strictSame(
        reads,
        bmcs.map((_, index) => (index % 2 === 0 ? 'on' : 'off')),
        'all of them, and all right',
      )
    })
    await t.test(`one bit in 5 % of all answers flipped, suite ${suite}`, async t => {
      const bmcs = await farm(t, found, { count: 40, sessions: 32 })
      const ports = systemPorts()
      await Promise.all(bmcs.map((bmc, index) => bmc.set({ flip: 0.05, on: index % 2 === 0 })))
      const wrong: string[] = []
      let right = 0
      await Promise.all(
        bmcs.map(async (bmc, index) => {
          for (let round = 0; round < 3; round++) {
            const client = clientOf(t, farmed(bmc), { suite }, ports)
            const power = await read(client).catch(() => undefined)
            await client.close({ confirmed: false })
            if (power === (index % 2 === 0 ? 'on' : 'off')) right++
            else if (power !== undefined) wrong.push(`${index}: ${power}`)
          }
        }),
      )
      t.strictSame(wrong, [], 'never read wrongly')
      t.ok(right >= 100, `${right} of 120 read`)
    })
    await t.test(`off through it all, confirmed by reading, suite ${suite}`, async t => {
      const bmcs = await farm(t, found, { count: 20, sessions: 32 })
      const ports = systemPorts()
      await Promise.all(bmcs.map(bmc => bmc.set({ loss: 0.1, dup: 0.5, offMs: 300 })))
      await Promise.all(
        bmcs.map(async bmc => {
          const client = clientOf(t, farmed(bmc), { suite, exchangeMs: 2_000 }, ports)
          const reply = await command(client, 'down')
          if (reply.kind !== 'answered') {
            // Settled first, then read: and only a read of the contrary would allow a second one.
            t.equal(reply.kind, 'unanswered')
            await client.close({ confirmed: true })
          }
          const { controls } = await bmc.state()
          t.ok(controls === 1 || (controls === 0 && reply.kind === 'unanswered'), `${reply.kind}: ${controls} commands arrived`)
          if (controls === 0) return
          const reader = clientOf(t, farmed(bmc), { suite }, ports)
          await readUntil(reader, 'off')
          t.equal((await bmc.state()).on, false, 'off is off')
        }),
      )
    })
  }
  await t.test('a BMC that starts again forgets its sessions', async t => {
    const [one] = await farm(t, found)
    if (!one) return
    const bmc = farmed(one)
    const client = clientOf(t, bmc, { suite: 17, exchangeMs: 700 })
    await named(client)
    const before = client.facts?.sessionName
    await one.reset()
    t.match(await once(client, 'down'), { kind: 'unanswered' }, 'no new log-in for a command')
    t.equal((await one.state()).controls, 0)
    t.equal(await read(client), 'on', 'for a read there is')
    t.not(client.facts?.sessionName, before)
    t.match(await once(client, 'down'), { kind: 'unsent' }, 'the session that was named is gone')
    t.equal((await one.state()).controls, 0)
  })
  await t.test('another machine behind the same address', async t => {
    const [one] = await farm(t, found)
    if (!one) return
    const client = clientOf(t, farmed(one), { suite: 17 })
    await client.open()
    t.equal(client.facts?.guid.toString('hex'), one.guid)
    await client.close({ confirmed: true })
    await one.set({ guid: 'ffeeddccbbaa99887766554433221100' })
    const next = clientOf(t, farmed(one), { suite: 17 })
    await next.open()
    t.equal(next.facts?.guid.toString('hex'), 'ffeeddccbbaa99887766554433221100', 'is seen in every log-in')
  })
})
