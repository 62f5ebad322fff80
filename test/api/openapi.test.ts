import { readFile } from 'node:fs/promises'
import t from 'tap'
import { parse } from 'yaml'
import { openapiDocument } from '../../src/api/openapi.ts'
import { FAILURE_CODES } from '../../src/core/errors.ts'
import { edge } from './support.ts'

interface Operation {
  operationId?: string
  summary?: string
  tags?: string[]
  security?: unknown
  responses: Record<string, { description: string; content?: Record<string, unknown> }>
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, { enum?: string[] }> }
}

t.test('openapi/openapi.yaml is what the code says (npm run openapi writes it)', async t => {
  const committed = parse(await readFile(new URL('../../openapi/openapi.yaml', import.meta.url), 'utf8'))
  t.same(committed, await openapiDocument())
})

t.test('a running gateway serves the same document', async t => {
  const { call } = await edge(t)
  t.same((await call('GET /openapi.json')).body, await openapiDocument())
  t.same((await call('GET /docs/json')).body, await openapiDocument(), 'and so does its page')
})

t.test('every operation says what it is', async t => {
  const { openapi, paths, components } = (await openapiDocument()) as Document
  t.equal(openapi, '3.1.0')
  const ids = new Set<string>()
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const name = `${method} ${path}`
      t.match(operation, { operationId: String, summary: String, tags: [String], security: Array }, name)
      ids.add(operation.operationId ?? '')
      for (const [status, { content }] of Object.entries(operation.responses)) {
        if (Number(status) >= 400) t.same(Object.keys(content ?? {}), ['application/problem+json'], `${name} ${status}`)
      }
    }
  }
  t.equal(ids.size, Object.values(paths).flatMap(operations => Object.keys(operations)).length, 'ids are unique')
  t.same(components.schemas['FailureCode']?.enum, FAILURE_CODES)
  t.notOk(
    Object.keys(components.schemas).some(name => name.startsWith('def-')),
    'schemas have names',
  )
})
