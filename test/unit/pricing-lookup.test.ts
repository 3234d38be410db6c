import { beforeAll, describe, expect, it } from 'vitest'
import type { PriceBook } from '../../src/pricing/price.ts'
import { createPriceBook, loadPriceBook } from '../../src/pricing/price-book.ts'

const AT = Date.UTC(2026, 10, 22)
const USAGE = { 'input.text': 1_000_000 }

let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

/** The name of a row without its date and its band, which change with the prices. */
function rowOf(label: string | undefined) {
  return label?.replace(/>\d+$/, '').replace(/@\d{4}-\d\d-\d\d(?:T[\d:]+Z)?$/, '')
}

function ask(provider: string, model: string) {
  const cost = book.price(USAGE, { provider, model, at: AT })
  return cost && { source: cost.source, row: rowOf(cost.lines[0]?.rate), usd: cost.lines[0]?.costUsd }
}

describe('an id', () => {
  it.each([
    // listed
    ['openai', 'gpt-4o', 'openai/gpt-4o'],
    ['openai', 'gpt-4o-2024-08-06', 'openai/gpt-4o'],
    ['openai', 'gpt-4o-2024-05-13', 'openai/gpt-4o-2024-05-13'],
    ['openai', 'gpt-5.6', 'openai/gpt-5.6-sol'],
    ['openai', 'chatgpt-4o-latest', 'openai/chatgpt-4o-latest'],
    ['anthropic', 'claude-sonnet-5', 'anthropic/claude-sonnet-5'],
    ['anthropic', 'claude-sonnet-5-5', 'anthropic/claude-sonnet-5-5'],
    ['google', 'gemini-2.0-flash', 'google/gemini-2.0-flash'],
    ['groq', 'openai/gpt-oss-120b', 'groq/openai/gpt-oss-120b'],
    ['openrouter', 'openai/gpt-5.6-sol', 'openrouter/openai/gpt-5.6-sol'],
    ['x-ai', 'grok-4.6', 'x-ai/grok-4.6'],
    ['mistral', 'mistral-medium-2312', 'mistral/mistral-medium-2312'],
    // a snapshot of what is listed
    ['openai', 'gpt-5.6-sol-2026-09-01', 'openai/gpt-5.6-sol'],
    ['openai', 'gpt-6-sol-2026-09-22', 'openai/gpt-6-sol'],
    ['openai', 'gpt-4o-audio-preview-2024-12-17', 'openai/gpt-4o-audio-preview'],
    ['anthropic', 'claude-sonnet-4-5-20250929', 'anthropic/claude-sonnet-4-5'],
    ['anthropic', 'claude-opus-4-20250514', 'anthropic/claude-opus-4-0'],
    ['anthropic', 'claude-sonnet-5-5-20261001', 'anthropic/claude-sonnet-5-5'],
    ['anthropic', 'claude-3-5-haiku-20241022', 'anthropic/claude-3-5-haiku-latest'],
    ['anthropic', 'claude-haiku-4-5-latest', 'anthropic/claude-haiku-4-5'],
    ['google', 'claude-sonnet-4@20250514', 'google/claude-4-sonnet'],
    ['google', 'claude-opus-5-5@default', 'google/claude-opus-5-5'],
    ['aws', 'amazon.nova-pro-v1:0', 'aws/amazon.nova-pro-v1:0'],
    ['aws', 'global.anthropic.claude-opus-4-5-20251101-v1:0', 'aws/global.anthropic.claude-opus-4-5'],
    ['openai', 'ft:gpt-4o-2024-08-06:acme::abc123', 'openai/ft:gpt-4o-2024-08-06'],
    // however it is written
    ['google', 'publishers/google/models/gemini-2.0-flash', 'google/gemini-2.0-flash'],
    [
      'google',
      'projects/p/locations/europe-west4/publishers/google/models/gemini-2.0-flash',
      'google/gemini-2.0-flash',
    ],
    [
      'aws',
      'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-5',
      'aws/anthropic.claude-opus-5',
    ],
    ['bedrock', 'us.anthropic.claude-opus-5', 'aws/anthropic.claude-opus-5'],
    ['vertex_ai', 'gemini-2.0-flash', 'google/gemini-2.0-flash'],
    ['openai', 'GPT-4o', 'openai/gpt-4o'],
    ['google', 'models/gemini-2.0-flash', 'google/gemini-2.0-flash'],
  ])('%s %s is priced as %s', (provider, model, row) => {
    const found = ask(provider, model)
    expect(found?.source).toBe('priced')
    expect(found?.row).toBe(row)
  })

  it.each([
    ['anthropic', 'claude-sonnet-5-7', 'anthropic/claude-sonnet-5'],
    ['google', 'gemini-3.8-flash-of-tomorrow', 'google/gemini-3.8-flash'],
    ['google', 'gemini-2.5-pro-preview-05-06', 'google/gemini-2.5-pro'],
    // Azure sells these at OpenAI's prices but for data zones, which an id does not tell.
    ['azure', 'o4-mini-deep-research', 'openai/o4-mini-deep-research'],
  ])('%s %s falls back to %s, and the cost says so', (provider, model, row) => {
    const found = ask(provider, model)
    expect(found?.source).toBe('fallback')
    expect(found?.row).toBe(row)
  })

  it.each([
    ['openai', 'gpt-7'],
    ['openai', 'gpt-6-sol-mini'],
    ['openai', 'gpt-4o-2508'],
    ['openai', ''],
    ['openai', 'my-deployment'],
    ['anthropic', 'claude-opus-9'],
    ['mistral', 'mistral-large-2699'],
    ['perplexity', 'sonar-deep-research'],
    ['llm.example.com', 'gpt-4o'],
    ['', 'gpt-4o'],
    ['__proto__', 'gpt-4o'],
    ['constructor', 'gpt-4o'],
    ['openai', '__proto__'],
    ['openai', 'gpt-4o'.padEnd(10_000, 'o')],
    ['openai', `ft:gpt-4o:${'x'.repeat(10_000)}`],
  ])('%j %.40j has no price', (provider, model) => {
    expect(ask(provider, model)).toBeUndefined()
  })

  it('keeps claude-sonnet-5-5 from being charged as claude-sonnet-5', () => {
    const read = { 'input.text.cache_read': 1_000_000 }
    const usd = (model: string) => book.price(read, { provider: 'anthropic', model, at: AT })?.lines[0]?.costUsd
    expect([usd('claude-sonnet-5'), usd('claude-sonnet-5-5')]).toEqual(['0.2', '0.1'])
  })

  it('dated after the prices were read may have its own, so the price is flagged', () => {
    const [day = ''] = /\d{4}-\d\d-\d\d/.exec(book.read) ?? []
    expect(ask('openai', `gpt-4o-${day}`)?.source).toBe('priced')
    expect(ask('openai', 'gpt-4o-2099-01-01')).toMatchObject({ source: 'fallback', row: 'openai/gpt-4o' })
    expect(ask('anthropic', 'claude-opus-5@20990101')?.source).toBe('fallback')
  })

  it('finds the same after a thousand names that are none', () => {
    const before = ask('openai', 'gpt-4o')
    for (let i = 0; i < 2500; i++) expect(ask('openai', `nobody-${i}`)).toBeUndefined()
    expect(ask('openai', 'gpt-4o')).toEqual(before)
  })
})

