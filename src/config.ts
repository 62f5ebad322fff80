import { accessSync, constants, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { type FieldError, SafestateError } from './core/errors.ts'
import { RULES, type Rules } from './core/rules.ts'
import { Secret } from './core/secret.ts'

/** A gateway's settings, complete and checked. */
export interface Config {
  host: string
  port: number
  dataDir: string
  allowVolatileStore: boolean
  redisUrl?: string
  vaultKey?: Secret
  vaultKeyFile?: string
  tls?: { cert: string; key: string }
  logLevel: string
  /** Jobs and reads under way at once in each lane. */
  concurrency: { fence: number; status: number }
  rules: Rules
}

/** What the command line gives; it goes before the environment, and that before the file. */
export interface ConfigFlags {
  config?: string
  listen?: string
  dataDir?: string
  allowVolatileStore?: boolean
}

/** Belong to the CLI and to scripts: not for the gateway. */
const NOT_OURS = new Set(['SAFESTATE_URL', 'SAFESTATE_TOKEN', 'SAFESTATE_CACHE', 'SAFESTATE_CONFIG'])

const LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/** A setting that is one value: its name in the file, its environment variable, and what it must be. */
const SETTINGS = {
  listen: 'SAFESTATE_LISTEN',
  dataDir: 'SAFESTATE_DATA_DIR',
  allowVolatileStore: 'SAFESTATE_ALLOW_VOLATILE_STORE',
  redisUrl: 'REDIS_URL',
  vaultKey: 'SAFESTATE_VAULT_KEY',
  vaultKeyFile: 'SAFESTATE_VAULT_KEY_FILE',
  tlsCert: 'SAFESTATE_TLS_CERT',
  tlsKey: 'SAFESTATE_TLS_KEY',
  logLevel: 'SAFESTATE_LOG_LEVEL',
  fenceConcurrency: 'SAFESTATE_FENCE_CONCURRENCY',
  statusConcurrency: 'SAFESTATE_STATUS_CONCURRENCY',
} as const

type Name = keyof typeof SETTINGS

/** Figures that the file may set under `rules`, with their bounds. What decides safety has a floor. */
const FIGURES: Record<string, { min: number; max: number; set(rules: Rules, value: number): Rules }> = {
  'confirm.reads': { min: 2, max: 100, set: (rules, reads) => ({ ...rules, confirm: { ...rules.confirm, reads } }) },
  'confirm.spacingMs': { min: 100, max: 60_000, set: (rules, spacingMs) => ({ ...rules, confirm: { ...rules.confirm, spacingMs } }) },
  'confirm.dwellMs': { min: 1_000, max: 600_000, set: (rules, dwellMs) => ({ ...rules, confirm: { ...rules.confirm, dwellMs } }) },
  'confirm.foundOffDwellMs': {
    min: 1_000,
    max: 600_000,
    set: (rules, foundOffDwellMs) => ({ ...rules, confirm: { ...rules.confirm, foundOffDwellMs } }),
  },
  powerOnDelayMs: { min: 1_000, max: 600_000, set: (rules, powerOnDelayMs) => ({ ...rules, powerOnDelayMs }) },
  powerOffDelayMs: { min: 1_000, max: 600_000, set: (rules, powerOffDelayMs) => ({ ...rules, powerOffDelayMs }) },
  'exchange.exchangeMs': { min: 500, max: 60_000, set: (rules, exchangeMs) => ({ ...rules, exchange: { ...rules.exchange, exchangeMs } }) },
  'exchange.connectMs': { min: 200, max: 60_000, set: (rules, connectMs) => ({ ...rules, exchange: { ...rules.exchange, connectMs } }) },
}

/** Merges flags, environment and file, checks all of it, and throws one `bad_request` that names every problem at once. */
export function readConfig(flags: ConfigFlags, env: NodeJS.ProcessEnv): Config {
  const errors: FieldError[] = []
  const file = readFile(flags.config ?? env['SAFESTATE_CONFIG'], errors)
  for (const name of Object.keys(env)) {
    const ours = (Object.values(SETTINGS) as string[]).includes(name) || NOT_OURS.has(name)
    if (name.startsWith('SAFESTATE_') && !ours) errors.push({ field: name, message: 'is no setting of the gateway' })
  }
  for (const name of Object.keys(file)) {
    if (name === 'vaultKey') errors.push({ field: name, message: 'a key does not belong in this file: give vaultKeyFile' })
    else if (!(name in SETTINGS) && name !== 'rules') errors.push({ field: name, message: 'is no setting of the gateway' })
  }
  const text = (name: Name): string | undefined => {
    const flag = (flags as Record<string, unknown>)[name]
    const found = flag ?? env[SETTINGS[name]] ?? file[name]
    return found === undefined || found === '' ? undefined : String(found)
  }
  const listen = parseListen(text('listen') ?? '127.0.0.1:8080', errors)
  const dataDir = text('dataDir')
  if (dataDir === undefined) {
    errors.push({ field: 'dataDir', message: 'is missing: give --data-dir, SAFESTATE_DATA_DIR or dataDir in the file' })
  }
  const tls = readTls(text('tlsCert'), text('tlsKey'), errors)
  if (!tls && !/^(127\.|\[?::1\]?$|localhost$)/.test(listen.host)) {
    errors.push({ field: 'listen', message: `${listen.host} can be reached from outside: that needs tlsCert and tlsKey` })
  }
  const logLevel = text('logLevel') ?? 'info'
  if (!LEVELS.includes(logLevel)) errors.push({ field: 'logLevel', message: `must be one of ${LEVELS.join(', ')}` })
  const vaultKey = text('vaultKey')
  const vaultKeyFile = text('vaultKeyFile')
  const redisUrl = text('redisUrl')
  const config: Config = {
    ...listen,
    dataDir: dataDir ?? '',
    allowVolatileStore: truth('allowVolatileStore', text('allowVolatileStore'), errors),
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(vaultKey === undefined ? {} : { vaultKey: new Secret(vaultKey) }),
    ...(vaultKeyFile === undefined ? {} : { vaultKeyFile }),
    ...(tls ? { tls } : {}),
    logLevel,
    concurrency: {
      fence: whole('fenceConcurrency', text('fenceConcurrency') ?? '500', 1, 5_000, errors),
      status: whole('statusConcurrency', text('statusConcurrency') ?? '200', 1, 5_000, errors),
    },
    rules: readRules(file['rules'], errors),
  }
  if (errors.length > 0) {
    throw new SafestateError(
      'bad_request',
      `the gateway can't start: ${errors.map(({ field, message }) => `${field} ${message}`).join('; ')}`,
      { errors },
    )
  }
  return config
}

function readFile(path: string | undefined, errors: FieldError[]): Record<string, unknown> {
  if (path === undefined) return {}
  try {
    const found: unknown = parse(readFileSync(path, 'utf8'))
    if (found === null) return {}
    if (typeof found === 'object' && !Array.isArray(found)) return found as Record<string, unknown>
    errors.push({ field: 'config', message: `${path} must hold settings by name` })
  } catch (error) {
    // The parser quotes the text; only its place is told, in case a secret stands in it.
    const place = /at line \d+, column \d+/.exec((error as Error).message)?.[0]
    errors.push({
      field: 'config',
      message: `${path} can't be read${place ? `: no YAML ${place}` : `: ${(error as NodeJS.ErrnoException).code ?? 'no YAML'}`}`,
    })
  }
  return {}
}

function parseListen(listen: string, errors: FieldError[]): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:]+):(\d{1,5})$/.exec(listen)
  const port = Number(match?.[2])
  const host = match?.[1]?.replace(/^\[|\]$/g, '')
  if (host !== undefined && port <= 65_535) return { host, port }
  errors.push({ field: 'listen', message: `${listen} must be HOST:PORT` })
  return { host: '127.0.0.1', port: 0 }
}

