import type { DeviceRequest } from '../client/types.ts'
import { readText } from './connect.ts'
import { UsageError } from './exit.ts'

/** How an IPMI device is spoken to, as the API wants it. Which words are allowed is the gateway's to say: it may know more. */
export type IpmiSetting = NonNullable<DeviceRequest['ipmi']>

/** The options of `device add` that go with `--driver ipmi`. */
export interface IpmiOptions {
  cipherSuite?: string
  privilege?: string
  quirk?: string[]
}

/** The settings that were given; undefined where none was. */
export function ipmiSetting({ cipherSuite, privilege, quirk }: IpmiOptions): IpmiSetting | undefined {
  if (cipherSuite === undefined && privilege === undefined && quirk === undefined) return undefined
  return {
    ...(cipherSuite === undefined ? {} : { cipherSuite }),
    ...(privilege === undefined ? {} : { privilege }),
    ...(quirk === undefined ? {} : { quirks: quirk }),
  } as IpmiSetting
}

/** A BMC key from a file of one line: like a password never an argument. */
export function bmcKeyOf(file: string): string {
  const key = readText(file, 'BMC key file').replace(/\r?\n$/, '')
  if (key === '' || /[\r\n]/.test(key))
    throw new UsageError(`${file} must hold one line: the BMC key, as text or as 0x and hexadecimal digits`)
  return key
}