describe('what stands around an id', () => {
  const shelf = (ids: string[], read = '2026-06-01') =>
    createPriceBook({
      version: 'test',
      read,
      columns: ['input.text'],
      providers: { acme: { models: ids.map((id, at) => ({ ids: [id], rows: [{ rates: [at + 1] }] })) } },
    })
  const found = (ids: string[], model: string) => shelf(ids).rows('acme', model)

  it.each([
    [['big'], 'BIG', 'listed'],
    [['big'], 'big-20260601', 'snapshot'],
    [['big'], 'big-2026-06-01', 'snapshot'],
    [['big'], 'big-2026-06-02', 'family'],
    [['big'], 'big@20260101', 'snapshot'],
    [['big'], 'big@default', 'snapshot'],
    [['big'], 'big-latest', 'snapshot'],
    [['big-latest'], 'big-20260101', 'snapshot'],
    [['big'], 'big-001', 'snapshot'],
    [['big'], 'big-v1:0', 'snapshot'],
    [['big-v1:0'], 'big-20260101-v1:0', 'snapshot'],
    [['big'], 'big-20260101-v1:0', 'snapshot'],
    [['big'], 'models/big', 'listed'],
    [['big'], 'projects/p/locations/us-central1/publishers/acme/models/big', 'listed'],
    [['models/big'], 'models/big', 'listed'],
    [['big'], 'arn:aws:bedrock:us-east-1:1:inference-profile/big', 'listed'],
    [['ft:big'], 'ft:big:org:name:id', 'listed'],
    [['ft:big'], 'ft:big-20260101:org::id', 'snapshot'],
  ] as const)('%j holds %s: %s', (ids, model, how) => {
    expect(found([...ids], model)?.found).toBe(how)
  })

  it.each(['big-mini', 'big-2508', 'bi', 'bigger', 'big-', 'x/big', 'ft:big', 'big-20269901x', 'big -latest'])(
    '%s is not big',
    (model) => {
      expect(found(['big'], model)).toBeUndefined()
    },
  )
})

describe('rules of families', () => {
  const rules = createPriceBook({
    version: 'test',
    columns: ['input.text'],
    providers: {
      acme: {
        models: [
          { ids: ['plain'], rows: [{ rates: [1] }] },
          { ids: ['speaks'], family: [{ ends_with: '-TTS' }], rows: [{ rates: [2] }] },
          { ids: ['both'], family: [{ and: [{ starts_with: 'big' }, { regex: '-x\\d$' }] }], rows: [{ rates: [3] }] },
          { ids: ['either'], family: [{ or: [{ contains: 'odd' }, { equals: 'Even' }] }], rows: [{ rates: [4] }] },
          { name: 'nameless', ids: [], family: [{ contains: 'any' }], rows: [{ rates: [5] }] },
        ],
      },
      shop: { like: ['acme', 'nobody'], models: [{ ids: ['plain'], rows: [{ rates: [10] }] }] },
    },
  })
  const ask = (provider: string, model: string) => rules.price({ 'input.text': 1 }, { provider, model, at: AT })

  it.each([
    ['acme', 'plain', 1n, 'priced'],
    ['acme', 'x-tts', 2n, 'fallback'],
    ['acme', 'big-x1', 3n, 'fallback'],
    ['acme', 'so-odd', 4n, 'fallback'],
    ['acme', 'even', 4n, 'fallback'],
    ['acme', 'many', 5n, 'fallback'],
    ['shop', 'plain', 10n, 'priced'],
    ['shop', 'speaks', 2n, 'fallback'],
    ['shop', 'a-tts', 2n, 'fallback'],
  ])('%s %s costs %s, %s', (provider, model, pico, source) => {
    expect(ask(provider, model)).toMatchObject({ pico, source })
  })

  it.each(['big', 'big-x', 'plain-1', 'plai', 'tts'])('%s is in none', (model) => {
    expect(ask('acme', model)).toBeUndefined()
  })
})
