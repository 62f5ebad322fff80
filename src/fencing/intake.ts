import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { SafestateError } from '../core/errors.ts'
import type { Caller, JobRequest } from '../core/gateway.ts'
import type { Job } from '../core/job.ts'
import type { Mechanism } from '../core/power.ts'
import type { Rules } from '../core/rules.ts'
import type { Accepted, Reads, Release, Store } from '../core/store.ts'
import type { Device, Node } from '../core/topology.ts'
import { nodeKey } from '../core/topology.ts'
import { makePlan } from './plan.ts'

/** What the intake stands on. */
export interface IntakeParts {
  store: Store
  reads: Reads
  rules: Rules
  clock: Clock
  newId(): string
  mechanismOf(device: Device): Mechanism
}

/** How a caller is named as a holder where it names none: `token:<id>`. */
export function holderOf(caller: Caller): string {
  return `token:${caller.tokenId}`
}

/** The idempotency entry of a caller's key: keys of different tokens never meet. */
export function idempotencyId(caller: Caller, key: string): string {
  return `${caller.tokenId}:${key}`
}

/**
 * Turns a request into a job, checks it against the inventory, and has it accepted in one durable step.
 * Throws `unknown_node`, `no_level`, `plan_too_long`, `not_affected`, `bad_request`, `held`, `idempotency_*`.
 */
export async function submit(parts: IntakeParts, request: JobRequest, key: string, caller: Caller): Promise<Accepted> {
  const { rules, clock } = parts
  const idempotency = { id: idempotencyId(caller, key), hash: bodyHash(request) }
  const earlier = await parts.store.replay(idempotency)
  if (earlier) return earlier
  const cluster = request.cluster ?? 'default'
  const node = await mustNode(parts.reads, nodeKey({ cluster, name: request.node }))
  const seconds = request.deadlineSeconds ?? rules.deadlineSeconds.default
  checkFields(request, seconds, node, rules)
  const limits = {
    action: request.action,
    deadlineSeconds: seconds,
    ...(request.mechanisms ? { mechanisms: request.mechanisms } : {}),
    ...(request.acceptAssurance ? { acceptAssurance: request.acceptAssurance } : {}),
  }
  const plan = makePlan(node, await devicesOf(parts.reads, node), device => parts.mechanismOf(device), limits, rules)
  const now = clock.now()
  const holder = { holder: request.holder ?? holderOf(caller), attempt: request.attempt ?? 1 }
  const job: Job = {
    id: parts.newId(),
    cluster,
    node: request.node,
    action: request.action,
    state: 'queued',
    revision: 0,
    reason: request.reason,
    holders: [holder],
    broughtHolders: [],
    ...(request.mechanisms ? { mechanisms: request.mechanisms } : {}),
    ...(request.acceptAssurance ? { acceptAssurance: request.acceptAssurance } : {}),
    createdAt: new Date(now).toISOString(),
    deadlineAt: new Date(now + seconds * 1000).toISOString(),
    deadlineSeconds: seconds,
    warnings: [],
    evidence: [],
    tokenId: caller.tokenId,
    plan,
  }
  const release: Release | undefined = request.releaseHolder && {
    ...request.releaseHolder,
    restore: true,
    force: false,
    reason: request.reason,
    by: holderOf(caller),
  }
  return parts.store.accept({
    job,
    idempotency,
    ...(release ? { release } : {}),
  })
}

/** A node's devices by name; those that are not registered are missing from it. */
export async function devicesOf(reads: Reads, node: Node): Promise<Map<string, Device>> {
  const found = await Promise.all(node.levels.flat().map(name => reads.device(name)))
  return new Map(found.flatMap(device => (device ? [[device.name, device] as const] : [])))
}

/** The node, or `unknown_node`. */
export async function mustNode(reads: Reads, key: string): Promise<Node> {
  const node = await reads.node(key)
  if (!node) throw new SafestateError('unknown_node', `no node ${key} is registered`, { node: key })
  return node
}

function checkFields(request: JobRequest, seconds: number, node: Node, rules: Rules): void {
  const key = nodeKey(node)
  const { min, max } = rules.deadlineSeconds
  const errors = []
  if (!Number.isInteger(seconds) || seconds < min || seconds > max)
    errors.push({ field: 'deadlineSeconds', message: `must be a whole number from ${min} to ${max}` })
  if (request.releaseHolder && request.action !== 'on') errors.push({ field: 'releaseHolder', message: 'goes with the action on only' })
  if (errors.length > 0) throw new SafestateError('bad_request', 'the request can not be taken as it is', { node: key, errors })
  const others = (request.alsoNodes ?? []).filter(name => name !== request.node && name !== key)
  if (others.length > 0) {
    throw new SafestateError('not_affected', `no device of ${key} affects ${others.join(', ')}`, {
      node: key,
      errors: [{ field: 'alsoNodes', message: `not affected: ${others.join(', ')}` }],
    })
  }
}

/** The fingerprint of a request's body: the same for the same fields in any order. */
export function bodyHash(request: JobRequest): string {
  return createHash('sha256').update(canonical(request)).digest('hex')
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`)
    .join(',')}}`
}
