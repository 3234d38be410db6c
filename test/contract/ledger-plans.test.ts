// What a page of the dashboard asks of a large SQLite ledger is found by an index, not by reading all of it.

import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { SQLITE_DIALECT } from '../../src/ledger/dialect.ts'
import { dearestStatement, totalsStatement } from '../../src/ledger/groups.ts'
import { eventsStatement } from '../../src/ledger/pages.ts'
import { percentilesStatement } from '../../src/ledger/percentiles.ts'
import { extentStatement } from '../../src/ledger/series.ts'
import type { Statement } from '../../src/ledger/statement.ts'
import { migrate } from '../../src/sinks/sqlite/schema.ts'
import { SQLITE } from '../../src/sinks/sqlite/totals.ts'
import { totalsStatement as reportStatement } from '../../src/sinks/totals.ts'
import { parameters } from '../../src/sqlite/parameters.ts'

function planOf({ sql, values }: Statement): string[] {
  using db = new DatabaseSync(':memory:')
  migrate(db)
  return db
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all(parameters(values))
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

const SINCE = Date.UTC(2026, 10, 1, 1)
const { sql, values } = reportStatement({ by: ['tenant', 'model'], since: SINCE }, SQLITE)

test.each<[string, Statement]>([
  ['by tenant', totalsStatement(SQLITE_DIALECT, { by: ['tenant'], since: SINCE })],
  ['by tenant and model', totalsStatement(SQLITE_DIALECT, { by: ['tenant', 'model'], since: SINCE })],
  [
    'by tenant, of one feature',
    totalsStatement(SQLITE_DIALECT, { by: ['tenant'], since: SINCE, where: { feature: 'f' } }),
  ],
  ['the dearest tenants', dearestStatement(SQLITE_DIALECT, 'tenant', 8, { since: SINCE })],
  [
    'how long calls of each tenant took',
    percentilesStatement(SQLITE_DIALECT, { of: 'cost', by: 'tenant', since: SINCE }),
  ],
  ['a report by tenant and model', { sql: sql.replace(':since', '$1'), values: [values['since']!] }],
])('%s: a range is read without what lies outside of it', (_, statement) => {
  const tables = planOf(statement).filter((step) => /^(SCAN|SEARCH) (events|usage_tenants)\b/.test(step))
  expect(tables).not.toEqual([])
  expect(tables.filter((step) => !step.includes('(at>?'))).toEqual([])
})
