import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Bmc } from './bmc.ts'

/** An answer before it is sent. A body is JSON unless `content-type` says otherwise. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | string | null
  /** Sends the answer in place of the usual way; for faults that break the framing. */
  readonly deliver?: (exchange: Exchange, reply: Reply) => void
}

/** Who asks: a session by its id, or `basic` with each request. */
export type Caller = { readonly kind: 'session'; readonly id: string } | { readonly kind: 'basic' } | { readonly kind: 'nobody' }

/** One request that a BMC is busy with. `path` has no query and no last slash; `wasMoved`: it came by way of a redirect of ours. */
export interface Exchange {
  readonly bmc: Bmc
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  readonly path: string
  readonly query: string
  readonly wasMoved: boolean
  /** 1 for the first request on its connection. */
  readonly requestsOnConnection: number
  body: string
  caller: Caller
}

/** A JSON answer. */
export function jsonReply(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return { status, headers, body: JSON.stringify(value) }
}
