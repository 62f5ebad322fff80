#!/usr/bin/env node
// `npm run bench -- NAME [--json …]`: compiles src/ and bench/ into the cache and runs bench/NAME.ts (or bench/NAME.mjs, which imports from dist/).
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setup } from './lib/setup.mjs'
import { fail, root, run, step } from './lib/steps.mjs'

const outDir = '.cache/bench'

async function main() {
  const [name, ...args] = process.argv.slice(2)
  const folder = join(root, 'bench')
  const names = existsSync(folder) ? readdirSync(folder).flatMap(file => /^([a-z-]+)\.(ts|mjs)$/.exec(file)?.[1] ?? []) : []
  if (!name || !names.includes(name))
    throw new Error(`say which benchmark: npm run bench -- ${names.join('|') || '(there is none in this clone)'}`)
  await setup()
  let script = join(folder, `${name}.mjs`)
  if (!existsSync(script)) {
    const options = ['--noEmit', 'false', '--allowImportingTsExtensions', 'false', '--rootDir', '.', '--outDir', outDir, '--incremental']
    const project = ['-p', 'tsconfig.bench.json']
    await step('building the benchmark', () =>
      run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...project, ...options]),
    )
    script = join(root, outDir, 'bench', `${name}.js`)
  }
  await run(process.execPath, ['--enable-source-maps', script, ...args], { live: true })
}

main().catch(fail)
