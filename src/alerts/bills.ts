// Alerts of bills: the newest day of a source that was compared, and that drifts from the ledger too far.

import type { LedgerViews } from '../ledger/views.ts'
import { formatUsd } from '../money.ts'
import type { AlertRule } from './alert.ts'

/** As `tallygate reconcile` has judged the day; over when a newer one is fine, or when the day itself is on second sight. */
export function billRule(views: Pick<LedgerViews, 'reconciliations'>): AlertRule {
  return {
    kind: 'bill',
    async check() {
      const days = await views.reconciliations({ latest: 1 })
      return days.flatMap(({ source, provider, day, status, billed, logged, difference, causes }) => {
        if (status !== 'warn' && status !== 'fail') return []
        const [largest] = causes
        const more = difference < 0n ? 'less' : 'more'
        const because = largest === undefined ? '' : `, most of it ${largest.cause} (${dollars(largest.cost)})`
        const said =
          difference === 0n
            ? `has the sum of the ledger, and drifts in volume or price${because}`
            : `is ${dollars(difference < 0n ? -difference : difference)} ${more} than the ledger says${because}`
        return [
          {
            // Of each level by itself, so that what gets worse is told.
            key: `bill:${source}:${status}`,
            kind: 'bill' as const,
            severity: status === 'fail' ? ('critical' as const) : ('warning' as const),
            message: `The bill of ${source} for ${day} ${said}.`,
            details: {
              source,
              provider,
              day,
              status,
              billed_usd: formatUsd(billed),
              logged_usd: formatUsd(logged),
              difference_usd: formatUsd(difference),
              ...(largest && { cause: largest.cause, cause_usd: formatUsd(largest.cost) }),
            },
          },
        ]
      })
    },
  }
}

function dollars(sum: bigint): string {
  return sum < 0n ? `-$${formatUsd(-sum)}` : `$${formatUsd(sum)}`
}
