import t, { type Test } from 'tap'
import type { Driver, DriverContext } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import type { Device } from '../../src/core/topology.ts'

/** A device under a driver's test: the device itself, what truly happens to it, and the ways in which it can misbehave. */
export interface Rig {
  device: Device
  context: DriverContext
  /** What the machine truly is. */
  truth(): string
  /** Power commands that reached the device. */
  received(): number
  /** Log-ins that reached the device. */
  logIns(): number
  /** Sessions open at the device. */
  sessions(): number
  /** From now on the device takes requests and never answers; commands are carried out all the same. */
  silence(): void
  /** From now on commands are answered well and not carried out. */
  ignore(): void
  /** Commands are refused because the machine is in that state already. */
  refuse(): void
  /** The device forgets every session. */
  loseSessions(): void
  /** The power reads as this, whatever is true; absent where the protocol has no words for it but on and off. */
  lie?(value: string | number | null): void
  /** Another machine answers at the address. */
  swap(): void
  /** The credential is wrong. */
  lockOut(): void
  /** No fault any more. */
  heal(): void
  /** The power as if somebody pressed the button. */
  press(state: 'on' | 'off'): void
  /** A request over a lost session gets no answer at all, instead of a refusal. */
  losesInSilence?: true
  /** How often a wrong credential is tried before it is believed to be wrong; default once. */
  logInTries?: number
}

/**
 * What every driver promises, tried against a device that can misbehave. Each driver's test calls it once; `rig` starts a fresh device that is on,
 * with short limits, and ends it with the test.
 */
