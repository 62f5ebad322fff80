import { InvalidArgumentError } from 'commander'
import { UsageError } from './exit.ts'

/** `120`, `120s`, `2m` or `1h` in whole seconds. The gateway says which are allowed. */
export function seconds(text: string): number {
  const match = /^(\d{1,6})(s|m|h)?$/.exec(text.trim())
  if (!match) throw new InvalidArgumentError('Give a time like 120s, 2m or 120 (seconds).')
  return Number(match[1]) * (match[2] === 'm' ? 60 : match[2] === 'h' ? 3600 : 1)
}

/** A whole number ≥ 1. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Give a whole number from 1 on.')
  return Number(text)
}

/** Collects an option that may be given several times. */
export function collect(text: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), text]
}

/** A node as it is typed: `[CLUSTER/]NAME`; the cluster is `default` where none is given. */
export function nodeName(text: string): { cluster: string; name: string } {
  const parts = text.split('/')
  const [first = '', second] = parts
  if (parts.length > 2 || first === '' || second === '') throw new InvalidArgumentError('Give a node as NAME or CLUSTER/NAME.')
  return second === undefined ? { cluster: 'default', name: first } : { cluster: first, name: second }
}

/**
 * The levels of a topology from options in the order they were typed: `--device a --device b --level 2 --device c` is [[a, b], [c]].
 * `--level N` sets the level of the `--device` options behind it. Made anew for each command line.
 */
export class LevelOptions {
  readonly #levels = new Map<number, string[]>()
  #current = 1

  /** Parser of `--level N`. */
  readonly level = (text: string): number => {
    this.#current = count(text)
    return this.#current
  }

  /** Parser of `--device NAME`. */
  readonly device = (text: string): string => {
    const level = this.#levels.get(this.#current) ?? []
    if ([...this.#levels.values()].some(devices => devices.includes(text))) throw new InvalidArgumentError('It is named twice.')
    this.#levels.set(this.#current, [...level, text])
    return text
  }

  /** The levels in order. Throws UsageError for none at all and for gaps. */
  result(): string[][] {
    const last = Math.max(this.#current, ...this.#levels.keys())
    const levels = Array.from({ length: last }, (_, index) => this.#levels.get(index + 1) ?? [])
    const empty = levels.findIndex(devices => devices.length === 0)
    if (empty >= 0) {
      throw new UsageError(`level ${empty + 1} has no device`, 'give at least one --device NAME for each level, behind its --level N')
    }
    return levels
  }
}

/** A secret from one line of standard input. Anything more is a mistake that is better found now. */
export async function lineOf(stdin: AsyncIterable<Uint8Array | string>, what: string): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  for await (const chunk of stdin) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    if (text.length > 65_536) break
  }
  const line = text.replace(/\r?\n$/, '')
  if (line === '') throw new UsageError(`no ${what} on standard input`, `pipe it in: printf '%s\\n' "$PASSWORD" | safestate …`)
  if (/[\r\n]/.test(line)) throw new UsageError(`more than one line on standard input; the ${what} is one line`)
  return line
}
