import { algorithmsOf } from '../ipmi/algorithms.ts'
import type { GuidOrder } from '../ipmi/guid.ts'
import type { FirmwareQuirk } from '../ipmi/hooks.ts'
import { defineFault } from './types.ts'

/** Faults of what an IPMI BMC does: with a log-in, with a command, with itself. */
export const ipmiBmcFaults = {
  setupStatus: defineFault({
    summary: 'Steps of the handshake are refused with `status`; `bare`: in two bytes, as ipmi_sim does.',
    defaults: { status: 0x01, bare: false as boolean },
    ipmi: {
      setup: (plan, { status, bare }) => {
        plan.status = status
        plan.isBare = bare
        return true
      },
    },
  }),

  suiteDowngrade: defineFault({
    summary: 'The Open Session Response names the algorithms of suite `suite` (0, 3, 17), whatever was asked for.',
    defaults: { suite: 3 },
    ipmi: {
      setup: (plan, { suite }) => {
        if (plan.packet !== 'open') return false
        plan.chosen = algorithmsOf(suite)
        return true
      },
    },
  }),

  acceptSuite0: defineFault({
    summary: 'Suite 0 is accepted: no password is checked, nothing is signed or encrypted.',
    defaults: {},
    ipmi: {
      setup: plan => {
        if (plan.packet !== 'open') return false
        plan.acceptSuite0 = true
        return true
      },
    },
  }),

  lockout: defineFault({
    summary: 'After `failures` failed log-ins within `ms` every further one is refused with `status`, right ones too.',
    defaults: { failures: 3, ms: 300_000, status: 0x0d },
    ipmi: {
      setup: (plan, { failures, ms, status }) => {
        const { bmc, failedLogins } = plan.side
        const since = bmc.clock.now() - ms
        if (plan.packet !== 'rakp1' || failedLogins.filter(at => at > since).length < failures) return false
        plan.status = status
        return true
      },
    },
  }),

  quirk: defineFault({
    summary:
      'Old firmware: user names of 16 bytes in all hashes (`pad-user-16`), hashes without the bit for the look-up by name (`no-name-only-lookup`), or a byte too many behind the code of RAKP2 (`rakp2-slack`).',
    defaults: { name: 'pad-user-16' as FirmwareQuirk },
    ipmi: {
      setup: (plan, { name }) => {
        if (plan.packet !== 'rakp1') return false
        plan.quirk = name
        return true
      },
    },
  }),

  completion: defineFault({
    summary: 'Commands get the completion code `code`; they are `done` all the same, or not. Narrow it with `match.packet`.',
    defaults: { code: 0xc0, done: false as boolean },
    ipmi: {
      command: (plan, { code, done }) => {
        plan.completion = code
        plan.execute &&= done
        return true
      },
    },
  }),

  bmcReset: defineFault({
    summary:
      'The BMC restarts at a command, `before` or `after` it is done: no answer, all sessions are gone, and it is deaf for `deafMs`.',
    defaults: { when: 'after' as 'before' | 'after', deafMs: 0 },
    defaultCount: 1,
    ipmi: {
      command: (plan, { when, deafMs }) => {
        if (plan.session === undefined) return false
        plan.execute &&= when === 'after'
        plan.answered = false
        plan.loses = 'all'
        plan.deafMs = deafMs
        return true
      },
    },
  }),

  guidOrder: defineFault({
    summary: 'GUIDs in another byte order (`smbios`, `specification`, `rfc4122`), or all `zero`.',
    defaults: { order: 'specification' as GuidOrder },
    start: ({ ipmi }, { order }) => {
      if (ipmi === undefined) return undefined
      const before = ipmi.guidOrder
      ipmi.guidOrder = order
      return () => {
        ipmi.guidOrder = before
      }
    },
  }),

  dcmi: defineFault({
    summary: 'The DCMI power reading: its time stamp stands still (`frozen`), it is not `measuring`, or there is no DCMI (`absent`: C1h).',
    defaults: { frozen: false as boolean, measuring: true as boolean, absent: false as boolean },
    ipmi: {
      read: (view, { frozen, measuring, absent }, packet) => {
        if (packet !== 'dcmiPower' || view.reading === undefined) return false
        if (frozen) view.reading.timestamp = 1_700_000_000
        view.reading.measuring = measuring
        if (absent) view.reading = undefined
        return true
      },
    },
  }),
}
