import { type Command, Option } from 'commander'
import { ask, call } from '../../client/client.ts'
import { note, say, sayJson } from '../cli.ts'
import { LevelOptions, nodeName } from '../options.ts'
import { clean, styleOf, table } from '../output/text.ts'
import { allPages } from './lists.ts'
import { examples, type Shell } from './shell.ts'

type NodeName = { cluster: string; name: string }

/** `node add|list|show|remove`. */
export function addNodes(program: Command, shell: Shell): void {
  const node = program.command('node').description('cluster members, and the devices that isolate them')
  addAdd(node, shell)
  addList(node, shell)
  addShow(node, shell)
  addRemove(node, shell)
}

/** `bmc1 + psu1, then bmc2`: a topology in one line. */
function levelsText(levels: string[][]): string {
  return clean(levels.map(devices => devices.join(' + ')).join(', then '))
}

function addAdd(node: Command, shell: Shell): void {
  const { cli } = shell
  const levels = new LevelOptions()
  const add = node
    .command('add')
    .description('register a node; all devices of a level must conclude together, levels are tried in order')
    .argument('<node>', '[CLUSTER/]NAME', nodeName)
    .addOption(new Option('--device <name>', 'a device of the present level; may be repeated').argParser(levels.device))
    .addOption(new Option('--level <n>', 'the level of the --device options behind it (default: 1)').argParser(levels.level))
    .option('--system-uuid <uuid>', "the node's systemUUID: proves that the hardware is this node's")
    .option('--json', 'print the node')
    .action(async (name: NodeName, options: { systemUuid?: string; json?: true }) => {
      const body = { ...name, levels: levels.result(), ...(options.systemUuid === undefined ? {} : { systemUuid: options.systemUuid }) }
      const client = shell.connect(add)
      const added = await ask(client, (api, signal) => api.POST('/v1/nodes', { body, signal }))
      if (options.json) sayJson(cli, added)
      else say(cli, `${clean(`${added.cluster}/${added.name}`)}: ${levelsText(added.levels)}`)
    })
  examples(
    add,
    'safestate node add node1 --device bmc1',
    'safestate node add rack7/node1 --device bmc1 --system-uuid 4c4c4544-0044-4810-8031-c2c04f333233',
    'safestate node add node1 --device bmc1 --level 2 --device psu1 --device psu2      # psu1 and psu2 together, if bmc1 fails',
  )
}

function addList(node: Command, shell: Shell): void {
  const { cli } = shell
  const list = node
    .command('list')
    .description('list the nodes')
    .option('--json', 'print {items: [...]}')
    .action(async ({ json }: { json?: true }) => {
      const client = shell.connect(list)
      const items = await allPages(after =>
        ask(client, (api, signal) =>
          api.GET('/v1/nodes', { params: { query: { limit: 100, ...(after === undefined ? {} : { after }) } }, signal }),
        ),
      )
      if (json) sayJson(cli, { items })
      else if (items.length === 0) say(cli, 'no nodes; register one with safestate node add, or many with safestate import')
      else {
        const rows = items.map(each => [clean(`${each.cluster}/${each.name}`), levelsText(each.levels), clean(each.systemUuid ?? '-')])
        say(cli, table(['NODE', 'DEVICES', 'SYSTEM UUID'], rows, styleOf(cli, cli.stdout)))
      }
    })
  examples(list, 'safestate node list')
}

function addShow(node: Command, shell: Shell): void {
  const { cli } = shell
  const show = node
    .command('show')
    .description('would fencing this node work now? Exit code 0 in any case')
    .argument('<node>', '[CLUSTER/]NAME', nodeName)
    .option('--json', 'print the node and its readiness')
    .action(async (path: NodeName, { json }: { json?: true }) => {
      const client = shell.connect(show)
      const found = await ask(client, (api, signal) => api.GET('/v1/nodes/{cluster}/{name}', { params: { path }, signal }))
      const readiness = await ask(client, (api, signal) => api.GET('/v1/nodes/{cluster}/{name}/readiness', { params: { path }, signal }))
      if (json) {
        sayJson(cli, { ...found, readiness })
        return
      }
      const style = styleOf(cli, cli.stdout)
      say(cli, `${style.bold(clean(`${found.cluster}/${found.name}`))}  ${readiness.ready ? style.good('ready') : style.bad('not ready')}`)
      say(cli, `devices:     ${levelsText(found.levels)}`)
      say(cli, `system UUID: ${clean(found.systemUuid ?? '-')}`)
      say(cli, `binding:     ${readiness.binding}`)
      for (const { code, message, device } of readiness.problems)
        say(cli, `problem:     ${clean(`${code}: ${message}${device ? ` (${device})` : ''}`)}`)
      for (const { code, message, device } of readiness.warnings)
        note(cli, `warning:     ${clean(`${code}: ${message}${device ? ` (${device})` : ''}`)}`)
    })
  examples(show, 'safestate node show rack7/node1')
}

function addRemove(node: Command, shell: Shell): void {
  const remove = node
    .command('remove')
    .description('remove a node; refused while it is held or a job runs on it')
    .argument('<node>', '[CLUSTER/]NAME', nodeName)
    .action(async (path: NodeName) => {
      const client = shell.connect(remove)
      await call(client, (api, signal) => api.DELETE('/v1/nodes/{cluster}/{name}', { params: { path }, signal }))
      say(shell.cli, `${clean(`${path.cluster}/${path.name}`)} removed`)
    })
  examples(remove, 'safestate node remove rack7/node1')
}
