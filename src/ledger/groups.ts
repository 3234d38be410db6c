// Totals: the groups of a page, the sum of all of them, and how many there are, read from the events once.

import type { TotalsRow } from '../sinks/ledger.ts'
import { SUMS, toTotalsRow } from '../sinks/totals.ts'
import type { Dialect, Row } from './dialect.ts'
import { sumsSql } from './parts.ts'
import {
  checkBy,
  checkCount,
  checkOneOf,
  checkQuery,
  type Dimension,
  ORDERS,
  type Order,
  type Query,
  type Totals,
  type TotalsOptions,
} from './query.ts'
import { createDraft, type Statement } from './statement.ts'

const NAMES = Object.keys(SUMS) as (keyof typeof SUMS)[]
const SUM_OF: Record<Exclude<Order, 'key'>, keyof typeof SUMS> = {
  cost: 'cost',
  calls: 'calls',
  input_tokens: 'inputTokens',
  output_tokens: 'outputTokens',
}

export function checkTotals({ by = [], order = 'cost', limit, offset = 0, ...query }: TotalsOptions): void {
  checkBy(by)
  checkQuery(query)
  checkOneOf('order', order, ORDERS)
  if (limit !== undefined) checkCount('limit', limit, 0, 1_000_000)
  checkCount('offset', offset, 0, Number.MAX_SAFE_INTEGER)
}

export function totalsStatement(dialect: Dialect, options: TotalsOptions): Statement {
  const { by = [], order = 'cost', limit, offset = 0 } = options
  const draft = createDraft(dialect)
  const { bind, column, values } = draft
  const columns = by.map((dimension, i) => ({ sql: column(dimension), name: `key_${i}` }))
  const keys = columns.map(({ name }) => name)
  const sums = sumsSql(draft, SUMS, { ...options, dimensions: by, keys: columns, names: NAMES })
  const inOrder = [...(order === 'key' ? [] : [dialect.largestFirst(SUM_OF[order])]), ...keys.map(dialect.byText)]
  const page =
    limit === undefined && offset === 0 ? '' : ` LIMIT ${bind(BigInt(limit ?? MOST))} OFFSET ${bind(BigInt(offset))}`
  const sql = `WITH sums AS (
  ${sums}
), page AS (
  SELECT *, row_number() OVER (ORDER BY ${inOrder.length === 0 ? '1' : inOrder.join(', ')}) AS position
  FROM sums ORDER BY position${page}
)
SELECT ${[...keys, ...NAMES.map(dialect.passed)].join(', ')}, ${dialect.whole('position')} AS position FROM page
UNION ALL
SELECT ${[...keys.map(() => dialect.none), ...NAMES.map(dialect.summed)].join(', ')}, ${dialect.whole('-count(*)')} FROM sums`
  return { sql, values }
}

/** The values of a dimension that cost most: one sum, where `totalsStatement` takes nine. */
export function dearestStatement(dialect: Dialect, by: Dimension, top: number, query: Query): Statement {
  const draft = createDraft(dialect)
  const keys = [{ sql: draft.column(by), name: 'key' }]
  const sums = sumsSql(draft, SUMS, { ...query, dimensions: [by], keys, names: ['cost'] })
  const order = [dialect.largestFirst('cost'), dialect.byText('key')].join(', ')
  const sql = `SELECT key FROM (${sums}) AS sums ORDER BY ${order} LIMIT ${draft.bind(BigInt(top))}`
  return { sql, values: draft.values }
}

const MOST = Number.MAX_SAFE_INTEGER

/** The row of the total has how many there are in the place of a position, below 0. */
export function toTotals(rows: readonly Row[], by: readonly Dimension[], dialect: Dialect): Totals {
  const placed = rows.map((row) => ({ row, position: Number(row['position']) })).sort((a, b) => a.position - b.position)
  const groups = placed.filter(({ position }) => position > 0)
  const total = placed.find(({ position }) => position <= 0)
  return {
    rows: groups.map(({ row }) => toTotalsRow(row, by.length, dialect)),
    total: toTotalsRow(total?.row ?? {}, 0, dialect),
    count: Math.abs(total?.position ?? 0),
  }
}

/** The sum of rows, whatever they were grouped by. */
export function addTotals(rows: readonly TotalsRow[]): TotalsRow {
  const sum = (field: Exclude<keyof TotalsRow, 'key' | 'cost' | 'resale'>) =>
    rows.reduce((total, row) => total + row[field], 0)
  const sold = rows.filter(({ resale }) => resale !== undefined)
  return {
    key: [],
    calls: sum('calls'),
    errors: sum('errors'),
    unpriced: sum('unpriced'),
    estimated: sum('estimated'),
    inputTokens: sum('inputTokens'),
    cachedTokens: sum('cachedTokens'),
    outputTokens: sum('outputTokens'),
    cost: rows.reduce((total, row) => total + row.cost, 0n),
    ...(sold.length > 0 && { resale: sold.reduce((total, row) => total + row.resale!, 0n) }),
  }
}
