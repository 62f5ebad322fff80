import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { peer, peerEnvironment } from '../peers/support.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const library = (name: string): string => new URL(`../../scripts/lib/${name}.mjs`, import.meta.url).href

interface FileResult {
  file: string
  passed: number
  failed: number
  skipped: number
  seconds: number
  failures: { path: string; detail: string }[]
  skips: { path: string; reason: string }[]
}
const tap: { tapReader(hooks: object): { line(text: string): void; end(): void } } = await import(library('tap'))

function read(text: string): FileResult[] {
  const results: FileResult[] = []
  const reader = tap.tapReader({ onFile: (result: FileResult) => results.push(result), onStart: () => {} })
  for (const line of text.split('\n')) reader.line(line)
  reader.end()
  return results
}

t.test('test points are counted as leaves, and a failure is told in full', async t => {
  const [first, second, ...rest] = read(`TAP version 14
1..2
# Subtest: test/core/a.test.ts
    # Subtest: outer
        ok 1 - one
        # Subtest: inner
            not ok 1 - bad # time=3ms
              ---
              diff: |
                ok 7 - not a test point, but text in a diagnostic
              ...
            ok 2 - later # SKIP no peer
            1..2
        not ok 2 - inner # time=27.441ms
          ---
          at: x
          ...
        1..2
    not ok 1 - outer # time=36.616ms
    ok 2 - whole # TODO some day
    1..2
    # time=47.391ms
not ok 1 - test/core/a.test.ts # time=1500ms
  ---
  exitCode: 1
  ...

# Subtest: test/core/b.test.ts
    ok 1 - fine
    1..1
ok 2 - test/core/b.test.ts # time=60.628ms

# { total: 3 }
`)
  t.match(first, { file: 'test/core/a.test.ts', passed: 1, failed: 1, skipped: 2, seconds: 1.5 })
  t.match(first?.failures, [{ path: 'outer › inner › bad', detail: /diff: \|\n {2}ok 7/ }])
  t.match(first?.skips, [
    { path: 'outer › inner › later', reason: 'no peer' },
    { path: 'whole', reason: 'some day' },
  ])
  t.match(second, { file: 'test/core/b.test.ts', passed: 1, failed: 0, skipped: 0 })
  t.equal(rest.length, 0)
})

t.test('what must not pass as green', async t => {
  const [crashed] = read(`# Subtest: a.test.ts
    ok 1 - one
    1..1
not ok 1 - a.test.ts # time=5ms
  ---
  signal: SIGKILL
  ...
`)
  t.match(
    crashed,
    { passed: 1, failed: 1, failures: [{ path: /the file itself/, detail: /SIGKILL/ }] },
    'a file that dies after its tests passed',
  )
  t.match(read('# Subtest: a.test.ts\n    1..0\nok 1 - a.test.ts # time=5ms\n')[0], { passed: 0, failed: 1 }, 'a file without a test')
  t.match(read('# Subtest: a.test.ts\n    ok 1 - one\n')[0], { passed: 1, failed: 1 }, 'a run that stops in the middle')
  t.match(
    read('# Subtest: a.test.ts\n    1..0 # SKIP no mockups\nok 1 - a.test.ts # SKIP no mockups\n')[0],
    { failed: 0, skipped: 1 },
    'a skipped file is none of these',
  )
})

/** Runs a script of ours and resolves with its exit code and output. */
function node(code: string, cwd = root): Promise<{ code: number | null; output: string }> {
  return new Promise(resolve => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '' },
    })
    let output = ''
    child.stdout.on('data', data => (output += data))
    child.stderr.on('data', data => (output += data))
    child.on('close', exit => resolve({ code: exit, output }))
  })
}

t.test('the lock lets one process in at a time and survives a dead holder', async t => {
  const dir = t.testdir({})
  const lock = join(dir, 'setup.lock')
  const log = join(dir, 'log')
  // Each holder notes when it enters and leaves; two inside at once would show as two enters in a row.
  const worker = (name: string): string => `
    import { appendFileSync } from 'node:fs'
    const { locked } = await import(${JSON.stringify(library('lock'))})
    await locked(${JSON.stringify(lock)}, 'work ${name}', async () => {
      appendFileSync(${JSON.stringify(log)}, 'enter\\n')
      await new Promise(resolve => setTimeout(resolve, 60))
      appendFileSync(${JSON.stringify(log)}, 'leave\\n')
    })`
  const gone = await node('process.stdout.write(String(process.pid))')
  const { hostname } = await import('node:os')
  writeFileSync(lock, JSON.stringify({ pid: Number(gone.output), start: '', host: hostname(), what: 'a crashed set-up', since: 'before' }))
  const ended = await Promise.all(['a', 'b', 'c'].map(name => node(worker(name))))
  t.same(
    ended.map(end => end.code),
    [0, 0, 0],
    ended.map(end => end.output).join(''),
  )
  t.equal(readFileSync(log, 'utf8'), 'enter\nleave\n'.repeat(3))
  t.notOk(existsSync(lock), 'the last one leaves no lock')
})

