import type { Driver } from '../core/driver.ts'
import { ipmi } from './ipmi.ts'
import { redfish } from './redfish.ts'

/** Every driver there is. A new one is one file beside this, and one line here. */
export const DRIVERS: readonly Driver[] = [redfish, ipmi()]
