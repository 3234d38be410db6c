// The ledger read in threads of its own, as the servers of the command line do.

import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { MeterError } from '../../src/errors.ts'
import { openLedger } from '../../src/ledger/index.ts'
import type { Dimension } from '../../src/ledger/query.ts'
import { threadedViews } from '../../src/ledger/threads.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { fill } from '../support/bookful.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, failureOf, NOV_22, signal } from '../support/ledgers.ts'

const MANY = 4000
const TAGS = Array.from({ length: 20 }, (_, i) => `t${i}`)

async function stage() {
  const folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.send({ id: 'b', events: [event({ costUsd: '0.1' }), event()] }, signal)
  const views = threadedViews(path)
  onTestFinished(async () => {
    await views.close()
    await ledger.close()
    folder[Symbol.dispose]()
  })
  const short = async () => (await views.totals()).total.calls
  /** Each tag of each event is a question of its own: hundreds of milliseconds. */
  const long = async () => (await views.totals({ by: TAGS.map((tag): Dimension => `tag:${tag}`) })).count
  return { views, ledger, path, short, long }
}

test('while a long question is read, events are written and short ones answered', async () => {
  const { views, ledger, short, long } = await stage()
  const tags = (i: number) => Object.fromEntries(TAGS.map((tag) => [tag, `${i}`]))
  await fill(
    ledger,
    Array.from({ length: MANY }, (_, i) => event({ tags: tags(i) })),
  )
  // Both threads are there.
  await Promise.all([short(), short()])
  const order: string[] = []
  const asked = long().then((count) => order.push(`long ${count}`))
  const written = ledger.send({ id: 'c', events: [event()] }, signal).then(() => order.push('written'))
  const answered = views.events({ limit: 1 }).then(() => order.push('short'))
  await Promise.all([asked, written, answered])
  expect(order.at(-1)).toBe(`long ${MANY + 1}`)
  expect(new Set(order)).toEqual(new Set(['written', 'short', `long ${MANY + 1}`]))
})

test('more questions at once than there are threads are all answered', async () => {
  const { short } = await stage()
  expect(await Promise.all(Array.from({ length: 20 }, short))).toEqual(Array(20).fill(2))
})

test('each question is answered as on the calling thread', async () => {
  const { views, ledger, path } = await stage()
  const one = event({ userId: 'u', durationMs: 12, costUsd: '1.000000000001', tags: { plan: 'pro' } })
  await ledger.send({ id: 'c', events: [one] }, signal)
  await using here = openLedger({ path })
  const since = NOV_22 - 86_400_000
  const progress: number[] = []
  const questions = [
    (of: typeof here) => of.totals({ by: ['tenant', 'user', 'tag:plan'], where: { tenant: ['acme', null] } }),
    (of: typeof here) => of.top({ by: 'user' }),
    (of: typeof here) => of.series({ every: 'day', by: 'user', since, until: Number.POSITIVE_INFINITY }),
    (of: typeof here) => of.summary({ now: NOV_22 }),
    (of: typeof here) => of.percentiles({ of: 'cost', by: 'user' }),
    (of: typeof here) => of.events(),
    (of: typeof here) => of.event(one.eventId),
    (of: typeof here) => of.event('none'),
    (of: typeof here) => of.invoice({ tenantId: 'acme', month: '2026-11' }),
    (of: typeof here) => of.invoice({ tenantId: 'acme', month: '2026-11', onProgress: (days) => progress.push(days) }),
    (of: typeof here) => of.reconciliations(),
    (of: typeof here) => of.meters(),
    (of: typeof here) => of.refusals(),
  ]
  for (const question of questions) expect(await question(views)).toEqual(await question(here))
  expect(progress.slice(0, 2)).toEqual([1, 2])
  expect(await views.event(one.eventId)).toMatchObject({ costUsd: '1.000000000001' })
  expect(await views.deleteTenant('acme')).toBe(3)
})

test('what goes wrong is the same sentence', async () => {
  const { views, path } = await stage()
  await using here = openLedger({ path })
  const wrongs = [{ limit: -1 }, { by: ['nothing'] }, { since: Number.NaN }, { where: { tenant: () => 'acme' } }]
  for (const wrong of wrongs as never[]) {
    const error = await failureOf(views.totals(wrong))
    expect(error).toBeInstanceOf(MeterError)
    expect(error).toMatchObject({ code: 'BAD_INPUT', message: (await failureOf(here.totals(wrong))).message })
  }
  const none = threadedViews(join(path, '..', 'none.db'))
  onTestFinished(() => none.close())
  const error = await failureOf(none.totals())
  expect(error).toBeInstanceOf(MeterError)
  expect(error.message).toMatch(/^There is no ledger at .*none\.db\.$/)
})

test('a file that is no ledger is told of with the error of SQLite', async () => {
  const { ledger, path } = await stage()
  await ledger.close()
  const { DatabaseSync } = await import('node:sqlite')
  using db = new DatabaseSync(path)
  db.exec('DROP TABLE usage_tenants')
  await using views = threadedViews(path)
  expect(await failureOf(views.totals({ by: ['tenant'] }))).toMatchObject({
    code: 'LEDGER_UNAVAILABLE',
    message: `The ledger at ${path} does not have the tables of a ledger (SQLite error 1).`,
    cause: { errcode: 1 },
  })
})

test('whoever waits when it is closed is told', async () => {
  const { views, long } = await stage()
  const asked = failureOf(long())
  await views.close()
  expect((await asked).message).toMatch(/^The thread that reads the ledger at .* ended\.$/)
})
