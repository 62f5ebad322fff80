import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Secret } from '../../src/core/secret.ts'
import { formatVaultKeys, newVaultKey, type VaultKey } from '../../src/vault/key.ts'
import { chooseKeySource } from '../../src/vault/keys.ts'
import { openVault } from '../../src/vault/open.ts'
import { memory } from './support.ts'

const refused = (message: RegExp) => ({ name: 'SafestateError', code: 'vault_unavailable', message })

function keyFile(path: string, keys: VaultKey[], mode: number): string {
  writeFileSync(path, formatVaultKeys(keys).reveal())
  chmodSync(path, mode)
  return path
}

t.test('the key file in the data directory is its owner’s alone', async t => {
  const dataDir = t.testdir()
  const key = newVaultKey()
  const path = keyFile(join(dataDir, 'vault-key'), [key], 0o600)
  const read = () =>
    chooseKeySource({ dataDir })
      .read()
      ?.map(({ id }) => id)
  t.same(read(), [key.id])
  chmodSync(path, 0o400)
  t.same(read(), [key.id])
  for (const mode of [0o640, 0o604, 0o660, 0o644, 0o601, 0o620]) {
    chmodSync(path, mode)
    t.throws(read, refused(/chmod 0600/), mode.toString(8))
    t.throws(() => chooseKeySource({ dataDir, vaultKeyFile: path }).read(), refused(/chmod 0600/), 'named or not')
  }
  chmodSync(path, 0o600)
  writeFileSync(path, '')
  t.throws(read, refused(/holds no key/))
})

t.test('a mounted Secret may be read by its group, by nobody else', async t => {
  const dataDir = t.testdir({ data: {}, mounted: { '..2026': {} } })
  const data = join(dataDir, 'data')
  const mounted = join(dataDir, 'mounted')
  const [key, next] = [newVaultKey(), newVaultKey()]
  // As Kubernetes lays it out: vault-key -> ..data/vault-key, ..data -> ..2026
  const file = keyFile(join(mounted, '..2026', 'vault-key'), [key], 0o440)
  symlinkSync('..2026', join(mounted, '..data'))
  symlinkSync('..data/vault-key', join(mounted, 'vault-key'))
  for (const vaultKeyFile of [mounted, join(mounted, 'vault-key')]) {
    const source = chooseKeySource({ dataDir: data, vaultKeyFile })
    t.same(
      source.read()?.map(({ id }) => id),
      [key.id],
    )
    t.equal(source.own, false)
    t.throws(() => source.update(keys => keys), refused(/brought by people/))
    t.throws(() => source.create(), refused(/brought by people/))
  }
  const source = chooseKeySource({ dataDir: data, vaultKeyFile: mounted })
  rmSync(file)
  keyFile(file, [next, key], 0o440)
  t.same(
    source.read()?.map(({ id }) => id),
    [next.id, key.id],
    'what the kubelet changes is seen',
  )
  for (const mode of [0o444, 0o644, 0o460, 0o450, 0o404]) {
    chmodSync(file, mode)
    t.throws(() => source.read(), refused(/defaultMode: 0440/), mode.toString(8))
  }
  chmodSync(file, 0o440)
  symlinkSync(join(mounted, 'vault-key'), join(data, 'vault-key'))
  const linked = chooseKeySource({ dataDir: data })
  t.same(
    linked.read()?.map(({ id }) => id),
    [next.id, key.id],
    'a link out of the data directory is judged by where it leads',
  )
  t.equal(linked.own, false)
  const back = join(dataDir, 'back')
  rmSync(join(data, 'vault-key'))
  keyFile(join(data, 'vault-key'), [key], 0o440)
  symlinkSync(join(data, 'vault-key'), back)
  t.throws(() => chooseKeySource({ dataDir: data, vaultKeyFile: back }).read(), refused(/chmod 0600/), 'and so is a link into it')
})

