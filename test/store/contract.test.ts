import fc from 'fast-check'
import t from 'tap'
import type { Documents, PlacedEvent } from '../../src/core/documents.ts'
import { MemoryData, MemoryStore } from '../../src/store/memory.ts'
import { Cursors, everything, run, type Step, scripted, steps } from './contract.ts'
import { backends, eventually, newPrefix, openOn, type Test } from './support.ts'

const clock = { now: () => Date.now() }

/** A store and a way to open the same one again, as another process would. */
interface Subject {
  name: string
  open(t: Test): Promise<{ store: Documents; again(): Promise<Documents> }>
}

const servers = await backends(t)
const subjects: Subject[] = [
  {
    name: 'memory',
    async open() {
      const data = new MemoryData()
      return { store: new MemoryStore(clock, data), again: async () => new MemoryStore(clock, data) }
    },
  },
  ...servers.map(
    (backend): Subject => ({
      name: backend.name,
      async open(t) {
        const prefix = newPrefix()
        const again = async (): Promise<Documents> => {
          const store = await openOn(backend, prefix, { random: () => 0.1 })
          t.teardown(() => store.close())
          return store
        }
        return { store: await again(), again }
      },
    }),
  ),
]

/** Runs the same steps on the model and on a server and answers where they part; undefined: nowhere. */
async function parting(store: Documents, sequence: Step[]): Promise<unknown> {
  const model = new MemoryStore(clock)
  const [modelCursors, storeCursors] = [new Cursors(), new Cursors()]
  for (const [at, step] of sequence.entries()) {
    const [expected, found] = [await run(model, modelCursors, step), await run(store, storeCursors, step)]
    if (!same(expected, found)) return { at, step, expected, found }
  }
  const [expected, found] = [await everything(model, modelCursors), await everything(store, storeCursors)]
  return same(expected, found) ? undefined : { at: 'the end', expected, found }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

for (const backend of servers) {
  t.test(`${backend.name} does what the model does, step by step: by hand`, async t => {
    const store = await openOn(backend)
    t.teardown(() => store.close())
    t.equal(await parting(store, scripted), undefined)
  })

  t.test(`${backend.name} does what the model does, step by step: at random`, async t => {
    let transactions = 0
    await fc.assert(
      fc.asyncProperty(steps, async sequence => {
        const store = await openOn(backend)
        try {
          transactions += sequence.filter(step => step.call === 'transact').length
          const found = await parting(store, sequence)
          if (found !== undefined) throw new Error(JSON.stringify(found, null, 1))
        } finally {
          await store.close()
        }
      }),
      { numRuns: 60 },
    )
    t.ok(transactions > 100, `${transactions} transactions compared`)
  })
}

for (const { name, open } of subjects) {
  t.test(`${name}: increments by more than there are tries, all at once, lose none`, async t => {
    const { store, again } = await open(t)
    const other = await again()
    const each = 250
    await Promise.all(
      Array.from({ length: each }, (_, i) =>
        (i % 2 ? store : other).transact(async tx => tx.put('count', 'a', ((await tx.get<number>('count', 'a')) ?? 0) + 1)),
      ),
    )
    t.equal(await store.get('count', 'a'), each)
  })

  t.test(`${name}: money moved between documents is never seen in two places or none`, async t => {
    const { store, again } = await open(t)
    const other = await again()
    await store.transact(async tx => {
      tx.put('purse', 'a', 100)
      tx.put('purse', 'b', 0)
    })
    let moving = true
    const mover = (async () => {
      for (let i = 0; i < 60; i++) {
        await other.transact(async tx => {
          const [a = 0, b = 0] = [await tx.get<number>('purse', 'a'), await tx.get<number>('purse', 'b')]
          tx.put('purse', 'a', a - 1)
          tx.put('purse', 'b', b + 1)
        })
      }
      moving = false
    })()
    const sums = new Set<number>()
    const errors: unknown[] = []
    while (moving) {
      // One after the other: the second read can come from a later state than the first, and then the transaction must run again.
      sums.add(await store.transact(async tx => ((await tx.get<number>('purse', 'a')) ?? 0) + ((await tx.get<number>('purse', 'b')) ?? 0)))
      // Also where the body would throw because of what doesn't fit together.
      await store
        .transact(async tx => {
          const [a = 0, b = 0] = [await tx.get<number>('purse', 'a'), await tx.get<number>('purse', 'b')]
          if (a + b !== 100) throw new Error(`${a} + ${b}`)
        })
        .catch(error => errors.push(error))
    }
    await mover
    t.same([...sums], [100])
    t.same(errors, [])
  })

  t.test(`${name}: deleted and made again is another document (ABA)`, async t => {
    const { store } = await open(t)
    await store.transact(async tx => tx.put('hold', 'a', { same: true }))
    let tries = 0
    await store.transact(async tx => {
      tries++
      await tx.get('hold', 'a')
      if (tries === 1) {
        await store.transact(async rival => rival.delete('hold', 'a'))
        await store.transact(async rival => rival.put('hold', 'a', { same: true }))
      }
      tx.put('job', 'a', tries)
    })
    t.equal(tries, 2)
    t.equal(await store.get('job', 'a'), 2)
  })

  t.test(`${name}: notAfter holds at the commit, by the store's clock`, async t => {
    const { store } = await open(t)
    const seen: number[] = []
    await store.transact(async tx => {
      seen.push(tx.now)
      if (seen.length > 1) return
      tx.put('job', 'late', true)
      const soon = tx.now + 5
      tx.notAfter(soon)
      tx.notAfter(soon + 60_000)
      await eventually('the clock is past it', async () => (await store.time()) > soon)
    })
    t.equal(seen.length, 2, 'run again')
    t.ok((seen[1] ?? 0) > (seen[0] ?? 0), 'with the clock of then')
    t.equal(await store.get('job', 'late'), undefined)
    let tries = 0
    await t.rejects(
      store.transact(async tx => {
        tries++
        tx.notAfter(tx.now - 1)
        tx.put('job', 'late', true)
      }),
      { code: 'store_unavailable' },
      'one that can never be committed ends',
    )
    t.equal(tries, 200)
    t.ok(Math.abs((await store.time()) - Date.now()) < 1000, 'ms since the epoch')
  })

  t.test(`${name}: what a caller does with values changes nothing in the store`, async t => {
    const { store } = await open(t)
    const mine = { list: [1] }
    await store.transact(async tx => {
      tx.put('job', 'a', mine)
      mine.list.push(2)
      const read = await tx.get<typeof mine>('job', 'a')
      read?.list.push(3)
      t.same(await tx.get('job', 'a'), { list: [1] })
    })
    const read = await store.get<typeof mine>('job', 'a')
    read?.list.push(4)
    t.same(await store.get('job', 'a'), { list: [1] })
    await t.rejects(
      store.transact(async tx => tx.indexAdd('due', 'a', Number.NaN)),
      TypeError,
    )
    await t.rejects(
      store.transact(async tx => tx.put('job', 'a', undefined)),
      TypeError,
    )
    await t.rejects(
      store.transact(async tx => tx.put('a:b', 'c', 1)),
      TypeError,
    )
    const leaked = await store.transact(async tx => tx)
    t.throws(() => leaked.put('job', 'a', 1), 'a transaction that is over takes no more')
    t.same(await store.get('job', 'a'), { list: [1] })
  })

  t.test(`${name}: events and signals reach every process, in order`, async t => {
    const { store, again } = await open(t)
    const other = await again()
    await store.transact(async tx => tx.emit({ topic: 'job', id: 'before' }))
    const start = await store.lastCursor()
    const [here, there, wakes, stopped]: [PlacedEvent[], PlacedEvent[], string[], PlacedEvent[]] = [[], [], [], []]
    store.onEvent(event => {
      here.push(event)
      throw new Error('a listener that fails does not stop the others')
    })
    other.onEvent(event => there.push(event))
    other.onEvent(event => stopped.push(event))()
    other.onSignal('wake', message => wakes.push(message))
    store.onSignal('other', message => wakes.push(message))
    const warned = new Promise(resolve => process.once('warning', resolve))
    for (let i = 0; i < 5; i++) {
      await store.transact(async tx => {
        tx.emit({ topic: 'job', id: `${i}`, cluster: 'c', node: 'n' })
        tx.emit({ topic: 'hold', id: `${i}` })
        tx.signal('wake', `${i}`)
      })
    }
    await eventually('all arrive', () => there.at(-1)?.id === '4' && here.at(-1)?.id === '4' && wakes.length === 5)
    await warned
    const kept = await store.eventsAfter(start, 100)
    t.same(kept[0], { topic: 'job', id: '0', cluster: 'c', node: 'n', cursor: kept[0]?.cursor })
    t.equal(kept.length, 10)
    const known = new Set(kept.map(event => event.cursor))
    t.same(
      there.filter(event => known.has(event.cursor)),
      kept,
      'while nothing breaks: once',
    )
    t.same(
      here.filter(event => known.has(event.cursor)),
      kept,
    )
    t.same(wakes, ['0', '1', '2', '3', '4'])
    t.same(stopped, [])
    t.same(await store.eventsAfter(kept[3]?.cursor ?? '', 2), kept.slice(4, 6), 'from any cursor')
    for (const cursor of ['', '1', '0-0-0', 'x-1', '99999999999999999999-1', '-1-0']) {
      await t.rejects(store.eventsAfter(cursor, 1), { code: 'bad_request' }, `refuses the cursor ${cursor}`)
    }
  })

  t.test(`${name}: closed is closed`, async t => {
    const { store } = await open(t)
    await store.ping()
    await store.close()
    await t.rejects(store.ping(), { code: 'store_unavailable' })
    await t.rejects(store.get('job', 'a'), { code: 'store_unavailable' })
    await t.rejects(
      store.transact(async () => {}),
      { code: 'store_unavailable' },
    )
  })
}
