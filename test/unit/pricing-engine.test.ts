// The rules of the book, on books made for the purpose: places, variants, fees, dates, hours, holidays and fractions.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseUsd } from '../../src/money.ts'
import type { BookData, ModelData, ProviderData } from '../../src/pricing/book-data.ts'
import type { PriceQuery } from '../../src/pricing/price.ts'
import { createPriceBook } from '../../src/pricing/price-book.ts'
import type { Usage } from '../../src/usage.ts'

const AT = Date.UTC(2026, 10, 18, 12)

function bookOf(model: Partial<ModelData>, provider: Partial<ProviderData> = {}, more: Partial<BookData> = {}) {
  return createPriceBook({
    version: 'test',
    columns: ['input.text', 'output.text'],
    sources: [['https://acme.example/prices', '2026-11-22']],
    ...more,
    providers: { acme: { ...provider, models: [{ ids: ['m'], rows: [], ...model }, ...(provider.models ?? [])] } },
  })
}

function asker(book: ReturnType<typeof createPriceBook>) {
  const query = (more: Partial<PriceQuery>): PriceQuery => ({ provider: 'acme', model: 'm', at: AT, ...more })
  return {
    pico: (usage: Usage, more: Partial<PriceQuery> = {}) => book.price(usage, query(more))?.pico,
    labels: (usage: Usage, more: Partial<PriceQuery> = {}) =>
      book.price(usage, query(more))?.lines.map(({ rate }) => rate),
    why: (usage: Usage, more: Partial<PriceQuery> = {}) => book.why(usage, query(more))?.reason,
  }
}

const at = (time: string) => ({ at: Date.parse(time) })
const ONE: Usage = { 'input.text': 1 }

describe('times', () => {
  it('hold from the first moment of a day to the last of another', () => {
    const { pico, why } = asker(
      bookOf({
        rows: [
          { from: '2026-03-01', rates: [1] },
          { from: '2026-06-01', until: '2026-06-30', rates: [2] },
        ],
      }),
    )
    expect(pico(ONE, at('2026-02-28T23:59:59.999Z'))).toBeUndefined()
    expect(why(ONE, at('2026-02-28T23:59:59.999Z'))).toBe('before-first-price')
    expect(pico(ONE, at('2026-03-01T00:00:00Z'))).toBe(1n)
    expect(pico(ONE, at('2026-05-31T23:59:59.999Z'))).toBe(1n)
    expect(pico(ONE, at('2026-06-01T00:00:00Z'))).toBe(2n)
    expect(pico(ONE, at('2026-06-30T23:59:59.999Z'))).toBe(2n)
    expect(pico(ONE, at('2026-07-01T00:00:00Z'))).toBe(1n)
  })

  it('can begin and end at a moment', () => {
    const { pico, why } = asker(
      bookOf({ rows: [{ from: '2026-03-01T16:00:00Z', until: '2026-03-02T16:00:00Z', rates: [1] }] }),
    )
    expect(pico(ONE, at('2026-03-01T15:59:59.999Z'))).toBeUndefined()
    expect(pico(ONE, at('2026-03-01T16:00:00Z'))).toBe(1n)
    expect(pico(ONE, at('2026-03-02T15:59:59.999Z'))).toBe(1n)
    expect(why(ONE, at('2026-03-02T16:00:00Z'))).toBe('no-price-then')
  })

  it('take hours across midnight', () => {
    const { pico } = asker(bookOf({ rows: [{ rates: [2] }, { hours: ['22:00-06:00'], rates: [1] }] }))
    const clock = ['05:59', '06:00', '21:59', '22:00', '23:59', '00:00']
    expect(clock.map((time) => pico(ONE, at(`2026-01-01T${time}:00Z`)))).toEqual([1n, 2n, 2n, 1n, 1n, 1n])
  })

  it('know weekdays and holidays, whatever was asked before', () => {
    const book = bookOf(
      {
        rows: [
          { rates: [1] },
          { days: [1, 2, 3, 4, 5], hours: ['01:00-04:00', '06:00-10:00'], except: 'feasts', rates: [2] },
        ],
      },
      {},
      { calendars: { feasts: ['2026-10-01', '2026-10-02'] } },
    )
    const expected = (time: number) => {
      const date = new Date(time)
      const isWork = ![0, 6].includes(date.getUTCDay()) && ![1, 2].includes(date.getUTCDate())
      const hour = date.getUTCHours()
      return isWork && ((hour >= 1 && hour < 4) || (hour >= 6 && hour < 10)) ? 2n : 1n
    }
    const { pico } = asker(book)
    // Thursday and Friday are feasts; then a weekend, and four days of work.
    const times = fc.integer({ min: Date.UTC(2026, 9, 1), max: Date.UTC(2026, 9, 9) - 1 })
    fc.assert(
      fc.property(times, (time) => {
        expect(pico(ONE, { at: time })).toBe(expected(time))
      }),
      { numRuns: 300 },
    )
    for (const edge of ['2026-10-05T01:00:00Z', '2026-10-05T04:00:00Z', '2026-10-03T00:00:00Z'])
      for (const off of [-1, 0, 1]) {
        const time = Date.parse(edge) + off
        expect([time, pico(ONE, { at: time })]).toEqual([time, expected(time)])
      }
  })

  it.each([
    [Number.NaN, 'no-price-then'],
    [Number.POSITIVE_INFINITY, 'no-price-then'],
    [Number.NEGATIVE_INFINITY, 'before-first-price'],
    [1e300, 'no-price-then'],
    // Seconds, where milliseconds are meant.
    [1_763_000_000, 'before-first-price'],
    [0, 'before-first-price'],
  ])('of %s have no price: %s', (time, reason) => {
    const { pico, why } = asker(bookOf({ rows: [{ rates: [1] }, { except: 'feasts', rates: [2] }] }))
    expect(pico(ONE, { at: time })).toBeUndefined()
    expect(why(ONE, { at: time })).toBe(reason)
    expect(pico(ONE)).toBe(2n)
  })
})

