import t, { type Test } from 'tap'
import type { DriverContext } from '../../src/core/driver.ts'
import { DriverError } from '../../src/core/errors.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import { ipmi } from '../../src/drivers/ipmi.ts'
import { type PeerBmc, STACKS, type Stack } from './ipmi-stacks.ts'

// The driver with BMCs that were not written here.

const signal = new AbortController().signal
const later = (): number => performance.now() + 15_000

function contextOf(bmc: PeerBmc, password = bmc.password, limits: Partial<DriverContext['limits']> = {}): DriverContext {
  return {
    clock: { now: () => Date.now(), mono: () => performance.now(), sleep: async () => undefined },
    limits: { ...RULES.exchange, ...limits },
    credential: async () => ({ username: 'admin', password: new Secret(password) }),
  }
}

function deviceOf(bmc: PeerBmc, changes: Partial<Device> = {}): Device {
  const basic = { name: 'bmc', driver: 'ipmi', address: bmc.address, endpoint: ipmi().endpoint(bmc.address), tls: { mode: 'pin' } } as const
  return { ...basic, status: 'unverified', createdAt: new Date(0).toISOString(), revision: 1, ...changes }
}

async function driverAt(t: Test, { name, suite, start }: Stack): Promise<void> {
  const bmc = await start(t)
  if (!bmc) return
  const sim = name === 'ipmi_sim'
  const driver = ipmi()
  const device = deviceOf(bmc, suite === 3 && !sim ? { ipmi: { cipherSuite: '3' } } : {})
  const context = contextOf(bmc)

  await t.test('probe', async t => {
    const probe = await driver.probe(device, context, signal)
    t.match(probe, { power: 'on', hardware: { guid: bmc.guid }, cipherSuite: suite, refusals: [], restorePolicy: null })
    t.ok(probe.commands.off && probe.commands.on)
    const zero = probe.offers.find(({ name }) => name === 'cipher suite 0')
    t.match(zero, sim ? { use: 'refused', reason: /no password/ } : undefined)
    t.equal(probe.offers.find(({ use, name }) => use === 'used' && name.startsWith('cipher suite'))?.name, `cipher suite ${suite}`)
    t.equal(await bmc.commands(), 0, 'nothing was switched')
  })
  await t.test('off and on', async t => {
    await bmc.slow(300)
    const session = driver.open(device, context)
    const first = await session.observe(signal)
    t.match(first, { power: 'on', hardware: { guid: bmc.guid }, cipherSuite: suite, witnesses: [] })
    for (const power of ['off', 'on'] as const) {
      t.equal((await session.ticket(signal)).id, first.session)
      t.match(await session.request(power, signal, later()), { kind: 'answered', accepted: true })
      t.not((await session.observe(signal)).power, power, 'accepted is not done')
      let seen = await session.observe(signal)
      while (seen.power !== power) seen = await session.observe(signal)
      t.equal(await bmc.power(), power)
    }
    t.equal(await bmc.commands(), 2)
    t.equal(await session.setRestorePolicy('on', signal), null, 'neither BMC can be told')
    t.equal(await session.close(), 'closed')
  })
  await t.test('another process closes the session', async t => {
    const session = driver.open(device, contextOf(bmc, bmc.password, { exchangeMs: 900 }))
    const { closing } = await session.ticket(signal)
    if (closing === null) throw new Error('no ticket')
    const commands = await bmc.commands()
    t.equal(await ipmi().closeSession(device, closing, context, signal), 'closed')
    t.match(await session.request('off', signal, later()), { kind: 'unanswered' })
    t.equal(await bmc.commands(), commands, 'the late hand has no effect')
    await session.close()
  })
  await t.test('a BMC that answers 0xFF, and does nothing', async t => {
    const refusing = await start(t)
    if (!refusing) return
    await refusing.refuse()
    const session = driver.open(deviceOf(refusing), contextOf(refusing))
    await session.ticket(signal)
    t.match(await session.request('off', signal, later()), { kind: 'answered', raw: /0xff/ })
    t.match(await session.observe(signal), { power: 'on' }, 'only the read counts')
    t.equal(await session.close(), 'closed')
  })
  await t.test('a wrong password', async t => {
    const session = driver.open(device, contextOf(bmc, 'wrong'))
    const error = await session.observe(signal).catch((error: unknown) => error)
    if (!(error instanceof DriverError)) throw new Error('no DriverError')
    t.match({ code: error.code, logIns: error.facts.logIns }, { code: 'auth_failed', logIns: 2 })
    t.notMatch(error.message, bmc.password)
    await session.close()
  })
}

t.jobs = 2
for (const stack of STACKS) t.test(`driver: ${stack.name}, suite ${stack.suite}`, { timeout: 120_000 }, t => driverAt(t, stack))
