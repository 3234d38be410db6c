// How SQLite sums, exact beyond its 64 bits, and tells the day.

import type { Dialect } from '../totals.ts'

/** SQLite's `sum` fails beyond 64 bits, so the upper and the lower half are summed apart. */
export const SQLITE: Dialect = {
  events: 'events',
  day: `strftime('%Y-%m-%d', at / 1000.0, 'unixepoch')`,
  // The sign keeps it from an index: SQLite would read the whole of one that has the order of the groups, all ten million
  // events for those of an hour, to save itself the sorting.
  grouped: (key) => `+${key}`,
  sum: (expression, name) =>
    `sum((${expression}) >> 32) AS ${name}_high, sum((${expression}) & 4294967295) AS ${name}_low`,
  // Of a row that was read with `setReadBigInts`.
  sumOf(row, name) {
    const [high, low] = [row[`${name}_high`], row[`${name}_low`]] as (bigint | null)[]
    return high === null || high === undefined ? undefined : (high << 32n) + low!
  },
  orderBy: (key) => key,
}
