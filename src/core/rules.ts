import type { ExchangeLimits } from './driver.ts'

/** The figures and switches that decide what counts. A receipt names those that were in force. All times in ms. */
export interface Rules {
  confirm: {
    /** Consecutive counted reads wanted, at least `spacingMs` apart and spanning at least `dwellMs` (`foundOffDwellMs` for a node found off, S8). */
    reads: number
    spacingMs: number
    dwellMs: number
    foundOffDwellMs: number
  }
  poll: { firstMs: number; slowAfterMs: number; factor: number; maxMs: number }
  /** One command, and at most `maxCommands - 1` more, each only after a fresh read of the contrary state and the delay of the command. */
  maxCommands: number
  resendAfterRefusalMs: number
  powerOnDelayMs: number
  powerOffDelayMs: number
  exchange: ExchangeLimits
  /** The least share of the deadline that a level may get (S18). */
  levelMinMs: number
  lease: { ttlMs: number; renewMs: number }
  deadlineSeconds: { default: number; min: number; max: number }
  login: { failures: number; windowMs: number }
  /** Each switch is true in production; tests turn one off and see its promise break. */
  switches: {
    exactOffOnly: boolean
    contraryReadRestarts: boolean
    readsAfterCommandOnly: boolean
    witnessVetoes: boolean
    foundOffIsCommanded: boolean
    otherCommandOutlasted: boolean
    identityRechecked: boolean
    holdAtAcceptance: boolean
    onChecksHold: boolean
    tokenChecked: boolean
    holdChecked: boolean
    openIntentsSettled: boolean
    concludeChecked: boolean
    releaseChecksAttempt: boolean
    resendNeedsContraryRead: boolean
    joinAddsHolder: boolean
    emptyHoldOwesOn: boolean
    restorePolicyHeld: boolean
  }
}

/** The rules of INTERFACES. Frozen: only `gateway.ts` passes them on, and only tests build others. */
export const RULES: Rules = deepFreeze({
  confirm: { reads: 3, spacingMs: 500, dwellMs: 2_000, foundOffDwellMs: 30_000 },
  poll: { firstMs: 500, slowAfterMs: 30_000, factor: 1.5, maxMs: 5_000 },
  maxCommands: 3,
  resendAfterRefusalMs: 5_000,
  powerOnDelayMs: 30_000,
  powerOffDelayMs: 30_000,
  exchange: { exchangeMs: 5_000, connectMs: 3_000, commandTtlMs: 15_000, answerBytes: 1_048_576, answerDepth: 32 },
  levelMinMs: 20_000,
  lease: { ttlMs: 6_000, renewMs: 2_000 },
  deadlineSeconds: { default: 120, min: 1, max: 3_600 },
  login: { failures: 2, windowMs: 300_000 },
  switches: {
    exactOffOnly: true,
    contraryReadRestarts: true,
    readsAfterCommandOnly: true,
    witnessVetoes: true,
    foundOffIsCommanded: true,
    otherCommandOutlasted: true,
    identityRechecked: true,
    holdAtAcceptance: true,
    onChecksHold: true,
    tokenChecked: true,
    holdChecked: true,
    openIntentsSettled: true,
    concludeChecked: true,
    releaseChecksAttempt: true,
    resendNeedsContraryRead: true,
    joinAddsHolder: true,
    emptyHoldOwesOn: true,
    restorePolicyHeld: true,
  },
})

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) deepFreeze(child)
  return Object.freeze(value)
}
