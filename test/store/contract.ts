import fc from 'fast-check'
import type { Documents, Transaction } from '../../src/core/documents.ts'

/** One thing that a transaction's body does. */
export type Operation =
  | { do: 'get'; kind: string; id: string }
  | { do: 'put'; kind: string; id: string; data: unknown }
  | { do: 'delete'; kind: string; id: string }
  | { do: 'indexAdd'; index: string; member: string; score: number }
  | { do: 'indexRemove'; index: string; member: string }
  | { do: 'emit'; id: string }
  | { do: 'notAfter'; inMs: number }
  | { do: 'throw'; text: string }

/** One call of the port. `rival` is committed by somebody else after the first try has read, `times` times. */
export type Step =
  | { call: 'transact'; body: Operation[]; durable: boolean; rival?: Operation[] }
  | { call: 'get'; kind: string; id: string }
  | { call: 'getMany'; kind: string; ids: string[] }
  | { call: 'byScore'; index: string; min: number; max: number; limit: number }
  | { call: 'byMember'; index: string; after?: string; limit: number; reverse: boolean }
  | { call: 'count'; index: string }
  | { call: 'eventsAfter'; back: number; limit: number }
  | { call: 'lastCursor' }

/** The cursors a store gave out, in order: two stores are compared by the places of their cursors, as the cursors themselves are times. */
export class Cursors {
  readonly #known: string[] = ['0-0']

  place(cursor: string): number {
    if (!this.#known.includes(cursor)) this.#known.push(cursor)
    return this.#known.indexOf(cursor)
  }

  back(count: number): string {
    return this.#known[Math.max(0, this.#known.length - 1 - count)] ?? '0-0'
  }
}

async function perform(tx: Transaction, operation: Operation): Promise<unknown> {
  switch (operation.do) {
    case 'get':
      return tx.get(operation.kind, operation.id)
    case 'put':
      return tx.put(operation.kind, operation.id, operation.data)
    case 'delete':
      return tx.delete(operation.kind, operation.id)
    case 'indexAdd':
      return tx.indexAdd(operation.index, operation.member, operation.score)
    case 'indexRemove':
      return tx.indexRemove(operation.index, operation.member)
    case 'emit':
      return tx.emit({ topic: 'job', id: operation.id, cluster: 'default' })
    case 'notAfter':
      return tx.notAfter(tx.now + operation.inMs)
    case 'throw':
      throw new Error(operation.text)
  }
}

async function performAll(tx: Transaction, body: Operation[]): Promise<unknown[]> {
  const results: unknown[] = []
  for (const operation of body) results.push((await perform(tx, operation)) ?? null)
  return results
}

/** Runs one step and answers what a caller sees of it: result or error, and how often the body ran. */
export async function run(store: Documents, cursors: Cursors, step: Step): Promise<unknown> {
  switch (step.call) {
    case 'transact': {
      let tries = 0
      try {
        const result = await store.transact(
          async tx => {
            tries++
            const results = await performAll(tx, step.body)
            if (step.rival && tries === 1) await store.transact(rival => performAll(rival, step.rival ?? []))
            return results
          },
          { durable: step.durable },
        )
        return { result, tries }
      } catch (error) {
        return { error: String(error), tries }
      }
    }
    case 'get':
      return store.get(step.kind, step.id)
    case 'getMany':
      return store.getMany(step.kind, step.ids)
    case 'byScore':
      return store.byScore(step.index, step.min, step.max, step.limit)
    case 'byMember':
      return store.byMember(step.index, {
        limit: step.limit,
        reverse: step.reverse,
        ...(step.after === undefined ? {} : { after: step.after }),
      })
    case 'count':
      return store.count(step.index)
    case 'eventsAfter':
      return (await store.eventsAfter(cursors.back(step.back), step.limit)).map(event => ({
        ...event,
        cursor: cursors.place(event.cursor),
      }))
    case 'lastCursor':
      return cursors.place(await store.lastCursor())
  }
}

const kinds = ['job', 'hold']
const ids = ['a', 'b', 'cluster/ü:1', '😀']
const indexes = ['due', 'jobs:default/n1']
const members = ['a', 'b', 'aa', 'é', '\uffee', '😀', '']

/** All there is in the small world of the random sequences, through the port. */
export async function everything(store: Documents, cursors: Cursors): Promise<unknown> {
  return {
    documents: await Promise.all(kinds.map(kind => store.getMany(kind, ids))),
    indexes: await Promise.all(indexes.map(index => store.byScore(index, -Infinity, Infinity, 1000))),
    events: (await store.eventsAfter('0-0', 1000)).map(event => ({ ...event, cursor: cursors.place(event.cursor) })),
  }
}

const kind = fc.constantFrom(...kinds)
const id = fc.constantFrom(...ids)
const index = fc.constantFrom(...indexes)
const member = fc.constantFrom(...members)
const score = fc.constantFrom(0, 0, -1, 1, 1.5, 1795355994582, 1e300, -1e-9)
const limit = fc.integer({ min: -1, max: 5 })
const data = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constant({ text: '1 2\n"\\\u0000', undefined: undefined, time: new Date(0), deep: [[{ a: null }]] }),
)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('get'), kind, id }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put'), kind, id, data }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete'), kind, id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('indexAdd'), index, member, score }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('indexRemove'), index, member }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('emit'), id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('notAfter'), inMs: fc.constant(1e6) }) },
)

