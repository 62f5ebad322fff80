import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Documents } from '../../src/core/documents.ts'
import { Secret } from '../../src/core/secret.ts'
import { openSigningKey } from '../../src/receipts/key.ts'
import { adminToken } from '../../src/vault/admin.ts'
import { envelopeHead } from '../../src/vault/envelope.ts'
import { formatVaultKeys, newVaultKey, parseVaultKeys } from '../../src/vault/key.ts'
import { Keyring } from '../../src/vault/keyring.ts'
import { type OpenedVault, openVault } from '../../src/vault/open.ts'
import { rotateVault } from '../../src/vault/rotate.ts'
import { envelopesOf, mapEnvelopes, SEALED_KINDS, sealedDocuments } from '../../src/vault/sealed.ts'
import { verifyToken } from '../../src/vault/tokens.ts'
import { dying, memory, replaced, stillClock } from './support.ts'

const DEVICES = 5

/** A store with everything that is sealed: credentials, endpoints with intents, signing key, administrator's token. */
async function fill(documents: Documents, { vault }: OpenedVault): Promise<{ kid: string; admin: string }> {
  for (let n = 0; n < DEVICES; n += 1) await putDevice(documents, vault, n, `password ${n}`)
  const { kid } = await openSigningKey(documents, vault)
  return { kid, admin: (await adminToken(documents, vault))?.reveal() ?? '' }
}

async function putDevice(documents: Documents, vault: Keyring, n: number, password: string): Promise<void> {
  const name = `bmc-${n}`
  await documents.transact(async tx => {
    tx.put('credential', name, vault.seal(name, new Secret(password)))
    tx.indexAdd('devices', name, 0)
    const closing = (text: string) => ({ id: text, closing: vault.seal(name, new Secret(text)) })
    tx.put('endpoint', name, { counter: n, intents: [closing(`s ${n}a`), { id: 'open', closing: null }, closing(`s ${n}b`)] })
    tx.indexAdd('endpoints', name, 0)
  })
}

/** Everything that is sealed, opened, with the ids of the keys it is sealed under. */
async function readAll(documents: Documents, vault: Keyring): Promise<{ texts: string[]; keyIds: string[] }> {
  const texts: string[] = []
  const keyIds = new Set<string>()
  for await (const { kind, data } of sealedDocuments(documents, SEALED_KINDS)) {
    for (const envelope of envelopesOf(data, kind.fields)) {
      const head = envelopeHead(envelope)
      keyIds.add(head?.keyId ?? '')
      texts.push(vault.open(head?.subject ?? '', envelope).reveal())
    }
  }
  return { texts, keyIds: [...keyIds] }
}

function fileKeys(dataDir: string): string[] {
  return parseVaultKeys(new Secret(readFileSync(join(dataDir, 'vault-key'), 'utf8')), 'file').map(({ id }) => id)
}

t.test('a rotation seals everything anew; afterwards the old key is gone and opens nothing', async t => {
  const dataDir = t.testdir()
  const { documents, data } = memory()
  const opened = await openVault(documents, { dataDir })
  const { kid, admin } = await fill(documents, opened)
  const oldFile = readFileSync(join(dataDir, 'vault-key'), 'utf8')
  const before = await readAll(documents, opened.vault)
  t.equal(before.texts.length, DEVICES * 3 + 2)
  t.same(before.keyIds, [opened.vault.keyId])
  const oldId = opened.vault.keyId

  const other = await openVault(memory(data).documents, { dataDir })
  const slept: string[][] = []
  const done = await rotateVault(documents, opened, { clock: stillClock(async () => void slept.push(fileKeys(dataDir))) })
  t.not(done.keyId, oldId)
  t.same(done, { keyId: done.keyId, resealed: DEVICES * 2 + 2, unreadable: [] })
  t.same(slept, [[done.keyId, oldId]], 'while it lasts the old key stays in the file')
  t.same(fileKeys(dataDir), [done.keyId])
  t.same(readdirSync(dataDir), ['vault-key'])
  t.equal(opened.vault.keyId, done.keyId)
  t.equal(other.vault.keyId, done.keyId, 'another gateway was told')

  for (const vault of [opened.vault, other.vault, (await openVault(documents, { dataDir })).vault]) {
    t.same(await readAll(documents, vault), { texts: before.texts, keyIds: [done.keyId] })
  }
  t.notMatch(JSON.stringify([...data.documents]), oldId, 'nothing in the store names the old key, in whatever kind of document')
  t.equal((await openSigningKey(documents, other.vault)).kid, kid, 'receipts keep their key')
  t.equal((await adminToken(documents, other.vault))?.reveal(), admin)
  t.ok(await verifyToken(documents, new Secret(admin)))

  const [oldKey] = parseVaultKeys(new Secret(oldFile), 'old')
  t.ok(oldKey)
  if (oldKey !== undefined) await t.rejects(readAll(documents, new Keyring([oldKey], oldKey.id)), { code: 'vault_unavailable' })
  writeFileSync(join(dataDir, 'vault-key'), oldFile)
  await t.rejects(openVault(documents, { dataDir }), { code: 'vault_unavailable', message: /configure the key of this store/ })
})

