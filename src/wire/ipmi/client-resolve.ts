import { after, type IpmiPorts } from './client-ports.ts'
import { IpmiError } from './failure.ts'

/**
 * The IP address behind a host. A name server that never answers holds up nobody: rejects with IpmiError `unreachable` after `limitMs`, and with `aborted` at once
 * where the signal says so.
 */
export function resolveHost(ports: IpmiPorts, host: string, limitMs: number, signal: AbortSignal | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted())
      return
    }
    const found = ports.transport.resolve(host)
    if (typeof found === 'string') {
      resolve(found)
      return
    }
    const end = (): void => {
      callOff()
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (error: unknown): void => {
      end()
      reject(error)
    }
    const onAbort = (): void => fail(aborted())
    const callOff = after(ports.clock, limitMs, () => fail(late(host, limitMs)))
    signal?.addEventListener('abort', onAbort, { once: true })
    found.then(
      address => {
        end()
        resolve(address)
      },
      error => fail(error instanceof IpmiError ? error : unresolved(host)),
    )
  })
}

function late(host: string, limitMs: number): IpmiError {
  return new IpmiError('unreachable', `the name ${host} was not resolved within ${limitMs} ms`)
}

function unresolved(host: string): IpmiError {
  return new IpmiError('unreachable', `the name ${host} could not be resolved`)
}

function aborted(): IpmiError {
  return new IpmiError('aborted', 'aborted by the caller')
}