describe('a place', () => {
  const { pico, labels, why } = asker(
    bookOf(
      {
        rows: [{ rates: { 'input.text': 10, 'output.text': 15, 'fee.web_search': 1000, 'unit.input_pages': 7 } }],
        tiers: { batch: [{ rates: [5] }] },
      },
      {
        modifiers: [
          { geo: 'us', models: ['m'], multiply: '11/10', source: 0 },
          { geo: 'eu', models: ['n*'], multiply: '11/10', source: 0 },
          { geo: 'us', models: ['*'], from: '2026-12-01', multiply: '6/5', source: 0 },
        ],
      },
    ),
  )

  it('multiplies tokens, never fees or pages', () => {
    expect(pico({ 'input.text': 3, 'fee.web_search': 2, 'unit.input_pages': 1 }, { geo: 'us' })).toBe(33n + 2000n + 7n)
    expect(labels({ 'output.text': 1, 'fee.web_search': 1 }, { geo: 'US' })).toEqual(['acme/m^us*1.1', 'acme/m'])
  })

  it('is combined with the rate, and the line rounded once, half to even', () => {
    // 16.5 a token: 16.5, 33, 49.5, 66.
    expect([1, 2, 3, 4].map((n) => pico({ 'output.text': n }, { geo: 'us' }))).toEqual([16n, 33n, 50n, 66n])
  })

  it('stands on top of a tier, and changes with its date', () => {
    // 5.5
    expect(pico({ 'input.text': 2 }, { geo: 'us', serviceTier: 'batch' })).toBe(11n)
    expect(pico({ 'input.text': 1 }, { geo: 'us', ...at('2026-11-30T23:59:59Z') })).toBe(11n)
    expect(pico({ 'input.text': 1 }, { geo: 'us', ...at('2026-12-01T00:00:00Z') })).toBe(12n)
  })

  it('costs nothing more where other models have a surcharge, and is unknown where nothing is said of it', () => {
    expect(pico({ 'input.text': 1 }, { geo: 'eu' })).toBe(10n)
    expect(pico({ 'input.text': 1 }, { geo: 'global' })).toBe(10n)
    expect(pico({ 'input.text': 1 }, { geo: '' })).toBe(10n)
    expect(pico({ 'input.text': 1 }, { geo: 'mars' })).toBeUndefined()
    expect(why({ 'input.text': 1 }, { geo: 'mars' })).toBe('unknown-geo')
  })
})

