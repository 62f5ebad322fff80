import { DriverError, SafestateError } from '../core/errors.ts'
import type { CommandReply, EvidenceItem, Observation } from '../core/evidence.ts'
import type { Failure, Intent, Job, Progress, Warning } from '../core/job.ts'
import type { Command } from '../core/power.ts'
import type { Secret } from '../core/secret.ts'
import type { Actor, Lost } from '../core/store.ts'
import type { Device, Node } from '../core/topology.ts'
import { nodeKey } from '../core/topology.ts'
import { heard } from '../fencing/confirm.ts'
import { bindingOf, hardwareKeys, sameHardware } from '../fencing/identity.ts'
import { verify } from '../fencing/inventory.ts'
import { afterMiss, afterRead, announced, putOff, settledAt } from '../fencing/machine.ts'
import type { RunnerParts } from './parts.ts'

/** Between two log-ins for one command, ms. */
const AGAIN_MS = 100

/** Raised inside a run when a checked step found that this actor is no longer the one: the run stops, and nothing is lost. */
export class Superseded extends Error {
  readonly lost: Lost

  constructor(lost: Lost) {
    super(`this run was overtaken: ${lost}`)
    this.name = 'Superseded'
    this.lost = lost
  }
}

/** One run's view of its job while it holds the leases. */
export interface Run {
  job: Job
  node: Node
  progress: Progress
  actor: Actor
  devices: Map<string, Device>
  signal: AbortSignal
}

/** Reads one device and counts what it says. Failures of the device become progress; those of our own are thrown. */
export async function read(parts: RunnerParts, run: Run, name: string): Promise<void> {
  const device = mustDevice(run, name)
  try {
    const session = parts.sessions.get(device)
    const observation = await session.observe(run.signal, run.progress.devices.find(one => one.device === name)?.draw)
    parts.metrics.read(device.driver, observation.power)
    await identify(parts, run, device, observation)
    parts.sessions.verified(name, observation.session)
    await tellHold(parts, run, observation)
    run.progress = afterRead(run.progress, observation, parts.clock.mono(), parts.rules)
    const counted = (run.progress.devices.find(one => one.device === name)?.counted ?? 0) > 0
    await store(parts, run, [readEvidence(observation, counted)])
  } catch (error) {
    await missed(parts, run, name, missOf(parts, run, name, error))
  }
}

/** S7: whoever reads a held node on, whatever for, revokes its receipt before anything else is done. A status job's read keeps the hold's fresh. */
async function tellHold(parts: RunnerParts, run: Run, observation: Observation): Promise<void> {
  const power = heard(observation, 'off', parts.rules)
  const speaksForAll = run.progress.leg === 'status' && run.progress.devices.length === 1
  if (power !== 'on' && !speaksForAll) return
  const hold = await parts.reads.holdOf(nodeKey(run.node))
  if (!hold || (hold.state !== 'confirmed' && !speaksForAll)) return
  const { startedAt } = observation
  const at = new Date(startedAt).toISOString()
  await parts.store.observeHold({ actor: run.actor, holdId: hold.id, power, at, nextAt: hold.watchAt ?? parts.clock.now() })
}

/**
 * What a failed exchange counts as: a miss of its device, also where the fault is ours (a credential that no key opens, a driver that trips over an
 * answer), so that the job goes on to its next level and ends in time. Throws what is not the exchange's: a lost turn, a store that is away.
 */
export function missOf(parts: RunnerParts, run: Run, name: string, error: unknown): SafestateError {
  if (run.signal.aborted || error instanceof Superseded) throw error
  if (error instanceof DriverError) return error
  if (error instanceof SafestateError && error.code !== 'vault_unavailable') throw error
  const told = error instanceof Error ? error.message : 'unknown'
  parts.log('error', { jobId: run.job.id, device: name, error: told }, 'an exchange failed by a fault of the gateway')
  return error instanceof SafestateError
    ? error
    : new SafestateError('internal', `a fault of the gateway: the log has the reason`, { device: name })
}

async function missed(parts: RunnerParts, run: Run, name: string, error: SafestateError): Promise<void> {
  parts.metrics.miss(error.code)
  run.progress = afterMiss(run.progress, name, failureOf(error, name), parts.clock.mono(), parts.rules, error.facts.retryAfterMs)
  await store(parts, run, [
    { at: new Date(parts.clock.now()).toISOString(), device: name, kind: 'read', source: error.code, raw: error.message.slice(0, 200) },
  ])
}

/**
 * S9: the machine must be the one that was pinned, and must not contradict the node; an unverified device is pinned by its first read. A machine that
 * another protocol's device has pinned before brings this device under that one's lease (S6): this run has the wrong one then, and stops.
 */
