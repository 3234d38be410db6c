// Reports and sums in SQL, exact beyond SQLite's 64 bits.

import { expected, MeterError } from '../../errors.ts'
import { DIMENSIONS, type Dimension, type TotalsQuery, type TotalsRow } from '../ledger.ts'

const COLUMNS: Record<Dimension, string> = {
  tenant: 'tenant_id',
  user: 'user_id',
  session: 'session_id',
  feature: 'feature',
  team: 'team',
  project: 'project',
  cost_center: 'cost_center',
  app: 'app_name',
  environment: 'environment',
  provider: 'provider',
  host: 'host',
  model: 'model',
  endpoint: 'endpoint',
  tier: 'service_tier',
  day: `strftime('%Y-%m-%d', at / 1000.0, 'unixepoch')`,
}

const CALLS = 'ifnull(calls, 1)'
const USED_SOMETHING = `(
  ifnull(input_tokens, 0) > 0 OR ifnull(output_tokens, 0) > 0 OR ifnull(total_tokens, 0) > 0
  OR ifnull(image_count, 0) > 0 OR ifnull(character_count, 0) > 0 OR ifnull(duration_seconds, 0) > 0
  OR ifnull(usage, '{}') <> '{}'
)`

/** What is summed, by the names of the fields of `TotalsRow`. */
const SUMS = {
  calls: CALLS,
  errors: `iif(error IS NULL, 0, ${CALLS})`,
  unpriced: `iif(cost_pico IS NULL AND ${USED_SOMETHING}, ${CALLS}, 0)`,
  estimated: `iif(usage_source IN ('partial', 'estimated'), ${CALLS}, 0)`,
  inputTokens: 'input_tokens',
  cachedTokens: 'cached_tokens',
  outputTokens: 'output_tokens',
  cost: 'cost_pico',
} as const satisfies Record<Exclude<keyof TotalsRow, 'key'>, string>

type Sum = keyof typeof SUMS

/** SQLite's `sum` fails beyond 64 bits, so the upper and the lower half are summed apart. */
export function halves(expression: string, name: string): string {
  return `sum((${expression}) >> 32) AS ${name}_high, sum((${expression}) & 4294967295) AS ${name}_low`
}

/** The sum of which a row read with `setReadBigInts` holds the halves; 0 of no rows. */
export function sumOf(row: Readonly<Record<string, unknown>> | undefined, name: string): bigint {
  const high = (row?.[`${name}_high`] ?? 0n) as bigint
  const low = (row?.[`${name}_low`] ?? 0n) as bigint
  return (high << 32n) + low
}

/** Bound values go by name, so that one statement serves every combination of filters. */
export interface Statement {
  readonly sql: string
  readonly values: Record<string, string | number>
}

export function totalsStatement(query: TotalsQuery): Statement {
  for (const dimension of query.by)
    if (!DIMENSIONS.includes(dimension))
      throw new MeterError('BAD_INPUT', expected('by', `one of ${DIMENSIONS.join(', ')}`, dimension))
  const keys = query.by.map((dimension, i) => `${COLUMNS[dimension]} AS key_${i}`)
  const sums = Object.entries(SUMS).map(([name, expression]) => halves(expression, name))
  const places = query.by.map((_, i) => i + 1).join(', ')
  const { where, values } = filter(query)
  const group = places === '' ? '' : ` GROUP BY ${places} ORDER BY ${places}`
  return { sql: `SELECT ${[...keys, ...sums].join(', ')} FROM events${where}${group}`, values }
}

export function filter(
  query: Pick<TotalsQuery, 'since' | 'until' | 'tenantId'>,
): { where: string } & Pick<Statement, 'values'> {
  const values: Record<string, string | number> = {}
  const conditions: string[] = []
  const add = (condition: string, name: string, value: string | number | undefined) => {
    if (value === undefined) return
    conditions.push(condition)
    values[name] = value
  }
  add('tenant_id = :tenant', 'tenant', query.tenantId)
  add('at >= :since', 'since', query.since)
  add('at < :until', 'until', query.until)
  return { where: conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`, values }
}

export function toTotalsRow(row: Readonly<Record<string, unknown>>, dimensions: number): TotalsRow {
  const count = (name: Sum) => Number(sumOf(row, name))
  return {
    key: Array.from({ length: dimensions }, (_, i) => row[`key_${i}`] as string | null),
    calls: count('calls'),
    errors: count('errors'),
    unpriced: count('unpriced'),
    estimated: count('estimated'),
    inputTokens: count('inputTokens'),
    cachedTokens: count('cachedTokens'),
    outputTokens: count('outputTokens'),
    cost: sumOf(row, 'cost'),
  }
}
