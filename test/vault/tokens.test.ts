import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { covers, isScope, permits, SCOPES } from '../../src/core/scopes.ts'
import { Secret } from '../../src/core/secret.ts'
import { adminToken, writeAdminToken } from '../../src/vault/admin.ts'
import { newVaultKey } from '../../src/vault/key.ts'
import { Keyring } from '../../src/vault/keyring.ts'
import { createToken, listTokens, revokeToken, type StoredToken, verifyToken } from '../../src/vault/tokens.ts'
import { memory, replaced } from './support.ts'

const key = newVaultKey()
const vault = () => new Keyring([key], key.id)

t.test('a token is known by its text alone, which is nowhere kept', async t => {
  const { documents, data } = memory()
  const { id, token } = await createToken(documents, { name: 'ci', scopes: ['jobs:off', 'jobs:read', 'jobs:off'], clusters: ['west'] })
  t.match(token.reveal(), new RegExp(`^sst_${id}_[A-Za-z0-9_-]{43}$`))
  t.same(await verifyToken(documents, token), { tokenId: id, name: 'ci', scopes: ['jobs:off', 'jobs:read'], clusters: ['west'] })
  const everywhere = await createToken(documents, { name: 'all', scopes: ['admin'] })
  t.same(await verifyToken(documents, everywhere.token), { tokenId: everywhere.id, name: 'all', scopes: ['admin'] })
  const secret = token.reveal().slice(21)
  t.notMatch(JSON.stringify([...data.documents]), secret)
  t.same((await listTokens(documents)).map(({ name }) => name).sort(), ['all', 'ci'])
  t.notMatch(JSON.stringify(await listTokens(documents)), (await documents.get<StoredToken>('token', id))?.hash ?? '-')
})

t.test('every other text is nobody’s', async t => {
  const { documents } = memory()
  const { id, token } = await createToken(documents, { name: 'one', scopes: ['admin'] })
  const other = await createToken(documents, { name: 'other', scopes: ['admin'] })
  const text = token.reveal()
  const wrong = [
    '',
    'sst_',
    id,
    `${text} `,
    ` ${text}`,
    `${text}\n`,
    text.slice(0, -1),
    text.toUpperCase(),
    text.replace(id, other.id),
    text.replace(id, '0'.repeat(16)),
    `sst_${id}_${(await documents.get<StoredToken>('token', id))?.hash}`,
    `sst___proto_______${text.slice(20)}`,
  ]
  for (const bad of wrong) t.equal(await verifyToken(documents, new Secret(bad)), undefined, JSON.stringify(bad.slice(0, 8)))
  // The last character of 43 has two spare bits: its neighbours decode to the same bytes and are still other texts.
  const passed: string[] = []
  for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
    if (await verifyToken(documents, new Secret(text.slice(0, -1) + last))) passed.push(last)
  }
  t.same(passed, [text.slice(-1)])
})

t.test('a revocation counts at once, at every gateway, and for good', async t => {
  const { documents, data } = memory()
  const { id, token } = await createToken(documents, { name: 'one', scopes: ['admin'] })
  const elsewhere = memory(data).documents
  t.ok(await verifyToken(elsewhere, token))
  await revokeToken(documents, 'one')
  t.equal(await verifyToken(elsewhere, token), undefined)
  t.match(await listTokens(documents), [{ id, name: 'one', revokedAt: /^2026/ }])
  await revokeToken(documents, id)
  await t.rejects(revokeToken(documents, 'one'), { code: 'not_found' }, 'its name is free again')
  await createToken(documents, { name: 'one', scopes: ['jobs:read'] })
  t.equal(await verifyToken(documents, token), undefined)
  const named = await createToken(documents, { name: id, scopes: ['jobs:read'] })
  await revokeToken(documents, id)
  t.ok(await verifyToken(documents, named.token), 'an id is an id, also where a token is named like it')
})

t.test('bad input names its fields; names are taken once', async t => {
  const { documents } = memory()
  await t.rejects(createToken(documents, { name: 'a b', scopes: ['jobs:off', 'root'], clusters: [] }), {
    code: 'bad_request',
    facts: { errors: [{ field: 'name' }, { field: 'scopes/1' }, { field: 'clusters' }] },
  })
  await t.rejects(createToken(documents, { name: 'a', scopes: [] }), { code: 'bad_request', facts: { errors: [{ field: 'scopes' }] } })
  const both = await Promise.allSettled([1, 2].map(() => createToken(documents, { name: 'twin', scopes: ['admin'] })))
  t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.equal((await listTokens(documents)).length, 1)
  for (let n = 0; n < 501; n += 1) await createToken(documents, { name: `n${n}`, scopes: ['jobs:read'] })
  t.equal((await listTokens(documents)).length, 502, 'lists go past a page')
})

