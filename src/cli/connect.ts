import { readFileSync } from 'node:fs'
import { createClient, type SafestateClient } from '../client/client.ts'
import type { Cli } from './cli.ts'
import { UsageError } from './exit.ts'

/** Where the gateway is and who asks, as given on the command line. */
export interface Connection {
  url?: string
  tokenFile?: string
}

const DEFAULT_URL = 'http://127.0.0.1:8080'

/** A client for the gateway of `--url` or SAFESTATE_URL, with the token of `--token-file` or SAFESTATE_TOKEN. A token is never an argument: those are seen by everybody (`ps`). */
export function connect(cli: Cli, { url, tokenFile }: Connection): SafestateClient {
  const address = url ?? (cli.env['SAFESTATE_URL'] || DEFAULT_URL)
  try {
    return createClient({ url: address, token: readToken(cli, tokenFile), fetch: cli.fetch, clock: cli.clock })
  } catch (error) {
    if (error instanceof TypeError)
      throw new UsageError(`${address}: ${error.message}`, 'give --url http[s]://HOST[:PORT], or set SAFESTATE_URL')
    throw error
  }
}

function readToken(cli: Cli, file: string | undefined): string {
  const from = file === undefined ? 'SAFESTATE_TOKEN' : file
  const token = (file === undefined ? (cli.env['SAFESTATE_TOKEN'] ?? '') : readText(file, 'token file')).trim()
  if (token === '') {
    throw new UsageError(
      file === undefined ? 'no API token' : `${file} is empty`,
      'set SAFESTATE_TOKEN or give --token-file FILE; the gateway writes its first token to DATA_DIR/admin-token',
    )
  }
  // What can't stand in a header would be refused later with the token in the message.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError(`${from} does not hold a token: one line of printable characters without spaces`)
  return token
}

/** Reads a text file that the command line names. Throws UsageError with the system's reason. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`can't read the ${what} ${file}: ${reason(error)}`)
  }
}

/** The system's words for a failed file access, without the path (which the caller names). */
export function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const words: Record<string, string> = { ENOENT: 'no such file', EACCES: 'permission denied', EISDIR: 'it is a directory' }
  return words[code] ?? (code || (error instanceof Error ? error.message : String(error)))
}
