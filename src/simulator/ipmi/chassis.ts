import type { PowerPlan } from '../faults/types.ts'
import type { PowerEvent, PowerOperation } from '../power.ts'
import { press } from '../press.ts'
import type { Call, Completed } from './commands.ts'
import { CODES } from './completion.ts'
import type { IpmiView } from './hooks.ts'
import type { IpmiSide } from './side.ts'

/** Power restore policies in IPMI's order (§28.8), in Redfish's words. */
const POLICIES = ['AlwaysOff', 'LastState', 'AlwaysOn']
const NO_CHANGE = 3

/** What Chassis Control can be asked (§28.3); a diagnostic interrupt leaves the power alone. */
const CONTROLS: readonly { readonly action: string; readonly operation: PowerOperation | 'none' }[] = [
  { action: 'down', operation: 'off' },
  { action: 'up', operation: 'on' },
  { action: 'cycle', operation: 'cycle' },
  { action: 'reset', operation: 'reset' },
  { action: 'diagnostic', operation: 'none' },
  { action: 'soft', operation: 'softOff' },
]

/** Get Chassis Status (§28.2): three bytes, as most BMCs answer. */
export function status({ side, request }: Call): Completed {
  if (request.data.length !== 0) return { completion: CODES.length }
  const { on } = viewOf(side, 'chassisStatus')
  const policy = POLICIES.indexOf(side.restorePolicy)
  const wasOnByIpmi = lastStart(side)?.cause.startsWith('ipmi:') === true
  return { completion: CODES.ok, data: [((policy < 0 ? NO_CHANGE : policy) << 5) | (on ? 1 : 0), wasOnByIpmi ? 0x10 : 0, 0x40] }
}

/** Chassis Control (§28.3): the button is pressed, and the answer says only that. */
export function control({ side, request, session, sequence, plan: command }: Call): Completed {
  const [number = 0xff] = request.data
  const known = CONTROLS[number & 0x0f]
  const { system } = side
  const id = (session?.id ?? 0).toString(16).padStart(8, '0')
  const entry = side.record({ action: known?.action ?? 'unknown', session: id, user: session?.handshake?.user.name ?? '', sequence })
  command.entry = entry
  if (request.data.length !== 1) return { completion: CODES.length }
  if (known === undefined) return { completion: CODES.field }
  const plan: PowerPlan = { system, operation: known.operation, execute: command.execute, lateMs: null, delays: {}, silence: undefined }
  side.bmc.faults.apply(
    () => ({ protocol: 'ipmi', packet: 'chassisControl', systemId: system.spec.id }),
    undefined,
    (definition, parameters) => definition.machine?.(plan, parameters),
  )
  const { outcome, executed } = press(plan, `ipmi:${side.bmc.name}:${id}`)
  entry.executed = executed
  if (plan.silence !== undefined) command.answered = false
  return { completion: outcome === 'wrongState' ? CODES.state : CODES.ok }
}

/** Set Power Restore Policy (§28.8); 3 only asks what can be set. */
export function setRestorePolicy({ side, request, plan }: Call): Completed {
  const [number] = request.data
  if (request.data.length !== 1 || number === undefined) return { completion: CODES.length }
  const policy = POLICIES[number & 0x07]
  if (policy === undefined && (number & 0x07) !== NO_CHANGE) return { completion: CODES.field }
  if (policy !== undefined && plan.execute) side.restorePolicy = policy
  return { completion: CODES.ok, data: [0x07] }
}

/** Get System Restart Cause (§28.11), by who started the machine last. */
export function restartCause({ side }: Call): Completed {
  const cause = lastStart(side)?.cause ?? ''
  const byCommand = cause.startsWith('ipmi:') || cause.startsWith('redfish:')
  return { completion: CODES.ok, data: [byCommand ? 1 : cause === 'power-returns' ? 6 : cause === 'control' ? 3 : 0, 1] }
}

/** DCMI Get Power Reading (DCMI 1.5, §6.6.1). */
export function powerReading({ side, request }: Call): Completed {
  const { data } = request
  if (data[0] !== 0xdc) return { completion: CODES.command }
  const { reading } = viewOf(side, 'dcmiPower')
  if (reading === undefined) return { completion: CODES.command }
  if (data.length !== 4) return { completion: CODES.length }
  if (data[1] !== 1) return { completion: CODES.field }
  const bytes = Buffer.alloc(18)
  bytes[0] = 0xdc
  for (const at of [1, 3, 5, 7]) bytes.writeUInt16LE(Math.min(reading.watts, 0xffff), at)
  bytes.writeUInt32LE(reading.timestamp >>> 0, 9)
  bytes.writeUInt32LE(1000, 13)
  bytes[17] = reading.measuring ? 0x40 : 0
  return { completion: CODES.ok, data: bytes }
}

/** What this BMC says of the power now. The rail is on until it is off. */
function viewOf(side: IpmiSide, packet: string): IpmiView {
  const { bmc, system } = side
  const { state } = system.power
  const { watts } = bmc.personality.chassis
  side.frozenAt ??= bmc.clock.now()
  const measuredAt = side.watts === 'frozen' ? side.frozenAt : bmc.clock.now()
  const view: IpmiView = {
    on: state !== 'off',
    reading:
      watts === null || side.watts === 'absent'
        ? undefined
        : { watts: state === 'off' ? watts.off : watts.on, timestamp: Math.floor(measuredAt / 1000), measuring: true },
    trueState: state,
  }
  bmc.faults.apply(
    () => ({ protocol: 'ipmi', packet, systemId: system.spec.id }),
    undefined,
    (definition, parameters) => definition.ipmi?.read?.(view, parameters, packet),
  )
  return view
}

/** The last time that the machine was started. */
function lastStart(side: IpmiSide): PowerEvent | undefined {
  return side.system.power.history.findLast(({ operation, to }) => operation === 'reset' || to === 'poweringOn' || to === 'on')
}
