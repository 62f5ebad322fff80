import type { Test } from 'tap'
import type { CipherSuite } from '../../src/core/power.ts'
import type { OnceReply } from '../../src/wire/ipmi/client.ts'
import type { ClientOptions } from '../../src/wire/ipmi/client-options.ts'
import { closeByTicket } from '../../src/wire/ipmi/client-settle.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { IpmiError } from '../../src/wire/ipmi/failure.ts'
import { Lab, type LabOptions } from './ipmi-lab.ts'

/** What is asked of a BMC. */
export type Operation = 'status' | 'off' | 'on'

/** One thing that goes wrong, and what has to come of it. */
export interface Case {
  readonly name: string
  arm(lab: Lab): void
  /** The BMC itself says what is not true: then a false reading is no fault of the client's. */
  readonly lies?: true
  readonly lab?: Partial<LabOptions>
  readonly client?: Partial<ClientOptions>
  /** How many fresh sessions read afterwards; default 2. */
  readonly rounds?: number
  expect?(t: Test, story: Story, operation: Operation, lab: Lab): void
}

interface Reading {
  readonly from: number
  readonly to: number
  readonly on: boolean
}

/** What came of one operation, as a driver would see it. */
export interface Story {
  readonly readings: Reading[]
  /** Reasons of everything that failed, in order. */
  readonly failures: string[]
  readonly guids: string[]
  once?: OnceReply
  /** Whether the session of the command was closed for certain, and when that was known. */
  settled?: 'closed' | 'unknown'
  settledAt?: number
  logIns: number
  readonly privilege: ClientOptions['privilege']
}

const FOREVER = Number.POSITIVE_INFINITY

/** Reads, and for off and on: sends once over the named session, settles it, and reads again over new ones. */
async function tell(lab: Lab, operation: Operation, options: Partial<ClientOptions>, rounds: number): Promise<Story> {
  const { privilege = 'operator' } = options
  const story: Story = { readings: [], failures: [], guids: [], logIns: 0, privilege }
  const client = lab.client(options)
  await attempt(story, () => readWith(lab, client, story))
  if (operation !== 'status') {
    await attempt(story, () => lab.settle(client.elevate()))
    const ticket = await attempt(story, async () => client.ticket())
    if (ticket !== undefined) {
      const action = operation === 'off' ? 'down' : 'up'
      story.once = await lab.settle(client.sendOnce(COMMANDS.chassisControl, { action }, undefined, FOREVER))
      story.settled = await lab.settle(client.close({ confirmed: true }))
      if (story.settled === 'unknown') {
        const failed = (error: IpmiError): void => note(story, error)
        story.settled = await lab.settle(closeByTicket(lab.ports, lab.options(options), ticket, undefined, failed))
      }
      story.settledAt = lab.time.now()
    }
  } else await attempt(story, () => readWith(lab, client, story))
  // A session that was opened under a damaged packet may be of no use (a flipped privilege): the next poll has another.
  const fresh = operation === 'status' ? (story.readings.length === 0 ? 1 : 0) : rounds
  for (let round = 0; round < fresh; round++) {
    await lab.time.run(500)
    const reader = lab.client(options)
    await attempt(story, () => readWith(lab, reader, story))
    await lab.settle(reader.close({ confirmed: false }))
  }
  await lab.settle(client.close({ confirmed: false }))
  return story
}

async function readWith(lab: Lab, client: ReturnType<Lab['client']>, story: Story): Promise<void> {
  const from = lab.time.now()
  const { on } = await lab.settle(client.execute(COMMANDS.chassisStatus, undefined))
  story.readings.push({ from, to: lab.time.now(), on })
  story.guids.push(client.facts?.guid.toString('hex') ?? '')
}

/** Anything but an IpmiError ends the test. */
async function attempt<T>(story: Story, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof IpmiError)) throw error
    note(story, error)
    return undefined
  }
}

function note(story: Story, { reason, facts }: IpmiError): void {
  story.failures.push(reason)
  story.logIns += facts.logIns ?? 0
}

/** What holds whatever happens. Silent where all is well: there are thousands of runs. */
function judge(lab: Lab, story: Story, lies: boolean): string[] {
  const problems: string[] = []
  const falseOff = story.readings.find(({ from, to, on }) => !on && !lab.wasOff(from, to))
  if (!lies && falseOff !== undefined) problems.push(`a false off, read at ${falseOff.to}`)
  const controls = lab.sent['chassisControl'] ?? 0
  if (controls > (story.once === undefined || story.once.kind === 'unsent' ? 0 : 1)) problems.push(`${controls} power commands sent`)
  if (lab.side.received.length > 1) problems.push(`${lab.side.received.length} power commands received`)
  const { settled, settledAt = 0 } = story
  if (settled === 'closed' && lab.side.received.some(({ at }) => at > settledAt))
    problems.push('a power command after its session was closed')
  if (lab.timers !== 0) problems.push(`${lab.timers} timers are left`)
  if (lab.sockets !== 0) problems.push(`${lab.sockets} sockets are left`)
  return problems
}

/** One case, once. */
export async function run(one: Case, operation: Operation, suite: CipherSuite): Promise<{ lab: Lab; story: Story; problems: string[] }> {
  const lab = new Lab({ suite, initial: operation === 'on' ? 'off' : 'on', ...one.lab })
  one.arm(lab)
  const story = await tell(lab, operation, one.client ?? {}, one.rounds ?? 2)
  // Whatever is still on its way arrives.
  await lab.time.run(200_000)
  return { lab, story, problems: judge(lab, story, one.lies === true) }
}
