import t from 'tap'
import type { CipherSuite } from '../../src/core/power.ts'
import { type Case, type Operation, run } from './ipmi-case.ts'

/*
 * Every single bit of every packet of a session, flipped once, both ways and with both suites. Whatever the bit: what is read last is the truth, and all that
 * `judge` of ipmi-case.ts says holds. Steps of the handshake matter to the log-in alone, so they are tried with a status; the rest with off, and with on where
 * the power is concerned.
 */

const PLAN: readonly [operation: Operation, packets: readonly string[]][] = [
  ['status', ['open', 'rakp1', 'rakp3']],
  ['off', ['setSessionPrivilege', 'chassisStatus', 'chassisControl', 'closeSession']],
  ['on', ['chassisStatus', 'chassisControl']],
]
/** Fewer bits than the shortest packet has: the search for its end must not stop at once. */
const AT_LEAST = 32 * 8

/** The tests of one suite; each suite is a file of its own, so that the two share the cores and the time limit of a file. */
export function flips(suite: CipherSuite): void {
  for (const [operation, packets] of PLAN) {
    t.test(`suite ${suite}: ${operation}`, async t => {
      for (const packet of packets) {
        for (const direction of ['in', 'out'] as const) {
          const found: string[] = []
          let bit = 0
          for (; ; bit++) {
            const one: Case = { name: '', rounds: 1, arm: lab => lab.fault('bitFlip', { bit, direction }, packet, 1) }
            const { lab, story, problems } = await run(one, operation, suite)
            // A bit behind the end of the packet was never used.
            if (!lab.bmc.faults.isEmpty) break
            const last = story.readings.at(-1)
            if (last === undefined || last.on !== (lab.bmc.trueState === 'on')) found.push(`bit ${bit}: the truth was not read last`)
            found.push(...problems.map(problem => `bit ${bit}: ${problem}`))
          }
          t.same(found, [], `${bit} bits of ${packet} ${direction}`)
          t.ok(bit >= AT_LEAST)
        }
      }
    })
  }
}
