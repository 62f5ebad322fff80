import type { RestorePolicy } from '../../core/power.ts'
import type { RedfishClient, Resource } from './client.ts'
import { RedfishError } from './failure.ts'
import { textOf } from './json.ts'

/** The values of ComputerSystem.PowerRestorePolicy (schema v1.6 and later; DGX, AMI and OpenBMC have it, Dell, HPE and Lenovo keep theirs in BIOS or OEM settings). */
const VALUES: Record<RestorePolicy, string> = { off: 'AlwaysOff', previous: 'LastState', on: 'AlwaysOn' }

/** How long a change may take to show, in ms between two reads: bmcweb answers before its settings daemon has written. */
const READ_BACK_MS = [0, 200, 500]

/** The policy that a system's PowerRestorePolicy says; undefined where it has none, or one that is not of the standard. */
export function policyOf(value: unknown): RestorePolicy | undefined {
  return (Object.keys(VALUES) as RestorePolicy[]).find(policy => VALUES[policy] === value)
}

/**
 * Sets a system's PowerRestorePolicy and reads it back. Returns what was set before; null where the system has none, does not list the value, refuses
 * it (any 4xx but a lost session or "busy"), or shows another one afterwards. Throws RedfishError where it can't be asked.
 */
export async function setPolicy(
  client: RedfishClient,
  path: string,
  policy: RestorePolicy,
  sleep: (ms: number) => Promise<void>,
  signal: AbortSignal,
): Promise<RestorePolicy | null> {
  const resource = await client.get(path, signal)
  const before = policyOf(resource.body['PowerRestorePolicy'])
  if (before === undefined || before === policy) return before ?? null
  const allowed = resource.body['PowerRestorePolicy@Redfish.AllowableValues']
  if (Array.isArray(allowed) && allowed.length > 0 && !allowed.includes(VALUES[policy])) return null
  if (!(await patch(client, resource, { PowerRestorePolicy: VALUES[policy] }, signal))) return null
  for (const ms of READ_BACK_MS) {
    if (ms > 0) await sleep(ms)
    const { body } = await client.get(path, signal)
    if (policyOf(body['PowerRestorePolicy']) === policy) return before
  }
  return null
}

/**
 * One PATCH, and one more where its If-Match was not liked (412): with the new ETag where the resource has changed, else in its strong form (weak
 * ones must not match, RFC 9110 13.1.1) or without (iDRAC10 answers 412 to any). AMI wants If-Match also where it sends no ETag (428).
 */
async function patch(client: RedfishClient, resource: Resource, body: object, signal: AbortSignal): Promise<boolean> {
  const etag = etagOf(resource)
  const { status } = await client.patch(resource.path, body, etag, signal)
  if (status === 412 && etag !== undefined) {
    const present = etagOf(await client.get(resource.path, signal))
    const other = present !== etag ? present : etag.startsWith('W/') ? etag.slice(2) : undefined
    return isDone((await client.patch(resource.path, body, other, signal)).status)
  }
  if (status === 428 && etag === undefined) return isDone((await client.patch(resource.path, body, '*', signal)).status)
  return isDone(status)
}

function etagOf(resource: Resource): string | undefined {
  return resource.etag ?? textOf(resource.body, '@odata.etag')
}

function isDone(status: number): boolean {
  if (status >= 300 && status < 400) throw new RedfishError('redirect_refused', 'the service redirects a change', { status })
  return status >= 200 && status <= 299
}
