// A report for programs: JSON and CSV with every digit of the money, as strings that no float rounds.

import type { Dimension, Where } from '../ledger/query.ts'
import { formatUsd } from '../money.ts'
import type { TotalsQuery, TotalsRow } from '../sinks/ledger.ts'
import { csvLine } from './csv.ts'
import type { LimitStanding } from './limits.ts'
import { hasResale, totalOf } from './spend.ts'

/** The names of the columns, in both forms; those of the wire where it has them. */
const FIGURES = {
  calls: ({ calls }) => calls,
  errors: ({ errors }) => errors,
  input_tokens: ({ inputTokens }) => inputTokens,
  cached_tokens: ({ cachedTokens }) => cachedTokens,
  output_tokens: ({ outputTokens }) => outputTokens,
  cost_usd: ({ cost }) => formatUsd(cost),
  unpriced: ({ unpriced }) => unpriced,
  estimated: ({ estimated }) => estimated,
} as const satisfies Record<string, (row: TotalsRow) => number | string>

/** The last one only where something was sold. */
function figuresOf(row: TotalsRow, isSold: boolean): Record<string, number | string | null> {
  const figures = Object.fromEntries(Object.entries(FIGURES).map(([name, read]) => [name, read(row)]))
  if (!isSold) return figures
  return { ...figures, resale_usd: row.resale === undefined ? null : formatUsd(row.resale) }
}

export function toCsv(by: readonly Dimension[], rows: readonly TotalsRow[]): string {
  const isSold = hasResale(rows)
  const header = csvLine([...by, ...Object.keys(FIGURES), ...(isSold ? ['resale_usd'] : [])])
  return header + rows.map((row) => csvLine([...row.key, ...Object.values(figuresOf(row, isSold))])).join('')
}

export interface JsonReport {
  readonly ledger: string
  readonly query: Omit<TotalsQuery, 'by'> & { readonly by: readonly Dimension[]; readonly where?: Where }
  readonly rows: readonly TotalsRow[]
  readonly limits: readonly LimitStanding[]
}

export function toJson({ ledger, query, rows, limits }: JsonReport): string {
  const { by, since, until, tenantId, where = {} } = query
  const isSold = hasResale(rows)
  const report = {
    ledger,
    since: timeOf(since),
    until: timeOf(until),
    tenant: tenantId ?? null,
    ...(Object.keys(where).length > 0 && { where }),
    by,
    rows: rows.map((row) => ({
      ...Object.fromEntries(by.map((dimension, i) => [dimension, row.key[i] ?? null])),
      ...figuresOf(row, isSold),
    })),
    total: figuresOf(totalOf(rows), isSold),
    limits: limits.map(({ tenantId, window, mode, limit, spent, remaining, resetsAt }) => ({
      tenant: tenantId,
      window,
      mode,
      limit_usd: formatUsd(limit),
      spent_usd: formatUsd(spent),
      remaining_usd: formatUsd(remaining),
      resets_at: timeOf(resetsAt),
    })),
  }
  return `${JSON.stringify(report, null, 2)}\n`
}

function timeOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString()
}
