import type { Command } from 'commander'
import type { SafestateClient } from '../../client/client.ts'
import type { Cli } from '../cli.ts'
import { type Connection, connect } from '../connect.ts'

/** What every command is given: the outside, and where to leave its exit code. */
export interface Shell {
  cli: Cli
  /** The exit code of the command that ran; 0 unless one sets another. */
  end(code: number): void
  /** A client of the gateway that this command line names. */
  connect(command: Command): SafestateClient
}

/** The shell of one command line. */
export function shellOf(cli: Cli, end: (code: number) => void): Shell {
  return { cli, end, connect: command => connect(cli, command.optsWithGlobals<Connection>()) }
}

/** Adds examples to a command's help. */
export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map(line => `  ${line}`).join('\n')}`)
}
