import type { IpmiQuirk } from '../../core/topology.ts'

/** One oddity: what is done differently, who needs it, what is seen without it, and how far the answer to it goes. */
export interface Quirk {
  summary: string
  vendor: string
  firmware: string
  symptom: string
  limit: string
}

/**
 * Every oddity that changes what we do. None is guessed: a device's owner names it. The oddity that most machines have (keys from the privilege of Open
 * Session instead of RAKP1's) needs none, because both carry the same privilege. Sources: FreeIPMI's workarounds and ipmitool's OEM types.
 */
export const QUIRKS: Readonly<Record<IpmiQuirk, Quirk>> = {
  'no-name-only-lookup': {
    summary: 'the user is looked up by name and privilege, not by name alone',
    vendor: 'Intel',
    firmware: 'SE7520AF2 (FreeIPMI intel20)',
    symptom: 'the code of RAKP2 or the answer to RAKP3 says that the password is wrong',
    limit: 'the privilege asked for has to be exactly that of the user',
  },
  'pad-user-16': {
    summary: 'the user name is sent and hashed with zeros up to 16 bytes',
    vendor: 'Intel',
    firmware: 'SE7520AF2 (FreeIPMI intel20)',
    symptom: 'status 0x0D or a wrong code in RAKP2, with a right name and password',
    limit: 'none known',
  },
  'rakp4-integrity-algorithm': {
    summary: "RAKP4's check value is made with the integrity algorithm instead of the authentication algorithm",
    vendor: 'Intel',
    firmware: 'SE7520AF2 (FreeIPMI intel20, ipmitool intelplus)',
    symptom: 'a wrong check value in RAKP4 under suites that mix hashes',
    limit: 'changes nothing here: in suites 3 and 17 both algorithms are the same hash, cut to the same length',
  },
  'rakp2-slack': {
    summary: "one byte too many behind RAKP2's code is cut off",
    vendor: 'Supermicro, Sun',
    firmware: 'H8QME with SIMSO (FreeIPMI supermicro20), Sun Fire 4100 to 4500 ILOM (sun20)',
    symptom: 'no log-in ends: every RAKP2 has 61 bytes and is dropped',
    limit: 'one byte; the code itself is checked as always',
  },
  'skip-checksum': {
    summary: 'check sums inside a packet whose code was checked are not looked at',
    vendor: 'Supermicro',
    firmware: 'X9SCM, X9DR (FreeIPMI nochecksumcheck)',
    symptom: 'log-in works and no command is ever answered',
    limit: 'only in a session: what is asked before a log-in keeps its check sums',
  },
  'ignore-watts': {
    summary: "DCMI's power reading is not taken as a witness",
    vendor: 'various',
    firmware: 'controllers that go on reporting watts of a machine that is off',
    symptom: 'off is never confirmed, because the watts contradict',
    limit: 'off then rests on the chassis status alone',
  },
}
