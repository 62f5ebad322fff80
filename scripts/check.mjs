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

/** The steps by name; `false` for one that has nothing to look at yet. @returns {[string, false | (() => Promise<unknown>)][]} */
function steps() {
  const openapi = existsSync(join(root, 'openapi')) ? readdirSync(join(root, 'openapi')).filter(name => name.endsWith('.yaml')) : []
  return [
    ['build', () => setup()],
    ['biome', () => node(tool('@biomejs/biome', 'biome'), 'ci', '--colors=off', '--max-diagnostics=60')],
    ['tsc', () => node(tool('typescript', 'tsc'), '--noEmit', '--pretty', 'false', '-p', 'tsconfig.json')],
    ['tsc scripts', () => node(tool('typescript', 'tsc'), '--noEmit', '--pretty', 'false', '-p', 'tsconfig.scripts.json')],
    // Before there is a composition root nothing is used; there is nothing to find out then.
    ['knip', existsSync(join(root, 'src/gateway.ts')) && (() => node(tool('knip'), '--no-progress'))],
    ['publint', () => node(tool('publint'), '--strict', '--pack=npm')],
    ['redocly', openapi.length > 0 && (() => node(tool('@redocly/cli', 'redocly'), 'lint', ...openapi.map(name => `openapi/${name}`)))],
    ['doors', () => node(tool('tap'), 'run', '--reporter=tap', '--disable-coverage', 'test/house/doors.test.ts')],
  ]
}

async function main() {
  await setup({ needBuild: false })
  const rows = []
  for (const [name, work] of steps()) {
    if (!work) {
      process.stdout.write(`- ${name}: nothing to look at yet\n`)
      rows.push(undefined)
      continue
    }
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
  const count = value => rows.filter(row => row === value).length
  process.stdout.write(`\n${count(true)} passed, ${count(false)} failed, ${count(undefined)} skipped\n`)
  process.exitCode = count(false) > 0 ? 1 : 0
}

main().catch(fail)
