import type { SimulatorClock } from '../clock.ts'
import type { JsonObject } from '../personality.ts'

/** TaskState values that a simulated task takes. */
export type TaskState = 'Running' | 'Completed' | 'Exception' | 'Cancelled'

/** A task that an action left behind. `isDone` is asked anew at each read. */
export interface Task {
  readonly id: string
  readonly name: string
  readonly startedAt: number
  readonly isDone: () => boolean
  readonly outcome: TaskState
  /** `gone`: the monitor answers 404; `early200`: it says 200 while the task still runs, as Huawei's does. */
  readonly monitor: 'usual' | 'gone' | 'early200'
  endedAt: number | undefined
}

/** bmcweb keeps as many; older ones are dropped whether they run or not. */
const TASK_LIMIT = 100

/** The tasks of one BMC. */
export class TaskTable {
  readonly #clock: SimulatorClock
  readonly #tasks = new Map<string, Task>()
  #nextId = 1

  constructor(clock: SimulatorClock) {
    this.#clock = clock
  }

  /** Begins a task. */
  start(options: { name: string; isDone: () => boolean; outcome?: TaskState; monitor?: Task['monitor'] }): Task {
    const task: Task = {
      id: String(this.#nextId++),
      name: options.name,
      startedAt: this.#clock.now(),
      isDone: options.isDone,
      outcome: options.outcome ?? 'Completed',
      monitor: options.monitor ?? 'usual',
      endedAt: undefined,
    }
    this.#tasks.set(task.id, task)
    const [oldest] = this.#tasks.keys()
    if (this.#tasks.size > TASK_LIMIT && oldest !== undefined) this.#tasks.delete(oldest)
    return task
  }

  list(): readonly Task[] {
    return [...this.#tasks.values()]
  }

  find(id: string): Task | undefined {
    return this.#tasks.get(id)
  }

  /** The state of a task as of now. */
  stateOf(task: Task): TaskState {
    if (task.endedAt === undefined) {
      if (!task.isDone()) return 'Running'
      task.endedAt = this.#clock.now()
    }
    return task.outcome
  }

  /** The Task resource. */
  render(task: Task): JsonObject {
    const state = this.stateOf(task)
    const failed = state === 'Exception'
    return {
      '@odata.type': '#Task.v1_4_2.Task',
      '@odata.id': `/redfish/v1/TaskService/Tasks/${task.id}`,
      Id: task.id,
      Name: task.name,
      TaskState: state,
      TaskStatus: failed ? 'Critical' : 'OK',
      StartTime: timestamp(task.startedAt),
      EndTime: task.endedAt === undefined ? undefined : timestamp(task.endedAt),
      TaskMonitor: `/redfish/v1/TaskService/TaskMonitors/${task.id}`,
      Messages:
        state === 'Running'
          ? []
          : [
              {
                '@odata.type': '#Message.v1_1_2.Message',
                MessageId: failed ? 'TaskEvent.1.0.TaskAborted' : 'TaskEvent.1.0.TaskCompletedOK',
                Message: `The task with id ${task.id} has ${failed ? 'failed' : 'completed'}.`,
                MessageArgs: [task.id],
                Severity: failed ? 'Critical' : 'OK',
                Resolution: 'None.',
              },
            ],
    }
  }
}

/** A Redfish date-time with seconds, in UTC. */
export function timestamp(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}+00:00`
}
