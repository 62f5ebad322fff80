import { isUtf8 } from 'node:buffer'
import { RedfishError } from './failure.ts'

/** A JSON object as a service sent it: nothing about its members is known. */
export type JsonObject = { readonly [key: string]: unknown }

const QUOTE = 34
const COLON = 58
const BACKSLASH = 92

/**
 * Parses an answer's body into an object. Throws RedfishError: `bad_encoding` (BOM, UTF-16, not UTF-8), `too_deep`, `duplicate_keys`
 * (JSON.parse would silently take the last of two PowerStates), `not_json` (HTML, NaN, truncated, empty), `bad_resource` (not an object).
 */
export function parseJson(body: Buffer, depthLimit: number): JsonObject {
  if (body.length === 0) throw new RedfishError('not_json', 'the answer is empty')
  const first = body[0] as number
  // A BOM of UTF-8 (EF), UTF-16 (FE, FF), or UTF-16 without one (a NUL in the first two bytes).
  if (first === 0xef || first >= 0xfe || first === 0 || body[1] === 0 || !isUtf8(body)) {
    throw new RedfishError('bad_encoding', 'the answer is not plain UTF-8')
  }
  const text = body.toString('utf8')
  const colons = scan(text, depthLimit)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's message quotes the body: it is not passed on.
    throw new RedfishError('not_json', 'the answer is not JSON')
  }
  if (!isObject(value)) throw new RedfishError('bad_resource', 'the answer is not a JSON object')
  if (countKeys(value) !== colons) throw new RedfishError('duplicate_keys', 'the answer has an object with a key twice')
  return value
}

/** Whether a parsed value is an object (and neither null nor an array). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member as text, or undefined where it is anything else. */
export function textOf(value: JsonObject, key: string): string | undefined {
  const member = value[key]
  return typeof member === 'string' ? member : undefined
}

/** A member as object, or an empty one where it is anything else. */
export function objectOf(value: JsonObject, key: string): JsonObject {
  const member = value[key]
  return isObject(member) ? member : {}
}

/** The `@odata.id` of a member that links to another resource. */
export function linkOf(value: JsonObject, key: string): unknown {
  return objectOf(value, key)['@odata.id']
}

/** One pass before parsing: bounds the depth, and counts the colons outside strings (one per key in valid JSON). */
function scan(text: string, depthLimit: number): number {
  let depth = 0
  let colons = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === QUOTE) {
      i = endOfString(text, i)
    } else if (c === COLON) {
      colons++
    } else if (c === 123 || c === 91) {
      if (++depth > depthLimit) throw new RedfishError('too_deep', `the answer is nested deeper than ${depthLimit}`)
    } else if (c === 125 || c === 93) {
      depth--
    }
  }
  return colons
}

/** Index of the closing quote of the string that opens at `start`, or the text's end where it is cut. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let escapes = end - 1
    while (text.charCodeAt(escapes) === BACKSLASH) escapes--
    if ((end - 1 - escapes) % 2 === 0) return end
  }
  return text.length
}

function countKeys(value: object): number {
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) count += countKeys(item)
    return count
  }
  const object = value as JsonObject
  for (const key in object) {
    count++
    const member = object[key]
    if (typeof member === 'object' && member !== null) count += countKeys(member)
  }
  return count
}
