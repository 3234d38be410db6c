import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { formatUsd } from '../../src/money.ts'
import type { BookData } from '../../src/pricing/book-data.ts'
import type { CallSize, PriceBook, PriceQuery } from '../../src/pricing/price.ts'
import { createPriceBook, loadPriceBook } from '../../src/pricing/price-book.ts'
import { BUCKETS, type Bucket, tokenTotals, type Usage } from '../../src/usage.ts'

const AT = Date.UTC(2026, 10, 18, 12)
const M = 1_000_000

let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

const ceiling = (provider: string, model: string, size: CallSize, more: Partial<PriceQuery> = {}) => {
  const pico = book.ceiling(size, { provider, model, at: AT, ...more })
  return pico === undefined ? undefined : formatUsd(pico)
}

describe('of tokens', () => {
  it.each<[string, string, number, number, string | undefined]>([
    ['openai', 'gpt-4o', M, M, '12.5'],
    // Cache writes happen unasked from GPT-5.6 on, at 1.25x.
    ['openai', 'gpt-6-sol', 100_000, 4096, '0.29096'],
    ['openai', 'gpt-6-sol', 272_001, 1000, '1.375005'],
    // An hour in Anthropic's cache, at 2x.
    ['anthropic', 'claude-opus-5-5', 20_000, 8192, '0.32384'],
    ['anthropic', 'claude-haiku-5-5', 100_001, 0, '0.100001'],
    ['google', 'gemini-2.5-flash', 1000, 1000, '0.0035'],
    ['google', 'gemini-2.5-flash-image', 0, 1290, '0.0387'],
    ['openai', 'text-embedding-3-small', M, 0, '0.02'],
    ['openai', 'text-embedding-3-small', M, 1, undefined],
    ['openai', 'gpt-none', 1, 1, undefined],
    ['perplexity', 'sonar', 1000, 1000, '0.014'],
    ['openai', 'gpt-4o', 0, 0, '0'],
    ['openai', 'gpt-4o', 0.5, 0, '0.0000025'],
    ['openai', 'gpt-4o', -1, 0, undefined],
    ['openai', 'gpt-4o', 0, Number.NaN, undefined],
    ['openai', 'gpt-4o', Number.POSITIVE_INFINITY, 0, undefined],
  ])('%s %s, %d in and %d out: %s', (provider, model, inputTokens, outputTokens, expected) => {
    expect(ceiling(provider, model, { inputTokens, outputTokens })).toBe(expected)
  })

  it('is of the tier and the place that are asked for', () => {
    const size = { inputTokens: 1000, outputTokens: 0 }
    expect(ceiling('openai', 'gpt-5.5', size, { serviceTier: 'fast' })).toBe('0.0125')
    expect(ceiling('openai', 'gpt-5.5', size, { serviceTier: 'a-tier-of-tomorrow' })).toBeUndefined()
    expect(ceiling('anthropic', 'claude-opus-5-5', size)).toBe('0.008')
    expect(ceiling('anthropic', 'claude-opus-5-5', size, { geo: 'us' })).toBe('0.0088')
  })

  it('leaves out the cache writes that the request does not ask for, but not those of which nobody asks', () => {
    const of = (provider: string, model: string, cacheWrites?: CallSize['cacheWrites']) =>
      ceiling(provider, model, { inputTokens: M, outputTokens: 0, cacheWrites })
    const claude = (['none', '5m', '1h', undefined] as const).map((writes) => of('anthropic', 'claude-opus-5', writes))
    expect(claude).toEqual(['5', '6.25', '10', '10'])
    // Above 272,000: 4 for input, 5 for what is written.
    expect(of('openai', 'gpt-6-sol', 'none')).toBe('5')
  })

  it('leaves out sound and pictures where there are none', () => {
    const of = (input?: CallSize['input'], output?: CallSize['output']) =>
      ceiling('openai', 'gpt-realtime-2.1', {
        inputTokens: M,
        outputTokens: M,
        ...(input && { input }),
        ...(output && { output }),
      })
    expect([of(), of([], []), of(['image'], []), of([], ['audio'])]).toEqual(['96', '28', '29', '68'])
  })
})

