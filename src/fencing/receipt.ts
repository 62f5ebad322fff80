import type { Hold, Job, Progress } from '../core/job.ts'
import type { Assurance } from '../core/power.ts'
import type { ReceiptPayload } from '../core/receipt.ts'
import type { Rules } from '../core/rules.ts'
import type { Binding } from '../core/topology.ts'

/** Where a receipt comes from and how far its store can be trusted. */
export interface Issuer {
  iss: string
  storeEpoch: string
  storeDurable: boolean
}

/** `corroborated` when every counted read of every device had a witness that said off too. */
export function assuranceOf(progress: Progress): Assurance {
  const agreed = progress.devices.every(({ streak }) => streak.every(({ witnesses }) => witnesses.some(({ power }) => power === 'off')))
  return agreed ? 'corroborated' : 'confirmed'
}

/** The statement of S15 about a concluded off. Times in ms since the epoch. */
export function receiptPayload(args: {
  id: string
  job: Job
  hold: Hold
  progress: Progress
  bindings: Binding[]
  /** `bounded` where a command of another process was only outlived on an endpoint of the level. */
  lateHand: 'closed' | 'bounded'
  rules: Rules
  issuer: Issuer
  nowMs: number
}): ReceiptPayload {
  const { job, progress, rules } = args
  const level = job.plan.levels[progress.levelIndex]
  const last = progress.devices.map(({ streak }) => streak.at(-1)?.at ?? '').sort()[0] ?? ''
  return {
    ...args.issuer,
    jti: args.id,
    cluster: job.cluster,
    node: job.node,
    state: 'off',
    assurance: assuranceOf(progress),
    mechanism: level?.mechanism ?? 'direct',
    binding: args.bindings.every(binding => binding === 'proven') ? 'proven' : 'declared',
    hardware: progress.devices.map(({ device, hardware }) => ({ ...hardware, device })),
    job: job.id,
    attempt: Math.max(1, ...job.holders.map(({ attempt }) => attempt)),
    hold: args.hold.id,
    holders: args.hold.holders.map(({ holder, attempt }) => ({ holder, attempt })),
    lateHand: job.warnings.some(({ code }) => code === 'late_hand_bounded') ? 'bounded' : args.lateHand,
    observations: progress.devices.flatMap(({ device, streak }) =>
      streak.map(({ at, source, raw, witnesses }) => ({ device, at, source, raw, power: 'off' as const, witnesses })),
    ),
    commands: job.evidence.filter(({ kind }) => kind === 'command').map(({ at, device, source, raw }) => ({ at, device, source, raw })),
    rules: {
      reads: rules.confirm.reads,
      spacingMs: rules.confirm.spacingMs,
      dwellMs: rules.confirm.dwellMs,
      foundOffDwellMs: rules.confirm.foundOffDwellMs,
      powerOnDelayMs: rules.powerOnDelayMs,
      powerOffDelayMs: rules.powerOffDelayMs,
      commandTtlMs: rules.exchange.commandTtlMs,
    },
    warnings: job.warnings.map(({ code, message }) => `${code}: ${message}`),
    requestedAt: job.createdAt,
    confirmedAt: last,
    issuedAt: new Date(args.nowMs).toISOString(),
  }
}
