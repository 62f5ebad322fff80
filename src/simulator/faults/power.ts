import { errorBody, messageReply } from '../redfish/messages.ts'
import { powerView } from '../redfish/resources.ts'
import type { TaskState } from '../redfish/tasks.ts'
import { defineFault, type ResetPlan } from './types.ts'

/** Faults of what the machine does with a command, and of what the BMC says of its power. */
export const powerFaults = {
  lie: defineFault({
    summary:
      'Reports `reports` whatever is true; the chassis and the watts lie along unless told not to (a crashed OpenBMC state manager: chassis false).',
    defaults: { reports: 'Off', chassis: true as boolean, watts: true as boolean },
    read: (view, { reports, chassis, watts }, kind) => {
      view.system = reports
      if (chassis && view.chassis !== undefined) view.chassis = reports
      if (watts && view.watts !== null && reports === 'Off') view.watts = 0
      return kind === 'system' || (kind === 'chassis' && chassis) || (kind === 'power' && watts)
    },
    ipmi: {
      // One bit has no word for what is on its way: only On and Off can be claimed.
      read: (view, { reports, watts }, packet) => {
        if (reports !== 'Off' && reports !== 'On') return false
        view.on = reports === 'On'
        if (watts && view.reading !== undefined && reports === 'Off') view.reading.watts = 0
        return packet === 'chassisStatus' || watts
      },
    },
  }),

  flap: defineFault({
    summary: 'Reports `reports` in one read (or `count` reads) of the System or of the chassis status, and the truth again after it.',
    defaults: { reports: 'Off' },
    defaultCount: 1,
    read: (view, { reports }, kind) => {
      if (kind !== 'system') return false
      view.system = reports
      return true
    },
    ipmi: {
      read: (view, { reports }, packet) => {
        if (packet !== 'chassisStatus' || (reports !== 'Off' && reports !== 'On')) return false
        view.on = reports === 'On'
        return true
      },
    },
  }),

  stuckPoweringOff: defineFault({
    summary: 'An off is begun and never ends; the System says PoweringOff, IPMI on. Clearing the fault lets it end.',
    defaults: {},
    start: bmc => () => {
      for (const { power } of bmc.systems) power.settle()
    },
    machine: plan => {
      plan.delays = { ...plan.delays, offDelayMs: Number.POSITIVE_INFINITY, softOffDelayMs: Number.POSITIVE_INFINITY }
      return true
    },
    read: (view, _parameters, kind) => {
      if (kind !== 'system' || view.trueState !== 'poweringOff') return false
      view.system = 'PoweringOff'
      return true
    },
  }),

  powerState: defineFault({
    summary: 'System.PowerState is `value` (null, a number, an unknown word), or missing.',
    defaults: { value: null as null | string | number, missing: false as boolean },
    read: (view, { value, missing }, kind) => {
      if (kind !== 'system') return false
      view.system = missing ? undefined : value
      return true
    },
  }),

  stale: defineFault({
    summary:
      'System reads come from a cache filled when the fault was set (or say `reports`): old state, `ageSeconds` in the Age header, chassis and watts true.',
    defaults: { reports: '', ageSeconds: 30 },
    prepare: (bmc, parameters) =>
      parameters.reports === '' ? { ...parameters, reports: String(powerView(bmc, bmc.systemOrThrow(undefined)).system) } : parameters,
    read: (view, { reports }, kind) => {
      if (kind !== 'system') return false
      view.system = reports
      return true
    },
    after: (reply, { ageSeconds }, { method, path }) =>
      method === 'GET' && path.includes('/Systems/')
        ? { kind: 'reply', reply: { ...reply, headers: { ...reply.headers, age: String(ageSeconds) } } }
        : undefined,
  }),

  chassisContradicts: defineFault({
    summary: 'Chassis.PowerState says the opposite of System.PowerState, or `reports`.',
    defaults: { reports: '' },
    read: (view, { reports }, kind) => {
      if (kind !== 'chassis' || view.chassis === undefined) return false
      view.chassis = reports === '' ? (view.system === 'Off' ? 'On' : 'Off') : reports
      return true
    },
  }),

  watts: defineFault({
    summary: 'The power reading says `watts` whatever is true.',
    defaults: { watts: 500 },
    read: (view, { watts }, kind) => {
      if (kind !== 'power') return false
      view.watts = watts
      return true
    },
    ipmi: {
      read: (view, { watts }, packet) => {
        if (packet !== 'dcmiPower' || view.reading === undefined) return false
        view.reading.watts = watts
        return true
      },
    },
  }),

  alreadyRefused: defineFault({
    summary: 'A command for the state that is there already is refused with `status` (409 as Dell, 400 as HPE).',
    defaults: { status: 409, messageId: 'Base.1.15.0.ResourceInUse', message: 'The server is already in that state.' },
    command: (plan, { status, messageId, message }) => {
      plan.already = { kind: 'message', status, messageId, message }
      return isAlready(plan)
    },
  }),

  refused: defineFault({
    summary: 'Every command is refused with `status`, whatever the state, and nothing is done.',
    defaults: { status: 409, messageId: 'Base.1.15.0.ResourceInUse', message: 'The server is already in that state.' },
    command: (plan, { status, messageId, message }) => {
      plan.refusal = { status, headers: {}, body: errorBody(messageId, message) }
      return true
    },
  }),

  onConflict: defineFault({
    summary: 'An on is refused with 409 ActionParameterValueConflict for `ms` after the power went off, as iDRAC10 does.',
    defaults: { ms: 60_000 },
    command: (plan, { ms }, { bmc }) => {
      const { power } = plan.system
      if (plan.operation !== 'on' || power.state !== 'off' || bmc.clock.now() - power.lastResetAt >= ms) return false
      plan.refusal = messageReply(bmc.personality, 'ActionParameterValueConflict')
      return true
    },
  }),

  ignored: defineFault({
    summary: 'Commands are accepted as usual and nothing is done.',
    defaults: {},
    machine: plan => {
      plan.execute = false
      return true
    },
  }),

  late: defineFault({
    summary:
      'Commands are done `ms` later by themselves: answered at once (`yes`), never answered (`never`) or the connection is cut (`drop`).',
    defaults: { ms: 10_000, answered: 'yes' as 'yes' | 'never' | 'drop' },
    machine: (plan, { ms, answered }) => {
      plan.lateMs = ms
      plan.silence = answered === 'yes' ? undefined : answered
      return true
    },
  }),

  slowPower: defineFault({
    summary: 'An off takes `offMs` and an on `onMs` in place of the usual time.',
    defaults: { offMs: 10_000, onMs: 10_000 },
    machine: (plan, { offMs, onMs }) => {
      plan.delays = { ...plan.delays, offDelayMs: offMs, onDelayMs: onMs }
      return true
    },
  }),

  taskAnswer: defineFault({
    summary:
      'An accepted command is answered 202 with a task: with or without Location, ending well, in `Exception` or never (`ends` false); `gone`: its monitor is 404; `early200`: it says 200 while running.',
    defaults: {
      outcome: 'Completed' as Exclude<TaskState, 'Running'>,
      location: true as boolean,
      ends: true as boolean,
      monitor: 'usual' as 'usual' | 'gone' | 'early200',
    },
    command: (plan, { outcome, location, ends, monitor }) => {
      plan.accepted = { kind: 'task' }
      plan.task = { outcome, location, ends, monitor }
      return true
    },
  }),

  acceptedAs: defineFault({
    summary: 'An accepted command is answered with `status` and no body (200, 201, 204, 202 without anything).',
    defaults: { status: 200 },
    after: (reply, { status }, { method, path }) =>
      method === 'POST' && path.endsWith('.Reset') && reply.status < 300
        ? { kind: 'reply', reply: { status, headers: {}, body: status === 204 ? null : Buffer.alloc(0) } }
        : undefined,
  }),

  ifMatchRefused: defineFault({
    summary: 'A command with an If-Match header is 412, as with iDRAC10.',
    defaults: {},
    command: (plan, _parameters, { bmc, request }) => {
      if (request.headers['if-match'] === undefined) return false
      plan.refusal = messageReply(bmc.personality, 'PreconditionFailed')
      return true
    },
  }),

  powerReturns: defineFault({
    summary: 'The machine comes on by itself `ms` after it went off, `times` times: a restore policy, a watchdog, somebody else.',
    defaults: { ms: 5000, times: 1 },
    start: (bmc, { ms, times }, match) => {
      let left = times
      const stops = bmc.systems
        .filter(({ spec }) => match.systemId === undefined || spec.id === match.systemId)
        .map(({ power }) =>
          power.subscribe(({ to }) => {
            if (to === 'off' && left-- > 0) power.schedule('on', ms, 'power-returns')
          }),
        )
      return () => {
        for (const stop of stops) stop()
      }
    },
  }),

  offPhase: defineFault({
    summary: "The machine is found in the off phase of somebody's power cycle: off now, on again in `onInMs`.",
    defaults: { onInMs: 5000 },
    start: (bmc, { onInMs }, match) => {
      const { power } = bmc.systemOrThrow(match.systemId)
      power.force('off', 'off-phase')
      const pending = power.schedule('on', onInMs, 'off-phase')
      return () => power.cancel(pending)
    },
  }),
}

function isAlready({ operation, system }: ResetPlan): boolean {
  const { state } = system.power
  return (operation === 'on' && state !== 'off') || ((operation === 'off' || operation === 'softOff') && state === 'off')
}
