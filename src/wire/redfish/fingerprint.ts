import { RedfishError } from './failure.ts'

/**
 * A SHA-256 fingerprint as 64 lower-case hexadecimal digits, from any usual spelling (`AA:BB:…`, `sha256:…`).
 * Throws RedfishError `tls` where it is none: a pin that can never match must not look like a mismatch.
 */
export function normalFingerprint(text: string): string {
  const digits = text
    .replace(/^sha-?256[:=]/i, '')
    .replace(/[:\s]/g, '')
    .toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(digits)) throw new RedfishError('tls', 'the fingerprint is not 64 hexadecimal digits (SHA-256)')
  return digits
}
