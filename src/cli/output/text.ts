import type { Cli, Output } from '../cli.ts'

/** Colours of one stream, or none of them: only on a terminal, and not where NO_COLOR is set (no-color.org) or the terminal is dumb. */
export interface Style {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  bad(text: string): string
  warn(text: string): string
}

/** Whether a stream is a terminal that can move its cursor. */
export function isLive(cli: Cli, stream: Output): boolean {
  return stream.isTTY === true && cli.env['TERM'] !== 'dumb'
}

/** The style of a stream. */
export function styleOf(cli: Cli, stream: Output): Style {
  const colour = isLive(cli, stream) && (cli.env['NO_COLOR'] ?? '') === ''
  const paint =
    (open: number, close: number) =>
    (text: string): string =>
      colour && text !== '' ? `\x1b[${open}m${text}\x1b[${close}m` : text
  return { bold: paint(1, 22), dim: paint(2, 22), good: paint(32, 39), bad: paint(31, 39), warn: paint(33, 39) }
}

/** Text from a device or another person, safe to show: control characters (which could move the cursor or set the title) become `\xNN`, too long a text is cut. */
export function clean(text: string, limit = 400): string {
  const safe = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, char => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`)
  return cut(safe, limit)
}

/** At most `limit` characters. */
export function cut(text: string, limit: number): string {
  const chars = Array.from(text)
  return chars.length <= limit ? text : `${chars.slice(0, Math.max(0, limit - 1)).join('')}…`
}

const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g')

/** How many columns a text takes, colours not counted. */
export function width(text: string): number {
  return Array.from(text.replace(ESCAPES, '')).length
}

/** An aligned table, two spaces between columns, no trailing blanks. Cells are shown as they are: clean what comes from outside. */
export function table(headers: string[], rows: string[][], style?: Style): string {
  const widths = headers.map((header, column) => Math.max(width(header), ...rows.map(row => width(row[column] ?? ''))))
  const line = (cells: string[]): string =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
      .join('  ')
      .trimEnd()
  const head = line(headers)
  return [style ? style.dim(head) : head, ...rows.map(line)].join('\n')
}

/** Local time of day of an RFC 3339 time, `12:03:04` or with `digits` of the second's fraction. */
export function timeOfDay(at: string | number, digits = 0): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return '?'
  const two = (value: number): string => String(value).padStart(2, '0')
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return digits === 0 ? clock : `${clock}.${String(date.getMilliseconds()).padStart(3, '0').slice(0, digits)}`
}

/** Local date and time of an RFC 3339 time, for lists. */
export function dateAndTime(at: string | undefined): string {
  if (at === undefined) return '-'
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return '?'
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(at)}`
}

/** A duration in ms for people: `0.4 s`, `12.3 s`, `2 min`, `2 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 100_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`
  const whole = Math.round(ms / 1000)
  return whole % 60 === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