t.test('the administrator’s first token: one per store, told to each machine, until it is revoked', async t => {
  const { documents, data } = memory()
  const [first, second] = await Promise.all([adminToken(documents, vault()), adminToken(memory(data).documents, vault())])
  t.equal(first?.reveal(), second?.reveal())
  t.equal((await adminToken(documents, vault()))?.reveal(), first?.reveal(), 'the same after a restart')
  t.match(await verifyToken(documents, first ?? new Secret('')), { name: 'admin', scopes: ['admin'] })
  t.equal((await listTokens(documents)).length, 1)
  t.notMatch(JSON.stringify([...data.documents]), first?.reveal().slice(21) ?? '-')

  const late = memory()
  let asked = 0
  const racing = replaced(late.documents, 'get', async (kind, id) => {
    if (asked++ > 0) return late.documents.get(kind, id)
    await adminToken(memory(late.data).documents, vault())
    return undefined
  })
  t.ok(await adminToken(racing, vault()), 'made by another gateway between two looks')

  const mine = await createToken(documents, { name: 'mine', scopes: ['admin'] })
  await createToken(documents, { name: 'small', scopes: ['jobs:read'] })
  await createToken(documents, { name: 'west', scopes: ['admin'], clusters: ['west'] })
  await revokeToken(documents, 'admin')
  t.equal(await verifyToken(documents, first ?? new Secret('')), undefined)
  t.equal(await adminToken(documents, vault()), undefined, 'another administrator lives: none is made')
  await revokeToken(documents, mine.id)
  const again = await adminToken(documents, vault())
  t.ok(await verifyToken(documents, again ?? new Secret('')), 'nobody is locked out for good')
  t.not(again?.reveal(), first?.reveal())
  const stranger = newVaultKey()
  await t.rejects(adminToken(documents, new Keyring([stranger], stranger.id)), { code: 'vault_unavailable' })

  const taken = memory().documents
  await createToken(taken, { name: 'admin', scopes: ['jobs:read'] })
  t.ok(await adminToken(taken, vault()), 'also where the name is taken')
  t.equal((await listTokens(taken)).length, 2)
})

t.test('DATA_DIR/admin-token: one line, 0600, replaced whole, gone with the token', async t => {
  const dataDir = join(t.testdir(), 'data')
  const path = writeAdminToken(dataDir, new Secret('sst_a_b'))
  t.equal(readFileSync(path, 'utf8'), 'sst_a_b\n')
  t.equal(statSync(path).mode & 0o777, 0o600)
  const inode = statSync(path).ino
  writeAdminToken(dataDir, new Secret('sst_c_d'))
  t.equal(readFileSync(path, 'utf8'), 'sst_c_d\n')
  t.not(statSync(path).ino, inode, 'a reader sees the old or the new line, never half of one')
  t.same(readdirSync(dataDir), ['admin-token'])
  writeAdminToken(dataDir, undefined)
  t.notOk(existsSync(path))
  writeAdminToken(dataDir, undefined)
  mkdirSync(join(dataDir, 'x'))
  writeFileSync(join(dataDir, `admin-token.${process.pid}.tmp`), 'left by a crash', { mode: 0o644 })
  t.equal(statSync(writeAdminToken(dataDir, new Secret('sst_e_f'))).mode & 0o777, 0o600)
})

t.test('scopes: what they permit, and that nobody hands out more than they have', async t => {
  t.ok(SCOPES.every(isScope))
  t.notOk(isScope('jobs'))
  t.notOk(isScope('toString'))
  t.ok(permits({ scopes: ['jobs:off'] }, 'jobs:off', 'west'))
  t.notOk(permits({ scopes: ['jobs:off'] }, 'jobs:on', 'west'))
  t.ok(permits({ scopes: ['admin'] }, 'holds:force', 'west'))
  t.notOk(permits({ scopes: ['admin'], clusters: ['east'] }, 'jobs:off', 'west'))
  t.notOk(permits({ scopes: ['admin'], clusters: [] }, 'jobs:off', 'west'))
  t.ok(permits({ scopes: ['devices:read'], clusters: ['east'] }, 'devices:read'))
  t.ok(covers({ scopes: ['admin'] }, { scopes: ['admin'] }))
  t.ok(covers({ scopes: ['tokens:write', 'jobs:off'] }, { scopes: ['jobs:off'], clusters: ['west'] }))
  t.notOk(covers({ scopes: ['tokens:write'] }, { scopes: ['admin'] }))
  t.notOk(covers({ scopes: ['admin'], clusters: ['west'] }, { scopes: ['jobs:off'] }), 'all clusters are more than one')
  t.notOk(covers({ scopes: ['admin'], clusters: ['west'] }, { scopes: ['jobs:off'], clusters: ['west', 'east'] }))
  t.ok(covers({ scopes: ['admin'], clusters: ['west'] }, { scopes: ['admin'], clusters: ['west'] }))
})
