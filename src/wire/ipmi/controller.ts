import { NOTHING, whole } from './command.ts'
import { FrameError } from './failure.ts'

/** Get Device ID (§20.1): which controller this is. */
export interface DeviceId {
  id: number
  /** 0 to 15. */
  revision: number
  /** While its firmware is updated a controller answers this command and little else. */
  updating: boolean
  /** Major and minor, e.g. `2.72`. */
  firmware: string
  /** e.g. `2.0`. */
  ipmi: string
  /** What else it offers, bit by bit: 7 chassis, …, 0 sensors. */
  additional: number
  /** IANA's number of the maker: 11 HP, 343 Intel, 674 Dell, 10876 Supermicro, … */
  manufacturer: number
  product: number
  /** Four bytes of the maker's; absent where the controller leaves them out. */
  auxiliary?: Buffer
}

/** 11 bytes, or 15 with the maker's four. */
export function decodeDeviceId(data: Buffer): DeviceId {
  return whole(data, reader => {
    const id = reader.u8()
    const revision = reader.u8() & 0x0f
    const major = reader.u8()
    const minor = reader.u8()
    const ipmi = reader.u8()
    const device: DeviceId = {
      id,
      revision,
      updating: (major & 0x80) !== 0,
      // The minor revision is decimal, two digits in a byte.
      firmware: `${major & 0x7f}.${minor.toString(16).padStart(2, '0')}`,
      // Likewise, with the digits the other way round.
      ipmi: `${ipmi & 0x0f}.${ipmi >> 4}`,
      additional: reader.u8(),
      manufacturer: reader.u24() & 0x0f_ffff,
      product: reader.u16(),
    }
    return reader.left > 0 ? { ...device, auxiliary: reader.take(4) } : device
  })
}

/** The other direction, for a BMC. */
export function encodeDeviceId(device: DeviceId): Buffer {
  const [major = '0', minor = '0'] = device.firmware.split('.')
  const [ipmiMajor = '2', ipmiMinor = '0'] = device.ipmi.split('.')
  const bytes = Buffer.alloc(11)
  bytes[0] = device.id
  bytes[1] = device.revision
  bytes[2] = Number(major) | (device.updating ? 0x80 : 0)
  bytes[3] = Number.parseInt(minor, 16)
  bytes[4] = Number(ipmiMajor) | (Number(ipmiMinor) << 4)
  bytes[5] = device.additional
  bytes.writeUIntLE(device.manufacturer, 6, 3)
  bytes.writeUInt16LE(device.product, 9)
  return device.auxiliary === undefined ? bytes : Buffer.concat([bytes, device.auxiliary], 15)
}

/** A GUID as it was sent: 16 bytes, or null where a BMC answers without one (go-ipmi and ipmi_sim do, to one of the two commands). */
export interface GuidReply {
  guid: Buffer | null
}

/** 16 bytes or none. */
export function decodeGuid(data: Buffer): GuidReply {
  if (data.length === 0) return { guid: null }
  return { guid: whole(data, reader => reader.take(16)) }
}

/** The other direction, for a BMC. */
export function encodeGuid({ guid }: GuidReply): Buffer {
  return guid ?? NOTHING
}

/** Why the machine last started (§28.11). */
export interface RestartCause {
  /** 0 to 15; 1 chassis control, 2 reset button, 3 power button, 4 watchdog, 6 and 7 restore policy, … */
  cause: number
  name: string
  /** The channel that the command came over, where it was one. */
  channel: number
}

const CAUSES = [
  'unknown',
  'chassis control',
  'reset by push button',
  'power up by push button',
  'watchdog',
  "maker's own",
  'restore policy: always on',
  'restore policy: previous state',
  'event filter: reset',
  'event filter: power cycle',
  'soft reset',
  'power up by clock',
]

/** Two bytes. */
export function decodeRestartCause(data: Buffer): RestartCause {
  return whole(data, reader => {
    const cause = reader.u8() & 0x0f
    return { cause, name: CAUSES[cause] ?? `cause ${cause}`, channel: reader.u8() }
  })
}

/** The other direction, for a BMC. */
export function encodeRestartCause({ cause, channel }: RestartCause): Buffer {
  return Buffer.from([cause, channel])
}

/** DCMI's Get Power Reading: what the machine draws, in W. A second evidence that it is off. */
export interface PowerReading {
  watts: number
  minimum: number
  maximum: number
  average: number
  /** Seconds since 1970 by the BMC's clock. */
  at: number
  /** What minimum, maximum and average are taken over. */
  periodMs: number
  /** Without this the figures mean nothing. */
  measuring: boolean
}

/** DCMI's group: first byte of every request and answer of its network function. */
const DCMI = 0xdc

/** `DC 01 00 00`: the system's power, now. */
export function encodePowerArgs(): Buffer {
  return Buffer.from([DCMI, 1, 0, 0])
}

/** Throws FrameError where it is not DCMI's or asks for another mode. */
export function decodePowerArgs(data: Buffer): void {
  whole(data, reader => {
    dcmi(reader.u8())
    if (reader.u8() !== 1) throw new FrameError('field', 'a mode of power reading other than the system statistics')
    reader.skip(2)
  })
}

/** 18 bytes. */
export function decodePowerReading(data: Buffer): PowerReading {
  return whole(data, reader => {
    dcmi(reader.u8())
    return {
      watts: reader.u16(),
      minimum: reader.u16(),
      maximum: reader.u16(),
      average: reader.u16(),
      at: reader.u32(),
      periodMs: reader.u32(),
      measuring: (reader.u8() & 0x40) !== 0,
    }
  })
}

/** The other direction, for a BMC. */
export function encodePowerReading(reading: PowerReading): Buffer {
  const bytes = Buffer.alloc(18)
  bytes[0] = DCMI
  bytes.writeUInt16LE(reading.watts, 1)
  bytes.writeUInt16LE(reading.minimum, 3)
  bytes.writeUInt16LE(reading.maximum, 5)
  bytes.writeUInt16LE(reading.average, 7)
  bytes.writeUInt32LE(reading.at, 9)
  bytes.writeUInt32LE(reading.periodMs, 13)
  bytes[17] = reading.measuring ? 0x40 : 0
  return bytes
}

function dcmi(group: number): void {
  if (group !== DCMI) throw new FrameError('field', `group ${group} is not DCMI's`)
}
