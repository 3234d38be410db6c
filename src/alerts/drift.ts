// Alerts of drift: a model whose answers began to contradict themselves, or to hold counts that nobody here knows.

import type { Source } from '../ledger/source.ts'
import { createDraft } from '../ledger/statement.ts'
import type { AlertRule } from './alert.ts'

export interface DriftOptions {
  /** Of a hundred calls of a model in the last 24 hours, so many; 1. */
  readonly percent?: number | undefined
  /** And at least so many calls; 5. */
  readonly calls?: number | undefined
}

const DAY = 86_400_000
/** Flags of an event that tell of the provider's own numbers, by what stands before the colon. */
const KINDS = [
  'sum',
  'subset',
  'unknown',
  'model',
  'negative',
  'fractional',
  'absurd',
  'not-a-count',
  'missing',
] as const

export function driftRule(source: Source, { percent = 1, calls = 5 }: DriftOptions = {}): AlertRule {
  const { dialect } = source
  // A list of JSON on both, as text.
  const isFlagged = KINDS.map((kind) => `CAST(usage_flags AS text) LIKE '%"${kind}:%'`).join(' OR ')
  return {
    kind: 'drift',
    async check(now) {
      const { conditions, values } = createDraft(dialect)
      const sql = `SELECT provider, model, ${dialect.whole('count(*)')} AS calls, ${dialect.whole(`sum(CASE WHEN ${isFlagged} THEN 1 ELSE 0 END)`)} AS flagged
FROM ${dialect.events}${conditions({ since: now - DAY })} GROUP BY provider, model`
      const rows = await source.ask({ sql, values })
      return rows.flatMap((row) => {
        const [all, flagged] = [Number(row['calls']), Number(row['flagged'])]
        if (flagged < calls || flagged * 100 < all * percent) return []
        const [provider, model] = [String(row['provider']), String(row['model'])]
        return [
          {
            key: `drift:${provider}/${model}`,
            kind: 'drift' as const,
            severity: 'warning' as const,
            message: `${flagged} of ${all} answers of ${provider}/${model} in the last 24 hours hold usage that contradicts itself or that is not known: its provider may have changed what it says.`,
            details: { provider, model, flagged, calls: all },
          },
        ]
      })
    },
  }
}
