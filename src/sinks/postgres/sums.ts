// How PostgreSQL sums and tells the day, and its numbered parameters.

import type { Dialect, Statement } from '../totals.ts'

export const POSTGRES: Dialect = {
  events: 'tallygate.events',
  day: `to_char(to_timestamp(at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
  grouped: (key) => key,
  // As text: a driver may make a float of a numeric.
  sum: (expression, name) => `sum(${expression})::text AS "${name}"`,
  sumOf(row, name) {
    const sum = row[name]
    return sum === null || sum === undefined ? undefined : BigInt(sum as string)
  },
  orderBy: (key) => `${key} COLLATE "C" NULLS FIRST`,
}

/** The same statement with `$1` for `:name`. */
export function numbered({ sql, values }: Statement): { sql: string; params: (string | number)[] } {
  const params: (string | number)[] = []
  const numbers = new Map<string, number>()
  const text = sql.replace(/(?<!:):([a-z]+)\b/g, (_, name: string) => {
    if (!numbers.has(name)) numbers.set(name, params.push(values[name]!))
    return `$${numbers.get(name)}`
  })
  return { sql: text, params }
}
