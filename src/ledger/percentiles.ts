// Percentiles by nearest rank: always a value that a call had, and the same in every database.

import type { Dialect, Row } from './dialect.ts'
import {
  checkCount,
  checkDimension,
  checkOneOf,
  checkQuery,
  MEASURES,
  type Measure,
  type PercentilesOptions,
  type PercentilesRow,
} from './query.ts'
import { createDraft, type Statement } from './statement.ts'

const COLUMNS: Record<Measure, string> = {
  duration_ms: 'duration_ms',
  time_to_first_token_ms: 'time_to_first_token_ms',
  cost: 'cost_pico',
}
const RANKS = [50, 90, 95, 99] as const
const USUAL_GROUPS = 100
const MOST_GROUPS = 10_000
const MOST_SAMPLE = 1_000_000

export function checkPercentiles({ of, by, limit = USUAL_GROUPS, sample, ...query }: PercentilesOptions): void {
  checkOneOf('of', of, MEASURES)
  if (sample !== undefined) checkCount('sample', sample, 100, MOST_SAMPLE)
  if (by !== undefined) checkDimension('by', by)
  checkCount('limit', limit, 1, MOST_GROUPS)
  checkQuery(query)
}

export function percentilesStatement(
  dialect: Dialect,
  { of, by, limit = USUAL_GROUPS, sample: _, ...query }: PercentilesOptions,
  moments: readonly number[] = [],
): Statement {
  const { bind, column, conditions, values } = createDraft(dialect)
  const value = COLUMNS[of]
  const key = by === undefined ? dialect.none : dialect.grouped(column(by))
  // An event that stands for several calls has no value of one.
  const isOfOne = [`${value} IS NOT NULL`, 'coalesce(calls, 1) = 1']
  const from =
    moments.length === 0
      ? `${dialect.events}${conditions(query, ...isOfOne)}`
      : `${dialect.firstAfter(bind(JSON.stringify(moments)), (moment) => conditions(query, `at >= ${moment}`))} WHERE ${isOfOne.join(' AND ')}`
  const number = of === 'cost' ? dialect.whole : (expression: string) => expression
  const ranks = RANKS.map(
    (rank) => `${number(`max(CASE WHEN place = (number * ${rank} + 99) / 100 THEN value END)`)} AS p${rank}`,
  )
  const sql = `WITH given AS (SELECT ${key} AS key, ${value} AS value FROM ${from}
), ranked AS (
  SELECT key, value, row_number() OVER (PARTITION BY key ORDER BY value) AS place,
    count(*) OVER (PARTITION BY key) AS number
  FROM given
)
SELECT key, ${dialect.whole('number')} AS calls, ${ranks.join(', ')}
FROM ranked GROUP BY key, number ORDER BY ranked.number DESC, ${dialect.byText('key')} LIMIT ${bind(BigInt(limit))}`
  return { sql, values }
}

export function toPercentiles<M extends Measure>(
  rows: readonly Row[],
  of: M,
  isSample = false,
): PercentilesRow<M extends 'cost' ? bigint : number>[] {
  const read = (value: unknown) => (of === 'cost' ? BigInt(value as bigint) : Number(value))
  return rows.map((row) => ({
    key: row['key'] as string | null,
    calls: Number(row['calls']),
    p50: read(row['p50']),
    p90: read(row['p90']),
    p95: read(row['p95']),
    p99: read(row['p99']),
    ...(isSample && { isSample }),
  })) as PercentilesRow<M extends 'cost' ? bigint : number>[]
}
