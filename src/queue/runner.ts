import type { FailureCode } from '../core/errors.ts'
import type { Job, Progress } from '../core/job.ts'
import { isTerminal } from '../core/job.ts'
import type { Command } from '../core/power.ts'
import type { Receipt } from '../core/receipt.ts'
import type { Actor, Ending, JobPatch } from '../core/store.ts'
import type { Binding, Device } from '../core/topology.ts'
import { nodeKey } from '../core/topology.ts'
import { bindingOf } from '../fencing/identity.ts'
import { devicesOf } from '../fencing/intake.ts'
import { begin, beginOn, decide, type Effect, enterLevel, type MachineContext, resume } from '../fencing/machine.ts'
import { assuranceOf, receiptPayload } from '../fencing/receipt.ts'
import { command, type Run, read, Superseded, settle, store } from './exchange.ts'
import type { RunnerParts } from './parts.ts'
import { leftOff, setPolicy } from './policy.ts'

/** What a wake-up of a job came to: it is over for now, or it wants to be woken again in so many ms. */
export type Outcome = { kind: 'done' } | { kind: 'parked'; delayMs: number } | { kind: 'wait'; delayMs: number }

/** Shorter waits are spent with the leases in hand: giving them back and taking them again costs more, ms. */
const HOLD_THROUGH_MS = 20

/** After being overtaken a run looks again this soon, ms. */
const AGAIN_MS = 250

/** A job whose next step is this much late is not waited with any more: its process is gone or stuck, ms. */
const OVERDUE_MS = 1_500

/** A wake-up that came to the wrong process is passed on after this, ms. */
const PASS_ON_MS = 25

/** How urgent a job is where several wait for an endpoint: lower goes first. */
const URGENCY: Record<Job['action'], number> = { off: 0, reboot: 1, on: 2, status: 9 }

/**
 * Works on a job as far as it goes now: takes its leases, does what the machine asks for step by step, and gives them back when it has to wait.
 * Safe to be called twice at once, late, or never again: leases, tokens and the store's checks decide, not the caller.
 */
export async function runJob(parts: RunnerParts, jobId: string, preempted: (endpoints: string[]) => AbortSignal): Promise<Outcome> {
  const job = await parts.reads.job(jobId)
  if (!job || isTerminal(job.state)) {
    await parts.store.dismiss(jobId)
    return { kind: 'done' }
  }
  const node = await parts.reads.node(nodeKey({ cluster: job.cluster, name: job.node }))
  if (!node) return endUnworkable(parts, job, 'the node is not registered any more')
  const devices = await devicesOf(parts.reads, node)
  const missing = job.plan.levels.flatMap(level => level.devices).find(name => !devices.has(name))
  if (missing) return endUnworkable(parts, job, `device ${missing} is not registered any more`)
  if (!job.progress && Date.parse(job.deadlineAt) <= parts.clock.now())
    return endUnworkable(parts, job, 'its turn did not come in time', 'deadline')
  const elsewhereMs = elsewhere(parts, job)
  if (elsewhereMs > 0) return { kind: 'wait', delayMs: elsewhereMs }
  const before = await present(parts, job, devices)
  const endpoints = endpointsOf(before)
  const actor: Actor = { id: `${parts.process}/${parts.newId()}`, jobId, leases: [] }
  const preemptible = job.action === 'status'
  const taken = await parts.store.take({ jobId, actor: actor.id, endpoints, urgency: URGENCY[job.action], preemptible })
  if (taken.kind === 'parked') return { kind: 'parked', delayMs: taken.retryMs }
  actor.leases = taken.leases
  const stop = new AbortController()
  const renewal = keepLeases(parts, actor, stop)
  const signal = preemptible ? AbortSignal.any([stop.signal, preempted(endpoints)]) : stop.signal
  const run: Run = { job, node, progress: before, actor, devices, signal }
  try {
    return (await isStale(parts, run)) ? { kind: 'wait', delayMs: 0 } : await work(parts, run)
  } catch (error) {
    // Over, or not its turn: whoever ends it or passes the turn on sees to the rest.
    if (error instanceof Superseded && error.lost === 'ended') return { kind: 'done' }
    if (error instanceof Superseded && error.lost === 'hold') return await endWithoutHold(parts, run)
    if (signal.aborted || error instanceof Superseded) return { kind: 'wait', delayMs: AGAIN_MS }
    throw error
  } finally {
    stop.abort()
    await renewal
    await parts.store.release(actor)
  }
}

