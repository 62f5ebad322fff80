import type { Hardware } from './evidence.ts'
import type { CipherSuite, DriverKind, RestorePolicy } from './power.ts'

/** How the device's certificate is checked. `pin` without a fingerprint trusts the first one seen and keeps it. */
export type TlsSetting = { mode: 'pin'; fingerprint?: string } | { mode: 'ca'; ca: string } | { mode: 'insecure' }

/** Odd firmware that a device's owner knows of; each name stands for one difference from the specification (see `wire/ipmi/quirks.ts`). */
export type IpmiQuirk =
  | 'no-name-only-lookup'
  | 'pad-user-16'
  | 'rakp4-integrity-algorithm'
  | 'rakp2-slack'
  | 'skip-checksum'
  | 'ignore-watts'

/** How an IPMI device is spoken to. */
export interface IpmiSettings {
  /** `auto`: 17, and 3 only where the BMC says that it has no 17. */
  cipherSuite?: 'auto' | '17' | '3'
  /** The privilege asked for; `operator` suffices for power commands, some BMCs want `administrator`. */
  privilege?: 'operator' | 'administrator'
  quirks?: IpmiQuirk[]
}

/** Why a power restore policy could not be set. */
export type PolicyTrouble = 'none' | 'refused' | 'failed'

/** One endpoint that can isolate a node. Its credential lies sealed elsewhere. */
export interface Device {
  name: string
  driver: DriverKind
  address: string
  /** What a lease covers: one BMC with all its systems and protocols (S6). */
  endpoint: string
  systemId?: string
  tls: TlsSetting
  /** Only on `ipmi` devices. */
  ipmi?: IpmiSettings
  /** The best IPMI cipher suite that ever worked: a device that spoke 17 is not spoken to with 3 any more. */
  cipherSuite?: CipherSuite
  /** Why the machine's power restore policy could not be set to off when last asked (S7): it has none, refuses the change, or did not answer. Readiness warns. */
  restorePolicyTrouble?: PolicyTrouble
  /** What the machine did when mains power returned before a hold set it to off; put back with the next `on` (S7). */
  restorePolicyBefore?: RestorePolicy
  /** `unverified`: never reached yet; its identity is pinned before its first command. */
  status: 'verified' | 'unverified'
  /** The identity pinned at registration or at the first contact; checked in every session (S9). */
  hardware?: Hardware
  /** The keys under which its hardware is claimed (S6): see `fencing/identity.ts`. */
  hardwareKeys?: string[]
  product?: string
  /** Delays of this device's hardware where known better than the rules' defaults, in ms. */
  powerOnDelayMs?: number
  powerOffDelayMs?: number
  createdAt: string
  revision: number
}

/** How we know that the hardware is this node's (S9). */
export type Binding = 'proven' | 'declared'

/** A cluster member and its ordered levels of devices. All devices of a level must conclude together. */
export interface Node {
  cluster: string
  name: string
  systemUuid?: string
  levels: string[][]
  createdAt: string
  revision: number
}

/** `cluster/name`: the one form in which nodes are keyed and shown. */
export function nodeKey(node: { cluster: string; name: string }): string {
  return `${node.cluster}/${node.name}`
}

/** Splits `[CLUSTER/]NAME`; the cluster is `default` where none is given. */
export function parseNodeKey(text: string): { cluster: string; name: string } {
  const slash = text.indexOf('/')
  return slash < 0 ? { cluster: 'default', name: text } : { cluster: text.slice(0, slash), name: text.slice(slash + 1) }
}
