// The questions a ledger answers, on every database: held against the same events counted by plain code.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/event.ts'
import type { Dimension, LedgerViews, Order, Query, Step, TotalsRow, Where } from '../../src/ledger/index.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { calendarOf } from '../../src/limits/window.ts'
import { formatUsd, parseUsd } from '../../src/money.ts'
import { type Book, DAY, event, failureOf, LEDGERS, NOV_22, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const HOUR = 3_600_000
const MAX_PICO = 2n ** 63n - 1n
/** What a tenant may be called by somebody who means harm, and what is no value. */
const NAMES = [
  undefined,
  '',
  'acme',
  `o'brien"; DROP TABLE events; --`,
  '%',
  '$.x',
  'é💸',
  ':tenant $1 ?1',
  'x'.repeat(1024),
]
const TAGS = ['plan', `a"b'c`, '$.plan', '[0]', 'with space']
const TEXTS = {
  tenant: 'tenantId',
  user: 'userId',
  session: 'sessionId',
  feature: 'feature',
  team: 'team',
  project: 'project',
  cost_center: 'costCenter',
  app: 'appName',
  environment: 'environment',
  provider: 'provider',
  host: 'host',
  model: 'model',
  endpoint: 'endpoint',
  tier: 'serviceTier',
} as const satisfies Record<string, keyof LLMEvent>
const DIMENSIONS: readonly Dimension[] = [
  ...(Object.keys(TEXTS) as (keyof typeof TEXTS)[]),
  'day',
  ...TAGS.map((tag) => `tag:${tag}` as const),
]

function textOf(one: LLMEvent, dimension: Dimension): string | null {
  if (dimension === 'day') return one.timestamp.slice(0, 10)
  if (dimension.startsWith('tag:')) {
    const value = one.tags?.[dimension.slice(4)]
    return value === undefined ? null : String(value)
  }
  return (one[TEXTS[dimension as keyof typeof TEXTS]] as string | undefined) ?? null
}

/** A few days over the end of summer time in Vienna, and one long ago. */
const FROM = Date.UTC(2026, 9, 24)
const someEvent = fc.record({
  at: fc.oneof(
    { weight: 30, arbitrary: fc.integer({ min: FROM, max: FROM + 3 * DAY }) },
    { weight: 10, arbitrary: fc.integer({ min: 0, max: 72 }).map((hours) => FROM + hours * HOUR) },
    { weight: 1, arbitrary: fc.integer({ min: FROM - 60 * DAY, max: FROM }) },
  ),
  names: fc.array(fc.nat(NAMES.length - 1), { minLength: 14, maxLength: 14 }),
  tags: fc.option(
    fc.dictionary(fc.constantFrom(...TAGS), fc.constantFrom<string | number | boolean>('pro', 1.5, 7, true, false, '')),
  ),
  cost: fc.option(fc.oneof(fc.bigInt({ min: 0n, max: MAX_PICO }), fc.bigInt({ min: 0n, max: 10n ** 12n }))),
  resale: fc.option(fc.bigInt({ min: 0n, max: MAX_PICO })),
  tokens: fc.tuple(fc.nat(1e6), fc.nat(1e6), fc.nat(1e6)),
  error: fc.constantFrom(undefined, undefined, 'http_500'),
  usageSource: fc.constantFrom('reported', 'estimated', 'absent'),
  calls: fc.constantFrom(undefined, undefined, 3),
  durationMs: fc.option(fc.nat(100_000).map((ms) => ms / 8)),
})

function toEvent(it: typeof someEvent extends fc.Arbitrary<infer T> ? T : never): LLMEvent {
  const texts: Record<string, string | undefined> = {}
  for (const [i, [dimension, field]] of Object.entries(TEXTS).entries()) {
    const name = NAMES[it.names[i]!]
    if (name !== undefined || !['provider', 'model', 'endpoint'].includes(dimension)) texts[field] = name
  }
  return event({
    at: it.at,
    ...(texts as Partial<LLMEvent>),
    ...(it.tags && { tags: it.tags }),
    ...(it.cost !== null && { costUsd: formatUsd(it.cost) }),
    ...(it.resale !== null && { resaleUsd: formatUsd(it.resale) }),
    inputTokens: it.tokens[0],
    outputTokens: it.tokens[1],
    cachedTokens: it.tokens[2],
    usageSource: it.usageSource as LLMEvent['usageSource'],
    ...(it.error && { error: it.error }),
    ...(it.calls && { calls: it.calls }),
    ...(it.durationMs !== null && { durationMs: it.durationMs }),
  })
}

const EVENTS = fc
  .sample(fc.array(someEvent, { minLength: 400, maxLength: 400 }), { numRuns: 1, seed: 7 })[0]!
  .map(toEvent)

function pico(usd: string | undefined): bigint {
  return usd === undefined ? 0n : parseUsd(usd)!
}

/** By plain code. */
function sum(events: readonly LLMEvent[], key: readonly (string | null)[] = []): TotalsRow {
  const add = (read: (one: LLMEvent) => number | undefined) =>
    events.reduce((total, one) => total + (read(one) ?? 0), 0)
  const calls = (one: LLMEvent) => one.calls ?? 1
  const usesSomething = (one: LLMEvent) => (one.inputTokens ?? 0) + (one.outputTokens ?? 0) > 0
  const sold = events.filter(({ resaleUsd }) => resaleUsd !== undefined)
  return {
    key,
    calls: add(calls),
    errors: add((one) => (one.error === undefined ? 0 : calls(one))),
    unpriced: add((one) => (one.costUsd === undefined && usesSomething(one) ? calls(one) : 0)),
    estimated: add((one) => (one.usageSource === 'estimated' ? calls(one) : 0)),
    inputTokens: add((one) => one.inputTokens),
    cachedTokens: add((one) => one.cachedTokens),
    outputTokens: add((one) => one.outputTokens),
    cost: events.reduce((total, one) => total + pico(one.costUsd), 0n),
    ...(sold.length > 0 && { resale: sold.reduce((total, one) => total + pico(one.resaleUsd), 0n) }),
  }
}

function isWanted(one: LLMEvent, { since = -Infinity, until = Infinity, where = {} }: Query): boolean {
  const at = Date.parse(one.timestamp)
  if (at < since || at >= until) return false
  return Object.entries(where).every(([dimension, wanted]) => {
    const value = textOf(one, dimension as Dimension)
    return wanted === undefined || (Array.isArray(wanted) ? wanted.includes(value) : wanted === value)
  })
}

function groups(events: readonly LLMEvent[], by: readonly Dimension[]): TotalsRow[] {
  const found = new Map<string, { key: (string | null)[]; events: LLMEvent[] }>()
  for (const one of events) {
    const key = by.map((dimension) => textOf(one, dimension))
    const name = JSON.stringify(key)
    const group = found.get(name) ?? { key, events: [] }
    group.events.push(one)
    found.set(name, group)
  }
  if (by.length === 0) return [sum(events)]
  return [...found.values()].map((group) => sum(group.events, group.key))
}

const text = fc.constantFrom(...NAMES.map((name) => name ?? null), 'nobody', 'true', '1.5')
const someQuery: fc.Arbitrary<Query> = fc.record(
  {
    since: fc.oneof(
      fc.integer({ min: FROM - 70 * DAY, max: FROM + 4 * DAY }),
      fc.constantFrom(-1e300, -Infinity, FROM + 0.5),
    ),
    until: fc.oneof(fc.integer({ min: FROM - 70 * DAY, max: FROM + 4 * DAY }), fc.constantFrom(1e300, Infinity)),
    where: fc.dictionary(fc.constantFrom(...DIMENSIONS), fc.oneof(text, fc.array(text, { maxLength: 4 })), {
      maxKeys: 2,
    }) as fc.Arbitrary<Where>,
  },
  { requiredKeys: [] },
)
const someBy = fc.uniqueArray(fc.constantFrom(...DIMENSIONS), { maxLength: 3 })

const sorted = (rows: readonly TotalsRow[]) =>
  [...rows].sort((a, b) => (JSON.stringify(a.key) < JSON.stringify(b.key) ? -1 : 1))

describe.each(Object.entries(LEDGERS))('the views of the %s ledger', (name, kind) => {
  const numRuns = name === 'SQLite' ? 150 : 60
  let book: Book
  let views: LedgerViews

  beforeAll(async () => {
    book = await kind.book()
    await book.put(...EVENTS)
    views = book.views()
  })
  afterAll(async () => book[Symbol.asyncDispose]())

  test('give the totals of any grouping, of any filter', async () => {
    await fc.assert(
      fc.asyncProperty(someQuery, someBy, async (query, by) => {
        const wanted = EVENTS.filter((one) => isWanted(one, query))
        const answer = await views.totals({ ...query, by })
        expect(sorted(answer.rows)).toEqual(sorted(groups(wanted, by)))
        expect(answer.total).toEqual(sum(wanted))
        expect(answer.count).toBe(answer.rows.length)
      }),
      { numRuns },
    )
  })

  test('give pages that put together are the whole, in the order that was asked for', async () => {
    const orders = fc.constantFrom<Order>('cost', 'calls', 'input_tokens', 'output_tokens', 'key')
    await fc.assert(
      fc.asyncProperty(someQuery, someBy, orders, fc.integer({ min: 1, max: 60 }), async (query, by, order, limit) => {
        const whole = await views.totals({ ...query, by, order })
        const pages: TotalsRow[] = []
        for (let offset = 0; offset < whole.count; offset += limit) {
          const page = await views.totals({ ...query, by, order, limit, offset })
          expect([page.total, page.count]).toEqual([whole.total, whole.count])
          pages.push(...page.rows)
        }
        expect(pages).toEqual(whole.rows)
        const figure = (row: TotalsRow) =>
          order === 'cost'
            ? row.cost
            : order === 'calls'
              ? row.calls
              : order === 'input_tokens'
                ? row.inputTokens
                : row.outputTokens
        if (order !== 'key')
          for (const [i, row] of whole.rows.slice(1).entries()) expect(figure(row) <= figure(whole.rows[i]!)).toBe(true)
      }),
      { numRuns: numRuns / 3 },
    )
    const beyond = await views.totals({ by: ['tenant'], limit: 5, offset: 1000 })
    expect([beyond.rows, beyond.count]).toEqual([[], NAMES.length])
    expect((await views.totals({ by: ['tenant'], limit: 0 })).total).toEqual(sum(EVENTS))
  })

  test('give series that add up to the totals, by the calendar of a zone', async () => {
    const zones = fc.constantFrom('UTC', 'Europe/Vienna', 'Asia/Kathmandu', 'America/St_Johns', 'Australia/Lord_Howe')
    const steps = fc.constantFrom<Step>('hour', 'day', 'week', 'month')
    const by = fc.option(fc.constantFrom(...DIMENSIONS), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(someQuery, steps, zones, by, fc.nat(4), async (query, every, timeZone, by, top) => {
        const wanted = EVENTS.filter((one) => isWanted(one, query))
        const { buckets, end, rows } = await views.series({ ...query, every, timeZone, by, top })
        const edges = [...buckets, end ?? 0]
        const total = sum(wanted)
        const added = (read: (row: (typeof rows)[number]) => readonly number[]) =>
          rows.flatMap(read).reduce((all, one) => all + one, 0)
        expect(rows.flatMap(({ cost }) => cost).reduce((all, one) => all + one, 0n)).toBe(total.cost)
        expect(added(({ calls }) => calls)).toBe(total.calls)
        expect(added(({ inputTokens }) => inputTokens)).toBe(total.inputTokens)
        expect(added(({ outputTokens }) => outputTokens)).toBe(total.outputTokens)
        expect(rows.filter(({ isOther }) => isOther).length).toBeLessThanOrEqual(1)
        // Each of its figures is that of its events.
        const own = new Map(rows.flatMap((row) => (row.isOther ? [] : [[row.key, row]])))
        const costs = new Map([...own.keys()].map((key) => [key, buckets.map(() => 0n)]))
        for (const one of wanted) {
          const inside = costs.get(by === undefined ? null : textOf(one, by))
          const at = edges.findLastIndex((edge) => edge <= Date.parse(one.timestamp))
          if (inside) inside[at]! += pico(one.costUsd)
        }
        for (const [key, cost] of costs) expect(own.get(key)!.cost).toEqual(cost)
        // And each bucket is a window of the calendar.
        const calendar = calendarOf(every, { timeZone })
        const windows = buckets.map((from) => calendar.at(from))
        expect(windows.flatMap(({ from, until }) => [from, until])).toEqual(
          buckets.flatMap((from, i) => [from, edges[i + 1]]),
        )
      }),
      { numRuns },
    )
  })

  test('give percentiles by nearest rank, the same in every database', async () => {
    const by = fc.option(fc.constantFrom(...DIMENSIONS), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(someQuery, by, async (query, by) => {
        const alone = EVENTS.filter((one) => isWanted(one, query) && one.calls === undefined)
        const rank = <T extends number | bigint>(values: readonly T[], share: number) =>
          [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))[Math.ceil((values.length * share) / 100) - 1]
        for (const row of await views.percentiles({ ...query, of: 'duration_ms', by, sample: 100 })) {
          const values = alone.flatMap((one) =>
            by === undefined || textOf(one, by) === row.key ? (one.durationMs ?? []) : [],
          )
          expect(row).toEqual({
            key: row.key,
            calls: values.length,
            p50: rank(values, 50),
            p90: rank(values, 90),
            p95: rank(values, 95),
            p99: rank(values, 99),
          })
        }
        for (const row of await views.percentiles({ ...query, of: 'cost', by })) {
          const values = alone.flatMap((one) =>
            one.costUsd !== undefined && (by === undefined || textOf(one, by) === row.key) ? [pico(one.costUsd)] : [],
          )
          expect([row.calls, row.p50, row.p99]).toEqual([values.length, rank(values, 50), rank(values, 99)])
        }
      }),
      { numRuns: numRuns / 3 },
    )
  })

  test('take percentiles of many calls from a sample that is spread over all of them', async () => {
    await using other = await kind.book()
    // Ever more calls towards the end, and the later ones take longer: a sample by the clock would be far too quick.
    const count = 5200
    await other.put(
      ...Array.from({ length: count }, (_, i) => {
        const at = Math.floor(FROM + 6 * DAY * Math.sqrt(i / count))
        return event({ at, tenantId: i % 13 === 0 ? 'small' : 'acme', durationMs: i })
      }),
    )
    const it = other.views()
    const rankOf = (value: number) => Math.round((value * 100) / count)
    for (const query of [{}, { where: { tenant: ['small'] } }, { since: FROM - DAY, until: FROM + 7 * DAY }]) {
      const [row, ...others] = await it.percentiles({ ...query, of: 'duration_ms', sample: 1000 })
      if (query.where) expect(row).toMatchObject({ calls: count / 13 })
      else {
        expect(others).toEqual([])
        expect(row).toMatchObject({ isSample: true })
        expect(Math.round(row!.calls / 100)).toBe(10)
      }
      for (const rank of [50, 90, 95, 99] as const)
        expect(Math.abs(rankOf(row![`p${rank}`]) - rank)).toBeLessThanOrEqual(1)
    }
    const byTenant = await it.percentiles({ of: 'duration_ms', by: 'tenant', sample: 1000 })
    expect(byTenant.map(({ key }) => key)).toEqual(['acme', 'small'])
    expect(await it.percentiles({ of: 'duration_ms' })).toEqual([
      { key: null, calls: count, p50: 2599, p90: 4679, p95: 4939, p99: 5147 },
    ])
    // Days whose events are gone are counted in the roll-ups still.
    await it.keep(FROM + 4 * DAY)
    const [left] = await it.percentiles({ of: 'duration_ms', sample: 1000 })
    const [exact] = await it.percentiles({ of: 'duration_ms' })
    expect(exact!.p50).toBeGreaterThan(3000)
    expect(left).toEqual(exact)
  })

  test('give the events, newest first, in pages that put together are all of them', async () => {
    await fc.assert(
      fc.asyncProperty(someQuery, fc.integer({ min: 7, max: 90 }), fc.boolean(), async (query, limit, errorsOnly) => {
        const found: LLMEvent[] = []
        let cursor: string | undefined
        do {
          const page = await views.events({ ...query, limit, errorsOnly, cursor })
          found.push(...page.events)
          cursor = page.next
        } while (cursor !== undefined)
        const wanted = EVENTS.filter((one) => isWanted(one, query) && (!errorsOnly || one.error !== undefined))
        const order = (a: LLMEvent, b: LLMEvent) =>
          Date.parse(b.timestamp) - Date.parse(a.timestamp) || (a.eventId < b.eventId ? 1 : -1)
        expect(found.map(({ eventId }) => eventId)).toEqual([...wanted].sort(order).map(({ eventId }) => eventId))
      }),
      { numRuns: numRuns / 5 },
    )
    const [one] = EVENTS
    expect(await views.event(one!.eventId)).toEqual(JSON.parse(JSON.stringify(one)))
    expect(await views.event('nothing')).toBeUndefined()
    expect(await views.event('x\0')).toBeUndefined()
  })

  test('name what cost most', async () => {
    const { rows, count } = await views.top({ by: 'feature', limit: 3 })
    const expected = groups(EVENTS, ['feature']).sort((a, b) => (a.cost < b.cost ? 1 : -1))
    expect(rows).toEqual(expected.slice(0, 3))
    expect(count).toBe(expected.length)
  })

  test('of an hour that comes twice keep the two apart', async () => {
    await using other = await kind.book()
    const changed = Date.UTC(2026, 9, 25, 1)
    await other.put(event({ at: changed - 1, costUsd: '1' }), event({ at: changed, costUsd: '2' }))
    const of = (every: Step) => other.views().series({ every, timeZone: 'Europe/Vienna' })
    expect(await of('hour')).toMatchObject({ buckets: [changed - HOUR, changed], rows: [{ calls: [1, 1] }] })
    expect(await of('day')).toMatchObject({ buckets: [Date.UTC(2026, 9, 24, 22)], end: Date.UTC(2026, 9, 25, 23) })
  })

  test('of nothing are empty', async () => {
    await using other = await kind.book()
    await other.put(event())
    const empty = { where: { tenant: 'nobody' } }
    const it = other.views()
    expect(await it.totals({ ...empty, by: ['model'] })).toEqual({ rows: [], total: sum([]), count: 0 })
    expect((await it.totals(empty)).rows).toEqual([sum([])])
    expect(await it.series({ ...empty, every: 'day' })).toEqual({ buckets: [], end: undefined, rows: [] })
    expect(await it.series({ ...empty, every: 'day', since: NOV_22 - DAY, until: NOV_22 })).toMatchObject({
      buckets: [NOV_22 - DAY],
      rows: [{ key: null, cost: [0n], calls: [0] }],
    })
    expect(await it.percentiles({ ...empty, of: 'cost' })).toEqual([])
    expect(await it.events(empty)).toEqual({ events: [] })
    expect((await it.summary({ ...empty, now: NOV_22 })).projected).toEqual({ usd: 0n, low: 0n, high: 0n, days: 0 })
    expect((await it.totals({ where: { tenant: [] } })).total.calls).toBe(0)
  })

  test('sum up today and the months by the calendar of a zone, and say where this one will end', async () => {
    await using other = await kind.book()
    // Twenty days at a dollar; today, so far, half of one.
    const now = Date.UTC(2026, 10, 21, 11)
    const noon = (day: number) => Date.UTC(2026, 10, day, 10)
    const days = Array.from({ length: 20 }, (_, i) => event({ at: noon(i + 1), costUsd: '1' }))
    await other.put(
      ...days,
      event({ at: noon(21), costUsd: '0.5' }),
      event({ at: Date.UTC(2026, 9, 31, 23, 30), costUsd: '7' }),
      event({ at: Date.UTC(2026, 9, 31, 22, 30), costUsd: '40' }),
      event({ at: Date.UTC(2026, 8, 30, 21), costUsd: '1000' }),
    )
    const it = await other.views().summary({ now, timeZone: 'Europe/Vienna' })
    const usd = (row: TotalsRow) => formatUsd(row.cost)
    expect([usd(it.today), usd(it.yesterday), usd(it.yesterdayByNow)]).toEqual(['0.5', '1', '1'])
    expect([usd(it.thisMonth), usd(it.lastMonth), usd(it.lastMonthByNow)]).toEqual(['27.5', '40', '0'])
    expect(it.thisMonth.calls).toBe(22)
    expect(it.projected.days).toBe(21)
    const { low, usd: middle, high } = it.projected
    expect(low < middle && middle < high && low >= it.thisMonth.cost).toBe(true)
  })

  test('see what is written after they were opened', async () => {
    await using other = await kind.book()
    await other.put(event())
    const it = other.views()
    expect((await it.totals()).total.calls).toBe(1)
    await other.put(event(), event())
    expect((await it.totals()).total.calls).toBe(3)
  })

  test.each<[string, (it: LedgerViews) => Promise<unknown>, string]>([
    [
      'a dimension that is none',
      (it) => it.totals({ by: ['tenant; DROP' as never] }),
      'Expected `by` to be one of tenant, user',
    ],
    [
      'a column',
      (it) => it.totals({ where: { tenant_id: 'a' } as never }),
      'Expected `where` to be one of tenant, user',
    ],
    ['a tag without a name', (it) => it.totals({ by: ['tag:'] }), 'Expected `by` to be one of'],
    [
      'a filter that is no text',
      (it) => it.totals({ where: { tenant: 7 as never } }),
      'Expected `where.tenant` to be a string, null, or a list of them, got `7`.',
    ],
    [
      'no moment',
      (it) => it.totals({ since: Number.NaN }),
      'Expected `since` to be a moment in epoch milliseconds, got `NaN`.',
    ],
    ['no order', (it) => it.totals({ order: 'price' as never }), 'Expected `order` to be one of cost, calls'],
    ['half a row', (it) => it.totals({ limit: 0.5 }), 'Expected `limit` to be a whole number from 0'],
    ['no step', (it) => it.series({ every: 'year' as never }), 'Expected `every` to be one of hour, day, week, month'],
    [
      'no zone',
      (it) => it.series({ every: 'day', timeZone: 'Vienna' }),
      'Expected `timeZone` to be the IANA name of a time zone',
    ],
    [
      'more buckets than anybody looks at',
      (it) => it.series({ every: 'hour', since: 0, until: NOV_22 }),
      'Expected a series of at most 5000 buckets',
    ],
    ['no measure', (it) => it.percentiles({ of: 'tokens' as never }), 'Expected `of` to be one of duration_ms'],
    [
      'a cursor of somebody else',
      (it) => it.events({ cursor: 'AAAA' }),
      'Expected `cursor` to be the `next` of the page before.',
    ],
    ['a page of everything', (it) => it.events({ limit: 1e6 }), 'Expected `limit` to be a whole number from 1 to 1000'],
    ['no moment of a summary', (it) => it.summary({ now: 9e15 }), 'Expected `now` to be a moment'],
  ])('refuse %s in one sentence', async (_, ask, sentence) => {
    const error = await failureOf(ask(views))
    expect([error.code, error.message.slice(0, sentence.length)]).toEqual(['BAD_INPUT', sentence])
  })
})

test('a ledger that is not there is an error, and none is made', async () => {
  const error = await failureOf(openLedger({ dir: '/nowhere/at/all' }).totals())
  expect([error.code, error.message]).toEqual([
    'LEDGER_UNAVAILABLE',
    'There is no ledger at /nowhere/at/all/ledger.db.',
  ])
})

test.each([
  [{}, 'A ledger is opened by one of `path`, `dir`, `databaseUrl` and `pool`.'],
  [{ path: 'a', dir: 'b' }, 'A ledger is opened by one of `path`, `dir`, `databaseUrl` and `pool`.'],
  [{ path: '' }, 'Expected `path` to be a path, got "".'],
  [
    { databaseUrl: 'mysql://root:hunter2@h/db' },
    'Expected `databaseUrl` to be an address such as postgres://user@host:5432/name.',
  ],
])('the options %j are refused', (options, message) => {
  expect(() => openLedger(options)).toThrow(message)
})
