import { createHash } from 'node:crypto'
import type { Draft } from './draft.ts'

/** About how many events the stream keeps. */
const keptEvents = 100_000

/**
 * The one script that changes documents. All compares come before the first write, and nothing after the first write can fail: Redis refuses
 * for want of memory, of replicas or of a disk at the first write only (script.c of Redis 7, "scriptVerifyOOM" and "scriptVerifyWriteCommandAllow").
 * KEYS: counter of revisions, stream of events, a document for each compare, a document for each write, an index for each change of one.
 * ARGV: latest time or ''; number of compares, their revisions; number of documents, their texts ('': delete); number of changes of indexes,
 * each as score ('': remove) and member; number of events, their texts; number of signals, each as channel and message.
 * Answers 1 when committed, 0 when something changed.
 */
export const commitScript = `
local argument, key = 0, 2
local function take() argument = argument + 1; return ARGV[argument] end
local function times() return tonumber(take()) end
local function nextKey() key = key + 1; return KEYS[key] end

local latest = take()
if latest ~= '' then
  local time = redis.call('TIME')
  if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(latest) then return 0 end
end
for _ = 1, times() do
  local revision = string.match(redis.call('GETRANGE', nextKey(), 0, 19), '^%d+') or '0'
  if revision ~= take() then return 0 end
end

local revision
for _ = 1, times() do
  local name, text = nextKey(), take()
  if text == '' then
    redis.call('DEL', name)
  else
    revision = revision or string.format('%.0f', redis.call('INCR', KEYS[1]))
    redis.call('SET', name, revision .. ' ' .. text)
  end
end
for _ = 1, times() do
  local score, member = take(), take()
  if score == '' then redis.call('ZREM', nextKey(), member) else redis.call('ZADD', nextKey(), score, member) end
end
for _ = 1, times() do redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${keptEvents}, '*', 'event', take()) end
for _ = 1, times() do redis.call('PUBLISH', take(), take()) end
return 1
`

/** What EVALSHA calls the script. */
export const commitSha = createHash('sha1').update(commitScript).digest('hex')

/** The names of all keys. One hash tag keeps them on one node of a cluster, where one script may touch them all. */
export interface Keys {
  revision: string
  events: string
  probe: string
  document(name: string): string
  index(index: string): string
  channel(channel: string): string
}

/** The keys under a prefix, which must hold a hash tag (`{safestate}`). */
export function keysOf(prefix: string): Keys {
  return {
    revision: `${prefix}:revision`,
    events: `${prefix}:events`,
    probe: `${prefix}:probe`,
    document: name => `${prefix}:document:${name}`,
    index: index => `${prefix}:index:${index}`,
    channel: channel => `${prefix}:signal:${channel}`,
  }
}

/** A draft as keys and arguments of the script; `compareOnly` leaves the writes out. */
export function encode(draft: Draft, keys: Keys, compareOnly = false): { names: string[]; args: string[] } {
  const documents = compareOnly ? [] : [...draft.documents]
  const indexes = compareOnly ? [] : [...draft.indexes.values()]
  const events = compareOnly ? [] : draft.events
  const signals = compareOnly ? [] : draft.signals
  return {
    names: [
      keys.revision,
      keys.events,
      ...[...draft.reads.keys()].map(keys.document),
      ...documents.map(([name]) => keys.document(name)),
      ...indexes.map(({ index }) => keys.index(index)),
    ],
    args: [
      compareOnly || draft.limit === undefined ? '' : String(draft.limit),
      String(draft.reads.size),
      ...[...draft.reads.values()].map(({ revision }) => String(revision)),
      String(documents.length),
      ...documents.map(([, text]) => text ?? ''),
      String(indexes.length),
      ...indexes.flatMap(({ score, member }) => [score === undefined ? '' : String(score), member]),
      String(events.length),
      ...events.map(event => JSON.stringify(event)),
      String(signals.length),
      ...signals.flatMap(({ channel, message }) => [keys.channel(channel), message]),
    ],
  }
}
