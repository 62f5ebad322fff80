import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import type { TlsSetting } from '../client/types.ts'
import { readText, reason } from './connect.ts'
import { type IpmiSetting, ipmiSetting } from './ipmi.ts'
import { tlsSetting } from './tls.ts'

/** One device of an inventory file, ready for the API. */
export interface InventoryDevice {
  name: string
  driver: string
  address: string
  username: string
  password: string
  /** The BMC key of an IPMI device. */
  kg?: string
  systemId?: string
  tls?: TlsSetting
  ipmi?: IpmiSetting
}

/** One node of an inventory file. */
export interface InventoryNode {
  cluster: string
  name: string
  systemUuid?: string
  levels: string[][]
}

/** An inventory file, checked as far as that is possible without a gateway. `problems` are all there are, each with the path of the wrong value. */
export interface Inventory {
  devices: InventoryDevice[]
  nodes: InventoryNode[]
  problems: string[]
}

/** Reads a YAML or JSON inventory (INTERFACES, "inventory"). Passwords never appear in a problem. Throws UsageError where the file can't be read. */
export function readInventory(file: string): Inventory {
  return parseInventory(readText(file, 'inventory'), dirname(file))
}

/** As `readInventory`, for a text; `base` is what relative passwordFile and CA paths are relative to. */
export function parseInventory(text: string, base: string): Inventory {
  const problems: string[] = []
  const lines = new LineCounter()
  // JSON is YAML. The pretty messages of the parser would quote the line, which may hold a password.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines, uniqueKeys: true })
  // A warning is an unknown tag: an unquoted password like `!x y`, which would be cut without a word.
  for (const error of [...document.errors, ...document.warnings]) {
    const { line, col } = lines.linePos(error.pos[0])
    problems.push(`line ${line}, column ${col}: ${error.code.toLowerCase().replaceAll('_', ' ')}`)
  }
  if (problems.length > 0) return { devices: [], nodes: [], problems }
  let content: unknown
  try {
    content = document.toJS({ maxAliasCount: 100 })
  } catch {
    // The message would name the alias, and that is what an unquoted password like `*x` looks like.
    return { devices: [], nodes: [], problems: ['an alias (*name) has no anchor; put text that begins with * in quotes'] }
  }
  const check = new Check(problems)
  const root = check.object(content, '', ['devices', 'nodes'])
  const devices = check.list(root['devices'], 'devices').map((item, index) => deviceOf(check, item, `devices[${index}]`, base))
  const nodes = check.list(root['nodes'], 'nodes').map((item, index) => nodeOf(check, item, `nodes[${index}]`))
  check.unique(
    devices.map(device => device.name),
    'devices',
    'name',
  )
  check.unique(
    nodes.map(node => (node.name === '' ? '' : `${node.cluster}/${node.name}`)),
    'nodes',
    'name',
  )
  if (devices.length + nodes.length === 0 && problems.length === 0) problems.push('neither devices nor nodes in it')
  return { devices, nodes, problems }
}

const DEVICE_KEYS = [
  ...['name', 'driver', 'address', 'username', 'password', 'passwordFile', 'systemId', 'tls'],
  ...['ipmi', 'kg', 'kgFile'],
]

function deviceOf(check: Check, item: unknown, path: string, base: string): InventoryDevice {
  const device = check.object(item, path, DEVICE_KEYS)
  const systemId = check.text(device['systemId'], `${path}.systemId`, false)
  const tls = device['tls'] === undefined ? undefined : tlsOf(check, device['tls'], `${path}.tls`, base)
  const ipmi = device['ipmi'] === undefined ? undefined : ipmiOf(check, device['ipmi'], `${path}.ipmi`)
  const hasKey = device['kg'] !== undefined || device['kgFile'] !== undefined
  const address = check.text(device['address'], `${path}.address`)
  if (address !== '' && !/^[a-z][a-z0-9+.-]*:\/\/[^\s/]/i.test(address))
    check.problems.push(`${path}.address: not an address like https://HOST[:PORT]`)
  return {
    name: check.text(device['name'], `${path}.name`),
    driver: check.text(device['driver'], `${path}.driver`),
    address,
    username: check.text(device['username'], `${path}.username`),
    password: secretOf(check, device, path, base, 'password'),
    ...(hasKey ? { kg: secretOf(check, device, path, base, 'kg') } : {}),
    ...(systemId === '' ? {} : { systemId }),
    ...(tls === undefined ? {} : { tls }),
    ...(ipmi === undefined ? {} : { ipmi }),
  }
}

