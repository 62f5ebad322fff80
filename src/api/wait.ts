import type { FastifyReply } from 'fastify'
import type { Clock } from '../core/clock.ts'
import type { Job } from '../core/job.ts'
import type { EventHub } from './hub.ts'

/** The longest wait: shorter than the idle limits of usual proxies (60 s). */
export const MAX_WAIT_SECONDS = 55

/** The wait that a `Prefer` header asks for (RFC 7240), in seconds, at most 55; undefined where it asks for none. Malformed preferences are ignored, as that RFC wants. */
export function waitPreference(header: string | string[] | undefined): number | undefined {
  const match = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[,;]|$)/i.exec([header ?? ''].flat().join(','))
  return match?.[1] === undefined ? undefined : Math.min(Number(match[1]), MAX_WAIT_SECONDS)
}

/** Aborted when the caller goes away or the server closes. `done` lets go of both. */
export function goneSignal(reply: FastifyReply, closing: AbortSignal): { signal: AbortSignal; done: () => void } {
  const gone = new AbortController()
  const abort = (): void => gone.abort()
  reply.raw.once('close', abort)
  closing.addEventListener('abort', abort)
  if (closing.aborted) abort()
  return {
    signal: gone.signal,
    done: () => {
      reply.raw.removeListener('close', abort)
      closing.removeEventListener('abort', abort)
    },
  }
}

/** Waits until a job's revision is another than `known`, or the time is over, or `gone`. Resolves with the job as it is then. */
export async function waitForChange(
  { hub, clock }: { hub: EventHub; clock: Clock },
  args: { id: string; known: number; seconds: number; read: () => Promise<Job | undefined>; gone: AbortSignal },
): Promise<Job | undefined> {
  const bell = hub.bell({ topic: 'job', id: args.id })
  const stop = new AbortController()
  const abort = (): void => stop.abort()
  args.gone.addEventListener('abort', abort, { once: true })
  let over = args.gone.aborted
  const timer = clock.sleep(args.seconds * 1000, stop.signal).then(
    () => {
      over = true
    },
    () => {
      over = true
    },
  )
  try {
    // Listening began before the first read: a change in between is not missed.
    for (;;) {
      const job = await args.read()
      if (job === undefined || job.revision !== args.known || over) return job
      await bell.wait(timer)
    }
  } finally {
    args.gone.removeEventListener('abort', abort)
    stop.abort()
    bell.close()
  }
}
