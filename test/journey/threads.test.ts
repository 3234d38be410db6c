// The ledger read in threads of its own, as the servers of the command line do.

import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { MeterError } from '../../src/errors.ts'
import { threadedSource } from '../../src/ledger/threads.ts'
import { viewsOf } from '../../src/ledger/views.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, failureOf, signal } from '../support/ledgers.ts'

const LONG = {
  sql: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) AS n FROM n',
  values: [],
}
const SHORT = { sql: 'SELECT count(*) AS n FROM events', values: [] }

async function stage() {
  const folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.send({ id: 'b', events: [event({ costUsd: '0.1' }), event()] }, signal)
  const source = threadedSource(path)
  onTestFinished(async () => {
    await source.close()
    await ledger.close()
    folder[Symbol.dispose]()
  })
  return { source, ledger, path }
}

test('while a long question is read, events are written and short ones answered', async () => {
  const { source, ledger } = await stage()
  await source.ask(SHORT)
  const order: string[] = []
  const long = source.ask(LONG).then((rows) => order.push(`long ${rows[0]!['n']}`))
  const written = ledger.send({ id: 'c', events: [event()] }, signal).then(() => order.push('written'))
  const short = source.ask(SHORT).then(() => order.push('short'))
  await Promise.all([long, written, short])
  expect(order.at(-1)).toBe('long 1000000')
  expect(new Set(order)).toEqual(new Set(['written', 'short', 'long 1000000']))
})

test('more questions at once than there are threads are all answered', async () => {
  const { source } = await stage()
  const answers = await Promise.all(Array.from({ length: 20 }, () => source.ask(SHORT)))
  expect(answers.map(([row]) => row!['n'])).toEqual(Array.from({ length: 20 }, () => 2n))
})

test('the views say the same as on the calling thread', async () => {
  const { source } = await stage()
  const { total } = await viewsOf(source).totals({ by: ['tenant'] })
  expect(total).toMatchObject({ calls: 2, cost: 100_000_000_000n })
})

test('what goes wrong is the same sentence', async () => {
  const { source, path } = await stage()
  const error = await failureOf(source.ask({ sql: 'SELECT nothing FROM nowhere', values: [] }))
  expect(error).toBeInstanceOf(MeterError)
  expect(error).toMatchObject({
    code: 'LEDGER_UNAVAILABLE',
    message: `The ledger at ${path} does not have the tables of a ledger (SQLite error 1).`,
    cause: { errcode: 1 },
  })
  const none = threadedSource(join(path, '..', 'none.db'))
  onTestFinished(() => none.close())
  expect((await failureOf(none.ask(SHORT))).message).toMatch(/^There is no ledger at .*none\.db\.$/)
})

test('whoever waits when it is closed is told', async () => {
  const { source } = await stage()
  const asked = failureOf(source.ask(LONG))
  await source.close()
  expect((await asked).message).toMatch(/^The thread that reads the ledger at .* ended\.$/)
})
