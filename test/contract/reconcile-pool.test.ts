// A pool of one connection is enough for a reconciliation: it never waits for a second one while it holds the first.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { openLedger } from '../../src/ledger/index.ts'
import { reconcile, reconciledCosts } from '../../src/reconcile/index.ts'
import { csvStatement } from '../../src/reconcile/sources/csv.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { DAY, event, failureOf, postgresServer, signal, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const FIRST = Date.UTC(2026, 9, 1)

function bill(...lines: string[]): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  const path = join(temporary.path, 'bill.csv')
  writeFileSync(path, ['date,model,type,quantity,cost', ...lines].join('\n'))
  return path
}

/** Whoever waits for a second connection would wait for itself. */
function poolOfOne(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 1, connectionTimeoutMillis: 5000 })
  // The server ends before it does.
  pool.on('error', () => undefined)
  onTestFinished(() => pool.end())
  return pool
}

test('the bill is compared, applied and taken for right, and all of it can be asked, over one connection', async () => {
  const server = await postgresServer()
  const schema = server.schema()
  const pool = poolOfOne(server.url)
  const place = { pool, schema }
  const ledger = postgresLedger(place)
  const usage = { 'input.text': 1000 }
  const costLines = [{ bucket: 'input.text' as const, quantity: 1000, costUsd: '0.002', rate: 'r' }]
  const call = (at: number) => event({ at, model: 'gpt-4.1', usage, costUsd: '0.002', costSource: 'priced', costLines })
  await ledger.send({ id: 'b', events: [call(FIRST), call(FIRST + DAY)] }, signal)
  const path = bill('2026-10-01,gpt-4.1,input_tokens,1000,0.003', '2026-10-02,gpt-4.1,input_tokens,1000,0.003')
  const days = {
    ledger: place,
    statement: csvStatement({ path, provider: 'openai' }),
    since: FIRST,
    until: FIRST + 2 * DAY,
    now: FIRST + 9 * DAY,
  }
  expect(await reconcile({ ...days, dryRun: true })).toMatchObject({ billed: 6_000_000_000n, status: 'fail' })
  expect(await reconcile({ ...days, apply: true })).toMatchObject({ difference: 2_000_000_000n })
  expect(await reconcile({ ...days, rebaseline: 'the new contract' })).toMatchObject({ status: 'ok' })
  expect(await reconciledCosts(place, 'csv', '2026-10-02')).toMatchObject([{ canonical: 3_000_000_000n }])
  await using views = openLedger(place)
  expect((await views.totals()).total.cost).toBe(6_000_000_000n)
  expect(await views.reconciliations()).toHaveLength(2)
})

test('a database that goes away while a day is written says so in a sentence', async () => {
  const server = await postgresServer()
  const schema = server.schema()
  const pool = poolOfOne(server.url)
  const ledger = postgresLedger({ pool, schema })
  await ledger.send({ id: 'b', events: [event({ at: FIRST })] }, signal)
  const breaking = {
    totalCount: 1,
    query: (text: string, params?: unknown[]) => pool.query(text, params),
    async connect() {
      throw Object.assign(new Error('gone'), { code: '57P01' })
    },
  }
  const statement = csvStatement({ path: bill('2026-10-01,gpt-4o,input_tokens,1,0.1'), provider: 'openai' })
  const days = { statement, since: FIRST, until: FIRST + DAY, now: FIRST + 9 * DAY }
  expect(await failureOf(reconcile({ ledger: { pool: breaking, schema }, ...days }))).toMatchObject({
    code: 'LEDGER_UNAVAILABLE',
    message: 'The ledger in the database is shutting down (57P01).',
  })
})
