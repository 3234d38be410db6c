// @ts-check
// Kills an application with SIGKILL at random moments under load, and counts what its ledger has in the end. In every
// second round it makes calls through an SDK, in the others it reports them, which is some ten times as fast:
// `npm run soak:crash`, `npm run soak:crash -- --rounds 10 --events 100000`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildIfStale } from './build.mjs'
import { root } from './entries.mjs'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    events: { type: 'string', default: '1000000' },
    'no-build': { type: 'boolean', default: false },
  },
})
if (!values['no-build']) buildIfStale()
const LONGEST_MS = 4000
const { compare, idsSeen, killUnderLoad } = await import('../test/support/crash.ts')

const folder = mkdtempSync(join(tmpdir(), 'tallygate-crash-'))
const dir = join(folder, 'dir')
const [rounds, events] = [Number(values.rounds), Number(values.events)]
writeFileSync(join(folder, 'seen.txt'), '')

let round = 0
let total = 0
const began = performance.now()
while (round < rounds || total < events) {
  round++
  const ms = 100 + Math.random() * LONGEST_MS
  const { seen, said } = await killUnderLoad(folder, round, ms, round % 2 === 0 ? { BY_HAND: '1' } : {})
  total += seen
  console.log(
    `round ${round}: killed after ${Math.round(ms)} ms, ${seen} calls, ${total} in all${said ? `; ${said.trim()}` : ''}`,
  )
}
const seconds = Math.round((performance.now() - began) / 1000)

console.log('What the last process left, drained:')
const drained = spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), 'drain', '--dir', dir], {
  encoding: 'utf8',
})
console.log(`${drained.stdout}${drained.stderr}`.trim())

const { seen, inLedger, lost, doubled } = compare(folder, join(dir, 'ledger.db'))
console.log(
  `${round} rounds in ${seconds} s: ${seen} calls had gone on, ${inLedger} are in the ledger; ${lost.length} lost, ${doubled} counted twice.`,
)
console.log(`Left in the spool: ${readdirSync(join(dir, 'spool')).join(' ') || 'nothing'}`)
if (idsSeen(folder).length !== total || lost.length > 0 || doubled > 0 || drained.status !== 0) {
  console.log(`Lost: ${lost.slice(0, 20).join(' ')}; everything is in ${folder}`)
  process.exit(1)
}
rmSync(folder, { recursive: true })
