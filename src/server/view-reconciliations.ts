// `GET /v1/reconciliations`: bills beside the ledger, day by day, and what the differences of the range come from.

import type { ReconciledDay } from '../ledger/reconciliations.ts'
import { formatUsd } from '../money.ts'
import { tableOf, timeOf, type View } from './view-rows.ts'

const COLUMNS = [
  'day',
  'source',
  'provider',
  'status',
  'billed_usd',
  'logged_usd',
  'difference_usd',
  'causes',
  'compared_at',
] as const

export function reconciliationsView(days: readonly ReconciledDay[], range: View['body']): View {
  const rows = days.map(({ day, source, provider, status, billed, logged, difference, causes, comparedAt }) => ({
    day,
    source,
    provider,
    status: status ?? null,
    billed_usd: formatUsd(billed),
    logged_usd: formatUsd(logged),
    difference_usd: formatUsd(difference),
    causes: causes.map(({ cause, cost }) => ({ cause, usd: formatUsd(cost) })),
    compared_at: timeOf(comparedAt),
  }))
  const sum = (of: 'billed' | 'logged' | 'difference') => formatUsd(days.reduce((total, day) => total + day[of], 0n))
  const total = { billed_usd: sum('billed'), logged_usd: sum('logged'), difference_usd: sum('difference') }
  return {
    body: { ...range, rows, total: { ...total, causes: causesOf(days) } },
    table: () => tableOf('reconciliations', [...COLUMNS], rows),
  }
}

/** Over all the days, the largest sum first, whatever its sign. */
function causesOf(days: readonly ReconciledDay[]): { cause: string; usd: string }[] {
  const sums = new Map<string, bigint>()
  for (const { causes } of days) for (const { cause, cost } of causes) sums.set(cause, (sums.get(cause) ?? 0n) + cost)
  const size = (sum: bigint) => (sum < 0n ? -sum : sum)
  return [...sums]
    .sort(([, a], [, b]) => (size(a) < size(b) ? 1 : size(a) > size(b) ? -1 : 0))
    .map(([cause, sum]) => ({ cause, usd: formatUsd(sum) }))
}
