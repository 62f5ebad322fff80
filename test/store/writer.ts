/** A gateway's stand-in that a test kills: it writes to the store without end and notes each acknowledged id in a file. */
import { appendFileSync } from 'node:fs'
import { resolveStore, type StoreOptions } from '../../src/store/resolve.ts'

/** What the test tells it first. */
export interface WriterOrder {
  options: Omit<StoreOptions, 'warn'>
  /** Ids are appended here, one a line, once acknowledged. */
  file: string
}

async function write({ options, file }: WriterOrder): Promise<void> {
  const store = await resolveStore({ ...options, warn: () => {} })
  process.on('message', () => process.send?.({ pid: store.serverPid() ?? null }))
  process.send?.('ready')
  let count = 0
  // Several at once, so that they share flushes.
  for (let lane = 0; lane < 4; lane++) void run(lane)

  async function run(lane: number): Promise<never> {
    for (;;) {
      const id = `${process.pid}-${lane}-${count++}`
      try {
        await store.documents.transact(async tx => {
          tx.put('written', id, { lane })
          tx.put('latest', String(lane), (await tx.get<number>('latest', String(lane))) ?? count)
          tx.indexAdd('written', id, 0)
        })
        appendFileSync(file, `${id}\n`)
      } catch {
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    }
  }
}

process.once('message', (order: WriterOrder) => {
  write(order).catch(error => {
    console.error(error)
    process.exit(1)
  })
})
process.once('disconnect', () => process.exit(0))
