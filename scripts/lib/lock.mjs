// A lock between processes of this machine: a file that names its holder. The lock of a process that is gone is taken over.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'

/** When the process started, in clock ticks since boot, or '' where the system doesn't say: tells a process from a later one with the same id. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

/** Whether the holder still runs. One on another host can't be asked and counts as alive. */
function alive(holder) {
  if (holder.host !== hostname()) return true
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
  return holder.start === '' || startOf(holder.pid) === holder.start
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

function claim(file, what) {
  try {
    const me = { pid: process.pid, start: startOf(process.pid), host: hostname(), what, since: new Date().toISOString() }
    writeFileSync(file, JSON.stringify(me), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Removes a dead holder's lock. Only one process at a time may: otherwise the second would remove the first one's new lock. */
function clear(file) {
  const broom = `${file}.broom`
  if (!claim(broom, 'clearing')) {
    const sweeper = read(broom)
    if (sweeper && !alive(sweeper)) rmSync(broom, { force: true })
    return
  }
  const holder = read(file)
  if (holder && !alive(holder)) rmSync(file, { force: true })
  rmSync(broom, { force: true })
}

/** Waits for the lock `file`, runs `work` and lets go. `what` tells those who wait what the holder does; `say` prints one line to them. */
export async function locked(file, what, work, say = line => process.stderr.write(`${line}\n`)) {
  mkdirSync(dirname(file), { recursive: true })
  let told = ''
  let unreadable = 0
  while (!claim(file, what)) {
    const holder = read(file)
    // A file without a holder is one that is being written this moment, or the rest of a crash in that moment.
    if (!holder && ++unreadable > 20) rmSync(file, { force: true })
    if (holder) {
      unreadable = 0
      if (!alive(holder)) clear(file)
      const line = `waiting for process ${holder.pid} on ${holder.host} (${holder.what}, since ${holder.since}); lock: ${file}`
      if (line !== told && alive(holder)) say(line)
      told = line
    }
    await new Promise(resolve => setTimeout(resolve, 250))
  }
  const release = () => rmSync(file, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    process.removeListener('exit', release)
    release()
  }
}
