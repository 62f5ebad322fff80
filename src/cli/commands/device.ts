import type { Command } from 'commander'
import { ask, call } from '../../client/client.ts'
import { type Cli, note, say, sayJson } from '../cli.ts'
import { UsageError } from '../exit.ts'
import { bmcKeyOf, type IpmiOptions, ipmiSetting } from '../ipmi.ts'
import { collect, lineOf } from '../options.ts'
import { probeRows } from '../output/probe.ts'
import { clean, styleOf, table } from '../output/text.ts'
import { tlsSetting } from '../tls.ts'
import { allPages } from './lists.ts'
import { examples, type Shell } from './shell.ts'

interface AddOptions extends IpmiOptions {
  driver: string
  address: string
  username: string
  passwordStdin?: true
  kgFile?: string
  systemId?: string
  tls?: string
  json?: true
}

const KG_FILE = 'ipmi: a file of one line with the BMC key (Kg), where the BMC has one'

/** `device add|probe|list|credential|remove`. */
export function addDevices(program: Command, shell: Shell): void {
  const device = program.command('device').description('devices that can isolate a node: BMCs')
  addAdd(device, shell)
  addProbe(device, shell)
  addList(device, shell)
  addCredential(device, shell)
  addRemove(device, shell)
}

function addAdd(device: Command, shell: Shell): void {
  const { cli } = shell
  const add = device
    .command('add')
    .description('register a device; it is contacted at once, and its identity remembered')
    .argument('<name>', 'a name of your own')
    .requiredOption('--driver <driver>', 'redfish or ipmi')
    .requiredOption('--address <address>', 'redfish: http[s]://HOST[:PORT][/prefix]; ipmi: ipmi://HOST[:PORT]')
    .requiredOption('--username <name>', 'account on the device')
    .option('--password-stdin', 'read the password from standard input, one line (never an argument: those are seen by everybody)')
    .option('--system-id <id>', 'redfish: which system, where the device has several')
    .option('--tls <mode>', 'redfish: pin (trust the first certificate seen, then only that; the default), ca:FILE, or insecure')
    .option('--cipher-suite <suite>', 'ipmi: 17, 3, or auto (17, and 3 only where the BMC has no 17; the default)')
    .option('--privilege <level>', 'ipmi: operator (the default) or administrator')
    .option('--quirk <name>', 'ipmi: where its firmware is odd; may be given several times', collect)
    .option('--kg-file <file>', KG_FILE)
    .option('--json', 'print the device')
    .action(async (name: string, options: AddOptions) => {
      const client = shell.connect(add)
      const password = await passwordOf(cli, options, `add ${name}`)
      const { driver, address, username, systemId, kgFile } = options
      const ipmi = ipmiSetting(options)
      // A mode that was given goes out whatever the driver: the gateway says that it does not fit.
      const tls = options.tls ?? (driver === 'ipmi' ? undefined : 'pin')
      const body = {
        name,
        driver,
        address,
        username,
        password,
        ...(kgFile === undefined ? {} : { kg: bmcKeyOf(kgFile) }),
        ...(tls === undefined ? {} : { tls: tlsSetting(tls, process.cwd()) }),
        ...(systemId === undefined ? {} : { systemId }),
        ...(ipmi === undefined ? {} : { ipmi }),
      }
      const added = await ask(client, (api, signal) => api.POST('/v1/devices', { body, signal }))
      if (options.json) sayJson(cli, added)
      else say(cli, `${clean(added.name)} ${added.status}${added.product === undefined ? '' : `: ${clean(added.product)}`}`)
      for (const warning of added.warnings ?? []) note(cli, `warning: ${clean(warning)}`)
    })
  examples(
    add,
    'safestate device add bmc1 --driver redfish --address https://10.0.0.11 --username fence --password-stdin < password',
    'safestate device add bmc2 --driver redfish --address https://10.0.0.12 --username fence --password-stdin --tls ca:ca.pem < password',
    'safestate device add blade3 --driver redfish --address https://[2001:db8::9]:8443 --system-id Node3 --username fence --password-stdin < password',
    'safestate device add bmc4 --driver ipmi --address ipmi://10.0.0.14 --username fence --password-stdin < password',
  )
}

