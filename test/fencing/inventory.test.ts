import t, { type Test } from 'tap'
import type { Credential, Driver, Probe } from '../../src/core/driver.ts'
import { DriverError, type SafestateError } from '../../src/core/errors.ts'
import type { DeviceInput } from '../../src/core/gateway.ts'
import { RULES } from '../../src/core/rules.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Device } from '../../src/core/topology.ts'
import type { Vault } from '../../src/core/vault.ts'
import {
  addDevice,
  changeDevice,
  type InventoryParts,
  probeDevice,
  setCredential,
  storedCredential,
  verify,
} from '../../src/fencing/inventory.ts'
import { Breaker } from '../../src/queue/log-ins.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { createReads, createStore } from '../../src/store/verbs/index.ts'

const vault: Vault = { keyId: 'k', seal: (_subject, secret) => secret.reveal(), open: (_subject, envelope) => new Secret(envelope) }

const PROBE: Probe = {
  hardware: { uuid: '4c4c4544-0051-3610-8052-b4c04f4d3532' },
  power: 'on',
  product: 'fake',
  systemId: '',
  others: [],
  commands: { on: 'up', off: 'down' },
  refusals: [],
  witnesses: [],
  session: 'session',
  offers: [],
  restorePolicy: 'previous',
  warnings: [],
}

