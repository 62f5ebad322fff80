import { Writable } from 'node:stream'
import { format, inspect } from 'node:util'
import pino from 'pino'
import t from 'tap'
import { SafestateError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { envelopeHead, openEnvelope, sealEnvelope } from '../../src/vault/envelope.ts'
import { checkValue, matchesCheck, newVaultKey, parseVaultKeys, vaultKey } from '../../src/vault/key.ts'
import { Keyring } from '../../src/vault/keyring.ts'

const PASSWORD = 'pläin-pässword-🔑'
const closed = { name: 'SafestateError', code: 'vault_unavailable' }

t.test('an envelope opens for its subject under its key, and for nothing else', async t => {
  const key = newVaultKey()
  const other = newVaultKey()
  const vault = new Keyring([key], key.id)
  const envelope = vault.seal('bmc-1', new Secret(PASSWORD))
  t.equal(vault.open('bmc-1', envelope).reveal(), PASSWORD)
  t.same(envelopeHead(envelope), { keyId: key.id, subject: 'bmc-1' })
  t.not(vault.seal('bmc-1', new Secret(PASSWORD)), envelope, 'two seals of one secret differ')
  t.notMatch(envelope, 'ssword')
  t.notMatch(envelope, Buffer.from(PASSWORD).toString('base64url').slice(0, 12))
  t.equal(vault.open('', vault.seal('', new Secret(''))).reveal(), '', 'the empty secret of the empty subject')

  t.throws(() => vault.open('bmc-2', envelope), closed, "another device's envelope does not open")
  t.throws(() => vault.open('bmc-2', envelope.replace(b64('bmc-1'), b64('bmc-2'))), closed, 'nor after its subject was changed with it')
  t.throws(() => new Keyring([other], other.id).open('bmc-1', envelope), { ...closed, message: /not configured/ })
  const impostor = { id: key.id, key: other.key }
  t.throws(() => openEnvelope(() => impostor, 'bmc-1', envelope), closed, 'another key under the same id does not open')

  const second = vault.seal('bmc-1', new Secret('second')).split('.')
  const mixed = [...envelope.split('.').slice(0, 4), second[4]].join('.')
  t.throws(() => vault.open('bmc-1', mixed), closed, 'parts of two envelopes do not mix')
  const swapped = envelope.split('.')
  t.throws(() => vault.open('bmc-1', [...swapped.slice(0, 3), swapped[4], swapped[3]].join('.')), closed, 'nor do the parts of one')
})

t.test('every single-bit change of an envelope is refused', async t => {
  const key = newVaultKey()
  const envelope = Buffer.from(sealEnvelope(key, 'bmc-1', new Secret(PASSWORD)))
  const opened: number[] = []
  for (let bit = 0; bit < envelope.length * 8; bit += 1) {
    const changed = Buffer.from(envelope)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    // As bytes that arrive as UTF-8 and as Latin-1: a decoder between us and the store must not matter.
    for (const encoding of ['utf8', 'latin1'] as const) {
      try {
        openEnvelope(id => (id === key.id ? key : undefined), 'bmc-1', changed.toString(encoding))
        opened.push(bit)
      } catch (error) {
        if (!(error instanceof SafestateError && error.code === 'vault_unavailable')) throw error
      }
    }
  }
  t.same(opened, [])
})

t.test('what is no envelope is refused, not misread', async t => {
  const key = newVaultKey()
  const find = () => key
  const envelope = sealEnvelope(key, 'd', new Secret('x'))
  const parts = envelope.split('.')
  for (const bad of [
    '',
    'v1',
    'v1....',
    `${envelope}.`,
    `${envelope}=`,
    ` ${envelope}`,
    envelope.slice(0, -1),
    envelope.replace('v1', 'v2'),
    `v1.${key.id}.ZA.AAAA.AAAA`,
  ]) {
    t.throws(() => openEnvelope(find, 'd', bad), closed, JSON.stringify(bad.slice(0, 12)))
  }
  t.equal(envelopeHead(parts.slice(0, 4).join('.')), undefined)
})

t.test('keys: ids and check values know a key again and do not reveal it', async t => {
  const bytes = Buffer.alloc(32, 7)
  const key = vaultKey(bytes)
  t.equal(key.id, vaultKey(bytes).id)
  t.match(key.id, /^[0-9a-f]{16}$/)
  t.not(key.id, newVaultKey().id)
  const check = checkValue(key, 'salt')
  t.ok(matchesCheck(key, 'salt', check))
  t.notOk(matchesCheck(key, 'other salt', check))
  t.notOk(matchesCheck(newVaultKey(), 'salt', check))
  t.notOk(matchesCheck(key, 'salt', ''))
  for (const shown of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key), format('%o', key)]) {
    t.notMatch(shown, bytes.toString('base64'))
    t.notMatch(shown, /07 07|7, 7/)
  }
})

