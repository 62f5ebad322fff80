import { Type } from 'typebox'
import { ClusterName, DeviceName, NodeName, named, PATTERNS, pageOf, Revision, strict, Time, words } from './common.ts'

/** A cluster member and its ordered levels of devices. */
export const NodeSchema = named(
  'Node',
  Type.Object(
    {
      cluster: Type.String(),
      name: Type.String(),
      systemUuid: Type.Optional(Type.String()),
      levels: Type.Array(Type.Array(Type.String()), { description: 'Tried in order; all devices of a level must conclude together.' }),
      createdAt: Time,
      revision: Revision,
    },
    {
      description: 'A cluster member and its ordered levels of devices.',
      examples: [{ cluster: 'default', name: 'worker-3', levels: [['bmc-worker-3']], createdAt: '2026-11-22T13:01:00.000Z', revision: 1 }],
    },
  ),
)

/** A page of nodes. */
export const NodePageSchema = pageOf(NodeSchema, 'NodePage')

/** Body of `POST /v1/nodes`. */
export const NodeRequestSchema = named(
  'NodeRequest',
  strict(
    {
      name: NodeName,
      cluster: Type.Optional(ClusterName),
      systemUuid: Type.Optional(
        Type.String({ pattern: PATTERNS.uuid.pattern, description: "The node's own idea of its hardware (SMBIOS): proves the binding." }),
      ),
      levels: Type.Array(Type.Array(DeviceName, { minItems: 1, maxItems: 16, uniqueItems: true }), { minItems: 1, maxItems: 8 }),
    },
    { examples: [{ name: 'worker-3', systemUuid: '4c4c4544-0051-3010-8052-b4c04f564433', levels: [['bmc-worker-3']] }] },
  ),
)

const Finding = Type.Object({ code: Type.String(), message: Type.String(), device: Type.Optional(Type.String()) })

/** Would fencing this node work now? */
export const ReadinessSchema = named(
  'Readiness',
  Type.Object(
    {
      ready: Type.Boolean(),
      binding: words(['proven', 'declared', 'unknown']),
      problems: Type.Array(Finding),
      warnings: Type.Array(Finding),
      devices: Type.Array(
        Type.Object({ device: Type.String(), status: words(['verified', 'unverified']), lastReadAt: Type.Optional(Time) }),
      ),
    },
    {
      description: 'Would fencing this node work now, as far as is known?',
      examples: [{ ready: true, binding: 'proven', problems: [], warnings: [], devices: [{ device: 'bmc-worker-3', status: 'verified' }] }],
    },
  ),
)

/** The node in a path. */
export const NodeParams = Type.Object({
  cluster: Type.String({ minLength: 1, maxLength: 255 }),
  name: Type.String({ minLength: 1, maxLength: 255 }),
})