describe('a variant', () => {
  const rows = [
    { rates: { 'input.text': 2, 'unit.output_images': 50 } },
    { variant: '1024x1024/high', rates: { 'unit.output_images': 170 } },
    { variant: '1024x1024/low', from: '2026-12-01', rates: { 'unit.output_images': 10 } },
  ]

  it('has the price of its row, and all else that of the row without one', () => {
    const { pico, labels } = asker(bookOf({ rows }))
    const usage: Usage = { 'input.text': 3, 'unit.output_images': 2 }
    expect(pico(usage, { variant: '1024X1024/High' })).toBe(346n)
    expect(labels(usage, { variant: '1024x1024/high' })).toEqual(['acme/m', 'acme/m[1024x1024/high]'])
    expect(pico(usage)).toBe(106n)
  })

  it('without a row has the published price of every variant, where there is one', () => {
    const one: Usage = { 'unit.output_images': 1 }
    expect(asker(bookOf({ rows })).pico(one, { variant: 'x' })).toBe(50n)
    expect(asker(bookOf({ rows })).pico(one, { variant: '1024x1024/low' })).toBe(50n)
    const special = asker(bookOf({ rows: rows.slice(1) }))
    expect(special.pico(one, { variant: '1024x1024/high' })).toBe(170n)
    expect(special.pico(one, { variant: 'x' })).toBeUndefined()
    expect(special.why(one, { variant: 'x' })).toBe('unknown-bucket')
    expect(special.pico(one)).toBeUndefined()
  })
})

describe('fees', () => {
  const fees: ProviderData['fees'] = [
    { models: ['*'], rates: { 'fee.web_search': 10, 'fee.file_search': 3 }, source: 0 },
    { models: ['m*'], from: '2026-06-01', rates: { 'fee.web_search': 20 }, source: 0 },
  ]
  const searched: Usage = { 'fee.web_search': 1 }

  it('hold for models that have none, from their day on', () => {
    const { pico, labels } = asker(bookOf({ rows: [{ rates: [1] }] }, { fees }))
    expect(pico(searched, at('2026-05-31T12:00:00Z'))).toBe(10n)
    expect(pico(searched)).toBe(20n)
    expect(labels({ ...searched, 'fee.file_search': 1 })).toEqual(['acme/fees:m*@2026-06-01', 'acme/fees:*'])
  })

  it('stand behind those of the row, and of the standard row where a tier has none', () => {
    const { pico } = asker(
      bookOf({ rows: [{ rates: { 'fee.web_search': 5 } }], tiers: { batch: [{ rates: [1] }] } }, { fees }),
    )
    expect(pico(searched)).toBe(5n)
    expect(pico({ ...searched, 'fee.file_search': 1 }, { serviceTier: 'batch' })).toBe(8n)
  })

  it('give no price to a model that has none', () => {
    const { pico, why } = asker(bookOf({ rows: [] }, { fees }))
    expect(pico(searched)).toBeUndefined()
    expect(why(searched)).toBe('unpriced-model')
  })
})

describe('a rate that is no whole number of pico-dollars', () => {
  // 10,000 pico-dollars a minute: 166 and two thirds a second.
  const { pico } = asker(bookOf({ rows: [{ rates: { 'unit.session_seconds': '0.00000001/60' } }] }))

  it.each([
    [60, 10_000n],
    [1, 167n],
    [2, 333n],
    [0.5, 83n],
    [90, 15_000n],
    [1e15, 166_666_666_666_666_667n],
  ])('for %d seconds: %s', (seconds, expected) => {
    expect(pico({ 'unit.session_seconds': seconds })).toBe(expected)
  })

  it('is rounded half to even', () => {
    // 2.5 pico-dollars a second.
    const half = asker(bookOf({ rows: [{ rates: { 'unit.session_seconds': '0.00000000001/4' } }] }))
    expect([1, 2, 3, 5, 7].map((n) => half.pico({ 'unit.session_seconds': n }))).toEqual([2n, 5n, 8n, 12n, 18n])
  })

  it('is off by half a pico-dollar at most, and adds up to whole minutes exactly', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), (seconds) => {
        const cost = pico({ 'unit.session_seconds': seconds }) ?? -1n
        const error = cost * 60n - BigInt(seconds) * 10_000n
        expect((error < 0n ? -error : error) * 2n <= 60n).toBe(true)
        expect(pico({ 'unit.session_seconds': seconds * 60 })).toBe(BigInt(seconds) * 10_000n)
      }),
    )
  })
})

