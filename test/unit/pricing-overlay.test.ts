// Prices as people write them down: what can be wrong with them, and what becomes of them in the book.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { BookData } from '../../src/pricing/book-data.ts'
import { layOver, OverlayMismatch } from '../../src/pricing/lay-over.ts'
import type { Overlay } from '../../src/pricing/overlay.ts'
import { describeFault, overlayFaults } from '../../src/pricing/overlay-faults.ts'
import type { PriceQuery } from '../../src/pricing/price.ts'
import { createPriceBook } from '../../src/pricing/price-book.ts'
import { parseRate, publishedRate, rationalRate } from '../../src/pricing/rate-text.ts'
import type { Usage } from '../../src/usage.ts'

const SOURCED = { source: 'https://acme.example/prices', read: '2026-11-22' }
const ROW = { model: 'big', from: '2026-10-01', rates: { 'input.text': '2.5' }, ...SOURCED }
const row = (more: object) => ({ provider: 'acme', rows: [{ ...ROW, ...more }] })

const AT = Date.UTC(2026, 10, 18, 12)

describe('a rate', () => {
  it.each([
    ['2.5', 'input.text', 2_500_000],
    ['0.003625', 'input.text', 3625],
    ['15', 'unit.input_characters', 15_000_000],
    ['10', 'fee.web_search', 10_000_000_000],
    ['0.04', 'unit.output_images', 40_000_000_000],
    ['2', 'unit.input_pages', 2_000_000_000],
    ['0.1', 'unit.output_seconds', 100_000_000_000],
    ['0', 'input.text', 0],
    // In another unit, or no whole number of pico-dollars: as it was written.
    ['0.006/minute', 'unit.input_seconds', '0.006/60'],
    ['0.05/hour', 'unit.session_seconds', '0.05/3600'],
    ['15/1000000', 'unit.input_characters', 15_000_000],
    ['0.03/1', 'fee.code_session', '0.03/1'],
    ['0.0000001', 'input.text', '0.0000001/1000000'],
  ] as const)('%s for %s is %s', (text, bucket, rate) => {
    expect(parseRate(text, bucket)).toBe(rate)
    const [usd, suffix = ''] = text.split('/')
    const published = publishedRate(bucket, rate)
    expect(published.usd).toBe(usd)
    expect(rationalRate(rate).den > 0n).toBe(true)
    if (suffix === 'minute') expect(published.per).toBe(60)
  })

  it.each([
    '',
    'x',
    '-1',
    '1e3',
    '1,5',
    ' 1',
    '1/',
    '/minute',
    '1/year',
    '1/0',
    '1/-5',
    '1/1.5',
    '1/2/3',
    '0.0000000000001',
    '$1',
  ])('%j is none', (text) => {
    expect(parseRate(text, 'input.text')).toBeUndefined()
  })
})

