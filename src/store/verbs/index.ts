import type { Documents, Transaction } from '../../core/documents.ts'
import type { Store } from '../../core/store.ts'
import { accept, replay } from './accept.ts'
import { cancel, cancelKey } from './cancel.ts'
import { intend, settle } from './intent.ts'
import { addDevice, addNode, removeDevice, removeNode, updateDevice } from './inventory.ts'
import { release, renew, take } from './lease.ts'
import { notePolicy } from './policy.ts'
import { conclude, record } from './progress.ts'
import { observeHold, releaseHold } from './release.ts'
import { INDEX, type VerbContext } from './shared.ts'

export { createReads } from './reads.ts'
export { INDEX, KIND, PREEMPT, WAKE } from './shared.ts'

/** The store's verbs on any `Documents`: each is one transaction. Leases and watch reads are not waited to disk: losing one loses time, not safety. */
export function createStore(documents: Documents, context: VerbContext): Store {
  const atomic = <T>(body: (tx: Transaction) => Promise<T>) => documents.transact(body)
  const brief = <T>(body: (tx: Transaction) => Promise<T>) => documents.transact(body, { durable: false })
  return {
    accept: args => atomic(tx => accept(tx, context, args)),
    replay: idempotency => documents.transact(tx => replay(tx, idempotency), { durable: false }),
    take: args => brief(tx => take(tx, context, args)),
    renew: actor => brief(tx => renew(tx, context, actor)),
    release: actor => brief(tx => release(tx, actor)),
    intend: args => atomic(tx => intend(tx, context, args)),
    settle: args => atomic(tx => settle(tx, context, args)),
    record: args => brief(tx => record(tx, context, args)),
    conclude: args => atomic(tx => conclude(tx, context, args)),
    notePolicy: args => atomic(tx => notePolicy(tx, context, args)),
    releaseHold: args => atomic(tx => releaseHold(tx, context, args)),
    cancel: args => atomic(tx => cancel(tx, context, args)),
    cancelKey: args => atomic(tx => cancelKey(tx, context, args)),
    observeHold: args => atomic(tx => observeHold(tx, args)),
    dismiss: jobId => brief(async tx => tx.indexRemove(INDEX.due, jobId)),
    dueJobs: async limit => documents.byScore(INDEX.due, 0, await documents.time(), limit),
    dueHolds: async limit => documents.byScore(INDEX.watch, 0, await documents.time(), limit),
    addDevice: args => atomic(tx => addDevice(tx, args)),
    updateDevice: args => atomic(tx => updateDevice(tx, args)),
    removeDevice: name => atomic(tx => removeDevice(tx, name)),
    addNode: args => atomic(tx => addNode(tx, args)),
    removeNode: key => atomic(tx => removeNode(tx, key)),
  }
}
