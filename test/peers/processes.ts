import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { peer, peerEnvironment } from './support.ts'

/** The programs of a peer, or undefined where it is missing: the test is then skipped by its name, or failed where peers are required. */
export function programsOf(t: Test, name: string): Record<string, string> | undefined {
  return peer({ skip: message => t.pass(message, { skip: true }), fail: message => t.fail(message) }, name)
}

/** A folder for the files of one test, removed when it ends. */
export function folder(t: Test): string {
  const made = mkdtempSync(join(tmpdir(), 'safestate-peers-'))
  t.teardown(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** What a peer's program wrote, and how it ended (`signal` where it was ended by one). */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
}

/** How a peer's program is run. Secrets belong into `input` (its standard input) or `env`, never into its arguments. */
export interface RunOptions {
  readonly input?: string
  readonly env?: Record<string, string>
  /** Killed after this time, 90 s where none is given: then `signal` says so. */
  readonly timeoutMs?: number
}

/** Runs a peer's program to its end. */
export function runProgram(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: peerEnvironment(options.env), timeout: options.timeoutMs ?? 90_000, killSignal: 'SIGKILL' })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, out, err }))
    // One that ends without reading its input is judged by how it ended.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}

/** A peer that serves for as long as the test runs. */
export interface Served {
  /** The line that said that it is ready, matched. */
  readonly ready: RegExpExecArray
  /** All lines so far, of both its outputs. */
  readonly lines: readonly string[]
}

/** A server that was started and may still have to become ready. */
export interface Started {
  readonly lines: readonly string[]
  /** Calls back with each line, of both outputs. */
  onLine(listener: (line: string) => void): void
  /** Resolves when it has ended. */
  readonly ended: Promise<void>
  /** Its last words, for an error. */
  readonly last: () => string
}

/** Starts a peer's server; it is stopped when the test ends, and its standard input ends if this process is killed before. */
export function startProgram(t: Test, file: string, args: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn(file, args, { env: peerEnvironment(env), stdio: 'pipe' })
  const lines: string[] = []
  const listeners: ((line: string) => void)[] = []
  const ended = new Promise<void>(resolve => {
    child.once('close', () => resolve())
    child.once('error', error => {
      lines.push(error.message)
      resolve()
    })
  })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', line => {
      lines.push(line)
      for (const listener of listeners) listener(line)
    })
  }
  return { lines, ended, onLine: listener => void listeners.push(listener), last: () => lines.slice(-10).join('\n') }
}

/** Starts a peer's server, waits for the line that says where it listens, and stops it when the test ends. Rejects when it ends before that. */
export function serveProgram(
  t: Test,
  file: string,
  args: readonly string[],
  ready: RegExp,
  env: Record<string, string> = {},
): Promise<Served> {
  const started = startProgram(t, file, args, env)
  return new Promise((resolve, reject) => {
    started.onLine(line => {
      const match = ready.exec(line)
      if (match) resolve({ ready: match, lines: started.lines })
    })
    void started.ended.then(() => reject(new Error(`${file} ended before it was ready:\n${started.last()}`)))
  })
}
