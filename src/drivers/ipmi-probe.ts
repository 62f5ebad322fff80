import type { Probe } from '../core/driver.ts'
import type { Hardware } from '../core/evidence.ts'
import type { Command, RestorePolicy } from '../core/power.ts'
import type { IpmiClient, SessionFacts } from '../wire/ipmi/client.ts'
import { type Discovery, discover } from '../wire/ipmi/client-discover.ts'
import type { ClientOptions } from '../wire/ipmi/client-options.ts'
import type { IpmiPorts } from '../wire/ipmi/client-ports.ts'
import { COMMANDS } from '../wire/ipmi/commands.ts'
import type { DeviceId, PowerReading } from '../wire/ipmi/controller.ts'
import { IpmiError } from '../wire/ipmi/failure.ts'
import type { SessionInfo } from '../wire/ipmi/rights.ts'
import { offersOf, onlyRefusable } from './ipmi-offers.ts'
import { WATTS_SOURCE } from './ipmi-watts.ts'

/** What a probe works with. */
export interface ProbeParts {
  client: IpmiClient
  options: ClientOptions
  ports: IpmiPorts
  watts(facts: SessionFacts): Promise<PowerReading | undefined>
  hardware(facts: SessionFacts): Promise<Hardware>
}

/** Makers that people know, by their IANA number. */
const MAKERS: Readonly<Record<number, string>> = {
  2: 'IBM',
  11: 'HPE',
  343: 'Intel',
  674: 'Dell',
  5771: 'Cisco',
  7244: 'Quanta',
  10368: 'Fujitsu',
  10876: 'Supermicro',
  15370: 'Gigabyte',
  19046: 'Lenovo',
  20974: 'AMI',
  47196: 'HPE',
}

/** Contacts a BMC and tells everything that a person should know before relying on it. Switches nothing and changes no setting. Throws IpmiError. */
export async function probeIpmi(parts: ProbeParts, signal: AbortSignal): Promise<Probe> {
  const { client, options } = parts
  // First what it says to anybody: where the log-in fails, that is what explains it.
  const discovery = await unless(['unreachable'], discover(parts.ports, options.address, signal))
  const status = await explained(discovery, client.execute(COMMANDS.chassisStatus, undefined, signal))
  const facts = client.facts
  if (facts === undefined) throw new IpmiError('closed', 'there is no session')
  const hardware = await parts.hardware(facts)
  const identity = await unless(['completion', 'bad_answer', 'privilege'], client.execute(COMMANDS.deviceId, undefined, signal))
  const sessions = await unless(['completion', 'bad_answer', 'privilege'], client.execute(COMMANDS.sessionInfo, undefined, signal))
  const watts = await parts.watts(facts)
  const refused = await refusalOf(client, signal)
  const supported = refused === undefined ? await policiesOf(client, signal) : []
  const { restorePolicy } = status
  const policy = restorePolicy !== 'unknown' && supported.includes('off') ? restorePolicy : null
  const commands = ['off', 'on'] as const satisfies readonly Command[]
  return {
    hardware,
    power: status.on ? 'on' : 'off',
    product: productOf(identity),
    systemId: '',
    others: [],
    commands: refused === undefined ? { off: 'Chassis Control: power down', on: 'Chassis Control: power up' } : { off: null, on: null },
    refusals: refused === undefined ? [] : commands.map(command => ({ command, reason: refused })),
    witnesses: watts === undefined ? [] : [`${WATTS_SOURCE}: ${watts.measuring ? `${watts.watts} W` : 'not measuring'}`],
    session: 'session',
    cipherSuite: facts.suite,
    offers: offersOf({ discovery, options, facts, refused, sessions, watts, supported, restorePolicy }),
    restorePolicy: policy,
    warnings: warningsOf({ discovery, options, facts, hardware, identity, sessions, policy }),
  }
}

/** The work's result; undefined where it fails for one of these reasons. */
async function unless<T>(reasons: readonly IpmiError['reason'][], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof IpmiError && reasons.includes(error.reason)) return undefined
    throw error
  }
}

/** A BMC that takes neither suite is told with what it would take instead. */
async function explained<T>(discovery: Discovery | undefined, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof IpmiError) || error.reason !== 'suite_refused') throw error
    const why = onlyRefusable(discovery?.suites)
    throw why === undefined ? error : new IpmiError(error.reason, `${error.message}. ${why}`, error.facts)
  }
}

/** Why this account may not switch the machine; undefined where it may. */
async function refusalOf(client: IpmiClient, signal: AbortSignal): Promise<string | undefined> {
  try {
    await client.elevate(signal)
    return undefined
  } catch (error) {
    if (error instanceof IpmiError && (error.reason === 'privilege' || error.reason === 'completion')) return error.message
    throw error
  }
}

/** The restore policies that it can be set to; none where it has no such setting. */
async function policiesOf(client: IpmiClient, signal: AbortSignal): Promise<RestorePolicy[]> {
  const work = client.execute(COMMANDS.setRestorePolicy, { policy: 'unchanged' }, signal)
  return (await unless(['completion', 'bad_answer', 'privilege'], work))?.supported ?? []
}

function productOf(identity: DeviceId | undefined): string {
  if (identity === undefined) return 'a BMC that does not tell what it is'
  const { manufacturer, product, firmware, ipmi } = identity
  return `${MAKERS[manufacturer] ?? `maker ${manufacturer}`} BMC, product ${product}, firmware ${firmware}, IPMI ${ipmi}`
}

function warningsOf(found: {
  discovery: Discovery | undefined
  options: ClientOptions
  facts: SessionFacts
  hardware: Hardware
  identity: DeviceId | undefined
  sessions: SessionInfo | undefined
  policy: RestorePolicy | null
}): string[] {
  const { discovery, options, facts, identity, sessions } = found
  const warnings: string[] = []
  if (discovery?.suites?.some(({ id, oem, auth }) => oem === undefined && (id === 0 || auth === 0)))
    warnings.push('it offers cipher suite 0: whoever reaches it can switch the machine without a password; disable it on the BMC')
  if (discovery?.capabilities?.anonymous || discovery?.capabilities?.namelessUsers)
    warnings.push('it has an account without a name; disable it on the BMC')
  if (facts.suite === 3) warnings.push('it is spoken to with cipher suite 3 (SHA-1); 17 is better where its firmware has it')
  if (Buffer.byteLength(options.password.reveal()) > 16)
    warnings.push('the password is longer than 16 bytes: some BMCs cut it off there, and take it without the rest')
  if (found.hardware.guid === undefined) warnings.push('it tells no GUID: the machine behind it can not be recognised again')
  if (identity?.updating) warnings.push('its firmware is being updated')
  // Two are ours at times: the present one, and one that settles an earlier one's command.
  if (sessions !== undefined && sessions.limit > 0 && sessions.limit - sessions.active < 1)
    warnings.push(`all of its ${sessions.limit} sessions are in use: a log-in may have to wait until one ends`)
  if (found.policy === null)
    warnings.push('its power restore policy can not be set: a held machine may come on by itself when mains power returns')
  return warnings
}
