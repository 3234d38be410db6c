// Worked examples: what providers reported, in buckets, and what it costs at their published rates.

import { beforeAll, describe, expect, it } from 'vitest'
import { formatUsd } from '../../src/money.ts'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import type { Usage } from '../../src/usage.ts'

interface Case {
  readonly name: string
  readonly provider: string
  readonly model: string
  readonly serviceTier?: string
  readonly at?: string
  readonly usage: Usage
  readonly usd: string
}

const CASES: readonly Case[] = [
  {
    name: 'OpenAI: cache reads and writes are inside the prompt',
    provider: 'openai',
    model: 'gpt-6-sol',
    usage: {
      'input.text': 1808,
      'input.text.cache_read': 6144,
      'input.text.cache_write': 2048,
      'output.text': 400,
      'output.reasoning': 800,
    },
    usd: '0.0219648',
  },
  {
    name: 'OpenAI: exactly 272,000 tokens of input are still short context',
    provider: 'openai',
    model: 'gpt-6-sol',
    usage: { 'input.text': 272_000, 'output.text': 1000 },
    usd: '0.554',
  },
  {
    name: 'OpenAI: asked for fast, answered as priority',
    provider: 'openai',
    model: 'gpt-6-astra',
    serviceTier: 'priority',
    usage: { 'input.text': 904, 'input.text.cache_write': 4096, 'output.text': 388, 'output.reasoning': 512 },
    usd: '0.21048',
  },
  {
    name: 'OpenAI: flex',
    provider: 'openai',
    model: 'gpt-5',
    serviceTier: 'flex',
    usage: { 'input.text': 3936, 'input.text.cache_read': 8064, 'output.text': 952, 'output.reasoning': 2048 },
    usd: '0.017964',
  },
  {
    name: 'OpenAI: three web searches besides the tokens',
    provider: 'openai',
    model: 'gpt-5.6-luna',
    usage: { 'input.text': 24_500, 'output.text': 572, 'output.reasoning': 128, 'fee.web_search': 3 },
    usd: '0.03574',
  },
  {
    name: 'OpenAI: audio in and out of a chat',
    provider: 'openai',
    model: 'gpt-audio',
    usage: { 'input.text': 200, 'input.audio': 1000, 'output.text': 100, 'output.audio': 600 },
    usd: '0.0719',
  },
  {
    name: 'OpenAI: an embedding costs less than a hundredth of a cent',
    provider: 'openai',
    model: 'text-embedding-3-small',
    usage: { 'input.text': 8191 },
    usd: '0.00016382',
  },
  {
    name: 'Anthropic: cache writes of two lifetimes, reads at 0.05x',
    provider: 'anthropic',
    model: 'claude-sonnet-5-5',
    serviceTier: 'standard',
    usage: {
      'input.text': 1200,
      'input.text.cache_write_5m': 5000,
      'input.text.cache_write_1h': 3000,
      'input.text.cache_read': 40_000,
      'output.text': 900,
    },
    usd: '0.0399',
  },
  {
    name: 'Anthropic: a compaction is billed beside the message',
    provider: 'anthropic',
    model: 'claude-opus-5',
    serviceTier: 'standard',
    usage: { 'input.text': 153_000, 'output.text': 3800 },
    usd: '0.86',
  },
  {
    name: 'Google: cached inside the prompt, thoughts and tool use outside',
    provider: 'google',
    model: 'gemini-3.1-pro-preview',
    usage: {
      'input.text': 20_000,
      'input.text.cache_read': 100_000,
      'input.text.tool_use': 500,
      'output.text': 900,
      'output.reasoning': 2100,
    },
    usd: '0.097',
  },
  {
    name: 'Google: a price announced for 2027',
    provider: 'google',
    model: 'gemini-3.8-flash',
    at: '2027-01-02T12:00:00Z',
    usage: { 'input.text': 10_000, 'output.text': 1000 },
    usd: '0.0225',
  },
  {
    name: 'Google: the same call before that',
    provider: 'google',
    model: 'gemini-3.8-flash',
    usage: { 'input.text': 10_000, 'output.text': 1000 },
    usd: '0.01125',
  },
  {
    name: 'DeepSeek: the peak of a Wednesday',
    provider: 'deepseek',
    model: 'deepseek-v4-pro',
    at: '2026-11-18T02:30:00Z',
    usage: { 'input.text': 2000, 'input.text.cache_read': 8000, 'output.text': 400, 'output.reasoning': 600 },
    usd: '0.006952',
  },
  {
    name: 'Groq: half price for cached input',
    provider: 'groq',
    model: 'openai/gpt-oss-120b',
    usage: { 'input.text': 5904, 'input.text.cache_read': 4096, 'output.text': 1000 },
    usd: '0.0017928',
  },
]

/** Worked examples that this book cannot price to the end yet, what they cost, why not, and what it says instead. */
const OUT_OF_SCOPE: readonly (Case & { reason: string; now: string | undefined })[] = [
  {
    name: 'OpenAI: 90 seconds of audio to whisper-1',
    provider: 'openai',
    model: 'whisper-1',
    usage: { 'input.audio': 90 },
    usd: '0.009',
    reason: 'no bucket for seconds',
    now: undefined,
  },
  {
    name: 'OpenAI: 4096 characters to tts-1',
    provider: 'openai',
    model: 'tts-1',
    usage: { 'input.text': 4096 },
    usd: '0.06144',
    reason: 'no bucket for characters',
    now: undefined,
  },
  {
    name: 'Anthropic: Haiku 5.5 in a batch',
    provider: 'anthropic',
    model: 'claude-haiku-5-5',
    serviceTier: 'batch',
    usage: { 'input.text': 50_000, 'output.text': 4000 },
    usd: '0.0035',
    reason: 'no batch rows',
    now: undefined,
  },
  {
    name: 'Anthropic: Opus 5 in fast mode',
    provider: 'anthropic',
    model: 'claude-opus-5',
    serviceTier: 'fast',
    usage: { 'input.text': 2000, 'output.text': 1000 },
    usd: '0.07',
    reason: 'no rows for speed, which a query can only name as a tier',
    now: undefined,
  },
  {
    name: 'OpenRouter: an answer that carries its cost',
    provider: 'openrouter',
    model: 'anthropic/claude-opus-4.8',
    usage: { 'input.text': 194, 'output.text': 2 },
    usd: '0.95',
    reason: 'a reported cost wins before the book is asked; this is only the list price',
    now: '0.00102',
  },
]

const NOON = '2026-11-18T12:00:00Z'

describe('worked examples', () => {
  let book: PriceBook
  beforeAll(async () => {
    book = await loadPriceBook()
  })

  it.each(CASES)('$name', ({ provider, model, serviceTier, at = NOON, usage, usd }) => {
    const cost = book.price(usage, { provider, model, serviceTier, at: Date.parse(at) })
    expect(cost && formatUsd(cost.pico)).toBe(usd)
    expect(cost?.source).toBe('priced')
    expect(cost?.lines.map(({ bucket, quantity }) => [bucket, quantity])).toEqual(Object.entries(usage))
  })

  it.each(OUT_OF_SCOPE)('not yet: $name ($reason)', ({ provider, model, serviceTier, at = NOON, usage, usd, now }) => {
    const cost = book.price(usage, { provider, model, serviceTier, at: Date.parse(at) })
    expect(cost && formatUsd(cost.pico)).toBe(now)
    expect(now).not.toBe(usd)
  })
})