async function identify(parts: RunnerParts, run: Run, device: Device, observation: Observation): Promise<void> {
  if (!parts.rules.switches.identityRechecked) return
  const { hardware, fingerprint, cipherSuite } = observation
  if (device.hardware && !sameHardware(device.hardware, hardware)) {
    throw new DriverError('identity_mismatch', `${device.name} was ${describe(device.hardware)}, and ${describe(hardware)} answers`, {
      device: device.name,
    })
  }
  if (bindingOf(run.node.systemUuid, hardware) === 'contradicted') {
    throw new DriverError(
      'identity_mismatch',
      `${run.node.name} is ${run.node.systemUuid}, and ${describe(hardware)} answers at ${device.name}`,
      {
        device: device.name,
      },
    )
  }
  const unpinned = device.tls.mode === 'pin' && device.tls.fingerprint === undefined && fingerprint !== undefined
  const isBetterSuite = cipherSuite !== undefined && cipherSuite > (device.cipherSuite ?? 0)
  if (device.hardware && !unpinned && !isBetterSuite) return
  try {
    const pinned = await parts.store.updateDevice({
      name: device.name,
      change: present =>
        verify(present, {
          hardware: present.hardware ?? hardware,
          product: device.product ?? '',
          ...(fingerprint === undefined ? {} : { fingerprint }),
          ...(cipherSuite === undefined ? {} : { cipherSuite }),
        }),
      hardwareKeys: hardwareKeys(device.hardware ?? hardware),
      actor: run.actor,
    })
    run.devices.set(device.name, pinned)
    if (pinned.endpoint !== device.endpoint) throw new Superseded('changed')
  } catch (error) {
    const taken = error as SafestateError
    // Its machine is another's too, whose devices can't be brought together with its own just now: nothing is done under a lease that is not the machine's.
    if (taken.code === 'in_use') throw new DriverError('device_busy', taken.message, { device: device.name })
    if (taken.code !== 'hardware_taken') throw error
    throw new DriverError('identity_mismatch', taken.message, { device: device.name })
  }
}

function describe(hardware: { uuid?: string; serial?: string }): string {
  return hardware.uuid ?? (hardware.serial ? `serial ${hardware.serial}` : 'a machine without identity')
}

/**
 * Sends one command: over a log-in whose identity was read, announced in the store with what closes it (S2, S3), sent once. An answer settles it;
 * an unanswered one stays open until its session is closed.
 */
export async function command(parts: RunnerParts, run: Run, name: string, what: Command): Promise<void> {
  const device = mustDevice(run, name)
  const progress = run.progress.devices.find(one => one.device === name)
  const lease = run.actor.leases.find(({ endpoint }) => endpoint === device.endpoint)
  if (!progress || !lease) throw new Superseded('lease')
  try {
    const session = parts.sessions.get(device)
    const ticket = await session.ticket(run.signal)
    if (!parts.sessions.isVerified(name, ticket.id)) {
      // The log-in changed since the last read: only one that saw the right machine carries a command (promise 4).
      await read(parts, run, name)
      // A service that drops every session must not be asked without a pause.
      return parts.clock.sleep(AGAIN_MS, run.signal)
    }
    const intent: Intent = {
      id: parts.newId(),
      jobId: run.job.id,
      device: name,
      command: what,
      actor: run.actor.id,
      token: lease.token,
      sessionId: ticket.id,
      closing: ticket.closing ? parts.vault.seal(closingSubject(device.endpoint), ticket.closing) : null,
      at: parts.delays.now(),
      ttlMs: parts.rules.exchange.commandTtlMs,
    }
    const next = announced(run.progress, name, what, ticket.draw)
    const checked = await parts.store.intend({ actor: run.actor, intent, endpoint: device.endpoint, progress: next, phase: 'commanding' })
    if (!checked.ok) throw new Superseded(checked.lost)
    run.progress = next
    const reply = await session.request(what, run.signal, intent.at.mono + intent.ttlMs)
    parts.metrics.command(device.driver, what, reply.kind)
    await answered(parts, run, device, intent, reply)
  } catch (error) {
    await missed(parts, run, name, missOf(parts, run, name, error))
  }
}

async function answered(parts: RunnerParts, run: Run, device: Device, intent: Intent, reply: CommandReply): Promise<void> {
  const evidence: EvidenceItem = {
    at: new Date(parts.clock.now()).toISOString(),
    device: device.name,
    kind: 'command',
    source: `${device.driver} session ${intent.sessionId}`,
    raw: `${reply.kind}: ${reply.raw}`.slice(0, 200),
    command: intent.command,
  }
  if (reply.kind === 'unanswered') return store(parts, run, [evidence])
  const refused = reply.kind === 'unsent' || !reply.accepted
  const wait = reply.kind === 'answered' ? reply.retryAfterMs : undefined
  run.progress = settledAt(run.progress, device.name, parts.clock.mono(), refused, wait)
  const settled = await parts.store.settle({
    actor: run.actor,
    endpoint: device.endpoint,
    intentId: intent.id,
    how: reply.kind,
    at: parts.delays.now(),
    evidence,
    progress: run.progress,
  })
  if (!settled.ok) throw new Superseded(settled.lost)
}

