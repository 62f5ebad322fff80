import { FrameError } from '../../wire/ipmi/failure.ts'
import { rakp2Code, rakp3Code, rakp4Code, sameCode, sessionKeys } from '../../wire/ipmi/rakp.ts'
import {
  decodeOpenRequest,
  decodeRakp1,
  decodeRakp3,
  encodeOpenResponse,
  encodeRakp2,
  encodeRakp4,
  type Rakp1,
} from '../../wire/ipmi/setup.ts'
import { type Algorithms, type Suite, suiteOf } from '../../wire/ipmi/suites.ts'
import { algorithmsOf } from './algorithms.ts'
import { type Draft, draftOf } from './draft.ts'
import type { SetupPlan } from './hooks.ts'
import { PRIVILEGES } from './options.ts'
import type { Handshake, IpmiSession } from './sessions.ts'
import type { IpmiSide } from './side.ts'

/** RMCP+ status codes (table 13-15) that this BMC gives. */
const STATUS = {
  full: 0x01,
  unknownSession: 0x02,
  auth: 0x04,
  integrity: 0x05,
  role: 0x0a,
  nameLength: 0x0c,
  name: 0x0d,
  code: 0x0f,
  suite: 0x11,
}

const NAME_LIMIT = 16
const RANDOM = 16
const NOTHING = Buffer.alloc(0)

/** Answers an Open Session Request (§13.17, §13.18). */
export function open(side: IpmiSide, payload: Buffer, from: string): Draft {
  const { tag, privilege, consoleId, suite: asked } = decodeOpenRequest(payload)
  const plan = planFor(side, 'open')
  const suite = suiteOf(asked)
  const isSuite0 = asked.auth === 0 && asked.integrity === 0 && asked.confidentiality === 0
  const limit = privilege === 0 ? PRIVILEGES.administrator : privilege
  plan.status ??= refusalOf(side, asked, suite, isSuite0 && plan.acceptSuite0)
  if (plan.status === undefined) {
    const session = side.sessions.open(from, consoleId, suite, limit)
    if (session === undefined) plan.status = STATUS.full
    else {
      side.counters.peakSessions = Math.max(side.counters.peakSessions, side.sessions.list().length)
      const algorithms = plan.chosen ?? asked
      return setupDraft(
        'open',
        'openResponse',
        encodeOpenResponse({ tag, status: 0, privilege: limit, consoleId, bmcId: session.id, algorithms }),
      )
    }
  }
  return refusal(plan, 'openResponse', tag, consoleId)
}

function refusalOf(side: IpmiSide, asked: Algorithms, suite: Readonly<Suite> | undefined, isLetIn: boolean): number | undefined {
  if (isLetIn || (suite !== undefined && side.suites.includes(suite.id))) return undefined
  const known = side.suites.map(algorithmsOf)
  if (!known.some(({ auth }) => auth === asked.auth)) return STATUS.auth
  if (!known.some(({ integrity }) => integrity === asked.integrity)) return STATUS.integrity
  return STATUS.suite
}

/** Answers RAKP1 (§13.20, §13.21). Undefined: dropped. */
export function rakp1(side: IpmiSide, payload: Buffer, from: string): Draft | undefined {
  const request = decodeRakp1(payload)
  const session = halfOpen(side, request.bmcId, from)
  const plan = planFor(side, 'rakp1')
  plan.status ??= session === undefined ? STATUS.unknownSession : undefined
  if (plan.status !== undefined || session === undefined) return refusal(plan, 'rakp2', request.tag, session?.consoleId ?? 0)
  const { user, status } = accountOf(side, request, session)
  if (status !== undefined) {
    side.failLogin()
    side.sessions.close(session.id)
    plan.status = status
    return refusal(plan, 'rakp2', request.tag, session.consoleId)
  }
  const { handshake } = session
  // A repeated RAKP1 gets the same RAKP2: the first answer may yet arrive.
  const isRepeated = handshake?.consoleRandom.equals(request.random) === true && (handshake.role & 0x0f) === (request.role & 0x0f)
  session.handshake = isRepeated
    ? handshake
    : {
        user: user ?? { name: '', password: '', privilege: 'user' },
        name: plan.quirk === 'pad-user-16' ? Buffer.concat([request.user], NAME_LIMIT) : Buffer.from(request.user),
        role: plan.quirk === 'no-name-only-lookup' ? request.role & 0x0f : request.role,
        consoleRandom: Buffer.from(request.random),
        bmcRandom: side.randomBytes(RANDOM),
        guid: side.systemGuid,
        password: user === undefined || plan.wrongPassword ? side.randomBytes(RANDOM) : Buffer.from(user.password),
      }
  side.sessions.touch(session)
  const { bmcRandom, guid, password } = session.handshake
  const code = session.suite === undefined ? NOTHING : rakp2Code(session.suite, { ...facts(session, session.handshake), password })
  const answer = encodeRakp2({ tag: request.tag, status: 0, consoleId: session.consoleId, random: bmcRandom, guid, code })
  if (plan.quirk === 'rakp2-slack') return setupDraft('rakp1', 'rakp2', Buffer.concat([answer, Buffer.alloc(1)]))
  return setupDraft('rakp1', 'rakp2', answer, code.length === 0 ? undefined : { at: 40, bytes: code.length })
}

