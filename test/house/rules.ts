import { dirname, join } from 'node:path/posix'
import ts from 'typescript'

/** Source files by path from the root of the clone (`src/core/power.ts`). */
export type Sources = ReadonlyMap<string, string>

/**
 * The one-way doors: a room → the rooms it may import. DESIGN's "The house" is where the table comes from; a file of a room may always import its own
 * room. `packages: false` closes a room to everything that is not ours, Node's built-ins excepted.
 */
export const doors: Readonly<Record<string, { may: readonly string[]; packages?: false }>> = {
  core: { may: [], packages: false },
  wire: { may: ['core'] },
  drivers: { may: ['core', 'wire'] },
  fencing: { may: ['core'], packages: false },
  store: { may: ['core'] },
  vault: { may: ['core'] },
  receipts: { may: ['core'] },
  queue: { may: ['core', 'fencing'] },
  api: { may: ['core', 'fencing', 'queue'] },
  client: { may: [] },
  simulator: { may: ['wire'] },
  cli: { may: ['client'] },
  'cli/commands': { may: ['cli', 'client'] },
  'cli/main.ts': { may: ['cli', 'cli/commands', 'client', 'gateway.ts', 'simulator'] },
  'config.ts': { may: ['core'] },
  'gateway.ts': { may: ['gateway', 'core', 'wire', 'drivers', 'fencing', 'store', 'vault', 'receipts', 'queue', 'api', 'config.ts'] },
  gateway: { may: ['core', 'wire', 'drivers', 'fencing', 'store', 'vault', 'receipts', 'queue', 'api', 'config.ts'] },
}

/** The room of a file below src/: the longest entry of the table that holds it, or its first folder where the table has none. */
export function roomOf(path: string): string {
  const inside = path.replace(/^src\//, '')
  const rooms = Object.keys(doors).filter(room => inside === room || inside.startsWith(`${room}/`))
  return rooms.sort((a, b) => b.length - a.length)[0] ?? inside.split('/')[0] ?? inside
}

/** Imports that go through a door that is shut, as sentences. Type imports, re-exports and dynamic imports count like any other. */
export function shutDoors(sources: Sources): string[] {
  const problems: string[] = []
  for (const [path, text] of sources) {
    const room = roomOf(path)
    const door = doors[room]
    if (!door) {
      problems.push(`${path}: the room ${room} is not in the table of doors`)
      continue
    }
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles) {
      if (!fileName.startsWith('.')) {
        if (door.packages === false && !fileName.startsWith('node:')) problems.push(`${path}: ${room} imports the package ${fileName}`)
        continue
      }
      const target = join(dirname(path), fileName)
      const targetRoom = target.startsWith('src/') ? roomOf(target) : target
      if (targetRoom !== room && !door.may.includes(targetRoom))
        problems.push(`${path}: ${room} may not import ${target} (room ${targetRoom})`)
      if (!/\.(ts|json)$/.test(fileName)) problems.push(`${path}: '${fileName}' does not end in .ts`)
    }
  }
  return problems
}

/** Syntax that does more than types, so that stripping the types would not leave the program: enums, namespaces, parameter properties, `import =`, `<T>x`. */
export function unerasable(sources: Sources): string[] {
  return inspect(sources, (node, say) => {
    if (ts.isEnumDeclaration(node)) say('an enum')
    else if (ts.isModuleDeclaration(node) && !node.modifiers?.some(m => m.kind === ts.SyntaxKind.DeclareKeyword)) say('a namespace')
    else if (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent)) say('a parameter property')
    else if (ts.isImportEqualsDeclaration(node)) say('import =')
    else if (ts.isTypeAssertionExpression(node)) say('a <T> assertion')
  })
}

/** Exported functions, classes, types and constants without a doc comment. Of overloads the first needs one. */
export function undocumented(sources: Sources): string[] {
  const seen = new Set<string>()
  return inspect(sources, (node, say, path) => {
    if (!ts.isSourceFile(node.parent ?? node) || !ts.canHaveModifiers(node)) return
    if (!ts.getModifiers(node)?.some(m => m.kind === ts.SyntaxKind.ExportKeyword)) return
    const declared = ts.isVariableStatement(node) ? node.declarationList.declarations[0]?.name : (node as ts.DeclarationStatement).name
    const name = `${path} ${declared?.getText() ?? 'default'}`
    const documented = ts.getJSDocCommentsAndTags(node).length > 0
    if (!documented && !seen.has(name)) say(`no doc comment on ${declared?.getText() ?? 'the default export'}`)
    seen.add(name)
  })
}

/** Files with more than `limit` lines. */
export function tooLong(sources: Sources, limit = 400): string[] {
  return [...sources].flatMap(([path, text]) => {
    const lines = text.split('\n').length - 1
    return lines > limit ? [`${path}: ${lines} lines, more than ${limit}`] : []
  })
}

// Put together from pieces, so that this file does not hold what it looks for.
const machinePaths = ['/work/', '/root/', '/home/'].map(path => new RegExp(`(?<![\\w.~:-])${path}[\\w.]`))
const registries = [
  'registry.npm' + 'js.org',
  'py' + 'pi.org',
  'python' + 'hosted.org',
  'proxy.golang' + '.org',
  'deb.debian' + '.org',
  'static.crates' + '.io',
  'repo1.maven' + '.org',
]

/** Lines that name a path of the machine the file was written on, or the host of a package registry (`extraHosts`: those configured here). */
export function placeNames(sources: Sources, extraHosts: readonly string[] = []): string[] {
  const hosts = [...registries, ...extraHosts]
  return [...sources].flatMap(([path, text]) =>
    text.split('\n').flatMap((line, index) => {
      if (machinePaths.some(pattern => pattern.test(line))) return [`${path}:${index + 1}: a path of one machine`]
      return hosts.some(host => line.includes(host)) ? [`${path}:${index + 1}: the host of a package registry`] : []
    }),
  )
}

/**
 * What is wrong with the lock file and the versions: addresses of downloads in the lock, ranges instead of exact versions in package.json, and optional
 * dependencies (builds for other systems) without an entry. npm leaves those out when its registry lacks them, and `npm ci` then refuses the lock file.
 */
export function loosePins(lockText: string, packageText: string): string[] {
  const problems = lockText.includes('"resolved"') ? ['package-lock.json: "resolved" names a download address'] : []
  const lock: { packages?: Record<string, { optionalDependencies?: Record<string, string> }> } = JSON.parse(lockText)
  const locked = Object.keys(lock.packages ?? {})
  for (const name of Object.values(lock.packages ?? {}).flatMap(entry => Object.keys(entry.optionalDependencies ?? {}))) {
    if (!locked.some(path => `/${path}`.endsWith(`/node_modules/${name}`)))
      problems.push(`package-lock.json: no entry for the optional ${name}`)
  }
  const manifest: { dependencies?: Record<string, string>; devDependencies?: Record<string, string> } = JSON.parse(packageText)
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) problems.push(`package.json: ${name} is not pinned to one version (${version})`)
  }
  return problems
}

function inspect(sources: Sources, look: (node: ts.Node, say: (what: string) => void, path: string) => void): string[] {
  const problems: string[] = []
  for (const [path, text] of sources) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
    const visit = (node: ts.Node): void => {
      look(node, what => problems.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}: ${what}`), path)
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  return problems
}
