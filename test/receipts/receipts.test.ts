import { createHash, createPublicKey, verify } from 'node:crypto'
import { inspect } from 'node:util'
import t from 'tap'
import type { Receipt } from '../../src/core/receipt.ts'
import { Secret } from '../../src/core/secret.ts'
import { openSigningKey, SIGNING_KEY_SUBJECT } from '../../src/receipts/key.ts'
import { makeRevocations } from '../../src/receipts/revocations.ts'
import { jwks, makeSigner } from '../../src/receipts/signer.ts'
import { newVaultKey } from '../../src/vault/key.ts'
import { Keyring } from '../../src/vault/keyring.ts'
import { memory, replaced } from '../vault/support.ts'
import { statement } from './support.ts'

const key = newVaultKey()
const vault = new Keyring([key], key.id)

/** Checks a compact JWS with nothing but node:crypto and RFC 7515, 8037; gives header and payload. */
function openByHand(jws: string, x: string): { header: unknown; payload: unknown } {
  const [header = '', payload = '', signature = ''] = jws.split('.')
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  if (!verify(null, Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url'))) throw new Error('bad signature')
  return {
    header: JSON.parse(Buffer.from(header, 'base64url').toString()),
    payload: JSON.parse(Buffer.from(payload, 'base64url').toString()),
  }
}

t.test('one signing key per store, whoever comes first; sealed, and not to be exported', async t => {
  const { documents, data } = memory()
  const keys = await Promise.all([1, 2, 3].map(() => openSigningKey(memory(data).documents, vault)))
  t.equal(new Set(keys.map(({ kid }) => kid)).size, 1)
  const [first] = keys
  if (first === undefined) return t.fail('no key')
  t.equal((await openSigningKey(documents, vault)).kid, first.kid, 'the same after a restart')
  const { x } = first.publicKey
  t.equal(
    first.kid,
    createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url'),
    'kid is the RFC 7638 thumbprint',
  )
  t.equal(first.privateKey.extractable, false)

  const stored = await documents.get<{ kid: string; sealed: string }>('meta', 'signing-key')
  const { d } = JSON.parse(vault.open(SIGNING_KEY_SUBJECT, stored?.sealed ?? '').reveal()) as { d: string }
  t.match(d, /^[A-Za-z0-9_-]{43}$/)
  for (const shown of [
    JSON.stringify([...data.documents]),
    JSON.stringify(jwks(first)),
    JSON.stringify(first),
    inspect(first, { depth: 9, showHidden: true }),
  ]) {
    t.notMatch(shown, d)
  }
  t.same(jwks(first), { keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: first.kid, use: 'sig', alg: 'EdDSA' }] })

  const stranger = newVaultKey()
  await t.rejects(openSigningKey(documents, new Keyring([stranger], stranger.id)), { code: 'vault_unavailable' })
  const other = await openSigningKey(memory().documents, vault)
  t.not(other.kid, first.kid)
  await documents.transact(async tx => tx.put('meta', 'signing-key', { ...stored, kid: other.kid, publicKey: other.publicKey }))
  await t.rejects(
    openSigningKey(documents, vault),
    { code: 'vault_unavailable', message: /was changed/ },
    'a public half that was put in is found out',
  )
})

t.test('a receipt verifies by node:crypto alone, and says what it is', async t => {
  const signing = await openSigningKey(memory().documents, vault)
  const signer = makeSigner(signing)
  const payload = statement({ node: 'wörker-1', warnings: ['not_restored'] })
  const jws = await signer.sign(payload)
  t.match(jws, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$/, 'compact form')
  const opened = openByHand(jws, signing.publicKey.x)
  t.same(opened.header, { alg: 'EdDSA', kid: signing.kid, typ: 'safestate-receipt+jwt' })
  t.same(opened.payload, payload)
  t.equal(signer.kid, signing.kid)
  const other = await openSigningKey(memory().documents, vault)
  t.throws(() => openByHand(jws, other.publicKey.x), /bad signature/)
})

t.test('the revocation list: all that is revoked, signed, young, and new after each change', async t => {
  const { documents } = memory()
  const signing = await openSigningKey(documents, vault)
  let mono = 0
  const clock = { now: () => Date.UTC(2026, 0, 1) + mono, mono: () => mono, sleep: async () => {} }
  const revocations = makeRevocations(documents, signing, 'https://safestate.example', clock)
  const list = async () => openByHand(await revocations.list(), signing.publicKey.x)
  t.same(await list(), {
    header: { alg: 'EdDSA', kid: signing.kid, typ: 'safestate-revocations+jwt' },
    payload: { iss: 'https://safestate.example', issuedAt: '2026-01-01T00:00:00.000Z', revoked: [] },
  })
  const put = (id: string, status: Receipt['status']) =>
    documents.transact(async tx => {
      const receipt = { id, cluster: 'default', node: 'n', jobId: 'j', holdId: 'h', jws: 'x', issuedAt: '2026-01-01T00:00:00.000Z', status }
      tx.put(
        'receipt',
        id,
        status === 'revoked' ? { ...receipt, revokedAt: '2026-01-01T00:01:00.000Z', revokedBecause: 'found on' } : receipt,
      )
      if (status === 'revoked') tx.indexAdd('revoked', id, 0)
      tx.emit({ topic: 'receipt', id })
    })
  await put('a', 'standing')
  const before = await revocations.list()
  t.equal(await revocations.list(), before, 'kept while nothing changes')
  await documents.transact(async tx => tx.indexAdd('revoked', 'a', 0))
  await put('b', 'revoked')
  t.same(
    ((await list()).payload as { revoked: unknown[] }).revoked,
    [{ jti: 'b', revokedAt: '2026-01-01T00:01:00.000Z', reason: 'found on' }],
    'the index is a hint, the receipt decides',
  )
  for (let n = 0; n < 600; n += 1) await put(`many-${n}`, 'revoked')
  t.equal(((await list()).payload as { revoked: unknown[] }).revoked.length, 601, 'past one page')
  mono += 10_000
  t.match((await list()).payload, { issuedAt: '2026-01-01T00:00:10.000Z' }, 'an old one is signed anew')

  const away = replaced(documents, 'byMember', async (index, options) => {
    if (mono < 20_000) throw new Error('away')
    return documents.byMember(index, options)
  })
  const broken = makeRevocations(away, signing, 'https://safestate.example', clock)
  await t.rejects(broken.list(), /away/)
  mono = 20_000
  t.ok(await broken.list(), 'a failure is not kept')
})

t.test('what is sealed for the signing key opens for nothing else', async t => {
  const { documents } = memory()
  await openSigningKey(documents, vault)
  const stored = await documents.get<{ sealed: string }>('meta', 'signing-key')
  t.throws(() => vault.open('bmc-1', stored?.sealed ?? ''), { code: 'vault_unavailable' })
  await documents.transact(async tx => tx.put('meta', 'signing-key', { ...stored, sealed: vault.seal('bmc-1', new Secret('{}')) }))
  await t.rejects(openSigningKey(documents, vault), { code: 'vault_unavailable' })
})
