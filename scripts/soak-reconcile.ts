// Made-up months with faults that nobody told the reconciliation of: `npm run soak:reconcile -- --months=100 [--seed=N]`.

import { parseArgs } from 'node:util'
import { runMonth } from '../src/cli/reconcile-month.ts'
import { dice } from '../src/emulator/bills/dice.ts'
import { TRICKS } from '../src/emulator/bills/faults.ts'

const { values } = parseArgs({ options: { months: { type: 'string', default: '100' }, seed: { type: 'string' } } })
const months = Number(values.months)
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 30))

const found = new Map<string, number>()
const red: number[] = []
for (let seed = first; seed < first + months; seed++) {
  const chance = dice(seed * 7919)
  const tricks = seed % 5 === 0 ? [] : chance.shuffled(TRICKS).slice(0, chance.between(1, TRICKS.length))
  const days = chance.pick([14, 31])
  const calls = chance.between(60, 900)
  const { results, planted, invented } = await runMonth({ seed, tricks, start: Date.UTC(2026, 9, 1), days, calls })
  const faults = planted.filter(({ isFound }) => !isFound).map(({ trick, what }) => `missed ${trick}, ${what}`)
  for (const { trick, isFound } of planted) if (isFound) found.set(trick, (found.get(trick) ?? 0) + 1)
  for (const { provider, cause } of invented) faults.push(`invented ${cause} of ${provider}`)
  for (const { provider, causes, difference, canonical, unattributedBilled, billed } of results) {
    if (tricks.length === 0 && difference !== 0n) faults.push(`a difference at ${provider} where nothing was planted`)
    if (causes.reduce((sum, { cost }) => sum + cost, 0n) !== difference)
      faults.push(`the causes of ${provider} do not add up`)
    if (canonical.exact + canonical.allocated + canonical.estimated + unattributedBilled !== billed)
      faults.push(`the bill of ${provider} is not shared out`)
  }
  if (faults.length > 0) red.push(seed)
  for (const fault of faults) console.log(`seed ${seed}: ${fault}`)
}
for (const [trick, count] of [...found].sort(([a], [b]) => a.localeCompare(b)))
  console.log(`${trick}: found ${count} times`)
console.log(`${months} months from seed ${first}: ${red.length === 0 ? 'all agree' : `red at ${red.join(', ')}`}`)
process.exitCode = red.length === 0 ? 0 : 1
