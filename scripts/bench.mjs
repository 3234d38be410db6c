// @ts-check
// Runs the benchmarks one after the other: `npm run bench`, `npm run bench -- stream --quick`.
// A whole run that is not quick writes its figures into docs/performance.md.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'

/** @typedef {import('../bench/report.ts').Table} Table */

const folder = join(root, 'bench')
const page = join(root, 'docs/performance.md')
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const options = process.argv.slice(2).filter((word) => word.startsWith('--'))

/** In the order of the page: what a caller waits for first. */
const ORDER = [
  'calls',
  'streams',
  'loopback',
  'net',
  'coverage',
  'memory',
  'imports',
  'prices',
  'price-comparison',
  'ceilings',
  'tokens',
  'delivery',
]

/** @param {string} name @returns {Promise<Table[]>} */
function run(name) {
  const child = spawn(process.execPath, ['--expose-gc', join(folder, `${name}.bench.ts`), ...options], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  /** @type {Table[]} */
  const tables = []
  child.on('message', (message) => {
    const table = /** @type {Table} */ (message)
    tables.push(table)
    console.log(`\n${plainTable(table)}`)
  })
  return new Promise((resolve) => {
    child.on('exit', (status) => {
      if (status !== 0) process.exitCode = 1
      resolve(tables)
    })
  })
}

/** @param {Table} table */
function plainTable({ title, columns, rows, notes = [] }) {
  const widths = columns.map((name, at) => Math.max(name.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const texts = columns.map((_, at) => at === 0 || rows.some((row) => /^[^\d+-]/.test(row[at] ?? '')))
  /** @param {readonly string[]} cells */
  const line = (cells) =>
    cells
      .map((cell, at) => (texts[at] ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return [title, line(columns), ...rows.map(line), ...notes.map((note) => `  ${note}`)].join('\n')
}

/** @param {Table} table */
function markdownTable({ title, columns, rows, notes = [] }) {
  /** @param {readonly string[]} cells */
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [`### ${title}`, '', line(columns), line(columns.map(() => '---')), ...rows.map(line), '', ...notes].join('\n')
}

/** When, on what and with what the figures were taken. */
function circumstances() {
  const require = createRequire(join(root, 'package.json'))
  const [cpu] = cpus()
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout.trim()
  const load = loadavg().map((value) => value.toFixed(1))
  return [
    `Taken on ${new Date().toISOString().slice(0, 10)} at commit ${commit}, tallygate ${require('./package.json').version}, Node ${process.version},`,
    `${platform()} ${release()} ${arch()}, ${cpus().length} × ${cpu?.model ?? 'an unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GB;`,
    `load of the machine at the end of the run ${load.join(', ')}.`,
  ].join('\n')
}

const BEGIN = '<!-- figures: written by `npm run bench` -->'
const END = '<!-- end of figures -->'

/** @param {readonly Table[]} tables */
function write(tables) {
  const text = readFileSync(page, 'utf8')
  const [before] = text.split(BEGIN)
  const after = text.split(END)[1] ?? ''
  const figures = [circumstances(), ...tables.map(markdownTable)].join('\n\n')
  writeFileSync(page, `${before}${BEGIN}\n\n${figures}\n\n${END}${after}`)
  console.log('\nWritten to docs/performance.md.')
}

buildIfStale()
const found = readdirSync(folder).flatMap((file) =>
  file.endsWith('.bench.ts') ? [file.slice(0, -'.bench.ts'.length)] : [],
)
const names = found
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b))
const tables = []
for (const name of names) tables.push(...(await run(name)))
if (words.length === 0 && options.length === 0 && process.exitCode === undefined) write(tables)
