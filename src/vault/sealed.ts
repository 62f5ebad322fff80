import type { Documents } from '../core/documents.ts'

/**
 * One kind of document that carries envelopes. `index` lists its ids (scores 0), or `ids` names them. A field is a path of names;
 * `name[]` goes through a list, the empty path is the document itself. Missing and null fields are passed over.
 */
export interface SealedKind {
  kind: string
  index?: string
  ids?: readonly string[]
  fields: readonly string[]
}

/** Every place where envelopes lie. What is not in this list is lost with the old key: a new kind of sealed document adds its line. */
export const SEALED_KINDS: readonly SealedKind[] = [
  { kind: 'credential', index: 'devices', fields: [''] },
  { kind: 'endpoint', index: 'endpoints', fields: ['intents[].closing'] },
  { kind: 'meta', ids: ['signing-key'], fields: ['sealed'] },
  { kind: 'meta', ids: ['admin-token'], fields: ['sealed'] },
]

const PAGE = 200

/** All documents of these kinds, a page at a time: what is changed meanwhile may be seen before or after its change. */
export async function* sealedDocuments(
  documents: Documents,
  kinds: readonly SealedKind[],
): AsyncGenerator<{ kind: SealedKind; id: string; data: unknown }> {
  for (const kind of kinds) {
    for await (const ids of pages(documents, kind)) {
      const found = await documents.getMany<unknown>(kind.kind, ids)
      for (const [place, id] of ids.entries()) {
        const data = found[place]
        if (data !== undefined) yield { kind, id, data }
      }
    }
  }
}

async function* pages(documents: Documents, kind: SealedKind): AsyncGenerator<string[]> {
  if (kind.ids !== undefined) yield [...kind.ids]
  if (kind.index === undefined) return
  let ids = await documents.byMember(kind.index, { limit: PAGE })
  while (ids.length > 0) {
    yield ids
    const after = ids.at(-1)
    ids = after === undefined ? [] : await documents.byMember(kind.index, { after, limit: PAGE })
  }
}

/** The envelopes of a document. */
export function envelopesOf(data: unknown, fields: readonly string[]): string[] {
  const found: string[] = []
  mapEnvelopes(data, fields, envelope => {
    found.push(envelope)
    return envelope
  })
  return found
}

/** A copy of the document with each envelope put through `turn`; the same object where nothing changed. */
export function mapEnvelopes<T>(data: T, fields: readonly string[], turn: (envelope: string) => string): T {
  let mapped: unknown = data
  for (const field of fields) mapped = mapPath(mapped, steps(field), turn)
  return mapped as T
}

function steps(field: string): string[] {
  return field
    .replaceAll('[]', '.[]')
    .split('.')
    .filter(step => step !== '')
}

function mapPath(value: unknown, path: readonly string[], turn: (envelope: string) => string): unknown {
  const [name, ...rest] = path
  if (name === undefined) return typeof value === 'string' ? turn(value) : value
  if (name === '[]') {
    if (!Array.isArray(value)) return value
    const items = value.map(item => mapPath(item, rest, turn))
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  if (typeof value !== 'object' || value === null) return value
  const before = (value as Record<string, unknown>)[name]
  const after = mapPath(before, rest, turn)
  return after === before ? value : { ...value, [name]: after }
}
