import { strict as assert } from 'node:assert'
import type { CommandSpec } from '../../src/wire/ipmi/command.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from '../../src/wire/ipmi/message.ts'
import { type Handshake, rakp2Code, rakp3Code, rakp4Code, type SessionKeys, sessionKeys } from '../../src/wire/ipmi/rakp.ts'
import {
  encodePing,
  encodePong,
  encodeSetup,
  encodeV15,
  parsePacket,
  type SessionPacket,
  type SetupPacket,
} from '../../src/wire/ipmi/rmcp.ts'
import { seal, unseal } from '../../src/wire/ipmi/seal.ts'
import {
  decodeOpenRequest,
  decodeOpenResponse,
  decodeRakp1,
  decodeRakp2,
  decodeRakp3,
  decodeRakp4,
  encodeOpenRequest,
  encodeOpenResponse,
  encodeRakp1,
  encodeRakp2,
  encodeRakp3,
  encodeRakp4,
} from '../../src/wire/ipmi/setup.ts'
import { SUITES, sameAlgorithms } from '../../src/wire/ipmi/suites.ts'

/** A datagram between two stacks that are not ours: which way it went, and its bytes in hex. */
export interface RecordedPacket {
  readonly to: 'bmc' | 'client'
  readonly hex: string
}

/** A whole conversation between two stacks that are not ours: log-in, commands, Close. The secrets were made up for it. */
export interface Recording {
  readonly client: string
  readonly bmc: string
  readonly suite: 3 | 17
  readonly username: string
  readonly password: string
  /** The BMC key, where it had one. */
  readonly kg?: string
  readonly packets: readonly RecordedPacket[]
}

/** One packet as we understand it: a step of the handshake, or a command (`00/02 01`: network function, command, data) and its answer (completion, data). */
export interface Traced {
  readonly to: 'bmc' | 'client'
  readonly what: string
  readonly sequence?: number
  /** The table's name of the command, where it is one of ours. */
  readonly name?: string
  /** What it means, where it is an answer to one of our commands. */
  readonly reply?: unknown
}

/**
 * Follows a conversation as a third party that knows the passwords: decodes every packet, derives the keys, checks every code, decrypts, and builds each
 * packet again from its fields alone. Throws where a single byte differs.
 */
