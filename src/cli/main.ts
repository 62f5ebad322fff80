import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { systemClock } from '../client/clock.ts'
import type { Cli } from './cli.ts'
import { runCommand } from './commands/program.ts'
import type { Roots } from './commands/roots.ts'

// The roots are loaded only when they are started: `safestate off` must not load a gateway.
const roots: Roots = {
  gateway: async flags => {
    const { runGateway } = await import('../gateway.ts')
    return runGateway(flags)
  },
  simulate: async flags => {
    const { runSimulate } = await import('../simulator/index.ts')
    await runSimulate(flags)
    return 0
  },
}

const cli: Cli = {
  env: process.env,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  fetch: request => fetch(request),
  newKey: () => randomUUID(),
  user: () => `${userName()}@${hostname()}`,
  onInterrupt: listener => {
    const onInt = (): void => listener('SIGINT')
    const onTerm = (): void => listener('SIGTERM')
    process.on('SIGINT', onInt).on('SIGTERM', onTerm)
    return () => process.off('SIGINT', onInt).off('SIGTERM', onTerm)
  },
}

/** The account's name; in a container the number of a user without one. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`
  }
}

// `safestate jobs | head` closes the pipe early. The code is the one that a shell gives for it, never 0: of `safestate off | head -1` nothing is known.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 141)
  throw error
})

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
process.exitCode = await runCommand(process.argv.slice(2), cli, roots, version)
