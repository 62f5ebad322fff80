import type { Test } from 'tap'
import {
  type ClientOptions,
  COMMANDS,
  IpmiClient,
  IpmiError,
  type IpmiPorts,
  type OnceReply,
  parseAddress,
  Secret,
  systemPorts,
} from '../../src/wire/ipmi/index.ts'
import type { PeerBmc } from './ipmi-stacks.ts'

/** What a test changes of {@link optionsOf}. */
export type Changes = Partial<Omit<ClientOptions, 'password' | 'kg' | 'address'>> & { password?: string; kg?: string; address?: string }

/** Our client as the administrator of a BMC, who asks for what power commands need. */
export function optionsOf(bmc: PeerBmc, { password = bmc.password, kg, address = bmc.address, ...changes }: Changes = {}): ClientOptions {
  const log = {
    address: parseAddress(address),
    username: 'admin',
    password: new Secret(password),
    privilege: 'operator',
    suite: 'auto',
  } as const
  return { ...log, ...(kg === undefined ? {} : { kg: new Secret(kg) }), ...changes }
}

/** A client of its own process, as far as sockets go; closed when the test ends. */
export function clientOf(t: Test, bmc: PeerBmc, changes: Changes = {}, ports: IpmiPorts = systemPorts()): IpmiClient {
  const client = new IpmiClient(ports, optionsOf(bmc, changes))
  t.teardown(() => client.close({ confirmed: false }))
  return client
}

/** What an exchange failed with; throws where it did not. */
export async function failureOf(what: Promise<unknown>): Promise<IpmiError> {
  try {
    await what
  } catch (error) {
    if (error instanceof IpmiError) return error
    throw error
  }
  throw new Error('it did not fail')
}

/** A power command as it has to be sent: privilege raised and session named first, then once. */
export async function command(client: IpmiClient, action: 'down' | 'up'): Promise<OnceReply> {
  await client.open()
  await client.elevate()
  client.ticket()
  return await once(client, action)
}

/** The command alone, over the session that was named. */
export function once(client: IpmiClient, action: 'down' | 'up'): Promise<OnceReply> {
  return client.sendOnce(COMMANDS.chassisControl, { action }, undefined, performance.now() + 15_000)
}

/** What status says. */
export async function read(client: IpmiClient): Promise<'on' | 'off'> {
  return (await client.execute(COMMANDS.chassisStatus, undefined)).on ? 'on' : 'off'
}

/** Everything that was read until it said so: a confirmation by reading. */
export async function readUntil(client: IpmiClient, power: 'on' | 'off'): Promise<('on' | 'off')[]> {
  const reads: ('on' | 'off')[] = []
  do reads.push(await read(client))
  while (reads.at(-1) !== power)
  return reads
}
