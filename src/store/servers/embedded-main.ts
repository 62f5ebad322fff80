/** The process of the embedded store: told by its parent where and how, it runs the WebAssembly Valkey until the parent is gone. */

import type { EmbeddedOrder } from './embedded.ts'
import { runEmbedded } from './embedded-valkey.ts'

// With the parent gone nobody can be told that anything is saved; and the next gateway starts a server of its own on this folder.
process.once('disconnect', () => process.exit(0))
process.once('SIGTERM', () => process.exit(0))
process.once('message', (order: EmbeddedOrder) => {
  runEmbedded(order).then(
    port => process.send?.(port),
    error => {
      console.error(error)
      process.exit(1)
    },
  )
})
