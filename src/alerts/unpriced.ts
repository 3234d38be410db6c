// Alerts of calls that used something without a known price: what they cost is in no sum.

import type { LedgerViews } from '../ledger/views.ts'
import type { AlertRule } from './alert.ts'

const DAY = 86_400_000

/** Models of the last 24 hours; over when there was none for as long. */
export function unpricedRule(views: Pick<LedgerViews, 'totals'>): AlertRule {
  return {
    kind: 'unpriced',
    async check(now) {
      const { rows } = await views.totals({ by: ['provider', 'model'], since: now - DAY })
      return rows
        .filter(({ unpriced }) => unpriced > 0)
        .map(({ key: [provider, model], unpriced, calls }) => ({
          key: `unpriced:${provider}/${model}`,
          kind: 'unpriced' as const,
          severity: 'warning' as const,
          message: `${provider}/${model} has no known price: ${unpriced} of its ${calls} calls of the last 24 hours are in no sum.`,
          details: { provider: String(provider), model: String(model), unpriced, calls },
        }))
    },
  }
}
