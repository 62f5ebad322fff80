import { Command, CommanderError } from 'commander'
import type { Cli } from '../cli.ts'
import { asError, exitCode } from '../exit.ts'
import { tell } from '../output/errors.ts'
import { addTokens, addVault } from './admin.ts'
import { addDevices } from './device.ts'
import { addHolds } from './hold.ts'
import { addImport } from './import.ts'
import { addJobs } from './job.ts'
import { addNodes } from './node.ts'
import { addPower } from './power.ts'
import { addReceipt } from './receipt.ts'
import { addRoots, type Roots } from './roots.ts'
import { examples, shellOf } from './shell.ts'
import { addVerify } from './verify.ts'

/** Runs one command line (without `node` and the script) and gives its exit code. Never throws. */
export async function runCommand(argv: string[], cli: Cli, roots: Roots, version: string): Promise<number> {
  let code = 0
  try {
    await programOf(cli, roots, version, value => {
      code = value
    }).parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    tell(cli, error)
    return exitCode(asError(error))
  }
}

/** The whole command line. */
function programOf(cli: Cli, roots: Roots, version: string, end: (code: number) => void): Command {
  const program = new Command('safestate')
    .description('Puts failed cluster nodes into a safe state and proves it.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .addHelpCommand(new Command('help').argument('[command]').description('show help').helpGroup('Administration:'))
    .option('--url <url>', 'the gateway (default: SAFESTATE_URL, else http://127.0.0.1:8080)')
    .option('--token-file <file>', 'file with the API token (default: the token in SAFESTATE_TOKEN)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: text => cli.stdout.write(text),
      writeErr: text => cli.stderr.write(text),
      getOutHelpWidth: () => cli.stdout.columns ?? 100,
      getErrHelpWidth: () => cli.stderr.columns ?? 100,
      // An argument that was meant as a secret (--password=…) must not come back in a message.
      outputError: (text, write) => write(text.replace(/(--[\w-]+)=[\s\S]*'/, "$1=…'")),
    })
    .showHelpAfterError("(add --help to see how it's used)")
    .exitOverride()
  const shell = shellOf(cli, end)
  program.commandsGroup('Power:')
  addPower(program, shell)
  program.commandsGroup('Jobs, holds, receipts:')
  addJobs(program, shell)
  addHolds(program, shell)
  addReceipt(program, shell)
  addVerify(program, shell)
  program.commandsGroup('Inventory:')
  addDevices(program, shell)
  addNodes(program, shell)
  addImport(program, shell)
  program.commandsGroup('Administration:')
  addTokens(program, shell)
  addVault(program, shell)
  addRoots(program, shell, roots)
  return examples(
    program,
    'safestate gateway --data-dir ./data      # its first token is in ./data/admin-token',
    'export SAFESTATE_TOKEN="$(cat ./data/admin-token)"',
    'safestate device add bmc1 --driver redfish --address https://10.0.0.11 --username fence --password-stdin < password',
    'safestate node add node1 --device bmc1',
    'safestate off node1 --reason "disk controller hangs"',
  )
}
