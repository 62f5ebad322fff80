import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import t from 'tap'
import { verifyReceipt } from '../../src/client/verify.ts'
import { openSigningKey, type SigningKey } from '../../src/receipts/key.ts'
import { jwks, makeSigner, signJson } from '../../src/receipts/signer.ts'
import { newVaultKey } from '../../src/vault/key.ts'
import { Keyring } from '../../src/vault/keyring.ts'
import { statement } from '../receipts/support.ts'
import { memory } from '../vault/support.ts'

const NOW = Date.UTC(2026, 0, 1, 1)
const ISS = 'https://safestate.example'
const vaultKey = newVaultKey()
const vault = new Keyring([vaultKey], vaultKey.id)
const key = await openSigningKey(memory().documents, vault)
const stranger = await openSigningKey(memory().documents, vault)
const set = jwks(key)
const receipt = await makeSigner(key).sign(statement())

const check = (jws: string, revocations?: string, maxRevocationsAgeSeconds?: number, keys: { keys: readonly object[] } = set) =>
  verifyReceipt(jws, keys, revocations, { now: NOW, ...(maxRevocationsAgeSeconds !== undefined && { maxRevocationsAgeSeconds }) })
const listOf = (
  jtis: string[],
  issuedAt = '2026-01-01T00:30:00Z',
  change: object = {},
  by: SigningKey = key,
  typ = 'safestate-revocations+jwt',
) =>
  signJson(by, typ, {
    iss: ISS,
    issuedAt,
    revoked: jtis.map(jti => ({ jti, revokedAt: '2026-01-01T00:10:00Z', reason: 'found on' })),
    ...change,
  })
const b64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

t.test('a good receipt verifies; without a list revocation was not checked', async t => {
  t.match(await check(receipt), {
    valid: true,
    kid: key.kid,
    payload: statement(),
    revocation: 'not-checked',
    reason: /no revocation list/,
  })
  t.match(await check(`${receipt}\n`), { valid: true }, 'as a file holds it')
  t.same(await check(receipt, await listOf(['another'])), { valid: true, kid: key.kid, payload: statement(), revocation: 'none' })
  t.match(
    await check(receipt, undefined, undefined, { keys: [...jwks(stranger).keys, ...set.keys] }),
    { valid: true },
    'the key is found by its kid',
  )
})

