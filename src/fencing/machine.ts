import type { Observation, RunningDraw } from '../core/evidence.ts'
import type { DeviceProgress, Failure, Job, JobPhase, PlanLevel, Progress } from '../core/job.ts'
import type { Command, Power, RestorePolicy } from '../core/power.ts'
import type { Rules } from '../core/rules.ts'
import { otherCommand } from '../core/store.ts'
import { countRead, verdict } from './confirm.ts'
import { levelShareMs } from './plan.ts'

/** The next thing to do for a job: exactly one at a time, stored before it is acted on. */
export type Effect =
  | { kind: 'settle'; device: string }
  | { kind: 'read'; device: string }
  | { kind: 'command'; device: string; command: Command }
  /** Sets what the machine does when mains power returns (S7), within `limitMs`; 0: there is no time left for it. */
  | { kind: 'policy'; device: string; policy: RestorePolicy; limitMs: number }
  | { kind: 'wait'; untilMono: number; phase: JobPhase }
  | { kind: 'conclude'; power: Power }
  | { kind: 'next-level'; failure: Failure }
  | { kind: 'fail'; failure: Failure }
  /** A reboot whose off stands, and whose `on` can't land any more. */
  | { kind: 'not-restored'; reason: string }

/** What the machine can see beside the job: this process's time, and what the endpoints' documents say. */
export interface MachineContext {
  nowMono: number
  rules: Rules
  /** Open intents on the device's endpoint, whoever wrote them. */
  openIntents(device: DeviceProgress): number
  /** When this command was last settled on the device's endpoint, in this process's monotonic ms. */
  settledMono(device: DeviceProgress, command: Command): number | undefined
  /** How late the command may still take effect after it was settled, in ms. */
  delayMs(device: DeviceProgress, command: Command): number
  /** The power restore policy that the device had before a hold set it to off (S7). */
  policyBefore(device: DeviceProgress): RestorePolicy | undefined
}

/** Failures after which asking the same device again is pointless or harmful (accounts get locked). */
const FATAL: ReadonlySet<string> = new Set([
  'auth_failed',
  'tls_mismatch',
  'identity_mismatch',
  'ambiguous_system',
  'unsupported',
  'bad_address',
])

/** How many failed reads in a row a status job takes from a level before it tries the next. */
const STATUS_MISSES = 2

/** A device at the beginning of a leg. */
function fresh(device: string, endpoint: string, nowMono: number): DeviceProgress {
  return { device, endpoint, commands: 0, reachedSinceCommand: false, streak: [], counted: 0, misses: 0, nextReadMono: nowMono }
}

/** The state of a job that nobody has worked on yet. */
export function begin(
  job: Job,
  args: { process: string; nowMono: number; remainingMs: number; readsOnly: boolean; endpointOf: (device: string) => string; rules: Rules },
): Progress {
  const leg = job.action === 'on' ? 'on' : job.action === 'status' ? 'status' : 'off'
  const deadlineMono = args.nowMono + args.remainingMs
  const base: Progress = {
    process: args.process,
    leg,
    levelIndex: 0,
    levelEndsMono: deadlineMono,
    deadlineMono,
    devices: [],
    failures: [],
    commandedOff: false,
    commandedOn: false,
    legSinceMono: args.nowMono,
    readsOnly: args.readsOnly,
  }
  return enterLevel(base, job, 0, args)
}

type Entering = { nowMono: number; endpointOf: (device: string) => string; rules: Rules }

/** Begins a level of the plan: its devices, and its share of what is left of the deadline (S18). */
export function enterLevel(progress: Progress, job: Job, levelIndex: number, args: Entering): Progress {
  const level = job.plan.levels[levelIndex]
  const share = levelShareMs(progress.deadlineMono - args.nowMono, job.plan.levels.length - levelIndex, args.rules)
  const devices = (level?.devices ?? []).map(device => fresh(device, args.endpointOf(device), args.nowMono))
  return { ...progress, levelIndex, levelEndsMono: args.nowMono + share, devices }
}

