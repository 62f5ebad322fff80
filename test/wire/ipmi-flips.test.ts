import t from 'tap'
import type { CipherSuite } from '../../src/core/power.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { IpmiError } from '../../src/wire/ipmi/failure.ts'
import { Net, type Way } from './ipmi-net.ts'

const status = COMMANDS.chassisStatus
const FOREVER = Number.POSITIVE_INFINITY
/** What a flipped bit may end a session's work with: never a verdict about power, password or suite. */
const ALLOWED = new Set(['privilege', 'completion', 'busy', 'bad_answer', 'exchange_timeout'])

/** What one whole session came to. */
interface Story {
  /** Reads that were wrong, or came from nowhere. */
  lies: string[]
  /** Failures, as `step: reason`. */
  failures: string[]
  controls: number
  left: number
}

/** A session from the first packet to the last: privilege, status (on), down, status (off), close. */
async function session(net: Net, suite: CipherSuite): Promise<Story> {
  const client = net.client({ suite })
  const story: Story = { lies: [], failures: [], controls: 0, left: 0 }
  const read = async (what: string) => {
    try {
      const { on } = await net.settle(client.execute(status, undefined))
      if (on !== net.bmc.on) story.lies.push(`${what}: ${on} though ${net.bmc.on}`)
    } catch (error) {
      if (!(error instanceof IpmiError)) throw error
      story.failures.push(`${what}: ${error.reason}`)
    }
  }
  await net.settle(client.elevate()).catch((error: IpmiError) => story.failures.push(`elevate: ${error.reason}`))
  await read('before')
  try {
    client.ticket()
    const reply = await net.settle(client.sendOnce(COMMANDS.chassisControl, { action: 'down' }, undefined, FOREVER))
    if (reply.kind === 'answered' && reply.completion === 0 && net.bmc.on) story.lies.push('down was taken though the machine is on')
  } catch (error) {
    if (!(error instanceof IpmiError)) throw error
    story.failures.push(`ticket: ${error.reason}`)
  }
  await read('after')
  await net.settle(client.close({ confirmed: true }))
  // What is still on its way arrives.
  await net.time.run(5_000)
  story.controls = net.bmc.controls.length
  story.left = net.timers + net.open
  return story
}

/** The `count`-th datagram of a way, with one bit flipped: instead of the right one, or just before it. */
function flipped(at: number, bit: number, before: boolean): Way {
  return (bytes, count) => {
    if (count !== at) return [{ bytes }]
    const other = Buffer.from(bytes)
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    return before ? [{ bytes: other }, { bytes }] : [{ bytes: other }]
  }
}

for (const suite of [17, 3] as CipherSuite[]) {
  for (const [way, before, title] of [
    ['toBmc', false, 'towards the BMC'],
    ['toUs', false, 'from the BMC'],
    ['toUs', true, 'from the BMC, put in front of the right packet'],
  ] as const) {
    t.test(`suite ${suite}: every single bit of every packet ${title}`, async t => {
      const calm = new Net()
      t.same(await session(calm, suite), { lies: [], failures: [], controls: 1, left: 0 })
      const packets = way === 'toBmc' ? calm.sent : calm.answered
      t.equal(packets.length, 8)
      let cases = 0
      const wrong: string[] = []
      const seen = new Map<string, number>()
      for (const [index, packet] of packets.entries()) {
        for (let bit = 0; bit < packet.length * 8; bit++) {
          const net = new Net()
          net[way] = flipped(index + 1, bit, before)
          const story = await session(net, suite)
          cases++
          for (const failure of story.failures) seen.set(failure, (seen.get(failure) ?? 0) + 1)
          const bad = story.failures.filter(one => !ALLOWED.has(one.split(': ')[1] ?? ''))
          if (story.lies.length + bad.length + story.left > 0 || story.controls > 1) {
            wrong.push(`packet ${index + 1}, bit ${bit}: ${JSON.stringify(story)}`)
          }
        }
      }
      t.same(wrong.slice(0, 10), [])
      const failures = [...seen.values()].reduce((sum, one) => sum + one, 0)
      t.comment(`${cases} flips, ${JSON.stringify(Object.fromEntries(seen))}`)
      t.ok(failures <= cases / 100, 'nearly all are made good by a repetition')
      if (before) t.equal(failures, 0, 'what is only put in between changes nothing but in the handshake')
    })
  }
}
