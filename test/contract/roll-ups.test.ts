// The roll-ups of a ledger: whatever is written, replaced, priced again or deleted, they say what the events say.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type LLMEvent, toWire } from '../../src/event.ts'
import type { Dimension, LedgerViews } from '../../src/ledger/index.ts'
import { wholeSpans } from '../../src/ledger/parts.ts'
import { formatUsd } from '../../src/money.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { type Book, DAY, event, LEDGERS, NOV_22, signal, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const HOUR = 3_600_000
const MAX_PICO = 2n ** 63n - 1n

/** Users are in no roll-up: a filter that every event passes sends the question to the events. */
async function bothWays(views: LedgerViews): Promise<void> {
  const everybody = { user: ['u', null] }
  const groupings: Dimension[][] = [[], ['model', 'provider'], ['tenant'], ['day'], ['feature', 'environment', 'day']]
  for (const by of [...groupings, ['tenant', 'day']] as Dimension[][])
    for (const range of [{}, { since: NOV_22 - DAY }, { since: NOV_22 - DAY - 7, until: NOV_22 + 2 * HOUR + 5 }]) {
      expect(wholeSpans({ ...range, dimensions: by })).toBeDefined()
      const rolled = await views.totals({ ...range, by, order: 'key' })
      expect(rolled).toEqual(await views.totals({ ...range, by, order: 'key', where: everybody }))
    }
  const of = { every: 'hour', by: 'model', since: NOV_22 - 3 * DAY, until: NOV_22 + DAY } as const
  expect(await views.series(of)).toEqual(await views.series({ ...of, where: everybody }))
  const now = NOV_22 + 90 * 60_000
  expect(await views.summary({ now })).toEqual(await views.summary({ now, where: everybody }))
}

const someEvent = fc.record({
  at: fc.integer({ min: NOV_22 - 2 * DAY, max: NOV_22 + 4 * HOUR }),
  tenantId: fc.constantFrom(undefined, '', 'a', 'b'),
  userId: fc.constantFrom(undefined, 'u'),
  model: fc.constantFrom('m1', 'm2'),
  feature: fc.constantFrom(undefined, '', 'f', 'x'.repeat(5000)),
  environment: fc.constantFrom(undefined, 'prod', '["prod"]'),
  cost: fc.option(fc.bigInt({ min: 0n, max: MAX_PICO })),
  resale: fc.option(fc.bigInt({ min: 0n, max: 10n ** 13n })),
  inputTokens: fc.constantFrom(undefined, 0, 7, Number.MAX_SAFE_INTEGER),
  error: fc.constantFrom(undefined, 'aborted'),
  usageSource: fc.constantFrom<LLMEvent['usageSource']>('reported', 'estimated'),
  calls: fc.constantFrom(undefined, 40, Number.MAX_SAFE_INTEGER),
})
const toEvent = ({ cost, resale, ...rest }: typeof someEvent extends fc.Arbitrary<infer T> ? T : never) =>
  event({
    ...(Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as { at: number }),
    tenantId: rest.tenantId as string,
    ...(cost !== null && { costUsd: formatUsd(cost) }),
    ...(resale !== null && { resaleUsd: formatUsd(resale) }),
  })

type Deed =
  | { readonly kind: 'put'; readonly events: readonly LLMEvent[]; readonly isJson: boolean }
  | {
      readonly kind: 'again'
      readonly which: number
      readonly usageSource: LLMEvent['usageSource']
      readonly at: number
    }
  | { readonly kind: 'forget'; readonly tenant: string }
  | { readonly kind: 'reprice'; readonly model: string; readonly cost: bigint | undefined }

const someDeed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      events: fc.array(someEvent.map(toEvent), { maxLength: 8 }),
      isJson: fc.boolean(),
    }),
  },
  fc.record({
    kind: fc.constant('again' as const),
    which: fc.nat(30),
    usageSource: fc.constantFrom<LLMEvent['usageSource']>('reported', 'estimated'),
    at: fc.integer({ min: NOV_22 - 2 * DAY, max: NOV_22 + 4 * HOUR }),
  }),
  fc.constantFrom('a', 'b').map((tenant) => ({ kind: 'forget' as const, tenant })),
  fc.record({
    kind: fc.constant('reprice' as const),
    model: fc.constantFrom('m1', 'm2'),
    cost: fc.option(fc.bigInt({ min: 0n, max: MAX_PICO }), { nil: undefined }),
  }),
)

