import { ipmi } from '../../src/drivers/ipmi.ts'
import { COMMANDS } from '../../src/wire/ipmi/commands.ts'
import type { PowerReading } from '../../src/wire/ipmi/controller.ts'
import type { ScriptedBmc } from '../wire/ipmi-bmc.ts'
import { Net } from '../wire/ipmi-net.ts'
import { World } from './world.ts'

/** A world whose `b1` is a scripted BMC behind the real IPMI driver, one per gateway, in the world's own time. */
export async function ipmiWorld(gateways = 1): Promise<{ world: World; net: Net; bmc: ScriptedBmc }> {
  const world = await World.make({ gateways: 0 })
  const net = new Net()
  Object.assign(net, { time: world.time })
  const { bmc } = net
  bmc.user = 'u'
  bmc.password = 'p'
  world.isOn = () => bmc.on
  world.driver = () => ipmi(net.ports)
  await world.store.updateDevice({
    name: 'b1',
    hardwareKeys: [],
    change: ({ hardware: _another, ...device }) => ({ ...device, driver: 'ipmi', address: 'ipmi://192.0.2.7', status: 'unverified' }),
  })
  for (let i = 0; i < gateways; i++) await world.startGateway()
  return { world, net, bmc }
}

/** The watts that a BMC measured a moment ago. */
export function measured(world: World, watts: number): { completion: number; data: Buffer } {
  const at = Math.floor(world.time.now() / 1_000)
  const reading: PowerReading = { watts, minimum: 1, maximum: 2_000, average: watts, at, periodMs: 1_000, measuring: true }
  return { completion: 0, data: COMMANDS.dcmiPower.encodeReply(reading) }
}