function readTls(cert: string | undefined, key: string | undefined, errors: FieldError[]): Config['tls'] {
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined) {
    errors.push({ field: cert === undefined ? 'tlsCert' : 'tlsKey', message: 'is missing: tlsCert and tlsKey go together' })
    return undefined
  }
  for (const [field, path] of [
    ['tlsCert', cert],
    ['tlsKey', key],
  ] as const) {
    try {
      accessSync(path, constants.R_OK)
    } catch {
      errors.push({ field, message: `${path} can't be read` })
    }
  }
  return { cert, key }
}

function truth(field: string, value: string | undefined, errors: FieldError[]): boolean {
  if (value === undefined || value === 'false' || value === '0') return false
  if (value !== 'true' && value !== '1') errors.push({ field, message: 'must be true or false' })
  return true
}

function whole(field: string, value: string, min: number, max: number, errors: FieldError[]): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < min || number > max)
    errors.push({ field, message: `must be a whole number from ${min} to ${max}` })
  return number
}

function readRules(given: unknown, errors: FieldError[]): Rules {
  let rules = RULES
  if (given === undefined || given === null) return rules
  for (const [name, value] of flat(given, '')) {
    const figure = FIGURES[name]
    if (!figure)
      errors.push({ field: `rules.${name}`, message: `is no figure that can be set; there are: ${Object.keys(FIGURES).join(', ')}` })
    else if (typeof value !== 'number' || !Number.isInteger(value) || value < figure.min || value > figure.max) {
      errors.push({ field: `rules.${name}`, message: `must be a whole number from ${figure.min} to ${figure.max}` })
    } else rules = figure.set(rules, value)
  }
  return Object.freeze(rules)
}

function flat(value: unknown, prefix: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[prefix, value]]
  return Object.entries(value).flatMap(([name, child]) => flat(child, prefix === '' ? name : `${prefix}.${name}`))
}
