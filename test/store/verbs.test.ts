import fc from 'fast-check'
import t from 'tap'
import type { Documents } from '../../src/core/documents.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { fence, histories, type VerbStep } from './histories.ts'
import { backends, eventually, openOn } from './support.ts'
import { World } from './world.ts'

/** How often which verb did what, over all histories: a comparison of nothing but refusals would prove little. */
const outcomes = new Map<string, number>()

function count(step: VerbStep, found: unknown): void {
  const outcome = JSON.stringify(found).match(/"(?:code|outcome|kind|lost)":"([a-z_-]+)"/)?.[1] ?? 'done'
  outcomes.set(`${step.verb} ${outcome}`, (outcomes.get(`${step.verb} ${outcome}`) ?? 0) + 1)
}

/** Runs the same history on the model and on a server and answers where they part; undefined: nowhere. */
async function parting(documents: Documents, history: VerbStep[]): Promise<unknown> {
  const [model, server] = [new World(new MemoryStore({ now: () => Date.now() })), new World(documents)]
  for (const [at, step] of history.entries()) {
    const [expected, found] = [await model.run(step), await server.run(step)]
    if (JSON.stringify(expected) !== JSON.stringify(found)) return { at, step, expected, found }
    count(step, found)
  }
  const [expected, found] = [await model.everything(), await server.everything()]
  if (JSON.stringify(expected) !== JSON.stringify(found)) return { at: 'the end', expected, found }
  await eventually('all signals arrive', () => server.signals.length >= model.signals.length)
  if (JSON.stringify(model.signals) !== JSON.stringify(server.signals))
    return { at: 'signals', expected: model.signals, found: server.signals }
  return undefined
}

for (const backend of await backends(t)) {
  t.test(`${backend.name}: the verbs do what they do on the model: a fence and a reboot`, async t => {
    const store = await openOn(backend)
    t.teardown(() => store.close())
    t.equal(await parting(store, fence), undefined)
    for (const outcome of [
      'accept joined',
      'accept idempotency_key_reused',
      'accept held',
      'take parked',
      'cancel no_change',
      'conclude intent-open',
      'conclude changed',
    ]) {
      t.ok(outcomes.has(outcome), `${outcome}, as it should`)
    }
  })

  t.test(`${backend.name}: the verbs do what they do on the model: random histories`, async t => {
    await fc.assert(
      fc.asyncProperty(histories, async history => {
        const store = await openOn(backend)
        try {
          const found = await parting(store, history)
          if (found !== undefined) throw new Error(JSON.stringify(found, null, 1))
        } finally {
          await store.close()
        }
      }),
      { numRuns: 40 },
    )
    t.pass('40 histories')
  })
}

t.test('the histories reach what matters', async t => {
  t.comment(Object.fromEntries([...outcomes].sort()))
  for (const verb of [
    'accept',
    'take',
    'renew',
    'release',
    'intend',
    'settle',
    'record',
    'conclude',
    'releaseHold',
    'cancel',
    'notePolicy',
    'observeHold',
  ]) {
    t.ok(
      [...outcomes.keys()].some(key => key.startsWith(`${verb} `)),
      verb,
    )
  }
})
