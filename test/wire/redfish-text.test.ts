import t from 'tap'
import { comparable, endpointOf, lastSegment, parseAddress, resolveReference } from '../../src/wire/redfish/address.ts'
import { RedfishError } from '../../src/wire/redfish/failure.ts'
import { parseJson } from '../../src/wire/redfish/json.ts'

const reasonOf = (work: () => unknown): string => {
  try {
    work()
    return 'no failure'
  } catch (error) {
    return error instanceof RedfishError ? error.reason : String(error)
  }
}

t.test('addresses', async t => {
  const good: [string, Partial<ReturnType<typeof parseAddress>>, string][] = [
    ['https://10.0.0.7', { secure: true, host: '10.0.0.7', port: 443, origin: 'https://10.0.0.7', prefix: '' }, '10.0.0.7'],
    ['http://BMC.example:8000/', { secure: false, host: 'bmc.example', port: 8000, prefix: '' }, 'bmc.example:8000'],
    [
      'https://[fd00::7]:8443/rack1/',
      { host: 'fd00::7', port: 8443, origin: 'https://[fd00::7]:8443', prefix: '/rack1' },
      '[fd00::7]:8443',
    ],
    ['http://bmc', { secure: false, port: 80 }, 'bmc'],
    ['http://bmc:443', { secure: false, port: 443 }, 'bmc:443'],
    ['https://[fd00::7]', { host: 'fd00::7', port: 443 }, '[fd00::7]'],
    ['https://bmc/redfish/v1/', { prefix: '' }, 'bmc'],
    ['https://proxy/a/b/redfish/v1', { prefix: '/a/b' }, 'proxy'],
    // One host, one lease: whatever way it is written, and by IPMI's address just the same.
    ['https://BMC.example./', { host: 'bmc.example', origin: 'https://bmc.example' }, 'bmc.example'],
    ['https://10.0.0.7.:8443', { host: '10.0.0.7', origin: 'https://10.0.0.7:8443' }, '10.0.0.7:8443'],
    ['https://[::ffff:10.0.0.7]', { host: '10.0.0.7', origin: 'https://10.0.0.7' }, '10.0.0.7'],
    ['https://[::FFFF:a00:7]:8443', { host: '10.0.0.7', origin: 'https://10.0.0.7:8443' }, '10.0.0.7:8443'],
    ['https://büro.example', { host: 'xn--bro-hoa.example' }, 'xn--bro-hoa.example'],
  ]
  for (const [text, expected, endpoint] of good) {
    t.match(parseAddress(text), expected, text)
    t.equal(endpointOf(parseAddress(text)), endpoint, `${text}: endpoint`)
  }
  for (const text of [
    'bmc',
    'ftp://bmc',
    'https://',
    'https://u:p@bmc',
    'https://bmc?x',
    'https://bmc#x',
    'https://bmc:0',
    'https://bmc:99999',
    'https://b c',
    ' https://bmc',
    'https://[fd00::7',
    'https:bmc',
    'https://-',
    'https://.',
    'https://bmc..',
    'https://1',
    'https://10.1',
    'https://0x7f.1',
    'https://010.0.0.1',
    'https://[]',
    'https://[bmc]',
  ]) {
    t.equal(
      reasonOf(() => parseAddress(text)),
      'bad_address',
      `refused: ${text}`,
    )
  }
})

t.test('references', async t => {
  const plain = parseAddress('https://bmc:8443')
  const prefixed = parseAddress('https://bmc:8443/rack1')
  t.equal(resolveReference(plain, '/redfish/v1/Systems/1/'), '/redfish/v1/Systems/1/', 'a trailing slash is sent as given')
  t.equal(resolveReference(plain, 'https://bmc:8443/redfish/v1/x'), '/redfish/v1/x', 'absolute, same origin')
  t.equal(resolveReference(plain, '/redfish/v1/Power#/PowerControl/0'), '/redfish/v1/Power', 'without fragment')
  t.equal(resolveReference(prefixed, '/redfish/v1/x'), '/rack1/redfish/v1/x', 'prefix added')
  t.equal(resolveReference(prefixed, '/rack1/redfish/v1/x'), '/rack1/redfish/v1/x', 'prefix not added twice')
  const refused = [
    'https://bmc/redfish',
    'http://bmc:8443/x',
    'https://evil:8443/x',
    'https://u:p@bmc:8443/x',
    '//evil/x',
    'Systems/1',
    '',
    null,
    7,
    '/a\r\nX: y',
    '/a b',
    '/a\\b',
    '/Systems/1/../2',
    '/a/%2e%2e/b',
    `/${'a'.repeat(3_000)}`,
  ]
  for (const reference of refused) t.equal(resolveReference(plain, reference), undefined, `refused: ${String(reference).slice(0, 40)}`)
  t.equal(comparable('/a/b//?x=1'), '/a/b')
  t.equal(lastSegment('/redfish/v1/Systems/System.Embedded.1/'), 'System.Embedded.1')
})

t.test('JSON', async t => {
  const parse = (text: string | Buffer): string => {
    try {
      parseJson(Buffer.from(text as string), 4)
      return 'fine'
    } catch (error) {
      return (error as RedfishError).reason
    }
  }
  const cases: [string | Buffer, string][] = [
    ['{"a":{"b":[{"c":":{[\\""}]}}', 'fine'],
    ['{"a\\\\":1,"b\\"":"\\\\"}', 'fine'],
    ['{"__proto__":{"a":1}}', 'fine'],
    ['{"a":{"b":{"c":{"d":{}}}}}', 'too_deep'],
    [`${'['.repeat(100_000)}`, 'too_deep'],
    ['{"PowerState":"On","PowerState":"Off"}', 'duplicate_keys'],
    ['{"a":{"b":1,"\\u0062":2}}', 'duplicate_keys'],
    ['{"a":NaN}', 'not_json'],
    ['{"a":1', 'not_json'],
    ['{"a":"', 'not_json'],
    ['', 'not_json'],
    ['<html></html>', 'not_json'],
    ['\ufeff{"a":1}', 'bad_encoding'],
    [Buffer.from('{"a":1}', 'utf16le'), 'bad_encoding'],
    [Buffer.from([0xfe, 0xff, 0, 0x7b]), 'bad_encoding'],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'bad_encoding'],
    ['[]', 'bad_resource'],
    ['"Off"', 'bad_resource'],
    ['null', 'bad_resource'],
  ]
  for (const [text, expected] of cases) t.equal(parse(text), expected, String(text).slice(0, 30))
  t.equal(({} as { a?: number }).a, undefined, 'no prototype was touched')
})
