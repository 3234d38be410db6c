// @ts-check
// Everything that can be wrong with a package while its tests are green: what it exports, its types, its weight, its lock.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'
import { pack } from './packed.mjs'

buildIfStale()
const packed = pack()
const bin = (/** @type {string} */ name) => join(root, 'node_modules/.bin', name)
const script = (/** @type {string} */ name) => [process.execPath, join(root, 'scripts', name)]

/** @type {Record<string, string[]>} */
const CHECKS = {
  'exports and files (publint)': [bin('publint'), 'run', packed.tarball, '--strict'],
  // tsup names the CommonJS types .d.cts and the others .d.ts, which only the resolvers of Node 16 and later tell apart.
  'types of each export (attw)': [bin('attw'), packed.tarball, '--profile', 'node16'],
  'nothing unused (knip)': [bin('knip')],
  'weight (size-limit)': [bin('size-limit')],
  'price data as compiled': [...script('compile-price-book.mjs'), '--check'],
  'locks complete': script('check-lock.mjs'),
  'compiles in applications': script('check-consumer.mjs'),
  'runs in applications': script('compat.mjs'),
}

try {
  for (const [name, [command = '', ...args]] of Object.entries(CHECKS)) {
    const started = performance.now()
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`${status === 0 ? 'ok    ' : 'FAILED'}  ${name}, ${seconds} s`)
    if (status === 0) continue
    console.log(stdout + stderr)
    process.exitCode = 1
  }
} finally {
  packed[Symbol.dispose]()
}
