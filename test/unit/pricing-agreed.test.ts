// Prices of one's own, laid over the book.

import { describe, expect, it } from 'vitest'
import { formatUsd } from '../../src/money.ts'
import type { AgreedPrice } from '../../src/pricing/agreed-prices.ts'
import type { PriceQuery } from '../../src/pricing/price.ts'
import { createPriceBook } from '../../src/pricing/price-book.ts'
import type { Usage } from '../../src/usage.ts'

const AT = Date.UTC(2026, 10, 18, 12)
const M = 1_000_000

const list = createPriceBook({
  version: 'test',
  columns: ['input.text', 'output.text', 'fee.web_search'],
  providers: {
    openai: {
      models: [
        {
          ids: ['gpt-5', 'gpt-5-latest'],
          rows: [{ rates: [M, 4 * M, 10 * M], above: [[1000, [2 * M, 6 * M, 10 * M]]] }],
          tiers: { batch: [{ rates: [M / 2, 2 * M] }] },
        },
        { ids: ['gpt-4o'], family: [{ starts_with: 'gpt-4o-' }], rows: [{ rates: [3, 9] }] },
      ],
      modifiers: [{ geo: 'eu', models: ['gpt-5'], multiply: '11/10', source: 0 }],
    },
  },
})

function usd(rules: readonly AgreedPrice[], usage: Usage, more: Partial<PriceQuery> = {}) {
  const cost = list.withPrices(rules).price(usage, { provider: 'openai', model: 'gpt-5', at: AT, ...more })
  return cost && [formatUsd(cost.pico), cost.source, ...cost.lines.map(({ rate }) => rate)]
}
const at = (time: string) => ({ at: Date.parse(time) })
const IN: Usage = { 'input.text': 100 }

describe('a rate', () => {
  it('takes the place of the book’s, at any length and in any place; other buckets stay', () => {
    const rules = [{ model: 'gpt-5', rates: { 'input.text': '0.8' } }]
    expect(usd(rules, IN)).toEqual(['0.00008', 'priced', 'agreed:1'])
    expect(usd(rules, { 'input.text': 2000 })).toEqual(['0.0016', 'priced', 'agreed:1'])
    expect(usd(rules, IN, { geo: 'eu' })).toEqual(['0.00008', 'priced', 'agreed:1'])
    expect(usd(rules, { 'output.text': 1 }, { geo: 'eu' })).toEqual(['0.0000044', 'priced', 'openai/gpt-5^eu*1.1'])
  })

  it('prices what no book knows: a model or a host of one’s own', () => {
    const rules = [{ name: 'gpu', provider: 'llm.acme.example', rates: { 'input.text': '1', 'output.text': '2' } }]
    const own = { provider: 'llm.acme.example', model: 'llama' }
    expect(usd(rules, { 'output.reasoning': 10 }, own)).toEqual(['0.00002', 'priced', 'agreed:gpu'])
    expect(usd(rules, { 'output.audio': 10 }, own)).toBeUndefined()
    expect(list.withPrices(rules).why({ 'output.audio': 1 }, { ...own, at: AT })?.reason).toBe('unknown-bucket')
    expect(usd([{ rates: { 'input.text': '1' } }], IN, { serviceTier: 'flex' })?.[0]).toBe('0.0001')
    expect(usd([{ rates: { 'input.text': '1' } }], IN, { geo: 'mars' })?.[0]).toBe('0.0001')
  })

  it('is no guess, though the model that it is of was guessed', () => {
    const rules = [{ model: 'gpt-4o-x', rates: { 'input.text': '1' } }]
    expect(usd(rules, IN, { model: 'gpt-4o-x' })?.[1]).toBe('priced')
    expect(usd(rules, { 'input.text': 1, 'output.text': 1 }, { model: 'gpt-4o-x' })?.[1]).toBe('fallback')
  })

  it('can be for another unit', () => {
    const rules = [{ rates: { 'unit.session_seconds': '0.05/minute' } }]
    expect(usd(rules, { 'unit.session_seconds': 90 })?.[0]).toBe('0.075')
    expect(usd(rules, { 'unit.session_seconds': 1 })?.[0]).toBe('0.000833333333')
  })
})

describe('a factor', () => {
  it('multiplies every rate of the book, or all but the fees', () => {
    const usage = { 'input.text': 100, 'fee.web_search': 1 }
    expect(usd([{ multiply: '0.85' }], usage)).toEqual([
      '0.0000935',
      'priced',
      'openai/gpt-5!1*0.85',
      'openai/gpt-5!1*0.85',
    ])
    expect(usd([{ multiply: '17/20', fees: false }], usage)).toEqual([
      '0.000095',
      'priced',
      'openai/gpt-5!1*0.85',
      'openai/gpt-5',
    ])
  })

  it('stands on top of tier, band and place, and is rounded with them once', () => {
    expect(usd([{ multiply: '1/3' }], { 'input.text': 1 }, { geo: 'eu' })?.[0]).toBe('0.000000366667')
    expect(usd([{ multiply: '1/3' }], { 'input.text': 3 }, { geo: 'eu' })?.[0]).toBe('0.0000011')
    expect(usd([{ multiply: '0.5' }], IN, { serviceTier: 'batch' })?.[0]).toBe('0.000025')
    expect(usd([{ multiply: '0.5' }], { 'input.text': 2000 })?.[0]).toBe('0.002')
  })

  it('of 0 makes it free, and leaves unknown what is', () => {
    expect(usd([{ multiply: '0' }], IN)?.[0]).toBe('0')
    expect(usd([{ multiply: '0' }], IN, { model: 'gpt-none' })).toBeUndefined()
    expect(usd([{ multiply: '0' }], IN, { serviceTier: 'flex' })).toBeUndefined()
  })
})

