#!/usr/bin/env node
// `npm run check`: everything that holds the house in order and is not a test of behaviour. All steps run even if one fails; the last line counts them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setup } from './lib/setup.mjs'
import { CommandFailed, fail, root, run, seconds } from './lib/steps.mjs'

/** The script behind a package's command, run by this Node without npx (which would cost half a second a step). */
function tool(packageName, command = packageName) {
  const folder = join(root, 'node_modules', packageName)
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return join(folder, typeof bin === 'string' ? bin : bin[command])
}

const node = (script, ...args) =>
  run(process.execPath, [script, ...args], { env: { ...process.env, NO_COLOR: '1', NODE_NO_WARNINGS: '1', REDOCLY_TELEMETRY: 'off' } })

/** @returns {[string, () => unknown][]} */
function steps() {
  const openapi = existsSync(join(root, 'openapi')) ? readdirSync(join(root, 'openapi')).filter(name => name.endsWith('.yaml')) : []
  return [
    ['build', () => setup()],
    ['biome', () => node(tool('@biomejs/biome', 'biome'), 'ci', '--colors=off', '--max-diagnostics=60')],
    ['tsc', () => node(tool('typescript', 'tsc'), '--noEmit', '--pretty', 'false', '-p', 'tsconfig.json')],
    ['tsc scripts', () => node(tool('typescript', 'tsc'), '--noEmit', '--pretty', 'false', '-p', 'tsconfig.scripts.json')],
    ['knip', () => node(tool('knip'), '--no-progress')],
    ['publint', () => node(tool('publint'), '--strict', '--pack=false')],
    ['redocly', () => openapi.length > 0 && node(tool('@redocly/cli', 'redocly'), 'lint', ...openapi.map(name => `openapi/${name}`))],
    ['doors', () => node(tool('tap'), 'run', '--reporter=tap', '--disable-coverage', 'test/house/doors.test.ts')],
  ]
}

async function main() {
  await setup({ needBuild: false })
  const rows = []
  for (const [name, work] of steps()) {
    const from = performance.now()
    let ok = true
    try {
      await work()
    } catch (error) {
      ok = false
      process.stdout.write(`--- ${name}: ${error.message}\n${error instanceof CommandFailed ? error.output.trimEnd() : ''}\n---\n`)
    }
    process.stdout.write(`${ok ? '✓' : '✗'} ${name} (${seconds(from)})\n`)
    rows.push(ok)
  }
  const passed = rows.filter(Boolean).length
  process.stdout.write(`\n${passed} passed, ${rows.length - passed} failed, 0 skipped\n`)
  process.exitCode = passed === rows.length ? 0 : 1
}

main().catch(fail)