async function act(book: Book, views: LedgerViews, deed: Deed, put: LLMEvent[]): Promise<void> {
  if (deed.kind === 'put') {
    const { events, isJson } = deed
    put.push(...events)
    // As delivery hands it over: rows are read from it without an event between, where its shape is known.
    const json = isJson && { json: events.map((one) => JSON.stringify(toWire(one))) }
    expect((await book.ledger.send({ id: 'b', events, ...json }, signal)).outcome).toBe('delivered')
  } else if (deed.kind === 'again') {
    const one = put[deed.which]
    // Once more as it is, and once more as what was reported of it at last, at another time and by another name.
    if (one)
      await book.put(one, {
        ...one,
        usageSource: deed.usageSource,
        model: 'm3',
        timestamp: new Date(deed.at).toISOString(),
      })
  } else if (deed.kind === 'forget') {
    await views.deleteTenant(deed.tenant)
    expect((await views.totals({ where: { tenant: deed.tenant } })).total.calls).toBe(0)
  } else {
    const { cost, model } = deed
    await book.ledger.reprice(
      { model },
      ({ costUsd: _, ...one }) => ({ ...one, ...(cost !== undefined && { costUsd: formatUsd(cost) }) }),
      { apply: true },
    )
  }
}

test('the roll-ups of the SQLite ledger count what another program inserts', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.send({ id: 'b', events: [event({ costUsd: '1' })] }, signal)
  await ledger.close()
  const db = new DatabaseSync(path)
  db.exec(
    "INSERT INTO events (event_id, at, provider, model, endpoint, usage_source, cost_pico) VALUES ('x', 0, 'openai', 'gpt-4o', 'chat.completions', 'reported', 5)",
  )
  expect(db.prepare('SELECT sum(events) AS events FROM usage_models').get()).toEqual({ events: 2 })
  expect(db.prepare('SELECT count(*) AS rows FROM usage_summing').get()).toEqual({ rows: 0 })
  db.close()
})

test('the roll-ups of the SQLite ledger are written for a batch at once, and not by a trigger for each of its events', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.send({ id: 'b', events: [event()] }, signal)
  using db = new DatabaseSync(path)
  db.exec('DROP TRIGGER events_inserted')
  await ledger.send({ id: 'c', events: [event(), event({ tenantId: 'birch' })] }, signal)
  await ledger.close()
  expect(db.prepare('SELECT tenant_id, events FROM usage_tenants ORDER BY 1').all()).toMatchObject([
    { tenant_id: 'acme', events: 2 },
    { tenant_id: 'birch', events: 1 },
  ])
})

test('in SQLite more calls than a sum can hold are refused one by one, and what is beside them is kept', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  const many = Array.from({ length: 1100 }, () => event({ calls: Number.MAX_SAFE_INTEGER }))
  const delivery = await ledger.send({ id: 'b', events: [...many, event({ model: 'm2' })] }, signal)
  expect(delivery).toMatchObject({ outcome: 'delivered', rejected: expect.objectContaining({ length: 76 }) })
  await ledger.send({ id: 'c', events: [event({ model: 'm2' })] }, signal)
  await ledger.close()
  const db = new DatabaseSync(path)
  expect(db.prepare("SELECT sum(events) AS events FROM usage_models WHERE model = 'm2'").get()).toEqual({ events: 2 })
  expect(db.prepare('SELECT sum(events) AS events FROM usage_tenants').get()).toEqual({ events: 1026 })
  db.close()
})

