import type { Command } from 'commander'
import { ask } from '../../client/client.ts'
import { ProblemError } from '../../client/problem.ts'
import { note, say, sayJson } from '../cli.ts'
import { UsageError } from '../exit.ts'
import { nodeName } from '../options.ts'
import { clean, styleOf, table, timeOfDay } from '../output/text.ts'
import { allPages } from './lists.ts'
import { examples, type Shell } from './shell.ts'

/** `hold list` and `hold release`. */
export function addHolds(program: Command, shell: Shell): void {
  const { cli } = shell
  const hold = program.command('hold').description('nodes that are held off, and letting them go')

  const list = hold
    .command('list')
    .description('list the holds that stand')
    .option('--json', 'print {items: [...]}')
    .action(async ({ json }: { json?: true }) => {
      const client = shell.connect(list)
      const items = await allPages(after =>
        ask(client, (api, signal) => api.GET('/v1/holds', { params: { query: after === undefined ? {} : { after } }, signal })),
      )
      if (json) sayJson(cli, { items })
      else if (items.length === 0) say(cli, 'no node is held')
      else {
        const rows = items.map(each => [
          clean(`${each.cluster}/${each.node}`),
          each.state,
          each.power ?? '-',
          each.lastReadAt === undefined ? '-' : timeOfDay(each.lastReadAt),
          clean(each.holders.map(({ holder, attempt }) => (attempt === 1 ? holder : `${holder}#${attempt}`)).join(', ')),
          each.owesOn ? 'on' : 'stay off',
        ])
        say(cli, table(['NODE', 'STATE', 'POWER', 'LAST READ', 'HOLDERS', 'THEN'], rows, styleOf(cli, cli.stdout)))
      }
    })
  examples(list, 'safestate hold list', 'safestate hold list --json')

  const release = hold
    .command('release')
    .description('let go of a node; the last holder to do so powers it on again, unless it is to stay off')
    .argument('<node>', '[CLUSTER/]NAME', nodeName)
    .requiredOption('--reason <text>', 'why, for the record')
    .option('--holder <holder>', 'which holder lets go (default: the token)')
    .option('--keep-off', 'do not power the node on')
    .option('--json', 'print the hold, and the job that powers the node on')
    .action(async (node: { cluster: string; name: string }, options: { reason: string; holder?: string; keepOff?: true; json?: true }) => {
      const client = shell.connect(release)
      const present = await ask(client, (api, signal) => api.GET('/v1/nodes/{cluster}/{name}/hold', { params: { path: node }, signal }))
      const holder = present.holders.find(each => each.holder === options.holder)
      const known = present.holders.map(each => each.holder).join(', ')
      if (options.holder !== undefined && holder === undefined) {
        throw new UsageError(`${options.holder} does not hold ${node.cluster}/${node.name}`, `its holders: ${known}`)
      }
      const body = {
        restore: options.keepOff !== true,
        reason: options.reason,
        ...(holder === undefined ? {} : { holder: holder.holder, attempt: holder.attempt }),
      }
      const result = await ask(client, (api, signal) =>
        api.POST('/v1/holds/{id}/release', { params: { path: { id: present.id } }, body, signal }),
      ).catch((error: unknown) => {
        if (error instanceof ProblemError && options.holder === undefined) note(cli, `its holders: ${clean(known)}; name one with --holder`)
        throw error
      })
      if (options.json) {
        sayJson(cli, result)
        return
      }
      const left = result.hold.holders.map(each => each.holder)
      const name = clean(`${node.cluster}/${node.name}`)
      if (left.length > 0) say(cli, `${name} is still held by ${clean(left.join(', '))}`)
      else if (result.job === undefined) say(cli, `${name} is not held any more; it stays as it is`)
      else {
        say(cli, `${name} is not held any more; powering on: job ${result.job.id}`)
        note(cli, `  watch it: safestate watch ${result.job.id}`)
      }
    })
  examples(
    release,
    'safestate hold release node1 --reason "disk replaced"',
    'safestate hold release rack7/node1 --keep-off --reason "goes back to the vendor"',
    'safestate hold release node1 --holder cr:prod/5f1c… --reason "CR was deleted by hand"',
  )
}
