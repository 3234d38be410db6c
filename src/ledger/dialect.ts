// What SQLite and PostgreSQL say differently: tags, and sums that are exact beyond 64 bits.

import { POSTGRES } from '../sinks/postgres/sums.ts'
import { IN_HALVES, snake } from '../sinks/roll-ups.ts'
import { SQLITE } from '../sinks/sqlite/totals.ts'

export type Value = string | number | bigint
export type Row = Readonly<Record<string, unknown>>

export interface Dialect {
  /** The table of the events. */
  readonly events: string
  /** The date of the column `at`, in UTC. */
  readonly day: string
  /** What is grouped by. */
  grouped(key: string): string
  /** No value, as a text. */
  readonly none: string
  /** The text of the tag whose name is bound. */
  tag(name: string): string
  /** Columns that hold the sum of an expression. */
  sum(expression: string, name: string): string
  /** The same columns out of a roll-up. */
  rolled(name: string): string
  /** The same columns out of several selections of them. */
  combined(name: string): string
  /** The table of a roll-up. */
  table(name: string): string
  /** The same columns once more, as `sumOf` reads them. */
  passed(name: string): string
  /** The sum of such sums, as `sumOf` reads it. */
  summed(name: string): string
  sumOf(row: Row, name: string): bigint | undefined
  largestFirst(name: string): string
  /** By the bytes, `null` first. */
  byText(key: string): string
  /** For each moment of a bound list in JSON, the first event that fulfils the conditions, which the moment stands in. */
  firstAfter(moments: string, conditions: (moment: string) => string): string
  /** What tells an event from all others. */
  readonly eventKey: string
  /** A bound value as a whole number. */
  integer(bound: string): string
  /** A whole number, as `BigInt` reads it. */
  whole(expression: string): string
}

/** SQLite's `sum` fails beyond 64 bits, so the upper and the lower half are summed apart. */
export const SQLITE_DIALECT: Dialect = {
  events: SQLITE.events,
  day: SQLITE.day,
  grouped: SQLITE.grouped,
  none: 'NULL',
  // By its key and not by a path, in which a name would have to be quoted. A truth value is 1 or 0 to SQLite.
  tag: (name) =>
    `(SELECT CASE type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(value AS TEXT) END FROM json_each(tags) WHERE key = ${name})`,
  sum: SQLITE.sum,
  rolled(name) {
    const column = snake(name)
    if (!IN_HALVES.has(column)) return SQLITE.sum(column, name)
    return ['high', 'low'].map((half) => `${ifSold(name, `sum(${column}_${half})`)} AS ${name}_${half}`).join(', ')
  },
  combined: (name) => SQLITE_DIALECT.summed(name),
  table: (name) => name,
  passed: (name) => `${name}_high, ${name}_low`,
  summed: (name) => `sum(${name}_high) AS ${name}_high, sum(${name}_low) AS ${name}_low`,
  sumOf: SQLITE.sumOf,
  largestFirst: (name) =>
    `coalesce(${name}_high + (${name}_low >> 32), 0) DESC, coalesce(${name}_low & 4294967295, 0) DESC`,
  byText: SQLITE.orderBy,
  firstAfter: (moments, conditions) =>
    `json_each(${moments}) AS moments CROSS JOIN events ON events.rowid = (SELECT near.rowid FROM events AS near${conditions('moments.value')} ORDER BY at LIMIT 1)`,
  eventKey: 'event_id',
  integer: (bound) => bound,
  whole: (expression) => expression,
}

export const POSTGRES_DIALECT: Dialect = {
  events: POSTGRES.events,
  day: POSTGRES.day,
  grouped: POSTGRES.grouped,
  none: 'NULL::text',
  tag: (name) => `(tags ->> ${name}::text)`,
  sum: (expression, name) => `sum(${expression}) AS "${name}"`,
  rolled: (name) => `${ifSold(name, `sum(${snake(name)})`)} AS "${name}"`,
  combined: (name) => `sum("${name}") AS "${name}"`,
  table: (name) => `tallygate.${name}`,
  passed: (name) => `"${name}"::text AS "${name}"`,
  summed: (name) => `sum("${name}")::text AS "${name}"`,
  sumOf: POSTGRES.sumOf,
  largestFirst: (name) => `coalesce("${name}", 0) DESC`,
  byText: POSTGRES.orderBy,
  firstAfter: (moments, conditions) =>
    `(SELECT value::bigint AS moment FROM json_array_elements_text(${moments}::json)) AS moments CROSS JOIN LATERAL (SELECT * FROM ${POSTGRES.events}${conditions('moment')} ORDER BY at LIMIT 1) AS near`,
  eventKey: 'event_id, id_month',
  integer: (bound) => `${bound}::bigint`,
  // As text: drivers make different things of 64 bits.
  whole: (expression) => `(${expression})::text`,
}

/** Where nothing was sold there is no sum of it, as there is none of the events. */
function ifSold(name: string, sum: string): string {
  return name === 'resale' ? `CASE WHEN sum(sold) > 0 THEN ${sum} END` : sum
}
