#!/usr/bin/env node
// Committed as plain JavaScript so that the command exists right after a clone; the program itself is built into dist/.
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) {
  await import(main.href)
} else {
  process.stderr.write(
    'safestate: nothing is built yet.\n' +
      '  npm ci && npm run build    build it, then run this command again\n' +
      '  npm run demo               set everything up and watch a simulated node being fenced\n',
  )
  process.exitCode = 2
}
