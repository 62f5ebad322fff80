import type { ServerProcess } from './process.ts'

/** Keeps one server running. */
export interface Supervised {
  /** The process of now, for messages and tests. */
  pid(): number | undefined
  /** Stops the server for good. */
  close(): Promise<void>
}

const longestPauseMs = 5000
/** A server that ran this long is taken for healthy: the next restart is quick again. */
const healthyMs = 10_000

/**
 * Starts a server and starts it again whenever it ends, at once at first, then with growing pauses up to 5 s. Resolves when the first start
 * succeeded and rejects where it fails; later failures are told by `warn` and tried again for ever.
 */
export async function supervise(start: () => Promise<ServerProcess>, warn: (line: string) => void): Promise<Supervised> {
  let server: ServerProcess | undefined = await start()
  let closed = false
  let wake = (): void => {}

  async function watch(): Promise<void> {
    let pause = 0
    let since = performance.now()
    while (!closed) {
      if (server) {
        await server.exited
        server = undefined
        if (closed) return
        if (performance.now() - since > healthyMs) pause = 0
        warn('the store server ended unexpectedly; it is started again')
      }
      if (pause > 0) {
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, pause)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      if (closed) return
      pause = Math.min(longestPauseMs, pause * 2 || 50)
      try {
        since = performance.now()
        server = await start()
      } catch (error) {
        warn(`the store server could not be started again: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }

  const watching = watch()
  return {
    pid: () => server?.pid,
    async close() {
      closed = true
      wake()
      await server?.stop()
      await watching
      await server?.stop()
    },
  }
}
