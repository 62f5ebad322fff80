import type { Command } from 'commander'
import { ask } from '../../client/client.ts'
import { say, sayJson } from '../cli.ts'
import { count, nodeName } from '../options.ts'
import { progressOn } from '../output/progress.ts'
import { clean, dateAndTime, styleOf, table } from '../output/text.ts'
import { follow } from './follow.ts'
import { allPages } from './lists.ts'
import { examples, type Shell } from './shell.ts'

/** `jobs`, and what can be done with one: `watch`, `cancel`. */
export function addJobs(program: Command, shell: Shell): void {
  const { cli } = shell
  const jobs = program
    .command('jobs')
    .description('list jobs, newest first')
    .argument('[node]', '[CLUSTER/]NAME: only its jobs', nodeName)
    .option('--limit <n>', 'how many', count, 20)
    .option('--json', 'print {items: [...]}')
    .action(async (node: { cluster: string; name: string } | undefined, options: { limit: number; json?: true }) => {
      const client = shell.connect(jobs)
      const filter = node === undefined ? {} : { node: node.name, cluster: node.cluster }
      const items = await allPages(
        after =>
          ask(client, (api, signal) =>
            api.GET('/v1/jobs', {
              params: { query: { ...filter, limit: Math.min(options.limit, 100), ...(after === undefined ? {} : { after }) } },
              signal,
            }),
          ),
        options.limit,
      )
      if (options.json) sayJson(cli, { items })
      else if (items.length === 0) say(cli, 'no jobs')
      else {
        const rows = items.map(job => [
          job.id,
          clean(`${job.cluster}/${job.node}`),
          job.action,
          job.state,
          clean(job.failure?.code ?? job.assurance ?? job.power ?? ''),
          dateAndTime(job.createdAt),
          clean(job.reason, 40),
        ])
        say(cli, table(['JOB', 'NODE', 'ACTION', 'STATE', 'RESULT', 'CREATED', 'REASON'], rows, styleOf(cli, cli.stdout)))
      }
    })
  examples(jobs, 'safestate jobs', 'safestate jobs rack7/node1 --limit 5', 'safestate jobs --json | jq -r ".items[].id"')

  const watch = program
    .command('watch')
    .summary('follow a job until it ends')
    .description('follow a job until it ends and show its evidence; the exit code is that of the job')
    .argument('<job>', 'id of a job')
    .option('--json', 'print the job, and nothing else, on standard output')
    .action(async (id: string, { json }: { json?: true }) => {
      const client = shell.connect(watch)
      const job = await ask(client, (api, signal) => api.GET('/v1/jobs/{id}', { params: { path: { id } }, signal }))
      const ended = job.endedAt !== undefined
      const progress = progressOn(cli, json ? cli.stderr : cli.stdout, { quiet: json === true || ended })
      shell.end(await follow(cli, client, job, { progress, json: json === true, ...(ended ? { table: true } : {}) }))
    })
  examples(watch, 'safestate watch 019aab8c-…', 'safestate watch JOB --json')

  const cancel = program
    .command('cancel')
    .summary('take a job back')
    .description('take a job back, which is possible until its first command; after it the job runs on to its verdict')
    .argument('<job>', 'id of a job')
    .option('--json', 'print the job')
    .action(async (id: string, { json }: { json?: true }) => {
      const client = shell.connect(cancel)
      const job = await ask(client, (api, signal) => api.POST('/v1/jobs/{id}/cancel', { params: { path: { id } }, signal }))
      if (json) sayJson(cli, job)
      else say(cli, `${clean(job.cluster)}/${clean(job.node)} ${job.action}: job ${job.id} is ${job.state}`)
    })
  examples(cancel, 'safestate cancel 019aab8c-…')
}
