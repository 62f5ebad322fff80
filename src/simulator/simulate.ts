import { rename, writeFile } from 'node:fs/promises'
import type { SimulatedInventory } from './inventory.ts'
import { type SimulatorOptions, startSimulator } from './simulator.ts'

/** What `safestate simulate` was told. */
export interface SimulateOptions extends SimulatorOptions {
  /** File to write the inventory to, mode 0600: it holds the passwords. */
  readonly inventory?: string
  /** Where the ready line goes. Default: standard output. */
  readonly print?: (line: string) => void
  /** Stops the simulator; SIGTERM and SIGINT do too. */
  readonly signal?: AbortSignal
}

/**
 * The root behind `safestate simulate`: starts the BMCs, writes the inventory, prints `ready N BMCs, control URL` and runs until it is told
 * to stop. Rejects when it could not start.
 */
export async function runSimulate(options: SimulateOptions): Promise<void> {
  const { inventory: file, print = line => process.stdout.write(`${line}\n`), signal, ...simulatorOptions } = options
  const simulator = await startSimulator(simulatorOptions)
  try {
    const stopped = untilStopped(signal)
    if (file !== undefined) await writeInventory(file, simulator.inventory())
    print(`ready ${simulator.bmcs.length} BMCs, control ${simulator.control.url}`)
    await stopped
  } finally {
    await simulator.close()
  }
}

/** Writes beside the file and renames: nobody ever reads half of it, or through an older file's wider mode. */
async function writeInventory(file: string, inventory: SimulatedInventory): Promise<void> {
  const fresh = `${file}.${process.pid}`
  await writeFile(fresh, `${JSON.stringify(inventory, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  await rename(fresh, file)
}

function untilStopped(signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    const stop = (): void => {
      process.off('SIGTERM', stop)
      process.off('SIGINT', stop)
      signal?.removeEventListener('abort', stop)
      resolve()
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    signal?.addEventListener('abort', stop)
    if (signal?.aborted === true) stop()
  })
}
