// The one statement behind an invoice: sums by model, the lines of their costs, and what deleted events have left in the roll-up.

import { SUMS } from '../sinks/totals.ts'
import { type Dialect, POSTGRES_DIALECT } from './dialect.ts'
import { IS_USED } from './parts.ts'
import type { Where } from './query.ts'
import { createDraft, type Statement } from './statement.ts'

export interface InvoiceSpan {
  readonly tenantId: string
  readonly since: number
  readonly until: number
  readonly where?: Where | undefined
}

const NONE = 'CAST(NULL AS bigint)'
const KEYS = ['provider', 'model', 'bucket', 'rate', 'fraction'] as const
type Key = (typeof KEYS)[number]

const CALLS = SUMS.calls
const FIGURES = Object.keys(SUMS) as (keyof typeof SUMS)[]
/** Beside the sums: calls whose cost came without lines, what those cost, calls that cost something and were not sold, and of lines the quantity. */
export const INVOICE_SUMS = [...FIGURES, 'wholeCalls', 'wholeCost', 'unsold', 'quantity'] as const
export type InvoiceSum = (typeof INVOICE_SUMS)[number]

/** Kinds of rows, in the column `kind`. */
export type InvoiceRowKind = 'model' | 'line' | 'rolled' | 'there' | 'pruned'

/** What the databases say differently of the lines of an event. */
interface LineSql {
  readonly join: string
  readonly field: (name: string) => string
  /** The quantity as it was written: as a number SQLite would show fifteen digits of it. */
  readonly written: string
  /** Of `written`: whether it is a count that is exact as a double and in 64 bits. Others are added up as digits. */
  readonly isCount: string
  readonly count: string
  /** The dollars in `usd` as whole pico-dollars. */
  readonly pico: string
  /** Behind a selection: its columns are made once, and not wherever they are read. */
  readonly fence: string
  readonly noLines: string
}

const SQLITE_LINES: LineSql = {
  join: ', json_each(events.cost_lines) AS line',
  field: (name) => `line.value ->> '$.${name}'`,
  written: "line.value -> '$.quantity'",
  isCount: "length(written) <= 15 AND written NOT GLOB '*[^0-9]*'",
  count: 'CAST(written AS integer)',
  pico: "(CAST(usd AS integer) * 1000000000000 + CAST(substr(substr(usd, instr(usd || '.', '.') + 1) || '000000000000', 1, 12) AS integer))",
  fence: ' LIMIT -1',
  noLines: "coalesce(cost_lines, '[]') = '[]'",
}

const POSTGRES_LINES: LineSql = {
  join: ', jsonb_array_elements(events.cost_lines) AS line(value)',
  field: (name) => `line.value ->> '${name}'`,
  written: "line.value ->> 'quantity'",
  isCount: "written ~ '^[0-9]{1,15}$'",
  count: 'written::bigint',
  pico: 'trunc(usd::numeric * 1000000000000)',
  fence: ' OFFSET 0',
  noLines: "coalesce(cost_lines, '[]'::jsonb) = '[]'::jsonb",
}

/** One statement, so that all of the span is of one moment. */
export function invoiceStatement(dialect: Dialect, { tenantId, since, until, where = {} }: InvoiceSpan): Statement {
  const draft = createDraft(dialect)
  const { values } = draft
  const lines = dialect === POSTGRES_DIALECT ? POSTGRES_LINES : SQLITE_LINES
  const whose = { ...where, tenant: tenantId }
  const during = (...more: string[]) => draft.conditions({ since, until, where: whose }, ...more)
  const keys = (named: Partial<Record<Key, string>>) => KEYS.map((key) => `${named[key] ?? dialect.none} AS ${key}`)
  const sums = (made: Partial<Record<InvoiceSum, string>>) =>
    INVOICE_SUMS.map((name) => dialect.sum(made[name] ?? NONE, name))
  const row = (kind: InvoiceRowKind, columns: readonly string[], isOne = '0') =>
    `SELECT '${kind}' AS kind, ${columns.join(', ')}, ${isOne} AS is_one`

  const isWhole = `${lines.noLines} AND cost_pico IS NOT NULL`
  const models = `${row('model', [
    ...keys({ provider: 'provider', model: 'model' }),
    ...sums({
      ...SUMS,
      wholeCalls: `CASE WHEN ${isWhole} THEN ${CALLS} ELSE 0 END`,
      wholeCost: `CASE WHEN ${isWhole} THEN cost_pico ELSE 0 END`,
      unsold: `CASE WHEN cost_pico > 0 AND resale_pico IS NULL THEN ${CALLS} ELSE 0 END`,
    }),
  ])} FROM ${dialect.events}${during()} GROUP BY provider, model`

  const fields = ['bucket', 'rate'].map((name) => `${lines.field(name)} AS ${name}`).join(', ')
  const read = `SELECT provider, model, ${fields}, ${lines.written} AS written, ${lines.field('costUsd')} AS usd
    FROM ${dialect.events}${lines.join}${during()}${lines.fence}`
  const each = `SELECT provider, model, bucket, rate, CASE WHEN ${lines.isCount} THEN ${lines.count} END AS quantity,
    CASE WHEN ${lines.isCount} THEN NULL ELSE written END AS fraction, ${lines.pico} AS cost FROM (${read}) AS written${lines.fence}`
  // The quotient of a cost and a count is exact where the price is a whole one: lines of one price have one quotient.
  const price = 'CAST(cost AS double precision) / nullif(quantity, 0)'
  const isOne = `CASE WHEN CASE WHEN fraction IS NULL THEN min(${price}) = max(${price}) ELSE min(cost) = max(cost) END THEN 1 ELSE 0 END`
  const named = Object.fromEntries(KEYS.map((key) => [key, key]))
  const ofLines = `${row('line', [...keys(named), ...sums({ calls: '1', cost: 'cost', quantity: 'quantity' })], isOne)}
    FROM (${each}) AS lines GROUP BY ${KEYS.join(', ')}`

  const parts = [models, ofLines]
  const pruned = dialect.table('pruned')
  parts.push(`${row('pruned', [...keys({ fraction: 'CAST(max(before) AS text)' }), ...sums({})])} FROM ${pruned}`)
  // The roll-up knows tenants and nothing else of what can be asked.
  if (Object.values(where).every((value) => value === undefined)) {
    const isGone = `at < (SELECT max(before) FROM ${pruned})`
    const rolled = FIGURES.map(dialect.rolled)
    const rest = INVOICE_SUMS.slice(FIGURES.length).map((name) => dialect.sum(NONE, name))
    parts.push(
      `${row('rolled', [...keys({}), ...rolled, ...rest])} FROM ${dialect.table('usage_tenants')}${during(IS_USED, isGone)}`,
      `${row('there', [...keys({}), ...sums(SUMS)])} FROM ${dialect.events}${during(isGone)}`,
    )
  }
  const told = ['kind', ...KEYS, ...INVOICE_SUMS.map(dialect.passed), 'is_one'].join(', ')
  return { sql: `WITH parts AS (\n${parts.join('\nUNION ALL\n')}\n)\nSELECT ${told} FROM parts`, values }
}