describe('sums', () => {
  const book = bookOf({ rows: [{ rates: [3, 11] }], tiers: { flex: [{ rates: [2, 7] }] } })
  const calls = fc.array(
    fc.record({
      usage: fc.record({ 'input.text': fc.nat(1_000_000), 'output.text': fc.nat(1_000_000) }),
      serviceTier: fc.constantFrom(undefined, 'flex'),
    }),
    { maxLength: 30 },
  )
  const costOf = ({ usage, serviceTier }: { usage: Usage; serviceTier: string | undefined }) =>
    book.price(usage, { provider: 'acme', model: 'm', at: AT, serviceTier })!
  const sum = (numbers: readonly bigint[]) => numbers.reduce((total, pico) => total + pico, 0n)

  it('are the same in any order and by any grouping, of calls and of their lines', () => {
    fc.assert(
      fc.property(calls, fc.nat(6), (list, groups) => {
        const total = sum(list.map((call) => costOf(call).pico))
        expect(sum(list.toReversed().map((call) => costOf(call).pico))).toBe(total)
        const grouped = Array.from({ length: groups + 1 }, (_, group) =>
          list.filter((_call, at) => at % (groups + 1) === group),
        )
        expect(sum(grouped.map((group) => sum(group.map((call) => costOf(call).pico))))).toBe(total)
        const lines = list.flatMap((call) => costOf(call).lines)
        expect(sum(lines.map(({ costUsd }) => parseUsd(costUsd)!))).toBe(total)
        const merged = [undefined, 'flex'].map((serviceTier) => {
          const same = list.filter((call) => call.serviceTier === serviceTier)
          const all = (bucket: 'input.text' | 'output.text') =>
            same.reduce((count, { usage }) => count + usage[bucket], 0)
          return { serviceTier, usage: { 'input.text': all('input.text'), 'output.text': all('output.text') } }
        })
        expect(sum(merged.map((call) => costOf(call).pico))).toBe(total)
      }),
    )
  })

  it('have no line for what was not used', () => {
    expect(costOf({ usage: { 'input.text': 0, 'output.text': 1 }, serviceTier: undefined }).lines).toHaveLength(1)
  })
})

describe('why there is no price', () => {
  const book = bookOf(
    {
      rows: [{ rates: [1], above: [[100, null]] }],
      tiers: { batch: [{ from: '2027-01-01', rates: [1] }] },
    },
    {
      models: [
        { ids: ['free-of-prices'], rows: [] },
        { ids: ['dearer-in-eu'], rows: [{ rates: [1] }] },
      ],
      modifiers: [{ geo: 'eu', models: ['dearer-in-eu'], multiply: '11/10', source: 0 }],
    },
  )
  const { why, pico } = asker(book)

  it.each<[Usage, Partial<PriceQuery>, string | undefined]>([
    [ONE, {}, undefined],
    [{}, {}, undefined],
    [ONE, { provider: 'nobody' }, 'unknown-provider'],
    [ONE, { model: 'nothing' }, 'unknown-model'],
    [ONE, { model: 'x'.repeat(10_000) }, 'unknown-model'],
    [ONE, { model: 'free-of-prices' }, 'unpriced-model'],
    [ONE, { serviceTier: 'flex' }, 'unknown-tier'],
    [ONE, { serviceTier: 'batch' }, 'before-first-price'],
    [ONE, { geo: 'us' }, undefined],
    [ONE, { geo: 'us', model: 'dearer-in-eu' }, 'unknown-geo'],
    [{ 'input.text': 101 }, {}, 'unknown-band'],
    [{ 'output.video': 1 }, {}, 'unknown-bucket'],
    [{ 'fee.moon_dust': 1 } as Usage, {}, 'unknown-bucket'],
    [{ 'input.text': -1 }, {}, 'bad-quantity'],
    [{ 'input.text': Number.NaN }, {}, 'bad-quantity'],
    [{ 'output.video': Number.POSITIVE_INFINITY }, {}, 'bad-quantity'],
    [{ 'input.text': '5' } as unknown as Usage, {}, 'bad-quantity'],
  ])('%o %.60o: %s', (usage, more, reason) => {
    expect(why(usage, more)).toBe(reason)
    expect(pico(usage, more) === undefined).toBe(reason !== undefined)
  })

  it('is said in one sentence of bounded length', () => {
    const gap = book.why(ONE, { provider: 'acme', model: 'x'.repeat(10_000), at: AT })
    expect(gap?.message).toMatch(/^The price book has no model "x{100}\.\.\." of "acme"\.$/)
  })
})
