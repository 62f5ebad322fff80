import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { peer, peerEnvironment } from './support.ts'

/** The programs of a peer, or undefined where it is missing: the test is then skipped by its name, or failed where peers are required. */
export function programsOf(t: Test, name: string): Record<string, string> | undefined {
  return peer({ skip: message => t.pass(message, { skip: true }), fail: message => t.fail(message) }, name)
}

/** What a peer's program wrote, and how it ended (`signal` where it was ended by one). */
export interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
}

/** Runs a peer's program to its end. Secrets belong into `input`, its standard input. Killed after `timeoutMs` (default 90 s): then `signal` says so. */
export function runProgram(file: string, args: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: peerEnvironment(), timeout: options.timeoutMs ?? 90_000, killSignal: 'SIGKILL' })
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

/** Starts a peer's server, waits for the line that says where it listens, and stops it when the test ends. Rejects when it ends before that. */
export function serveProgram(t: Test, file: string, args: readonly string[], ready: RegExp): Promise<Served> {
  const child = spawn(file, args, { env: peerEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const lines: string[] = []
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        lines.push(line)
        const match = ready.exec(line)
        if (match) resolve({ ready: match, lines })
      })
    }
    child.on('error', reject)
    void ended.then(() => reject(new Error(`${file} ended before it was ready:\n${lines.slice(-10).join('\n')}`)))
  })
}
