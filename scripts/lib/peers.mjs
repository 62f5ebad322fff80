// The real peers that tests and benchmarks run against: what they are, where they lie once installed, and how they get there.
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { locked } from './lock.mjs'
import { CommandFailed, root, run, step } from './steps.mjs'

/**
 * Name → how to get it. `venv`: a Python environment of its own with exact versions. `apt`: a Debian package, used from the system. `go`: a folder of
 * ours with a pinned go.mod, built into the cache. `bins`: what a caller asks for. `tests`: `npm test` with CI=true needs it.
 */
export const peers = {
  redis: { version: '7', kind: 'apt', packages: ['redis-server'], bins: ['redis-server'], tests: true },
  'fence-agents': { version: '4', kind: 'apt', packages: ['fence-agents'], bins: ['fence_redfish', 'fence_ipmilan'], tests: true },
  'sushy-tools': { version: '2.2.0', kind: 'venv', packages: ['sushy-tools==2.2.0'], bins: ['sushy-emulator', 'python'], tests: true },
  sushy: { version: '5.14.0', kind: 'venv', packages: ['sushy==5.14.0'], bins: ['python'], tests: true },
  'redfish-protocol-validator': {
    version: '1.3.2',
    kind: 'venv',
    packages: ['redfish_protocol_validator==1.3.2'],
    bins: ['rf_protocol_validator'],
    tests: true,
  },
  openipmi: { version: '2', kind: 'apt', packages: ['openipmi'], bins: ['ipmi_sim'], tests: true },
  ipmitool: { version: '1', kind: 'apt', packages: ['ipmitool'], bins: ['ipmitool'], tests: true },
  freeipmi: { version: '1', kind: 'apt', packages: ['freeipmi-tools'], bins: ['ipmipower'], tests: true },
  pyghmi: { version: '1.6.19', kind: 'venv', packages: ['pyghmi==1.6.19'], bins: ['python'], tests: true },
  'ipmi-farm': { version: '0.9.1', kind: 'go', folder: 'test/peers/ipmi-farm', bins: ['ipmi-farm'], tests: true },
  goipmi: { version: '0.9.1', kind: 'go', folder: 'bench/peers/goipmi', bins: ['goipmi'], tests: true },
  gofish: { version: '0.20.0', kind: 'go', folder: 'bench/peers/gofish', bins: ['gofish'], tests: false },
}

/** The folder that keeps installed peers between runs and clones. */
export function cacheFolder(env = process.env) {
  return env.SAFESTATE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'safestate')
}

function runnable(file) {
  try {
    accessSync(file, constants.X_OK)
    return file
  } catch {
    return undefined
  }
}

/** The path of a program on PATH (and the system's sbin folders, which a plain user's PATH may lack), or undefined. */
export function onPath(name, env = process.env) {
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders.map(folder => folder && runnable(join(folder, name))).find(Boolean)
}

function folderOf(name) {
  return join(cacheFolder(), `${name}-${peers[name].version}`)
}

/** What a peer was made from; another value means it must be made again. */
function recipe(peer) {
  const hash = createHash('sha256').update(JSON.stringify(peer))
  if (peer.kind === 'go') for (const file of goSources(peer)) hash.update(file).update(readFileSync(join(root, peer.folder, file)))
  return hash.digest('hex')
}

function goSources(peer) {
  const folder = join(root, peer.folder)
  return existsSync(folder)
    ? readdirSync(folder)
        .filter(name => /\.go$|^go\.(mod|sum)$/.test(name))
        .sort()
    : []
}

/** The programs of an installed peer as `{name: path}`, or undefined when it is not (completely) there. */
export function findPeer(name) {
  const peer = peers[name]
  if (!peer) throw new Error(`there is no peer ${name}; there are: ${Object.keys(peers).join(', ')}`)
  const folder = folderOf(name)
  if (peer.kind !== 'apt') {
    const stamp = join(folder, '.recipe')
    if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== recipe(peer)) return undefined
  }
  const paths = peer.bins.map(bin => [bin, peer.kind === 'apt' ? onPath(bin) : runnable(join(folder, 'bin', bin))])
  return paths.every(([, path]) => path) ? Object.fromEntries(paths) : undefined
}