/** The `on` of a reboot, on the level whose off concluded. */
export function beginOn(progress: Progress, args: Entering): Progress {
  const devices = progress.devices.map(({ device, endpoint }) => fresh(device, endpoint, args.nowMono))
  return { ...progress, leg: 'on', devices, levelEndsMono: progress.deadlineMono, legSinceMono: args.nowMono, failures: [] }
}

/**
 * Takes a job over on another process's clock: all waits count again from now (S23), and nothing that was read counts any more.
 * A crashed job so resumes with a read, never with a command.
 */
export function resume(
  progress: Progress,
  args: { process: string; nowMono: number; remainingMs: number; levels: number; rules: Rules },
): Progress {
  if (progress.process === args.process) return { ...progress, deadlineMono: args.nowMono + args.remainingMs }
  const share = levelShareMs(args.remainingMs, args.levels - progress.levelIndex, args.rules)
  return {
    ...progress,
    process: args.process,
    deadlineMono: args.nowMono + args.remainingMs,
    levelEndsMono: args.nowMono + (progress.leg === 'on' ? args.remainingMs : share),
    legSinceMono: args.nowMono,
    devices: progress.devices.map(device => {
      const { last: _last, ...rest } = device
      return {
        ...rest,
        streak: [],
        counted: 0,
        nextReadMono: args.nowMono,
        ...(device.lastCommand ? { lastCommand: { ...device.lastCommand, settledMono: args.nowMono } } : {}),
      }
    }),
  }
}

/** What to do next. Pure: the same state and context give the same effect. */
export function decide(job: Job, progress: Progress, context: MachineContext): Effect {
  const level = job.plan.levels[progress.levelIndex]
  if (!level) return { kind: 'fail', failure: ending(progress, { code: 'internal', message: 'the plan has no such level' }) }
  if (progress.leg === 'status') return decideStatus(job, progress, context)
  const reached = verdict(progress.devices, verdictContext(progress, level, context, job))
  const open = progress.devices.filter(device => context.openIntents(device) > 0)
  if (reached === 'reached' && (open.length === 0 || !context.rules.switches.openIntentsSettled))
    return { kind: 'conclude', power: progress.leg }
  const fatal = progress.devices.find(({ error }) => error && FATAL.has(error.code))?.error
  const last = progress.levelIndex >= job.plan.levels.length - 1
  if (context.nowMono >= progress.deadlineMono || (fatal && (last || progress.leg === 'on'))) return end(progress, context, open, fatal)
  if (fatal || (context.nowMono >= progress.levelEndsMono && !last)) return { kind: 'next-level', failure: fatal ?? slow(progress) }
  let wait: Extract<Effect, { kind: 'wait' }> = {
    kind: 'wait',
    // The last level has all that is left, also when a joiner made that more.
    untilMono: last ? progress.deadlineMono : Math.min(progress.deadlineMono, progress.levelEndsMono),
    phase: 'reading',
  }
  for (const device of progress.devices) {
    const next = decideDevice(job, progress, device, context)
    if (next.kind !== 'wait') return next
    if (next.untilMono < wait.untilMono) wait = next
  }
  return wait
}

function decideDevice(job: Job, progress: Progress, device: DeviceProgress, context: MachineContext): Effect {
  const due = context.nowMono >= device.nextReadMono
  if (context.openIntents(device) > 0 && context.rules.switches.openIntentsSettled) {
    return due ? { kind: 'settle', device: device.device } : { kind: 'wait', untilMono: device.nextReadMono, phase: 'settling' }
  }
  if (device.found !== undefined && commandWanted(job, progress, device, context)) {
    return { kind: 'command', device: device.device, command: progress.leg === 'on' ? 'on' : 'off' }
  }
  const policy = policyWanted(progress, device, context)
  if (policy !== undefined) return { kind: 'policy', device: device.device, policy, limitMs: policyLimitMs(job, progress, device, context) }
  if (due) return { kind: 'read', device: device.device }
  return { kind: 'wait', untilMono: device.nextReadMono, phase: device.counted > 0 ? 'confirming' : 'reading' }
}

