import { SafestateError } from '../core/errors.ts'

/** A place in the event stream as `[ms, sequence]`: the two halves of a Redis stream id. */
export type Place = readonly [ms: bigint, sequence: bigint]

const limit = 2n ** 64n

/**
 * Reads a cursor, which comes from outside (`Last-Event-ID`).
 * Throws `bad_request` where it is not a stream id (https://redis.io/docs/latest/develop/data-types/streams/#entry-ids: two unsigned 64-bit numbers).
 */
export function parseCursor(cursor: string): Place {
  const parts = /^(\d{1,20})-(\d{1,20})$/.exec(cursor)
  const place: Place | undefined = parts ? [BigInt(parts[1] ?? ''), BigInt(parts[2] ?? '')] : undefined
  if (!place || place[0] >= limit || place[1] >= limit) {
    throw new SafestateError('bad_request', 'the cursor is not one that this gateway gave out', {
      errors: [{ field: 'cursor', message: 'must be the id of an event' }],
    })
  }
  return place
}

/** Which of two places comes first: negative, 0 or positive. */
export function comparePlaces(a: Place, b: Place): number {
  const difference = a[0] === b[0] ? a[1] - b[1] : a[0] - b[0]
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}
