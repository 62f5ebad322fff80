import type { Clock } from '../../src/core/clock.ts'
import type { Documents, Transaction } from '../../src/core/documents.ts'
import { SafestateError } from '../../src/core/errors.ts'
import { MemoryData, MemoryStore } from '../../src/store/memory.ts'

/** A clock that stands still but for sleeps, which end at once; `onSleep` runs in between. */
export function stillClock(onSleep: () => Promise<void> = async () => {}): Clock {
  let mono = 0
  return {
    now: () => Date.UTC(2026, 0, 1) + mono,
    mono: () => mono,
    sleep: async ms => {
      await onSleep()
      mono += ms
    },
  }
}

/** A store in memory; another gateway's view of it is `memory(data)`. */
export function memory(data = new MemoryData()): { documents: Documents; data: MemoryData } {
  return { documents: new MemoryStore({ now: () => Date.UTC(2026, 0, 1) }, data), data }
}

/** A gateway whose process dies at its `at`-th transaction: before the commit (even) or right after it (odd). All that it asks later fails. */
export function dying(documents: Documents, at: number): { documents: Documents; died: () => boolean } {
  let count = 0
  let dead = false
  const die = () => {
    dead = true
    throw new SafestateError('store_unavailable', 'the process died')
  }
  const transact: Documents['transact'] = async <T>(body: (tx: Transaction) => Promise<T>) => {
    if (dead || count++ === at) return die()
    const result = await documents.transact(body)
    return count++ === at ? die() : result
  }
  const view = new Proxy(documents, {
    get: (target, name) => {
      if (name === 'transact') return transact
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? (...args: unknown[]) => (dead ? die() : value.apply(target, args)) : value
    },
  })
  return { documents: view, died: () => dead }
}

/** The same store with one method replaced. */
export function replaced<Name extends keyof Documents>(documents: Documents, name: Name, by: Documents[Name]): Documents {
  return new Proxy(documents, {
    get: (target, asked) => {
      if (asked === name) return by
      const value = Reflect.get(target, asked) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