/** Promise 3. The first command goes out after the first read; each further one only after a fresh read that shows that it was not applied. */
function commandWanted(job: Job, progress: Progress, device: DeviceProgress, context: MachineContext): boolean {
  const { rules } = context
  const { last } = device
  const lastCommand = device.lastCommand ?? settledByOthers(progress, device, context)
  if (!last) return false
  if (device.commands === 0) {
    if (progress.leg === 'off') {
      // S8: a node that was found off gets its command all the same, unless a hold of ours has stood since it was confirmed off (S5).
      const foundOff = last.power === 'off' && device.found === 'off'
      return !(foundOff && (progress.readsOnly || !rules.switches.foundOffIsCommanded))
    }
    const off = context.settledMono(device, 'off')
    const early = job.cautious && off !== undefined && last.startedMono < off + context.delayMs(device, 'off')
    return last.power === 'off' && !early
  }
  const contrary: Power = progress.leg === 'off' ? 'on' : 'off'
  if (device.commands >= rules.maxCommands || !lastCommand) return false
  const waited = lastCommand.refused
    ? Math.max(rules.resendAfterRefusalMs, lastCommand.retryAfterMs ?? 0)
    : context.delayMs(device, progress.leg === 'off' ? 'off' : 'on')
  if (!rules.switches.resendNeedsContraryRead) return context.nowMono >= lastCommand.settledMono + rules.poll.firstMs
  if (last.power !== contrary || last.startedMono < lastCommand.settledMono) return false
  return device.reachedSinceCommand || last.startedMono >= lastCommand.settledMono + waited
}

/**
 * S7. Once a leg and device, after its first counted read: never before the command, and inside the dwell, which has to pass anyway. An off leg
 * goes by what that read said, not by what an earlier one set: a late hand may have changed it since. Back goes only what a hold has changed.
 */
function policyWanted(progress: Progress, device: DeviceProgress, context: MachineContext): RestorePolicy | undefined {
  if (!context.rules.switches.restorePolicyHeld || device.policyDone || device.counted === 0) return undefined
  if (progress.leg === 'on') return context.policyBefore(device)
  return device.restorePolicy === 'off' ? undefined : 'off'
}

/** As long as one exchange, but never so long that the level's verdict would come too late for it; 0 where no time is left. */
function policyLimitMs(job: Job, progress: Progress, device: DeviceProgress, { nowMono, rules }: MachineContext): number {
  const ends = progress.levelIndex >= job.plan.levels.length - 1 ? progress.deadlineMono : progress.levelEndsMono
  const spareMs = Math.min(ends, progress.deadlineMono) - nowMono - dwellMs(progress, device, rules) - 2 * rules.poll.firstMs
  return spareMs < rules.poll.firstMs ? 0 : Math.min(rules.exchange.exchangeMs, spareMs)
}

/** The dwell that this device asks for (S8). */
function dwellMs(progress: Progress, device: DeviceProgress, rules: Rules): number {
  const longer = progress.leg === 'off' && device.found !== 'on' && !progress.readsOnly
  return longer ? Math.max(rules.confirm.dwellMs, rules.confirm.foundOffDwellMs) : rules.confirm.dwellMs
}

/** Another job of the endpoint may have settled this one's command (a shared controller): that moment counts then. */
function settledByOthers(progress: Progress, device: DeviceProgress, context: MachineContext): DeviceProgress['lastCommand'] {
  const settledMono = context.settledMono(device, progress.leg === 'on' ? 'on' : 'off')
  return context.openIntents(device) > 0 || settledMono === undefined ? undefined : { settledMono, refused: false }
}

