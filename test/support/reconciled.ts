// Days of bills that were compared, written as a reconciliation writes them.

import { writeDay } from '../../src/reconcile/book.ts'
import type { CanonicalCost } from '../../src/reconcile/canonical.ts'
import type { Cause } from '../../src/reconcile/causes.ts'
import { type LedgerPlace, openDatabase } from '../../src/reconcile/database.ts'
import type { Status } from '../../src/reconcile/result.ts'

export interface Compared {
  readonly source?: string
  readonly day: string
  readonly status?: Status
  /** Pico-dollars. */
  readonly logged: bigint
  readonly causes?: Partial<Record<Cause, bigint>>
  readonly at?: number
}

/** One line of the bill for each day, of which the causes are all of the difference. */
export async function putDays(place: LedgerPlace, ...days: readonly Compared[]): Promise<void> {
  const db = openDatabase(place)
  const model = 'gpt-5'
  try {
    for (const { source = 'openai', day, status = 'ok', logged, causes = {}, at = Date.parse(day) } of days) {
      const shares = Object.entries(causes) as [Cause, bigint][]
      const difference = shares.reduce((sum, [, cost]) => sum + cost, 0n)
      const key = { model, tier: 'standard', type: 'input.text' as const }
      await writeDay(db, {
        source,
        provider: 'openai',
        day,
        reconciledAt: at,
        status,
        lines: [
          {
            ...key,
            at: Date.parse(day),
            scope: '',
            billed: logged + difference,
            logged,
            loggedQuantity: 1000,
            billedQuantity: 1000,
            isCounted: true,
            listCost: undefined,
            rows: 1,
            item: undefined,
            who: undefined,
            shares: [],
            byTier: new Map(),
            isLogged: true,
          },
        ],
        causes: shares.map(([cause, cost]) => ({ ...key, day, cause, cost, quantity: 1 })),
        canonical: noCalls,
        apply: false,
      })
    }
  } finally {
    await db.close()
  }
}

async function* noCalls(): AsyncGenerator<readonly CanonicalCost[]> {}