/**
 * Another process works on this job step by step, on its own clock: the wake-up is passed on until it comes by there (how long that may wait, ms; 0:
 * it is ours). Only when its next step is overdue is the job taken over, because all waits count again then (S23): two processes that took it from
 * one another at each wake-up would never come to a verdict.
 */
function elsewhere(parts: RunnerParts, job: Job): number {
  const { progress, wakeAt } = job
  const now = parts.clock.now()
  if (!progress || progress.process === parts.process || wakeAt === undefined || now > wakeAt + OVERDUE_MS) return 0
  return Math.max(PASS_ON_MS, wakeAt - now)
}

/**
 * What was read before the leases were taken may be older than what the holder before did with them. Once they are in hand the job is read again:
 * true where other endpoints are wanted by now, or nothing.
 */
async function isStale(parts: RunnerParts, run: Run): Promise<boolean> {
  const job = await parts.reads.job(run.job.id)
  if (!job || isTerminal(job.state)) return true
  if (job.revision === run.job.revision) return false
  run.job = job
  run.progress = await present(parts, job, run.devices)
  return endpointsOf(run.progress).join() !== run.actor.leases.map(({ endpoint }) => endpoint).join()
}

function endpointsOf(progress: Progress): string[] {
  return [...new Set(progress.devices.map(({ endpoint }) => endpoint))].sort()
}

async function work(parts: RunnerParts, run: Run): Promise<Outcome> {
  for (;;) {
    run.signal.throwIfAborted()
    const effect = decide(run.job, run.progress, await contextOf(parts, run))
    switch (effect.kind) {
      case 'read':
        await read(parts, run, effect.device)
        break
      case 'command':
        await command(parts, run, effect.device, effect.command)
        break
      case 'settle':
        await settle(parts, run, effect.device)
        break
      case 'policy':
        await setPolicy(parts, run, effect)
        break
      case 'wait': {
        const delayMs = Math.max(0, effect.untilMono - parts.clock.mono())
        if (delayMs > HOLD_THROUGH_MS) return await waiting(parts, run, effect, delayMs)
        await parts.clock.sleep(delayMs + 1, run.signal)
        break
      }
      case 'next-level': {
        const { plan } = run.job
        run.progress = { ...run.progress, failures: [...run.progress.failures, effect.failure] }
        run.progress = enterLevel(run.progress, run.job, run.progress.levelIndex + 1, entering(parts, run.devices))
        parts.log('warn', { jobId: run.job.id, failure: effect.failure, levels: plan.levels.length }, 'the level gives way to the next')
        await store(parts, run, [])
        return { kind: 'wait', delayMs: 0 }
      }
      default:
        if (await conclude(parts, run, effect)) return { kind: 'done' }
    }
  }
}

async function waiting(parts: RunnerParts, run: Run, effect: Extract<Effect, { kind: 'wait' }>, delayMs: number): Promise<Outcome> {
  const patch: JobPatch = { phase: effect.phase, progress: run.progress, wakeAt: parts.clock.now() + delayMs }
  const recorded = await parts.store.record({ actor: run.actor, patch })
  if (!recorded.ok) throw new Superseded(recorded.lost)
  return { kind: 'wait', delayMs }
}

/** The end of a job, or of a reboot's off. False: go on. */
async function conclude(
  parts: RunnerParts,
  run: Run,
  effect: Extract<Effect, { kind: 'conclude' | 'fail' | 'not-restored' }>,
): Promise<boolean> {
  const patch: JobPatch = { progress: run.progress }
  let ending: Ending
  if (effect.kind === 'fail') ending = { kind: 'failed', failure: effect.failure, ...lastPower(run) }
  else if (effect.kind === 'not-restored') {
    patch.warnings = [{ code: 'not_restored', message: `the node stays off: ${effect.reason}` }]
    ending = { kind: 'power', power: 'off' }
  } else if (run.progress.leg === 'off') {
    const off = await offEnding(parts, run)
    if (!off) return false
    patch.warnings = off.warnings
    ending = off.ending
  } else {
    patch.warnings = run.progress.leg === 'on' ? leftOff(run) : []
    ending = { kind: 'power', power: effect.power }
  }
  const concluded = await parts.store.conclude({ actor: run.actor, ending, patch })
  if (!concluded.ok) {
    // A holder joined while the receipt was being signed: it is made anew with all of them.
    if (concluded.lost === 'changed') return false
    throw new Superseded(concluded.lost)
  }
  run.job = concluded.job
  if (!isTerminal(run.job.state)) {
    run.progress = run.job.progress ?? run.progress
    return false
  }
  const { action, state, failure, createdAt, endedAt } = run.job
  parts.metrics.ended(action, state, failure?.code ?? '', (Date.parse(endedAt ?? createdAt) - Date.parse(createdAt)) / 1000)
  parts.log('info', { jobId: run.job.id, node: nodeKey(run.node), action, state, code: failure?.code }, 'job ended')
  return true
}

