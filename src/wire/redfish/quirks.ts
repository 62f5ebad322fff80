/** Makers of Redfish services that are told apart. `unknown` gets no quirk. */
export type Vendor = 'dell' | 'hpe' | 'lenovo' | 'supermicro' | 'ami' | 'openbmc' | 'intel' | 'cray' | 'nvidia' | 'unknown'

/** What the rest of the room does differently. */
export interface Traits {
  /** System `Off` counts only together with Chassis `Off` (S11). */
  chassisOffRequired: boolean
  /** Kept connections are reset: commands go over a new one. */
  freshConnectionForCommand: boolean
}

/** One oddity: who, which firmware, what is seen, and how far our answer to it goes. */
export interface Quirk {
  vendor: Vendor
  firmware: string
  symptom: string
  limit: string
  sets: Partial<Traits>
}

/** Every oddity that changes what we do. Those that a client without assumptions survives anyway (status codes when already off, 202, …) need no entry. */
export const QUIRKS: readonly Quirk[] = [
  {
    vendor: 'openbmc',
    firmware: 'all (bmcweb systems.hpp)',
    symptom: 'PowerState is the host state; every unknown host state, so also that of a crashed state manager, is shown as Off',
    limit: 'without a readable Chassis.PowerState no off is ever confirmed',
    sets: { chassisOffRequired: true },
  },
  {
    vendor: 'nvidia',
    firmware: 'HGX and Grace services, derived from bmcweb',
    symptom: 'as OpenBMC',
    limit: 'as OpenBMC',
    sets: { chassisOffRequired: true },
  },
  {
    vendor: 'hpe',
    firmware: 'iLO 4 to 6 (libredfish)',
    symptom: 'RST when a kept connection is used again',
    limit: 'one more TLS handshake for each command; reads are repeated once instead',
    sets: { freshConnectionForCommand: true },
  },
]

/** The traits of a vendor: all quirks of the table together. */
export function traitsOf(vendor: Vendor): Traits {
  const traits: Traits = { chassisOffRequired: false, freshConnectionForCommand: false }
  for (const quirk of QUIRKS) if (quirk.vendor === vendor) Object.assign(traits, quirk.sets)
  return traits
}

/** Words in Vendor, OEM keys and Manufacturer, in order of trust: the first that matches wins. */
const WORDS: readonly [RegExp, Vendor][] = [
  [/dell/i, 'dell'],
  [/cray/i, 'cray'],
  [/^(hpe?|hewlett.*)$/i, 'hpe'],
  [/lenovo/i, 'lenovo'],
  [/super ?micro/i, 'supermicro'],
  [/^(ami|american megatrends.*)$/i, 'ami'],
  [/openbmc/i, 'openbmc'],
  [/nvidia/i, 'nvidia'],
  [/intel/i, 'intel'],
]

/** What a vendor is told from. */
export interface VendorSigns {
  /** ServiceRoot.Vendor. */
  vendor: string | undefined
  /** Keys of ServiceRoot.Oem. */
  oemKeys: readonly string[]
  /** ServiceRoot.Links.ManagerProvidingService, or the system's Links.ManagedBy: bmcweb calls its manager `bmc`, whoever sells it. */
  manager: string | undefined
  /** ComputerSystem.Manufacturer and Model, once known. */
  manufacturer?: string | undefined
  model?: string | undefined
}

/**
 * The maker of the service. What the service does comes before what it calls itself (Supermicro, Lenovo and others sell bmcweb under their names),
 * and its own words before the machine's: a DGX is made by NVIDIA and runs AMI's service.
 */
export function vendorOf(signs: VendorSigns): Vendor {
  if (signs.manager !== undefined && /\/Managers\/bmc\/?$/.test(signs.manager)) return 'openbmc'
  for (const word of [signs.vendor, ...signs.oemKeys]) {
    const found = word === undefined ? undefined : WORDS.find(([pattern]) => pattern.test(word))
    if (found !== undefined) return found[1]
  }
  if (/cray/i.test(signs.model ?? '')) return 'cray'
  for (const [pattern, vendor] of WORDS) if (signs.manufacturer !== undefined && pattern.test(signs.manufacturer)) return vendor
  return 'unknown'
}