/** S3: settles every open intent of a device's endpoint by closing its session, or by outliving it where that can't be done. */
export async function settle(parts: RunnerParts, run: Run, name: string): Promise<void> {
  const device = mustDevice(run, name)
  const endpoint = await parts.reads.endpoint(device.endpoint)
  for (const intent of endpoint?.intents ?? []) {
    const how = await outcome(parts, run, device.endpoint, intent)
    if (how === 'later') {
      const rest = parts.delays.monoOf(intent.id, intent.at) + intent.ttlMs - parts.clock.mono()
      run.progress = putOff(run.progress, name, parts.clock.mono() + Math.max(50, Math.min(rest, 5_000)))
      return store(parts, run, [])
    }
    const own = intent.jobId === run.job.id
    if (own) run.progress = settledAt(run.progress, intent.device, parts.clock.mono(), false)
    const evidence: EvidenceItem = {
      at: new Date(parts.clock.now()).toISOString(),
      device: intent.device,
      kind: 'command',
      source: `settled ${own ? '' : `of job ${intent.jobId} `}session ${intent.sessionId}`,
      raw: how === 'closed' ? 'its session was closed at the device' : `its time to live of ${intent.ttlMs} ms is over`,
      command: intent.command,
    }
    const settled = await parts.store.settle({
      actor: run.actor,
      endpoint: device.endpoint,
      intentId: intent.id,
      how,
      at: parts.delays.now(),
      evidence,
      progress: run.progress,
      ...(how === 'expired' ? { warnings: [outlived(intent)] } : {}),
    })
    if (!settled.ok) throw new Superseded(settled.lost)
  }
}

function outlived(intent: Intent): Warning {
  const message = `a command over ${intent.sessionId} could not be called back; it was outlived by ${intent.ttlMs} ms`
  return { code: 'late_hand_bounded', message, device: intent.device }
}

async function outcome(parts: RunnerParts, run: Run, endpoint: string, intent: Intent): Promise<'closed' | 'expired' | 'later'> {
  // Our own session for it, if any, must send nothing more.
  await parts.sessions.drop(intent.device)
  const device = run.devices.get(intent.device) ?? (await parts.reads.device(intent.device))
  if (intent.closing !== null && device) {
    const closing = openTicket(parts, endpoint, intent.closing)
    if (closing && (await parts.closeSession(device, closing, run.signal)) === 'closed') return 'closed'
  }
  return parts.clock.mono() >= parts.delays.monoOf(intent.id, intent.at) + intent.ttlMs ? 'expired' : 'later'
}

/** A ticket that can't be opened (a lost vault key) closes nothing: its command has to be outlived. */
function openTicket(parts: RunnerParts, endpoint: string, sealed: string): Secret | undefined {
  try {
    return parts.vault.open(closingSubject(endpoint), sealed)
  } catch (error) {
    parts.log('error', { endpoint, error: (error as Error).message }, 'the ticket of an earlier session can not be opened')
    return undefined
  }
}

/** Stores what a step brought, evidence and machine state together. */
export async function store(parts: RunnerParts, run: Run, evidence: EvidenceItem[]): Promise<void> {
  const phase = run.progress.devices.some(({ counted }) => counted > 0) && run.progress.leg !== 'status' ? 'confirming' : 'reading'
  const recorded = await parts.store.record({ actor: run.actor, patch: { state: 'running', phase, evidence, progress: run.progress } })
  if (!recorded.ok) throw new Superseded(recorded.lost)
  run.job = recorded.job
}

function readEvidence(observation: Observation, counted: boolean): EvidenceItem {
  const { device, source, raw, power, witnesses } = observation
  const also = witnesses.map(witness => `; ${witness.source}: ${witness.raw}`).join('')
  return {
    at: new Date(observation.endedAt).toISOString(),
    device,
    kind: 'read',
    source,
    raw: `${raw}${also}`.slice(0, 400),
    power,
    counted,
  }
}

function failureOf(error: SafestateError, device: string): Failure {
  return { code: error.code, message: error.message, device }
}

function closingSubject(endpoint: string): string {
  return `intent:${endpoint}`
}

/** The device as the run knows it; one that was removed under it ends the run. */
export function mustDevice(run: Run, name: string): Device {
  const device = run.devices.get(name)
  if (!device) throw new Superseded('changed')
  return device
}
