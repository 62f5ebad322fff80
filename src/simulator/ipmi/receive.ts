import { FrameError } from '../../wire/ipmi/failure.ts'
import { decodeRequest, type Request } from '../../wire/ipmi/message.ts'
import { encodePong, parsePacket, type SessionPacket, type SetupType } from '../../wire/ipmi/rmcp.ts'
import { unseal } from '../../wire/ipmi/seal.ts'
import { handlerOf, packetOf } from './commands.ts'
import { CODES } from './completion.ts'
import { type Draft, draftOf } from './draft.ts'
import type { CommandPlan } from './hooks.ts'
import type { IpmiSession } from './sessions.ts'
import { open, rakp1, rakp3 } from './setup.ts'
import type { IpmiSide } from './side.ts'

/** What a datagram turned out to be, by the BMC's own lights. `packet` names it for counters and matchers. */
export type Reading =
  | { readonly packet: 'ping'; readonly kind: 'ping'; readonly tag: number }
  | { readonly packet: 'open' | 'rakp1' | 'rakp3'; readonly kind: 'setup'; readonly payload: Buffer }
  | {
      readonly packet: string
      readonly kind: 'request'
      readonly request: Request
      readonly session: IpmiSession | undefined
      readonly sequence: number
      readonly wrapper: Draft['wrapper']
    }
  | { readonly packet: 'other'; readonly kind: 'dropped'; readonly reason: string }

const STEPS: Partial<Record<SetupType, 'open' | 'rakp1' | 'rakp3'>> = { openRequest: 'open', rakp1: 'rakp1', rakp3: 'rakp3' }

/** Reads a datagram and changes nothing: it may be asked twice. In a session the code is checked before anything else is looked at. */
export function read(side: IpmiSide, bytes: Buffer, from: string): Reading {
  try {
    const packet = parsePacket(bytes)
    switch (packet.kind) {
      case 'ping':
        return { packet: 'ping', kind: 'ping', tag: packet.tag }
      case 'setup': {
        const step = STEPS[packet.type]
        return step === undefined ? dropped('not_for_bmc') : { packet: step, kind: 'setup', payload: packet.payload }
      }
      case 'v15':
        return requestOf(decodeRequest(packet.message), undefined, 0, 'v15')
      case 'session':
        return inSession(side, packet, from)
      case 'pong':
        return dropped('not_for_bmc')
    }
  } catch (error) {
    if (error instanceof FrameError) return dropped(error.reason)
    throw error
  }
}

function inSession(side: IpmiSide, packet: SessionPacket, from: string): Reading {
  const { sessionId, sequence, authenticated, encrypted, payload } = packet
  if (sessionId === 0) {
    return authenticated || encrypted ? dropped('no_session') : requestOf(decodeRequest(payload), undefined, 0, 'v20')
  }
  const session = side.sessions.find(sessionId)
  if (session?.keys === undefined) return dropped('no_session')
  if (session.from !== from) return dropped('other_address')
  const message = session.suite === undefined ? payload : unseal(packet, session.suite, session.keys)
  return requestOf(decodeRequest(message), session, sequence, 'session')
}

function requestOf(request: Request, session: IpmiSession | undefined, sequence: number, wrapper: Draft['wrapper']): Reading {
  return { packet: packetOf(request), kind: 'request', request, session, sequence, wrapper }
}

function dropped(reason: string): Reading {
  return { packet: 'other', kind: 'dropped', reason }
}

/** Does what a datagram asks. The answer before its protection, or undefined where there is none: what is not authenticated is dropped in silence. */
export function handle(side: IpmiSide, bytes: Buffer, from: string): Draft | undefined {
  const reading = read(side, bytes, from)
  const { byPacket } = side.counters
  if (reading.kind !== 'dropped') byPacket[reading.packet] = (byPacket[reading.packet] ?? 0) + 1
  switch (reading.kind) {
    case 'dropped':
      return side.drop(reading.reason)
    case 'ping':
      return draftOf('ping', { kind: 'bytes', bytes: encodePong(reading.tag) })
    case 'setup':
      return step(side, reading.packet, reading.payload, from)
    case 'request':
      return command(side, reading)
  }
}

const SETUP = { open, rakp1, rakp3 }

function step(side: IpmiSide, packet: 'open' | 'rakp1' | 'rakp3', payload: Buffer, from: string): Draft | undefined {
  try {
    return SETUP[packet](side, payload, from)
  } catch (error) {
    if (error instanceof FrameError) return side.drop(error.reason)
    throw error
  }
}

function command(side: IpmiSide, reading: Extract<Reading, { kind: 'request' }>): Draft | undefined {
  const { request, session, sequence, packet, wrapper } = reading
  if (session !== undefined) {
    if (!session.window.take(sequence) && session.suite !== undefined) return side.drop('sequence')
    side.sessions.touch(session)
  }
  const plan: CommandPlan = {
    side,
    packet,
    session,
    completion: undefined,
    execute: true,
    answered: true,
    loses: 'none',
    deafMs: 0,
    entry: undefined,
  }
  side.bmc.faults.apply(
    () => ({ protocol: 'ipmi', packet, systemId: side.system.spec.id }),
    undefined,
    (definition, parameters) => definition.ipmi?.command?.(plan, parameters),
  )
  const done = carryOut(side, reading, plan)
  const completion = plan.completion ?? done.completion
  if (plan.entry !== undefined) plan.entry.completion = plan.answered ? completion : null
  if (plan.deafMs > 0) side.deafUntil = side.bmc.clock.now() + plan.deafMs
  if (plan.loses === 'own' && session !== undefined) side.sessions.close(session.id)
  if (plan.loses === 'all') side.sessions.clear()
  if (!plan.answered) return side.drop('fault')
  const data = completion === CODES.ok || completion === done.completion ? Buffer.from(done.data ?? []) : Buffer.alloc(0)
  const message = { netFn: request.netFn | 1, command: request.command, sequence: request.sequence, completion, data }
  const draft = draftOf(packet, { kind: 'message', message }, session)
  draft.wrapper = wrapper
  if (session !== undefined) {
    draft.sequence = session.nextSequence
    session.nextSequence = session.nextSequence === 0xffff_ffff ? 1 : session.nextSequence + 1
  }
  return draft
}

function carryOut(side: IpmiSide, { request, session, sequence }: Extract<Reading, { kind: 'request' }>, plan: CommandPlan) {
  const handler = handlerOf(request)
  if (handler === undefined) return { completion: CODES.command }
  if (handler.privilege !== undefined && (session?.privilege ?? 0) < handler.privilege) return { completion: CODES.privilege }
  // What is received is noted also where nothing is done with it.
  if (!plan.execute && handler.packet !== 'chassisControl') return { completion: CODES.ok }
  return handler.run({ side, request, session, sequence, plan })
}