/** An inventory with one driver each, whose BMCs take the password `right` only. */
function make() {
  const time = { ms: 1_800_000_000_000 }
  const clock = { now: () => time.ms, mono: () => time.ms, sleep: async () => undefined }
  const documents = new MemoryStore({ now: () => time.ms })
  const reads = createReads(documents)
  const state: { logIns: number; seen: Credential[]; probe: Partial<Probe> } = { logIns: 0, seen: [], probe: {} }
  const driver = (kind: 'redfish' | 'ipmi'): Driver => ({
    kind,
    mechanism: 'direct',
    title: kind,
    endpoint: address => address.replace(/^.*:\/\//, ''),
    ...(kind === 'ipmi' ? { checkCredential } : {}),
    open: () => {
      throw new Error('not needed')
    },
    probe: async (_device, context) => {
      const credential = await context.credential()
      state.logIns++
      state.seen.push(credential)
      if (credential.password.reveal() !== 'right') throw new DriverError('auth_failed', 'wrong password')
      context.loggedIn?.()
      return { ...PROBE, ...state.probe }
    },
    closeSession: async () => 'closed',
  })
  const drivers = [driver('redfish'), driver('ipmi')]
  let ids = 0
  const parts: InventoryParts = {
    store: createStore(documents, { rules: RULES, newId: () => `id-${++ids}` }),
    reads,
    vault,
    rules: RULES,
    clock,
    drivers,
    changed: () => undefined,
    logIns: new Breaker({ clock, rules: RULES }),
  }
  return { parts, state, time }
}

function checkCredential({ password }: Credential): void {
  if (Buffer.byteLength(password.reveal()) <= 20) return
  throw new DriverError('bad_credential', 'too long', { errors: [{ field: 'password', message: 'too long' }] })
}

const input = (changes: Partial<DeviceInput> = {}): DeviceInput => ({
  name: 'i1',
  driver: 'ipmi',
  address: 'ipmi://10.0.0.1',
  username: 'fence',
  password: new Secret('right'),
  ...changes,
})

async function refusal(t: Test, work: Promise<unknown>): Promise<[string, (string | undefined)[]]> {
  const error = await work.then(
    () => t.fail('refused'),
    (reason: SafestateError) => reason,
  )
  const { code, facts } = error as SafestateError
  return [code, (facts.errors ?? []).map(({ field }) => field)]
}

t.test('an IPMI device is registered with its settings, its key sealed with the password, and the suite that worked', async t => {
  const { parts, state } = make()
  state.probe = { cipherSuite: 17 }
  const ipmi = { cipherSuite: 'auto', privilege: 'administrator' } as const
  const { device } = await addDevice(parts, input({ ipmi, kg: new Secret('bmc key') }))
  t.match(device, { ipmi, cipherSuite: 17, status: 'verified', endpoint: '10.0.0.1' })
  t.notMatch(JSON.stringify(device), /right|bmc key/)
  const stored = await storedCredential(parts, 'i1')()
  t.equal(stored.kg?.reveal(), 'bmc key')
  await setCredential(parts, 'i1', { username: 'u', password: new Secret('p') })
  t.equal((await storedCredential(parts, 'i1')()).kg, undefined, 'replaced as a whole')
})

t.test('settings of one protocol are refused for another, by field', async t => {
  const { parts, state } = make()
  t.same(await refusal(t, addDevice(parts, input({ tls: { mode: 'pin' }, systemId: '1' }))), ['bad_request', ['tls', 'systemId']])
  const redfish = { driver: 'redfish', address: 'https://10.0.0.1' } as const
  const foreign = addDevice(parts, input({ ...redfish, kg: new Secret('k'), ipmi: {} }))
  t.same(await refusal(t, foreign), ['bad_request', ['ipmi', 'kg']])
  t.equal(state.logIns, 0, 'nothing was contacted')
  await addDevice(parts, input({ ...redfish, name: 'r1' }))
  t.same(await refusal(t, changeDevice(parts, 'r1', 1, { ipmi: { cipherSuite: '3' } })), ['bad_request', ['ipmi']])
  t.same(await refusal(t, setCredential(parts, 'r1', { username: 'u', password: new Secret('p'), kg: new Secret('k') })), [
    'bad_request',
    ['kg'],
  ])
})

t.test('what the protocol can not carry is refused at registration and later, before anything is contacted', async t => {
  const { parts, state } = make()
  const password = new Secret('x'.repeat(21))
  t.same(await refusal(t, addDevice(parts, input({ password }))), ['bad_credential', ['password']])
  t.equal(state.logIns, 0)
  await addDevice(parts, input())
  t.same(await refusal(t, setCredential(parts, 'i1', { username: 'u', password })), ['bad_credential', ['password']])
  t.equal((await storedCredential(parts, 'i1')()).password.reveal(), 'right', 'the old one stays')
})

t.test('registration and probe share the breaker of the account with everybody else', async t => {
  const { parts, state, time } = make()
  const wrong = new Secret('wrong')
  t.equal((await refusal(t, addDevice(parts, input({ password: wrong }))))[0], 'auth_failed')
  t.equal((await refusal(t, addDevice(parts, input({ name: 'i2', password: wrong }))))[0], 'auth_failed')
  t.equal(state.logIns, 2)
  t.equal((await refusal(t, addDevice(parts, input({ name: 'i3' }))))[0], 'auth_failed', 'not even with the right one')
  t.equal((await refusal(t, addDevice(parts, input({ driver: 'redfish', address: 'https://10.0.0.1' }))))[0], 'auth_failed')
  t.equal(state.logIns, 2, 'the BMC saw none of these')
  await addDevice(parts, input({ name: 'other', address: 'ipmi://10.0.0.2' }))
  t.equal(state.logIns, 3, 'another BMC is')
  time.ms += RULES.login.windowMs
  state.probe = { hardware: { uuid: 'another' } }
  await addDevice(parts, input())
  t.equal(state.logIns, 4)
  await setCredential(parts, 'i1', { username: 'fence', password: wrong })
  const probe = () => refusal(t, probeDevice(parts, 'i1', new AbortController().signal))
  for (let i = 0; i < 4; i++) t.equal((await probe())[0], 'auth_failed')
  t.equal(state.logIns, 5, 'the last is kept for the password that worked')
})

t.test('a registration with a typing error leaves the account to the device that works', async t => {
  const { parts, state } = make()
  await addDevice(parts, input())
  for (const password of ['typo', 'rihgt', 'wrong']) {
    const adding = addDevice(parts, input({ name: 'new', driver: 'redfish', address: 'https://10.0.0.1', password: new Secret(password) }))
    t.equal((await refusal(t, adding))[0], 'auth_failed')
  }
  t.equal(state.logIns, 2, 'tried once')
  await probeDevice(parts, 'i1', new AbortController().signal)
  t.equal(state.logIns, 3)
})

t.test('the second protocol of a machine is registered with a word about it', async t => {
  const { parts } = make()
  await addDevice(parts, input({ name: 'r1', driver: 'redfish', address: 'https://10.0.0.9' }))
  const { device, warnings } = await addDevice(parts, input())
  t.equal(device.endpoint, '10.0.0.9')
  t.match(warnings, [/take turns as 10\.0\.0\.9/])
})

t.test('a registration leaves a log-in to the devices that are there, whatever this process knows of them', async t => {
  const { parts, state } = make()
  await addDevice(parts, input())
  const restarted = { ...parts, logIns: new Breaker({ clock: parts.clock, rules: RULES }) }
  for (const name of ['i2', 'i3']) await refusal(t, addDevice(restarted, input({ name, password: new Secret('wrong') })))
  t.equal(state.logIns, 2, 'tried once')
  await probeDevice(restarted, 'i1', new AbortController().signal)
})

t.test('a device that can not join its machine now is registered unverified, with a word about it', async t => {
  const { parts, state } = make()
  state.probe = { hardware: { uuid: 'one' } }
  await addDevice(parts, input({ name: 'i1', address: 'ipmi://10.0.0.9' }))
  state.probe = { hardware: { uuid: 'two' } }
  await addDevice(parts, input({ name: 's2', driver: 'redfish', address: 'https://10.0.0.1' }))
  const taken = await parts.store.take({ jobId: 'j', actor: 'p/1', endpoints: ['10.0.0.1'], urgency: 0, preemptible: false })
  state.probe = { hardware: { uuid: 'one' } }
  const { device, warnings } = await addDevice(parts, input({ name: 's1', driver: 'redfish', address: 'https://10.0.0.1' }))
  t.match(device, { status: 'unverified', endpoint: '10.0.0.1' })
  t.equal(device.hardware, undefined)
  t.match(warnings, [/unverified.*10\.0\.0\.1 and 10\.0\.0\.9 lead to one machine.*somebody is talking to it/])
  if (taken.kind === 'taken') await parts.store.release({ id: 'p/1', jobId: 'j', leases: taken.leases })
})

t.test('log-ins at a host that joined another count where those of the machine do', async t => {
  const { parts, state } = make()
  await addDevice(parts, input({ name: 'r1', driver: 'redfish', address: 'https://10.0.0.9' }))
  await addDevice(parts, input())
  const wrong = new Secret('wrong')
  await refusal(t, addDevice(parts, input({ name: 'r2', driver: 'redfish', address: 'https://10.0.0.9', password: wrong })))
  t.equal(state.logIns, 3)
  await refusal(t, addDevice(parts, input({ name: 'i2', password: wrong })))
  t.equal(state.logIns, 3, 'one failed under the other name')
})

t.test('only a person lets a device go below the suite that it spoke', async t => {
  const { parts, state } = make()
  state.probe = { cipherSuite: 17 }
  const { device } = await addDevice(parts, input())
  t.equal(verify(device, { ...PROBE, cipherSuite: 3 }).cipherSuite, 17, 'no read does')
  t.equal(verify({ ...device, cipherSuite: 3 }, { ...PROBE, cipherSuite: 17 }).cipherSuite, 17)
  t.equal(verify(device, PROBE).cipherSuite, 17)
  const moved: Device = await changeDevice(parts, 'i1', 1, { address: 'ipmi://10.0.0.5', ipmi: { privilege: 'administrator' } })
  t.match(moved, { cipherSuite: 17, endpoint: '10.0.0.5', ipmi: { privilege: 'administrator' } }, 'nor another setting')
  const lowered = await changeDevice(parts, 'i1', 2, { ipmi: { cipherSuite: '3' } })
  t.equal(lowered.cipherSuite, undefined)
})
