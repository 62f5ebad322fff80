import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type ResolvedStore, resolveStore, type StoreOptions } from '../../src/store/resolve.ts'
import { identify, readIdentity, runs } from '../../src/store/servers/identity.ts'
import { lockFolder } from '../../src/store/servers/lock.ts'
import { socketOf } from '../../src/store/servers/native.ts'
import { peer } from '../peers/support.ts'
import { eventually, folder, redis, type Test } from './support.ts'

const path = process.env['PATH'] ?? ''
const nowhere = '/nowhere'

/** A writer in a process of its own. */
async function writer(
  t: Test,
  options: Omit<StoreOptions, 'warn'>,
  file: string,
): Promise<{ child: ChildProcess; serverPid(): Promise<number> }> {
  const child = fork(fileURLToPath(new URL('writer.ts', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  t.teardown(() => child.kill('SIGKILL'))
  child.send({ options, file })
  await once(child, 'message')
  return {
    child,
    serverPid: () =>
      eventually('the server of our own runs', async () => {
        child.send('pid')
        const [answer] = (await once(child, 'message')) as [{ pid: number | null }]
        return answer.pid ?? undefined
      }),
  }
}

function acknowledged(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
}

function more(file: string, count: number): Promise<unknown> {
  const before = acknowledged(file).length
  return eventually(`${count} more are acknowledged`, () => acknowledged(file).length >= before + count)
}

async function lost(store: ResolvedStore, ids: string[]): Promise<string[]> {
  const found = await store.documents.getMany('written', ids)
  const indexed = new Set(await store.documents.byMember('written', { limit: 1e6 }))
  return ids.filter((id, at) => found[at] === undefined || !indexed.has(id))
}

function skipped(t: Test): boolean {
  return !peer({ skip: message => t.pass(message, { skip: true }), fail: message => t.fail(message) }, 'redis')
}

for (const kind of ['child', 'embedded'] as const) {
  t.test(`${kind}: SIGKILL of the store, then of the gateway, loses nothing acknowledged`, async t => {
    if (kind === 'child' && skipped(t)) return
    const options = { dataDir: folder(t), path: kind === 'child' ? path : nowhere }
    const file = join(folder(t), 'acknowledged')
    const { child, serverPid } = await writer(t, options, file)
    await more(file, 20)
    const first = await serverPid()
    process.kill(first, 'SIGKILL')
    await eventually('it is started again', async () => (await serverPid()) !== first)
    await more(file, 20)
    const left = readIdentity(join(options.dataDir, 'store', kind, 'server.json'))
    child.kill('SIGKILL')
    await once(child, 'exit')
    if (kind === 'child') t.ok(left && runs(left), 'the server outlives a killed gateway')

    const warnings: string[] = []
    const store = await resolveStore({ ...options, warn: line => warnings.push(line) })
    t.teardown(() => store.close())
    t.notOk(left && runs(left), 'the one that comes after it has ended it: never two servers on one data set')
    t.equal(store.documents.health.kind, kind)
    t.equal(store.documents.health.durable, true)
    t.equal(/WebAssembly/.test(warnings.join()), kind === 'embedded', 'says what it is')
    const ids = acknowledged(file)
    t.ok(ids.length >= 40, `${ids.length} acknowledged`)
    t.same(await lost(store, ids), [])
    t.equal((await store.connection().ping()) === 'PONG', true, 'BullMQ gets its connection')
  })
}

t.test('REDIS_URL: SIGKILL of the server loses nothing acknowledged', async t => {
  const server = await redis(t)
  if (!server) return
  const options = { dataDir: folder(t), redisUrl: server.url }
  const file = join(folder(t), 'acknowledged')
  const { child } = await writer(t, options, file)
  for (let round = 0; round < 3; round++) {
    await more(file, 50)
    await server.kill()
    await server.start()
  }
  await more(file, 20)
  child.kill('SIGKILL')
  const store = await resolveStore({ ...options, warn: () => {} })
  t.teardown(() => store.close())
  t.same(await lost(store, acknowledged(file)), [])
  t.same(readdirSync(options.dataDir), [], 'nothing of its own on disk')
  t.equal(store.serverPid(), undefined)
})

for (const kind of ['child', 'embedded'] as const) {
  t.test(`${kind}: one gateway a data folder; its epoch and data stay; closing it stops the server`, async t => {
    if (kind === 'child' && skipped(t)) return
    const dataDir = folder(t)
    const options = { dataDir, path: kind === 'child' ? path : nowhere, warn: () => {} }
    const store = await resolveStore(options)
    const [epoch, pid] = [store.epoch, store.serverPid() ?? -1]
    t.match(epoch, /^\d{13}$/)
    await t.rejects(resolveStore(options), { code: 'store_unavailable', message: /in use by another gateway/ })
    await store.documents.transact(async tx => tx.put('job', 'a', 1))
    await store.close()
    t.equal(identify(pid), undefined, 'the server is gone')
    t.notOk(existsSync(join(dataDir, 'store', 'lock')))
    t.equal(statSync(join(dataDir, 'store')).mode & 0o777, 0o700)
    for (const name of readdirSync(join(dataDir, 'store', kind)).filter(name => /^server\.(json|conf)$/.test(name))) {
      t.equal(statSync(join(dataDir, 'store', kind, name)).mode & 0o777, 0o600, name)
    }

    // Neither kind can read the other's data, and holds must not be forgotten: the folder stays with the kind that filled it.
    if (kind === 'child')
      await t.rejects(resolveStore({ ...options, path: nowhere }), { code: 'store_unavailable', message: /not there any more/ })
    const again = await resolveStore({ ...options, path })
    t.teardown(() => again.close())
    t.equal(again.documents.health.kind, kind, 'also where a server is on PATH by now')
    t.equal(again.epoch, epoch)
    t.equal(await again.documents.get('job', 'a'), 1)
  })
}

t.test('a server that does not start says why', async t => {
  if (skipped(t)) return
  const dataDir = folder(t)
  await (await resolveStore({ dataDir, path, warn: () => {} })).close()
  const aof = join(dataDir, 'store', 'child', 'appendonlydir')
  for (const name of readdirSync(aof).filter(name => name.endsWith('.aof'))) writeFileSync(join(aof, name), 'nonsense')
  await t.rejects(resolveStore({ dataDir, path, warn: () => {} }), {
    code: 'store_unavailable',
    message: /did not start: .*(AOF|append only)/i,
  })
  t.notOk(existsSync(join(dataDir, 'store', 'lock')), 'and lets go of the folder')
})

t.test('a long data folder gets its socket elsewhere, in a private place', async t => {
  if (skipped(t)) return
  const dataDir = join(folder(t), 'x'.repeat(100))
  const store = await resolveStore({ dataDir, path, warn: () => {} })
  const socket = socketOf(join(dataDir, 'store', 'child'))
  t.ok(Buffer.byteLength(socket) <= 100)
  t.equal(statSync(join(socket, '..')).mode & 0o777, 0o700)
  await store.documents.ping()
  await store.close()
  t.notOk(existsSync(join(socket, '..')), 'and leaves nothing there')
  mkdirSync(join(socket, '..'), { mode: 0o777 })
  chmodSync(join(socket, '..'), 0o777)
  t.teardown(() => rmSync(join(socket, '..'), { recursive: true }))
  await t.rejects(
    resolveStore({ dataDir, path, warn: () => {} }),
    { message: /not private/ },
    'a place that others can write to is not used',
  )
})

t.test('the lock of a process that is gone, or of another with the same number, is taken over', async t => {
  const file = join(folder(t), 'lock')
  const me = identify(process.pid)
  for (const owner of [{ pid: 2 ** 30, start: 'long ago' }, { pid: process.pid, start: 'another one' }, 'half a rec']) {
    writeFileSync(file, typeof owner === 'string' ? owner : JSON.stringify(owner))
    const release = lockFolder(file)
    t.same(readIdentity(file), me)
    t.throws(() => lockFolder(file), { code: 'store_unavailable' })
    release()
    t.notOk(existsSync(file))
  }
  t.same(readdirSync(join(file, '..')), [], 'nothing is left lying about')
})
