import { RedfishError } from './failure.ts'

/** One at a time, in order: BMCs answer 503 or stumble when asked two things at once (F41). A waiter can be aborted. */
export class Lane {
  #tail: Promise<unknown> = Promise.resolve()

  /** Runs `work` when all earlier work has ended. Throws RedfishError `aborted` (unwritten) when the signal fires before its turn. */
  async run<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#tail
    let leave: () => void = () => undefined
    this.#tail = new Promise<void>(resolve => {
      leave = resolve
    })
    // The place in the line is given up only after those before it have left.
    const done = (): void => void before.then(leave)
    try {
      await turn(before, signal)
      return await work()
    } finally {
      done()
    }
  }
}

async function turn(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) {
    await before
    return
  }
  let onAbort: () => void = () => undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new RedfishError('aborted', 'aborted before its turn', { written: false }))
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    await Promise.race([before, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
