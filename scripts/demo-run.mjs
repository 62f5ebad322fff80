// The demo proper: a simulated rack, a gateway, one node fenced, its receipt verified. Everything is done with the commands that a person would type.
import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const bin = fileURLToPath(new URL('../bin/safestate.js', import.meta.url))
const BMCS = 8
/** Real machines take their time, and say so meanwhile: `PoweringOff` is not off. */
const OFF_DELAY = '3s'
const START_MS = 30_000
const STOP_MS = 10_000

const live = process.stdout.isTTY === true && process.env.TERM !== 'dumb'
const colour = live && !process.env.NO_COLOR
const paint = (code, text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)
const say = (line = '') => process.stdout.write(`${line}\n`)
const began = performance.now()

/** One line that says what was set up. */
function done(what, detail) {
  say(`${paint(32, '✓')} ${what.padEnd(16)}${detail}`)
}

/** The environment of the children: SAFESTATE_* of the person who runs the demo is about another gateway. */
function environment(extra = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('SAFESTATE_'))
  return { ...Object.fromEntries(kept), ...extra }
}

const children = []
const stopping = new AbortController()

/** Starts a server of ours in a process group of its own (Ctrl-C is for the demo, which stops its servers in order) and waits for its ready line. */
async function serve(name, args, folder) {
  const log = openSync(join(folder, `${name}.log`), 'a')
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', log], detached: true, env: environment() })
  closeSync(log)
  const exited = new Promise(resolve => child.once('exit', resolve))
  children.push({ child, exited })
  let timer
  const ready = new Promise((resolve, reject) => {
    // The lines are read for as long as it runs: a full pipe would stop it.
    createInterface({ input: child.stdout }).on('line', line => {
      if (line.startsWith('ready ')) resolve(line.slice('ready '.length))
    })
    child.once('error', reject)
    exited.then(() => reject(new Error(`the ${name} stopped before it was ready`))).catch(reject)
    timer = setTimeout(() => reject(new Error(`the ${name} was not ready within ${START_MS / 1000} s`)), START_MS)
    stopping.signal.addEventListener('abort', () => reject(stopping.signal.reason))
  })
  try {
    return await ready
  } catch (error) {
    if (!stopping.signal.aborted)
      process.stderr.write(
        readFileSync(join(folder, `${name}.log`), 'utf8')
          .split('\n')
          .slice(-20)
          .join('\n'),
      )
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** Runs one command as a person would see it, with its own live progress. */
async function command(args, env, { shown = args, quiet = false } = {}) {
  stopping.signal.throwIfAborted()
  if (!quiet) say(`\n${paint(2, '$')} ${paint(1, `safestate ${shown.map(quoted).join(' ')}`)}`)
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'inherit', 'inherit'], env: environment(env) })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (status, signal) => resolve(status ?? signal))
  })
  stopping.signal.throwIfAborted()
  if (code !== 0) throw new Error(`safestate ${args[0]} ended with ${code}`)
}

const quoted = word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `"${word}"`)

/** Stops the servers, the gateway first; kills the whole group of one that does not stop by itself. */
async function stop() {
  for (const { child, exited } of children.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGTERM')
    const timer = setTimeout(() => {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It ended in this moment.
      }
    }, STOP_MS)
    await exited
    clearTimeout(timer)
  }
}

/** @param {string} url @param {string} token @param {string} path @returns {Promise<any>} */
async function ask(url, token, path) {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`${path}: HTTP ${response.status}`)
  return response.json()
}

async function demo(folder, keep) {
  say(`${paint(1, 'Safestate')}: a node fails. Can it still corrupt our data? Let us prove that it can't.\n`)
  const inventory = join(folder, 'rack.json')
  const rack = ['--redfish', String(BMCS), '--personality', 'mixed', '--tls', '--off-delay', OFF_DELAY]
  await serve('simulator', ['simulate', ...rack, '--inventory', inventory], folder)
  const { nodes } = JSON.parse(readFileSync(inventory, 'utf8'))
  done('simulated rack', `${BMCS} BMCs of different vendors, ${nodes.length} nodes`)

  const url = await serve('gateway', ['gateway', '--listen', '127.0.0.1:0', '--data-dir', join(folder, 'data')], folder)
  const tokenFile = join(folder, 'data', 'admin-token')
  const token = readFileSync(tokenFile, 'utf8').trim()
  done('gateway', url)
  const { store } = await ask(url, token, '/readyz')
  done('store', `${STORES[store.kind] ?? store.kind}${store.durable ? '' : paint(33, ' (not durable)')}`)
  if (store.warning) say(`  ${paint(33, store.warning)}`)

  const env = { SAFESTATE_URL: url, SAFESTATE_TOKEN: token }
  const node = (nodes.find(each => each.systemUuid) ?? nodes[0]).name
  await command(['import', inventory], env, { shown: ['import', 'rack.json'] })
  await command(['status', node], env)
  await command(['off', node, '--reason', 'kubelet silent for 5 minutes'], env)
  const { items } = await ask(url, token, `/v1/jobs?node=${node}&action=off&limit=1`)
  const job = items[0].id
  // On a terminal `off` ended with the table; in a pipe it wrote a line for each change.
  if (!live) await command(['watch', job], env)

  const receipt = join(folder, 'receipt.jws')
  await command(['receipt', job, '--output', receipt], env, { shown: ['receipt', job, '--output', 'receipt.jws'] })
  const wellKnown = `${url}/.well-known`
  const verify = ['--jwks', `${wellKnown}/jwks.json`, '--revocations', `${wellKnown}/revocations.jws`]
  await command(['verify', receipt, ...verify], {}, { shown: ['verify', 'receipt.jws', ...verify] })
  await command(['hold', 'list'], env)

  say(
    `\n${paint(32, '✓')} ${paint(1, `${node} is off, held off, and that is proven`)} (${((performance.now() - began) / 1000).toFixed(0)} s)`,
  )
  if (!keep) {
    say('  To look around yourself: npm run demo -- --keep')
    return
  }
  say(`
Left running until you press Ctrl-C:
  API          ${url}/v1/
  API docs     ${url}/docs
  Bull Board   ${url}/queues        (in a browser: any user name, the token as password)
  token        ${token}

In another terminal, in this folder:
  export SAFESTATE_URL=${url} SAFESTATE_TOKEN="$(cat ${quoted(tokenFile)})"
  npx --no-install safestate node list
  npx --no-install safestate hold release ${node} --reason "the demo is over"`)
  await new Promise((_, reject) => {
    stopping.signal.addEventListener('abort', () => reject(stopping.signal.reason))
    for (const { exited } of children)
      exited.then(() => reject(new Error('a server of the demo stopped; its log was in the folder of the demo')))
  })
}

const STORES = {
  redis: 'Redis (REDIS_URL)',
  child: 'a redis-server or valkey-server of its own',
  embedded: 'embedded Valkey (WebAssembly)',
}

async function main() {
  let values
  try {
    values = parseArgs({ options: { keep: { type: 'boolean', default: false } } }).values
  } catch (error) {
    process.stderr.write(`demo: ${error.message}\nusage: npm run demo [-- --keep]\n`)
    process.exitCode = 2
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'safestate-demo-'))
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
    process.on(signal, () => {
      process.exitCode = values.keep && signal === 'SIGINT' ? 0 : code
      stopping.abort(new Error('stopped'))
    })
  }
  try {
    await demo(folder, values.keep)
  } catch (error) {
    if (!stopping.signal.aborted) {
      process.stderr.write(`${paint(31, 'demo failed:')} ${error.message}\n`)
      process.exitCode = 1
    } else say('\nstopping')
  } finally {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

await main()
