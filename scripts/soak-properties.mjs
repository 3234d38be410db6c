// Plays the properties of the suite on inputs that it never saw: `node scripts/soak-properties.mjs --rounds=20 [--seed=N]`.

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' }, seed: { type: 'string' } } })
const rounds = Number(values.rounds)
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 30))

const files = readdirSync('test', { recursive: true })
  .map((name) => join('test', String(name)))
  .filter((name) => name.endsWith('.test.ts') && readFileSync(name, 'utf8').includes('fast-check'))

const red = []
for (let seed = first; seed < first + rounds; seed++) {
  const { status, stdout, stderr } = spawnSync('npx', ['vitest', 'run', ...files], {
    env: { ...process.env, TALLYGATE_TEST_SEED: String(seed), FORCE_COLOR: '0' },
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  console.log(`seed ${seed}: ${status === 0 ? 'green' : 'RED'}`)
  if (status === 0) continue
  red.push(seed)
  const lines = `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => /FAIL|AssertionError|Counterexample|seed:/.test(line))
  for (const line of lines) console.log(`  ${line.slice(0, 600)}`)
}
console.log(`${files.length} files, ${rounds} seeds from ${first}: ${red.length === 0 ? 'all green' : `red at ${red}`}`)
process.exitCode = red.length === 0 ? 0 : 1
