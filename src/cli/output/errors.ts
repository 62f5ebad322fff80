import { GatewayAwayError, ProblemError, WaitTimeoutError } from '../../client/problem.ts'
import { type Cli, note } from '../cli.ts'
import { SeveralErrors, UsageError } from '../exit.ts'
import { hintFor } from './hints.ts'
import { clean, styleOf } from './text.ts'

/** Tells an error on standard error: `error: <title>: <detail>`, the wrong fields, and what to do next. */
export function tell(cli: Cli, error: unknown): void {
  const style = styleOf(cli, cli.stderr)
  const fail = (text: string): void => note(cli, `${style.bad('error:')} ${clean(text, 2_000)}`)
  const next = (text: string | undefined): void => {
    if (text !== undefined) note(cli, `  ${style.dim('next:')} ${clean(text, 2_000)}`)
  }
  if (error instanceof SeveralErrors) {
    for (const each of error.errors) tell(cli, each)
    fail(error.message)
  } else if (error instanceof ProblemError) {
    fail(error.message)
    for (const { field, message } of error.problem.errors ?? []) note(cli, `  ${clean(field)}: ${clean(message)}`)
    next(hintFor(error.code) ?? error.problem.next)
  } else if (error instanceof GatewayAwayError) {
    fail(`no answer from the gateway: ${error.url}: ${error.reason}`)
    next(
      error.retryable
        ? 'check --url or SAFESTATE_URL, and that the gateway runs: safestate gateway'
        : 'the certificate of the gateway is not trusted here: name its CA in NODE_EXTRA_CA_CERTS',
    )
  } else if (error instanceof WaitTimeoutError) {
    fail(error.message)
    if (error.job !== undefined) next(`the job goes on: safestate watch ${error.job.id}`)
  } else if (error instanceof UsageError) {
    fail(error.message)
    next(error.next)
  } else {
    // A gateway that can't start says all that is missing, a line each.
    const [first = '', ...more] = (error instanceof Error ? error.message : String(error)).split('\n')
    fail(first)
    for (const line of more) note(cli, `  ${clean(line.trim())}`)
  }
}
