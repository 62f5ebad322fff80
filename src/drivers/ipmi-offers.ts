import type { Probe } from '../core/driver.ts'
import type { RestorePolicy } from '../core/power.ts'
import type { AuthCapabilities, OfferedSuite } from '../wire/ipmi/capabilities.ts'
import type { SessionFacts } from '../wire/ipmi/client.ts'
import type { Discovery } from '../wire/ipmi/client-discover.ts'
import type { ClientOptions } from '../wire/ipmi/client-options.ts'
import type { PowerReading } from '../wire/ipmi/controller.ts'
import type { SessionInfo } from '../wire/ipmi/rights.ts'
import { REFUSED_SUITES, suiteOf } from '../wire/ipmi/suites.ts'

type Offer = Probe['offers'][number]

/** What a probe found out. */
export interface Found {
  discovery: Discovery | undefined
  options: ClientOptions
  facts: SessionFacts
  /** Why the account may not switch. */
  refused: string | undefined
  sessions: SessionInfo | undefined
  watts: PowerReading | undefined
  /** Restore policies that it can be set to. */
  supported: RestorePolicy[]
  restorePolicy: RestorePolicy | 'unknown'
}

/** What a BMC offers, what of it is used, and what would be refused and why. Pure. What it says without a log-in is advisory. */
export function offersOf(found: Found): Offer[] {
  const { discovery, options, facts, refused, sessions, watts, supported, restorePolicy } = found
  const wanted = options.suite === 'auto' ? undefined : options.suite
  return [
    ...suiteOffers(discovery?.suites, facts.suite, wanted),
    ...(discovery?.capabilities === undefined ? [] : capabilityOffers(discovery.capabilities, options.kg !== undefined)),
    offer(`privilege ${options.privilege}`, refused === undefined ? 'used' : 'refused', refused ?? 'raised in each session that switches'),
    ...(sessions === undefined ? [] : [offer('sessions', 'used', `${sessions.active} of ${sessions.limit} are in use, this one included`)]),
    wattsOffer(watts, options),
    supported.length === 0
      ? offer('power restore policy', 'unused', 'it can not be set here')
      : offer('power restore policy', 'used', `is ${restorePolicy}; can be ${supported.join(', ')}; set to off for a hold`),
    ...(discovery === undefined ? [] : [offer('presence ping', 'unused', discovery.pong ? 'answered; proves nothing' : 'not answered')]),
  ]
}

function offer(name: string, use: Offer['use'], reason: string): Offer {
  return { name, use, reason }
}

function suiteOffers(suites: OfferedSuite[] | undefined, used: 17 | 3, wanted: 17 | 3 | undefined): Offer[] {
  const listed = (suites ?? []).map(suite => {
    const name = `cipher suite ${suite.oem === undefined ? suite.id : `${suite.id} of maker ${suite.oem}`}`
    const why = whyRefused(suite)
    if (why !== undefined) return offer(name, 'refused', why)
    const { id } = suite
    if (id === used) return offer(name, 'used', 'this session')
    return offer(name, 'unused', wanted === undefined ? `${used} is spoken` : `ipmi.cipherSuite is ${wanted}`)
  })
  const isListed = listed.some(({ use }) => use === 'used')
  return isListed ? listed : [offer(`cipher suite ${used}`, 'used', 'this session, although the BMC does not list it'), ...listed]
}

/** Ids are advisory: what counts are the algorithms (some makers' 17 is something else). */
function whyRefused(suite: OfferedSuite): string | undefined {
  if (suite.oem !== undefined) return "a maker's own suite is not known to be safe"
  if (suite.id !== 17 && suite.id !== 3) return REFUSED_SUITES(suite.id)
  const fits = suite.integrity.some(integrity =>
    suite.confidentiality.some(confidentiality => suiteOf({ auth: suite.auth, integrity, confidentiality })?.id === suite.id),
  )
  return fits ? undefined : `it calls something else suite ${suite.id}`
}

/** IPMI 1.5's ways to log in, by their bit (§22.13). */
const WEAK = [
  [0x02, 'MD2'],
  [0x04, 'MD5'],
  [0x10, 'the password in the clear'],
] as const

function capabilityOffers(capabilities: AuthCapabilities, hasKey: boolean): Offer[] {
  const { authTypes, ipmi15, extended, kg } = capabilities
  const offers: Offer[] = []
  if (ipmi15 || !extended) offers.push(offer('IPMI 1.5', 'refused', 'its sessions are not encrypted, and rest on MD5 or less'))
  if ((authTypes & 1) !== 0) offers.push(offer('log-in without authentication', 'refused', 'anybody is let in'))
  const weak = WEAK.flatMap(([bit, name]) => ((authTypes & bit) !== 0 ? [name] : []))
  if (weak.length > 0) offers.push(offer(`log-in by ${weak.join(', ')}`, 'refused', 'of IPMI 1.5'))
  if (capabilities.anonymous) offers.push(offer('anonymous log-in', 'refused', 'no name and no password'))
  if (capabilities.namelessUsers) offers.push(offer('accounts without a name', 'refused', 'nobody can be told apart'))
  if (capabilities.perMessageAuthDisabled) offers.push(offer('unsigned messages', 'refused', 'every packet is signed and encrypted here'))
  if (capabilities.userLevelAuthDisabled) offers.push(offer('unsigned reads', 'refused', 'every packet is signed and encrypted here'))
  if (kg) {
    const reason = hasKey ? 'the BMC has one' : 'it says that it has one, and let us in without'
    offers.push(offer('BMC key (Kg)', hasKey ? 'used' : 'unused', reason))
  } else if (hasKey) offers.push(offer('BMC key (Kg)', 'used', 'although it says that it has none'))
  return offers
}

function wattsOffer(watts: PowerReading | undefined, options: ClientOptions): Offer {
  const name = 'DCMI power reading'
  if (options.quirks?.includes('ignore-watts')) return offer(name, 'unused', 'the quirk ignore-watts is set')
  if (watts === undefined) return offer(name, 'unused', 'it has none, or does not answer: off rests on the chassis status alone')
  return offer(
    name,
    'used',
    watts.measuring ? `a witness of every off: ${watts.watts} W now` : 'a witness of every off, but not measuring now',
  )
}

/** What a BMC that takes neither suite would take instead; undefined where it does not say. */
export function onlyRefusable(suites: OfferedSuite[] | undefined): string | undefined {
  if (suites === undefined || suites.length === 0) return undefined
  const usable = suites.filter(suite => whyRefused(suite) === undefined)
  if (usable.length > 0) return `It lists ${usable.map(({ id }) => id).join(' and ')} all the same`
  return `It offers nothing that may be used: ${suites.map(suite => whyRefused(suite)).join('; ')}`
}
