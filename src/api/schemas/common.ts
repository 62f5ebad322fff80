import { type Static, type TSchema, type TSchemaOptions, Type } from 'typebox'

/** A schema that gets a name of its own in the OpenAPI document. */
export type Named = TSchema & { $id: string }

/** Gives a schema its name, and closes an object to fields that it does not name. */
export function named<S extends TSchema>(id: string, schema: S): S & { $id: string } {
  return Object.assign(schema, { $id: id })
}

/** Points at a named schema, and keeps its type: `Type.Ref` would lose it. Whoever uses it registers the schema with `addSchema`. */
export function ref<S extends Named>(schema: S) {
  return Type.Unsafe<Static<S>>({ $ref: `${schema.$id}#` })
}

/** One of some words. A union of literals would become `anyOf` of one-value enums, and its errors would name none of the words. */
export function words<const T extends readonly string[]>(values: T, options: TSchemaOptions = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })
}

/** An object that refuses fields which it does not name: a misspelt option must not be dropped in silence. */
export function strict<P extends Record<string, TSchema>>(properties: P, options: TSchemaOptions = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** RFC 3339 text. */
export const Time = Type.String({ format: 'date-time', examples: ['2026-11-22T13:22:07.123Z'] })

/** The patterns of names, with what to tell people who miss them. Kubernetes' names (RFC 1123) fit. */
export const PATTERNS = {
  cluster: {
    pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
    message: 'must be a DNS label: lower-case letters, digits and -, at most 63',
  },
  node: {
    pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
    message: 'must be a DNS name: lower-case letters, digits, - and dots, at most 253',
  },
  nodeKey: {
    pattern: '^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
    message: 'must be [CLUSTER/]NAME, both as in DNS',
  },
  device: {
    pattern: '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,252}$',
    message: 'must begin with a letter or digit and go on with letters, digits, dots, _ and -, at most 253',
  },
  visible: { pattern: '^[!-~]+$', message: 'must be visible ASCII without spaces' },
  text: { pattern: '\\S', message: 'must not be blank' },
  uuid: { pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$', message: 'must be a UUID' },
  fingerprint: { pattern: '^([0-9a-fA-F]{64}|([0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2})$', message: 'must be a SHA-256 in hex' },
  cursor: { pattern: '^\\d{1,20}-\\d{1,20}$', message: 'must be the id of an event of this stream' },
} as const

/** Name of a cluster; `default` where none is given. */
export const ClusterName = Type.String({ pattern: PATTERNS.cluster.pattern, examples: ['default'] })
/** Name of a node within its cluster. */
export const NodeName = Type.String({ pattern: PATTERNS.node.pattern, maxLength: 253, examples: ['worker-3'] })
/** Name of a device. */
export const DeviceName = Type.String({ pattern: PATTERNS.device.pattern, examples: ['bmc-worker-3'] })
/** Why somebody did something, for the record. */
export const Reason = Type.String({
  minLength: 1,
  maxLength: 1000,
  pattern: PATTERNS.text.pattern,
  examples: ['kubelet silent for 5 minutes'],
})
/** Who wants a node off: `cr:<cluster>/<uid>`, `token:<id>` or a person. */
export const HolderName = Type.String({ minLength: 1, maxLength: 255, pattern: PATTERNS.visible.pattern, examples: ['token:5f1c'] })
/** The number of a holder's try. */
export const Attempt = Type.Integer({ minimum: 1, maximum: 1_000_000, examples: [1] })
/** Rises with every change; the ETag is the same number in quotes. */
export const Revision = Type.Integer({ minimum: 0, examples: [7] })

/** Query of a list: where to go on and how many. */
export const PageQuery = {
  after: Type.Optional(Type.String({ maxLength: 1024, description: 'Cursor of the page: `next` of the page before. It is opaque.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'How many at most.' })),
}

/** A page of a list. */
export function pageOf<S extends Named>(item: S, id: string) {
  return named(
    id,
    Type.Object({
      items: Type.Array(ref(item)),
      next: Type.Optional(Type.String({ description: 'Give it as `after` to get the next page.' })),
    }),
  )
}

/** The id in a path. Anything goes: what is unknown is 404. */
export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 255 }) })
