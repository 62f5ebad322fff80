import type { Clock } from '../core/clock.ts'
import type { Documents } from '../core/documents.ts'
import { SafestateError } from '../core/errors.ts'
import type { GatewayService } from '../core/gateway.ts'
import { holderOf, idempotencyId, submit } from '../fencing/intake.ts'
import {
  addDevice,
  addNode,
  changeDevice,
  driverOf,
  type InventoryParts,
  probeDevice,
  readiness,
  setCredential,
} from '../fencing/inventory.ts'
import type { Engine } from '../queue/engine.ts'
import type { SigningKey } from '../receipts/key.ts'
import type { Revocations } from '../receipts/revocations.ts'
import { jwks } from '../receipts/signer.ts'
import type { OpenedVault } from '../vault/open.ts'
import { rotateVault } from '../vault/rotate.ts'
import { createToken, listTokens, revokeToken, verifyToken } from '../vault/tokens.ts'

/** What the service is made from. */
export interface ServiceParts {
  documents: Documents
  opened: OpenedVault
  key: SigningKey
  revocations: Revocations
  inventory: InventoryParts
  engine: Engine
  clock: Clock
  newId(): string
}

/** The gateway as its HTTP edge sees it: each call goes to the room that knows. */
export function makeService(parts: ServiceParts): GatewayService {
  const { documents, inventory, engine, clock } = parts
  const { store, reads, rules, drivers } = inventory
  const intake = {
    store,
    reads,
    rules,
    clock,
    newId: parts.newId,
    mechanismOf: (device: { driver: string }) => driverOf(drivers, device.driver).mechanism,
  }
  return {
    jobs: {
      submit: async (request, key, caller) => {
        const { job, outcome, joined } = await submit(intake, request, key, caller)
        return { job, joined, replayed: outcome === 'replayed' }
      },
      get: id => reads.job(id),
      list: (filter, page) => reads.jobs(filter, page),
      cancel: (id, caller, holder) => store.cancel({ jobId: id, holder: holder ?? holderOf(caller) }),
      cancelKey: (key, caller) => store.cancelKey({ idempotencyId: idempotencyId(caller, key), holder: holderOf(caller) }),
    },
    holds: {
      get: id => reads.hold(id),
      ofNode: async (key, maxAgeSeconds) => {
        const hold = await reads.holdOf(key)
        if (!hold || maxAgeSeconds === undefined) return hold
        const age = hold.lastReadAt ? clock.now() - Date.parse(hold.lastReadAt) : Number.POSITIVE_INFINITY
        // A read from the future comes from a clock that is wrong: it is not fresh.
        return age < 0 || age > maxAgeSeconds * 1000 ? engine.readHold(hold.id) : hold
      },
      list: page => reads.holds(page),
      release: async (id, body, caller) => {
        const hold = await reads.hold(id)
        const holder = body.holder ?? holderOf(caller)
        const attempt = body.attempt ?? hold?.holders.find(one => one.holder === holder)?.attempt ?? 1
        const { restore, reason } = body
        return store.releaseHold({ holdId: id, holder, attempt, restore, reason, force: body.force ?? false, by: holderOf(caller) })
      },
    },
    devices: {
      add: input => addDevice(inventory, input),
      get: name => reads.device(name),
      list: page => reads.devices(page),
      change: (name, expected, change) => changeDevice(inventory, name, expected, change),
      setCredential: (name, credential) => setCredential(inventory, name, credential),
      remove: async name => {
        await store.removeDevice(name)
        inventory.changed(name)
      },
      probe: (name, signal) => probeDevice(inventory, name, signal),
    },
    nodes: {
      add: input => addNode(inventory, input),
      get: key => reads.node(key),
      list: page => reads.nodes(page),
      remove: key => store.removeNode(key),
      readiness: key => readiness(inventory, key),
    },
    receipts: {
      get: id => reads.receipt(id),
      jwks: async () => ({ keys: jwks(parts.key).keys.map(key => ({ ...key })) }),
      revocations: () => parts.revocations.list(),
    },
    tokens: {
      verify: token => verifyToken(documents, token),
      create: async input => {
        const { id, token } = await createToken(documents, input)
        return { id, token }
      },
      list: () => listTokens(documents),
      revoke: idOrName => revokeToken(documents, idOrName),
    },
    vault: {
      rotate: async () => {
        const { keyId, resealed, unreadable } = await rotateVault(documents, parts.opened, { clock })
        if (unreadable.length === 0) return { keyId, resealed }
        const list = unreadable.map(({ kind, id }) => `${kind} ${id}`).join(', ')
        throw new SafestateError('vault_unavailable', `${resealed} were sealed anew under ${keyId}; no key opens: ${list}`)
      },
    },
    events: {
      after: (cursor, limit) => documents.eventsAfter(cursor, limit),
      lastCursor: () => documents.lastCursor(),
      listen: listener => documents.onEvent(listener),
    },
    drivers: () => drivers.map(({ kind, mechanism, title }) => ({ kind, mechanism, title })),
    health: async () => {
      const store_ = await documents.ping().then(
        () => ({ name: 'store', ok: true }),
        (error: Error) => ({ name: 'store', ok: false, message: error.message }),
      )
      const workers = engine.isLive
        ? { name: 'workers', ok: true }
        : { name: 'workers', ok: false, message: 'the recovery scan has not come round' }
      return { ready: store_.ok && workers.ok, store: documents.health, checks: [store_, workers] }
    },
  }
}
