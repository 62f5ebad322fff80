import type { FaultTarget } from '../faults/board.ts'
import type { Exchange } from './exchange.ts'

const RESET = '/Actions/ComputerSystem.Reset'

/** What the matchers of faults look at. The body is looked into only for a reset. */
export function targetOf({ method, path, body }: Exchange): FaultTarget {
  return {
    protocol: 'redfish',
    method,
    path,
    resetType: path.endsWith(RESET) ? (parseObject(body)?.ResetType as string | undefined) : undefined,
  }
}

/** The JSON object in a request's body; undefined when it is none. */
export function parseObject(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
