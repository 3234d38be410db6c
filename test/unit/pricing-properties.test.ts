import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { formatSmallUsd, formatUsd, parseUsd } from '../../src/money.ts'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { exactProduct } from '../../src/pricing/product.ts'
import { BUCKETS, type Bucket, tokenTotals, type Usage } from '../../src/usage.ts'

let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

const AT = Date.UTC(2026, 10, 18, 12)

/** Models that price many buckets, with the most input of their first band. */
const MODELS = [
  { provider: 'openai', model: 'gpt-6-sol', short: 272_000 },
  { provider: 'openai', model: 'gpt-realtime-2.1', short: Number.POSITIVE_INFINITY },
  { provider: 'anthropic', model: 'claude-haiku-5-5', short: 100_000 },
  { provider: 'anthropic', model: 'claude-opus-5-5', short: Number.POSITIVE_INFINITY },
  { provider: 'google', model: 'gemini-3.1-pro-preview', short: 200_000 },
  { provider: 'google', model: 'gemini-2.5-flash', short: Number.POSITIVE_INFINITY },
  { provider: 'deepseek', model: 'deepseek-v4-pro', short: Number.POSITIVE_INFINITY },
]
const models = fc.constantFrom(...MODELS)

const usagesOf = (quantity: fc.Arbitrary<number>) =>
  fc.dictionary(fc.constantFrom(...BUCKETS), quantity, { noNullPrototype: true }) as fc.Arbitrary<Usage>
/** Within the first band, were every bucket full. */
const shortUsages = usagesOf(fc.nat(Math.floor(100_000 / BUCKETS.length)))
const usages = usagesOf(fc.oneof(fc.nat(1000), fc.nat(1_000_000), fc.maxSafeNat()))

/** Only the buckets that the model has a price for, so that most cases are priced. */
function priceable(usage: Usage, query: { provider: string; model: string }): Usage {
  return Object.fromEntries(
    Object.entries(usage).filter(([bucket]) => book.price({ [bucket]: 1 }, { ...query, at: AT }) !== undefined),
  )
}

function cost(usage: Usage, query: { provider: string; model: string }) {
  const found = book.price(usage, { ...query, at: AT })
  if (!found) throw new Error(`no price for ${JSON.stringify(usage)}`)
  return found
}

