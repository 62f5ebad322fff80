import t from 'tap'
import { Barrier } from '../../src/store/barrier.ts'

/** A flush that a test ends when it likes, and what was applied when each flush began. */
function flushes() {
  const applied: string[] = []
  const runs: { covered: string[]; end(error?: Error): void }[] = []
  const barrier = new Barrier(
    () =>
      new Promise<void>((resolve, reject) => {
        runs.push({ covered: [...applied], end: error => (error ? reject(error) : resolve()) })
      }),
  )
  return { applied, runs, barrier }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(() => setImmediate(() => resolve())))

t.test('who comes before a flush starts shares it; who comes later shares the next one', async t => {
  const { applied, runs, barrier } = flushes()
  const done: string[] = []
  const commit = async (name: string): Promise<void> => {
    applied.push(name)
    await barrier.reach()
    done.push(name)
  }
  const first = [commit('a')]
  await turn()
  first.push(commit('b'), commit('c'))
  await turn()
  t.same(
    runs.map(run => run.covered),
    [['a']],
    'b and c came too late for the one that runs',
  )
  runs[0]?.end()
  await turn()
  t.same(done, ['a'])
  t.same(runs[1]?.covered, ['a', 'b', 'c'], 'one flush for both')
  runs[1]?.end()
  await Promise.all(first)
  t.equal(runs.length, 2)
})

t.test('a flush that fails fails its commits and no others', async t => {
  const { runs, barrier } = flushes()
  const failing = barrier.reach()
  await turn()
  const next = barrier.reach()
  runs[0]?.end(new Error('disk full'))
  await t.rejects(failing, { message: 'disk full' })
  await turn()
  runs[1]?.end()
  await next
})

t.test('nothing is revealed before it is durable', async t => {
  const { runs, barrier } = flushes()
  const events: string[] = []
  const commit = barrier.covering(async () => {
    await barrier.reach()
    events.push('durable')
  })
  await turn()
  const read = barrier.revealed().then(() => events.push('revealed'))
  await turn()
  t.same(events, [])
  runs[0]?.end()
  await Promise.all([commit, read])
  t.same(events, ['durable', 'revealed'])
  await barrier.revealed()
  t.equal(runs.length, 1, 'a read with nothing pending costs nothing')

  const failing = barrier.covering(() => barrier.reach())
  await turn()
  runs[1]?.end(new Error('disk full'))
  await t.rejects(failing)
  const late = barrier.revealed()
  await turn()
  t.equal(runs.length, 3, 'what is there but not durable is flushed before it is shown')
  runs[2]?.end(new Error('still full'))
  await t.rejects(late, { message: 'still full' })
})
