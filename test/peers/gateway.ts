import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createClient, type SafestateClient } from '../../src/client/index.ts'
import { readConfig } from '../../src/config.ts'
import { startGateway } from '../../src/gateway.ts'
import { folder } from './processes.ts'

/**
 * The whole gateway in this process, over a data folder of its own and the store that is found there; stopped when the test ends.
 * `rules` are figures as the configuration file has them.
 */
export async function gateway(t: Test, rules: Record<string, number>): Promise<SafestateClient> {
  const dataDir = folder(t)
  const config = join(dataDir, 'gateway.json')
  writeFileSync(config, JSON.stringify({ listen: '127.0.0.1:0', dataDir, logLevel: 'error', rules }))
  const log: string[] = []
  const running = await startGateway(readConfig({ config }, {}), { logStream: { write: line => void log.push(line.trim()) } })
  t.teardown(async () => {
    await running.close()
    for (const line of log.slice(0, 20)) t.comment(line)
  })
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
  return createClient({ url: running.url, token })
}