async function offEnding(parts: RunnerParts, run: Run): Promise<{ ending: Ending; warnings: Job['warnings'] } | undefined> {
  const { progress } = run
  const job = (await parts.reads.job(run.job.id)) ?? run.job
  const hold = job.holdId ? await parts.reads.hold(job.holdId) : undefined
  if (!hold) throw new Superseded('hold')
  if (progress.readsOnly && hold.state !== 'confirmed') {
    // The hold that it relied on was revoked meanwhile: the node is commanded off again like any other (S8).
    run.progress = { ...progress, readsOnly: false }
    await store(parts, run, [])
    return undefined
  }
  const { leased, ways } = waysTo(run)
  const endpoints = await Promise.all(ways.map(name => parts.reads.endpoint(name)))
  const isOutlived = ways.some((name, place) => {
    const { outlived = [], intents = [] } = endpoints[place] ?? {}
    return outlived.length > 0 || (!leased.has(name) && intents.some(({ command, device }) => command === 'on' && run.devices.has(device)))
  })
  const bindings: Binding[] = []
  const warnings: Job['warnings'] = []
  for (const { device, hardware } of progress.devices) {
    const binding = bindingOf(run.node.systemUuid, hardware ?? {}) === 'proven' ? 'proven' : 'declared'
    bindings.push(binding)
    if (binding === 'declared')
      warnings.push({ code: 'declared_binding', message: `that ${device} is this node was typed, not proven`, device })
    if (run.devices.get(device)?.tls.mode === 'insecure') {
      warnings.push({ code: 'insecure_tls', message: `the certificate of ${device} was not checked`, device })
    }
  }
  const id = parts.newId()
  const { issuer, rules } = parts
  const full: Job = {
    ...job,
    warnings: [
      ...job.warnings,
      ...warnings.filter(({ code, device }) => !job.warnings.some(known => known.code === code && known.device === device)),
    ],
  }
  const lateHand = isOutlived ? 'bounded' : 'closed'
  const payload = receiptPayload({ id, job: full, hold, progress, bindings, lateHand, rules, issuer, nowMs: parts.clock.now() })
  const receipt: Receipt = {
    id,
    cluster: job.cluster,
    node: job.node,
    jobId: job.id,
    holdId: hold.id,
    jws: await parts.signer.sign(payload),
    issuedAt: payload.issuedAt,
    status: 'standing',
  }
  const then = job.action === 'reboot' ? 'on' : 'end'
  const next = { ...beginOn(progress, entering(parts, run.devices)), offReceiptId: id }
  return {
    warnings,
    ending: {
      kind: 'off',
      receipt,
      holdRevision: hold.revision,
      readAt: payload.confirmedAt,
      assurance: assuranceOf(progress),
      then,
      ...(then === 'on' ? { progress: next } : {}),
    },
  }
}

function lastPower(run: Run): { power?: Job['power'] & string } {
  const power = run.progress.devices[0]?.last?.power
  return power ? { power } : {}
}

/** The machine's state as it is now: begun, or taken over from another process or an earlier wake-up. */
async function present(parts: RunnerParts, job: Job, devices: Map<string, Device>): Promise<Progress> {
  const nowMono = parts.clock.mono()
  const remainingMs = Math.max(0, Date.parse(job.deadlineAt) - parts.clock.now())
  if (job.progress) {
    const resumed = resume(job.progress, {
      process: parts.process,
      nowMono,
      remainingMs,
      levels: job.plan.levels.length,
      rules: parts.rules,
    })
    // A device that was recognised meanwhile may have joined another's endpoint (S6): that one's lease is wanted now.
    const { endpointOf } = entering(parts, devices)
    return { ...resumed, devices: resumed.devices.map(one => ({ ...one, endpoint: endpointOf(one.device) })) }
  }
  const hold = job.holdId ? await parts.reads.hold(job.holdId) : undefined
  const readsOnly = job.action === 'off' && hold?.state === 'confirmed'
  return begin(job, { process: parts.process, remainingMs, readsOnly, ...entering(parts, devices), nowMono })
}

