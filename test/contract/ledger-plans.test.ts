// What a page of the dashboard asks of a large SQLite ledger is found by an index, not by reading all of it.

import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { SQLITE_DIALECT } from '../../src/ledger/dialect.ts'
import { eventsStatement } from '../../src/ledger/pages.ts'
import { percentilesStatement } from '../../src/ledger/percentiles.ts'
import { extentStatement } from '../../src/ledger/series.ts'
import type { Statement } from '../../src/ledger/statement.ts'
import { migrate } from '../../src/sinks/sqlite/schema.ts'

function planOf({ sql, values }: Statement): string[] {
  using db = new DatabaseSync(':memory:')
  migrate(db)
  return db
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all(...values)
    .map(({ detail }) => String(detail))
}

test.each<[string, Statement, string]>([
  ['the newest events', eventsStatement(SQLITE_DIALECT, { limit: 1 }), 'events_by_time'],
  ['the newest events of a day', eventsStatement(SQLITE_DIALECT, { since: 0, until: 1e12 }), 'events_by_time'],
  ["a tenant's events", eventsStatement(SQLITE_DIALECT, { where: { tenant: 'acme' } }), 'events_by_tenant'],
  ['the first and the last event', extentStatement(SQLITE_DIALECT, {}), 'events_by_time'],
  [
    'a sample of all calls',
    percentilesStatement(SQLITE_DIALECT, { of: 'duration_ms', by: 'model' }, [1, 2]),
    'events_by_time',
  ],
  [
    "a sample of a tenant's calls",
    percentilesStatement(SQLITE_DIALECT, { of: 'duration_ms', where: { tenant: 'acme' } }, [1, 2]),
    'events_by_tenant',
  ],
])('%s', (_, statement, index) => {
  const plan = planOf(statement)
  expect(plan.join('\n')).toContain(`INDEX ${index}`)
  expect(plan.filter((step) => /^SCAN (events|near)\b/.test(step) && !step.includes('INDEX'))).toEqual([])
})
