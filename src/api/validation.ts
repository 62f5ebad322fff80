import type { FastifyRequest } from 'fastify'
import type { FieldError } from '../core/errors.ts'
import { SafestateError } from '../core/errors.ts'
import { PATTERNS } from './schemas/common.ts'

/** An error of Ajv (JSON Schema), as far as it is used here. Its `message` never contains the value. */
export interface SchemaError {
  keyword: string
  instancePath: string
  params: Record<string, unknown>
  message?: string
}

const PARTS = ['params', 'body', 'query', 'headers'] as const
const VALIDATORS = { params: 'params', body: 'body', query: 'querystring', headers: 'headers' } as const
const PATTERN_MESSAGES = new Map<unknown, string>(Object.values(PATTERNS).map(({ pattern, message }) => [pattern, message]))

/**
 * The refusal of a request that misses its schemas: names every wrong field of every part. fastify stops at the first part that is wrong; a caller
 * who sends two wrong things should hear of both.
 */
export function refusalOf(request: FastifyRequest): SafestateError {
  const errors: FieldError[] = []
  let keyMissing = false
  for (const part of PARTS) {
    const validate = request.getValidationFunction(VALIDATORS[part]) as
      | { (data: unknown): unknown; errors?: SchemaError[] | null }
      | undefined
    // As fastify does: a missing body is null.
    if (validate?.(request[part] ?? null) !== false) continue
    for (const error of validate.errors ?? []) {
      if (part === 'headers' && error.keyword === 'required' && error.params['missingProperty'] === 'idempotency-key') keyMissing = true
      errors.push(fieldError(error, part))
    }
  }
  const unique = onePerFieldAndMessage(errors)
  if (keyMissing) {
    const also = unique.length > 1 ? `, and more is wrong: ${fieldsOf(unique)}` : ''
    return new SafestateError('idempotency_key_missing', `the header Idempotency-Key is missing${also}`, { errors: unique })
  }
  return badRequest(unique)
}

/** A 400 that names wrong fields. */
export function badRequest(errors: FieldError[]): SafestateError {
  const count = new Set(errors.map(error => error.field)).size
  const detail =
    count === 0 ? 'the request is malformed' : `${count === 1 ? 'a field is' : `${count} fields are`} wrong: ${fieldsOf(errors)}`
  return new SafestateError('bad_request', detail, { errors })
}

function fieldsOf(errors: FieldError[]): string {
  return [...new Set(errors.map(error => error.field))].slice(0, 20).join(', ')
}

function onePerFieldAndMessage(errors: FieldError[]): FieldError[] {
  return [...new Map(errors.map(error => [`${error.field}\0${error.message}`, error])).values()].slice(0, 100)
}

/** One error of Ajv in words. Values are never repeated: they may be passwords. */
export function fieldError(error: SchemaError, part: (typeof PARTS)[number] = 'body'): FieldError {
  const { keyword, params } = error
  const path = pathOf(error.instancePath)
  const inner = (name: unknown): string => `${path}${path === '' ? '' : '.'}${String(name)}`
  const field = (own: string): string => (part === 'headers' ? headerName(own) : own === '' ? part : own)
  switch (keyword) {
    case 'required':
      return { field: field(inner(params['missingProperty'])), message: 'is missing' }
    case 'additionalProperties':
      return { field: field(inner(params['additionalProperty']).slice(0, 200)), message: 'is not known here' }
    case 'enum':
      return { field: field(path), message: `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}` }
    case 'pattern':
      return { field: field(path), message: PATTERN_MESSAGES.get(params['pattern']) ?? 'has the wrong form' }
    case 'type':
      return { field: field(path), message: `must be ${[params['type']].flat().join(' or ')}` }
    default:
      return { field: field(path), message: (error.message ?? 'is wrong').replace('must NOT', 'must not') }
  }
}

/** `/levels/0/1` → `levels[0][1]`. */
function pathOf(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, step) => (/^\d+$/.test(step) ? `${path}[${step}]` : path === '' ? step : `${path}.${step}`), '')
}

function headerName(name: string): string {
  return name.replace(/(^|-)[a-z]/g, letter => letter.toUpperCase())
}