t.test('sources: one at a time, and what is named must be there', async t => {
  const dataDir = t.testdir()
  const vaultKey = new Secret(Buffer.alloc(32, 5).toString('base64'))
  t.throws(() => chooseKeySource({ dataDir, vaultKey, vaultKeyFile: '/x' }), refused(/set one/))
  t.throws(() => chooseKeySource({ dataDir, vaultKey: new Secret('marked') }), refused(/^SAFESTATE_VAULT_KEY, key 1/))
  t.throws(() => chooseKeySource({ dataDir, vaultKeyFile: join(dataDir, 'nowhere') }).read(), refused(/no vault key at/))
  mkdirSync(join(dataDir, 'empty'))
  t.throws(() => chooseKeySource({ dataDir, vaultKeyFile: join(dataDir, 'empty') }).read(), refused(/no vault key at/))
  mkdirSync(join(dataDir, 'dir', 'vault-key'), { recursive: true })
  t.throws(() => chooseKeySource({ dataDir, vaultKeyFile: join(dataDir, 'dir') }).read(), refused(/not a file/))
  t.equal(chooseKeySource({ dataDir }).read(), undefined)
})

t.test('a first start with an empty store makes a key; later starts need it', async t => {
  const dataDir = join(t.testdir(), 'made', 'by us')
  const { documents, data } = memory()
  const first = await openVault(documents, { dataDir })
  const path = join(dataDir, 'vault-key')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  t.equal(first.rotating, false)
  const sealed = first.vault.seal('d', new Secret('x'))
  const again = await openVault(memory(data).documents, { dataDir })
  t.equal(again.vault.open('d', sealed).reveal(), 'x')
  t.notMatch(JSON.stringify([...data.documents]), readFileSync(path, 'utf8').slice(17, 40), 'the store does not hold the key')

  const kept = readFileSync(path, 'utf8')
  rmSync(path)
  await t.rejects(
    openVault(documents, { dataDir }),
    refused(new RegExp(`sealed with the vault key ${first.vault.keyId}, and no key is configured`)),
  )
  t.notOk(existsSync(path), 'no new key is made for a store that has one')
  await t.rejects(
    openVault(documents, { dataDir, vaultKey: new Secret(Buffer.alloc(32, 9).toString('base64')) }),
    refused(/configure the key of this store/),
  )
  const moved = await openVault(documents, { dataDir, vaultKey: new Secret(kept.split('\n')[0]?.replace(/ #.*/, '') ?? '') })
  t.equal(moved.vault.open('d', sealed).reveal(), 'x', 'the same key from another source is the same key')
  t.same(readdirSync(dataDir), [])
})

t.test('a store that holds envelopes but forgot its key is not taken for an empty one', async t => {
  const dataDir = t.testdir()
  const { documents } = memory()
  const { vault } = await openVault(documents, { dataDir })
  await documents.transact(async tx => {
    tx.put('meta', 'signing-key', { sealed: vault.seal('signing-key', new Secret('x')) })
    tx.delete('meta', 'vault')
  })
  await t.rejects(openVault(documents, { dataDir }), refused(/no longer knows its vault key/))
})

t.test('two gateways that start with one empty store agree on one key, or one does not start', async t => {
  const { documents, data } = memory()
  const same = t.testdir({ a: {}, b: {}, shared: {} })
  const shared = await Promise.all([1, 2, 3].map(() => openVault(memory(data).documents, { dataDir: join(same, 'shared') })))
  t.equal(new Set(shared.map(({ vault }) => vault.keyId)).size, 1, 'one data directory: one key')
  await t.rejects(openVault(documents, { dataDir: join(same, 'a') }), refused(/no key is configured/))

  const fresh = memory()
  const both = await Promise.allSettled(['a', 'b'].map(name => openVault(memory(fresh.data).documents, { dataDir: join(same, name) })))
  t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], 'two data directories: the second finds the first one’s key')
  const lost = both.find(({ status }) => status === 'rejected') as PromiseRejectedResult
  t.match(lost.reason, refused(/configure the key of this store/))
})