function decideStatus(job: Job, progress: Progress, context: MachineContext): Effect {
  const open = progress.devices.filter(({ last, error, misses }) => !last && !(error && FATAL.has(error.code)) && misses < STATUS_MISSES)
  const next = open.find(device => context.nowMono >= device.nextReadMono)
  const expired = context.nowMono >= progress.deadlineMono
  if (next && !expired) return { kind: 'read', device: next.device }
  if (open.length > 0 && !expired)
    return { kind: 'wait', untilMono: Math.min(...open.map(({ nextReadMono }) => nextReadMono), progress.deadlineMono), phase: 'reading' }
  const powers = new Set(progress.devices.map(({ last }) => last?.power))
  const [only] = powers
  if (!powers.has(undefined)) return { kind: 'conclude', power: powers.size === 1 && only ? only : 'unknown' }
  const failure = progress.devices.find(({ error }) => error)?.error ?? slow(progress)
  if (progress.levelIndex < job.plan.levels.length - 1 && !expired) return { kind: 'next-level', failure }
  return { kind: 'fail', failure: ending(progress, failure) }
}

/** The end of a job that did not reach its goal. */
function end(progress: Progress, context: MachineContext, open: DeviceProgress[], fatal: Failure | undefined): Effect {
  const failure = ending(progress, fatal ?? slow(progress))
  if (progress.offReceiptId === undefined || progress.leg !== 'on') return { kind: 'fail', failure }
  // Off for good only where no `on` was sent, or one that can't land any more when the node still reads off.
  const off = progress.devices.every(device => {
    const settled = context.settledMono(device, 'on')
    if (device.commands === 0) return true
    return settled !== undefined && device.last?.power === 'off' && device.last.startedMono >= settled + context.delayMs(device, 'on')
  })
  if (open.length === 0 && off) return { kind: 'not-restored', reason: failure.message }
  return {
    kind: 'fail',
    failure: { code: 'indeterminate', message: `the off stands; whether the node comes on again is not known: ${failure.message}` },
  }
}

/** S17: after a command of the present leg without a verdict nothing but `indeterminate` is true. */
function ending(progress: Progress, failure: Failure): Failure {
  const commanded = progress.leg === 'on' ? progress.commandedOn : progress.leg === 'off' && progress.commandedOff
  const before = progress.failures.filter(({ message }) => message !== failure.message).map(({ message }) => message)
  const message = [...before, failure.message].join('; ')
  return commanded
    ? { ...failure, code: 'indeterminate', message: `a command was sent and no verdict reached: ${message}` }
    : { ...failure, message }
}

/** Why a level took too long, from what its devices last said. */
function slow(progress: Progress): Failure {
  const missing = progress.devices.find(({ error }) => error)
  if (missing?.error) return missing.error
  const said = progress.devices.map(device => `${device.device} last read ${lastOf(device)}`).join(', ')
  return { code: 'deadline', message: `the time ran out: ${said}` }
}

function lastOf({ last }: DeviceProgress): string {
  if (last?.contradicted !== undefined) return `off, contradicted by ${last.contradicted}`
  return last?.power ?? 'nothing'
}

function verdictContext(progress: Progress, level: PlanLevel, context: MachineContext, job: Job) {
  const goal: Command = progress.leg === 'on' ? 'on' : 'off'
  const other = otherCommand(goal)
  return {
    goal,
    rules: context.rules,
    readsOnly: progress.readsOnly,
    witnessWanted: goal === 'off' && level.assurance === 'corroborated' && !(job.acceptAssurance ?? ['confirmed']).includes('confirmed'),
    otherCommand: (device: DeviceProgress) => {
      const settledMono = context.settledMono(device, other)
      return settledMono === undefined ? undefined : { settledMono, delayMs: context.delayMs(device, other) }
    },
  }
}

/** After a read: counts it, and sets when the device is asked again. A contrary read of one device restarts the count of all (S12). */
export function afterRead(progress: Progress, observation: Observation, nowMono: number, rules: Rules): Progress {
  const goal: Command = progress.leg === 'on' ? 'on' : 'off'
  const read = progress.devices.map(device =>
    device.device === observation.device ? countRead(policySeen(device, observation), observation, goal, rules) : device,
  )
  const nextReadMono = nextReadAt({ ...progress, devices: read }, observation.startedMono, nowMono, rules)
  const contrary = read.find(({ device }) => device === observation.device)?.counted === 0
  const restarted = contrary && progress.leg !== 'status' && rules.switches.contraryReadRestarts
  const devices = read.map(device => ({
    ...device,
    ...(device.device === observation.device ? { nextReadMono } : {}),
    ...(restarted ? { streak: [], counted: 0 } : {}),
  }))
  return { ...progress, devices }
}

