// `tallygate reconcile --demo`: a made-up month with one of each fault, which nobody told the reconciliation of.

import { randomInt } from 'node:crypto'
import { TRICKS } from '../emulator/bills/faults.ts'
import { dollars } from '../figures.ts'
import { Stop } from './command.ts'
import { runMonth } from './reconcile-month.ts'
import { showReconciliation } from './reconcile-show.ts'
import { layOut } from './table.ts'
import type { Terminal } from './terminal.ts'

/** A month of which every price is known, whenever the demo is run. */
const OCTOBER = Date.UTC(2026, 9, 1)

export async function showReconcileDemo(given: string | undefined, terminal: Terminal): Promise<number> {
  const seed = given === undefined ? randomInt(1, 2 ** 31) : Number(given)
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Stop(2, `Expected \`--seed\` to be a whole number, got ${JSON.stringify(given)}.`)
  const { print, paint } = terminal
  print(`Seed ${seed}: a month of two providers, with ${TRICKS.length} faults that only their maker knows of.`)
  print()
  const { results, planted, invented } = await runMonth({ seed, tricks: TRICKS, start: OCTOBER, days: 31, calls: 600 })
  for (const result of results) {
    showReconciliation(result, undefined, terminal)
    print()
  }
  const { header, lines } = layOut(
    [
      { title: 'planted', least: 12 },
      { title: 'where', least: 20 },
      { title: 'found as', least: 12 },
    ],
    planted.map(({ trick, house, what, cause, isFound }) => [
      trick,
      `${house}: ${what}`,
      isFound ? cause : 'NOT FOUND',
    ]),
    terminal.width,
  )
  print(paint('dim', header))
  for (const line of lines) print(line)
  print()
  const missed = planted.filter(({ isFound }) => !isFound).length
  const sum = results.reduce((total, { causes }) => total + causes.reduce((all, { cost }) => all + cost, 0n), 0n)
  const difference = results.reduce((total, result) => total + result.difference, 0n)
  print(
    `${planted.length - missed} of ${planted.length} faults found, ${invented.length} invented; the causes come to ${dollars(sum)} of a difference of ${dollars(difference)}.`,
  )
  return missed === 0 && invented.length === 0 && sum === difference ? 0 : 1
}
