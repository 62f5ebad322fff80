import type { FastifyReply, FastifyRequest } from 'fastify'
import { SafestateError } from '../core/errors.ts'

/** The entity tag of a revision. */
export function etagOf(revision: number): string {
  return `"${revision}"`
}

/** The revisions that an If-Match or If-None-Match header names; `*` for any. Weak tags count only where `weak` (RFC 9110, 8.8.3.2). Others are never ours. */
export function revisionsIn(header: string, weak: boolean): number[] | '*' {
  if (header.trim() === '*') return '*'
  return [...header.matchAll(/(W\/)?"(\d{1,15})"/g)].filter(match => weak || match[1] === undefined).map(match => Number(match[2]))
}

/** Whether If-None-Match names this revision, so that there is nothing new to tell. */
export function isKnown(request: FastifyRequest, revision: number): boolean {
  const header = request.headers['if-none-match']
  if (header === undefined) return false
  const known = revisionsIn(header, true)
  return known === '*' || known.includes(revision)
}

/** Answers with a thing and its ETag, or 304 where the caller has it already. */
export function sendRevision(request: FastifyRequest, reply: FastifyReply, revision: number, body: unknown): FastifyReply {
  reply.header('etag', etagOf(revision))
  return isKnown(request, revision) ? reply.code(304).send() : reply.send(body)
}

/** The revision that a change is based on. `current` is asked only for `*` or a list. Throws 428 without If-Match and 412 where none of it can match. */
export async function expectedRevision(header: string | undefined, current: () => Promise<number>): Promise<number> {
  if (header === undefined) throw new SafestateError('revision_missing', 'the header If-Match is missing')
  const wanted = revisionsIn(header, false)
  if (wanted !== '*' && wanted.length === 1 && wanted[0] !== undefined) return wanted[0]
  const revision = await current()
  if (wanted === '*' || wanted.includes(revision)) return revision
  throw new SafestateError('revision_changed', 'If-Match names another revision than the present one')
}
