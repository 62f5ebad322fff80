import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { SafestateError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { formatVaultKeys, newVaultKey, parseVaultKeys, type VaultKey } from './key.ts'

/** Name of the key file, in the data directory or in the directory of a mounted Secret. */
export const KEY_FILE = 'vault-key'

/** Settings that say where the vault's keys are: `SAFESTATE_VAULT_KEY`, `SAFESTATE_VAULT_KEY_FILE` (a file, or a directory holding `vault-key`). */
export interface KeySettings {
  vaultKey?: Secret | undefined
  vaultKeyFile?: string | undefined
  dataDir: string
}

/** A place that vault keys come from. */
export interface KeySource {
  /** For messages: the variable or path. */
  readonly where: string
  /** True where the gateway keeps the file itself, and a rotation makes its own key. Elsewhere people bring new keys. */
  readonly own: boolean
  /** The keys, current first; undefined where the own file is not there (yet). Throws `vault_unavailable` where they can't be used. */
  read(): VaultKey[] | undefined
  /** Makes the own file with a new key; where another process was faster, reads that one's. */
  create(): VaultKey[]
  /** Replaces the own file in one step by what `change` makes of its keys, and returns those. */
  update(change: (keys: VaultKey[]) => VaultKey[]): VaultKey[]
}

/** Chooses the source: the variable, else the named file or mounted Secret, else `DATA_DIR/vault-key`. Naming two is refused: one of them would be ignored in silence. */
export function chooseKeySource(settings: KeySettings): KeySource {
  if (settings.vaultKey !== undefined && settings.vaultKeyFile !== undefined) {
    throw new SafestateError('vault_unavailable', 'both SAFESTATE_VAULT_KEY and SAFESTATE_VAULT_KEY_FILE are set: set one')
  }
  if (settings.vaultKey !== undefined) {
    const keys = parseVaultKeys(settings.vaultKey, 'SAFESTATE_VAULT_KEY')
    return { where: 'SAFESTATE_VAULT_KEY', own: false, read: () => keys, ...brought('SAFESTATE_VAULT_KEY') }
  }
  if (settings.vaultKeyFile === undefined) return fileSource(join(settings.dataDir, KEY_FILE), settings.dataDir, true)
  return fileSource(inDirectory(settings.vaultKeyFile), settings.dataDir, false)
}

function inDirectory(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, KEY_FILE) : path
}

function brought(where: string): Pick<KeySource, 'create' | 'update'> {
  const refuse = () => {
    throw new SafestateError('vault_unavailable', `the keys of ${where} are brought by people: the gateway does not write there`)
  }
  return { create: refuse, update: refuse }
}

function fileSource(path: string, dataDir: string, implied: boolean): KeySource {
  // Decided by where the file really lies: DATA_DIR/vault-key may be a link into a mounted Secret.
  const own = isUnder(path, dataDir)
  const read = () => {
    const text = readKeyFile(path, own)
    if (text !== undefined) return parseVaultKeys(text, path)
    if (implied) return undefined
    throw new SafestateError('vault_unavailable', `there is no vault key at ${path}`)
  }
  if (!own) return { where: path, own, read, ...brought(path) }
  return {
    where: path,
    own,
    read,
    create() {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      try {
        writeDurably(path, formatVaultKeys([newVaultKey()]))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      return read() ?? []
    },
    update(change) {
      // Without an await between reading and renaming: two rotations in this process can't lose one another's key.
      const before = read()
      if (before === undefined)
        throw new SafestateError('vault_unavailable', `the vault key at ${path} has gone: put it back from a backup`)
      const keys = change(before)
      const temporary = `${path}.${process.pid}.tmp`
      rmSync(temporary, { force: true })
      writeDurably(temporary, formatVaultKeys(keys))
      renameSync(temporary, path)
      syncDirectory(path)
      return keys
    },
  }
}

/**
 * The text of a key file, or undefined where there is none. In the data directory it must be the owner's alone (0600 or 0400). Elsewhere, in a
 * mounted Secret or under /etc, its group may read it (Kubernetes makes 0440 of `defaultMode: 0400` with an fsGroup), and nobody else.
 */
function readKeyFile(path: string, own: boolean): Secret | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return
    throw new SafestateError('vault_unavailable', `the vault key at ${path} can't be read (${code})`)
  }
  try {
    const status = fstatSync(file)
    const mode = (status.mode & 0o777).toString(8).padStart(4, '0')
    if (!status.isFile()) throw new SafestateError('vault_unavailable', `the vault key at ${path} is not a file`)
    if (own && (status.mode & 0o077) !== 0) {
      throw new SafestateError('vault_unavailable', `the vault key at ${path} is open to others (mode ${mode}): chmod 0600 ${path}`)
    }
    if ((status.mode & 0o037) !== 0) {
      throw new SafestateError(
        'vault_unavailable',
        `the vault key at ${path} is open to others (mode ${mode}): chmod 0440, or defaultMode: 0440 of its Secret volume`,
      )
    }
    return new Secret(readFileSync(file, 'utf8'))
  } finally {
    closeSync(file)
  }
}

function writeDurably(path: string, text: Secret): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
  try {
    writeSync(file, text.reveal())
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncDirectory(path)
}

function syncDirectory(path: string): void {
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

function isUnder(path: string, directory: string): boolean {
  return real(path).startsWith(real(directory) + sep)
}

/** The real path, also of what is not there yet. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(real(parent), basename(path))
  }
}
