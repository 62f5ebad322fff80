import { ask, type SafestateClient } from './client.ts'
import type { Receipt } from './types.ts'

/** The receipt of that id, with its JWS and whether it still stands. To verify it see `verifyReceipt`. */
export async function fetchReceipt(client: SafestateClient, id: string, signal?: AbortSignal): Promise<Receipt> {
  const headers = { accept: 'application/json' }
  const receipt = await ask(client, (api, inner) => api.GET('/v1/receipts/{id}', { params: { path: { id } }, headers, signal: inner }), {
    signal,
  })
  // The route can answer with the bare JWS too; it was not asked to.
  return receipt as Receipt
}

/** The gateway's public keys (RFC 7517): fetch them once from a place you trust and keep them, to verify receipts offline. */
export async function fetchJwks(client: SafestateClient, signal?: AbortSignal): Promise<{ keys: Record<string, unknown>[] }> {
  return ask(client, (api, inner) => api.GET('/.well-known/jwks.json', { signal: inner }), { signal })
}

/** The signed list of revoked receipts, as compact JWS. */
export async function fetchRevocations(client: SafestateClient, signal?: AbortSignal): Promise<string> {
  const text = await ask<string>(
    client,
    (api, inner) =>
      api.GET('/.well-known/revocations.jws', { parseAs: 'text', signal: inner }) as Promise<{
        data?: string
        error?: unknown
        response: Response
      }>,
    { signal },
  )
  return text.trim()
}
