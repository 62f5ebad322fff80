// What a fresh clone needs before anything runs: the right Node, the dependencies, the build. Done once, redone when it went stale, never twice at once.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { locked } from './lock.mjs'
import { root, run, step } from './steps.mjs'

const lockFile = join(root, '.cache', 'setup.lock')
const buildStamp = join(root, 'dist', '.stamp')

/** Throws with a plain sentence when this Node is older than package.json's `engines` asks. */
export function checkNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  throw new Error(`Safestate needs Node 20.19 or later; this is ${version}. Node 24 is the one its image runs on.`)
}

function json(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** Whether node_modules holds what package-lock.json says. npm writes its own copy of the lock file as the last step of an install: comparing the two needs no stamp. */
export function dependenciesCurrent() {
  const wanted = json(join(root, 'package-lock.json'))?.packages
  const have = json(join(root, 'node_modules', '.package-lock.json'))?.packages
  if (!wanted || !have) return false
  return Object.entries(wanted).every(([path, entry]) => path === '' || entry.optional || have[path]?.version === entry.version)
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

/** A hash over everything the build reads: contents, not times, so that a checkout back and forth costs nothing. */
export function sourceHash() {
  const hash = createHash('sha256')
  for (const file of [
    ...files(join(root, 'src')),
    ...['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].map(name => join(root, name)),
  ]) {
    hash.update(file.slice(root.length)).update('\0').update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

/** Whether dist/ was built from the sources as they are. */
export function buildCurrent() {
  return existsSync(buildStamp) && readFileSync(buildStamp, 'utf8') === sourceHash()
}

/** Compiles src/ into dist/. The old build stays in place until the new one is complete. */
export async function build() {
  const fresh = join(root, `dist.${process.pid}`)
  const old = join(root, `dist.${process.pid}.old`)
  const hash = sourceHash()
  for (const left of readdirSync(root).filter(name => name.startsWith('dist.'))) rmSync(join(root, left), { recursive: true, force: true })
  try {
    mkdirSync(fresh, { recursive: true })
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', fresh])
    writeFileSync(join(fresh, '.stamp'), hash)
    if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old)
    renameSync(fresh, join(root, 'dist'))
  } finally {
    rmSync(fresh, { recursive: true, force: true })
    rmSync(old, { recursive: true, force: true })
  }
}

/** Makes the clone ready: installs when dependencies are missing or changed, builds when dist/ is stale. Quiet and quick when there is nothing to do. */
export async function setup({ needBuild = true, forceBuild = false } = {}) {
  checkNode()
  const ready = () => dependenciesCurrent() && (!needBuild || buildCurrent())
  if (ready() && !forceBuild) return
  await locked(lockFile, 'npm ci and build', async () => {
    if (!dependenciesCurrent())
      await step('installing dependencies (npm ci)', () => run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']))
    if (forceBuild || (needBuild && !buildCurrent())) await step('building (tsc)', build)
  })
}
