import { Type } from 'typebox'
import { FAILURE_CODES } from '../../core/errors.ts'
import { named, ref, words } from './common.ts'

/** Every failure code, with one name in the document. */
export const FailureCodeSchema = named('FailureCode', words(FAILURE_CODES, { description: 'What went wrong. New codes may be added.' }))

/** RFC 9457 problem details with Safestate's extensions. */
export const ProblemSchema = named(
  'Problem',
  Type.Object(
    {
      type: Type.String({ description: 'Names the kind of problem: `tag:safestate.dev,2026:problem:<code>`. Not an address.' }),
      title: Type.String({ description: 'The kind of problem in words; the same for each of its occurrences.' }),
      status: Type.Integer({ minimum: 400, maximum: 599 }),
      detail: Type.String({ description: 'What happened this time.' }),
      instance: Type.String({ description: 'This occurrence: `urn:uuid:` and the request id, which the log has too.' }),
      code: ref(FailureCodeSchema),
      retryable: Type.Boolean({ description: 'Whether the same request can succeed later, unchanged.' }),
      next: Type.String({ description: 'What to do about it.' }),
      retryAfter: Type.Optional(Type.Number({ description: 'Seconds; also in the header Retry-After.' })),
      node: Type.Optional(Type.String()),
      device: Type.Optional(Type.String()),
      jobId: Type.Optional(Type.String()),
      errors: Type.Optional(
        Type.Array(Type.Object({ field: Type.String(), message: Type.String() }), { description: 'Every wrong field of the request.' }),
      ),
    },
    {
      description: 'Problem details (RFC 9457).',
      examples: [
        {
          type: 'tag:safestate.dev,2026:problem:bad_request',
          title: 'Bad request',
          status: 400,
          detail: '2 fields are wrong: action, deadlineSeconds',
          instance: 'urn:uuid:4f0c3f0e-0f57-4c43-8d0c-3c64d15bd6a4',
          code: 'bad_request',
          retryable: false,
          next: 'correct the named fields',
          errors: [
            { field: 'action', message: 'must be one of off, on, reboot, status' },
            { field: 'deadlineSeconds', message: 'must be <= 3600' },
          ],
        },
      ],
    },
  ),
)
