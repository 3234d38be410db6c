// @ts-check
// Runs the benchmarks one after the other, each in a process of its own: `npm run bench -- stream --quick`.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'

const folder = join(root, 'bench')
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const isQuick = process.argv.includes('--quick')

/** @typedef {import('../bench/report.ts').Table} Table */

/** @param {string} file @returns {Promise<Table[]>} */
function run(file) {
  const args = ['--expose-gc', join(folder, file), ...(isQuick ? ['--quick'] : [])]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  /** @type {Table[]} */
  const tables = []
  child.on('message', (table) => {
    tables.push(/** @type {Table} */ (table))
    print(/** @type {Table} */ (table))
  })
  return new Promise((resolve) => {
    child.on('exit', (status) => {
      if (status !== 0) process.exitCode = 1
      resolve(tables)
    })
  })
}

/** @param {Table} table */
function print({ title, columns, rows, notes = [] }) {
  const widths = columns.map((name, at) => Math.max(name.length, ...rows.map((row) => (row[at] ?? '').length)))
  /** @param {readonly string[]} cells */
  const line = (cells) => cells.map((cell, at) => (at < 2 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')
  console.log(`\n${title}\n${line(columns)}\n${rows.map(line).join('\n')}`)
  for (const note of notes) console.log(`  ${note}`)
}

if (!process.argv.includes('--no-build')) buildIfStale()
for (const file of readdirSync(folder).filter((name) => name.endsWith('.bench.ts'))) {
  if (words.length === 0 || words.some((word) => file.includes(word))) await run(file)
}
