import { randomUUID } from 'node:crypto'

/** An answer of the gateway. `body` is the JSON of it, loosely typed: tests compare what they expect. */
export interface Answer {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: any field may be looked at, and one that is missing fails the comparison.
  body: any
}

/** What goes with a request. */
export interface Asking {
  body?: unknown
  headers?: Record<string, string>
  /** Another token than the client's; null: none. */
  token?: string | null
}

/** A request for a job, as a test writes it. */
export interface JobAsk {
  key?: string
  token?: string
  deadlineSeconds?: number
  reason?: string
  cluster?: string
  holder?: string
  attempt?: number
  acceptAssurance?: string[]
  mechanisms?: string[]
  releaseHolder?: { holdId: string; holder: string; attempt: number }
}

/** A small client of the REST interface, on purpose not the project's own: what is tested is what goes over the wire. */
export class Api {
  readonly url: string
  readonly token: string
  /** The text of every answer so far. */
  readonly heard: string[] = []

  constructor(url: string, token: string) {
    this.url = url
    this.token = token
  }

  /** The same gateway with another token. */
  as(token: string): Api {
    return new Api(this.url, token)
  }

  /** Asks; a GET again while the store is away for a moment: on a loaded machine its connection may be. */
  ask(method: string, path: string, asking: Asking = {}): Promise<Answer> {
    return method === 'GET' ? this.patiently(method, path, asking) : this.askOnce(method, path, asking)
  }

  /** Asks as every client should: again, with the same key, while the store is away for a moment. */
  async patiently(method: string, path: string, asking: Asking = {}): Promise<Answer> {
    for (let left = 5; ; left--) {
      const answer = await this.askOnce(method, path, asking)
      if (answer.status !== 503 || answer.body?.code !== 'store_unavailable' || left === 0) return answer
      await new Promise(resolve => setTimeout(resolve, 500))
    }
  }

  async askOnce(method: string, path: string, { body, headers = {}, token = this.token }: Asking = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(70_000),
    })
    const text = await response.text()
    this.heard.push(text)
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      // Not every answer is JSON.
    }
    return { status: response.status, headers: response.headers, text, body: json }
  }

  /** Asks, and throws unless the answer has this status. */
  async must(method: string, path: string, body?: unknown, status = 200): Promise<Answer['body']> {
    const answer = await this.patiently(method, path, body === undefined ? {} : { body })
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }

  async text(path: string): Promise<string> {
    return (await this.ask('GET', path)).text
  }

  /** Asks for a job. */
  post(action: string, node: string, { key = randomUUID(), token, ...more }: JobAsk = {}): Promise<Answer> {
    return this.patiently('POST', '/v1/jobs', {
      body: { node, action, reason: 'test', ...more },
      headers: { 'idempotency-key': key },
      ...(token === undefined ? {} : { token }),
    })
  }

  /** Asks for a job that must be taken; resolves with it. */
  async submit(action: string, node: string, ask: JobAsk = {}): Promise<Answer['body']> {
    const answer = await this.post(action, node, ask)
    if (answer.status !== 202) throw new Error(`${action} ${node}: ${answer.status} ${answer.text}`)
    return answer.body
  }

  /** Waits for a job's end by long polls. Throws after `ms`. Given an answer to a POST, or an id. */
  async ended(job: { id: string } | string, ms = 60_000): Promise<Answer['body']> {
    const id = typeof job === 'string' ? job : job.id
    const until = performance.now() + ms
    let etag: string | undefined
    let last: Answer['body']
    while (performance.now() < until) {
      const answer = await this.patiently('GET', `/v1/jobs/${id}`, {
        headers: etag === undefined ? {} : { prefer: 'wait=5', 'if-none-match': etag },
      })
      if (answer.status === 304) continue
      if (answer.status !== 200) throw new Error(`job ${id}: ${answer.status} ${answer.text}`)
      etag = answer.headers.get('etag') ?? undefined
      last = answer.body
      if (['succeeded', 'failed', 'cancelled'].includes(last.state)) return last
    }
    throw new Error(`job ${id} has not ended: ${JSON.stringify(last)}`)
  }

  /** Asks for a job and waits for its end. */
  async run(action: string, node: string, ask: JobAsk = {}): Promise<Answer['body']> {
    return this.ended(await this.submit(action, node, ask))
  }

  /** A node's hold; undefined where it is not held. */
  async hold(node: string, maxAgeSeconds?: number): Promise<Answer['body'] | undefined> {
    const query = maxAgeSeconds === undefined ? '' : `?maxAgeSeconds=${maxAgeSeconds}`
    const answer = await this.ask('GET', `/v1/nodes/default/${node}/hold${query}`)
    return answer.status === 404 ? undefined : answer.body
  }

  /** Releases a hold as one of its holders. */
  release(holdId: string, body: object = {}): Promise<Answer> {
    return this.ask('POST', `/v1/holds/${holdId}/release`, { body: { restore: true, reason: 'test', ...body } })
  }

  /** Follows a stream of server-sent events until `until` says so; resolves with what came. */
  async events(
    path: string,
    until: (event: SseEvent) => boolean,
    { headers = {}, ms = 30_000 }: { headers?: Record<string, string>; ms?: number } = {},
  ) {
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(new Error('no such event came')), ms)
    const seen: SseEvent[] = []
    try {
      const response = await fetch(`${this.url}${path}`, {
        headers: { authorization: `Bearer ${this.token}`, ...headers },
        signal: stop.signal,
      })
      if (response.status !== 200 || response.body === null) throw new Error(`${path}: ${response.status} ${await response.text()}`)
      let rest = ''
      for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
        this.heard.push(piece)
        const blocks = (rest + piece).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) {
          const event = eventOf(block)
          if (!event) continue
          seen.push(event)
          if (until(event)) return seen
        }
      }
      return seen
    } finally {
      clearTimeout(timer)
      stop.abort()
    }
  }
}

/** One server-sent event. */
export interface SseEvent {
  event: string
  id: string
  data: Answer['body']
}

function eventOf(block: string): SseEvent | undefined {
  const fields = new Map(block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const))
  const [event, id, data] = [fields.get('event'), fields.get('id'), fields.get('data')]
  return event !== undefined && id !== undefined && data !== undefined ? { event, id, data: JSON.parse(data) } : undefined
}