t.test('cut short at any step it leaves everything readable, and goes on where it was', async t => {
  let crashes = 0
  for (let at = 0; ; at += 1) {
    const dataDir = t.testdir()
    rmSync(join(dataDir, 'vault-key'), { force: true })
    const { documents, data } = memory()
    const first = await openVault(documents, { dataDir })
    await fill(documents, first)
    const { texts } = await readAll(documents, first.vault)
    const view = dying(documents, at)
    try {
      await rotateVault(view.documents, first, { clock: stillClock() })
    } catch (error) {
      t.match(error, { code: 'store_unavailable' })
    }
    if (!view.died()) break
    crashes += 1
    first.close()

    const restarted = await openVault(memory(data).documents, { dataDir })
    const between = await readAll(documents, restarted.vault)
    // A writer between the crash and the second try seals with whatever seals now.
    await putDevice(documents, restarted.vault, 0, 'password 0')
    t.same(between.texts, texts, `everything opens after a crash at ${at}`)
    const done = await rotateVault(documents, restarted, { clock: stillClock() })
    t.same(await readAll(documents, restarted.vault), { texts, keyIds: [done.keyId] })
    t.same(fileKeys(dataDir), [done.keyId], 'only the new key is left')
    const last = await openVault(documents, { dataDir })
    t.equal(last.rotating, false)
    t.same((await readAll(documents, last.vault)).texts, texts)
  }
  t.ok(crashes > 2 * (DEVICES * 2 + 2), `${crashes} crashes`)
})

t.test('a crash after its end leaves the old key in the file only until the next start', async t => {
  const dataDir = t.testdir()
  const { documents } = memory()
  const opened = await openVault(documents, { dataDir })
  await fill(documents, opened)
  const oldFile = readFileSync(join(dataDir, 'vault-key'), 'utf8')
  const { keyId } = await rotateVault(documents, opened, { clock: stillClock() })
  writeFileSync(join(dataDir, 'vault-key'), readFileSync(join(dataDir, 'vault-key'), 'utf8') + oldFile)
  t.equal(fileKeys(dataDir).length, 2)
  const again = await openVault(documents, { dataDir })
  t.same(fileKeys(dataDir), [keyId])
  again.close()
  // Not while anything is still sealed under it.
  const [old] = parseVaultKeys(new Secret(oldFile), 'old')
  if (old === undefined) return t.fail('no old key')
  await putDevice(documents, new Keyring([old], old.id), 3, 'late')
  writeFileSync(join(dataDir, 'vault-key'), readFileSync(join(dataDir, 'vault-key'), 'utf8') + oldFile)
  const late = await openVault(documents, { dataDir })
  t.equal(fileKeys(dataDir).length, 2)
  t.ok((await readAll(documents, late.vault)).texts.includes('late'))
})

