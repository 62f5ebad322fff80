#!/usr/bin/env node
// `npm run demo [-- --keep]`: sets the clone up, then runs the demo proper. Plain Node without dependencies: it is the first thing a person runs.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { setup } from './lib/setup.mjs'
import { fail } from './lib/steps.mjs'

async function main() {
  await setup()
  const demo = fileURLToPath(new URL('demo-run.mjs', import.meta.url))
  const child = spawn(process.execPath, [demo, ...process.argv.slice(2)], { stdio: 'inherit' })
  // On a terminal Ctrl-C reaches the demo by itself; it cleans up and this process follows it.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGHUP', () => child.kill('SIGHUP'))
  child.on('error', fail)
  child.on('close', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
    process.exit()
  })
}

main().catch(fail)
