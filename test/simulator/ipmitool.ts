import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { SimulatedBmc } from '../../src/simulator/index.ts'

/** Where ipmitool is; undefined where it is not installed. */
export const IPMITOOL = (process.env.PATH ?? '')
  .split(delimiter)
  .map(folder => join(folder, 'ipmitool'))
  .find(existsSync)

/** Runs ipmitool over lanplus against a simulated BMC; its password goes in by the environment. */
export async function run(
  bmc: SimulatedBmc,
  suite: number,
  args: readonly string[],
  as: { user?: string; password?: string } = {},
): Promise<{ code: number | null; out: string }> {
  if (IPMITOOL === undefined) throw new Error('ipmitool is not installed')
  const { hostname, port } = new URL(bmc.ipmi?.url ?? '')
  const common = ['-I', 'lanplus', '-C', String(suite), '-H', hostname, '-p', port, '-U', as.user ?? bmc.username, '-E']
  const env = { ...process.env, IPMI_PASSWORD: as.password ?? bmc.password }
  const child = spawn(IPMITOOL, [...common, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  const pieces: Buffer[] = []
  child.stdout.on('data', (piece: Buffer) => pieces.push(piece))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out: Buffer.concat(pieces).toString() }
}
