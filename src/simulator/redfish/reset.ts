import type { ResetPlan } from '../faults/types.ts'
import { type ActionAnswer, RESET_OPERATIONS, type ResetType } from '../personality.ts'
import type { PowerOperation, PowerOutcome } from '../power.ts'
import { press } from '../press.ts'
import type { Bmc, ReceivedCommand, SimulatedSystem } from './bmc.ts'
import { type Exchange, jsonReply, type Reply } from './exchange.ts'
import { errorBody, messageReply } from './messages.ts'
import { parseObject, targetOf } from './target.ts'

/** What a reset led to: an answer, or silence. */
export type ResetResult = Reply | 'never' | 'drop'

/** POST to a System's Reset action: checks it, lets the faults change the plan, presses the button, answers as the personality does. */
export function reset(exchange: Exchange, system: SimulatedSystem): ResetResult {
  const { bmc, caller } = exchange
  const body = parseObject(exchange.body)
  const type = body?.ResetType
  const session = caller.kind === 'session' ? caller.id : caller.kind
  const command = bmc.record({ systemId: system.spec.id, type: typeof type === 'string' ? type : '', session })
  const result = carryOut(exchange, system, body, type, command)
  command.status = typeof result === 'string' ? 0 : result.status
  return result
}

function carryOut(
  exchange: Exchange,
  system: SimulatedSystem,
  body: Record<string, unknown> | undefined,
  type: unknown,
  command: ReceivedCommand,
): ResetResult {
  const { bmc } = exchange
  const { personality } = bmc
  if (body === undefined) return messageReply(personality, 'MalformedJSON')
  if (type === undefined) return messageReply(personality, 'ActionParameterMissing')
  const known = personality.resetTypes.find(candidate => candidate === type)
  if (known === undefined) return messageReply(personality, 'ActionParameterValueNotInList')
  const plan = planFor(known, system)
  bmc.faults.apply(
    targetOf,
    exchange,
    (definition, parameters) => definition.machine?.(plan, parameters) ?? definition.command?.(plan, parameters, exchange),
  )
  if (plan.refusal !== undefined) return plan.refusal
  const { outcome, executed } = press(plan, `redfish:${bmc.name}:${command.session}`)
  command.executed = executed
  return plan.silence ?? answerFor(bmc, plan, outcome)
}

function planFor(type: ResetType, system: SimulatedSystem): ResetPlan {
  const wanted = RESET_OPERATIONS[type]
  const operation = wanted === 'button' ? (system.power.state === 'off' ? 'on' : 'softOff') : wanted
  return {
    type,
    system,
    operation,
    execute: true,
    lateMs: null,
    delays: {},
    refusal: undefined,
    accepted: undefined,
    already: undefined,
    task: { outcome: 'Completed', monitor: 'usual', location: true, ends: true },
    silence: undefined,
  }
}

function answerFor(bmc: Bmc, plan: ResetPlan, outcome: PowerOutcome): Reply {
  const { answers } = bmc.personality
  switch (outcome) {
    case 'started':
      return render(bmc, plan, plan.accepted ?? answers.accepted)
    case 'already':
      return render(bmc, plan, plan.already ?? (turnsOn(plan.operation) ? answers.alreadyOn : answers.alreadyOff))
    case 'wrongState':
      return render(bmc, plan, answers.wrongState)
  }
}

function turnsOn(operation: PowerOperation | 'none'): boolean {
  return operation === 'on'
}

function render(bmc: Bmc, plan: ResetPlan, answer: ActionAnswer): Reply {
  switch (answer.kind) {
    case 'empty':
      return { status: answer.status, headers: {}, body: answer.status === 204 ? null : Buffer.alloc(0) }
    case 'message':
      return {
        status: answer.status,
        headers: {},
        body: errorBody(answer.messageId, answer.message, answer.status < 300 ? 'OK' : 'Warning'),
      }
    case 'task': {
      const { power } = plan.system
      const { outcome, monitor, location, ends } = plan.task
      const task = bmc.tasks.start({ name: 'Computer Reset', isDone: () => ends && !power.busy, outcome, monitor })
      const headers = location ? { location: `/redfish/v1/TaskService/TaskMonitors/${task.id}`, 'retry-after': '1' } : {}
      return jsonReply(202, bmc.tasks.render(task), headers)
    }
  }
}
