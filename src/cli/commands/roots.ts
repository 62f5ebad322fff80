import type { Command } from 'commander'
import { UsageError } from '../exit.ts'
import { count, seconds } from '../options.ts'
import { tell } from '../output/errors.ts'
import { examples, type Shell } from './shell.ts'

/** Flags of `safestate gateway`; what is missing comes from the environment or the configuration file. */
export interface GatewayFlags {
  config?: string
  listen?: string
  dataDir?: string
  allowVolatileStore?: boolean
}

/** Flags of `safestate simulate`. */
export interface SimulateFlags {
  redfish?: number
  ipmi?: number
  listen?: string
  personality?: string
  inventory?: string
  tls?: boolean
  /** How long a simulated machine takes to switch off. */
  offDelayMs?: number
}

/** The programs that `main.ts` alone can start. Each resolves when it has stopped, and rejects where it could not start (exit code 1). */
export interface Roots {
  gateway(flags: GatewayFlags): Promise<number | undefined>
  simulate(flags: SimulateFlags): Promise<number | undefined>
}

/** `gateway` and `simulate`: they are no clients, so `--url` and `--token-file` are mistakes here. */
export function addRoots(program: Command, shell: Shell, roots: Roots): void {
  const start = async (root: () => Promise<number | undefined>): Promise<void> => {
    const { url, tokenFile } = program.opts<{ url?: string; tokenFile?: string }>()
    if (url !== undefined || tokenFile !== undefined) throw new UsageError('--url and --token-file are for commands that ask a gateway')
    try {
      shell.end((await root()) ?? 0)
    } catch (error) {
      tell(shell.cli, error)
      shell.end(1)
    }
  }
  const gateway = program
    .command('gateway')
    .summary('run the gateway')
    .description('run the gateway; prints `ready http://HOST:PORT` once it takes jobs in')
    .option('--config <file>', 'YAML or JSON; flags and SAFESTATE_* go before it')
    .option('--listen <host:port>', 'where to listen (default: 127.0.0.1:8080)')
    .option('--data-dir <dir>', 'where the keys and the first token are kept, and the store where it is a child of the gateway')
    .option('--allow-volatile-store', 'run on a store that forgets: said in /readyz and in each receipt')
    .action((flags: GatewayFlags) => start(() => roots.gateway(flags)))
  examples(
    gateway,
    'safestate gateway --data-dir /var/lib/safestate',
    'REDIS_URL=redis://redis.example:6379 safestate gateway --config /etc/safestate.yaml',
  )

  const simulate = program
    .command('simulate')
    .summary('run simulated BMCs')
    .description('run simulated BMCs, to try things out without hardware')
    .option('--redfish <n>', 'how many BMCs speak Redfish', countOrNone)
    .option('--ipmi <n>', 'how many speak IPMI; one that speaks both answers for the same machine', countOrNone)
    .option('--listen <host:port>', 'where the first one listens')
    .option('--personality <name>', 'of which vendor they are, or mixed (default: generic)')
    .option('--inventory <file>', 'write what `safestate import` reads')
    .option('--tls', 'serve https, with a certificate of its own for each')
    .option('--off-delay <time>', 'how long a machine takes to switch off, e.g. 3s', seconds)
    .action(({ offDelay, ...flags }: SimulateFlags & { offDelay?: number }) => {
      if ((flags.redfish ?? 0) + (flags.ipmi ?? 0) === 0) throw new UsageError('no BMC to simulate', 'give --redfish N, --ipmi N or both')
      return start(() => roots.simulate({ ...flags, ...(offDelay === undefined ? {} : { offDelayMs: offDelay * 1000 }) }))
    })
  examples(
    simulate,
    'safestate simulate --redfish 8 --personality mixed --tls --off-delay 3s --inventory rack.yaml',
    'safestate simulate --redfish 8 --ipmi 8 --inventory rack.yaml',
    'safestate import rack.yaml',
  )
}

/** Of one protocol there may be none, where there is the other. */
function countOrNone(text: string): number {
  return text === '0' ? 0 : count(text)
}
