import type { Documents } from '../../core/documents.ts'
import type { Endpoint, Hold, Job, NodePower } from '../../core/job.ts'
import type { Receipt } from '../../core/receipt.ts'
import type { JobFilter, Page, Reads } from '../../core/store.ts'
import type { Device, Node } from '../../core/topology.ts'
import { type Host, leaseNameOf } from './hosts.ts'
import { INDEX, KIND } from './shared.ts'

/** How many members of an index are looked at per round trip while a filter is applied. */
const CHUNK = 200

/** The plain reads of the store on any `Documents`. */
export function createReads(documents: Documents): Reads {
  /** One page in order of the ids; `keep` filters. `next` is the last id looked at, so that no page is skipped or read twice. */
  async function page<T>(
    kind: string,
    index: string,
    options: { after?: string; limit: number; reverse?: boolean },
    keep: (item: T) => boolean,
  ): Promise<Page<T>> {
    const items: T[] = []
    let after = options.after
    for (;;) {
      const range = { limit: CHUNK, reverse: options.reverse ?? false, ...(after === undefined ? {} : { after }) }
      const ids = await documents.byMember(index, range)
      const found = await documents.getMany<T>(kind, ids)
      for (const [position, item] of found.entries()) {
        if (item === undefined || !keep(item)) continue
        items.push(item)
        if (items.length < options.limit) continue
        const last = ids[position]
        const more = position + 1 < ids.length || ids.length === CHUNK
        return more && last !== undefined ? { items, next: last } : { items }
      }
      if (ids.length < CHUNK) return { items }
      after = ids.at(-1)
    }
  }
  const visible = (clusters: string[] | undefined, cluster: string) => clusters === undefined || clusters.includes(cluster)
  const hold = (id: string) => documents.get<Hold>(KIND.hold, id)
  return {
    hold,
    job: id => documents.get<Job>(KIND.job, id),
    jobs: (filter: JobFilter, { clusters, ...range }) =>
      page<Job>(
        KIND.job,
        filter.node && filter.cluster ? INDEX.jobsOf(`${filter.cluster}/${filter.node}`) : INDEX.jobs,
        { ...range, reverse: true },
        job =>
          visible(clusters, job.cluster) &&
          (filter.cluster === undefined || job.cluster === filter.cluster) &&
          (filter.node === undefined || job.node === filter.node) &&
          (filter.state === undefined || job.state === filter.state) &&
          (filter.action === undefined || job.action === filter.action),
      ),
    device: name => documents.get<Device>(KIND.device, name),
    devices: range => page<Device>(KIND.device, INDEX.devices, range, () => true),
    credential: name => documents.get<string>(KIND.credential, name),
    node: key => documents.get<Node>(KIND.node, key),
    nodes: ({ clusters, ...range }) => page<Node>(KIND.node, INDEX.nodes, range, node => visible(clusters, node.cluster)),
    holdOf: async key => {
      const power = await documents.get<NodePower>(KIND.power, key)
      const found = power?.holdId ? await hold(power.holdId) : undefined
      return found?.state === 'released' ? undefined : found
    },
    holds: ({ clusters, ...range }) =>
      page<Hold>(KIND.hold, INDEX.holds, range, found => found.state !== 'released' && visible(clusters, found.cluster)),
    receipt: id => documents.get<Receipt>(KIND.receipt, id),
    whatIsAt: async name => {
      const endpoint = await leaseNameOf(documents, name)
      return { endpoint, devices: (await documents.get<Host>(KIND.host, endpoint))?.devices ?? [] }
    },
    endpoint: id => documents.get<Endpoint>(KIND.endpoint, id),
    endpoints: async () => {
      const ids = await documents.byMember(INDEX.endpoints, { limit: 100_000 })
      const found = await documents.getMany<Endpoint>(KIND.endpoint, ids)
      return ids.flatMap((id, position) => {
        const endpoint = found[position]
        return endpoint ? [{ id, settled: endpoint.settled }] : []
      })
    },
  }
}
