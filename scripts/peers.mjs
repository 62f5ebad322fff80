#!/usr/bin/env node
import { ensurePeers, findPeer, peers } from './lib/peers.mjs'
// `npm run peers [NAME…]`: installs or builds the real peers that tests and benchmarks run against, once, into the cache; says where each one is.
import { checkNode } from './lib/setup.mjs'
import { fail } from './lib/steps.mjs'

async function main() {
  checkNode()
  const names = process.argv.slice(2)
  for (const name of names) if (!peers[name]) throw new Error(`there is no peer ${name}; there are: ${Object.keys(peers).join(', ')}`)
  const asked = names.length > 0 ? names : Object.keys(peers)
  const missing = await ensurePeers(asked)
  for (const name of asked)
    process.stdout.write(
      `${name} ${peers[name].version}: ${missing.includes(name) ? 'MISSING' : Object.values(findPeer(name)).join(' ')}\n`,
    )
  process.exitCode = missing.length > 0 ? 1 : 0
}

main().catch(fail)
