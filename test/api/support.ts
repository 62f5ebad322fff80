import { Writable } from 'node:stream'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { pino } from 'pino'
import type { Test } from 'tap'
import { type ApiOptions, buildApi } from '../../src/api/app.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { Scope } from '../../src/core/scopes.ts'
import { FakeService, holdLike, jobLike } from './fake-service.ts'

/** Time that moves only when told to. */
export class ManualClock implements Clock {
  #time = 0
  #timers: { at: number; ring: () => void }[] = []

  now(): number {
    return Date.parse('2026-11-22T13:00:00Z') + this.#time
  }

  mono(): number {
    return this.#time
  }

  /** How many sleep now. */
  get sleepers(): number {
    return this.#timers.length
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const timer = { at: this.#time + ms, ring: resolve }
      this.#timers.push(timer)
      signal?.addEventListener('abort', () => {
        this.#timers = this.#timers.filter(each => each !== timer)
        reject(signal.reason)
      })
    })
  }

  advance(ms: number): void {
    this.#time += ms
    const due = this.#timers.filter(timer => timer.at <= this.#time)
    this.#timers = this.#timers.filter(timer => timer.at > this.#time)
    for (const timer of due) timer.ring()
  }
}

/** Lets everything that is due happen, until `done`; no time passes on the clock. */
export async function until(done: () => boolean, what = 'what was waited for'): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (done()) return
    await new Promise(resolve => setImmediate(resolve))
  }
  throw new Error(`${what} did not happen`)
}

/** An edge over a fake gateway, with tokens: `admin` for everything, `prod` for everything in the cluster `prod`. */
export interface Edge {
  app: FastifyInstance
  service: FakeService
  clock: ManualClock
  /** Every line that was logged. */
  lines: string[]
  call(request: string | InjectOptions, token?: string): Promise<Answer>
}

/** One answer. */
export interface Answer {
  status: number
  headers: Record<string, unknown>
  // biome-ignore lint/suspicious/noExplicitAny: bodies are compared, not used
  body: any
  text: string
}

/** Builds it, filled with a node, a job, a hold and a receipt in the clusters `default` and `prod` each. */
export async function edge(t: Test, options: Partial<ApiOptions> = {}): Promise<Edge> {
  const service = new FakeService()
  const clock = new ManualClock()
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  service.callers.set('admin', { tokenId: 't1', name: 'admin', scopes: ['admin'] })
  service.callers.set('prod', { tokenId: 't2', name: 'prod', scopes: ['admin'], clusters: ['prod'] })
  for (const cluster of ['default', 'prod']) {
    const at = { cluster, node: 'worker-3' }
    const last = cluster === 'default' ? '1' : '2'
    await service.nodes.add({ name: 'worker-3', cluster, levels: [['bmc-1']] })
    service.store.jobs.set(`job-${last}`, jobLike({ id: `job-${last}`, ...at }))
    service.store.holds.set(`hold-${last}`, holdLike({ id: `hold-${last}`, ...at }))
    const receipt = { id: `receipt-${last}`, ...at, jobId: 'job-1', holdId: 'hold-1', jws: 'a.b.c', issuedAt: '2026-11-22T13:22:07.123Z' }
    service.store.receipts.set(receipt.id, { ...receipt, status: 'standing' })
  }
  const app = buildApi(service, { clock, logger: pino({ level: 'trace' }, sink), ...options })
  t.teardown(() => app.close())
  await app.ready()

  async function call(request: string | InjectOptions, token = 'admin'): Promise<Answer> {
    const [method, url] = typeof request === 'string' ? request.split(' ') : []
    const inject = typeof request === 'string' ? { method: method as 'GET', url: url ?? '/' } : request
    const headers = { ...(token === '' ? {} : { authorization: `Bearer ${token}` }), ...inject.headers }
    const answer = await app.inject({ ...inject, headers })
    const json = String(answer.headers['content-type']).includes('json') && answer.body !== ''
    return { status: answer.statusCode, headers: answer.headers, body: json ? answer.json() : undefined, text: answer.body }
  }
  return { app, service, clock, lines, call }
}

/** A token that may do just this. */
export function tokenFor(service: FakeService, scopes: Scope[], clusters?: string[]): string {
  const token = `token-${service.callers.size}`
  service.callers.set(token, { tokenId: token, name: token, scopes, ...(clusters === undefined ? {} : { clusters }) })
  return token
}

/** A POST of a job. */
export function post(url: string, body: object, headers: Record<string, string> = {}): InjectOptions {
  return { method: 'POST', url, payload: body, headers }
}

/** What a request that makes an off needs. */
export const OFF = { node: 'worker-3', action: 'off', reason: 'kubelet silent' }

/** Checks an answer for being problem details, in form and in headers. */
export function problem(t: Test, answer: Answer, status: number, code: string, message = `${status} ${code}`): void {
  t.equal(answer.status, status, message)
  t.equal(String(answer.headers['content-type']).split(';')[0], 'application/problem+json', `${message}: media type`)
  t.match(
    answer.body,
    {
      type: `tag:safestate.dev,2026:problem:${code}`,
      title: String,
      status,
      detail: String,
      instance: /^urn:uuid:/,
      code,
      retryable: Boolean,
      next: String,
    },
    `${message}: members`,
  )
}
