import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { SafestateError } from '../../core/errors.ts'
import { identify, type ProcessIdentity, readIdentity, runs } from './identity.ts'

/** A store server that runs as our child. */
export interface ServerProcess {
  readonly pid: number
  /** Resolves when it is gone, however that came. */
  readonly exited: Promise<void>
  /** Ends it: asks, and after `graceMs` kills. Resolves when it is gone. Nothing acknowledged can be lost by either. */
  stop(graceMs?: number): Promise<void>
}

/** How long a server may take to end by itself. */
const stopMs = 5000

/** Follows a child process and writes down who it is, so that a gateway that comes after a killed one can find and end it. */
export function follow(child: ChildProcess, record: string): ServerProcess {
  const exited = new Promise<void>(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const pid = child.pid ?? -1
  const identity = identify(pid)
  if (identity) writeFileSync(record, JSON.stringify(identity), { mode: 0o600 })
  // Not after a SIGKILL, of course: that is what the record is for.
  const atExit = (): void => {
    child.kill('SIGTERM')
  }
  process.once('exit', atExit)
  void exited.then(() => process.off('exit', atExit))
  return {
    pid,
    exited,
    async stop(graceMs = stopMs) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
  }
}

/**
 * Ends the server that an earlier gateway left behind in this folder, if there is one: two servers must never write one data set.
 * Resolves when it is gone; rejects with `store_unavailable` where it does not go.
 */
export async function endRecorded(record: string): Promise<void> {
  const server = readIdentity(record)
  if (server) await end(server)
}

/** Ends a process by its identity. Throws `store_unavailable` where it stays. */
export async function end(server: ProcessIdentity): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!runs(server)) return
    try {
      process.kill(server.pid, signal)
    } catch {
      // Gone between the look and the kill, or not ours to end: the wait tells.
    }
    for (let waited = 0; waited < stopMs && runs(server); waited += 20) await new Promise(resolve => setTimeout(resolve, 20))
  }
  if (!runs(server)) return
  throw new SafestateError(
    'store_unavailable',
    `an earlier store server (process ${server.pid}) still runs on this data folder and can't be ended`,
  )
}