describe('of units', () => {
  const data: BookData = {
    version: 'test',
    columns: [],
    providers: {
      acme: {
        models: [
          {
            ids: ['draws'],
            rows: [
              { rates: { 'input.text': 10, 'output.text': 20, 'fee.web_search': 1000 } },
              { variant: 'small', rates: { 'unit.output_images': 500 } },
              { variant: 'large', rates: { 'unit.output_images': 900 }, above: [[100, { 'unit.output_images': 950 }]] },
            ],
          },
          { ids: ['hears'], rows: [{ rates: { 'unit.input_seconds': '0.00000001/60' } }] },
        ],
      },
    },
  }
  const own = createPriceBook(data)
  const of = (model: string, size: Partial<CallSize>, more: Partial<PriceQuery> = {}) =>
    own.ceiling({ inputTokens: 0, outputTokens: 0, ...size }, { provider: 'acme', model, at: AT, ...more })

  it.each<[string, Partial<CallSize>, Partial<PriceQuery>, bigint | undefined]>([
    ['draws', { inputTokens: 3, units: { 'fee.web_search': 2 } }, {}, 2030n],
    ['draws', { units: { 'unit.output_images': 2 } }, { variant: 'small' }, 1000n],
    ['draws', { units: { 'unit.output_images': 2 } }, { variant: 'large' }, 1800n],
    // Which it will be is not known.
    ['draws', { units: { 'unit.output_images': 2 } }, {}, 1800n],
    ['draws', { inputTokens: 101, units: { 'unit.output_images': 2 } }, {}, 2910n],
    ['draws', { inputTokens: 100, units: { 'input.text': 1, 'unit.output_images': 1 } }, {}, 1960n],
    ['draws', { units: { 'unit.output_images': 2 } }, { variant: 'huge' }, undefined],
    ['draws', { units: { 'unit.input_seconds': 2 } }, {}, undefined],
    ['draws', { units: { 'unit.input_seconds': 0 } }, {}, 0n],
    ['draws', { units: { 'unit.output_images': -1 } }, {}, undefined],
    ['draws', { units: { 'unit.output_images': Number.NaN } }, {}, undefined],
    // 10,000 pico-dollars a minute.
    ['hears', { units: { 'unit.input_seconds': 60 } }, {}, 10_001n],
    ['hears', { units: { 'unit.input_seconds': 1.5 } }, {}, 251n],
  ])('%s %o %o: %s', (model, size, more, expected) => {
    expect(of(model, size, more)).toBe(expected)
  })
})

describe('no call costs more', () => {
  const MODELS = [
    ['openai', 'gpt-6-sol'],
    ['openai', 'gpt-realtime-2.1'],
    ['openai', 'gpt-image-1'],
    ['anthropic', 'claude-haiku-5-5'],
    ['anthropic', 'claude-opus-5-5'],
    ['google', 'gemini-3.1-pro-preview'],
    ['google', 'gemini-2.5-flash'],
    ['deepseek', 'deepseek-v4-pro'],
    ['perplexity', 'sonar'],
    ['aws', 'us.anthropic.claude-opus-5'],
  ] as const
  const usages = fc.dictionary(
    fc.constantFrom(...BUCKETS),
    fc.oneof(fc.nat(1000), fc.nat(2_000_000), fc.double({ min: 0, max: 1e6, noNaN: true })),
    { noNullPrototype: true },
  )

  it('whatever its tokens and its units are', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...MODELS),
        usages,
        fc.constantFrom(undefined, 'batch', 'flex', 'priority'),
        fc.nat(1000),
        ([provider, model], all, serviceTier, spare) => {
          const query = { provider, model, at: AT, serviceTier }
          const usage: Usage = Object.fromEntries(
            Object.entries(all)
              .filter(([bucket]) => book.price({ [bucket]: 1 }, query) !== undefined)
              .map(([bucket, quantity]) => [bucket, isToken(bucket) ? Math.ceil(quantity) : quantity]),
          )
          const cost = book.price(usage, query)
          if (!cost) return
          const { inputTokens, outputTokens } = tokenTotals(usage)
          const units: Usage = Object.fromEntries(Object.entries(usage).filter(([bucket]) => !isToken(bucket)))
          const most = book.ceiling(
            { inputTokens: inputTokens + spare, outputTokens: outputTokens + spare * hasOutput(query), units },
            query,
          )
          if (most !== undefined) expect(cost.pico <= most).toBe(true)
          else expect(knowsEveryBand(query, inputTokens + spare)).toBe(false)
        },
      ),
      { numRuns: 500 },
    )
  })

  const isToken = (bucket: string) => /^(?:in|out)put\./.test(bucket)
  const hasOutput = (query: PriceQuery) => (book.price({ 'output.text': 1 }, query) ? 1 : 0)
  const knowsEveryBand = (query: PriceQuery, inputTokens: number) =>
    BUCKETS.some((bucket: Bucket) => book.why({ [bucket]: inputTokens }, query)?.reason !== 'unknown-band') &&
    (inputTokens === 0 || book.why({ 'input.text': inputTokens }, query) === undefined)
})
