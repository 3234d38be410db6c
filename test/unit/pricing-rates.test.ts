import { beforeAll, describe, expect, it } from 'vitest'
import { formatUsd, parseUsd } from '../../src/money.ts'
import type { PriceBook, PriceQuery } from '../../src/pricing/price.ts'
import { createPriceBook, loadPriceBook } from '../../src/pricing/price-book.ts'
import type { Usage } from '../../src/usage.ts'

const AT = Date.UTC(2026, 10, 18, 12)
const M = 1_000_000

let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

function usd(usage: Usage, provider: string, model: string, more: Partial<PriceQuery> = {}): string | undefined {
  const cost = book.price(usage, { provider, model, at: AT, ...more })
  return cost && formatUsd(cost.pico)
}

/** The rate of one token, in dollars for a million. */
function rate(bucket: keyof Usage, provider: string, model: string, more: Partial<PriceQuery> = {}) {
  const cost = book.price({ [bucket]: 1 }, { provider, model, at: AT, ...more })
  return cost && formatUsd(cost.pico * BigInt(M))
}

describe('published rates, in dollars for a million tokens', () => {
  // Each figure was read on the provider's own page, apart from the price data.
  it.each<[string, string, Usage, string]>([
    ['anthropic', 'claude-fable-5-1', { 'input.text': M }, '10'],
    ['anthropic', 'claude-fable-5-1', { 'input.text.cache_read': M }, '0.25'],
    ['anthropic', 'claude-fable-5-1', { 'output.text': M }, '50'],
    ['anthropic', 'claude-opus-4-7', { 'input.text.cache_write_5m': M }, '6.25'],
    ['anthropic', 'claude-opus-4-7', { 'output.text': M }, '25'],
    ['anthropic', 'claude-opus-5-5', { 'input.text': M }, '4'],
    ['anthropic', 'claude-opus-5-5', { 'input.text.cache_read': M }, '0.2'],
    ['anthropic', 'claude-opus-5-5', { 'fee.web_search': 1000 }, '10'],
    ['aws', 'us.anthropic.claude-opus-5', { 'input.text': M }, '5.5'],
    ['aws', 'us.anthropic.claude-opus-5', { 'input.text.cache_read': M }, '0.55'],
    ['aws', 'us.anthropic.claude-opus-5', { 'input.text.cache_write_1h': M }, '11'],
    ['aws', 'us.anthropic.claude-opus-5', { 'output.text': M }, '27.5'],
    ['google', 'gemini-3-pro-image', { 'output.image': M }, '120'],
    ['google', 'gemini-3-pro-image', { 'output.reasoning': M }, '12'],
    ['google', 'gemini-3.1-flash-lite', { 'input.text': M }, '0.25'],
    ['google', 'gemini-3.1-flash-lite', { 'input.audio': M }, '0.5'],
    ['google', 'gemini-3.1-flash-lite', { 'input.audio.cache_read': M }, '0.05'],
    ['mistral', 'mistral-large-2512', { 'input.text.cache_read': M }, '0.05'],
    ['openai', 'gpt-4o', { 'input.text.cache_read': M }, '1.25'],
    ['openai', 'gpt-image-2', { 'input.image': M }, '8'],
    ['openai', 'gpt-image-2', { 'output.image': M }, '30'],
    ['openai', 'gpt-realtime-2.1', { 'input.audio': M }, '32'],
    ['openai', 'gpt-realtime-2.1', { 'input.audio.cache_read': M }, '0.4'],
    ['openai', 'gpt-realtime-2.1', { 'output.text': M }, '24'],
    ['openai', 'gpt-realtime-2.1', { 'output.audio': M }, '64'],
    ['openai', 'o3', { 'output.reasoning': M }, '8'],
  ])('%s %s %o: %s', (provider, model, usage, expected) => {
    expect(usd(usage, provider, model)).toBe(expected)
  })
})

