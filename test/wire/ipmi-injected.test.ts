import t from 'tap'
import type { CipherSuite } from '../../src/core/power.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { Net, type Way } from './ipmi-net.ts'

/*
 * Somebody on the way who can not forge a code but can send packets first, from the right address: each answer of the BMC comes with one bit flipped just before
 * it comes as it is. In the handshake, where nothing is authenticated, that may cost a repetition; in a session it changes nothing.
 */

const status = COMMANDS.chassisStatus

/** The right packet, behind copies of it with these bits flipped. */
function behind(at: number, bits: (bytes: Buffer) => number[]): Way {
  return (bytes, count) => {
    if (count !== at) return [{ bytes }]
    const flipped = bits(bytes).map(bit => {
      const other = Buffer.from(bytes)
      other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      return { bytes: other }
    })
    return [...flipped, { bytes }]
  }
}

const every = (bytes: Buffer): number[] => Array.from({ length: bytes.length * 8 }, (_, bit) => bit)

for (const suite of [17, 3] as CipherSuite[]) {
  t.test(`suite ${suite}: in a session, all flipped copies of an answer in front of it`, async t => {
    // The answers to privilege, status, down, status, close: the fourth to the eighth.
    for (let at = 4; at <= 8; at++) {
      const net = new Net()
      net.toUs = behind(at, every)
      const client = net.client({ suite })
      await net.settle(client.elevate())
      t.match(await net.settle(client.execute(status, undefined)), { on: true })
      client.ticket()
      const reply = await net.settle(client.sendOnce(COMMANDS.chassisControl, { action: 'down' }, undefined, Number.POSITIVE_INFINITY))
      t.match(reply, { kind: 'answered', completion: 0 })
      t.match(await net.settle(client.execute(status, undefined)), { on: false })
      t.equal(await net.settle(client.close({ confirmed: true })), 'closed')
      t.equal(net.sent.length, 8, 'nothing was repeated')
      t.equal(net.timers + net.open, 0)
    }
  })

  t.test(`suite ${suite}: in the handshake, each flipped copy of an answer in front of it`, async t => {
    const wrong: string[] = []
    let opens = 0
    let cases = 0
    for (let at = 1; at <= 3; at++) {
      for (let bit = 0, end = 1; bit < end; bit++) {
        const net = new Net()
        net.toUs = behind(at, bytes => {
          end = bytes.length * 8
          return [bit]
        })
        const client = net.client({ suite: suite === 17 ? 'auto' : suite })
        const read = await net.settle(client.execute(status, undefined).catch((error: Error) => error))
        if (!('on' in read) || !read.on || client.facts?.suite !== suite) wrong.push(`answer ${at}, bit ${bit}: ${String(read)}`)
        await net.settle(client.close({ confirmed: true }))
        await net.time.run(10)
        if (net.timers + net.open !== 0) wrong.push(`answer ${at}, bit ${bit}: something is left`)
        opens += net.bmc.log.filter(one => one === 'openRequest').length
        cases++
      }
    }
    t.same(wrong, [])
    t.ok(opens > cases && opens < cases * 2, 'some had to begin afresh, once')
  })
}