t.test('keys in text: one or several, labelled or not; bad ones are named by place, never shown', async t => {
  const [a, b] = [Buffer.alloc(32, 1), Buffer.alloc(32, 0xff)]
  const ids = (text: string) => parseVaultKeys(new Secret(text), 'HERE').map(key => key.id)
  const [idA, idB] = [vaultKey(a).id, vaultKey(b).id]
  t.same(ids(a.toString('base64')), [idA])
  t.same(ids(b.toString('base64url')), [idB], 'base64url without padding')
  t.same(ids(`new:${b.toString('base64')},old:${a.toString('base64')}`), [idB, idA])
  t.same(ids(`# mine\n${a.toString('base64')} # current\n\n x:${b.toString('base64')}\n`), [idA, idB])
  t.same(ids(`${a.toString('base64')},${a.toString('base64')}`), [idA], 'a key given twice counts once')
  for (const bad of [
    '',
    ' # only a comment',
    'short',
    `${a.toString('base64')}AA`,
    Buffer.alloc(31).toString('base64'),
    `la bel:${a.toString('base64')}`,
    `a/b:${a.toString('base64')}`,
  ]) {
    t.throws(() => ids(bad), { ...closed, message: /^HERE/ }, JSON.stringify(bad.slice(0, 9)))
  }
  try {
    ids(`${a.toString('base64')},marked-secret`)
    t.fail('was taken')
  } catch (error) {
    t.match((error as Error).message, 'HERE, key 2')
    t.notMatch((error as Error).message, 'marked')
  }
})

t.test('the keyring: opens with all its keys, seals with one, asks its source again for missing ones', async t => {
  const [old, young, late] = [newVaultKey(), newVaultKey(), newVaultKey()]
  let mono = 0
  let source = [old]
  let asked = 0
  const reload = () => {
    asked += 1
    return source
  }
  const vault = new Keyring([old], old.id, { reload, mono: () => mono })
  const before = vault.seal('d', new Secret('x'))
  vault.add([young])
  vault.use(young.id)
  t.equal(vault.keyId, young.id)
  t.equal(envelopeHead(vault.seal('d', new Secret('x')))?.keyId, young.id)
  t.equal(vault.open('d', before).reveal(), 'x', 'the old key goes on opening')
  t.equal(asked, 0)

  const foreign = sealEnvelope(late, 'd', new Secret('y'))
  t.throws(() => vault.open('d', foreign), closed)
  source = [late, young]
  t.throws(() => vault.open('d', foreign), closed, 'asked a moment ago')
  t.equal(asked, 1)
  mono += 1_000
  t.equal(vault.open('d', foreign).reveal(), 'y', 'a key that was put into the source is found')
  t.throws(() => vault.use('0000000000000000'), closed)
  t.equal(vault.keyId, young.id, 'a failed change changes nothing')
  t.throws(() => new Keyring([old], young.id), closed)
  const broken = new Keyring([old], old.id, {
    reload: () => {
      throw new Error('marked')
    },
  })
  t.throws(() => broken.open('d', foreign), { ...closed, message: /not configured/ })
})

t.test('a secret and a vault can not be logged or serialised by accident', async t => {
  const marked = 'marked-5ecret-value'
  const secret = new Secret(marked)
  const key = newVaultKey()
  const vault = new Keyring([key], key.id)
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const log = pino({ level: 'trace' }, sink)
  log.info({ secret, nested: { list: [secret] }, vault, key }, 'with a secret: %s %o %j', secret, secret, secret)
  log.error(Object.assign(new Error(`failed with ${secret}`), { secret }))
  log.child({ secret }).info('child')
  const shown = [
    ...lines,
    `${secret}`,
    String(secret),
    // biome-ignore lint/style/useTemplate: concatenation is what is tested
    '' + secret,
    JSON.stringify({ secret, vault }),
    inspect(secret, { depth: 9, showHidden: true, customInspect: false }),
    inspect({ secret, vault, key }, { depth: 9, showHidden: true }),
    format('%s %o %O %j', secret, secret, secret, secret),
    JSON.stringify(Object.entries(secret)),
    inspect({ ...secret }),
    inspect(structuredClone({ ...secret })),
  ]
  t.equal(lines.length, 3)
  const bytes = key.key.export()
  for (const text of shown) {
    t.notMatch(text, marked)
    t.notMatch(text, bytes.toString('base64'))
    t.notMatch(text, bytes.toString('hex'))
  }
  t.equal(secret.reveal(), marked)
})

function b64(text: string): string {
  return Buffer.from(text).toString('base64url')
}
