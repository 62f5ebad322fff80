// Runs the steps of a script one after the other and says on stderr what runs, what it took and what went wrong. No dependencies: it runs before `npm ci`.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The clone's root folder, with a trailing slash. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

const frames = ['|', '/', '-', '\\']

/** Seconds since `from` (a `performance.now()` value), for people. */
export function seconds(from) {
  return `${((performance.now() - from) / 1000).toFixed(1)} s`
}

/** Runs `work` under a one-line progress report on stderr; the spinner shows on a terminal only. Rethrows what `work` throws. */
export async function step(name, work) {
  const from = performance.now()
  const tty = process.stderr.isTTY === true && process.env.CI !== 'true'
  let turn = 0
  const paint = () => process.stderr.write(`\r${frames[turn++ % frames.length]} ${name} (${seconds(from)}) `)
  const timer = tty ? setInterval(paint, 120) : undefined
  if (!tty) process.stderr.write(`· ${name} …\n`)
  const end = mark => {
    clearInterval(timer)
    process.stderr.write(`${tty ? '\r\x1b[K' : ''}${mark} ${name} (${seconds(from)})\n`)
  }
  try {
    const value = await work()
    end('✓')
    return value
  } catch (error) {
    end('✗')
    throw error
  }
}

/** A command that ended badly: `output` is everything it printed. */
export class CommandFailed extends Error {
  constructor(line, why, output) {
    super(`\`${line}\` ${why}`)
    this.name = 'CommandFailed'
    this.output = output
  }
}

/**
 * Runs a command to its end, without a shell and without standard input, and resolves with what it printed (stdout and stderr in order of arrival).
 * `options` go to spawn; `options.live: true` shows the output as it comes instead of keeping it.
 */
export function run(command, args, options = {}) {
  const { live = false, ...rest } = options
  const line = [command, ...args].join(' ')
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, ...rest, stdio: live ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout?.on('data', data => (output += data))
    child.stderr?.on('data', data => (output += data))
    child.on('error', error => reject(new CommandFailed(line, `could not be started (${error.message})`, output)))
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output)
      else reject(new CommandFailed(line, signal ? `was ended by ${signal}` : `ended with ${code}`, output))
    })
  })
}

/** Ends the script for a person: the message, what the failed command printed, exit code 1. */
export function fail(error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`)
  if (error instanceof CommandFailed && error.output.trim() !== '') process.stderr.write(`${error.output.trimEnd()}\n`)
  else if (error instanceof Error && error.name !== 'Error' && error.stack) process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
}
