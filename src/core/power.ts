/** What a device says, or what was read, about a node's power. Only the literal `off` ever counts towards a verdict. */
export type Power = 'on' | 'off' | 'transitioning' | 'unknown'

/** The two commands a driver may be asked to send. There is no cycle and no reset: reboot is off, confirmed, then on. */
export type Command = 'on' | 'off'

/** What a job asks for. */
export type Action = 'off' | 'on' | 'reboot' | 'status'

/** All actions, for schemas and command lines. */
export const ACTIONS = ['off', 'on', 'reboot', 'status'] as const satisfies readonly Action[]

/** The code for one kind of device. A driver is added by one line here and one in `drivers/index.ts`. */
export type DriverKind = 'redfish' | 'ipmi'

/** The IPMI cipher suites that may be used: 17 (SHA-256) and 3 (SHA-1), both with AES. All others are refused always. */
export type CipherSuite = 17 | 3

/** What a machine does when mains power returns: stay off, be as before, or come on (S7). */
export type RestorePolicy = 'off' | 'previous' | 'on'

/** What a remediation names; several drivers can serve one mechanism. */
export type Mechanism = 'direct' | 'metal3' | 'machine' | 'poison-pill' | 'meatware'

/** All mechanisms, for schemas and command lines. */
export const MECHANISMS = ['direct', 'metal3', 'machine', 'poison-pill', 'meatware'] as const satisfies readonly Mechanism[]

/** How we know that a node is in a safe state (DESIGN, "Words"). */
export type Assurance = 'confirmed' | 'corroborated' | 'rebooted' | 'removed' | 'elapsed' | 'reported' | 'attested'

/** All assurance words, for schemas. */
export const ASSURANCES = [
  'confirmed',
  'corroborated',
  'rebooted',
  'removed',
  'elapsed',
  'reported',
  'attested',
] as const satisfies readonly Assurance[]

/** Accepted where a request names no assurance (INTERFACES): what was read or proven, not what was merely said. */
export const DEFAULT_ASSURANCE: readonly Assurance[] = ['confirmed', 'corroborated', 'rebooted', 'elapsed', 'removed']
