import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import pino from 'pino'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { v7 } from 'uuid'
import { buildApi } from './api/app.ts'
import { type Config, type ConfigFlags, readConfig } from './config.ts'
import { type Clock, systemClock } from './core/clock.ts'
import type { Documents } from './core/documents.ts'
import type { Driver, DriverContext } from './core/driver.ts'
import { DRIVERS } from './drivers/index.ts'
import { driverOf, type InventoryParts, storedCredential } from './fencing/inventory.ts'
import { metricsOf } from './gateway/metrics.ts'
import { makeService } from './gateway/service.ts'
import { Delays } from './queue/delays.ts'
import { Engine } from './queue/engine.ts'
import type { RunnerParts } from './queue/parts.ts'
import { Sessions } from './queue/sessions.ts'
import { openSigningKey } from './receipts/key.ts'
import { makeRevocations } from './receipts/revocations.ts'
import { makeSigner } from './receipts/signer.ts'
import { resolveStore } from './store/resolve.ts'
import { createReads, createStore, PREEMPT, WAKE } from './store/verbs/index.ts'
import { adminToken, writeAdminToken } from './vault/admin.ts'
import { openVault } from './vault/open.ts'

/** A running gateway. */
export interface Gateway {
  url: string
  close(): Promise<void>
}

/** The issuer that receipts and revocation lists name. */
const ISSUER = 'safestate'

/** What a test may bring instead of the real thing. */
export interface GatewayOverrides {
  clock?: Clock
  drivers?: readonly Driver[]
  logStream?: pino.DestinationStream
}

/** Puts a gateway together and starts it. Resolves once it takes jobs in; rejects, with everything opened closed again, where it can't. */
export async function startGateway(config: Config, overrides: GatewayOverrides = {}): Promise<Gateway> {
  const clock = overrides.clock ?? systemClock
  const drivers = overrides.drivers ?? DRIVERS
  const logger = pino(
    { level: config.logLevel, base: { gateway: `${hostname()}:${process.pid}` } },
    overrides.logStream ?? pino.destination(2),
  )
  const log: RunnerParts['log'] = (level, facts, message) => logger[level](facts, message)
  const closers: (() => Promise<unknown> | unknown)[] = []
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const found = await resolveStore({
      dataDir: config.dataDir,
      allowVolatile: config.allowVolatileStore,
      ...(config.redisUrl === undefined ? {} : { redisUrl: config.redisUrl }),
      warn: line => logger.warn(line),
    })
    closers.push(() => found.close())
    const { documents } = found
    const opened = await openVault(documents, config)
    closers.push(() => opened.close())
    const { vault } = opened
    const key = await openSigningKey(documents, vault)
    const revocations = makeRevocations(documents, key, ISSUER, clock)
    writeAdminToken(config.dataDir, await adminToken(documents, vault))

    const registry = new Registry()
    collectDefaultMetrics({ register: registry })
    const reads = createReads(documents)
    const store = createStore(documents, { rules: config.rules, newId: () => v7() })
    const process_ = v7()
    const sessions = new Sessions({
      clock,
      rules: config.rules,
      driverOf: kind => driverOf(drivers, kind),
      credentialOf: device => storedCredential({ reads, vault }, device),
    })
    const parts: RunnerParts = {
      store,
      reads,
      vault,
      signer: makeSigner(key),
      issuer: { iss: ISSUER, storeEpoch: found.epoch, storeDurable: documents.health.durable },
      rules: config.rules,
      clock,
      process: process_,
      delays: new Delays(process_, clock),
      sessions,
      metrics: metricsOf(registry, sessions),
      newId: () => v7(),
      closeSession: (device, closing, signal) => {
        const stored = storedCredential({ reads, vault }, device.name)
        const gate = sessions.logIns.gate(device, stored)
        const context: DriverContext = { clock, limits: config.rules.exchange, ...gate.context }
        return gate.run(() => driverOf(drivers, device.driver).closeSession(device, closing, context, signal))
      },
      log,
    }
    const engine = new Engine(
      parts,
      documents,
      { wake: WAKE, preempt: PREEMPT },
      { connection: () => found.connection(), prefix: '{safestate}:bull', concurrency: config.concurrency },
    )
    closers.push(() => engine.close())
    const inventory: InventoryParts = {
      store,
      reads,
      vault,
      rules: config.rules,
      clock,
      drivers,
      changed: device => void sessions.drop(device),
      logIns: sessions.logIns,
    }
    const service = makeService({ documents, opened, key, revocations, inventory, engine, clock, newId: () => v7() })
    const app = buildApi(service, {
      clock,
      logger,
      registry,
      queues: Object.values(engine.lanes.queues),
      ...(config.tls ? { https: { cert: readFileSync(config.tls.cert), key: readFileSync(config.tls.key) } } : {}),
    })
    closers.push(() => app.close())
    await engine.start()
    if (opened.rotating)
      void service.vault.rotate().catch(error => logger.error({ error: (error as Error).message }, 'the vault rotation failed'))
    const url = await app.listen({ host: config.host, port: config.port })
    await untilWritable(documents, clock)
    return { url, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Resolves once the store has taken a write. On a busy machine a connection may be lost in the rush of the start; that is no reason to stop. */
async function untilWritable(documents: Documents, clock: Clock): Promise<void> {
  for (let left = 10; ; left--) {
    try {
      return await documents.ping()
    } catch (error) {
      if (left === 0) throw error
      await clock.sleep(500)
    }
  }
}

/** The root behind `safestate gateway`: runs until SIGTERM or SIGINT. Prints the ready line once the store is writable. */
export async function runGateway(flags: ConfigFlags): Promise<number | undefined> {
  const config = readConfig(flags, process.env)
  // Children and crash dumps need not have the key.
  delete process.env['SAFESTATE_VAULT_KEY']
  const gateway = await startGateway(config)
  process.stdout.write(`ready ${gateway.url}\n`)
  await new Promise<void>(resolve => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
  await gateway.close()
  return 0
}
