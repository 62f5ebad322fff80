import { type FailureCode, SafestateError } from '../core/errors.ts'

/** The fields of a body that a refusal is about, by its code: which of them is at fault is told by where they can occur. */
const FIELDS: Partial<Record<FailureCode, readonly string[]>> = {
  bad_address: ['address'],
  hardware_taken: ['address'],
  identity_mismatch: ['address'],
  tls_mismatch: ['tls'],
  ambiguous_system: ['systemId'],
  auth_failed: ['password'],
  suite_refused: ['ipmi'],
  exists: ['name'],
  unknown_device: ['levels'],
  unknown_node: ['node'],
  no_level: ['mechanisms', 'acceptAssurance'],
  plan_too_long: ['deadlineSeconds'],
  not_affected: ['alsoNodes'],
}

/** Fields whose absence can be what is wrong. */
const MAY_BE_MISSING = ['systemId', 'deadlineSeconds', 'tls', 'ipmi']

/**
 * Lets a refusal of the service name the field that it is about, where the service did not: a caller should find what to correct in one place, whether
 * the form was wrong or the world said no. Other errors come back as they are.
 */
export function namingFields(error: unknown, body: unknown): unknown {
  if (!(error instanceof SafestateError) || error.facts.errors !== undefined) return error
  if (typeof body !== 'object' || body === null) return error
  const fields = (FIELDS[error.code] ?? []).filter(field => field in body || MAY_BE_MISSING.includes(field))
  if (fields.length === 0) return error
  return new SafestateError(error.code, error.message, { ...error.facts, errors: fields.map(field => ({ field, message: error.message })) })
}