describe('faults', () => {
  it.each<[string, unknown, string]>([
    ['no object', [], 'acme.json: : expected an object with prices, got []'],
    ['no provider', { rows: [] }, 'acme.json: provider: expected the name of a provider, got nothing'],
    ['a field of its own', { provider: 'acme', row: [] }, 'acme.json: row: expected one of the fields'],
    ['no list', { provider: 'acme', rows: {} }, 'acme.json: rows: expected a list, got {}'],
    ['no model', row({ model: undefined }), 'rows[0].model: expected an id in lower case or a list, got nothing'],
    ['a capital', row({ model: 'Big' }), 'rows[0].model (Big): expected an id in lower case or a list, got "Big"'],
    ['a mark of labels', row({ model: ['big', 'b#g'] }), 'rows[0].model (big, b#g): expected an id'],
    [
      'no date',
      row({ from: undefined }),
      'rows[0].from (big): expected the day it holds from, 2026-11-22, got nothing',
    ],
    ['no such day', row({ from: '2026-02-30' }), 'got "2026-02-30"'],
    [
      'an end before its beginning',
      row({ until: '2026-09-30' }),
      'rows[0].until (big): expected no day before 2026-10-01',
    ],
    ['a weekday', row({ days: ['monday'] }), 'rows[0].days (big): expected weekdays as ["mon", "tue"], got ["monday"]'],
    ['hours', row({ hours: ['1:00-4:00'] }), 'rows[0].hours (big): expected UTC hours as ["01:00-04:00"]'],
    ['nights beside weekdays', row({ days: ['mon'], hours: ['22:00-04:00'] }), 'hours that end before midnight'],
    ['a calendar', row({ except: 'feasts' }), 'rows[0].except (big): expected the name of one of the calendars'],
    ['a tier by another name', { ...row({ tier: 'ON_DEMAND_FLEX' }) }, 'expected a tier as answers are read, flex'],
    ['no bucket', row({ rates: { input: '1' } }), 'rows[0].rates.input (big): expected a bucket of usage'],
    [
      'a number',
      row({ rates: { 'input.text': 2.5 } }),
      'rows[0].rates["input.text"] (big): expected dollars as a decimal',
    ],
    [
      'a falling band',
      row({
        above: [
          { inputTokens: 9, rates: null },
          { inputTokens: 9, rates: null },
        ],
      }),
      'above[1].inputTokens (big): expected a whole number above 9, got 9',
    ],
    [
      'a rate in a band',
      row({ above: [{ inputTokens: 9, rates: { 'input.text': 'x' } }] }),
      'above[0].rates["input.text"]',
    ],
    ['no page', row({ source: 'the web' }), 'rows[0].source (big): expected the page it was read on'],
    ['no day of reading', row({ read: 'today' }), 'rows[0].read (big): expected the day it was read'],
    [
      'a fee for tokens',
      { provider: 'acme', fees: [{ models: ['*'], from: '2026-01-01', rates: { 'input.text': '1' }, ...SOURCED }] },
      'fees[0].rates["input.text"] (*): expected a bucket of usage that can be priced here',
    ],
    [
      'a factor',
      { provider: 'acme', modifiers: [{ geo: 'us', models: ['*'], multiply: '1.1x', from: '2026-01-01', ...SOURCED }] },
      'modifiers[0].multiply (*): expected a factor in quotes, "11/10", got "1.1x"',
    ],
    [
      'an alias of itself',
      { provider: 'acme', aliases: [{ model: 'a', is: 'a', ...SOURCED }] },
      'aliases[0].is (a): expected the id of another model',
    ],
    [
      'a holiday',
      { provider: 'acme', calendars: { feasts: { dates: ['soon'], ...SOURCED } } },
      'calendars.feasts.dates: expected a list of days',
    ],
    [
      'a limit',
      { provider: 'acme', limits: [{ model: 'a', maxOutputTokens: 0, ...SOURCED }] },
      'limits[0].maxOutputTokens (a): expected a whole number above 0, got 0',
    ],
  ])('%s', (_name, overlay, message) => {
    const faults = overlayFaults(overlay).map((fault) => describeFault('acme.json', overlay, fault))
    expect(faults.join('\n')).toContain(message)
    expect(faults.length).toBeGreaterThan(0)
  })

  it('are all told at once', () => {
    expect(overlayFaults(row({ from: 'x', read: 'x', rates: { 'input.text': 'x' } }))).toHaveLength(3)
  })

  it.each(readdirSync(new URL('../../src/pricing/data/overlay/', import.meta.url)))('%s has none', (file) => {
    const overlay = JSON.parse(readFileSync(new URL(`../../src/pricing/data/overlay/${file}`, import.meta.url), 'utf8'))
    expect(overlayFaults(overlay)).toEqual([])
    expect(`${overlay.provider}.json`).toBe(file)
  })
})