/** The password, from standard input and nowhere else. */
async function passwordOf(cli: Cli, options: { passwordStdin?: true }, command: string): Promise<string> {
  if (!options.passwordStdin) {
    throw new UsageError(
      'no password: give --password-stdin',
      `printf '%s\\n' "$PASSWORD" | safestate device ${command} … --password-stdin`,
    )
  }
  if (cli.stdin.isTTY) throw new UsageError('--password-stdin wants the password from a pipe or a file: typed, it would be shown')
  return lineOf(cli.stdin, 'password')
}

function addCredential(device: Command, shell: Shell): void {
  const { cli } = shell
  const credential = device
    .command('credential')
    .description('give a device another account or password; jobs use it from their next log-in on')
    .argument('<name>', 'name of a device')
    .requiredOption('--username <name>', 'account on the device')
    .option('--password-stdin', 'read the password from standard input, one line')
    .option('--kg-file <file>', `${KG_FILE}; without it there is none from now on`)
    .action(async (name: string, options: { username: string; passwordStdin?: true; kgFile?: string }) => {
      const client = shell.connect(credential)
      const { username, kgFile } = options
      const password = await passwordOf(cli, options, `credential ${name}`)
      const body = { username, password, ...(kgFile === undefined ? {} : { kg: bmcKeyOf(kgFile) }) }
      await call(client, (api, signal) => api.PUT('/v1/devices/{name}/credential', { params: { path: { name } }, body, signal }))
      say(cli, `${clean(name)}: new credential sealed`)
    })
  examples(credential, 'safestate device credential bmc1 --username fence --password-stdin < password')
}

function addProbe(device: Command, shell: Shell): void {
  const { cli } = shell
  const probe = device
    .command('probe')
    .description('contact a device now: what it is, its power, and what it would do')
    .argument('<name>', 'name of a device')
    .option('--json', 'print the finding')
    .action(async (name: string, { json }: { json?: true }) => {
      const client = shell.connect(probe)
      const found = await ask(client, (api, signal) => api.POST('/v1/devices/{name}/probe', { params: { path: { name } }, signal }))
      if (json) {
        sayJson(cli, found)
        return
      }
      for (const [label, value] of probeRows(found)) say(cli, `${`${label}:`.padEnd(13)}${clean(value)}`)
      for (const warning of found.warnings) note(cli, `warning: ${clean(warning)}`)
    })
  examples(probe, 'safestate device probe bmc1', 'safestate device probe bmc1 --json')
}

function addList(device: Command, shell: Shell): void {
  const { cli } = shell
  const list = device
    .command('list')
    .description('list the devices')
    .option('--json', 'print {items: [...]}')
    .action(async ({ json }: { json?: true }) => {
      const client = shell.connect(list)
      const items = await allPages(after =>
        ask(client, (api, signal) =>
          api.GET('/v1/devices', { params: { query: { limit: 100, ...(after === undefined ? {} : { after }) } }, signal }),
        ),
      )
      if (json) sayJson(cli, { items })
      else if (items.length === 0) say(cli, 'no devices; register one with safestate device add, or many with safestate import')
      else {
        const rows = items.map(each => [
          clean(each.name),
          each.driver,
          clean(each.address),
          clean(each.systemId ?? '-'),
          each.tls?.mode ?? '-',
          each.status,
          clean(each.product ?? '-'),
        ])
        say(cli, table(['NAME', 'DRIVER', 'ADDRESS', 'SYSTEM', 'TLS', 'STATUS', 'PRODUCT'], rows, styleOf(cli, cli.stdout)))
      }
    })
  examples(list, 'safestate device list')
}

function addRemove(device: Command, shell: Shell): void {
  const remove = device
    .command('remove')
    .description('remove a device and its credential; refused while a node uses it')
    .argument('<name>', 'name of a device')
    .action(async (name: string) => {
      const client = shell.connect(remove)
      await call(client, (api, signal) => api.DELETE('/v1/devices/{name}', { params: { path: { name } }, signal }))
      say(shell.cli, `${clean(name)} removed`)
    })
  examples(remove, 'safestate device remove bmc1')
}
