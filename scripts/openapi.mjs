#!/usr/bin/env node
// `npm run openapi`: the routes' schemas → openapi/openapi.yaml → src/client/generated/schema.ts. Both are committed; a test compares them with the code.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { setup } from './lib/setup.mjs'
import { CommandFailed, fail, root, run, step } from './lib/steps.mjs'

const out = join(root, '.cache', 'openapi')
const document = join(root, 'openapi', 'openapi.yaml')
const generated = join(root, 'src', 'client', 'generated', 'schema.ts')

/** Compiles src/ beside dist/. Type errors are no reason to stop: the client's types may be missing or old, which is what this script is run for. */
async function compile() {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', out, '--declaration', 'false']).catch(error => {
    if (!(error instanceof CommandFailed)) throw error
  })
}

async function main() {
  await setup({ needBuild: false })
  await step('compiling', compile)
  const { openapiDocument } = await import(pathToFileURL(join(out, 'api', 'openapi.js')).href)
  const { stringify } = await import('yaml')
  await step('openapi/openapi.yaml', async () => {
    mkdirSync(join(root, 'openapi'), { recursive: true })
    writeFileSync(document, stringify(await openapiDocument(), { lineWidth: 0, aliasDuplicateObjects: false }))
  })
  await step('src/client/generated/schema.ts', async () => {
    mkdirSync(join(generated, '..'), { recursive: true })
    const { bin } = JSON.parse(readFileSync(join(root, 'node_modules/openapi-typescript/package.json'), 'utf8'))
    await run(process.execPath, [
      join(root, 'node_modules/openapi-typescript', bin['openapi-typescript'] ?? bin),
      document,
      '--output',
      generated,
    ])
  })
}

main().catch(fail)