/** Runs `apt-get` without questions; the package lists are fetched once per process. */
let listsFetched = false
export async function aptInstall(packages) {
  // RUNLEVEL=1: Debian starts no daemon for what it installs; the tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const by = `apt-get install -y ${packages.join(' ')}`
  if (!onPath('apt-get')) throw new Error(`no apt-get on this system; install what \`${by}\` would (Debian's names), then try again`)
  if (process.getuid?.() !== 0) throw new Error(`needs root: run \`sudo ${by}\`, then try again`)
  if (!listsFetched) {
    await run('apt-get', ['update', '-q'], { env })
    listsFetched = true
  }
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...packages], { env })
}

/** Makes a folder complete or not at all: `make` fills a temporary one, which then takes the place of `target`. */
async function atomically(target, make) {
  mkdirSync(cacheFolder(), { recursive: true })
  const temporary = mkdtempSync(join(cacheFolder(), '.new-'))
  try {
    await make(temporary)
    rmSync(target, { recursive: true, force: true })
    renameSync(temporary, target)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

async function installVenv(name, peer) {
  const python = onPath('python3')
  const usable = async () =>
    python !== undefined &&
    (await run(python, ['-c', 'import venv, ensurepip']).then(
      () => true,
      () => false,
    ))
  if (!(await usable())) await aptInstall(['python3', 'python3-venv'])
  // A venv's scripts carry the path they were made for, so it is made where it stays; the stamp, written last, is what makes it count.
  const folder = folderOf(name)
  rmSync(folder, { recursive: true, force: true })
  try {
    await run(onPath('python3'), ['-m', 'venv', folder])
    await run(join(folder, 'bin', 'python'), [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--no-input',
      ...peer.packages,
    ])
    writeFileSync(join(folder, '.recipe'), recipe(peer))
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

async function installGo(name, peer) {
  if (goSources(peer).length === 0) throw new Error(`${peer.folder} is not in this clone`)
  const go = onPath('go')
  if (!go) throw new Error('needs a Go toolchain (`go` on PATH)')
  await atomically(folderOf(name), async folder => {
    mkdirSync(join(folder, 'bin'))
    await run(go, ['build', '-trimpath', '-o', join(folder, 'bin', peer.bins[0]), '.'], {
      cwd: join(root, peer.folder),
      env: { ...process.env, GOFLAGS: '-mod=readonly' },
    })
    writeFileSync(join(folder, '.recipe'), recipe(peer))
  })
}

/** Installs or builds one peer if it is missing. Throws with a reason a person can act on. */
export async function installPeer(name) {
  if (findPeer(name)) return
  const peer = peers[name]
  await locked(join(cacheFolder(), 'peers.lock'), `installing ${name}`, async () => {
    if (findPeer(name)) return
    await step(`peer ${name} ${peer.version}`, async () => {
      if (peer.kind === 'apt') await aptInstall(peer.packages)
      else if (peer.kind === 'venv') await installVenv(name, peer)
      else await installGo(name, peer)
    })
    if (!findPeer(name)) throw new Error(`${name} was installed, but ${peer.bins.join(' or ')} is not there`)
  })
}

/** Installs each named peer (default: all that the tests need), goes on after a failure, and returns the names that are still missing. */
export async function ensurePeers(names = Object.keys(peers).filter(name => peers[name].tests)) {
  const missing = []
  for (const name of names) {
    try {
      await installPeer(name)
    } catch (error) {
      missing.push(name)
      process.stderr.write(`peer ${name} is missing: ${error.message}\n${error instanceof CommandFailed ? error.output : ''}`)
    }
  }
  return missing
}
