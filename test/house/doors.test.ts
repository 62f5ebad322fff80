import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { doors, loosePins, placeNames, roomOf, type Sources, shutDoors, tooLong, undocumented, unerasable } from './rules.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Every text file of the clone that is committed or about to be. */
const files: Sources = new Map(
  execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter(path => path !== '' && lstatSync(join(root, path), { throwIfNoEntry: false })?.isFile())
    .map((path): [string, string] => [path, readFileSync(join(root, path), 'utf8')])
    .filter(([, text]) => !text.includes('\0')),
)
const generated = (path: string): boolean => path.startsWith('src/client/generated/')
const pick = (wanted: (path: string) => boolean): Sources => new Map([...files].filter(([path]) => wanted(path) && !generated(path)))
const src = pick(path => path.startsWith('src/') && path.endsWith('.ts'))
const typescript = pick(path => path.endsWith('.ts'))

/** Holds a rule on the clone, and shows on `bad` that the rule can fail and on `good` that it needn't. */
function rule(check: (sources: Sources) => string[], own: Sources, bad: Record<string, string>, good: Record<string, string>) {
  return (test: Test): void => {
    for (const [path, text] of Object.entries(bad))
      test.not(check(new Map([[path, text]])).length, 0, `would be found: ${text.trim().split('\n')[0]}`)
    for (const [path, text] of Object.entries(good)) test.same(check(new Map([[path, text]])), [], `is fine: ${text.trim().split('\n')[0]}`)
    test.ok(own.size > 0, 'there is something to look at')
    test.same(check(own), [], 'the clone')
    test.end()
  }
}

t.test(
  'rooms import only what their doors let them',
  rule(
    shutDoors,
    src,
    {
      'src/fencing/a.ts': "import { x } from '../drivers/redfish.ts'",
      'src/fencing/b.ts': "import type { X } from '../store/redis.ts'",
      'src/core/c.ts': "export * from 'typebox'",
      'src/api/d.ts': "const x = await import('../store/redis.ts')",
      'src/cli/commands/e.ts': "import { start } from '../../gateway.ts'",
      'src/client/f.ts': "import { y } from '../core/power.ts'",
      'src/simulator/g.ts': "import { confirm } from '../fencing/confirm.ts'",
      'src/newroom/h.ts': 'export {}',
      'src/wire/i.ts': "import { z } from './j'",
      'src/store/k.ts': "import { z } from '../../scripts/build.ts'",
    },
    {
      'src/wire/redfish/a.ts': "import { x } from '../../core/power.ts'\nimport axios from 'axios'",
      'src/cli/main.ts': "const { start } = await import('../gateway.ts')",
      'src/gateway.ts': "import { x } from './store/redis.ts'",
      'src/core/b.ts': "import { inspect } from 'node:util'\n// import { x } from '../store/redis.ts'",
    },
  ),
)

t.test('every entry of the table of doors can be told apart', async t => {
  t.equal(roomOf('src/cli/commands/off.ts'), 'cli/commands')
  t.equal(roomOf('src/cli/main.ts'), 'cli/main.ts')
  t.equal(roomOf('src/cli/output.ts'), 'cli')
  for (const { may } of Object.values(doors)) for (const room of may) t.ok(doors[room], `${room} is a room`)
})

t.test(
  'types can be stripped and leave the program',
  rule(
    unerasable,
    typescript,
    {
      'a.ts': 'enum Power { On, Off }',
      'b.ts': 'namespace A { export const x = 1 }',
      'c.ts': 'class A { constructor(private readonly x: string) {} }',
      'd.ts': "import fs = require('fs')",
      'e.ts': 'const x = <string>y',
    },
    {
      'f.ts': 'class A { readonly x: string; constructor(x: string) { this.x = x as string } }',
      'g.ts': "declare module 'x' { export const y: number }",
    },
  ),
)

t.test(
  'what a room exports says what it is for',
  rule(
    undocumented,
    src,
    {
      'a.ts': 'export function f(): void {}',
      'b.ts': '// not a doc comment\nexport const x = 1',
      'c.ts': 'export interface X { y: 1 }',
      'd.ts': 'export default class A {}',
    },
    {
      'e.ts': '/** What for. */\nexport function f(): void\nexport function f(x?: number): void {}',
      'f.ts': 'function inner(): void {}',
      'g.ts': "export { x } from './y.ts'",
    },
  ),
)

t.test('files stay small', rule(tooLong, src, { 'a.ts': 'x\n'.repeat(401) }, { 'b.ts': 'x\n'.repeat(400) }))

t.test('no file names a machine or a registry', async t => {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
  const here = URL.canParse(registry) ? [new URL(registry).host] : []
  rule(
    sources => placeNames(sources, here),
    files,
    {
      'a.md': `see ${'/work'}/main/x`,
      'b.md': `cd ${'/root'}/x`,
      'c.md': `from https://py${'pi'}.org/simple`,
      'd.md': `${here[0] ?? 'registry.npm' + 'js.org'}/x`,
    },
    { 'e.md': 'see ../shared/mockups, src/work/queue.ts and ./home/x', 'f.yaml': 'image: node:24-slim' },
  )(t)
})

t.test('dependencies are pinned, and the lock file names no download address', async t => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
  t.not(loosePins('{"packages": {"a": {"resolved": "https://x/a.tgz"}}}', '{}').length, 0)
  t.not(loosePins('{}', '{"dependencies": {"a": "^1.0.0"}}').length, 0)
  t.not(loosePins('{"packages": {"a": {"optionalDependencies": {"b": "1.0.0"}}}}', '{}').length, 0)
  t.same(loosePins(lock, readFileSync(join(root, 'package.json'), 'utf8')), [])
})