describe('context bands', () => {
  it.each<[string, string, Usage, string]>([
    ['anthropic', 'claude-haiku-5-5', { 'input.text': 100_000, 'output.text': 1000 }, '0.0105'],
    ['anthropic', 'claude-haiku-5-5', { 'input.text': 100_001, 'output.text': 1000 }, '0.0525005'],
    // What was read from the cache counts towards the length, at its own rate.
    ['anthropic', 'claude-haiku-5-5', { 'input.text': 1, 'input.text.cache_read': 100_000 }, '0.0050005'],
    ['anthropic', 'claude-haiku-5-5', { 'input.text': 1, 'input.text.cache_write_5m': 100_000 }, '0.0625005'],
    ['anthropic', 'claude-haiku-5-5', { 'input.text': 1, 'input.text.cache_write_1h': 100_000 }, '0.1000005'],
    // Output does not.
    ['anthropic', 'claude-haiku-5-5', { 'input.text': 100_000, 'output.text': 900_000 }, '0.46'],
    ['openai', 'gpt-6-sol', { 'input.text': 272_001, 'output.text': 1000 }, '1.103004'],
    ['openai', 'gpt-5.4', { 'input.text': 272_000 }, '0.68'],
    ['openai', 'gpt-5.4', { 'input.text': 272_001 }, '1.360005'],
    ['google', 'gemini-3.1-pro-preview', { 'input.text': 200_000, 'output.text': 1000 }, '0.412'],
    ['google', 'gemini-3.1-pro-preview', { 'input.text': 200_001, 'output.text': 1000 }, '0.818004'],
    ['google', 'gemini-3.1-pro-preview', { 'input.text': 200_000, 'input.text.tool_use': 1 }, '0.800004'],
    ['anthropic', 'claude-sonnet-4-6', { 'input.text': 900_000 }, '2.7'],
  ])('%s %s %o costs %s', (provider, model, usage, expected) => {
    expect(usd(usage, provider, model)).toBe(expected)
  })

  it('says which band it was', () => {
    const query = { provider: 'openai', model: 'gpt-6-sol', at: AT }
    expect(book.price({ 'input.text': 272_001 }, query)?.lines[0]?.rate).toMatch(/^openai\/gpt-6-sol@[\d-]+>272000$/)
  })
})

