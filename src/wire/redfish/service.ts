import { RedfishError } from './failure.ts'
import { type JsonObject, linkOf, objectOf, textOf } from './json.ts'
import { type Vendor, type VendorSigns, vendorOf } from './quirks.ts'

/** What the service root tells. Paths are resolved. */
export interface Service {
  vendor: Vendor
  signs: VendorSigns
  product?: string
  version?: string
  uuid?: string
  systemsPath: string
  /** Where to log in (`Links.Sessions`); undefined: Basic only. */
  sessionsPath?: string
}

/** Reads a service root. Throws RedfishError: `bad_resource` without a Systems collection, `foreign_reference` where a link leads to another host. */
export function serviceOf(root: JsonObject, resolve: (reference: unknown) => string | undefined): Service {
  const links = objectOf(root, 'Links')
  const systems = linkOf(root, 'Systems')
  if (systems === undefined) throw new RedfishError('bad_resource', 'the service root names no Systems')
  const systemsPath = resolve(systems)
  const sessions = linkOf(links, 'Sessions')
  const sessionsPath = resolve(sessions)
  if (systemsPath === undefined || (sessions !== undefined && sessionsPath === undefined)) {
    throw new RedfishError('foreign_reference', 'the service root leads to another host')
  }
  const signs: VendorSigns = {
    vendor: textOf(root, 'Vendor'),
    oemKeys: Object.keys(objectOf(root, 'Oem')),
    manager: resolve(linkOf(links, 'ManagerProvidingService')),
  }
  const product = textOf(root, 'Product')
  const version = textOf(root, 'RedfishVersion')
  const uuid = textOf(root, 'UUID')
  return {
    vendor: vendorOf(signs),
    signs,
    systemsPath,
    ...(sessionsPath === undefined ? {} : { sessionsPath }),
    ...(product === undefined ? {} : { product }),
    ...(version === undefined ? {} : { version }),
    ...(uuid === undefined ? {} : { uuid }),
  }
}
