// A made-up month from end to end: a ledger of what was logged, provider APIs of what was served, and both reconciled.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAdminApis } from '../emulator/bills/admin.ts'
import type { Planted, Trick } from '../emulator/bills/faults.ts'
import { type Month, makeMonth } from '../emulator/bills/month.ts'
import type { LLMEvent } from '../event.ts'
import { loadPriceBook } from '../pricing/price-book.ts'
import type { Cause } from '../reconcile/causes.ts'
import { reconcile } from '../reconcile/reconcile.ts'
import type { Reconciliation } from '../reconcile/result.ts'
import { anthropicStatement } from '../reconcile/sources/anthropic.ts'
import { openaiStatement } from '../reconcile/sources/openai.ts'
import { repriceEvent, withPrice } from '../reprice.ts'
import { sqliteLedger } from '../sinks/sqlite.ts'

/** What each planted fault has to be called. They have nothing in common but this table. */
export const CALLED: Readonly<Record<Trick, Cause>> = {
  'asked-twice': 'retries',
  'cut-stream': 'streams-without-usage',
  'old-tariff': 'price-book',
  'dear-cache': 'cache-accounting',
  'bulk-undiscounted': 'batch-or-tier',
  stranger: 'foreign-key',
  'ghost-prompt': 'hidden-tokens',
  'other-engine': 'model-swap',
  'padded-answer': 'output-count',
  'new-vocabulary': 'tokenizer-change',
  rebate: 'contract-discount',
  waived: 'not-billed',
  'unlisted-call': 'not-logged',
  'late-clock': 'timing',
}

export interface MonthRun {
  readonly month: Month
  readonly results: readonly Reconciliation[]
  /** Faults that were planted, with whether they were found under their name. */
  readonly planted: readonly (Planted & { readonly cause: Cause; readonly isFound: boolean })[]
  /** Reasons that were given, and of which nothing was planted. */
  readonly invented: readonly { readonly provider: string; readonly cause: Cause }[]
}

export interface MonthRunOptions {
  readonly seed: number
  readonly tricks: readonly Trick[]
  readonly start: number
  readonly days: number
  readonly calls: number
}

export async function runMonth(options: MonthRunOptions): Promise<MonthRun> {
  const month = makeMonth(options)
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-reconcile-'))
  const path = join(folder, 'ledger.db')
  const apis = await startAdminApis(month)
  try {
    await fill(path, month)
    const statements = [
      openaiStatement({ adminKey: 'sk-admin-demo', baseUrl: apis.openai }),
      anthropicStatement({ adminKey: 'sk-ant-admin-demo', baseUrl: apis.anthropic }),
    ]
    const results: Reconciliation[] = []
    for (const statement of statements)
      results.push(
        await reconcile({
          ledger: { path },
          statement,
          since: month.start,
          until: month.end,
          // Long after all of it is final.
          now: month.end + 7 * 86_400_000,
        }),
      )
    return { month, results, ...judge(month, results) }
  } finally {
    await apis.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function fill(path: string, month: Month): Promise<void> {
  const book = await loadPriceBook()
  const ledger = sqliteLedger({ path })
  const { signal } = new AbortController()
  const events = month.notes.map((note) => {
    const event = note as unknown as LLMEvent
    return withPrice(event, repriceEvent(event, book))
  })
  try {
    for (let from = 0; from < events.length; from += 1000)
      await ledger.send({ id: `month-${from}`, events: events.slice(from, from + 1000) }, signal)
  } finally {
    await ledger.close()
  }
}

function judge(month: Month, results: readonly Reconciliation[]): Pick<MonthRun, 'planted' | 'invented'> {
  const given = new Set(results.flatMap(({ provider, causes }) => causes.map(({ cause }) => `${provider} ${cause}`)))
  const planted = month.planted.map((one) => {
    const cause = CALLED[one.trick]
    return { ...one, cause, isFound: given.has(`${one.house} ${cause}`) }
  })
  const wanted = new Set(planted.map(({ house, cause }) => `${house} ${cause}`))
  const invented = results.flatMap(({ provider, causes }) =>
    causes.filter(({ cause }) => !wanted.has(`${provider} ${cause}`)).map(({ cause }) => ({ provider, cause })),
  )
  return { planted, invented }
}
