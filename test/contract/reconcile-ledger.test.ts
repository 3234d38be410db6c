// What is written of a reconciliation, on every database: whole days, once, and costs that follow the bill.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { LLMEvent } from '../../src/event.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { openDatabase } from '../../src/reconcile/database.ts'
import {
  type LedgerPlace,
  type ReconcileOptions,
  reconcile,
  reconciledCosts,
  reconciledDays,
  toJson,
} from '../../src/reconcile/index.ts'
import { csvStatement } from '../../src/reconcile/sources/csv.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { DAY, event, failureOf, postgresServer, signal, stopServers } from '../support/ledgers.ts'
import { putDays } from '../support/reconciled.ts'

afterAll(stopServers)

const FIRST = Date.UTC(2026, 9, 1)
const HEADER = 'date,model,type,quantity,requests,cost,currency'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

/** A call of 1000 tokens in and 100 out of gpt-4.1, for $0.0028. */
function call(at: number, over: Partial<LLMEvent> & { reported?: string } = {}): LLMEvent {
  return event({
    at,
    model: 'gpt-4.1',
    usage: { 'input.text': 1000, 'output.text': 100 },
    inputTokens: 1000,
    outputTokens: 100,
    costUsd: '0.0028',
    costSource: 'priced',
    priceVersion: 'v1',
    costLines: [
      { bucket: 'input.text', quantity: 1000, costUsd: '0.002', rate: 'r' },
      { bucket: 'output.text', quantity: 100, costUsd: '0.0008', rate: 'r' },
    ],
    ...over,
  })
}

const PLACES: Record<string, () => Promise<LedgerPlace>> = {
  SQLite: async () => ({ path: join(folder(), 'ledger.db') }),
  PostgreSQL: async () => {
    const server = await postgresServer()
    return { databaseUrl: server.url, schema: server.schema() }
  },
}

async function put(place: LedgerPlace, ...events: LLMEvent[]): Promise<void> {
  const { path, databaseUrl, schema } = place
  const ledger = path === undefined ? postgresLedger({ databaseUrl: databaseUrl!, schema }) : sqliteLedger({ path })
  try {
    expect((await ledger.send({ id: 'b', events }, signal)).outcome).toBe('delivered')
  } finally {
    await ledger.close()
  }
}

async function rowsOf(place: LedgerPlace, sql: string): Promise<Record<string, unknown>[]> {
  const db = openDatabase(place)
  try {
    return (await db.ask(sql)).map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
      ),
    )
  } finally {
    await db.close()
  }
}

function bill(...lines: string[]): string {
  const path = join(folder(), 'bill.csv')
  writeFileSync(path, `${[HEADER, ...lines].join('\n')}\n`)
  return path
}

const options = (ledger: LedgerPlace, path: string, over: Partial<ReconcileOptions> = {}): ReconcileOptions => ({
  ledger,
  statement: csvStatement({ path, provider: 'openai' }),
  since: FIRST,
  until: FIRST + DAY,
  now: FIRST + 30 * DAY,
  ...over,
})

/** Three calls of the first day, billed at a tenth less. */
const DISCOUNTED = [
  '2026-10-01,gpt-4.1,input_tokens,3000,3,0.0054,USD',
  '2026-10-01,gpt-4.1,output_tokens,300,,0.00216,USD',
]
const CALLS = () => [call(FIRST), call(FIRST + 3_600_000, { tenantId: 'globex' }), call(FIRST + 7_200_000)]