export function driverContract(name: string, driver: Driver, rig: (t: Test) => Promise<Rig>): void {
  const signal = new AbortController().signal
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'no failure',
      (error: unknown) => (error instanceof DriverError ? error.code : `not a DriverError: ${String(error)}`),
    )
  const open = async (t: Test) => {
    const device = await rig(t)
    const session = driver.open(device.device, device.context)
    t.teardown(() => session.close())
    return { device, session }
  }

  t.test(`${name}: driver contract`, async t => {
    await t.test('addresses', async t => {
      const { device } = await rig(t)
      t.ok(driver.endpoint(device.address))
      for (const address of ['', 'nonsense', 'gopher://x', 'https://user:secret@host']) {
        t.equal(await codeOf((async () => driver.endpoint(address))()), 'bad_address', `refused: "${address}"`)
      }
    })

    await t.test('a probe tells identity, power and commands, and leaves no session', async t => {
      const { device, context, sessions, received } = await rig(t)
      const probe = await driver.probe(device, context, signal)
      t.equal(probe.power, 'on')
      t.ok(probe.hardware.uuid ?? probe.hardware.serial)
      t.ok(probe.commands.off)
      t.ok(probe.commands.on)
      t.same(probe.refusals, [])
      t.equal(sessions(), 0)
      t.equal(received(), 0, 'nothing was switched')
    })

    await t.test('off and on, each sent once', async t => {
      const { device, session } = await open(t)
      const first = await session.observe(signal)
      t.match(first, { power: 'on', device: device.device.name })
      t.equal((await session.ticket(signal)).id, first.session, 'the command goes over the session that was read over')
      t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'answered', accepted: true })
      t.match(await session.observe(signal), { power: 'off' })
      await session.ticket(signal)
      t.match(await session.request('on', signal, Number.POSITIVE_INFINITY), { kind: 'answered', accepted: true })
      t.match(await session.observe(signal), { power: 'on' })
      t.equal(device.received(), 2)
      t.equal(device.logIns(), 1)
      t.equal(await session.close(), 'closed')
      t.equal(device.sessions(), 0)
    })

    await t.test('without a ticket nothing is sent', async t => {
      const { device, session } = await open(t)
      await session.observe(signal)
      t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'unsent' })
      t.equal(device.received(), 0)
    })

    await t.test('a command whose time to live is over is not sent (S3)', async t => {
      const { device, session } = await open(t)
      await session.ticket(signal)
      const now = device.context.clock.mono()
      for (const expiresAtMono of [now - 60_000, now]) {
        t.match(await session.request('off', signal, expiresAtMono), { kind: 'unsent' })
      }
      t.equal(device.received(), 0)
      t.equal(device.truth(), 'on')
    })

    await t.test('accepted is not off, refused may be', async t => {
      const { device, session } = await open(t)
      await session.ticket(signal)
      device.ignore()
      t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'answered', accepted: true })
      t.match(await session.observe(signal), { power: 'on' })
      device.heal()
      device.press('off')
      device.refuse()
      t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'answered', accepted: false })
      t.match(await session.observe(signal), { power: 'off' })
    })

    await t.test('only exact words count', async t => {
      const { device, session } = await open(t)
      if (device.lie === undefined) return t.pass('this protocol has no words')
      for (const value of [null, 7, 'off', 'OFF ', 'Standby', '']) {
        device.lie(value)
        t.match(await session.observe(signal), { power: 'unknown' }, JSON.stringify(value))
        device.heal()
      }
      return undefined
    })

    await t.test('silence: a command is unanswered and not repeated, a read fails', async t => {
      const { device, session } = await open(t)
      await session.ticket(signal)
      device.silence()
      t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'unanswered' })
      t.ok(device.received() <= 1)
      t.equal(await codeOf(session.observe(signal)), 'unreachable')
      device.heal()
      await session.observe(signal)
      t.ok(device.received() <= 1)
    })

    await t.test('a lost session: reads log in again, commands do not', async t => {
      const { device, session } = await open(t)
      const { id } = await session.ticket(signal)
      device.loseSessions()
      const reply = device.losesInSilence ? { kind: 'unanswered' } : { kind: 'answered', accepted: false }
      t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), reply)
      t.equal(device.truth(), 'on')
      t.equal(device.logIns(), 1, 'the command did not log in')
      const again = await session.observe(signal)
      t.equal(again.power, 'on')
      t.not(again.session, id, 'told by another name')
      t.equal(device.logIns(), 2)
      const before = device.received()
      t.match(
        await session.request('off', signal, Number.POSITIVE_INFINITY),
        { kind: 'unsent' },
        'and nothing goes over another session than the one named',
      )
      t.equal(device.received(), before)
    })

    await t.test("another process closes the session with nothing but its ticket: the first one's late hand is void", async t => {
      const { device, session } = await open(t)
      const { closing } = await session.ticket(signal)
      if (closing === null) return t.pass('this driver has no sessions that can be closed')
      t.equal(await driver.closeSession(device.device, closing, device.context, signal), 'closed')
      await session.request('off', signal, Number.POSITIVE_INFINITY)
      t.equal(device.truth(), 'on')
      t.equal(await driver.closeSession(device.device, closing, device.context, signal), 'closed', 'closing what is gone is closed')
      device.silence()
      t.equal(await driver.closeSession(device.device, closing, device.context, signal), 'unknown', 'silence is not')
      return undefined
    })

    await t.test('identity is read with every observation', async t => {
      const { device, session } = await open(t)
      const before = await session.observe(signal)
      device.swap()
      t.notSame((await session.observe(signal)).hardware, before.hardware)
    })

    await t.test('a wrong credential is not tried again and again', async t => {
      const { device, session } = await open(t)
      device.lockOut()
      t.equal(await codeOf(session.observe(signal)), 'auth_failed')
      t.ok(device.logIns() <= (device.logInTries ?? 1))
      t.equal(await codeOf(session.ticket(signal)), 'auth_failed')
      t.match(await session.request('off', signal, Number.POSITIVE_INFINITY), { kind: 'unsent' })
    })

    await t.test('aborted: reads fail, commands are unanswered or unsent', async t => {
      const { device, session } = await open(t)
      await session.ticket(signal)
      t.not(await codeOf(session.observe(AbortSignal.abort())), 'no failure')
      t.match(await session.request('off', AbortSignal.abort(), Number.POSITIVE_INFINITY), { kind: 'unsent' })
      t.equal(device.received(), 0)
    })
  })
}
