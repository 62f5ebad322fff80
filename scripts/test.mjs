#!/usr/bin/env node
// `npm test [-- SUITE… --verbose --coverage]`: sets the clone up, runs the test files under tap and counts. A suite is a folder under test/.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ensurePeers } from './lib/peers.mjs'
import { setup } from './lib/setup.mjs'
import { CommandFailed, fail, root, seconds } from './lib/steps.mjs'
import { emptyResult, tapReader } from './lib/tap.mjs'

/** A file that takes a quarter of this on an idle machine is too long; the rest is for loaded ones. */
const fileTimeoutSeconds = 300
const suiteOrder = ['core', 'wire', 'store', 'vault', 'receipts', 'fencing', 'queue', 'drivers', 'api', 'client', 'cli', 'simulator']

/** Test files by suite, the quick rooms first. */
function suites() {
  const found = new Map()
  for (const entry of readdirSync(join(root, 'test'), { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.test.ts')) continue
    const file = join(entry.parentPath ?? entry.path, entry.name).slice(root.length)
    const parts = file.split('/')
    const suite = parts.length > 2 ? parts[1] : 'root'
    found.set(suite, [...(found.get(suite) ?? []), file])
  }
  const rank = name => (suiteOrder.indexOf(name) + suiteOrder.length + 1) % (suiteOrder.length + 1)
  for (const files of found.values()) files.sort()
  return new Map([...found].sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1)))
}

/** The environment of the tests: nothing in it may point them at a real gateway or Redis. */
function testEnvironment(required) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => key !== 'REDIS_URL' && (!key.startsWith('SAFESTATE_') || key === 'SAFESTATE_CACHE')),
  )
  return { ...env, SAFESTATE_PEERS_REQUIRED: required ? '1' : '0', NODE_NO_WARNINGS: '1' }
}

/** Runs the files under tap, reports each as it ends and resolves with their results. */
async function runTap(files, { verbose, coverage, required }) {
  const bin = JSON.parse(readFileSync(join(root, 'node_modules/tap/package.json'), 'utf8')).bin.tap
  const args = [
    'run',
    '--reporter=tap',
    '--jobs=2',
    `--timeout=${fileTimeoutSeconds}`,
    coverage ? '--no-disable-coverage' : '--disable-coverage',
    ...files,
  ]
  const child = spawn(process.execPath, [join(root, 'node_modules/tap', bin), ...args], {
    cwd: root,
    env: testEnvironment(required),
    stdio: ['ignore', 'pipe', verbose ? 'inherit' : 'pipe'],
  })
  const results = []
  let running = ''
  let stderr = ''
  const from = performance.now()
  const tty = process.stderr.isTTY === true && process.env.CI !== 'true'
  const erase = tty ? '\r\x1b[K' : ''
  const timer =
    tty &&
    setInterval(() => process.stderr.write(`${erase}  … ${running} (${results.length}/${files.length} files, ${seconds(from)})`), 250)
  const reader = tapReader({
    onStart: file => {
      running = file
    },
    onFile: result => {
      results.push(result)
      if (tty) process.stderr.write(erase)
      process.stdout.write(fileReport(result))
    },
  })
  child.stderr?.on('data', data => {
    stderr = (stderr + data).slice(-20_000)
  })
  const lines = createInterface({ input: child.stdout })
  let tail = ''
  lines.on('line', text => {
    if (verbose) process.stdout.write(`${text}\n`)
    if (coverage) tail = `${tail}${text}\n`.slice(-8_000)
    reader.line(text)
  })
  const stop = signal => child.kill(signal)
  process.on('SIGTERM', stop)
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  process.removeListener('SIGTERM', stop)
  if (timer) clearInterval(timer)
  if (tty) process.stderr.write(erase)
  reader.end()
  for (const file of files.filter(name => !results.some(result => result.file === name))) {
    const missing = { ...emptyResult(file), failed: 1, failures: [{ path: file, detail: 'tap reported nothing about this file' }] }
    results.push(missing)
    process.stdout.write(fileReport(missing))
  }
  const failed = results.some(result => result.failed > 0)
  if (code !== 0 && !failed && !coverage) {
    results.push({ ...emptyResult('tap'), failed: 1 })
    process.stdout.write(`✗ tap ended with ${code} though every file passed\n`)
  }
  if ((failed || code !== 0) && stderr.trim() !== '')
    process.stdout.write(`\n--- what the tests wrote to stderr (end) ---\n${stderr.trimEnd()}\n---\n`)
  if (coverage)
    process.stdout.write(
      `${tail
        .split('\n')
        .filter(text => text.includes('|'))
        .join('\n')}\n`,
    )
  return results
}

