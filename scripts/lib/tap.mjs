// Reads TAP as tap 21's `tap` reporter prints it, line by line, and counts leaf test points: the points that are not the summary of a subtest.

/**
 * @typedef {{file: string, passed: number, failed: number, skipped: number, seconds: number, failures: {path: string, detail: string}[], skips: {path: string, reason: string}[]}} FileResult
 */

/** An empty result for a test file. */
export function emptyResult(file) {
  return { file, passed: 0, failed: 0, skipped: 0, seconds: 0, failures: [], skips: [] }
}

/**
 * A reader of TAP lines: `line(text)` takes each one, `end()` closes. `onFile(result)` is called for each test file (a top-level point);
 * `onStart(file)` when its first line shows.
 */
export function tapReader({ onFile, onStart }) {
  /** Names of the open subtests by level, and whether a level has had points since its parent's last point. */
  const names = []
  const seen = []
  const failedBelow = []
  let result
  /** The failure whose YAML block is being read, and the indentation of that block. */
  let pending
  let block
  /** A file's own YAML block follows its point, so the file is handed on when the next line of another kind comes. */
  let finished
  let flushed = true

  function point(level, ok, name, directive, reason) {
    const parent = seen[level + 1] === true
    const file = level === 0
    if (file) result ??= emptyResult(name)
    if (!result) return
    const path = [...names.slice(1, level), name].filter(Boolean).join(' › ') || name
    const failedChild = failedBelow[level + 1] === true
    seen.length = level + 1
    failedBelow.length = level + 1
    names.length = level
    seen[level] = true
    pending = undefined
    if (directive) {
      if (!parent) {
        result.skipped++
        result.skips.push({ path, reason: reason || (directive === 'TODO' ? 'to do' : '') })
      }
    } else if (!ok) {
      failedBelow[level] = true
      if (!parent || !failedChild) {
        result.failed++
        pending = { path: file ? `${name} (the file itself)` : path, detail: '' }
        result.failures.push(pending)
      }
    } else if (!parent) {
      // A file that passes without one test point has tested nothing.
      if (file) {
        result.failed++
        result.failures.push({ path: name, detail: 'the file holds no test' })
      } else result.passed++
    }
  }

  function line(text) {
    if (block !== undefined) {
      if (text.trimEnd() === `${block}...`) block = undefined
      else if (pending) pending.detail += `${text.slice(block.length)}\n`
      return
    }
    let m = /^( *)---$/.exec(text)
    if (m) {
      block = m[1]
      return
    }
    m = /^( *)# Subtest: (.*)$/.exec(text)
    if (m) {
      const level = m[1].length / 4
      names[level] = m[2]
      if (level === 0) {
        result = emptyResult(m[2])
        onStart(m[2])
      }
      return
    }
    m = /^( *)(not )?ok\b(?: \d+)?(?: -)? ?(.*?)(?: # (SKIP|TODO)\b ?(.*?))?(?: # time=([\d.]+)ms)?( \{)?$/.exec(text)
    if (m && m[1].length % 4 === 0) {
      const level = m[1].length / 4
      point(level, m[2] === undefined, m[3], m[4], m[5])
      if (level === 0 && result) {
        result.seconds = Number(m[6] ?? 0) / 1000
        finished = result
        result = undefined
        flushed = false
      }
      return
    }
    if (/^Bail out!/.test(text) && result) {
      result.failed++
      result.failures.push({ path: result.file, detail: text })
    }
  }

  function flush() {
    if (finished && !flushed) {
      flushed = true
      onFile(finished)
    }
  }
  return {
    line(text) {
      if (block === undefined && !flushed && !/^ *---$/.test(text)) flush()
      line(text)
    },
    end() {
      flush()
      if (result) {
        result.failed++
        result.failures.push({ path: result.file, detail: 'the run ended in the middle of this file' })
        onFile(result)
      }
    },
  }
}
