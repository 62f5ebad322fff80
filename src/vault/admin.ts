import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Documents } from '../core/documents.ts'
import type { Secret } from '../core/secret.ts'
import type { Vault } from '../core/vault.ts'
import { ADMIN_TOKEN, listTokens, putToken } from './tokens.ts'

interface SealedToken {
  tokenId: string
  sealed: string
}

/**
 * The administrator's first token, made once per store and kept sealed so that each gateway can hand it to the person at its machine; undefined
 * once it was revoked while another token with `admin` lives. Where none lives any more, a new one is made: who can restart a gateway on its
 * machine must not be locked out of it. Of gateways that start at once the first writer wins.
 */
export async function adminToken(documents: Documents, vault: Vault): Promise<Secret | undefined> {
  const kept = async () => {
    const there = await documents.get<SealedToken>(ADMIN_TOKEN.kind, ADMIN_TOKEN.id)
    return there && vault.open(ADMIN_TOKEN.subject, there.sealed)
  }
  const there = await kept()
  if (there !== undefined) return there
  const tokens = await listTokens(documents)
  // Asked again: the administrator that lives may be the one that another gateway has made since.
  if (tokens.some(token => token.revokedAt === undefined && token.scopes.includes('admin') && token.clusters === undefined)) return kept()
  return documents.transact(async tx => {
    const meanwhile = await tx.get<SealedToken>(ADMIN_TOKEN.kind, ADMIN_TOKEN.id)
    if (meanwhile !== undefined) return vault.open(ADMIN_TOKEN.subject, meanwhile.sealed)
    const taken = await tx.get('token-name', 'admin')
    const { token, text } = putToken(tx, { name: taken === undefined ? 'admin' : `admin-${tx.now}`, scopes: ['admin'] })
    const sealed: SealedToken = { tokenId: token.id, sealed: vault.seal(ADMIN_TOKEN.subject, text) }
    tx.put(ADMIN_TOKEN.kind, ADMIN_TOKEN.id, sealed)
    return text
  })
}

/** Writes `DATA_DIR/admin-token` (one line, 0600) in one step, or removes it where there is no such token any more. Returns its path. */
export function writeAdminToken(dataDir: string, token: Secret | undefined): string {
  const path = join(dataDir, 'admin-token')
  if (token === undefined) {
    rmSync(path, { force: true })
    return path
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(file, `${token.reveal()}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  return path
}
