import type { Secret } from './secret.ts'

/** Seals secrets for the store. `subject` is authenticated with the text (AES-256-GCM associated data): what is sealed for one device opens for no other. */
export interface Vault {
  /** Id of the key that seals now. */
  readonly keyId: string
  seal(subject: string, secret: Secret): string
  /** Throws SafestateError `vault_unavailable` where the key is missing or the envelope was changed. */
  open(subject: string, envelope: string): Secret
}
