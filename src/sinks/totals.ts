// Reports and sums in the SQL that SQLite and PostgreSQL have in common; each adds its own way to sum and to tell a day.

import { expected, MeterError } from '../errors.ts'
import { DIMENSIONS, type Dimension, type EventFilter, type TotalsQuery, type TotalsRow } from './ledger.ts'

export const COLUMNS: Record<Exclude<Dimension, 'day'>, string> = {
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
}

const CALLS = 'coalesce(calls, 1)'
const USED_SOMETHING = `(
  coalesce(input_tokens, 0) > 0 OR coalesce(output_tokens, 0) > 0 OR coalesce(total_tokens, 0) > 0
  OR coalesce(image_count, 0) > 0 OR coalesce(character_count, 0) > 0 OR coalesce(duration_seconds, 0) > 0
  OR coalesce(usage, '{}') <> '{}'
)`

/** What is summed, by the names of the fields of `TotalsRow`; `addTo` of sqlite/batch-sums.ts says the same of a row's cells. */
export const SUMS = {
  calls: CALLS,
  errors: `CASE WHEN error IS NULL THEN 0 ELSE ${CALLS} END`,
  unpriced: `CASE WHEN cost_pico IS NULL AND ${USED_SOMETHING} THEN ${CALLS} ELSE 0 END`,
  estimated: `CASE WHEN usage_source IN ('partial', 'estimated') THEN ${CALLS} ELSE 0 END`,
  inputTokens: 'input_tokens',
  cachedTokens: 'cached_tokens',
  outputTokens: 'output_tokens',
  cost: 'cost_pico',
  resale: 'resale_pico',
} as const satisfies Record<Exclude<keyof TotalsRow, 'key'>, string>

/** Bound values go by name, so that one statement serves every combination of filters. */
export interface Statement {
  readonly sql: string
  readonly values: Record<string, string | number>
}

export interface Dialect {
  /** The table of the events. */
  readonly events: string
  /** The date of the column `at`, in UTC. */
  readonly day: string
  /** What is grouped by. */
  grouped(key: string): string
  /** Columns that hold a sum exactly beyond 64 bits, to be read by `sumOf`. */
  sum(expression: string, name: string): string
  /** The sum in a row; `undefined` of nothing. */
  sumOf(row: Row, name: string): bigint | undefined
  /** The values of a key by their bytes, `null` first. */
  orderBy(key: string): string
}

type Row = Readonly<Record<string, unknown>>

export function totalsStatement(query: TotalsQuery, { events, day, grouped, sum, orderBy }: Dialect): Statement {
  for (const dimension of query.by)
    if (!DIMENSIONS.includes(dimension))
      throw new MeterError('BAD_INPUT', expected('by', `one of ${DIMENSIONS.join(', ')}`, dimension))
  const columns = query.by.map((dimension) => grouped(dimension === 'day' ? day : COLUMNS[dimension]))
  const keys = columns.map((column, i) => `${column} AS key_${i}`)
  const sums = Object.entries(SUMS).map(([name, expression]) => sum(expression, name))
  const { where, values } = filter(query)
  const group =
    columns.length === 0 ? '' : ` GROUP BY ${columns.join(', ')} ORDER BY ${columns.map(orderBy).join(', ')}`
  return { sql: `SELECT ${[...keys, ...sums].join(', ')} FROM ${events}${where}${group}`, values }
}

export function toTotalsRow(row: Row, dimensions: number, { sumOf }: Pick<Dialect, 'sumOf'>): TotalsRow {
  const count = (name: keyof typeof SUMS) => Number(sumOf(row, name) ?? 0n)
  const resale = sumOf(row, 'resale')
  return {
    key: Array.from({ length: dimensions }, (_, i) => row[`key_${i}`] as string | null),
    calls: count('calls'),
    errors: count('errors'),
    unpriced: count('unpriced'),
    estimated: count('estimated'),
    inputTokens: count('inputTokens'),
    cachedTokens: count('cachedTokens'),
    outputTokens: count('outputTokens'),
    cost: sumOf(row, 'cost') ?? 0n,
    ...(resale !== undefined && { resale }),
  }
}

export function filter(query: EventFilter): { where: string } & Pick<Statement, 'values'> {
  const values: Record<string, string | number> = {}
  const conditions: string[] = []
  const add = (condition: string, name: string, value: string | number | undefined) => {
    if (value === undefined) return
    conditions.push(condition)
    values[name] = value
  }
  add('tenant_id = :tenant', 'tenant', query.tenantId)
  add('provider = :provider', 'provider', query.provider)
  add('model = :model', 'model', query.model)
  add('at >= :since', 'since', query.since)
  add('at < :until', 'until', query.until)
  return { where: conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`, values }
}
