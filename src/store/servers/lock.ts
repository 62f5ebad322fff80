import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { SafestateError } from '../../core/errors.ts'
import { identify, readIdentity, runs } from './identity.ts'

/**
 * Takes `file` as the lock of a folder for this process, until the returned function is called. The lock of a process that is gone is taken
 * over. Throws `store_unavailable` where another process that still runs has it.
 */
export function lockFolder(file: string): () => void {
  const me = identify(process.pid)
  const mine = `${file}.${process.pid}.${randomBytes(6).toString('hex')}`
  writeFileSync(mine, JSON.stringify(me), { mode: 0o600 })
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      if (tryLink(mine, file)) return () => release(file, JSON.stringify(me))
      const owner = readIdentity(file)
      if (owner && runs(owner)) {
        throw new SafestateError('store_unavailable', `the store of this data folder is in use by another gateway (process ${owner.pid})`, {
          errors: [
            {
              field: 'dataDir',
              message: 'give each gateway its own data folder; gateways that belong together share one Redis by REDIS_URL',
            },
          ],
        })
      }
      takeAway(file, `${mine}.old`)
    }
    throw new SafestateError('store_unavailable', 'the lock of the data folder could not be taken')
  } finally {
    rmSync(mine, { force: true })
  }
}

/** A link is made only where nothing is, in one step, and with its whole content. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

/** Takes a dead owner's lock away; where it has become a living one's meanwhile, puts it back. */
function takeAway(file: string, aside: string): void {
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  const taken = readIdentity(aside)
  if (taken && runs(taken)) tryLink(aside, file)
  unlinkSync(aside)
}

function release(file: string, content: string): void {
  try {
    if (readFileSync(file, 'utf8') === content) unlinkSync(file)
  } catch {
    // Gone already: nobody's any more.
  }
}
