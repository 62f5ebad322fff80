import type { Observation, Witness } from '../../src/core/evidence.ts'
import type { DeviceProgress, Job, Progress } from '../../src/core/job.ts'
import type { Command, Power } from '../../src/core/power.ts'
import { RULES, type Rules } from '../../src/core/rules.ts'
import { begin, type MachineContext } from '../../src/fencing/machine.ts'

/** The rules with some switches off. */
export function without(...names: (keyof Rules['switches'])[]): Rules {
  const switches = { ...RULES.switches }
  for (const name of names) switches[name] = false
  return { ...RULES, switches }
}

/** A read that was asked at `at` and answered 10 ms later. */
export function readAt(at: number, power: Power, more: Partial<Observation> = {}): Observation {
  return {
    device: 'd1',
    power,
    source: 'test',
    raw: power,
    hardware: {},
    witnesses: [],
    witnessRequired: false,
    session: 's',
    restorePolicy: 'off',
    startedAt: at,
    startedMono: at,
    endedAt: at + 10,
    endedMono: at + 10,
    ...more,
  }
}

/** One witness. */
export function says(power: Power): Witness[] {
  return [{ source: 'chassis', power, raw: power }]
}

/** A device that was read on, commanded at 0 and settled at 0. */
export function commanded(more: Partial<DeviceProgress> = {}): DeviceProgress {
  return {
    device: 'd1',
    endpoint: 'e1',
    found: 'on',
    commands: 1,
    lastCommand: { settledMono: 0, refused: false },
    reachedSinceCommand: false,
    streak: [],
    counted: 0,
    misses: 0,
    nextReadMono: 0,
    ...more,
  }
}

/** A job on levels of devices. */
export function jobOf(action: Job['action'], levels: string[][] = [['d1']], more: Partial<Job> = {}): Job {
  return {
    id: 'j1',
    cluster: 'default',
    node: 'n1',
    action,
    state: 'running',
    revision: 1,
    reason: 'test',
    holders: [{ holder: 'A', attempt: 1 }],
    broughtHolders: [{ holder: 'A', attempt: 1 }],
    holdId: 'h1',
    createdAt: new Date(0).toISOString(),
    deadlineAt: new Date(120_000).toISOString(),
    deadlineSeconds: 120,
    warnings: [],
    evidence: [],
    tokenId: 'admin',
    plan: { levels: levels.map((devices, i) => ({ level: i + 1, mechanism: 'direct', devices, assurance: 'corroborated' })) },
    ...more,
  }
}

/** The machine's state at the start of a job; each device is its own endpoint. */
export function begun(job: Job, more: Partial<Progress> = {}, rules = RULES): Progress {
  const args = { process: 'P', nowMono: 0, remainingMs: 120_000, readsOnly: false, endpointOf: (name: string) => name, rules }
  return { ...begin(job, args), ...more }
}

/** What the machine sees beside the job: nothing, at this time, unless said. */
export function at(nowMono: number, more: Partial<MachineContext> = {}): MachineContext {
  return {
    nowMono,
    rules: RULES,
    openIntents: () => 0,
    settledMono: () => undefined,
    delayMs: (_device, command: Command) => (command === 'on' ? RULES.powerOnDelayMs : RULES.powerOffDelayMs),
    policyBefore: () => undefined,
    ...more,
  }
}
