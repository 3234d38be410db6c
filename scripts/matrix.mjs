// @ts-check
// Every Node that is supported: the packed package under each, and the test suite under those that can run it.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from './entries.mjs'

const matrix = join(root, 'tools/matrix')
const SUITE = ['22', '26']

/** @param {string} command @param {string[]} args @param {string} [cwd] @param {string} [path] */
function run(command, args, cwd = root, path = process.env.PATH) {
  console.log(`\n> ${[command, ...args].join(' ').replaceAll(`${root}/`, '')}`)
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit', env: { ...process.env, PATH: path } })
  if (status !== 0) process.exitCode = 1
}

run('npm', ['ci', '--no-workspaces', '--no-audit', '--no-fund'], matrix)
run(process.execPath, [join(root, 'scripts/compat.mjs'), '20', '22', '24', '26'])
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