describe.each(Object.entries(PLACES))('%s', (_, open) => {
  test('a day is written once, however often it is compared, and the bill is shared out to the last digit', async () => {
    const place = await open()
    await put(place, ...CALLS())
    const path = bill(...DISCOUNTED)
    const first = await reconcile(options(place, path))
    expect(toJson(first)).toMatchObject({
      billed_usd: '0.00756',
      logged_usd: '0.0084',
      difference_usd: '-0.00084',
      causes: [{ cause: 'contract-discount', usd: '-0.00084' }],
      canonical: { exact_usd: '0', allocated_usd: '0.00756', estimated_usd: '0' },
      unattributed_billed_usd: '0',
    })
    const again = await reconcile(options(place, path))
    expect(toJson(again)).toEqual(toJson(first))
    const canonical = await rowsOf(
      place,
      `SELECT tenant_id, label, logged_pico, billed_pico, canonical_pico FROM tallygate.cost_reconciliation
      WHERE result = 'canonical' ORDER BY tenant_id, part`,
    )
    expect(canonical).toEqual(
      ['acme', 'acme', 'globex'].map((tenant_id) => ({
        tenant_id,
        label: 'allocated',
        logged_pico: '2800000000',
        billed_pico: '2520000000',
        canonical_pico: '2520000000',
      })),
    )
    expect([...(await reconciledDays(place, 'csv')).keys()]).toEqual(['2026-10-01'])
    const costs = await reconciledCosts(place, 'csv', '2026-10-01')
    expect(costs.map(({ at, tenantId, label, canonical }) => [at - FIRST, tenantId, label, canonical])).toEqual([
      [0, 'acme', 'allocated', 2_520_000_000n],
      [3_600_000, 'globex', 'allocated', 2_520_000_000n],
      [7_200_000, 'acme', 'allocated', 2_520_000_000n],
    ])
  })

  test('what a provider said of a very call is exact, and stays', async () => {
    const place = await open()
    await put(place, call(FIRST, { costSource: 'reported', costLines: [], costUsd: '0.003' }))
    const result = await reconcile(options(place, bill('2026-10-01,gpt-4.1,,,1,0.003,USD')))
    expect(toJson(result)).toMatchObject({ difference_usd: '0', causes: [], canonical: { exact_usd: '0.003' } })
  })

  test('a statement with the ids of answers is exact too, call by call', async () => {
    const place = await open()
    await put(place, call(FIRST, { responseId: 'chatcmpl-1' }), call(FIRST + 1, { responseId: 'chatcmpl-2' }))
    const path = join(folder(), 'spend.csv')
    const lines = ['chatcmpl-1,0.002', 'chatcmpl-2,0.004'].map((line) => `2026-10-01,gpt-4.1,${line}`)
    writeFileSync(path, `${['date,model,response_id,cost', ...lines].join('\n')}\n`)
    await reconcile(options(place, path))
    const costs = await reconciledCosts(place, 'csv', '2026-10-01')
    expect(costs.map(({ label, canonical }) => [label, canonical])).toEqual([
      ['exact', 2_000_000_000n],
      ['exact', 4_000_000_000n],
    ])
  })

  test('of a bill of single requests nothing is shared out: a call that it does not name keeps its cost', async () => {
    const place = await open()
    await put(place, call(FIRST, { responseId: 'a' }), call(FIRST + 1, { responseId: 'b' }), call(FIRST + 2))
    const path = join(folder(), 'spend.csv')
    const lines = ['a,0.003', 'of-nobody,0.5'].map((line) => `2026-10-01,gpt-4.1,${line}`)
    writeFileSync(path, `${['date,model,response_id,cost', ...lines].join('\n')}\n`)
    const result = await reconcile(options(place, path, { apply: true }))
    expect(result).toMatchObject({ billed: 503_000_000_000n, unattributedBilled: 500_000_000_000n })
    expect(result.canonical).toEqual({ exact: 3_000_000_000n, allocated: 0n, estimated: 5_600_000_000n })
    const costs = await rowsOf(place, 'SELECT cost_pico, cost_source FROM tallygate.events ORDER BY at')
    expect(costs).toEqual([
      { cost_pico: '3000000000', cost_source: 'reported' },
      { cost_pico: '2800000000', cost_source: 'priced' },
      { cost_pico: '2800000000', cost_source: 'priced' },
    ])
  })

  const dayOf = (day: string) => [
    `${day},gpt-4.1,input_tokens,1000,1,0.002,USD`,
    `${day},gpt-4.1,output_tokens,100,,0.0008,USD`,
  ]
  test.each([
    ['a file of usage alone', ['2026-10-01,gpt-4.1,input_tokens,1000,1,,', '2026-10-03,gpt-4.1,input_tokens,1000,1,,']],
    ['a day without a line', [...dayOf('2026-10-01'), ...dayOf('2026-10-03')]],
  ])('%s makes no call free, even where it is applied', async (_, lines) => {
    const place = await open()
    await put(place, call(FIRST), call(FIRST + DAY), call(FIRST + 2 * DAY))
    await reconcile(options(place, bill(...lines), { until: FIRST + 3 * DAY, apply: true }))
    const costs = await rowsOf(place, 'SELECT cost_pico FROM tallygate.events')
    expect(costs).toEqual(Array.from({ length: 3 }, () => ({ cost_pico: '2800000000' })))
    expect(await reconciledCosts(place, 'csv', '2026-10-02')).toMatchObject([
      { label: 'estimated', canonical: 2_800_000_000n },
    ])
  })

  test('applied, the costs of events are those of the bill, marked, and may be compared again', async () => {
    const place = await open()
    await put(place, ...CALLS())
    const path = bill(...DISCOUNTED)
    const first = await reconcile(options(place, path, { apply: true }))
    await using views = openLedger(
      place.path === undefined ? { databaseUrl: place.databaseUrl, schema: place.schema } : { path: place.path },
    )
    const { total, rows } = await views.totals({ by: ['tenant'], order: 'key' })
    expect(total.cost).toBe(7_560_000_000n)
    expect(rows.map(({ key, cost }) => [key[0], cost])).toEqual([
      ['acme', 5_040_000_000n],
      ['globex', 2_520_000_000n],
    ])
    const { events } = await views.events()
    expect(events[0]).toMatchObject({
      costUsd: '0.00252',
      costSource: 'reported',
      metadata: { reconciled: 'allocated', logged_usd: '0.002800000000', logged_source: 'priced' },
    })
    const again = await reconcile(options(place, path, { apply: true }))
    expect(toJson(again)).toEqual(toJson(first))
    expect((await views.totals()).total.cost).toBe(7_560_000_000n)
    const changes = await rowsOf(place, 'SELECT from_cost, to_cost, to_source FROM tallygate.repricings')
    expect(changes).toEqual(
      Array.from({ length: 3 }, () => ({ from_cost: '2800000000', to_cost: '2520000000', to_source: 'reported' })),
    )
  })

  test('a bill that breaks off leaves what was there', async () => {
    const place = await open()
    await put(place, ...CALLS())
    await reconcile(options(place, bill(...DISCOUNTED), { apply: true }))
    const before = await rowsOf(place, 'SELECT * FROM tallygate.cost_reconciliation ORDER BY result, part')
    const broken = bill(DISCOUNTED[0]!, '2026-10-01,gpt-4.1,output_to')
    expect((await failureOf(reconcile(options(place, broken)))).message).toBe(
      'CSV file, line 3: expected the line to be one of 7 fields, got one of 3: the file is cut off or not in one form.',
    )
    expect(await rowsOf(place, 'SELECT * FROM tallygate.cost_reconciliation ORDER BY result, part')).toEqual(before)
  })

  test('a day of which a row cannot be written is not written at all', async () => {
    const place = await open()
    await put(place, ...CALLS())
    await reconcile(options(place, bill(...DISCOUNTED)))
    const before = await rowsOf(place, 'SELECT * FROM tallygate.cost_reconciliation ORDER BY result, part')
    const tooMuch = bill('2026-10-01,gpt-4.1,input_tokens,3000,3,99999999,USD')
    expect((await failureOf(reconcile(options(place, tooMuch)))).message).toMatch(/more than a row holds/)
    expect(await rowsOf(place, 'SELECT * FROM tallygate.cost_reconciliation ORDER BY result, part')).toEqual(before)
  })

  test('a drift that was taken for right is measured from there on, with its reason', async () => {
    const place = await open()
    await put(place, ...CALLS(), ...CALLS().map((one) => call(Date.parse(one.timestamp) + DAY)))
    const two = DISCOUNTED.map((line) => line.replace('2026-10-01', '2026-10-02'))
    const path = bill(...DISCOUNTED, ...two)
    const first = await reconcile(options(place, path))
    expect(first.status).toBe('fail')
    const settled = await reconcile(options(place, path, { rebaseline: 'the contract of October' }))
    expect(settled).toMatchObject({ status: 'ok', baseline: { day: '2026-10-01', reason: 'the contract of October' } })
    const next = await reconcile(options(place, path, { since: FIRST + DAY, until: FIRST + 2 * DAY }))
    expect(next).toMatchObject({ status: 'ok', baseline: { reason: 'the contract of October' } })
  })

  const viewsOf = ({ path, databaseUrl, schema }: LedgerPlace) =>
    openLedger(path === undefined ? { databaseUrl, schema } : { path })

  test('the ledger tells each day beside its bill, and the causes are the difference to the last digit', async () => {
    const place = await open()
    await put(place, ...CALLS(), ...CALLS().map((one) => call(Date.parse(one.timestamp) + DAY)))
    await using views = viewsOf(place)
    expect(await views.reconciliations()).toEqual([])
    const missing = bill(...DISCOUNTED, '2026-10-02,gpt-4.1,input_tokens,5000,5,0.01,USD', '2026-10-02,,,,,1,USD')
    const result = await reconcile(options(place, missing, { until: FIRST + 2 * DAY }))
    const days = await views.reconciliations()
    expect(days).toMatchObject([
      { day: '2026-10-02', source: 'csv', provider: 'openai', status: 'fail', comparedAt: FIRST + 30 * DAY },
      {
        day: '2026-10-01',
        status: 'fail',
        billed: 7_560_000_000n,
        logged: 8_400_000_000n,
        difference: -840_000_000n,
        causes: [{ cause: 'contract-discount', cost: -840_000_000n }],
      },
    ])
    const sum = (of: 'billed' | 'logged' | 'difference') => days.reduce((total, day) => total + day[of], 0n)
    expect([sum('billed'), sum('logged'), sum('difference')]).toEqual([result.billed, result.logged, result.difference])
    for (const { difference, causes } of days)
      expect(causes.reduce((total, { cost }) => total + cost, 0n)).toBe(difference)
    await views.deleteTenant('acme')
    expect(await views.reconciliations()).toEqual(days)
    await reconcile(options(place, bill(...DISCOUNTED), { rebaseline: 'the contract of October' }))
    expect(await views.reconciliations({ until: FIRST + DAY })).toMatchObject([{ day: '2026-10-01', status: 'ok' }])
  })

  test('a bill without costs is what its usage is worth', async () => {
    const place = await open()
    await put(place, call(FIRST))
    const usage = ['2026-10-01,gpt-4.1,input_tokens,2000,2,,', '2026-10-01,gpt-4.1,output_tokens,100,,,']
    const result = await reconcile(options(place, bill(...usage)))
    await using views = viewsOf(place)
    expect(await views.reconciliations()).toMatchObject([
      { billed: result.billed, logged: 2_800_000_000n, difference: result.difference, status: result.status },
    ])
    expect(result.difference).toBe(2_000_000_000n)
  })

  test('days are asked by range and by source, and the newest of each', async () => {
    const place = await open()
    await put(place, call(FIRST))
    const most = 2n ** 63n - 1n
    await putDays(
      place,
      { day: '2026-10-01', logged: 1n },
      { day: '2026-10-03', logged: most - 1n, status: 'warn', causes: { timing: 1n } },
      { day: '2026-10-02', logged: 3n, causes: { rounding: -1n, 'not-logged': 5n, retries: 1n } },
      { source: `o'brien"; --`, day: '2026-10-02', logged: 0n },
    )
    await using views = viewsOf(place)
    const told = async (asked: Parameters<typeof views.reconciliations>[0]) =>
      (await views.reconciliations(asked)).map(({ source, day }) => `${source} ${day.slice(-2)}`)
    expect(await told({})).toEqual(['openai 03', `o'brien"; -- 02`, 'openai 02', 'openai 01'])
    expect(await told({ latest: 1 })).toEqual(['openai 03', `o'brien"; -- 02`])
    expect(await told({ latest: 2, source: 'openai' })).toEqual(['openai 03', 'openai 02'])
    expect(await told({ source: `o'brien"; --` })).toEqual([`o'brien"; -- 02`])
    expect(await told({ source: 'none' })).toEqual([])
    expect(await told({ source: 'o\0' })).toEqual([])
    const second = FIRST + DAY
    expect(await told({ since: second + 1, until: second + DAY, source: 'openai' })).toEqual(['openai 02'])
    expect(await told({ since: second, until: second + DAY + 1, source: 'openai' })).toEqual(['openai 03', 'openai 02'])
    expect(await told({ since: -Infinity, until: Infinity, latest: 1 })).toHaveLength(2)
    const [newest, , before] = await views.reconciliations()
    expect(newest).toMatchObject({ billed: most, logged: most - 1n, difference: 1n, status: 'warn' })
    expect(before?.causes).toEqual([
      { cause: 'not-logged', cost: 5n },
      { cause: 'retries', cost: 1n },
      { cause: 'rounding', cost: -1n },
    ])
    expect((await failureOf(views.reconciliations({ since: Number.NaN }))).code).toBe('BAD_INPUT')
    expect((await failureOf(views.reconciliations({ latest: 0 }))).message).toMatch(/Expected `latest` to be a whole/)
    const change = openDatabase(place)
    await change.ask('DROP TABLE tallygate.cost_reconciliation')
    await change.close()
    expect(await views.reconciliations()).toEqual([])
  })

  test('a tenant who is forgotten is forgotten in it too', async () => {
    const place = await open()
    await put(place, ...CALLS())
    await reconcile(options(place, bill(...DISCOUNTED)))
    await using views = openLedger(
      place.path === undefined ? { databaseUrl: place.databaseUrl, schema: place.schema } : { path: place.path },
    )
    await views.deleteTenant('globex')
    const left = await rowsOf(place, `SELECT tenant_id FROM tallygate.cost_reconciliation WHERE result = 'canonical'`)
    expect(left.map(({ tenant_id }) => tenant_id)).toEqual(['acme', 'acme'])
  })

  test('dry, nothing is written', async () => {
    const place = await open()
    await put(place, ...CALLS())
    const result = await reconcile(options(place, bill(...DISCOUNTED), { dryRun: true, apply: true }))
    expect(result.causes).toHaveLength(1)
    expect(await rowsOf(place, 'SELECT * FROM tallygate.cost_reconciliation')).toEqual([])
  })

  test('tenants with ids of their own get their own lines', async () => {
    const place = await open()
    await put(place, ...CALLS())
    const path = join(folder(), 'keys.csv')
    writeFileSync(
      path,
      `date,model,type,quantity,requests,cost,key\n${[
        '2026-10-01,gpt-4.1,input_tokens,2000,2,0.004,key_acme',
        '2026-10-01,gpt-4.1,output_tokens,200,,0.0016,key_acme',
        '2026-10-01,gpt-4.1,input_tokens,1000,1,0.004,key_globex',
        '2026-10-01,gpt-4.1,output_tokens,100,,0.0016,key_globex',
      ].join('\n')}\n`,
    )
    const tenants = { key_acme: 'acme', key_globex: 'globex' }
    await reconcile(options(place, path, { tenants }))
    const sums = await rowsOf(
      place,
      `SELECT tenant_id, CAST(sum(canonical_pico) AS TEXT) AS pico FROM tallygate.cost_reconciliation
      WHERE result = 'canonical' GROUP BY tenant_id ORDER BY tenant_id`,
    )
    expect(sums).toEqual([
      { tenant_id: 'acme', pico: '5600000000' },
      { tenant_id: 'globex', pico: '5600000000' },
    ])
  })
})