t.test('whatever is not exactly that is refused', async t => {
  const [header = '', payload = '', signature = ''] = receipt.split('.')
  const header2 = (change: object) => b64({ alg: 'EdDSA', kid: key.kid, typ: 'safestate-receipt+jwt', ...change })
  const hs256 = `${header2({ alg: 'HS256' })}.${payload}`
  const x = Buffer.from(key.publicKey.x, 'base64url')
  const unknown = generateKeyPairSync('ed25519').privateKey
  const forged = `${header}.${b64({ ...statement(), node: 'worker-2' })}`
  const cases: Record<string, string> = {
    'alg none': `${header2({ alg: 'none' })}.${payload}.`,
    'alg none, signed': `${header2({ alg: 'none' })}.${payload}.${signature}`,
    'HS256 with the public key': `${hs256}.${createHmac('sha256', x).update(hs256).digest('base64url')}`,
    'HS256 with its text': `${hs256}.${createHmac('sha256', key.publicKey.x).update(hs256).digest('base64url')}`,
    'another alg': `${header2({ alg: 'ES256' })}.${payload}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'another payload': `${forged}.${signature}`,
    'signed by an unknown key under our kid': `${forged}.${sign(null, Buffer.from(forged), unknown).toString('base64url')}`,
    'a key in its own header': await (async () => {
      const own = `${header2({ jwk: { ...stranger.publicKey } })}.${payload}`
      return `${own}.${sign(null, Buffer.from(own), unknown).toString('base64url')}`
    })(),
    'unknown kid': await makeSigner(stranger).sign(statement()),
    'no kid': await makeSigner({ ...key, kid: undefined as unknown as string }).sign(statement()),
    'another typ': await signJson(key, 'JWT', statement()),
    'the typ of a list': await signJson(key, 'safestate-revocations+jwt', statement()),
    'no typ': await signJson(key, undefined as unknown as string, statement()),
    'a list in place of a receipt': await listOf(['x']),
    'JSON form': JSON.stringify({ protected: header, payload, signature }),
    'an unknown critical header': `${header2({ crit: ['exp'], exp: 1 })}.${payload}.${signature}`,
    empty: '',
    nonsense: 'a.b.c',
    'too long': `${header}.${'A'.repeat(2_000_000)}.${signature}`,
    'a list of payloads': await signJson(key, 'safestate-receipt+jwt', [statement()]),
  }
  for (const [name, jws] of Object.entries(cases)) {
    const found = await check(jws)
    t.match(found, { valid: false, revocation: 'not-checked', reason: /^receipt: ./ }, `${name}: ${found.reason}`)
    t.equal(found.payload, undefined, 'nothing of it is passed on')
  }
})

t.test('no changed bit of a receipt passes', async t => {
  const bytes = Buffer.from(receipt)
  const passed: number[] = []
  // Each byte of the signature and header, and every 16th of the long payload; one bit of each, in turn.
  const [header = '', payload = ''] = receipt.split('.')
  for (let at = 0; at < bytes.length; at += at > header.length && at < header.length + payload.length ? 16 : 1) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 7))
    const found = await check(changed.toString('latin1'))
    if (found.valid) passed.push(at)
  }
  t.same(passed, [])
})

t.test('the key set is not believed blindly', async t => {
  const [own] = set.keys
  const x25519 = await calculateJwkThumbprint({ kty: 'OKP', crv: 'X25519', x: key.publicKey.x }, 'sha256')
  const underX25519 = await makeSigner({ ...key, kid: x25519 }).sign(statement())
  const sets: Record<string, object> = {
    empty: { keys: [] },
    'no set': {},
    'a kid that is not the thumbprint': { keys: [{ ...stranger.publicKey, kid: key.kid }] },
    'another curve': { keys: [{ ...own, crv: 'X25519' }] },
    'another curve with its own kid': { keys: [{ ...own, crv: 'X25519', kid: x25519 }] },
    'a symmetric key': { keys: [{ kty: 'oct', k: key.publicKey.x, kid: key.kid }] },
    'no x': { keys: [{ kty: 'OKP', crv: 'Ed25519', kid: key.kid }] },
    null: { keys: [null] },
  }
  const borrowed = await makeSigner({ ...stranger, kid: key.kid }).sign(statement())
  const strangersSet = { keys: [{ ...stranger.publicKey, kid: key.kid }] }
  t.match(await check(borrowed, undefined, undefined, strangersSet), { valid: false, reason: /thumbprint/ }, 'a kid is its own key’s')
  for (const [name, keys] of Object.entries(sets)) {
    const found = await check(name.includes('own kid') ? underX25519 : receipt, undefined, undefined, keys as { keys: object[] })
    t.match(found, { valid: false, reason: /^receipt: / }, `${name}: ${found.reason}`)
  }
})

t.test('a signed receipt must be whole, in order, and prove what it says', async t => {
  for (const field of Object.keys(statement())) {
    const { [field]: _left, ...rest } = statement() as unknown as Record<string, unknown>
    const found = await check(await signJson(key, 'safestate-receipt+jwt', rest))
    t.match(found, { valid: false, kid: key.kid, reason: `receipt: the field ${field} is missing` })
    const odd = await check(await signJson(key, 'safestate-receipt+jwt', { ...statement(), [field]: { odd: 'thing' } }))
    t.match(odd, { valid: false, reason: `receipt: the field ${field} is not as it must be` })
  }
  const wrong: [object, RegExp][] = [
    [{ confirmedAt: '2026-01-01T00:00:06.000Z' }, /issued before it was confirmed/],
    [{ requestedAt: '2026-01-01T00:00:05.050Z' }, /confirmed before it was requested/],
    [{ issuedAt: '2026-01-01T02:00:00.000Z' }, /future/],
    [{ confirmedAt: '2026-01-01' }, /confirmedAt/],
    [{ confirmedAt: '2026-13-01T00:00:00Z' }, /confirmedAt/],
    [{ attempt: 0 }, /attempt/],
    [{ attempt: 1.5 }, /attempt/],
    [{ holders: [{ holder: 'x' }] }, /holders/],
    [{ rules: { reads: '3' } }, /rules/],
    [{ observations: [{ device: 'd' }] }, /observations/],
    [{ assurance: 'toString' }, /assurance/],
    [{ assurance: 'elapsed' }, /does not prove/],
    [{ state: 'gone' }, /does not prove/],
  ]
  for (const [change, reason] of wrong) {
    t.match(
      await check(await signJson(key, 'safestate-receipt+jwt', { ...statement(), ...change })),
      { valid: false, reason },
      JSON.stringify(change),
    )
  }
  const fine = { ...statement({ assurance: 'rebooted', state: 'ended-boot' }), later: 'addition', confirmedAt: '2026-01-01T01:00:05+01:00' }
  t.match(await check(await signJson(key, 'safestate-receipt+jwt', fine)), { valid: true }, 'additions and time zones are fine')
})

t.test('revocation: found, not found, or not checked and why', async t => {
  t.match(await check(receipt, await listOf(['other', 'receipt-1'])), {
    valid: false,
    payload: { jti: 'receipt-1' },
    revocation: 'revoked',
    reason: /found on/,
  })
  t.match(await check(receipt, await listOf([], '2026-01-01T00:00:05Z')), {
    valid: true,
    revocation: 'not-checked',
    reason: /older than the receipt/,
  })
  t.match(await check(receipt, await listOf([]), 1_000), { valid: true, revocation: 'not-checked', reason: /older than 1000 s/ })
  t.match(await check(receipt, await listOf([]), 1_800), { valid: true, revocation: 'none' })
  t.match(
    await check(receipt, await listOf(['receipt-1'], '2026-01-01T00:00:01Z'), 1),
    { valid: false, revocation: 'revoked' },
    'once revoked always revoked',
  )
})

t.test('a list that is not the gateway’s makes the answer invalid', async t => {
  const lists: Record<string, string> = {
    'of a stranger': await listOf([], undefined, {}, stranger),
    'of another type': await listOf([], undefined, {}, key, 'safestate-receipt+jwt'),
    'of another issuer': await listOf([], undefined, { iss: 'https://other.example' }),
    'without entries': await listOf([], undefined, { revoked: undefined }),
    'with odd entries': await listOf([], undefined, { revoked: ['receipt-1'] }),
    'without a time': await listOf([], undefined, { issuedAt: undefined }),
    'of the future': await listOf([], '2026-01-02T00:00:00Z'),
    'a receipt': receipt,
    empty: '',
    changed: (await listOf([])).replace(/\.[^.]/, '.f'),
  }
  for (const [name, list] of Object.entries(lists)) {
    const found = await check(receipt, list)
    t.match(found, { valid: false, revocation: 'not-checked', reason: /^revocation list: [^u]/ }, `${name}: ${found.reason}`)
  }
})