/** The account that RAKP1 names, or the status that refuses it. `bogus` BMCs go on with no account. */
function accountOf(
  side: IpmiSide,
  { user: name, role }: Rakp1,
  session: IpmiSession,
): { user?: Handshake['user'] | undefined; status?: number } {
  if (name.length > NAME_LIMIT) return { status: STATUS.nameLength }
  const text = name.toString().replace(/\0+$/, '')
  const user = side.users.find(candidate => candidate.name === text)
  if (user === undefined) return side.unknownUser === 'bogus' ? {} : { status: STATUS.name }
  const asked = (role & 0x0f) === 0 ? session.limit : role & 0x0f
  return asked > PRIVILEGES[user.privilege] ? { status: STATUS.role } : { user }
}

/** Answers RAKP3 (§13.22, §13.23). Undefined: dropped. */
export function rakp3(side: IpmiSide, payload: Buffer, from: string): Draft | undefined {
  const { tag, status, bmcId, code } = decodeRakp3Of(side, payload)
  const session = side.sessions.find(bmcId)
  if (status !== 0) {
    // The console gives up: its half of the session is free again, and nothing is answered (§13.22).
    if (session?.from !== from || session.keys !== undefined) return side.drop('stray_rakp3')
    if (status === STATUS.code) side.failLogin()
    side.sessions.close(bmcId)
    return side.drop('handshake_given_up')
  }
  const plan = planFor(side, 'rakp3')
  const handshake = session?.from === from ? session.handshake : undefined
  if (plan.status === undefined && (session === undefined || handshake === undefined)) plan.status = STATUS.unknownSession
  if (plan.status !== undefined || session === undefined || handshake === undefined) {
    if (session !== undefined && session.keys === undefined) side.sessions.close(bmcId)
    return refusal(plan, 'rakp4', tag, session?.consoleId ?? 0)
  }
  const { suite } = session
  const known = facts(session, handshake)
  if (suite !== undefined && !sameCode(code, rakp3Code(suite, { ...known, password: handshake.password }))) {
    // A log-in is not undone by a bad repetition of it: anybody could send one.
    if (session.keys !== undefined) return side.drop('stray_rakp3')
    side.failLogin()
    side.sessions.close(bmcId)
    plan.status = STATUS.code
    return refusal(plan, 'rakp4', tag, session.consoleId)
  }
  const keys =
    suite === undefined ? { sik: NOTHING, k1: NOTHING, k2: NOTHING } : sessionKeys(suite, { ...known, kg: side.kg ?? handshake.password })
  if (session.keys === undefined) {
    side.counters.logins++
    const asked = handshake.role & 0x0f
    session.limit = Math.min(session.limit, asked === 0 ? session.limit : asked, PRIVILEGES[handshake.user.privilege])
    // A session begins at USER (§6.8), or lower where that is the limit.
    session.privilege = Math.min(PRIVILEGES.user, session.limit)
  }
  session.keys = keys
  side.sessions.touch(session)
  const icv = suite === undefined ? NOTHING : rakp4Code(suite, { ...known, sik: keys.sik })
  const answer = encodeRakp4({ tag, status: 0, consoleId: session.consoleId, code: icv })
  return setupDraft('rakp3', 'rakp4', answer, icv.length === 0 ? undefined : { at: 8, bytes: icv.length })
}

/** With suite 0 RAKP3 has no code, which the decoder of our wire does not know. */
function decodeRakp3Of(side: IpmiSide, payload: Buffer): { tag: number; status: number; bmcId: number; code: Buffer } {
  try {
    return decodeRakp3(payload)
  } catch (error) {
    const session = payload.length === 8 ? side.sessions.find(payload.readUInt32LE(4)) : undefined
    if (!(error instanceof FrameError) || session === undefined || session.suite !== undefined) throw error
    return { tag: payload.readUInt8(0), status: payload.readUInt8(1), bmcId: session.id, code: NOTHING }
  }
}

/** A session that has not been logged in to yet, asked for from where it was opened. */
function halfOpen(side: IpmiSide, id: number, from: string): IpmiSession | undefined {
  const session = side.sessions.find(id)
  return session?.from === from && session.keys === undefined ? session : undefined
}

function facts(session: IpmiSession, { consoleRandom, bmcRandom, guid, role, name }: Handshake) {
  return { consoleId: session.consoleId, bmcId: session.id, consoleRandom, bmcRandom, guid, role, user: name }
}

function planFor(side: IpmiSide, packet: SetupPlan['packet']): SetupPlan {
  const plan: SetupPlan = {
    side,
    packet,
    status: undefined,
    isBare: false,
    chosen: undefined,
    acceptSuite0: false,
    wrongPassword: false,
    quirk: undefined,
  }
  side.bmc.faults.apply(
    () => ({ protocol: 'ipmi', packet, systemId: side.system.spec.id }),
    undefined,
    (definition, parameters) => definition.ipmi?.setup?.(plan, parameters),
  )
  return plan
}

function refusal(plan: SetupPlan, type: 'openResponse' | 'rakp2' | 'rakp4', tag: number, consoleId: number): Draft {
  const payload = Buffer.alloc(plan.isBare ? 2 : 8)
  payload.set([tag, plan.status ?? STATUS.full])
  if (!plan.isBare) payload.writeUInt32LE(consoleId, 4)
  return setupDraft(plan.packet, type, payload)
}

function setupDraft(
  packet: string,
  type: 'openResponse' | 'rakp2' | 'rakp4',
  payload: Buffer,
  code?: { at: number; bytes: number },
): Draft {
  return draftOf(packet, { kind: 'setup', type, payload, code })
}