t.test('writers at work meanwhile lose nothing, late ones with the old key included', async t => {
  const dataDir = t.testdir()
  const { documents, data } = memory()
  const opened = await openVault(documents, { dataDir })
  await fill(documents, opened)
  const other = await openVault(memory(data).documents, { dataDir })
  const late = other.vault.seal('bmc-1', new Secret('sealed before, committed late'))

  let writing = true
  const expected = new Map<number, string>()
  const writer = async (documents: Documents, vault: Keyring, device: number) => {
    for (let round = 0; writing; round += 1) {
      await putDevice(documents, vault, device, `password ${device} round ${round}`)
      expected.set(device, `password ${device} round ${round}`)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  const writers = [
    writer(documents, opened.vault, 2),
    writer(memory(data).documents, other.vault, 3),
    writer(memory(data).documents, other.vault, 4),
  ]
  const clock = stillClock(async () => {
    await documents.transact(async tx => tx.put('credential', 'bmc-1', late))
  })
  const done = await rotateVault(documents, opened, { clock })
  writing = false
  await Promise.all(writers)
  const { texts, keyIds } = await readAll(documents, (await openVault(documents, { dataDir })).vault)
  t.same(keyIds, [done.keyId])
  for (const password of expected.values()) t.ok(texts.includes(password), password)
  t.ok(texts.includes('sealed before, committed late'))
})

t.test('several at once, by one gateway or two, end with one key', async t => {
  const dataDir = t.testdir()
  const { documents, data } = memory()
  const opened = await openVault(documents, { dataDir })
  await fill(documents, opened)
  const { texts } = await readAll(documents, opened.vault)
  const other = await openVault(memory(data).documents, { dataDir })
  const all = await Promise.all([
    rotateVault(documents, opened, { clock: stillClock() }),
    rotateVault(documents, opened, { clock: stillClock() }),
    rotateVault(memory(data).documents, other, { clock: stillClock() }),
  ])
  const last = await openVault(documents, { dataDir })
  t.same(await readAll(documents, last.vault), { texts, keyIds: [last.vault.keyId] })
  t.same(fileKeys(dataDir), [last.vault.keyId])
  t.equal(new Set(all.map(({ keyId }) => keyId)).size, 1)
})

t.test('two gateways with different new keys: the first to begin decides, the other says what it lacks', async t => {
  const dataDir = t.testdir()
  const { documents, data } = memory()
  const [old, one, two] = [newVaultKey(), newVaultKey(), newVaultKey()]
  const start = (keys: (typeof old)[]) =>
    openVault(memory(data).documents, { dataDir, vaultKey: new Secret(formatVaultKeys(keys).reveal()) })
  const first = await start([old])
  await fill(documents, first)
  const { texts } = await readAll(documents, first.vault)
  const [a, b] = [await start([one, old]), await start([two, old])]
  const both = await Promise.allSettled([a, b].map(opened => rotateVault(memory(data).documents, opened, { clock: stillClock() })))
  t.match(both, [{ value: { keyId: one.id } }, { reason: { code: 'vault_unavailable', message: new RegExp(one.id) } }])
  t.same(await readAll(documents, (await start([one])).vault), { texts, keyIds: [one.id] })
})

t.test('keys that people bring: the new one first, the old one after it, at every gateway', async t => {
  const dataDir = t.testdir()
  const mounted = join(t.testdir({ data: {}, secret: {} }), 'secret', 'vault-key')
  const settings = { dataDir: join(dataDir, 'data'), vaultKeyFile: mounted }
  const [old, next] = [newVaultKey(), newVaultKey()]
  const mount = (keys: (typeof old)[]) => writeFileSync(mounted, formatVaultKeys(keys).reveal(), { mode: 0o440 })
  mount([old])
  const { documents, data } = memory()
  const opened = await openVault(documents, settings)
  await fill(documents, opened)
  const { texts } = await readAll(documents, opened.vault)
  const clock = stillClock()
  await t.rejects(rotateVault(documents, opened, { clock }), { code: 'bad_request', message: /put a new key first/ })
  mount([next])
  await t.rejects(rotateVault(documents, opened, { clock }), { code: 'bad_request', message: /must keep the current vault key/ })
  await t.rejects(openVault(documents, settings), { code: 'vault_unavailable' })
  mount([next, old])
  const restarted = await openVault(memory(data).documents, settings)
  t.equal(restarted.vault.keyId, old.id, 'a new key in the Secret seals nothing before the rotation: other gateways may not have it yet')
  await t.rejects(rotateVault(dying(documents, 3).documents, opened, { clock }), { code: 'store_unavailable' })
  mount([next])
  await t.rejects(openVault(documents, settings), { code: 'vault_unavailable', message: /not finished: keep it/ })
  mount([next, old])
  const cut = await openVault(documents, settings)
  t.equal(cut.rotating, true)
  t.equal((await rotateVault(documents, cut, { clock })).keyId, next.id)
  t.equal(restarted.vault.keyId, next.id)
  mount([next])
  t.same(await readAll(documents, (await openVault(documents, settings)).vault), { texts, keyIds: [next.id] })

  const bytes = (key: typeof old) => key.key.export().toString('base64')
  const env = (text: string) => openVault(documents, { dataDir, vaultKey: new Secret(text) })
  const [third] = [newVaultKey()]
  await t.rejects(rotateVault(documents, await env(bytes(next)), { clock }), { code: 'bad_request', message: /SAFESTATE_VAULT_KEY/ })
  await rotateVault(documents, await env(`new:${bytes(third)},old:${bytes(next)}`), { clock })
  t.same(await readAll(documents, (await env(bytes(third))).vault), { texts, keyIds: [third.id] })
})

t.test('what no key opens is named and left; it does not keep a rotation from its end', async t => {
  const dataDir = t.testdir()
  const { documents } = memory()
  const opened = await openVault(documents, { dataDir })
  await fill(documents, opened)
  const stranger = newVaultKey()
  const lost = new Keyring([stranger], stranger.id).seal('bmc-1', new Secret('lost'))
  await documents.transact(async tx => {
    tx.put('credential', 'bmc-1', lost)
    tx.put('credential', 'bmc-2', 'garbage')
    tx.put('endpoint', 'bmc-3', { intents: [{ closing: lost }, { closing: opened.vault.seal('bmc-3', new Secret('fine')) }] })
  })
  const done = await rotateVault(documents, opened, { clock: stillClock() })
  t.same(done.unreadable, [
    { kind: 'credential', id: 'bmc-1' },
    { kind: 'credential', id: 'bmc-2' },
    { kind: 'endpoint', id: 'bmc-3' },
  ])
  t.equal(await documents.get('credential', 'bmc-1'), lost)
  const mixed = await documents.get<{ intents: { closing: string }[] }>('endpoint', 'bmc-3')
  t.equal(opened.vault.open('bmc-3', mixed?.intents[1]?.closing ?? '').reveal(), 'fine')
  t.equal(envelopeHead(mixed?.intents[1]?.closing ?? '')?.keyId, done.keyId, 'beside it, what opens is sealed anew')
})

t.test('a gateway that goes on with the old key is said, not waited for', async t => {
  const dataDir = t.testdir()
  const { documents, data } = memory()
  const opened = await openVault(documents, { dataDir })
  await fill(documents, opened)
  const [old] = parseVaultKeys(new Secret(readFileSync(join(dataDir, 'vault-key'), 'utf8')), 'file')
  if (old === undefined) return t.fail('no key')
  const deaf = new Keyring([old], old.id)
  // It writes again whenever the sweep has come by.
  const stubborn = replaced(documents, 'byMember', async (index, options) => {
    if (index === 'devices') await putDevice(memory(data).documents, deaf, 0, 'again')
    return documents.byMember(index, options)
  })
  await t.rejects(rotateVault(stubborn, opened, { clock: stillClock() }), { code: 'vault_unavailable', message: /goes on sealing/ })
  t.equal(fileKeys(dataDir).length, 2, 'the old key is kept')
  t.equal((await rotateVault(documents, opened, { clock: stillClock() })).keyId, opened.vault.keyId)
  t.equal(fileKeys(dataDir).length, 1)
})

t.test('paths to envelopes: names, lists, the document itself', async t => {
  const shout = (text: string) => text.toUpperCase()
  t.same(mapEnvelopes({ a: { b: 'x' }, c: 'y' }, ['a.b'], shout), { a: { b: 'X' }, c: 'y' })
  t.same(mapEnvelopes({ list: [{ b: 'x' }, { b: null }, null, { c: 'x' }] }, ['list[].b'], shout), {
    list: [{ b: 'X' }, { b: null }, null, { c: 'x' }],
  })
  t.equal(mapEnvelopes('x', [''], shout), 'X')
  t.same(mapEnvelopes({ list: ['x', 'y'] }, ['list[]'], shout), { list: ['X', 'Y'] })
  const same = { a: 'X', list: [{ b: 'X' }] }
  t.equal(mapEnvelopes(same, ['a', 'list[].b', 'not.there', 'a.deeper'], shout), same, 'unchanged is the same object')
})
