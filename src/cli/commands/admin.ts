import { type Command, Option } from 'commander'
import { ask, call } from '../../client/client.ts'
import { note, say, sayJson } from '../cli.ts'
import { collect } from '../options.ts'
import { clean, dateAndTime, styleOf, table } from '../output/text.ts'
import { examples, type Shell } from './shell.ts'

/** `vault rotate`. */
export function addVault(program: Command, shell: Shell): void {
  const vault = program.command('vault').description('the credentials of the devices')
  const rotate = vault
    .command('rotate')
    .description('seal all credentials under a new key; jobs go on meanwhile')
    .option('--json', 'print {keyId, resealed}')
    .action(async ({ json }: { json?: true }) => {
      const client = shell.connect(rotate)
      const result = await ask(client, (api, signal) => api.POST('/v1/vault/rotate', { signal }), { timeoutMs: 600_000 })
      if (json) sayJson(shell.cli, result)
      else say(shell.cli, `${result.resealed} secret${result.resealed === 1 ? '' : 's'} sealed under key ${clean(result.keyId)}`)
    })
  examples(rotate, 'safestate vault rotate')
}

/** `token create|list|revoke`. */
export function addTokens(program: Command, shell: Shell): void {
  const { cli } = shell
  const token = program.command('token').description('API tokens')

  const create = token
    .command('create')
    .description('make a token; it is printed once, on standard output, and kept as a hash only')
    .argument('<name>', 'what it is for')
    .addOption(
      new Option('--scope <scope>', 'a right: jobs:off, jobs:read, devices:write, admin, …; may be repeated')
        .argParser(collect)
        .makeOptionMandatory(),
    )
    .addOption(new Option('--cluster <cluster>', 'only in this cluster; may be repeated (default: all)').argParser(collect))
    .option('--json', 'print {id, token, …}')
    .action(async (name: string, options: { scope: string[]; cluster?: string[]; json?: true }) => {
      const client = shell.connect(create)
      const body = { name, scopes: options.scope as never[], ...(options.cluster === undefined ? {} : { clusters: options.cluster }) }
      const made = await ask(client, (api, signal) => api.POST('/v1/tokens', { body, signal }))
      if (options.json) sayJson(cli, made)
      else {
        say(cli, made.token)
        note(
          cli,
          `token ${clean(name)}: ${options.scope.join(', ')}${options.cluster === undefined ? '' : ` in ${options.cluster.join(', ')}`}. It is not shown again`,
        )
      }
    })
  examples(
    create,
    'safestate token create ci --scope jobs:off --scope jobs:read > ci.token',
    'safestate token create rack7-oncall --scope jobs:off --scope jobs:on --scope jobs:read --scope holds:release --cluster rack7',
  )

  const list = token
    .command('list')
    .description('list the tokens, without their secrets')
    .option('--json', 'print {items: [...]}')
    .action(async ({ json }: { json?: true }) => {
      const client = shell.connect(list)
      const { items } = await ask(client, (api, signal) => api.GET('/v1/tokens', { signal }))
      if (json) sayJson(cli, { items })
      else {
        const rows = items.map(each => [
          clean(each.name),
          clean(each.id),
          each.scopes.join(' '),
          clean(each.clusters?.join(' ') ?? 'all'),
          dateAndTime(each.createdAt),
          each.revokedAt === undefined ? '' : `revoked ${dateAndTime(each.revokedAt)}`,
        ])
        say(cli, table(['NAME', 'ID', 'SCOPES', 'CLUSTERS', 'CREATED', ''], rows, styleOf(cli, cli.stdout)))
      }
    })
  examples(list, 'safestate token list')

  const revoke = token
    .command('revoke')
    .description('revoke a token at once')
    .argument('<name>', 'name or id of a token')
    .action(async (id: string) => {
      const client = shell.connect(revoke)
      await call(client, (api, signal) => api.DELETE('/v1/tokens/{id}', { params: { path: { id } }, signal }))
      say(cli, `${clean(id)} revoked`)
    })
  examples(revoke, 'safestate token revoke ci')
}
