import type { FailureCode } from '../../client/types.ts'

/**
 * What to do about a failure, in the words of somebody at the command line. Codes that say enough by themselves have none.
 */
const HINTS: Readonly<Partial<Record<FailureCode, string>>> = {
  unreachable: 'check the network path to the device: safestate device probe NAME',
  auth_failed:
    'check account and password; for a registered device: safestate device credential NAME --username U --password-stdin. No further log-in is tried meanwhile',
  bad_credential: 'IPMI has room for 16 bytes of user name and 20 of password and BMC key: give the account on the device shorter ones',
  suite_refused:
    'the BMC takes neither cipher suite 17 nor 3, or less than it took before: safestate device probe NAME shows what it offers. Where its firmware changed, register the device anew',
  session_limit: 'the device has no free session: close stale ones on it, or wait until they expire',
  tls_mismatch: 'find out why the certificate of the device changed; if it is right, register the device anew',
  identity_mismatch: 'another machine answers at this address: check cabling, address and registration. Nothing was sent',
  ambiguous_system: 'give one of the listed systems with --system-id',
  unsupported: 'the device offers no such power command: use another device or level',
  refused: 'the evidence has the answer of the device',
  bad_answer: 'the device answered nonsense: see the evidence, and its firmware',
  device_busy: 'the device asked to wait: ask again later',
  deadline: 'the evidence shows how far it came; ask again with a longer --deadline',
  indeterminate:
    'a command was sent and no verdict reached: the hold stays. Look at the node, then ask again (safestate off) or let go (safestate hold release)',
  superseded: 'an off of somebody else took this node over: safestate hold list',
  unknown_device: 'safestate device list shows the names; register one with safestate device add',
  not_found: 'check the name or the id',
  unknown_node: 'safestate node list shows the names; register one with safestate node add',
  unknown_driver: 'this gateway has: redfish, ipmi',
  bad_address: 'redfish: http[s]://HOST[:PORT][/prefix], ipmi: ipmi://HOST[:PORT]; IPv6 in brackets; http needs --tls insecure',
  unauthenticated: 'set SAFESTATE_TOKEN or give --token-file FILE; the first token is in DATA_DIR/admin-token of the gateway',
  forbidden: 'use a token with that scope and cluster: safestate token create',
  held: 'its holders must let go first: safestate hold list',
  hardware_taken: 'this hardware is registered under another name: remove that first',
  exists: 'choose another name, or remove the old one first',
  in_use: 'remove what uses it first, or let the hold go: safestate hold list',
  no_level: 'no level of the node can reach this: leave --mechanism out, or add a level',
  plan_too_long: 'ask for a longer --deadline',
  idempotency_key_reused: 'that --idempotency-key belongs to another request: use a new one, or repeat the same request',
  idempotency_key_cancelled: 'that --idempotency-key was cancelled: use a new one if the job is still wanted',
  no_change: 'the job has ended or sent its command, and runs on to its verdict',
  stale_release: 'the hold has moved on: safestate hold list, then release again',
  store_unavailable: 'the gateway can not write to its store: see /readyz. Nothing was taken in',
  vault_unavailable: 'the gateway lacks the key of its vault: see /readyz',
  internal: 'this is a fault of the gateway: report it with its log',
}

/** What to do about a failure code, or undefined. */
export function hintFor(code: string): string | undefined {
  return (HINTS as Readonly<Record<string, string | undefined>>)[code]
}
