import { findPeer } from '../../scripts/lib/peers.mjs'

/** The part of a tap test that {@link peer} needs. */
interface Skippable {
  skip(message: string): unknown
  fail(message: string): unknown
}

/**
 * The programs of a real peer (`sushy-tools`, `sushy`, `fence-agents`, `redis`, …; the list is in scripts/lib/peers.mjs) as `{program: path}`.
 * Where it is missing the test is skipped by the peer's name, or fails when peers are required (`CI=true npm test`), and the answer is undefined:
 * `const found = peer(t, 'redis'); if (!found) return`.
 */
export function peer(t: Skippable, name: string): Record<string, string> | undefined {
  const found = findPeer(name)
  if (found) return found
  if (process.env['SAFESTATE_PEERS_REQUIRED'] === '1') t.fail(`peer ${name} is required but not installed`)
  else t.skip(`peer ${name} is not installed (npm run peers -- ${name})`)
  return undefined
}

/**
 * The environment for a peer's process: ours without the variables that name a CA bundle, because with them set Python's `requests` ignores
 * "don't verify" (seen with redfish-protocol-validator 1.3.2, whose report is then void), and without Python's own settings.
 */
export function peerEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const drop = new Set(['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE', 'PYTHONPATH', 'PYTHONHOME'])
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !drop.has(entry[0]))
  return { ...Object.fromEntries(kept), PYTHONUNBUFFERED: '1', ...extra }
}
