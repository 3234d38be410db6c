// What earlier reconciliations wrote, read again.

import { costsDone, daysDone } from './book.ts'
import type { CanonicalCost } from './canonical.ts'
import { type LedgerPlace, openDatabase } from './database.ts'

/**
 * Days of a source that were compared before, `2026-11-22`, with the moment when.
 *
 * @example
 * const days = await reconciledDays({ path: '.tallygate/ledger.db' }, 'openai')
 * const isDone = days.has('2026-11-21')
 */
export async function reconciledDays(ledger: LedgerPlace, source: string): Promise<ReadonlyMap<string, number>> {
  const db = openDatabase(ledger)
  try {
    return await daysDone(db, source)
  } finally {
    await db.close()
  }
}

/**
 * What each call of a day (`2026-11-22`) cost in the end, by an earlier reconciliation, the oldest first.
 *
 * @example
 * const costs = await reconciledCosts({ path: '.tallygate/ledger.db' }, 'openai', '2026-11-21')
 * const exact = costs.filter(({ label }) => label === 'exact')
 */
export async function reconciledCosts(
  ledger: LedgerPlace,
  source: string,
  day: string,
): Promise<readonly CanonicalCost[]> {
  const db = openDatabase(ledger)
  try {
    return await costsDone(db, source, day)
  } finally {
    await db.close()
  }
}