describe('of the rules that match, the last one counts', () => {
  const rules: AgreedPrice[] = [
    { name: 'all', multiply: '0.9' },
    { name: 'five', model: 'gpt-5*', multiply: '0.8' },
    { name: 'acme', tenantId: 'acme', multiply: '0.5' },
    { name: 'batch', tier: 'batch', rates: { 'input.text': '0.1' } },
    { name: 'eu', geo: 'eu', multiply: '2' },
    { name: 'world', geo: 'global', provider: 'azure', multiply: '3' },
    { name: 'soon', from: '2026-12-01', until: '2026-12-31', rates: { 'input.text': '7' } },
  ]

  it.each<[Partial<PriceQuery>, string]>([
    [{}, 'openai/gpt-5!five*0.8'],
    [{ model: 'gpt-5-latest' }, 'openai/gpt-5!five*0.8'],
    [{ model: 'GPT-4o' }, 'openai/gpt-4o!all*0.9'],
    [{ tenantId: 'acme' }, 'openai/gpt-5!acme*0.5'],
    [{ tenantId: 'other' }, 'openai/gpt-5!five*0.8'],
    [{ tenantId: 'acme', serviceTier: 'batch' }, 'agreed:batch'],
    [{ geo: 'eu' }, 'openai/gpt-5^eu*1.1!eu*2'],
    [at('2026-11-30T23:59:59.999Z'), 'openai/gpt-5!five*0.8'],
    [at('2026-12-01T00:00:00Z'), 'agreed:soon'],
    [at('2026-12-31T23:59:59.999Z'), 'agreed:soon'],
    [at('2027-01-01T00:00:00Z'), 'openai/gpt-5!five*0.8'],
  ])('%o: %s', (more, label) => {
    expect(usd(rules, IN, more)?.[2]).toBe(label)
  })

  it('stay apart for every tenant, in one book', () => {
    const book = list.withPrices(rules)
    const of = (tenantId?: string) => book.price(IN, { provider: 'openai', model: 'gpt-5', at: AT, tenantId })?.pico
    expect([of('acme'), of(), of('acme'), of('other')]).toEqual([50n, 80n, 50n, 80n].map((n) => n * BigInt(M)))
  })

  it('can be added in turn, and the book below stays as it was', () => {
    const both = list.withPrices([{ multiply: '0.5' }]).withPrices([{ tenantId: 'acme', multiply: '0.25' }])
    const of = (book: typeof list, tenantId?: string) =>
      book.price(IN, { provider: 'openai', model: 'gpt-5', at: AT, tenantId })?.pico
    expect([of(both), of(both, 'acme'), of(list, 'acme')]).toEqual([50n, 25n, 100n].map((n) => n * BigInt(M)))
  })
})

it('a ceiling is of what was agreed', () => {
  const book = list.withPrices([{ rates: { 'input.text': '0.5' } }])
  const query = { provider: 'openai', model: 'gpt-5', at: AT }
  expect(book.ceiling({ inputTokens: 100, outputTokens: 0 }, query)).toBe(50n * BigInt(M))
  expect(list.ceiling({ inputTokens: 100, outputTokens: 0 }, query)).toBe(100n * BigInt(M))
})

it('a line leads back to the contract', () => {
  const book = list.withPrices([
    { name: 'frame #7', rates: { 'input.text': '0.5' }, source: 'contract of 2026-01-31', read: '2026-02-01' },
    { name: 'half!', multiply: '1/2', tenantId: 'acme' },
  ])
  const line = (tenantId?: string) =>
    book.price(IN, { provider: 'openai', model: 'gpt-5', at: AT, tenantId })!.lines[0]!.rate
  expect(line()).toBe('agreed:frame _7')
  expect(book.rateOf(line(), 'input.text')).toEqual({
    bucket: 'input.text',
    usd: '0.5',
    per: M,
    page: 'contract of 2026-01-31',
    read: '2026-02-01',
  })
  expect(line('acme')).toBe('openai/gpt-5!half_*0.5')
  expect(book.rateOf(line('acme'), 'input.text')).toMatchObject({ usd: '0.5', per: M })
  expect(book.rows('openai', 'gpt-5')?.rows.filter(({ kind }) => kind === 'agreed')).toHaveLength(2)
})