describe.each(Object.entries(LEDGERS))('the roll-ups of the %s ledger', (_, kind) => {
  test('say what the events say, whatever is done to those', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(someDeed, { minLength: 1, maxLength: 8 }), async (deeds) => {
        await using book = await kind.book()
        const views = book.views()
        const put: LLMEvent[] = []
        await book.put(event({ userId: 'u' }))
        for (const deed of deeds) await act(book, views, deed, put)
        await bothWays(views)
      }),
      { numRuns: Math.max(10, kind.runs / 2) },
    )
  })

  test('count an event of a batch as it came, beside one that was refused, and a costly one beside a cheap one', async () => {
    await using book = await kind.book()
    const costs = ['0.0064', '1000', formatUsd(MAX_PICO), '0.0001']
    const wire = (costUsd: string, over: Partial<LLMEvent> = {}) => event({ costUsd, userId: 'u', ...over })
    for (let round = 0; round < 3; round++) {
      const events = [...costs.map((cost) => wire(cost)), wire('7', { inputTokens: 0.5 })]
      const json = events.map((one) => JSON.stringify(toWire(one)))
      const delivery = await book.ledger.send({ id: `b${round}`, events, json }, signal)
      expect(delivery).toMatchObject({ outcome: 'delivered', rejected: [{ eventId: events[4]!.eventId }] })
    }
    const { total } = await book.views().totals({ by: ['model'] })
    expect(total).toMatchObject({ calls: 12, cost: 3n * (6_400_000_000n + 10n ** 15n + MAX_PICO + 100_000_000n) })
    await bothWays(book.views())
  })

  test('stay when events go for their age, and so do the sums by tenant and by model', async () => {
    await using book = await kind.book()
    const views = book.views()
    const days = Array.from({ length: 10 }, (_, day) =>
      [1, 2].map((n) =>
        event({ at: NOV_22 - day * DAY + n * HOUR, model: `m${n}`, costUsd: String(n), tenantId: `t${n}` }),
      ),
    ).flat()
    await book.put(...days)
    await book.ledger.reprice({}, (one) => ({ ...one, costUsd: String(2 * Number(one.costUsd)) }), { apply: true })
    const ask = async () => [
      await views.totals({ by: ['tenant'] }),
      await views.totals({ by: ['model', 'day'], order: 'key' }),
      await views.series({ every: 'day', by: 'model' }),
      await views.summary({ now: NOV_22 + 20 * HOUR }),
      await book.ledger.spent('t1', 0),
      await book.ledger.spent('t1', NOV_22 - 5 * DAY + 90 * 60_000),
    ]
    const before = await ask()
    const told: number[] = []
    expect(await views.keep(NOV_22 - 4 * DAY + HOUR / 2, { onProgress: (deleted) => told.push(deleted) })).toBe(10)
    expect(told).toEqual([10])
    expect((await views.events()).events).toHaveLength(10)
    expect(await ask()).toEqual([...before.slice(0, -1), 2_000_000_000_000n * 5n])
    // A second time nothing is left to do, and an older date brings nothing back.
    expect(await views.keep(NOV_22 - 4 * DAY)).toBe(0)
    expect(await views.keep(NOV_22 - 6 * DAY)).toBe(0)
    // What comes late counts, and counts on when it goes.
    await book.put(event({ at: NOV_22 - 9 * DAY, costUsd: '0.5', tenantId: 't1', model: 'm1' }))
    const late = await views.totals({ by: ['tenant'] })
    expect(formatUsd(late.total.cost)).toBe('60.5')
    expect(await views.keep(NOV_22 - 4 * DAY)).toBe(1)
    expect(await views.totals({ by: ['tenant'] })).toEqual(late)
    // Of a tenant that is forgotten nothing is left by its name.
    expect(await views.deleteTenant('t1')).toBe(5)
    expect((await views.totals({ by: ['tenant'] })).rows.map(({ key }) => key)).toEqual([['t2']])
    expect(await book.ledger.spent('t1', 0)).toBe(0n)
  })

  test('go with a tenant of many events, a piece at a time, and its limits with them', async () => {
    await using book = await kind.book()
    const views = book.views()
    for (let i = 0; i < 5; i++) await book.put(...Array.from({ length: 900 }, () => event({ costUsd: '0.01' })))
    await book.put(event({ tenantId: 'other' }))
    await book.ledger.putLimit({ tenantId: 'acme', window: 'day', limit: 1n, mode: 'soft' })
    const told: number[] = []
    expect(await views.deleteTenant('acme', { onProgress: (deleted) => told.push(deleted) })).toBe(4500)
    expect(told).toEqual([2000, 4000, 4500])
    expect((await views.totals({ by: ['tenant'] })).rows.map(({ key }) => key)).toEqual([['other']])
    expect(await book.ledger.limits()).toEqual([])
    await bothWays(views)
  })

  test('are filled when they come to a ledger that has events, and by nobody twice', async () => {
    await using book = await kind.book()
    await book.put(...fc.sample(someEvent, { numRuns: 60, seed: 3 }).map(toEvent))
    await book.ledger.close()
    await book.withoutRollUps()
    const again = book.open()
    await again.send({ id: 'b', events: [event()] }, new AbortController().signal)
    await book.open().check?.()
    await bothWays(book.views())
    expect((await book.views().totals()).total.calls).toBe((await again.totals({ by: [] }))[0]!.calls)
  })

  test.each([
    ['id', ''],
    ['id', 7],
    ['before', 0.5],
    ['before', 'x'],
  ])('are not taken from by a wrong %s: %j', async (name, value) => {
    await using book = await kind.book()
    await book.put(event())
    const views = book.views()
    const asked = name === 'id' ? views.deleteTenant(value as never) : views.keep(value as never)
    await expect(asked).rejects.toMatchObject({ code: 'BAD_INPUT' })
  })
})
