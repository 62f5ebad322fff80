import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { SafestateError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { VaultKey } from './key.ts'

/**
 * The sealed form of a secret: `v1.<key id>.<subject>.<data key>.<text>`, the last three base64url. A fresh 256-bit data key seals the text, the
 * vault key seals the data key, both with AES-256-GCM (12-byte random nonce, text, 16-byte tag). Everything before the sealed part, and which
 * part it is, is its associated data: an envelope opens for no other subject, under no other key id, and its parts don't mix.
 * The subject stands in the envelope so that a rotation can re-seal without knowing whose it is.
 */
const VERSION = 'v1'
const NONCE = 12
const TAG = 16

/** What an envelope says about itself, not yet authenticated. */
export interface EnvelopeHead {
  keyId: string
  subject: string
}

/** Seals `secret` for `subject` under `key`. Two calls never give the same text. */
export function sealEnvelope(key: VaultKey, subject: string, secret: Secret): string {
  const head = `${VERSION}.${key.id}.${Buffer.from(subject).toString('base64url')}`
  const dataKey = randomBytes(32)
  const text = Buffer.from(secret.reveal())
  const sealedKey = encrypt(key.key, `${head}.key`, dataKey)
  const sealedText = encrypt(createSecretKey(dataKey), `${head}.text`, text)
  dataKey.fill(0)
  text.fill(0)
  return `${head}.${sealedKey}.${sealedText}`
}

/**
 * Opens an envelope that was sealed for `subject`; `find` gives the key of an id. Throws `vault_unavailable` where that key is not there,
 * the envelope is another subject's, or a single bit of it has changed.
 */
export function openEnvelope(find: (keyId: string) => VaultKey | undefined, subject: string, envelope: string): Secret {
  const parts = split(envelope)
  if (parts === undefined)
    throw new SafestateError('vault_unavailable', `what is sealed for ${subject} is not an envelope of a known version`)
  if (parts.subject !== subject) throw new SafestateError('vault_unavailable', `what is sealed for ${subject} was sealed for another`)
  const key = find(parts.keyId)
  if (key === undefined) {
    throw new SafestateError(
      'vault_unavailable',
      `what is sealed for ${subject} needs the vault key ${parts.keyId}, which is not configured`,
    )
  }
  try {
    const dataKey = decrypt(key.key, `${parts.head}.key`, parts.sealedKey)
    const text = decrypt(createSecretKey(dataKey), `${parts.head}.text`, parts.sealedText)
    dataKey.fill(0)
    const secret = new Secret(text.toString())
    text.fill(0)
    return secret
  } catch {
    throw new SafestateError(
      'vault_unavailable',
      `what is sealed for ${subject} was changed since, or the vault key ${parts.keyId} is another one`,
    )
  }
}

/** Key id and subject of an envelope without opening it, or undefined where it is none. */
export function envelopeHead(envelope: string): EnvelopeHead | undefined {
  const parts = split(envelope)
  return parts && { keyId: parts.keyId, subject: parts.subject }
}

function split(envelope: string) {
  const [version, keyId, subject, sealedKey, sealedText, ...rest] = envelope.split('.')
  if (version !== VERSION || keyId === undefined || subject === undefined || sealedKey === undefined || sealedText === undefined) return
  if (rest.length > 0) return
  return { head: `${version}.${keyId}.${subject}`, keyId, subject: Buffer.from(subject, 'base64url').toString(), sealedKey, sealedText }
}

function encrypt(key: KeyObject, associated: string, plain: Buffer): string {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG })
  cipher.setAAD(Buffer.from(associated))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64url')
}

function decrypt(key: KeyObject, associated: string, sealed: string): Buffer {
  const bytes = Buffer.from(sealed, 'base64url')
  // base64url has spare bits and forgiving decoders: only the one text that we would write is taken, so that no changed text opens.
  if (bytes.toString('base64url') !== sealed || bytes.length < NONCE + TAG) throw new RangeError('not canonical')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), { authTagLength: TAG })
  decipher.setAAD(Buffer.from(associated))
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE, bytes.length - TAG)), decipher.final()])
}
