import type { Static } from 'typebox'
import { SafestateError } from '../../core/errors.ts'
import type { Caller } from '../../core/gateway.ts'
import { type Node, nodeKey } from '../../core/topology.ts'
import { callerOf, demand, visible, within } from '../access.ts'
import type { Api, Context } from '../context.ts'
import { etagOf, sendRevision } from '../etag.ts'
import { operation } from '../operation.ts'
import { PageQuery, ref, strict } from '../schemas/common.ts'
import { HoldQuery, HoldSchema } from '../schemas/hold.ts'
import { NodePageSchema, NodeParams, NodeRequestSchema, NodeSchema, ReadinessSchema } from '../schemas/node.ts'
import { ConditionalHeaders, LOCATION_HEADERS, REVISION_HEADERS } from './headers.ts'
import { showHold } from './holds.ts'

function showNode(node: Node): Static<typeof NodeSchema> {
  return node
}

/** `/v1/nodes`: cluster members, what isolates them, their hold and their readiness. */
export function nodeRoutes(api: Api, { service }: Context): void {
  const known = async (caller: Caller, params: { cluster: string; name: string }): Promise<Node> => {
    const node = nodeKey(params)
    return visible(caller, await service.nodes.get(node), 'node', 'unknown_node', { node })
  }

  api.get(
    '/v1/nodes',
    operation({
      id: 'listNodes',
      tag: 'nodes',
      summary: 'List nodes',
      access: { scopes: ['nodes:read'] },
      query: strict(PageQuery),
      answers: { 200: { description: 'A page of nodes.', schema: ref(NodePageSchema) } },
    }),
    async (request, reply) => {
      const { after, limit } = request.query
      const page = await service.nodes.list({ limit: limit ?? 50, ...within(callerOf(request)), ...(after === undefined ? {} : { after }) })
      return reply.send({ ...page, items: page.items.map(showNode) })
    },
  )

  api.post(
    '/v1/nodes',
    operation({
      id: 'createNode',
      tag: 'nodes',
      summary: 'Register a node and its levels of devices',
      access: { scopes: ['nodes:write'] },
      body: ref(NodeRequestSchema),
      answers: { 201: { description: 'Registered.', schema: ref(NodeSchema), headers: LOCATION_HEADERS } },
      refuses: [404, 409, 422],
    }),
    async (request, reply) => {
      const cluster = request.body.cluster ?? 'default'
      demand(callerOf(request), 'nodes:write', cluster)
      const node = await service.nodes.add({ ...request.body, cluster })
      reply
        .code(201)
        .header('location', `/v1/nodes/${cluster}/${encodeURIComponent(node.name)}`)
        .header('etag', etagOf(node.revision))
      return reply.send(showNode(node))
    },
  )

  api.get(
    '/v1/nodes/:cluster/:name',
    operation({
      id: 'getNode',
      tag: 'nodes',
      summary: 'Read a node',
      access: { scopes: ['nodes:read'] },
      params: NodeParams,
      headers: ConditionalHeaders,
      answers: {
        200: { description: 'The node.', schema: ref(NodeSchema), headers: REVISION_HEADERS },
        304: { description: 'Unchanged.' },
      },
      refuses: [404],
    }),
    async (request, reply) => {
      const node = await known(callerOf(request), request.params)
      return sendRevision(request, reply, node.revision, showNode(node))
    },
  )

  api.delete(
    '/v1/nodes/:cluster/:name',
    operation({
      id: 'deleteNode',
      tag: 'nodes',
      summary: 'Remove a node',
      access: { scopes: ['nodes:write'] },
      params: NodeParams,
      answers: { 204: { description: 'Removed.' } },
      refuses: [404, 409],
    }),
    async (request, reply) => {
      await service.nodes.remove(nodeKey(await known(callerOf(request), request.params)))
      return reply.code(204).send()
    },
  )

  api.get(
    '/v1/nodes/:cluster/:name/hold',
    operation({
      id: 'getNodeHold',
      tag: 'nodes',
      summary: "Read a node's hold",
      description: '404 `not_found` where the node is not held. With `maxAgeSeconds` the node is read first when its last read is older.',
      access: { scopes: ['holds:read'] },
      params: NodeParams,
      query: HoldQuery,
      answers: { 200: { description: 'The hold.', schema: ref(HoldSchema), headers: REVISION_HEADERS } },
      refuses: [404],
    }),
    async (request, reply) => {
      const node = nodeKey(await known(callerOf(request), request.params))
      const hold = await service.holds.ofNode(node, request.query.maxAgeSeconds)
      if (!hold) throw new SafestateError('not_found', 'this node is not held', { node })
      return reply.header('etag', etagOf(hold.revision)).send(showHold(hold))
    },
  )

  api.get(
    '/v1/nodes/:cluster/:name/readiness',
    operation({
      id: 'getNodeReadiness',
      tag: 'nodes',
      summary: 'Would fencing this node work now?',
      access: { scopes: ['nodes:read'] },
      params: NodeParams,
      answers: { 200: { description: 'What is known; nothing is asked of the devices.', schema: ref(ReadinessSchema) } },
      refuses: [404],
    }),
    async (request, reply) => reply.send(await service.nodes.readiness(nodeKey(await known(callerOf(request), request.params)))),
  )
}
