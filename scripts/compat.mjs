// @ts-check
// Installs the packed package into a fresh folder and runs test/compat there under each Node: `npm run compat -- 20 22.13`.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'
import { install, pack } from './packed.mjs'

/** Of each line that is supported the oldest and the newest. */
const ALL = ['20.19', '20', '22.13', '22', '24.0', '24', '26.0', '26']

/** The one this runs under, or one of tools/matrix. @param {string} version */
function binary(version) {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath
  const file = join(root, 'tools/matrix/node_modules', `node-${version}`, 'bin/node')
  return existsSync(file) ? file : undefined
}

const asked = process.argv.slice(2)
buildIfStale()
const packed = pack()
const app = install(packed.tarball)
try {
  cpSync(join(root, 'test/compat'), join(app.folder, 'compat'), { recursive: true })
  const files = readdirSync(join(app.folder, 'compat'))
    .filter((name) => /\.test\.mjs$/.test(name))
    .map((name) => join('compat', name))
  for (const version of asked.length > 0 ? asked : ALL) {
    const node = binary(version)
    if (!node) {
      console.log(`Node ${version} is not here: \`npm run test:matrix\` brings it.`)
      if (asked.length > 0) process.exitCode = 1
      continue
    }
    // Node's own test runner marks its children by this variable, and then prints for a parent instead of a person.
    // The demo needs SDKs to talk with: those of this repository, which the fresh folder is spared.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, SDKS_OF: root }
    const { status, stdout, stderr } = spawnSync(node, ['--test', '--test-reporter=spec', ...files], {
      cwd: app.folder,
      encoding: 'utf8',
      env,
    })
    const summary = ['tests', 'pass', 'fail'].map((word) => stdout.match(new RegExp(`ℹ ${word} \\d+`))?.[0].slice(2))
    console.log(`Node ${version}: ${summary.join(', ')}`)
    if (status !== 0) {
      process.exitCode = 1
      console.log(stdout + stderr)
    }
  }
} finally {
  app[Symbol.dispose]()
  packed[Symbol.dispose]()
}
