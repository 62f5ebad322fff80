import type { Transaction } from '../../core/documents.ts'
import type { Hold, Job } from '../../core/job.ts'
import type { Command } from '../../core/power.ts'
import type { Actor, Checked, JobPatch, PolicyNote } from '../../core/store.ts'
import type { Device } from '../../core/topology.ts'
import { putDevice } from './inventory.ts'
import { hasLeases } from './lease.ts'
import { patched } from './progress.ts'
import { KIND, putJob, type VerbContext } from './shared.ts'
import { standing } from './standing.ts'

/** See `Store.notePolicy`. */
export async function notePolicy(
  tx: Transaction,
  context: VerbContext,
  args: { actor: Actor; device: string; leg: Command; holdId?: string; note: PolicyNote; patch?: JobPatch },
): Promise<Checked<{ device: Device; job?: Job }>> {
  const device = await tx.get<Device>(KIND.device, args.device)
  if (!device) return { ok: false, lost: 'changed' }
  if (args.holdId !== undefined) {
    const hold = await tx.get<Hold>(KIND.hold, args.holdId)
    if (!hold || hold.state === 'released') return { ok: false, lost: 'hold' }
    if (!(await hasLeases(tx, args.actor))) return { ok: false, lost: 'lease' }
    return { ok: true, device: put(tx, device, args.note) }
  }
  const stands = await standing(tx, context, args.actor, args.leg)
  if (!stands.ok) return stands
  const job = args.patch ? putJob(tx, patched(stands.job, args.patch)) : stands.job
  return { ok: true, device: put(tx, device, args.note), job }
}

function put(tx: Transaction, device: Device, note: PolicyNote): Device {
  const next = noted(device, note)
  // The second off of a hold finds nothing to keep: no news, and no new revision under a person's If-Match.
  if (next.restorePolicyTrouble === device.restorePolicyTrouble && next.restorePolicyBefore === device.restorePolicyBefore) return device
  return putDevice(tx, next)
}

function noted(device: Device, { before, trouble }: PolicyNote): Device {
  const next = { ...device }
  if (before === null) delete next.restorePolicyBefore
  else if (before !== undefined && before !== 'off') next.restorePolicyBefore ??= before
  if (trouble === null) delete next.restorePolicyTrouble
  else if (trouble !== undefined) next.restorePolicyTrouble = trouble
  return next
}
