import { type CompactVerifyGetKey, calculateJwkThumbprint, compactVerify, importJWK, type JWK } from 'jose'
import { isObject, isText, isTime, payloadFault, type ReceiptStatement } from './receipt-payload.ts'

/** What verification found. `payload` is there only where the signature is good; `reason` says why a receipt is not valid, or revocation not checked. */
export interface Verification {
  valid: boolean
  kid?: string
  payload?: ReceiptStatement
  /** `not-checked`: no list was given, or it can't speak for this receipt. */
  revocation: 'none' | 'revoked' | 'not-checked'
  reason?: string
}

/** What the caller knows: the time, and how old a revocation list may be. */
export interface VerifyOptions {
  /** Wall-clock ms; the default is this machine's. */
  now?: number
  /** A list that is older does not count as a check. Without it any list counts that is younger than the receipt. */
  maxRevocationsAgeSeconds?: number
}

const LONGEST = 1_048_576
const SKEW_MS = 5 * 60_000

/**
 * Verifies a receipt offline: `jws` is its compact JWS, `jwks` the gateway's keys (from a place you trust), `revocations` the signed list.
 * A receipt is valid when an Ed25519 key of the set signed it as a receipt, all that it must state is there, and no list says that it is revoked.
 * A list that was not signed by the set makes the answer invalid: somebody wants to be believed. Never throws on bad input.
 */
export async function verifyReceipt(
  jws: string,
  jwks: { keys: readonly object[] },
  revocations?: string,
  options: VerifyOptions = {},
): Promise<Verification> {
  const now = options.now ?? Date.now()
  const signed = await openJws(jws, jwks, 'safestate-receipt+jwt')
  if ('reason' in signed) return { valid: false, revocation: 'not-checked', reason: `receipt: ${signed.reason}` }
  const { kid } = signed
  const fault = payloadFault(signed.payload)
  if (fault !== undefined) return { valid: false, kid, revocation: 'not-checked', reason: `receipt: ${fault}` }
  const payload = signed.payload as unknown as ReceiptStatement
  const found = { kid, payload }
  if (Date.parse(payload.issuedAt) > now + SKEW_MS) {
    return { valid: false, ...found, revocation: 'not-checked', reason: 'receipt: it was issued in the future: check the clocks' }
  }
  if (revocations === undefined) return { valid: true, ...found, revocation: 'not-checked', reason: 'no revocation list was given' }
  const list = await openJws(revocations, jwks, 'safestate-revocations+jwt')
  const listFault = 'reason' in list ? list.reason : revocationsFault(list.payload, payload.iss, now)
  if ('reason' in list || listFault !== undefined) {
    return { valid: false, ...found, revocation: 'not-checked', reason: `revocation list: ${listFault}` }
  }
  const { issuedAt, revoked } = list.payload as unknown as RevocationList
  const entry = revoked.find(item => item.jti === payload.jti)
  // Once revoked always revoked: an old list is good enough to say so.
  if (entry !== undefined)
    return { valid: false, ...found, revocation: 'revoked', reason: `revoked at ${entry.revokedAt}: ${entry.reason}` }
  const stale = staleness(Date.parse(issuedAt), Date.parse(payload.issuedAt), now, options.maxRevocationsAgeSeconds)
  if (stale !== undefined) return { valid: true, ...found, revocation: 'not-checked', reason: `revocation list: ${stale}` }
  return { valid: true, ...found, revocation: 'none' }
}

interface RevocationList {
  iss: string
  issuedAt: string
  revoked: { jti: string; revokedAt: string; reason: string }[]
}

function revocationsFault(list: Record<string, unknown>, iss: string, now: number): string | undefined {
  const { issuedAt, revoked } = list
  if (list['iss'] !== iss) return 'it was issued by another issuer than the receipt'
  if (!isTime(issuedAt)) return 'the field issuedAt is not as it must be'
  if (Date.parse(issuedAt) > now + SKEW_MS) return 'it was issued in the future: check the clocks'
  const whole =
    Array.isArray(revoked) &&
    revoked.every(item => isObject(item) && isText(item['jti']) && isTime(item['revokedAt']) && isText(item['reason']))
  return whole ? undefined : 'the field revoked is not as it must be'
}

function staleness(listAt: number, receiptAt: number, now: number, maxAgeSeconds: number | undefined): string | undefined {
  if (listAt < receiptAt) return 'it is older than the receipt'
  if (maxAgeSeconds !== undefined && now - listAt > maxAgeSeconds * 1_000) return `it is older than ${maxAgeSeconds} s`
  return
}

/** Signature and header: `EdDSA` alone (never what the token asks for), the wanted `typ`, a `kid` of the set that is its key's own thumbprint. */
async function openJws(
  jws: string,
  jwks: { keys: readonly object[] },
  typ: string,
): Promise<{ kid: string; payload: Record<string, unknown> } | { reason: string }> {
  if (jws.length > LONGEST) return { reason: 'it is too long' }
  try {
    const { payload, protectedHeader } = await compactVerify(jws.trim(), keyOf(jwks), { algorithms: ['EdDSA'] })
    if (protectedHeader.typ !== typ) return { reason: `it is not of the type ${typ}` }
    const content: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
    return isObject(content) ? { kid: String(protectedHeader.kid), payload: content } : { reason: 'its payload is not a JSON object' }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : 'it can not be read' }
  }
}

function keyOf(jwks: { keys: readonly object[] }): CompactVerifyGetKey {
  return async header => {
    const jwk = jwks.keys.find((key): key is JWK => isObject(key) && isText(key['kid']) && key['kid'] === header.kid)
    if (jwk === undefined) throw new Error('no key of the set has its kid')
    if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519') throw new Error('its key is not an Ed25519 key')
    if ((await calculateJwkThumbprint(jwk, 'sha256')) !== jwk.kid)
      throw new Error('the kid of its key is not the thumbprint of that key (RFC 7638)')
    return importJWK({ kty: 'OKP', crv: 'Ed25519', x: jwk.x ?? '' }, 'EdDSA')
  }
}
