// The steps that make the tables: ledgers of users stand on them, so that one that was released is as it was for ever.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ALERT_TABLES } from '../../src/alerts/databases.ts'
import { LIMIT_TABLES } from '../../src/limits/postgres-schema.ts'
import { MIGRATIONS as SQLITE_LIMITS } from '../../src/limits/sqlite/statements.ts'
import { CHANGE_TABLES } from '../../src/server/changes-table.ts'
import { LEDGER } from '../../src/sinks/postgres/schema.ts'
import { MIGRATIONS as SQLITE_LEDGER } from '../../src/sinks/sqlite/schema.ts'

const STEPS: Readonly<Record<string, readonly string[]>> = {
  'ledger in SQLite': SQLITE_LEDGER,
  'limits in SQLite': SQLITE_LIMITS,
  'ledger in PostgreSQL': LEDGER.steps,
  'limits in PostgreSQL': LIMIT_TABLES.steps,
  'alerts in PostgreSQL': ALERT_TABLES.steps,
  'changes in PostgreSQL': CHANGE_TABLES.steps,
}

const RELEASED = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/schema-steps.json'), 'utf8')) as Record<
  string,
  string[]
>

const mark = (sql: string) => createHash('sha256').update(sql).digest('hex').slice(0, 16)

// Several are put together from lists of columns, as the roll-ups are: a column more would change them unseen.
test.each(Object.keys(STEPS))('%s: a change is a further step, whose mark is added to the fixture', (tables) => {
  const marks = STEPS[tables]!.map(mark)
  expect(marks.slice(0, RELEASED[tables]!.length)).toEqual(RELEASED[tables])
  expect(marks).toHaveLength(RELEASED[tables]!.length)
})