describe('dates', () => {
  it.each([
    ['openai', 'gpt-5.6-sol', '2026-08-20T23:59:59.999Z', '5'],
    ['openai', 'gpt-5.6-sol', '2026-08-21T00:00:00.000Z', '4'],
    ['google', 'gemini-4-argon', '2026-11-30T23:59:59.999Z', '2'],
    ['google', 'gemini-4-argon', '2026-12-01T00:00:00.000Z', '4'],
    ['google', 'gemini-4-argon', '2026-09-29T23:59:59.999Z', undefined],
    ['deepseek', 'deepseek-v4-pro', '2026-08-12T02:30:00.000Z', '0.435'],
    // Peak hours, Monday to Friday, in UTC.
    ['deepseek', 'deepseek-v4-pro', '2026-11-18T00:59:59.999Z', '0.66'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-18T01:00:00.000Z', '1.32'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-18T03:59:59.999Z', '1.32'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-18T04:00:00.000Z', '0.66'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-18T06:00:00.000Z', '1.32'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-18T10:00:00.000Z', '0.66'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-20T09:00:00.000Z', '1.32'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-21T09:00:00.000Z', '0.66'],
    ['deepseek', 'deepseek-v4-pro', '2026-11-22T09:00:00.000Z', '0.66'],
  ])('%s %s at %s: %s', (provider, model, at, expected) => {
    expect(rate('input.text', provider, model, { at: Date.parse(at) })).toBe(expected)
  })

  it('prices in any order of time', () => {
    const hours = Array.from({ length: 24 * 8 }, (_, hour) => Date.UTC(2026, 10, 16, hour))
    const prices = (list: number[]) => list.map((at) => rate('input.text', 'deepseek', 'deepseek-v4-pro', { at }))
    expect(prices(hours.toReversed()).toReversed()).toEqual(prices(hours))
    expect(prices(hours).filter((price) => price === '1.32')).toHaveLength(6 * 7)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('gives no price at %s, and is not confused by it', (at) => {
    expect(rate('input.text', 'openai', 'gpt-5.6-terra', { at })).toBeUndefined()
    expect(rate('input.text', 'openai', 'gpt-5.6-terra', { at: Date.UTC(2026, 6, 10) })).toBe('2.5')
  })
})

describe('tiers', () => {
  it.each([undefined, '', 'default', 'standard', 'auto', 'on_demand', 'ON_DEMAND', 'unspecified'])(
    '%s is the standard one',
    (serviceTier) => {
      expect(usd({ 'input.text': M }, 'openai', 'gpt-5', { serviceTier })).toBe('1.25')
    },
  )

  it.each([
    ['openai', 'gpt-5', 'flex', '0.625'],
    ['openai', 'gpt-5-2025-08-07', 'FLEX', '0.625'],
    ['openai', 'gpt-5', 'batch', '0.625'],
    ['openai', 'gpt-5', 'priority', '2.5'],
    ['openai', 'gpt-5', 'fast', '2.5'],
    ['openai', 'gpt-5', 'ultrafast', undefined],
    ['openai', 'gpt-5', 'a-tier-of-tomorrow', undefined],
    ['openai', 'gpt-4o', 'constructor', undefined],
    ['anthropic', 'claude-opus-5', 'batch', '2.5'],
    ['anthropic', 'claude-opus-5', 'fast', '10'],
    ['google', 'gemini-3.8-flash', 'ON_DEMAND', '0.75'],
    ['google', 'gemini-3.8-flash', 'ON_DEMAND_FLEX', '0.375'],
    ['google', 'gemini-3.8-flash', 'flex', '0.375'],
    ['google', 'gemini-3.8-flash', 'SERVICE_TIER_FLEX', '0.375'],
    ['groq', 'openai/gpt-oss-20b', 'on_demand', '0.075'],
    // Paid for in advance: nothing of it belongs to one call.
    ['openai', 'gpt-5', 'scale', undefined],
    ['anthropic', 'claude-opus-5', 'priority', undefined],
    ['google', 'gemini-3.8-flash', 'PROVISIONED_THROUGHPUT', undefined],
    ['groq', 'openai/gpt-oss-20b', 'performance', undefined],
  ])('%s %s at %s: %s', (provider, model, serviceTier, expected) => {
    expect(usd({ 'input.text': M }, provider, model, { serviceTier })).toBe(expected)
  })

  it('names the tier in the rate', () => {
    const query = { provider: 'openai', model: 'gpt-5', at: AT, serviceTier: 'flex' }
    expect(book.price({ 'output.text': 1 }, query)?.lines[0]?.rate).toMatch(/^openai\/gpt-5;flex@[\d-]+$/)
  })
})

describe('a bucket without a rate of its own', () => {
  const shop = (provider: string, model: string, rates: Record<string, number>) => {
    const own = createPriceBook({
      version: 'test',
      columns: [],
      providers: { [provider]: { models: [{ ids: [model], rows: [{ rates }] }] } },
    })
    return (bucket: keyof Usage, quantity = 1) =>
      own.price({ [bucket]: quantity }, { provider, model, at: AT })?.lines.map(({ costUsd, rate: label }) => ({
        pico: Number(parseUsd(costUsd)),
        mark: label.replace(/^[^#]*/, ''),
      }))[0]
  }
  const TEXT = { 'input.text': 8, 'output.text': 40 }

  it.each<[string, string, Record<string, number>, keyof Usage, number, string]>([
    // No discount is published: none is given.
    ['openai', 'gpt-x', TEXT, 'input.text.cache_read', 8, '#input.text'],
    ['openai', 'gpt-x', TEXT, 'input.text.cache_write', 8, '#input.text'],
    ['google', 'gemini-x', TEXT, 'input.text.cache_write', 8, '#input.text'],
    ['openai', 'gpt-x', TEXT, 'input.image', 8, '#input.text'],
    ['openai', 'gpt-x', { ...TEXT, 'input.text.cache_read': 1 }, 'input.image.cache_read', 1, '#input.text.cache_read'],
    ['google', 'gemini-x', TEXT, 'input.audio', 8, '#input.text'],
    ['google', 'gemini-x', TEXT, 'input.video', 8, '#input.text'],
    [
      'google',
      'gemini-x',
      { ...TEXT, 'input.text.cache_read': 1 },
      'input.video.cache_read',
      1,
      '#input.text.cache_read',
    ],
    ['google', 'gemini-x', { ...TEXT, 'input.audio': 3 }, 'input.audio.cache_read', 3, '#input.audio'],
    ['openai', 'gpt-x', { ...TEXT, 'input.audio': 32 }, 'input.audio.cache_read', 32, '#input.audio'],
    // A rule of the maker, whoever sells the model.
    ['aws', 'claude-x', TEXT, 'input.text.cache_write_5m', 10, '#input.text*1.25'],
    ['google', 'claude-x', TEXT, 'input.text.cache_write_1h', 16, '#input.text*2'],
    // The published price includes these.
    ['openai', 'gpt-x', TEXT, 'output.reasoning', 40, ''],
    ['google', 'gemini-x', TEXT, 'input.text.tool_use', 8, ''],
    ['openai', 'gpt-x', { ...TEXT, 'input.text.cache_write': 10 }, 'input.text.cache_write_30m', 10, ''],
    ['anthropic', 'claude-x', { ...TEXT, 'input.text.cache_write': 11 }, 'input.text.cache_write_5m', 11, ''],
    ['anthropic', 'claude-x', { ...TEXT, 'input.text.cache_write_5m': 11 }, 'input.text.cache_write', 11, ''],
  ])('%s %s %o %s: %i%s', (provider, model, rates, bucket, pico, mark) => {
    expect(shop(provider, model, rates)(bucket)).toEqual({ pico, mark })
  })

  it.each<[string, string, keyof Usage]>([
    ['openai', 'gpt-x', 'input.audio'],
    ['openai', 'gpt-x', 'output.audio'],
    ['openai', 'gpt-x', 'output.image'],
    ['openai', 'gpt-x', 'input.text.cache_write_12h'],
    ['openai', 'gpt-x', 'input.text.cache_write_1h'],
    ['openai', 'gpt-x', 'fee.web_search'],
    ['openai', 'gpt-x', 'unit.input_seconds'],
    ['anthropic', 'claude-x', 'input.text.cache_write_12h'],
    ['mistral', 'voxtral-x', 'input.audio'],
    ['groq', 'llama-x', 'input.text.cache_write'],
  ])('%s %s %s makes the whole cost unknown, never 0', (provider, model, bucket) => {
    expect(shop(provider, model, TEXT)(bucket)).toBeUndefined()
  })

  it('is derived exactly, and rounded once', () => {
    // 1.25 x 3 is 3.75 pico-dollars a token.
    const cost = shop('anthropic', 'claude-x', { 'input.text': 3 })
    expect(cost('input.text.cache_write_5m', 4)?.pico).toBe(15)
    expect(cost('input.text.cache_write_5m', 1)?.pico).toBe(4)
    expect(cost('input.text.cache_write_5m', 2)?.pico).toBe(8)
  })

  it.each<[string, string, keyof Usage, string]>([
    ['openai', 'gpt-4o-mini-tts', 'output.audio', '12'],
    ['google', 'gemini-2.5-flash-preview-tts', 'output.audio', '10'],
    ['openai', 'gpt-image-1', 'output.image', '40'],
    ['openai', 'gpt-image-1.5', 'output.image', '32'],
  ])('%s %s has one kind of output, %s: %s', (provider, model, bucket, expected) => {
    expect(rate(bucket, provider, model)).toBe(expected)
  })
})

describe('quantities', () => {
  it('of nothing cost nothing, where the model is known', () => {
    expect(book.price({}, { provider: 'openai', model: 'gpt-4o', at: AT })).toEqual({
      pico: 0n,
      source: 'priced',
      lines: [],
    })
    expect(book.price({}, { provider: 'openai', model: 'gpt-none', at: AT })).toBeUndefined()
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, -0.5])('of %s have no price', (quantity) => {
    expect(usd({ 'input.text': 5, 'output.text': quantity }, 'openai', 'gpt-4o')).toBeUndefined()
    expect(usd({ 'input.text': quantity, 'output.text': 5 }, 'openai', 'gpt-6-sol')).toBeUndefined()
  })

  it('in a bucket that this version does not know have no price', () => {
    const usage = { 'input.text': 5, 'fee.moon_dust': 1 } as Usage
    expect(usd(usage, 'openai', 'gpt-4o')).toBeUndefined()
    expect(usd({ 'input.text': 5, constructor: 1 } as unknown as Usage, 'openai', 'gpt-4o')).toBeUndefined()
  })

  it('beyond what a double holds stay exact', () => {
    const usage = { 'input.text': 9_007_199_254_740_991, 'output.text': 2_000_000_001, 'output.reasoning': 1e21 }
    const cost = book.price(usage, { provider: 'openai', model: 'gpt-4o', at: AT })
    expect(cost?.pico).toBe(9_007_199_254_740_991n * 2_500_000n + (2_000_000_001n + 10n ** 21n) * 10_000_000n)
  })

  it('that are fractions are rounded once, half to even', () => {
    const fractions = createPriceBook({
      version: 'test',
      columns: ['input.text'],
      providers: { acme: { models: [{ ids: ['m'], rows: [{ rates: [5] }] }] } },
    })
    const pico = (quantity: number) =>
      fractions.price({ 'input.text': quantity }, { provider: 'acme', model: 'm', at: AT })?.pico
    expect([0.1, 0.3, 0.5, 1.5, 2.3, 1e-7, 0.2].map(pico)).toEqual([0n, 2n, 2n, 8n, 12n, 0n, 1n])
  })
})

it('adds the fee that Perplexity takes for each request', () => {
  const cost = book.price(
    { 'input.text': 1000, 'output.text': 1000 },
    { provider: 'perplexity', model: 'sonar', at: AT },
  )
  expect(cost?.lines.map(({ bucket, quantity, costUsd }) => [bucket, quantity, costUsd])).toEqual([
    ['input.text', 1000, '0.001'],
    ['output.text', 1000, '0.001'],
    ['fee.request', 1, '0.012'],
  ])
  expect(cost?.pico).toBe(14_000_000_000n)
})

it('prices what is free at 0, and says with which row', () => {
  const query = { provider: 'openrouter', model: 'openai/gpt-oss-20b:free', at: AT }
  expect(book.price({ 'input.text': 5 }, query)).toMatchObject({ pico: 0n, lines: [{ costUsd: '0' }] })
})
