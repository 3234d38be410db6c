// @ts-check
// Runs the benchmarks one after the other, each in a process of its own: `npm run bench -- stream`.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'

const folder = join(root, 'bench')
const asked = process.argv.slice(2)

buildIfStale()
for (const name of readdirSync(folder).filter((file) => file.endsWith('.bench.ts'))) {
  if (asked.length > 0 && !asked.some((word) => name.includes(word))) continue
  const { status } = spawnSync(process.execPath, ['--expose-gc', join(folder, name)], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