t.test('those who wait are told for whom', async t => {
  const dir = t.testdir({})
  const lock = join(dir, 'x.lock')
  const { locked } = (await import(library('lock'))) as {
    locked(file: string, what: string, work: () => Promise<void>, say?: (line: string) => void): Promise<void>
  }
  let release = (): void => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const first = locked(lock, 'npm ci and build', () => held)
  const second = locked(
    lock,
    'mine',
    async () => {},
    line => {
      t.match(line, `process ${process.pid}`)
      t.match(line, 'npm ci and build')
      release()
    },
  )
  await Promise.all([first, second])
})

t.test('bin/safestate.js in a clone where nothing is built says what to run', async t => {
  const dir = t.testdir({ bin: {} })
  copyFileSync(join(root, 'bin/safestate.js'), join(dir, 'bin/safestate.js'))
  writeFileSync(join(dir, 'package.json'), '{"type": "module"}')
  const end = await node(`process.argv.splice(1); await import(${JSON.stringify(`file://${dir}/bin/safestate.js`)})`, dir)
  t.equal(end.code, 2)
  t.match(end.output, /npm run build[\s\S]*npm run demo/)
  mkdirSync(join(dir, 'dist/cli'), { recursive: true })
  writeFileSync(join(dir, 'dist/cli/main.js'), 'console.log("built")')
  t.match(await node(`await import(${JSON.stringify(`file://${dir}/bin/safestate.js`)})`, dir), { code: 0, output: 'built' })
})

t.test('an old Node is refused with a sentence', async t => {
  const setup: { checkNode(version?: string): void } = await import(library('setup'))
  for (const version of ['18.20.4', '20.18.3']) t.throws(() => setup.checkNode(version), { message: /needs Node 20\.19/ })
  for (const version of ['20.19.0', '22.3.0', '24.0.1', process.versions.node]) t.doesNotThrow(() => setup.checkNode(version))
})

t.test('a peer that is missing skips by name, or fails where peers are required', async t => {
  const said: string[] = []
  const fake = { skip: (message: string) => said.push(`skip ${message}`), fail: (message: string) => said.push(`fail ${message}`) }
  t.intercept(process, 'env', {
    value: { ...process.env, SAFESTATE_CACHE: t.testdir({}), SAFESTATE_PEERS_REQUIRED: '0', REQUESTS_CA_BUNDLE: 'x' },
  })
  t.equal(peer(fake, 'sushy-tools'), undefined)
  process.env['SAFESTATE_PEERS_REQUIRED'] = '1'
  t.equal(peer(fake, 'sushy-tools'), undefined)
  t.match(said, [/^skip peer sushy-tools is not installed/, /^fail peer sushy-tools is required/])
  t.throws(() => peer(fake, 'nonsense'), { message: /there is no peer nonsense; there are: redis,/ })
  t.match(peerEnvironment({ A: 'b' }), { A: 'b', REQUESTS_CA_BUNDLE: undefined, PYTHONUNBUFFERED: '1' })
})

interface Compose {
  services: Record<
    string,
    {
      command: string | string[]
      ports?: string[]
      network_mode?: string
      healthcheck: { test: string[] }
      environment?: Record<string, string>
    }
  >
}

t.test('the compose file keeps its promises', async t => {
  const { services }: Compose = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true })
  t.same(Object.keys(services), ['redis', 'gateway', 'simulator'])
  for (const word of ['--appendonly yes', '--appendfsync always', '--maxmemory-policy noeviction'])
    t.match(services['redis']?.command, word)
  for (const [name, service] of Object.entries(services)) {
    t.ok(service.healthcheck.test.length > 1, `${name} has a health check`)
    t.match([service.command].flat().join(' '), '127.0.0.1', `${name} listens on loopback`)
    t.notMatch(JSON.stringify(service), /passw|secret|token/i, `${name} comes without a password`)
  }
  const image = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')
  t.match(image, /^USER node$/m)
  t.match(image, /HEALTHCHECK[\s\S]*\/livez/)
})
