import type { GatewayService } from '../core/gateway.ts'
import { buildApi } from './app.ts'

/** The OpenAPI document as `/openapi.json` serves it, without a gateway: `npm run openapi` writes it to `openapi/openapi.yaml`. */
export async function openapiDocument(): Promise<object> {
  const clock = { now: () => 0, mono: () => 0, sleep: () => Promise.resolve() }
  // Nothing of the service is called while routes are described.
  const app = buildApi({ events: {} } as GatewayService, { clock })
  await app.ready()
  try {
    return JSON.parse(JSON.stringify(app.swagger())) as object
  } finally {
    await app.close()
  }
}
