import { isAbsolute, resolve } from 'node:path'
import type { TlsSetting } from '../client/types.ts'
import { readText } from './connect.ts'
import { UsageError } from './exit.ts'

/** `pin`, `insecure` or `ca:FILE` as the API wants it: the certificates themselves, since the file is on this machine. `base`: what a relative FILE is relative to. */
export function tlsSetting(text: string, base: string): TlsSetting {
  if (text === 'pin' || text === 'insecure') return { mode: text }
  if (!text.startsWith('ca:') || text === 'ca:') throw new UsageError(`unknown TLS mode ${text}`, 'use pin, ca:FILE or insecure')
  const file = text.slice('ca:'.length)
  const ca = readText(isAbsolute(file) ? file : resolve(base, file), 'CA file')
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new UsageError(`${file} holds no PEM certificate`)
  return { mode: 'ca', ca }
}