function fileReport(result) {
  const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : ''
  const failed = result.failed > 0 ? `, ${result.failed} FAILED` : ''
  let text = `${result.failed > 0 ? '✗' : '✓'} ${result.file}  ${result.passed} passed${failed}${skipped}  ${result.seconds.toFixed(1)} s\n`
  for (const skip of result.skips) text += `    skipped: ${skip.path}${skip.reason ? ` (${skip.reason})` : ''}\n`
  for (const failure of result.failures) text += `    not ok: ${failure.path}\n${failure.detail.replace(/^/gm, '      ').trimEnd()}\n`
  return text
}

/** Prints rows as the table suite → seconds and counts; `rows` is `[name, seconds, passed, failed, skipped]`. */
function printTable(rows) {
  const width = Math.max(5, ...rows.map(([name]) => name.length))
  process.stdout.write(`\n${'suite'.padEnd(width)}  seconds  passed  failed  skipped\n`)
  for (const [name, took, passed, failed, skipped] of rows) {
    process.stdout.write(
      `${name.padEnd(width)}  ${took.toFixed(1).padStart(7)}  ${String(passed).padStart(6)}  ${String(failed).padStart(6)}  ${String(skipped).padStart(7)}\n`,
    )
  }
}

async function main() {
  const args = process.argv.slice(2)
  const wanted = args.filter(arg => !arg.startsWith('--'))
  const unknown = args.filter(arg => arg.startsWith('--') && !['--verbose', '--coverage'].includes(arg))
  const all = suites()
  for (const name of wanted) if (!all.has(name)) throw new Error(`there is no suite ${name}; there are: ${[...all.keys()].join(', ')}`)
  if (unknown.length > 0) throw new Error(`unknown option ${unknown.join(' ')}; there are: --verbose, --coverage`)
  const required = process.env.CI === 'true'
  const rows = []
  const from = performance.now()
  try {
    await setup()
  } catch (error) {
    // With dependencies but a build that fails, the sources can still be tested; the failed build counts.
    if (!(error instanceof CommandFailed) || !existsSync(join(root, 'node_modules/tap/package.json'))) throw error
    process.stdout.write(`✗ ${error.message}\n${error.output}\n`)
    rows.push(['(setup)', (performance.now() - from) / 1000, 0, 1, 0])
  }
  if (required) {
    const start = performance.now()
    const missing = await ensurePeers()
    rows.push(['(peers)', (performance.now() - start) / 1000, 0, missing.length, 0])
  }
  const chosen = new Map([...all].filter(([name]) => wanted.length === 0 || wanted.includes(name)))
  const options = { verbose: args.includes('--verbose'), coverage: args.includes('--coverage'), required }
  const results = await runTap([...chosen.values()].flat(), options)
  const suiteOf = file => [...chosen].find(([, files]) => files.includes(file))?.[0] ?? file
  const sum = (list, key) => list.reduce((total, item) => total + item[key], 0)
  for (const suite of [...chosen.keys(), 'tap']) {
    const own = results.filter(result => suiteOf(result.file) === suite)
    if (own.length > 0) rows.push([suite, sum(own, 'seconds'), sum(own, 'passed'), sum(own, 'failed'), sum(own, 'skipped')])
  }
  printTable(rows)
  const [passed, failed, skipped] = [2, 3, 4].map(column => rows.reduce((total, row) => total + row[column], 0))
  if (passed + failed === 0) process.stdout.write('\nno test ran\n')
  process.stdout.write(`\nin ${seconds(from)}\n${passed} passed, ${failed} failed, ${skipped} skipped\n`)
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0
}

main().catch(fail)
