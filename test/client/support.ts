import type { ClientClock } from '../../src/client/clock.ts'
import type { Job } from '../../src/client/types.ts'

/** A clock whose time passes at once: when nothing else has happened for a while, it jumps to the next timer. */
export class JumpingClock implements ClientClock {
  readonly start = Date.parse('2026-01-01T12:00:00Z')
  /** Every pause that was slept to its end, in ms. */
  readonly slept: number[] = []
  #time = 0
  #timers: { at: number; ms: number; ring: () => void }[] = []
  #pumping = false

  now(): number {
    return this.start + this.#time
  }

  mono(): number {
    return this.#time
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const timer = { at: this.#time + ms, ms, ring: resolve }
      this.#timers.push(timer)
      signal?.addEventListener('abort', () => {
        this.#timers = this.#timers.filter(each => each !== timer)
        reject(signal.reason)
      })
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    const turn = (idle: number): void => {
      if (idle < 25) {
        setImmediate(turn, idle + 1)
        return
      }
      this.#timers.sort((a, b) => a.at - b.at)
      const next = this.#timers.shift()
      if (next === undefined) {
        this.#pumping = false
        return
      }
      this.#time = Math.max(this.#time, next.at)
      this.slept.push(next.ms)
      next.ring()
      setImmediate(turn, 0)
    }
    setImmediate(turn, 0)
  }
}

/** A job as the gateway shows it. */
export function jobLike(changes: Partial<Job> = {}): Job {
  return {
    id: 'job-1',
    cluster: 'default',
    node: 'node1',
    action: 'off',
    state: 'running',
    revision: 1,
    joined: false,
    reason: 'test',
    holders: [{ holder: 'token:1', attempt: 1 }],
    createdAt: '2026-01-01T12:00:00.000Z',
    deadlineAt: '2026-01-01T12:02:00.000Z',
    warnings: [],
    evidence: [],
    ...changes,
  }
}

/** What the gateway would send. */
export function answer(status: number, body?: unknown, headers: Record<string, string> = {}): Response {
  const text = body === undefined ? null : JSON.stringify(body)
  return new Response(text, { status, headers: { ...(text === null ? {} : { 'content-type': 'application/json' }), ...headers } })
}

/** What `fetch` throws when nobody listens. */
export function refused(): TypeError {
  const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:8080'), { code: 'ECONNREFUSED' })
  return new TypeError('fetch failed', { cause })
}
