// The SQL of docs/ledger.md, run on both databases.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, postgresServer, signal, stopServers } from '../support/ledgers.ts'
import { meterReport, refused } from '../support/meter-reports.ts'
import { readText } from '../support/source-tree.ts'

afterAll(stopServers)

const BLOCKS = [...readText('docs/ledger.md').matchAll(/^```sql(?: (sqlite|postgres))?\n([\s\S]*?)^```/gm)].map(
  ([, only, sql]) => ({ only, sql: sql! }),
)
const EVENTS = [
  event({ at: Date.now() - 1000, costUsd: '2', userId: 'u', feature: 'f', inputTokens: 10, cachedTokens: 5 }),
  event({ at: Date.now() - 1000, inputTokens: 7 }),
]
const REPORT = meterReport({ waiting: 3, refusals: [refused()] })

test('there are some for each', () => {
  expect(BLOCKS.length).toBeGreaterThan(8)
})

test.each(BLOCKS.filter(({ only }) => only !== 'postgres'))('in SQLite: $sql', async ({ sql }) => {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.send({ id: 'b', events: EVENTS }, signal)
  await ledger.report!(REPORT, signal)
  await ledger.close()
  const db = new DatabaseSync(path, { readOnly: true })
  expect(db.prepare(sql).all().length).toBeGreaterThan(0)
  db.close()
})

test.each(BLOCKS.filter(({ only }) => only !== 'sqlite'))('in PostgreSQL: $sql', async ({ sql }) => {
  const server = await postgresServer()
  const schema = server.schema()
  const ledger = postgresLedger({ databaseUrl: server.url, schema })
  await ledger.send({ id: 'b', events: EVENTS }, signal)
  await ledger.report!(REPORT, signal)
  await ledger.close()
  const rows = await server.run(sql.replace(/FROM (events|usage_tenants|refusals|meters)/g, `FROM ${schema}.$1`))
  expect(rows.length).toBeGreaterThan(0)
  await server.run(`DROP SCHEMA ${schema} CASCADE`)
})
