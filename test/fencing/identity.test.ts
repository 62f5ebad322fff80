import t from 'tap'
import { bindingOf, hardwareKeys, sameHardware } from '../../src/fencing/identity.ts'

const uuid = '4c4c4544-0051-3610-8052-b4c04f4d3532'
const swapped = '44454c4c-5100-1036-8052-b4c04f4d3532'

t.test('how a node and the hardware that answers go together (S9)', async t => {
  const cases: [what: string, node: string | undefined, hardware: { uuid?: string; serial?: string }, binding: string][] = [
    ['the same UUID', uuid, { uuid }, 'proven'],
    ['in another case', uuid.toUpperCase(), { uuid }, 'proven'],
    ['with spaces', ` ${uuid} `, { uuid }, 'proven'],
    ['with its first fields swapped', uuid, { uuid: swapped }, 'proven'],
    ['swapped the other way', swapped, { uuid }, 'proven'],
    ['another UUID', uuid, { uuid: uuid.replace('4c4c', '4c4d') }, 'contradicted'],
    ['a UUID that differs in the last digit', uuid, { uuid: `${uuid.slice(0, -1)}3` }, 'contradicted'],
    ['no UUID of the node', undefined, { uuid }, 'declared'],
    ['an empty one', '', { uuid }, 'declared'],
    ['none of the hardware', uuid, {}, 'declared'],
    ['zeros of the hardware', uuid, { uuid: '00000000-0000-0000-0000-000000000000' }, 'declared'],
    ['f of the hardware', uuid, { uuid: 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF' }, 'declared'],
    ['zeros of the node', '00000000-0000-0000-0000-000000000000', { uuid }, 'declared'],
    ['a UUID made from a MAC behind zeros', uuid, { uuid: '00000000-0000-0000-0000-ac1f6b000001' }, 'declared'],
    ['the same such UUID', '00000000-0000-0000-0000-AC1F6B000001', { uuid: '00000000-0000-0000-0000-ac1f6b000001' }, 'proven'],
    ['the serial number', 'SN123', { serial: 'sn123', uuid }, 'proven'],
    ['a serial number that is a word', 'none', { serial: 'None' }, 'declared'],
  ]
  for (const [what, node, hardware, binding] of cases) t.equal(bindingOf(node, hardware), binding, what)
})

t.test('whether it is still what was pinned', async t => {
  const cases: [what: string, pinned: object, seen: object, same: boolean][] = [
    ['the same', { uuid, serial: 'A1' }, { uuid, serial: 'A1' }, true],
    ['in another case', { uuid }, { uuid: uuid.toUpperCase() }, true],
    ['another UUID', { uuid }, { uuid: swapped }, false],
    ['the same UUID and another serial number', { uuid, serial: 'A1' }, { uuid, serial: 'B2' }, false],
    ['only the serial number left, the same', { uuid, serial: 'A1' }, { serial: 'A1' }, true],
    ['nothing left to know it by', { uuid, serial: 'A1' }, {}, false],
    ['a null UUID and nothing else', { uuid }, { uuid: '00000000-0000-0000-0000-000000000000' }, false],
    ['it tells more than it did', { serial: 'A1' }, { uuid, serial: 'A1' }, true],
    ['it never told anything', {}, { uuid }, true],
    ['words for serial numbers', { uuid, serial: 'To be filled by O.E.M.' }, { uuid, serial: 'Default string' }, true],
  ]
  for (const [what, pinned, seen, same] of cases) t.equal(sameHardware(pinned, seen), same, what)
})

t.test('the keys that hardware is claimed by (S6)', async t => {
  t.same(hardwareKeys({ uuid: uuid.toUpperCase(), serial: 'A1' }), [`uuid:${uuid}`])
  t.same(hardwareKeys({ uuid: '00000000-0000-0000-0000-000000000000', serial: 'A1', manufacturer: 'Dell' }), ['serial:dell:a1:'])
  t.not(hardwareKeys({ serial: 'A1', system: '/1' })[0], hardwareKeys({ serial: 'A1', system: '/2' })[0], 'two nodes of one blade')
  t.same(hardwareKeys({ serial: 'Not Specified' }), [])
  t.same(hardwareKeys({}), [])
})

/** One GUID as BMCs send it: all bytes in reverse (IPMI 2.0, 20.8), as SMBIOS stores it, and as RFC 4122 writes it. */
const orders = {
  specification: '32354d4fc0b452801036510044454c4c',
  smbios: '44454c4c510010368052b4c04f4d3532',
  rfc4122: '4c4c4544005136108052b4c04f4d3532',
}

t.test('the GUID of an IPMI session is known in any of its byte orders', async t => {
  for (const [order, guid] of Object.entries(orders)) {
    t.equal(bindingOf(uuid.toUpperCase(), { guid }), 'proven', `the node's systemUuid, ${order}`)
    t.equal(bindingOf(swapped, { guid: guid.toUpperCase() }), 'proven', `a kernel that shows it swapped, ${order}`)
    t.equal(bindingOf(uuid.replace('4c4c', '4c4d'), { guid }), 'contradicted', `another machine's, ${order}`)
    t.ok(hardwareKeys({ guid }).includes(`uuid:${uuid}`), `the key of the same BMC over Redfish, ${order}`)
    t.equal(hardwareKeys({ guid, uuid: swapped }).length, 3, 'all of them, and nothing from its likeliest reading')
  }
  t.equal(new Set(hardwareKeys({ guid: orders.rfc4122 })).size, 3)
  t.same(hardwareKeys({ guid: '0'.repeat(32) }), [], 'zeros identify nothing')
  t.same(hardwareKeys({ guid: 'F'.repeat(32) }), [])
  t.same(hardwareKeys({ guid: 'a1'.repeat(16) }), ['uuid:a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1'], 'one reading where all orders agree')
  t.equal(bindingOf(uuid, { guid: '0'.repeat(32) }), 'declared')
  t.equal(bindingOf(uuid, { guid: '00000000000000000000ac1f6b000001' }), 'declared', 'made from a MAC behind zeros')
  t.equal(bindingOf(uuid, { guid: '0100006b1fac00000000000000000000' }), 'declared', 'the same in reverse')
})

t.test('a pinned GUID is compared as it was sent', async t => {
  const { smbios, rfc4122 } = orders
  t.equal(sameHardware({ guid: smbios, uuid }, { guid: smbios, uuid }), true)
  t.equal(sameHardware({ guid: smbios }, { guid: smbios.toUpperCase() }), true)
  t.equal(sameHardware({ guid: smbios, uuid }, { guid: rfc4122, uuid }), false, 'another byte order is another GUID')
  t.equal(sameHardware({ guid: smbios }, { guid: `${smbios.slice(0, -1)}3` }), false)
  t.equal(sameHardware({ guid: smbios }, {}), false, 'nothing left to know it by')
  t.equal(sameHardware({ guid: smbios }, { guid: '0'.repeat(32) }), false)
})
