import { writeFileSync } from 'node:fs'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createCertificate } from '../../src/simulator/redfish/certificate.ts'
import { folder, runProgram, type Served, serveProgram } from './processes.ts'

const USERNAME = 'fence'
const PASSWORD = 'peers-only'

/** One system that the emulator pretends. */
export interface EmulatedSystem {
  readonly name: string
  readonly uuid: string
}

/** A running sushy-emulator: many systems behind one service, Basic authentication only, no sessions and no tasks. */
export class Emulator {
  readonly url: string
  readonly systems: readonly EmulatedSystem[]
  readonly username = USERNAME
  readonly password = PASSWORD
  /** Its certificate as PEM; undefined over HTTP. */
  readonly ca: string | undefined
  readonly #served: Served

  constructor(url: string, systems: readonly EmulatedSystem[], ca: string | undefined, served: Served) {
    this.url = url
    this.systems = systems
    this.ca = ca
    this.#served = served
  }

  /** The system with this number, from 1. */
  system(number: number): EmulatedSystem {
    const system = this.systems[number - 1]
    if (system === undefined) throw new Error(`there is no system ${number}`)
    return system
  }

  /** What the emulator itself says about a system, asked past the gateway. */
  async power(system: EmulatedSystem): Promise<unknown> {
    const authorization = `Basic ${Buffer.from(`${USERNAME}:${PASSWORD}`).toString('base64')}`
    const request = this.ca === undefined ? requestHttp : requestHttps
    const options = { headers: { authorization }, ...(this.ca === undefined ? {} : { ca: this.ca }) }
    const body = await new Promise<string>((resolve, reject) => {
      const sent = request(`${this.url}/redfish/v1/Systems/${system.uuid}`, options, answer => {
        let text = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        answer.on('end', () => resolve(text)).on('error', reject)
      })
      sent.on('error', reject).end()
    })
    return (JSON.parse(body) as Record<string, unknown>)['PowerState']
  }

  /** How many Reset commands came for each system, by its name, from the emulator's own access log. */
  resets(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const line of this.#served.lines) {
      const uuid = /POST [^ ]*\/Systems\/([^/ ]+)\/Actions\/ComputerSystem\.Reset HTTP/.exec(line)?.[1]
      const name = this.systems.find(system => system.uuid === uuid)?.name
      if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1
    }
    return counts
  }
}

/** Starts the emulator with systems that are on, over TLS or plain HTTP; stopped when the test ends. */
export async function emulator(t: Test, programs: Record<string, string>, count: number, secure: boolean): Promise<Emulator> {
  const here = folder(t)
  const systems = Array.from({ length: count }, (_, index) => {
    const number = String(index + 1).padStart(2, '0')
    return { name: `node${number}`, uuid: `5a5e57a7-e000-4000-8000-0000000000${number}` }
  })
  const certificate = secure ? createCertificate({ commonName: 'sushy-emulator' }) : undefined
  const users = join(here, 'users')
  writeFileSync(users, await hashed(programs['python'] ?? ''), { mode: 0o600 })
  const settings: Record<string, unknown> = {
    SUSHY_EMULATOR_LISTEN_IP: '127.0.0.1',
    SUSHY_EMULATOR_LISTEN_PORT: 0,
    SUSHY_EMULATOR_AUTH_FILE: users,
    SUSHY_EMULATOR_STATE_DIR: here,
    SUSHY_EMULATOR_FAKE_SYSTEMS: systems.map(system => ({ ...system, power_state: 'On', nics: [] })),
  }
  if (certificate) {
    settings['SUSHY_EMULATOR_SSL_CERT'] = join(here, 'cert.pem')
    settings['SUSHY_EMULATOR_SSL_KEY'] = join(here, 'key.pem')
    writeFileSync(join(here, 'cert.pem'), certificate.cert)
    writeFileSync(join(here, 'key.pem'), certificate.key, { mode: 0o600 })
  }
  // Its settings are a Python file; JSON without true, false and null is Python.
  const file = join(here, 'emulator.conf')
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
      .join(''),
  )
  const served = await serveProgram(
    t,
    programs['sushy-emulator'] ?? '',
    ['--fake', '--config', file],
    /Running on (https?:\/\/127\.0\.0\.1:\d+)/,
  )
  return new Emulator(served.ready[1] ?? '', systems, certificate?.cert, served)
}

/** The line of a password file: the emulator takes bcrypt with the prefix `$2y$` only, as `htpasswd -B` writes it. */
async function hashed(python: string): Promise<string> {
  const script = "import bcrypt,sys\nprint(bcrypt.hashpw(sys.stdin.read().encode(), bcrypt.gensalt(4)).decode().replace('$2b$', '$2y$'))"
  const { code, out, err } = await runProgram(python, ['-c', script], { input: PASSWORD })
  if (code !== 0) throw new Error(err)
  return `${USERNAME}:${out.trim()}\n`
}