describe('a cost', () => {
  it('is the sum of its lines, one for each bucket used, and never negative', () => {
    fc.assert(
      fc.property(models, usages, (query, all) => {
        const usage = priceable(all, query)
        const { pico, lines } = cost(usage, query)
        const sum = lines.reduce((total, { costUsd }) => total + parseUsd(costUsd)!, 0n)
        expect(pico).toBe(sum)
        expect(pico >= 0n).toBe(true)
        const used = Object.entries(usage).filter(([, quantity]) => quantity !== 0)
        expect(lines.map(({ bucket, quantity }) => [bucket, quantity])).toEqual(used)
      }),
    )
  })

  it('is the same however a usage is split within a band', () => {
    fc.assert(
      fc.property(models, shortUsages, fc.double({ min: 0, max: 1, noNaN: true }), (query, all, share) => {
        const {
          'unit.input_seconds': _,
          'unit.session_seconds': __,
          'unit.output_seconds': ___,
          ...whole
        } = priceable(all, query)
        const part = (take: (quantity: number) => number): Usage =>
          Object.fromEntries(Object.entries(whole).map(([bucket, quantity]) => [bucket, take(quantity)]))
        const first = part((quantity) => Math.floor(quantity * share))
        const second = part((quantity) => quantity - Math.floor(quantity * share))
        expect(cost(first, query).pico + cost(second, query).pico).toBe(cost(whole, query).pico)
      }),
    )
  })

  it('never shrinks when a bucket grows, across bands as well', () => {
    fc.assert(
      fc.property(models, usages, fc.constantFrom(...BUCKETS), fc.nat(1_000_000), (query, all, bucket, more) => {
        const usage = priceable(all, query)
        if (book.price({ [bucket]: 1 }, { ...query, at: AT }) === undefined) return
        const grown = { ...usage, [bucket]: (usage[bucket] ?? 0) + more }
        expect(cost(grown, query).pico >= cost(usage, query).pico).toBe(true)
      }),
    )
  })

  it('is unknown as soon as one bucket used is, whatever the others are', () => {
    fc.assert(
      fc.property(models, usages, fc.constantFrom(...BUCKETS), (query, all, bucket) => {
        if (book.price({ [bucket]: 1 }, { ...query, at: AT }) !== undefined) return
        expect(book.price({ ...priceable(all, query), [bucket]: 1 }, { ...query, at: AT })).toBeUndefined()
      }),
    )
  })

  it('stays within the ceiling of its tokens', () => {
    fc.assert(
      fc.property(models, usages, fc.nat(1000), fc.nat(1000), (query, all, spareInput, spareOutput) => {
        const tokens = Object.entries(priceable(all, query)).filter(([bucket]) => /^(?:in|out)put\./.test(bucket))
        const usage: Usage = Object.fromEntries(tokens)
        const { inputTokens, outputTokens } = tokenTotals(usage)
        const ceiling = book.ceiling(
          { inputTokens: inputTokens + spareInput, outputTokens: outputTokens + spareOutput },
          { ...query, at: AT },
        )
        if (inputTokens <= Number.MAX_SAFE_INTEGER && outputTokens <= Number.MAX_SAFE_INTEGER)
          expect(cost(usage, query).pico <= ceiling!).toBe(true)
      }),
    )
  })
})

describe('in the first band', () => {
  it('a bucket costs its rate times its quantity', () => {
    const inFirst = fc.record({ query: models, bucket: fc.constantFrom<Bucket>(...BUCKETS), quantity: fc.nat(100_000) })
    fc.assert(
      fc.property(inFirst, ({ query, bucket, quantity }) => {
        // Priced by the minute or the hour: rounded.
        if (bucket.endsWith('_seconds')) return
        const one = book.price({ [bucket]: 1 }, { ...query, at: AT })
        if (one) expect(cost({ [bucket]: quantity }, query).pico).toBe(one.pico * BigInt(quantity))
      }),
    )
  })
})

describe('arithmetic', () => {
  it('writes a sum with the digits of a long division, small or large', () => {
    const divided = (pico: bigint) =>
      `${pico / 10n ** 12n}.${String(pico % 10n ** 12n).padStart(12, '0')}`.replace(/\.?0+$/, '')
    const edges = [0, 1, 999, 1000, 999_999, 1_000_000, 999_999_999_999, 1e12, 1e12 + 1, Number.MAX_SAFE_INTEGER]
    for (const pico of edges) expect(formatSmallUsd(pico)).toBe(divided(BigInt(pico)))
    fc.assert(
      fc.property(fc.oneof(fc.nat(2_000_000), fc.maxSafeNat()), (pico) => {
        expect(formatSmallUsd(pico)).toBe(divided(BigInt(pico)))
      }),
    )
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 80n }), (pico) => {
        expect(formatUsd(pico)).toBe(divided(pico))
        if (pico > 0n) expect(formatUsd(-pico)).toBe(`-${divided(pico)}`)
      }),
    )
  })

  it('takes a fraction at its decimal digits, off by at most half a pico-dollar', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000_000), fc.nat(9), fc.nat(1_000_000_000), (digits, places, rate) => {
        const quantity = Number(`${digits}e-${places}`)
        const error =
          exactProduct(quantity, { num: BigInt(rate), den: 1n }) * 10n ** BigInt(places) - BigInt(digits) * BigInt(rate)
        expect((error < 0n ? -error : error) * 2n <= 10n ** BigInt(places)).toBe(true)
      }),
    )
  })
})