function entering(parts: RunnerParts, devices: Map<string, Device>) {
  return { nowMono: parts.clock.mono(), rules: parts.rules, endpointOf: (name: string) => devices.get(name)?.endpoint ?? name }
}

/** The endpoints of the levels that this run works on, and of all levels of the node. */
function waysTo(run: Run): { leased: Set<string>; ways: string[] } {
  const leased = new Set(run.actor.leases.map(({ endpoint }) => endpoint))
  return { leased, ways: [...new Set([...leased, ...[...run.devices.values()].map(({ endpoint }) => endpoint)])] }
}

async function contextOf(parts: RunnerParts, run: Run): Promise<MachineContext> {
  const { leased, ways } = waysTo(run)
  const endpoints = new Map(await Promise.all(ways.map(async name => [name, await parts.reads.endpoint(name)] as const)))
  const { rules } = parts
  const settled = (name: string, what: Command): number | undefined => {
    const settlement = endpoints.get(name)?.settled[what]
    return settlement && parts.delays.monoOf(settlement.id, settlement.at)
  }
  // What went another way to the node (a level that gave way) can't be settled under these leases: it counts until its time to live is over.
  const unsettled = (name: string, what: Command): number[] =>
    (endpoints.get(name)?.intents ?? [])
      .filter(({ command, device }) => command === what && run.devices.has(device))
      .map(intent => parts.delays.monoOf(intent.id, intent.at) + intent.ttlMs)
  const elsewhere = (what: Command) =>
    ways.filter(name => !leased.has(name)).flatMap(name => [settled(name, what) ?? [], unsettled(name, what)].flat())
  const goal: Command = run.progress.leg === 'on' ? 'on' : 'off'
  return {
    rules,
    nowMono: parts.clock.mono(),
    openIntents: ({ endpoint }) => endpoints.get(endpoint)?.intents.length ?? 0,
    settledMono: ({ endpoint }, what) => {
      const moments = [settled(endpoint, what) ?? [], what === goal ? [] : elsewhere(what)].flat()
      return moments.length > 0 ? Math.max(...moments) : undefined
    },
    delayMs: ({ device }, what) => {
      const known = run.devices.get(device)
      return what === 'on' ? (known?.powerOnDelayMs ?? rules.powerOnDelayMs) : (known?.powerOffDelayMs ?? rules.powerOffDelayMs)
    },
    policyBefore: ({ device }) => run.devices.get(device)?.restorePolicyBefore,
  }
}

/** Renews the leases until `stop`; a lease that is gone stops the run: its exchange is aborted and none of its steps counts any more. */
async function keepLeases(parts: RunnerParts, actor: Actor, stop: AbortController): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      await parts.clock.sleep(parts.rules.lease.renewMs, stop.signal)
      if (!(await parts.store.renew(actor))) stop.abort()
    } catch {
      stop.abort()
    }
  }
}

/** An off whose hold was released under it, or an on under a hold: it can't reach its goal any more, and must not wait for its deadline to say so. */
async function endWithoutHold(parts: RunnerParts, run: Run): Promise<Outcome> {
  const { leg, commandedOn, commandedOff } = run.progress
  const code = (leg === 'on' ? commandedOn : commandedOff) ? 'indeterminate' : 'superseded'
  const message = leg === 'on' ? 'the node is held off by now' : 'its hold was released under it'
  const ended = await parts.store.conclude({ actor: run.actor, ending: { kind: 'failed', failure: { code, message } }, patch: {} })
  return ended.ok || ended.lost === 'ended' ? { kind: 'done' } : { kind: 'wait', delayMs: AGAIN_MS }
}

/** A job whose node or device was removed under it can't be worked on, nor one whose time is over before it began: it ends at once, saying so. */
async function endUnworkable(parts: RunnerParts, job: Job, message: string, why: FailureCode = 'unknown_device'): Promise<Outcome> {
  const actor: Actor = { id: `${parts.process}/${parts.newId()}`, jobId: job.id, leases: [] }
  const commanded = job.progress?.commandedOff || job.progress?.commandedOn
  const code = commanded ? 'indeterminate' : why
  await parts.store.conclude({ actor, ending: { kind: 'failed', failure: { code, message } }, patch: {} })
  return { kind: 'done' }
}