export function retrace(recording: Recording): Traced[] {
  const step = follow(recording)
  return recording.packets.map(({ to, hex }, index) => {
    const datagram = Buffer.from(hex, 'hex')
    try {
      return step(to, datagram)
    } catch (error) {
      throw new Error(`packet ${index} to the ${to}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  })
}

/** The same, packet by packet, of a conversation that is under way: the last session that was opened. */
export function follow(
  secrets: Pick<Recording, 'suite' | 'username' | 'password' | 'kg'>,
): (to: 'bmc' | 'client', datagram: Buffer) => Traced {
  const retracing = new Retracing(secrets)
  return (to, datagram) => retracing.step(to, datagram)
}

class Retracing {
  readonly #recording: Pick<Recording, 'suite' | 'username' | 'password' | 'kg'>
  readonly #password: Buffer
  #known: Partial<Handshake> & { tag?: number; privilege?: number } = {}
  #keys: (SessionKeys & { sik: Buffer }) | undefined

  constructor(recording: Pick<Recording, 'suite' | 'username' | 'password' | 'kg'>) {
    this.#recording = recording
    this.#password = Buffer.from(recording.password)
  }

  step(to: 'bmc' | 'client', datagram: Buffer): Traced {
    const packet = parsePacket(datagram)
    switch (packet.kind) {
      case 'ping':
        return this.#same(datagram, encodePing(packet.tag), { to, what: 'ping' })
      case 'pong':
        return this.#same(datagram, encodePong(packet.tag), { to, what: 'pong' })
      case 'v15': {
        const { bytes, what, ...meaning } = again(to, packet.message)
        return this.#same(datagram, encodeV15(bytes), { to, what: `sessionless ${what}`, ...meaning })
      }
      case 'setup':
        return this.#same(datagram, encodeSetup(packet.type, this.#setup(to, packet)), { to, what: packet.type })
      case 'session':
        return this.#session(to, packet, datagram)
    }
  }

  #same(datagram: Buffer, built: Buffer, traced: Traced): Traced {
    assert.equal(built.toString('hex'), datagram.toString('hex'), `${traced.what} is built again byte for byte`)
    return traced
  }

  #setup(to: 'bmc' | 'client', { type, payload }: SetupPacket): Buffer {
    const suite = SUITES[this.#recording.suite]
    assert.equal(to, ['openRequest', 'rakp1', 'rakp3'].includes(type) ? 'bmc' : 'client', 'who sends what')
    switch (type) {
      case 'openRequest': {
        const open = decodeOpenRequest(payload)
        assert.ok(sameAlgorithms(open.suite, suite), 'proposes the suite')
        this.#known = { tag: open.tag, privilege: open.privilege, consoleId: open.consoleId }
        return encodeOpenRequest(open)
      }
      case 'openResponse': {
        const opened = decodeOpenResponse(payload)
        assert.ok(opened.algorithms !== undefined && sameAlgorithms(opened.algorithms, suite), 'chooses the suite')
        assert.deepEqual([opened.tag, opened.status, opened.consoleId], [this.#known.tag, 0, this.#known.consoleId])
        this.#known.bmcId = opened.bmcId ?? 0
        return encodeOpenResponse(opened)
      }
      case 'rakp1': {
        const rakp1 = decodeRakp1(payload)
        assert.deepEqual([rakp1.bmcId, rakp1.user.toString()], [this.#known.bmcId, this.#recording.username])
        this.#known = { ...this.#known, tag: rakp1.tag, consoleRandom: rakp1.random, role: rakp1.role, user: rakp1.user }
        return encodeRakp1(rakp1)
      }
      case 'rakp2': {
        const rakp2 = decodeRakp2(payload)
        assert.deepEqual([rakp2.tag, rakp2.status, rakp2.consoleId], [this.#known.tag, 0, this.#known.consoleId])
        this.#known = { ...this.#known, bmcRandom: rakp2.random, guid: rakp2.guid }
        const facts = this.#handshake()
        this.#keys = sessionKeys(suite, {
          ...facts,
          kg: this.#recording.kg === undefined ? this.#password : Buffer.from(this.#recording.kg),
        })
        return encodeRakp2({ ...rakp2, code: rakp2Code(suite, { ...facts, password: this.#password }) })
      }
      case 'rakp3': {
        const rakp3 = decodeRakp3(payload)
        assert.deepEqual([rakp3.status, rakp3.bmcId], [0, this.#known.bmcId])
        this.#known.tag = rakp3.tag
        return encodeRakp3({ ...rakp3, code: rakp3Code(suite, { ...this.#handshake(), password: this.#password }) })
      }
      case 'rakp4': {
        const rakp4 = decodeRakp4(payload)
        assert.deepEqual([rakp4.tag, rakp4.status, rakp4.consoleId], [this.#known.tag, 0, this.#known.consoleId])
        return encodeRakp4({ ...rakp4, code: rakp4Code(suite, { ...this.#handshake(), sik: this.#sessionKeys().sik }) })
      }
    }
  }

  #session(to: 'bmc' | 'client', packet: SessionPacket, datagram: Buffer): Traced {
    const suite = SUITES[this.#recording.suite]
    const keys = this.#sessionKeys()
    const { bytes, ...meaning } = again(to, unseal(packet, suite, keys))
    assert.equal(packet.sessionId, to === 'bmc' ? this.#known.bmcId : this.#known.consoleId, 'the receiver’s session id')
    const { sessionId, sequence } = packet
    const built = seal({ suite, keys, sessionId, sequence, message: bytes, iv: packet.payload.subarray(0, 16) })
    return this.#same(datagram, built, { to, sequence, ...meaning })
  }

  #handshake(): Handshake {
    const { consoleId, bmcId, consoleRandom, bmcRandom, guid, role, user } = this.#known
    assert.ok(consoleId && bmcId && consoleRandom && bmcRandom && guid && role !== undefined && user, 'the handshake came in order')
    return { consoleId, bmcId, consoleRandom, bmcRandom, guid, role, user }
  }

  #sessionKeys(): SessionKeys & { sik: Buffer } {
    assert.ok(this.#keys, 'the handshake came first')
    return this.#keys
  }
}

const SPECS: readonly CommandSpec<unknown, unknown>[] = Object.values(COMMANDS).map(spec => spec as CommandSpec<unknown, unknown>)

/** A message, read and written again from what was read; its arguments as well, where it is one of our commands. */
function again(to: 'bmc' | 'client', message: Buffer): Pick<Traced, 'what' | 'name' | 'reply'> & { bytes: Buffer } {
  if (to === 'bmc') {
    const request = decodeRequest(message)
    const spec = specOf(request.netFn, request.command)
    const data = spec === undefined ? request.data : spec.encode(spec.decodeArgs(request.data))
    return { what: naming(request.netFn, request.command, request.data), ...named(spec), bytes: encodeRequest({ ...request, data }) }
  }
  const response = decodeResponse(message, { checkSums: true })
  const netFn = response.netFn - 1
  const spec = specOf(netFn, response.command)
  const reply = spec === undefined || response.completion !== 0 ? {} : { reply: spec.decode(response.data) }
  const said = Buffer.concat([Buffer.from([response.completion]), response.data])
  return { what: naming(netFn, response.command, said), ...named(spec), ...reply, bytes: encodeResponse(response) }
}

function specOf(netFn: number, command: number): CommandSpec<unknown, unknown> | undefined {
  return SPECS.find(spec => spec.netFn === netFn && spec.command === command)
}

function named(spec: CommandSpec<unknown, unknown> | undefined): Pick<Traced, 'name'> {
  return spec === undefined ? {} : { name: spec.name }
}

function naming(netFn: number, command: number, data: Buffer): string {
  return `${hex2(netFn)}/${hex2(command)}${data.length === 0 ? '' : ` ${data.toString('hex')}`}`
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, '0')
}
