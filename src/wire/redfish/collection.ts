import { comparable } from './address.ts'
import type { Resource } from './client.ts'
import { RedfishError } from './failure.ts'
import { linkOf } from './json.ts'

/** The members of a collection, in its order, without doubles. */
export interface Members {
  paths: string[]
  /** True where the collection counts more members than it gave: something may be hidden. */
  incomplete: boolean
}

const MAX_PAGES = 100
const MAX_MEMBERS = 2_000

/**
 * Walks a collection along `Members@odata.nextLink`. Throws RedfishError: `collection_loop`, `collection_too_large`,
 * `foreign_reference` (a member or next page on another host), `bad_resource` (Members null or missing), and what `read` throws.
 */
export async function membersOf(
  path: string,
  resolve: (reference: unknown) => string | undefined,
  read: (path: string) => Promise<Resource>,
): Promise<Members> {
  const pages = new Set<string>()
  const members = new Map<string, string>()
  let counted = 0
  for (let next: string | undefined = path; next !== undefined; ) {
    if (pages.has(next)) throw new RedfishError('collection_loop', 'the pages of a collection lead back to an earlier one')
    if (pages.size >= MAX_PAGES) throw new RedfishError('collection_too_large', `a collection of more than ${MAX_PAGES} pages`)
    pages.add(next)
    const { body }: Resource = await read(next)
    const list: unknown = body['Members']
    if (!Array.isArray(list)) throw new RedfishError('bad_resource', 'a collection without Members')
    if (members.size + list.length > MAX_MEMBERS)
      throw new RedfishError('collection_too_large', `a collection of more than ${MAX_MEMBERS} members`)
    for (const member of list) {
      const resolved = resolve(linkOf({ member }, 'member'))
      if (resolved === undefined) throw new RedfishError('foreign_reference', 'a collection with a member that is no path of this service')
      if (!members.has(comparable(resolved))) members.set(comparable(resolved), resolved)
    }
    const count = body['Members@odata.count']
    if (typeof count === 'number') counted = Math.max(counted, count)
    const link: unknown = body['Members@odata.nextLink'] ?? body['@odata.nextLink']
    next = link === undefined || link === null ? undefined : resolve(link)
    if (next === undefined && link !== undefined && link !== null)
      throw new RedfishError('foreign_reference', 'a next page on another host')
  }
  return { paths: [...members.values()], incomplete: counted > members.size }
}
