import t from 'tap'
import { isTerminal } from '../../src/core/job.ts'
import type { Rules } from '../../src/core/rules.ts'
import { isBlind, World, type WorldOptions } from './world.ts'

/** Shorter waits, so that many worlds can be played; nothing here depends on how long they are. */
const short = (rules: Rules): Rules => ({
  ...rules,
  powerOnDelayMs: 5_000,
  powerOffDelayMs: 5_000,
  confirm: { ...rules.confirm, foundOffDwellMs: 5_000 },
})

const make = (options: WorldOptions = {}) => World.make({ ...options, rules: short })

t.setTimeout(240_000)

/** The gates that a gateway comes by while it works on this. */
async function gatesOf(act: (world: World) => Promise<unknown>): Promise<string[]> {
  const world = await make()
  const labels: string[] = []
  world.gateway().onGate = label => labels.push(label)
  await act(world)
  await world.time.run(200_000, () => world.jobs().length > 0 && world.jobs().every(job => isTerminal(job.state)))
  return labels
}

/** What must be true however the process was interrupted. Undefined: all is well. */
async function wrong(world: World, action: 'off' | 'reboot', id: string): Promise<string | undefined> {
  const job = await world.ended(id, 400_000)
  if (!isTerminal(job.state)) return `never ended: ${job.state} ${job.phase}`
  if (job.state !== 'succeeded') return `${job.failure?.code}: ${job.failure?.message}`
  if (isBlind(job, 'off') || isBlind(job, 'on')) return 'a command was sent again in the dark'
  const receipts = world.receipts().filter(({ jobId }) => jobId === id)
  if (receipts.length !== 1) return `${receipts.length} receipts`
  if (action === 'off') {
    if (world.isOn()) return 'the node is on'
    const on = await world.release('A')
    if (!on) return 'no on was owed'
    await world.ended(on.id)
  }
  await world.settle()
  if (world.openIntents() > 0) return 'an intent is left open'
  const errors = world.gateways.flatMap(gateway => gateway.errors.map(String))
  return [...world.violations, ...errors][0]
}

for (const action of ['off', 'reboot'] as const) {
  const ask = (world: World) => world.post(action, { holder: 'A' })

  t.test(`${action}: the process dies at any moment, and another finishes the job, once`, async t => {
    const gates = await gatesOf(ask)
    t.ok(gates.filter(label => label.startsWith('after store.')).length > 20, `${gates.length} places to die at`)
    const failures: string[] = []
    for (const [place, label] of gates.entries()) {
      // Between two steps that nobody sees, dying sooner or later is the same.
      if (!label.startsWith('after store.') && !label.includes('driver.request') && !label.includes('signer')) continue
      const world = await make()
      const first = world.gateway()
      first.onGate = (_, count) => {
        if (count === place + 1) first.kill()
      }
      const { job } = await ask(world)
      await world.time.run(1_000)
      await world.startGateway()
      const found = await wrong(world, action, job.id)
      if (found) failures.push(`${place} ${label}: ${found}`)
    }
    t.same(failures, [])
  })

  t.test(`${action}: the process is stopped at any moment, another takes over, and it wakes up`, async t => {
    const gates = await gatesOf(ask)
    const failures: string[] = []
    for (const [place, label] of gates.entries()) {
      // The read after a step is where it is taken up again: the steps themselves are enough.
      if (!/store|driver|signer/.test(label) || (action === 'reboot' && place % 3 > 0)) continue
      const world = await make({ gateways: 2 })
      const [first, second] = [world.gateway(0), world.gateway(1)]
      second.stop()
      first.onGate = (_, count) => {
        if (count !== place + 1) return
        first.stop()
        second.resume()
        world.time.after(9_000, () => first.resume())
      }
      const { job } = await ask(world)
      const found = await wrong(world, action, job.id)
      if (found) failures.push(`${place} ${label}: ${found}`)
    }
    t.same(failures, [])
  })
}

t.test('off: the process dies at any moment of an exchange that is not answered', async t => {
  const fail = (world: World) => world.bmc().commandFaults.off.push({ reply: 'lost', arriveMs: 8_000 })
  const gates = await gatesOf(async world => {
    fail(world)
    return world.off('A')
  })
  const failures: string[] = []
  for (const [place, label] of gates.entries()) {
    if (!label.startsWith('after store.') && !label.includes('driver.')) continue
    const world = await make()
    fail(world)
    const first = world.gateway()
    first.onGate = (_, count) => {
      if (count === place + 1) first.kill()
    }
    const { job } = await world.off('A')
    await world.time.run(3_000)
    await world.startGateway()
    const found = await wrong(world, 'off', job.id)
    if (found) failures.push(`${place} ${label}: ${found}`)
  }
  t.same(failures, [])
})
