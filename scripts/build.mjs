// @ts-check
// Builds `dist`; with `--if-stale` only when a source is newer than what was built.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildDashboard, DASHBOARD } from './dashboard.mjs'
import { entries, root } from './entries.mjs'

const INPUTS = ['src', 'package.json', 'tsup.config.ts', 'tsconfig.json']

export function build() {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  const require = createRequire(import.meta.url)
  const tsup = join(require.resolve('tsup/package.json'), '../dist/cli-default.js')
  const { status } = spawnSync(process.execPath, [tsup, '--silent'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error('The build failed: see above.')
  letPeersBeMissing()
  writeCommonJs()
  writeWholeBook()
  buildDashboard()
}

/**
 * The same files for `require`, one for one. Not tsup's: it has sucrase write them, which makes a function call of every
 * `?.` and `??` on the way of each call, and breaks on text without white space.
 */
function writeCommonJs() {
  const { transformSync } = createRequire(import.meta.url)('esbuild')
  const dist = join(root, 'dist')
  const { library } = entries()
  const left = library.map(({ name }) => `${name}.js`)
  const met = new Set(left)
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    const text = readFileSync(join(dist, file), 'utf8')
    const { code } = transformSync(text, {
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      // By `require` too: test runners that evaluate CommonJS by themselves know no other.
      supported: { 'dynamic-import': false },
      minifyWhitespace: true,
      lineLimit: 160,
      sourcefile: file.replace(/\.js$/, '.mjs'),
    })
    const required = code.replace(
      /\brequire\("(\.\.?\/[^"]+)\.js"\)/g,
      (/** @type {string} */ _, /** @type {string} */ path) => {
        const next = join(dirname(file), `${path}.js`)
        if (!met.has(next)) left.push(next)
        met.add(next)
        return `require("${path}.cjs")`
      },
    )
    writeFileSync(join(dist, file.replace(/\.js$/, '.cjs')), required)
  }
}

/**
 * The price book as one file for a `require` of src/pricing/lazy-book.ts, by itself: what it shared with the rest would be
 * loaded a second time as CommonJS. Only the data, the most of it, stays where it is.
 */
function writeWholeBook() {
  const { buildSync } = createRequire(import.meta.url)('esbuild')
  const dist = join(root, 'dist')
  const data = readdirSync(dist).filter(
    (file) => file.endsWith('.cjs') && /^.{0,1000}\bPRICE_BOOK\b/s.test(readFileSync(join(dist, file), 'utf8')),
  )
  buildSync({
    entryPoints: [join(root, 'src/pricing/whole-book.ts')],
    outfile: join(dist, 'whole-book.cjs'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    lineLimit: 160,
    external: ['./data/price-book.ts'],
  })
  const path = join(dist, 'whole-book.cjs')
  const text = readFileSync(path, 'utf8')
  const written = text.replace('"./data/price-book.ts"', `"./${data[0]}"`)
  if (data.length !== 1 || written === text) throw new Error('The file of the price data was not found.')
  writeFileSync(path, written)
}

const PEER_TYPES = /^import (?:(?:type )?.* from )?['"]openai['"];$/gm

/** The types of an optional peer become `any` for an application without it, rather than an error in our declarations. */
function letPeersBeMissing() {
  const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })
  for (const file of files.filter((name) => /\.d\.c?ts$/.test(name))) {
    const path = join(root, 'dist', file)
    const text = readFileSync(path, 'utf8')
    const lenient = text.replace(PEER_TYPES, (line) => `// @ts-ignore: optional\n${line}`)
    if (lenient !== text) writeFileSync(path, lenient)
  }
}

export function buildIfStale() {
  if (isStale()) build()
}

export function isStale() {
  const { library, commands, threads } = entries()
  const built = [...[...library, ...commands, ...threads].flatMap(({ outputs }) => outputs), DASHBOARD].map((file) =>
    join(root, file),
  )
  if (!built.every((file) => existsSync(file))) return true
  const oldest = Math.min(...built.map((file) => statSync(file).mtimeMs))
  return INPUTS.some((input) => newest(join(root, input)) > oldest)
}

/** @param {string} path @returns {number} A folder is as new as what it holds, and as its last addition or removal. */
function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (process.argv.includes('--if-stale')) buildIfStale()
    else build()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