function ipmiOf(check: Check, value: unknown, path: string): IpmiSetting | undefined {
  const ipmi = check.object(value, path, ['cipherSuite', 'privilege', 'quirks'])
  const suite = ipmi['cipherSuite']
  // YAML makes a number of an unquoted 17.
  const cipherSuite = check.text(typeof suite === 'number' ? String(suite) : suite, `${path}.cipherSuite`, false)
  const privilege = check.text(ipmi['privilege'], `${path}.privilege`, false)
  const quirk = check.list(ipmi['quirks'], `${path}.quirks`).map((one, index) => check.text(one, `${path}.quirks[${index}]`))
  return ipmiSetting({
    ...(cipherSuite === '' ? {} : { cipherSuite }),
    ...(privilege === '' ? {} : { privilege }),
    ...(ipmi['quirks'] === undefined ? {} : { quirk }),
  })
}

/** A secret that stands in the inventory itself or, better, in a file of its own. */
function secretOf(check: Check, device: Record<string, unknown>, path: string, base: string, what: 'password' | 'kg'): string {
  const inFile = `${what}File`
  if ((device[what] === undefined) === (device[inFile] === undefined)) {
    check.problems.push(`${path}: give either ${what} or ${inFile}`)
    return ''
  }
  if (device[what] !== undefined) return check.text(device[what], `${path}.${what}`)
  const file = check.text(device[inFile], `${path}.${inFile}`)
  if (file === '') return ''
  try {
    const secret = readFileSync(isAbsolute(file) ? file : resolve(base, file), 'utf8').replace(/\r?\n$/, '')
    if (secret === '' || /[\r\n]/.test(secret)) check.problems.push(`${path}.${inFile}: ${file} must hold one line`)
    return secret
  } catch (error) {
    check.problems.push(`${path}.${inFile}: can't read ${file}: ${reason(error)}`)
    return ''
  }
}

function tlsOf(check: Check, value: unknown, path: string, base: string): TlsSetting | undefined {
  try {
    if (typeof value === 'string') return tlsSetting(value, base)
    const tls = check.object(value, path, ['mode', 'fingerprint', 'ca'])
    const mode = check.text(tls['mode'], `${path}.mode`)
    if (mode === 'insecure') return { mode }
    if (mode === 'ca') return { mode, ca: check.text(tls['ca'], `${path}.ca`) }
    if (mode === 'pin')
      return tls['fingerprint'] === undefined ? { mode } : { mode, fingerprint: check.text(tls['fingerprint'], `${path}.fingerprint`) }
    if (mode !== '') check.problems.push(`${path}.mode: use pin, ca or insecure`)
  } catch (error) {
    check.problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return undefined
}

function nodeOf(check: Check, item: unknown, path: string): InventoryNode {
  const node = check.object(item, path, ['name', 'cluster', 'systemUuid', 'levels'])
  const systemUuid = check.text(node['systemUuid'], `${path}.systemUuid`, false)
  const levels = check.list(node['levels'], `${path}.levels`).map((level, index) => {
    const devices = check
      .list(level, `${path}.levels[${index}]`)
      .map((name, place) => check.text(name, `${path}.levels[${index}][${place}]`))
    if (devices.length === 0 && Array.isArray(level)) check.problems.push(`${path}.levels[${index}]: no device in it`)
    return devices
  })
  if (levels.length === 0 && (node['levels'] === undefined || Array.isArray(node['levels'])))
    check.problems.push(`${path}.levels: no level in it`)
  return {
    cluster: check.text(node['cluster'], `${path}.cluster`, false) || 'default',
    name: check.text(node['name'], `${path}.name`),
    levels,
    ...(systemUuid === '' ? {} : { systemUuid }),
  }
}

/** Looks into values of unknown shape and keeps every problem, so that one run shows them all. What is wrong comes out empty. */
class Check {
  readonly problems: string[]

  constructor(problems: string[]) {
    this.problems = problems
  }

  object(value: unknown, path: string, keys: string[]): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problems.push(path === '' ? 'not an inventory: {devices: [...], nodes: [...]}' : `${path}: must be an object`)
      return {}
    }
    for (const key of Object.keys(value)) {
      if (!keys.includes(key)) this.problems.push(`${path === '' ? key : `${path}.${key}`}: unknown key (known: ${keys.join(', ')})`)
    }
    return value as Record<string, unknown>
  }

  list(value: unknown, path: string): unknown[] {
    if (value === undefined || value === null) return []
    if (Array.isArray(value)) return value
    this.problems.push(`${path}: must be a list`)
    return []
  }

  text(value: unknown, path: string, required = true): string {
    if (typeof value === 'string' && value !== '') return value
    if (value === undefined || value === null || value === '') {
      if (required) this.problems.push(`${path}: missing`)
    } else this.problems.push(`${path}: must be text; put it in quotes`)
    return ''
  }

  unique(names: string[], path: string, key: string): void {
    const first = new Map<string, number>()
    names.forEach((name, index) => {
      const earlier = first.get(name)
      if (earlier === undefined) first.set(name, index)
      else if (name !== '') this.problems.push(`${path}[${index}].${key}: the same as ${path}[${earlier}]`)
    })
  }
}
