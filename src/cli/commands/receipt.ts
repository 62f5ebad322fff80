import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { ask } from '../../client/client.ts'
import { fetchReceipt } from '../../client/receipts.ts'
import { note, say, sayJson } from '../cli.ts'
import { reason } from '../connect.ts'
import { exitCode, UsageError } from '../exit.ts'
import { clean } from '../output/text.ts'
import { examples, type Shell } from './shell.ts'

/** `receipt JOB`: the signed statement that a job ended with. */
export function addReceipt(program: Command, shell: Shell): void {
  const { cli } = shell
  const receipt = program
    .command('receipt')
    .summary('print the receipt of a job')
    .description('print the receipt of a job: a compact JWS that verifies with the public key of the gateway')
    .argument('<job>', 'id of a job')
    .option('--output <file>', 'write it to a file instead')
    .option('--json', 'print it with its standing: {id, jws, status, …}')
    .action(async (id: string, options: { output?: string; json?: true }) => {
      const client = shell.connect(receipt)
      const job = await ask(client, (api, signal) => api.GET('/v1/jobs/{id}', { params: { path: { id } }, signal }))
      if (job.receiptId === undefined) {
        const why = job.failure === undefined ? job.state : `${job.state}, ${job.failure.code}`
        note(cli, `error: job ${clean(job.id)} has no receipt: ${clean(job.action)}, ${clean(why)}`)
        shell.end(exitCode(job) || 2)
        return
      }
      const found = await fetchReceipt(client, job.receiptId)
      if (options.output !== undefined) {
        write(options.output, options.json ? `${JSON.stringify(found, null, 2)}\n` : `${found.jws}\n`)
        note(cli, `receipt ${found.id} (${found.status}) written to ${options.output}`)
      } else if (options.json) sayJson(cli, found)
      else say(cli, found.jws)
      if (found.status === 'revoked') note(cli, `warning: this receipt is revoked: ${clean(found.revokedBecause ?? 'no reason given')}`)
    })
  examples(
    receipt,
    'safestate receipt JOB --output receipt.jws',
    'safestate verify receipt.jws --jwks keys.json --revocations https://gateway.example/.well-known/revocations.jws',
  )
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw new UsageError(`can't write ${file}: ${reason(error)}`)
  }
}
