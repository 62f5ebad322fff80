import { type Command, Option } from 'commander'
import type { SafestateClient } from '../../client/client.ts'
import { submitJob } from '../../client/jobs.ts'
import type { Action, JobRequest } from '../../client/types.ts'
import { type Cli, note, sayJson } from '../cli.ts'
import { asError, exitCode } from '../exit.ts'
import { collect, nodeName, seconds } from '../options.ts'
import { tell } from '../output/errors.ts'
import { progressOn } from '../output/progress.ts'
import { follow, showAccepted } from './follow.ts'
import { examples, type Shell } from './shell.ts'

interface PowerOptions {
  reason?: string
  deadline?: number
  mechanism?: string[]
  holder?: string
  wait: boolean
  idempotencyKey?: string
  json?: true
}

const WORDS: Record<Action, { summary: string; description: string; examples: string[] }> = {
  off: {
    summary: 'power a node off, confirm it, hold it off',
    description: 'Puts a node into a safe state: powers it off, confirms that by reading, holds it off, and leaves a receipt.',
    examples: [
      'safestate off node1 --reason "disk controller hangs"',
      'safestate off rack7/node1 --deadline 3m',
      'safestate off node1 --json | jq -r .receiptId',
    ],
  },
  on: {
    summary: 'power a node on and confirm it',
    description: 'Powers a node on and confirms it. Refused while the node is held off (safestate hold release).',
    examples: ['safestate on node1', 'safestate on rack7/node1 --json'],
  },
  reboot: {
    summary: 'off, confirmed, then on',
    description: 'Powers a node off, confirms that (with a receipt), then on again, and confirms that.',
    examples: ['safestate reboot node1 --reason "kernel update"', 'safestate reboot node1 --deadline 5m'],
  },
  status: {
    summary: "read a node's power",
    description: "Reads a node's power now, from its devices.",
    examples: ['safestate status node1', 'safestate status rack7/node1 --json'],
  },
}

/** `off`, `on`, `reboot` and `status`: one job each, waited for. */
export function addPower(program: Command, shell: Shell): void {
  for (const action of ['off', 'on', 'reboot', 'status'] as const) {
    const command = program
      .command(action)
      .summary(WORDS[action].summary)
      .description(
        `${WORDS[action].description}\n\nExit code: 0 succeeded${action === 'status' ? ' (a power was read)' : ''}, 1 ended without its goal and nothing of it can still land, 2 not taken, 3 not known.`,
      )
      .argument('<node>', '[CLUSTER/]NAME', nodeName)
      .option('--reason <text>', 'why, for the record')
      .option('--deadline <time>', 'when to give up: 120s, 2m or 120 (default: 120s)', seconds)
      .addOption(new Option('--mechanism <name>', 'only levels of this mechanism; may be repeated').argParser(collect))
      .option('--holder <holder>', 'who holds the node off (default: the token)')
      .option('--no-wait', 'print the accepted job and exit 0 at once, without its verdict')
      .option('--idempotency-key <key>', 'repeat of an earlier request: the same key is the same job')
      .option('--json', 'print the job, and nothing else, on standard output')
      .action((node: { cluster: string; name: string }, options: PowerOptions) =>
        power(shell, shell.connect(command), action, node, options),
      )
    examples(command, ...WORDS[action].examples)
  }
}

async function power(
  { cli, end }: Shell,
  client: SafestateClient,
  action: Action,
  node: { cluster: string; name: string },
  options: PowerOptions,
): Promise<void> {
  const key = options.idempotencyKey ?? cli.newKey()
  const progress = progressOn(cli, options.json ? cli.stderr : cli.stdout, { quiet: options.json === true || action === 'status' })
  const leaving = new AbortController()
  const stopListening = cli.onInterrupt(signal => leaving.abort(signal))
  try {
    const job = await submitJob(client, requestOf(cli, action, node, options), {
      key,
      signal: leaving.signal,
      patienceMs: 20_000,
      onTrouble: (error, pause) => progress.trouble(error, pause),
    })
    stopListening()
    if (options.wait) {
      end(await follow(cli, client, job, { progress, json: options.json === true }))
      return
    }
    progress.stop()
    if (options.json) sayJson(cli, job)
    else showAccepted(cli, job)
  } catch (error) {
    progress.stop()
    if (leaving.signal.aborted) end(leaving.signal.reason === 'SIGTERM' ? 143 : 130)
    else {
      tell(cli, error)
      end(exitCode(asError(error)))
    }
    if (leaving.signal.aborted || exitCode(asError(error)) === 3) {
      note(cli, `  the request may have been taken; the same command with --idempotency-key ${key} finds out and never asks twice`)
    }
  } finally {
    progress.stop()
    stopListening()
  }
}

function requestOf(cli: Cli, action: Action, node: { cluster: string; name: string }, options: PowerOptions): JobRequest {
  return {
    node: node.name,
    cluster: node.cluster,
    action,
    reason: options.reason ?? `safestate ${action} by ${cli.user()}`,
    ...(options.deadline === undefined ? {} : { deadlineSeconds: options.deadline }),
    ...(options.mechanism === undefined ? {} : { mechanisms: options.mechanism as NonNullable<JobRequest['mechanisms']> }),
    ...(options.holder === undefined ? {} : { holder: options.holder }),
  }
}