const body = fc.array(operation, { maxLength: 6 })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ call: fc.constant('transact'), body, durable: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('transact'), body, durable: fc.boolean(), rival: body }) },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant('transact'),
      body: body.map((operations): Operation[] => [...operations, { do: 'throw', text: 'enough' }]),
      durable: fc.boolean(),
      rival: body,
    }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('get'), kind, id }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('getMany'), kind, ids: fc.array(id, { maxLength: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant('byScore'),
      index,
      min: fc.oneof(score, fc.constant(-Infinity)),
      max: fc.oneof(score, fc.constant(Infinity)),
      limit,
    }),
  },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('count'), index }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('eventsAfter'), back: fc.nat(3), limit }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('lastCursor') }) },
)

/** Random sequences of steps. */
export const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 5, maxLength: 25 })

/** A sequence by hand that goes through every word of the port, and through what random ones seldom meet. */
export const scripted: Step[] = [
  { call: 'lastCursor' },
  { call: 'get', kind: 'job', id: 'a' },
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'get', kind: 'job', id: 'a' },
      { do: 'put', kind: 'job', id: 'a', data: { n: 1 } },
      { do: 'get', kind: 'job', id: 'a' },
      { do: 'emit', id: 'a' },
    ],
  },
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'put', kind: 'job', id: 'a', data: 2 },
      { do: 'put', kind: 'hold', id: 'a', data: [] },
      { do: 'throw', text: 'changed my mind' },
    ],
  },
  { call: 'get', kind: 'job', id: 'a' },
  { call: 'getMany', kind: 'job', ids: ['b', 'a', 'a'] },
  // Somebody changes what was read: the body runs again.
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'get', kind: 'job', id: 'a' },
      { do: 'put', kind: 'job', id: 'b', data: 1 },
    ],
    rival: [{ do: 'put', kind: 'job', id: 'a', data: { n: 2 } }],
  },
  // The same content, put again, is a change too; and so is a delete with the same content put back (ABA).
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'get', kind: 'job', id: 'a' },
      { do: 'put', kind: 'job', id: 'b', data: 2 },
    ],
    rival: [{ do: 'put', kind: 'job', id: 'a', data: { n: 2 } }],
  },
  // What was only written is not compared: the last one wins.
  {
    call: 'transact',
    durable: true,
    body: [{ do: 'put', kind: 'job', id: 'b', data: 3 }],
    rival: [{ do: 'put', kind: 'job', id: 'b', data: 'rival' }],
  },
  { call: 'get', kind: 'job', id: 'b' },
  // A mere look took place when it looked.
  { call: 'transact', durable: true, body: [{ do: 'get', kind: 'job', id: 'a' }], rival: [{ do: 'put', kind: 'job', id: 'a', data: 4 }] },
  // Two looks, one after the other, must fit together.
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'get', kind: 'job', id: 'a' },
      { do: 'get', kind: 'job', id: 'b' },
    ],
    rival: [{ do: 'put', kind: 'job', id: 'a', data: 5 }],
  },
  // Read as absent, made by somebody else.
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'get', kind: 'hold', id: 'b' },
      { do: 'put', kind: 'hold', id: 'b', data: 'mine' },
    ],
    rival: [{ do: 'put', kind: 'hold', id: 'b', data: 'theirs' }],
  },
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'delete', kind: 'job', id: 'a' },
      { do: 'get', kind: 'job', id: 'a' },
      { do: 'delete', kind: 'job', id: 'never' },
    ],
  },
  {
    call: 'transact',
    durable: true,
    body: ['😀', 'a', '\uffee', 'é', 'aa', 'b'].map((member): Operation => ({ do: 'indexAdd', index: 'due', member, score: 0 })),
  },
  { call: 'byMember', index: 'due', limit: 10, reverse: false },
  { call: 'byMember', index: 'due', limit: 10, reverse: true },
  { call: 'byMember', index: 'due', limit: 2, reverse: false, after: 'aa' },
  { call: 'byMember', index: 'due', limit: 2, reverse: true, after: 'é' },
  { call: 'byMember', index: 'due', limit: 2, reverse: false, after: 'a-member-that-is-not-there' },
  { call: 'byMember', index: 'due', limit: 0, reverse: false },
  { call: 'byMember', index: 'empty', limit: 5, reverse: true },
  {
    call: 'transact',
    durable: false,
    body: [
      { do: 'indexAdd', index: 'due', member: 'a', score: 5 },
      { do: 'indexAdd', index: 'due', member: 'b', score: -5 },
      { do: 'indexRemove', index: 'due', member: 'aa' },
      { do: 'indexRemove', index: 'due', member: 'none' },
    ],
  },
  { call: 'byScore', index: 'due', min: -Infinity, max: Infinity, limit: 10 },
  { call: 'byScore', index: 'due', min: 0, max: 0, limit: 2 },
  { call: 'byScore', index: 'due', min: 6, max: 1, limit: 2 },
  { call: 'count', index: 'due' },
  { call: 'count', index: 'empty' },
  {
    call: 'transact',
    durable: true,
    body: [
      { do: 'emit', id: '1' },
      { do: 'emit', id: '2' },
      { do: 'emit', id: '3' },
    ],
  },
  { call: 'eventsAfter', back: 0, limit: 10 },
  { call: 'eventsAfter', back: 2, limit: 1 },
  { call: 'eventsAfter', back: 10, limit: 0 },
  { call: 'lastCursor' },
]
