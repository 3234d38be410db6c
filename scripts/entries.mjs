// @ts-check
// The one list of what is built: every path that package.json exports or runs, with its source.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * @typedef {object} Entry
 * @property {string} name its path in `dist` and in `src`, without a suffix
 * @property {string} source
 * @property {readonly string[]} outputs
 */

/** What runs in a thread is a file of its own. */
const THREADS = ['./dist/ledger/reader-thread.js']

/** @returns {{ library: Entry[], commands: Entry[], threads: Entry[] }} */
export function entries() {
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return {
    library: Object.values(exports)
      .filter((target) => typeof target === 'object')
      .map((target) => entry(target.import.default, [...new Set(files(target))])),
    commands: Object.values(bin).map((file) => entry(file, [file])),
    threads: THREADS.map((file) => entry(file, [file])),
  }
}

/** @param {string} file @param {readonly string[]} outputs @returns {Entry} */
function entry(file, outputs) {
  const name = file.replace(/^\.\/dist\//, '').replace(/\.js$/, '')
  return { name, source: `src/${name}.ts`, outputs }
}

/** @param {unknown} target @returns {string[]} */
function files(target) {
  return typeof target === 'string' ? [target] : Object.values(/** @type {object} */ (target)).flatMap(files)
}