describe('laid over a book', () => {
  const base: BookData = {
    version: 'test',
    columns: ['input.text', 'output.text'],
    sources: [['https://package.example', '2026-09-23']],
    providers: {
      acme: {
        source: 0,
        models: [
          {
            ids: ['big', 'big-alias'],
            rows: [
              { rates: [1, 1] },
              { from: '2026-08-01', rates: [2, 2] },
              { from: '2026-11-01', rates: [9, 9] },
              { hours: ['00:00-23:59'], rates: [8, 8] },
            ],
          },
          { ids: ['other'], rows: [{ rates: [5] }] },
        ],
      },
    },
  }
  function pricing(overlay: Omit<Overlay, 'provider'>, from: BookData = base) {
    const laid = { provider: 'acme', ...overlay }
    expect(overlayFaults(laid)).toEqual([])
    const book = createPriceBook(layOver(from, laid))
    return (model: string, day: string, more: Partial<PriceQuery> = {}, usage: Usage = { 'input.text': 1 }) => {
      const query = { provider: 'acme', model, at: Date.parse(`${day}T12:00:00Z`), ...more }
      return [Number(book.price(usage, query)?.pico ?? -1), book.why(usage, query)?.reason ?? 'priced']
    }
  }
  const OF = { model: 'big', ...SOURCED }
  const rate = (usd: string) => ({ rates: { 'input.text': usd } })

  it('it is all there is from its first day on; what was before stays', () => {
    const ask = pricing({ rows: [{ ...OF, from: '2026-10-01', ...rate('0.000003') }] })
    expect([ask('big', '2026-07-01'), ask('big', '2026-09-30')]).toEqual([
      [1, 'priced'],
      [2, 'priced'],
    ])
    expect([ask('big', '2026-10-01'), ask('big-alias', '2026-11-22')]).toEqual([
      [3, 'priced'],
      [3, 'priced'],
    ])
    expect(ask('big', '2026-11-22', {}, { 'output.text': 1 })).toEqual([-1, 'unknown-bucket'])
    expect(ask('other', '2026-11-22')).toEqual([5, 'priced'])
  })

  describe('a call made before the model existed has no price', () => {
    const row = { ...OF, model: 'other', ...rate('0.000003') }
    const laid = (overlay: Overlay) => {
      const book = createPriceBook(layOver(base, overlay, { undatedAsOf: '2026-09-23' }))
      return (model: string, day: string) => {
        const query = { provider: 'acme', model, at: Date.parse(`${day}T12:00:00Z`) }
        return [
          Number(book.price({ 'input.text': 1 }, query)?.pico ?? -1),
          book.why({ 'input.text': 1 }, query)?.reason,
        ]
      }
    }

    it('where the first row is that of the release', () => {
      const ask = laid({ provider: 'acme', rows: [{ ...row, from: '2026-05-01' }] })
      expect([ask('other', '2026-04-30'), ask('other', '2026-05-01')]).toEqual([
        [-1, 'before-first-price'],
        [3, undefined],
      ])
    })

    it.each([
      ['it succeeds a price', '2026-05-01', true],
      ['it came after the package was read', '2026-10-01', undefined],
    ] as const)('and has the older one where %s', (_, from, succeeds) => {
      const ask = laid({ provider: 'acme', rows: [{ ...row, from, ...(succeeds && { succeeds }) }] })
      expect([ask('other', '2026-04-30'), ask('other', '2026-11-22')]).toEqual([
        [5, undefined],
        [3, undefined],
      ])
    })

    it('and where a dated price stands between the two', () => {
      const ask = laid({ provider: 'acme', rows: [{ ...row, model: 'big', from: '2026-09-01' }] })
      expect([ask('big', '2026-07-31'), ask('big', '2026-08-31'), ask('big', '2026-09-01')]).toEqual([
        [1, undefined],
        [2, undefined],
        [3, undefined],
      ])
    })
  })

  it('what it ended does not come back when its own rows end', () => {
    const ask = pricing({ rows: [{ ...OF, from: '2026-10-01', until: '2026-10-31', ...rate('0.000003') }] })
    expect(ask('big', '2026-10-31')).toEqual([3, 'priced'])
    expect(ask('big', '2026-11-22')).toEqual([-1, 'no-price-then'])
  })

  it('the row that began last counts, in whatever order they were written', () => {
    const ask = pricing({
      rows: [
        { ...OF, from: '2026-11-01', ...rate('0.000004') },
        { ...OF, from: '2026-10-01', ...rate('0.000003') },
      ],
    })
    expect(ask('big', '2026-11-22')).toEqual([4, 'priced'])
  })

  it('a tier, a variant and a new model leave the rest alone', () => {
    const ask = pricing({
      rows: [
        { ...OF, tier: 'batch', from: '2026-10-01', ...rate('0.000003') },
        { ...OF, variant: 'hd', from: '2026-10-01', rates: { 'unit.output_images': '0.000000000007' } },
        { ...OF, model: ['new', 'newer'], from: '2026-10-01', ...rate('0.000006') },
      ],
    })
    expect(ask('big', '2026-11-22')).toEqual([8, 'priced'])
    expect(ask('big', '2026-11-22', { serviceTier: 'batch' })).toEqual([3, 'priced'])
    expect(ask('big', '2026-11-22', { variant: 'hd' }, { 'unit.output_images': 1 })).toEqual([7, 'priced'])
    expect([ask('new', '2026-11-22'), ask('newer', '2026-11-22')]).toEqual([
      [6, 'priced'],
      [6, 'priced'],
    ])
  })

  it('an alias leads to another model, wherever it led before', () => {
    const ask = pricing({ aliases: [{ model: 'big-alias', is: 'other', ...SOURCED }] })
    expect(ask('big-alias', '2026-11-22')).toEqual([5, 'priced'])
    expect(() => layOver(base, { provider: 'acme', aliases: [{ model: 'a', is: 'nobody', ...SOURCED }] })).toThrow(
      OverlayMismatch,
    )
  })

  it('holidays, fees, surcharges and limits come along', () => {
    const overlay: Overlay = {
      provider: 'acme',
      calendars: { feasts: { dates: ['2026-11-22'], ...SOURCED } },
      rows: [
        { ...OF, from: '2026-10-01', ...rate('0.000002') },
        { ...OF, from: '2026-10-01', hours: ['00:00-23:00'], except: 'feasts', ...rate('0.000004') },
      ],
      fees: [{ models: ['*'], from: '2026-01-01', rates: { 'fee.web_search': '0.000000011' }, ...SOURCED }],
      modifiers: [{ geo: 'us', models: ['big'], multiply: '3/2', from: '2026-01-01', ...SOURCED }],
      limits: [{ model: 'big', maxOutputTokens: 99, ...SOURCED }],
    }
    const ask = pricing(overlay)
    expect([ask('big', '2026-11-21'), ask('big', '2026-11-22')]).toEqual([
      [4, 'priced'],
      [2, 'priced'],
    ])
    expect(ask('big', '2026-11-22', { geo: 'us' }, { 'input.text': 1, 'fee.web_search': 1 })).toEqual([14, 'priced'])
    const book = createPriceBook(layOver(base, overlay))
    expect(book.maxOutputTokens({ provider: 'acme', model: 'big', at: AT })).toBe(99)
    expect(book.read).toBe('2026-11-22')
  })

  it('the book below stays as it was', () => {
    const before = JSON.stringify(base)
    pricing({
      rows: [{ ...OF, from: '2026-10-01', ...rate('3') }],
      aliases: [{ model: 'other', is: 'big', ...SOURCED }],
    })
    expect(JSON.stringify(base)).toBe(before)
  })
})