/**
 * When a device is read again: after the poll's time, but not a moment before the common dwell is full, when that read would count for nothing and
 * the verdict would wait for one more.
 */
function nextReadAt(progress: Progress, startedMono: number, nowMono: number, rules: Rules): number {
  const regular = startedMono + pollMs(progress, nowMono, rules)
  const { devices, leg } = progress
  if (leg === 'status') return regular
  const begun = Math.max(...devices.map(({ streak }) => streak[0]?.endedMono ?? Number.POSITIVE_INFINITY))
  const full = begun + Math.max(...devices.map(device => dwellMs(progress, device, rules)))
  return full > regular && full < regular + rules.confirm.spacingMs ? full : regular
}

function policySeen(device: DeviceProgress, { restorePolicy }: Observation): DeviceProgress {
  const { restorePolicy: _before, ...rest } = device
  return restorePolicy === undefined ? rest : { ...rest, restorePolicy }
}

/** After the power restore policy was seen to, well or not. */
export function policyDone(progress: Progress, device: string): Progress {
  return { ...progress, devices: progress.devices.map(one => (one.device === device ? { ...one, policyDone: true } : one)) }
}

/** After a read that failed: it says nothing about power, and the count starts again. */
export function afterMiss(progress: Progress, device: string, error: Failure, nowMono: number, rules: Rules, retryAfterMs = 0): Progress {
  const devices = progress.devices.map(one =>
    one.device === device
      ? {
          ...one,
          error,
          misses: one.misses + 1,
          streak: [],
          counted: 0,
          nextReadMono: nowMono + Math.max(retryAfterMs, pollMs(progress, nowMono, rules)),
        }
      : { ...one, streak: [], counted: 0 },
  )
  return { ...progress, devices }
}

/** Before a command: it is counted when it is announced, so that a crash can't lose it. What was read before does not count. */
export function announced(progress: Progress, device: string, command: Command, draw?: RunningDraw): Progress {
  return {
    ...progress,
    ...(command === 'off' ? { commandedOff: true, readsOnly: false } : { commandedOn: true }),
    devices: progress.devices.map(one => {
      if (one.device !== device) return one
      const { lastCommand: _settled, ...rest } = one
      const seen = draw === undefined ? {} : { draw }
      return { ...rest, ...seen, commands: one.commands + 1, reachedSinceCommand: false, streak: [], counted: 0 }
    }),
  }
}

/** After a command was settled, by an answer or by closing its session: counted reads begin here. */
export function settledAt(progress: Progress, device: string, nowMono: number, refused: boolean, retryAfterMs?: number): Progress {
  const lastCommand = { settledMono: nowMono, refused, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  return {
    ...progress,
    devices: progress.devices.map(one =>
      one.device === device ? { ...one, lastCommand, nextReadMono: nowMono, streak: [], counted: 0 } : one,
    ),
  }
}

/** Puts off the next look at a device (an exchange that has to be waited out). */
export function putOff(progress: Progress, device: string, untilMono: number): Progress {
  return { ...progress, devices: progress.devices.map(one => (one.device === device ? { ...one, nextReadMono: untilMono } : one)) }
}

/** Reads come every `firstMs`, and slow down once a leg has lasted `slowAfterMs`. */
function pollMs(progress: Progress, nowMono: number, rules: Rules): number {
  const { firstMs, slowAfterMs, factor, maxMs } = rules.poll
  const age = nowMono - progress.legSinceMono - slowAfterMs
  if (age <= 0) return firstMs
  // The delay grows by `factor` per poll, so the time spent is its geometric sum: solved for the present delay.
  return Math.min(maxMs, firstMs + age * (factor - 1))
}
