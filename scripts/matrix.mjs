// @ts-check
// Every Node and every SDK version that is supported: the packed package and every call shape under each Node, and the
// test suite under those that can run it.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './entries.mjs'

const matrix = join(root, 'tools/matrix')
const sdks = join(root, 'tools/sdks')
const SUITE = ['22', '26']

/** @param {string} command @param {string[]} args @param {string} [cwd] @param {string} [path] */
function run(command, args, cwd = root, path = process.env.PATH) {
  console.log(`\n> ${[command, ...args].join(' ').replaceAll(`${root}/`, '')}`)
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit', env: { ...process.env, PATH: path } })
  if (status !== 0) process.exitCode = 1
}

/** The newest of each SDK that is played; a newer one in the registry is said, and nothing else. */
function sayNewer() {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'test/apps/next/package.json'), 'utf8'))
  for (const [name, played] of Object.entries(dependencies)) {
    const { status, stdout } = spawnSync('npm', ['view', name, 'version'], { cwd: root, encoding: 'utf8' })
    const newest = stdout.trim()
    if (status !== 0 || newest === '') console.log(`! The registry did not say which ${name} is the newest.`)
    else if (newest !== played) console.log(`! ${name} ${newest} is out; the newest played here is ${played}.`)
  }
}

sayNewer()
for (const folder of [matrix, sdks])
  run('npm', ['ci', '--no-workspaces', '--ignore-scripts', '--no-audit', '--no-fund'], folder)
run(process.execPath, [join(root, 'scripts/compat.mjs')])
run(process.execPath, [join(root, 'scripts/check-consumer.mjs')])
// Before the suite, which compares the page that this writes with what it plays itself.
run(process.execPath, [join(root, 'scripts/compatibility.mjs')])
// The suite starts it under the others.
run(join(matrix, 'node_modules/node-20/bin/node'), ['--test', join(root, 'test/tenants/interleaved.test.mjs')])
for (const major of SUITE) {
  const folder = join(matrix, 'node_modules', `node-${major}`, 'bin')
  const node = join(folder, 'node')
  // First in PATH too: some tests start `node` themselves.
  run(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run'], root, `${folder}:${process.env.PATH}`)
}
