/** What an API token may be allowed to do. `reboot` needs `jobs:off` and `jobs:on`; `admin` stands for all of them. */
export const SCOPES = [
  'jobs:read',
  'jobs:off',
  'jobs:on',
  'devices:read',
  'devices:write',
  'nodes:read',
  'nodes:write',
  'holds:read',
  'holds:release',
  'holds:force',
  'receipts:read',
  'tokens:write',
  'vault:rotate',
  'queues:read',
  'metrics:read',
  'admin',
] as const

/** One right of an API token. */
export type Scope = (typeof SCOPES)[number]

/** What a caller may do, and in which clusters. `clusters` undefined: in all, now and later. */
export interface Grant {
  scopes: readonly string[]
  clusters?: readonly string[] | undefined
}

/** True where `text` names a scope. */
export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text)
}

/** May the holder of `grant` do what `scope` names, in `cluster`? Without `cluster` (devices, tokens: they belong to none) the scope alone decides. */
export function permits(grant: Grant, scope: Scope, cluster?: string): boolean {
  if (!grant.scopes.includes(scope) && !grant.scopes.includes('admin')) return false
  return cluster === undefined || grant.clusters === undefined || grant.clusters.includes(cluster)
}

/** May the holder of `grant` hand out `wanted`? Nobody hands out more than they have: `tokens:write` must not be a way to become an administrator. */
export function covers(grant: Grant, wanted: Grant): boolean {
  const scopes = grant.scopes.includes('admin') || wanted.scopes.every(scope => grant.scopes.includes(scope))
  const allowed = grant.clusters
  return scopes && (allowed === undefined || (wanted.clusters?.every(cluster => allowed.includes(cluster)) ?? false))
}
