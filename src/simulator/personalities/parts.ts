import type { ActionAnswer, JsonObject } from '../personality.ts'

/** 204 without a body. */
export const NO_CONTENT: ActionAnswer = { kind: 'empty', status: 204 }

/** Success said in the shape of an error, as HPE and Supermicro do. */
export function success(messageId: string): ActionAnswer {
  return { kind: 'message', status: 200, messageId, message: 'Successfully Completed Request' }
}

/** A refusal with a message of a registry. */
export function refusal(status: number, messageId: string, message: string): ActionAnswer {
  return { kind: 'message', status, messageId, message }
}

/** Links to the members of a collection, `count` of them: what makes a System of 4 KB one of 15. */
export function links(base: string, count: number, name: (index: number) => string): JsonObject[] {
  return Array.from({ length: count }, (_, index) => ({ '@odata.id': `${base}/${name(index)}` }))
}

/** The sub-resources every System points at. They are links only: our BMCs answer 404 there. */
export function subResources(base: string, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map(name => [name, { '@odata.id': `${base}/${name}` }]))
}

/** The Boot object of a UEFI server. */
export function boot(targets: readonly string[]): JsonObject {
  return {
    BootSourceOverrideEnabled: 'Disabled',
    BootSourceOverrideMode: 'UEFI',
    BootSourceOverrideTarget: 'None',
    'BootSourceOverrideTarget@Redfish.AllowableValues': [...targets],
    UefiTargetBootSourceOverride: null,
  }
}

/** Processor and memory summaries. */
export function summaries(cpuModel: string, cpus: number, memoryGiB: number): JsonObject {
  const status = { Health: 'OK', HealthRollup: 'OK', State: 'Enabled' }
  return {
    ProcessorSummary: { Count: cpus, LogicalProcessorCount: cpus * 64, Model: cpuModel, ThreadingEnabled: true, Status: status },
    MemorySummary: { MemoryMirroring: 'System', TotalSystemMemoryGiB: memoryGiB, Status: status },
  }
}

/** The status of a part that is well. */
export const HEALTHY: JsonObject = { Health: 'OK', HealthRollup: 'OK', State: 'Enabled' }
