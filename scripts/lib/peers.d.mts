/** What a peer is and how it is made; see peers.mjs. */
export const peers: Record<
  string,
  { version: string; kind: 'apt' | 'venv' | 'go'; bins: string[]; tests: boolean; packages?: string[]; folder?: string }
>
/** The folder that keeps installed peers between runs and clones. */
export function cacheFolder(env?: Record<string, string | undefined>): string
/** The programs of an installed peer as `{name: path}`, or undefined when it is not there. Throws on an unknown name. */
export function findPeer(name: string): Record<string, string> | undefined
/** Installs or builds one peer if it is missing. Throws with a reason a person can act on. */
export function installPeer(name: string): Promise<void>
/** Installs each named peer (default: all that the tests need), goes on after a failure, and returns the names that are still missing. */
export function ensurePeers(names?: string[]): Promise<string[]>
