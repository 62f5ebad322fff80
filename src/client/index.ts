/**
 * `safestate/client`: asks a gateway for power jobs, waits for them and verifies their receipts. Types come from the OpenAPI document.
 *
 * ```ts
 * const client = createClient({ url: 'http://127.0.0.1:8080', token })
 * const job = await submitJob(client, { node: 'node1', action: 'off', reason: 'disk hangs' }, { key: randomUUID() })
 * const ended = await waitForJob(client, job.id, { timeoutMs: 150_000, onUpdate: job => console.log(job.state, job.phase) })
 * ```
 */
export { type Answer, ask, type CallOptions, type ClientOptions, call, createClient, type SafestateClient } from './client.ts'
export { type ClientClock, systemClock } from './clock.ts'
export { type EventOptions, events, type GatewayEvent, parseEvents } from './events.ts'
export type { paths } from './generated/schema.ts'
export { hasEnded, type SubmitOptions, submitJob, type Trouble, type WaitOptions, waitForJob } from './jobs.ts'
export { GatewayAwayError, type ProblemDetails, ProblemError, type ProblemField, WaitTimeoutError } from './problem.ts'
export type { ReceiptStatement } from './receipt-payload.ts'
export { fetchJwks, fetchReceipt, fetchRevocations } from './receipts.ts'
export { type Patience, patiently } from './retry.ts'
export type * from './types.ts'
export { type Verification, type VerifyOptions, verifyReceipt } from './verify.ts'
