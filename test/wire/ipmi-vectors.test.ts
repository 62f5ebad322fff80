import { readFileSync } from 'node:fs'
import t from 'tap'
import { FrameError } from '../../src/wire/ipmi/failure.ts'
import { follow, type Recording, retrace, type Traced } from './ipmi-retrace.ts'

// Conversations of two stacks that are not ours, written down by test/peers/ipmi-vectors.test.ts: what our codecs make of them must be every byte of them.

const RECORDINGS = JSON.parse(readFileSync(new URL('ipmi-vectors.json', import.meta.url), 'utf8')) as Recording[]

const HANDSHAKE = ['openRequest', 'openResponse', 'rakp1', 'rakp2', 'rakp3', 'rakp4']

function titleOf({ client, bmc, suite, kg }: Recording): string {
  return `${client} and ${bmc}, suite ${suite}${kg === undefined ? '' : ', BMC key'}`
}

/** What each power command and read came to, in order. */
function story(traced: readonly Traced[]): string[] {
  return traced.flatMap(({ to, what, name, reply }) => {
    if (name === 'Chassis Control') return [to === 'bmc' ? `asked ${what}` : `answered ${what}`]
    if (name === 'Get Chassis Status' && to === 'client') return [(reply as { on: boolean }).on ? 'on' : 'off']
    return []
  })
}

t.test('what was recorded', async t => {
  t.strictSame(
    RECORDINGS.map(({ client, bmc, suite, kg }) => [client.split(' ')[0], bmc.split(' ')[0], suite, kg !== undefined]),
    [
      ['ipmitool', 'go-ipmi', 17, false],
      ['ipmitool', 'go-ipmi', 3, false],
      ['ipmitool', 'ipmi_sim', 3, false],
      ['ipmipower', 'go-ipmi', 17, false],
      ['ipmipower', 'ipmi_sim', 3, false],
      ['ipmitool', 'go-ipmi', 17, true],
      ['ipmitool', 'ipmi_sim', 3, true],
    ],
  )
  const text = JSON.stringify(RECORDINGS)
  t.notMatch(text, /\/(home|root|tmp|work|usr)\b/, 'no path')
})

for (const recording of RECORDINGS) {
  t.test(titleOf(recording), async t => {
    const traced = retrace(recording)
    t.equal(traced.length, recording.packets.length, 'every packet decoded, verified and built again byte for byte')
    t.strictSame(
      traced.map(({ what }) => what).filter(what => HANDSHAKE.includes(what)),
      HANDSHAKE,
      'one handshake, in order',
    )
    const told = story(traced)
    t.strictSame(told.slice(-3), ['asked 00/02 00', 'answered 00/02 00', 'off'], 'power off, accepted, read as off')
    t.ok(told.length === 3 || told[0] === 'on', 'on before it, where that was read')
    t.strictSame(
      traced.slice(-2).map(({ to, name }) => [to, name]),
      [
        ['bmc', 'Close Session'],
        ['client', 'Close Session'],
      ],
      'and closed',
    )
    for (const to of ['bmc', 'client'] as const) {
      const numbers = traced.flatMap(one => (one.to === to && one.sequence !== undefined ? [one.sequence] : []))
      t.ok(
        numbers.every((number, index) => number === (numbers[0] ?? 0) + index),
        `packets to the ${to} are numbered without a gap`,
      )
    }
  })

  t.test(`${titleOf(recording)}: nothing fits with other secrets`, async t => {
    t.throws(() => retrace({ ...recording, password: `${recording.password}.` }), /rakp2 is built again/, 'another password')
    t.throws(() => retrace({ ...recording, username: 'root' }), 'another user')
    t.throws(() => retrace({ ...recording, suite: recording.suite === 3 ? 17 : 3 }), /proposes the suite/, 'another suite')
    t.throws(() => retrace({ ...recording, kg: 'another' }), /rakp4 is built again/, 'another BMC key')
  })

  t.test(`${titleOf(recording)}: a flipped bit anywhere in a session's packet is noticed`, async t => {
    const first = retrace(recording).findIndex(({ sequence }) => sequence !== undefined)
    const step = follow(recording)
    for (const { to, hex } of recording.packets.slice(0, first)) step(to, Buffer.from(hex, 'hex'))
    let flips = 0
    const survived: string[] = []
    for (const [index, packet] of recording.packets.entries()) {
      if (index < first) continue
      const bytes = Buffer.from(packet.hex, 'hex')
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        flips++
        try {
          step(packet.to, flipped)
          survived.push(`packet ${index}, bit ${bit}: nothing`)
        } catch (error) {
          // RMCP's reserved byte and sequence are under no code: there it is only not what is built again. Everything else has to be refused by our decoders.
          const refused = error instanceof FrameError
          if (!refused && bit >> 3 !== 1 && bit >> 3 !== 2) survived.push(`packet ${index}, bit ${bit}: ${String(error)}`)
        }
      }
    }
    t.strictSame(survived.slice(0, 5), [], `${flips} flips`)
  })
}
