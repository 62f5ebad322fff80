import type { Command } from 'commander'
import { GatewayAwayError, ProblemError } from '../../client/problem.ts'
import type { Verification } from '../../client/verify.ts'
import { type Cli, note, say, sayJson } from '../cli.ts'
import { readText } from '../connect.ts'
import { UsageError } from '../exit.ts'
import { clean, duration, styleOf } from '../output/text.ts'
import { examples, type Shell } from './shell.ts'

/** `verify FILE`: works offline, with keys and revocation list from files, and needs no gateway and no token. */
export function addVerify(program: Command, shell: Shell): void {
  const { cli } = shell
  const verify = program
    .command('verify')
    .summary('verify a receipt offline')
    .description('verify a receipt with public keys; works offline. Exit code: 0 valid, 1 invalid or revoked')
    .argument('<file>', 'the receipt, as `safestate receipt` wrote it')
    .requiredOption('--jwks <file|url>', 'public keys: a file that you keep, or https://GATEWAY/.well-known/jwks.json')
    .option('--revocations <file|url>', 'signed revocation list: a file, or https://GATEWAY/.well-known/revocations.jws')
    .option('--json', 'print {valid, kid, payload, revocation}')
    .action(async (file: string, options: { jwks: string; revocations?: string; json?: true }) => {
      const jws = receiptIn(readText(file, 'receipt'))
      const jwks = keysIn(await fetchOrRead(cli, options.jwks, 'key set'), options.jwks)
      const list = options.revocations === undefined ? undefined : (await fetchOrRead(cli, options.revocations, 'revocation list')).trim()
      // jose is loaded by this command alone: `safestate off` starts without it.
      const { verifyReceipt } = await import('../../client/verify.ts')
      const found = await verifyReceipt(jws, jwks, list, { now: cli.clock.now() })
      if (options.json) {
        const { valid, kid = null, payload = null, revocation, reason } = found
        sayJson(cli, { valid, kid, payload, revocation, ...(reason === undefined ? {} : { reason }) })
      } else show(cli, found)
      shell.end(found.valid && found.revocation !== 'revoked' ? 0 : 1)
    })
  examples(
    verify,
    'safestate verify receipt.jws --jwks keys.json',
    'safestate verify receipt.jws --jwks keys.json --revocations revocations.jws --json',
    'safestate verify receipt.jws --jwks https://gateway.example/.well-known/jwks.json',
  )
}

function show(cli: Cli, { valid, kid, payload, revocation, reason }: Verification): void {
  const style = styleOf(cli, cli.stdout)
  if (payload === undefined || !valid || revocation === 'revoked') {
    say(cli, `${style.bad('✗ not valid')}  ${clean(reason ?? 'the receipt is revoked')}`)
    if (payload === undefined) return
  }
  const node = clean(`${payload.cluster}/${payload.node}`)
  if (valid)
    say(
      cli,
      `${style.good('✓ valid')}  ${style.bold(`${node} was ${payload.state} at ${payload.confirmedAt}`)} (${clean(payload.assurance)})`,
    )
  const observed = payload.observations.map(each => Date.parse(String(each['at'])))
  const over = observed.length > 1 ? ` over ${duration(Math.max(...observed) - Math.min(...observed))}` : ''
  const hardware = payload.hardware.map(each =>
    [each['device'], each['manufacturer'], each['model'], each['serial'], each['uuid']].filter(Boolean).join(' '),
  )
  const unchecked = reason === undefined ? '' : ` (${clean(reason)})`
  const rows: [string, string][] = [
    ['binding', payload.binding === 'proven' ? 'proven' : 'declared by a person'],
    ...hardware.map((each): [string, string] => ['hardware', each]),
    ['reads', `${payload.observations.length}${over}, ${payload.commands.length} command${payload.commands.length === 1 ? '' : 's'}`],
    ['late hand', payload.lateHand === 'closed' ? 'closed: no earlier command can still land' : 'bounded by waiting'],
    ['job', `${payload.job}, attempt ${payload.attempt}`],
    ['hold', `${payload.hold} (${payload.holders.map(each => each.holder).join(', ')})`],
    ['store', payload.storeDurable ? 'durable' : 'NOT durable (--allow-volatile-store)'],
    ['signed by', kid ?? '-'],
    ['revocation', revocation === 'not-checked' ? `not checked${unchecked}` : revocation],
  ]
  for (const [label, value] of rows) say(cli, `  ${style.dim(label.padEnd(11))}${clean(value)}`)
  for (const warning of payload.warnings) say(cli, `  ${style.warn('warning'.padEnd(11))}${clean(warning)}`)
  if (valid && payload.state === 'off') say(cli, style.dim(`It says: off at that time, and since then only while the hold stands.`))
}

/** A receipt as compact JWS, alone or as the `jws` of `safestate receipt --json`. */
function receiptIn(text: string): string {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return trimmed
  const value = parsed(trimmed)
  return typeof value === 'object' && value !== null && 'jws' in value && typeof value.jws === 'string' ? value.jws : trimmed
}

function keysIn(text: string, from: string): { keys: object[] } {
  const value = parsed(text)
  if (typeof value === 'object' && value !== null && 'keys' in value && Array.isArray(value.keys)) return { keys: value.keys }
  throw new UsageError(`${from} holds no key set`, 'a key set is JSON: {"keys": [...]}, as GATEWAY/.well-known/jwks.json gives it')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The text of a file or of a public URL. No token is sent: keys and revocation list are public, and the URL may be anybody's. */
async function fetchOrRead(cli: Cli, from: string, what: string): Promise<string> {
  if (!/^https?:\/\//i.test(from)) return readText(from, what)
  const { protocol, hostname } = new URL(from)
  if (protocol === 'http:' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) {
    note(cli, `warning: the ${what} came over plain http and could be anybody's: use https or a file`)
  }
  try {
    const response = await cli.fetch(new Request(from, { redirect: 'error', signal: AbortSignal.timeout(15_000) }))
    if (response.ok) return await response.text()
    throw new ProblemError(response.status, { title: `the ${what} at ${from}`, detail: `HTTP ${response.status}` })
  } catch (error) {
    if (error instanceof ProblemError) throw error
    throw new GatewayAwayError(from, error)
  }
}
