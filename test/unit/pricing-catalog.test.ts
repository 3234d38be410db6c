// The way back: from a line of a cost to the rate and the page, and every row of a model.

import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseUsd, scale } from '../../src/money.ts'
import type { PriceBook, PriceQuery } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { BUCKETS } from '../../src/usage.ts'

let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

describe('the rate of a line', () => {
  const models = [
    ['openai', 'gpt-6-sol'],
    ['openai', 'gpt-realtime-2.1'],
    ['openai', 'whisper-1'],
    ['openai', 'gpt-4o-2024-05-13'],
    ['anthropic', 'claude-opus-5-5'],
    ['anthropic', 'claude-haiku-5-5'],
    ['google', 'gemini-3.1-pro-preview'],
    ['google', 'claude-sonnet-4-6'],
    ['azure', 'gpt-4o'],
    ['aws', 'us.anthropic.claude-opus-5'],
    ['deepseek', 'deepseek-v4-pro'],
    ['perplexity', 'sonar'],
  ] as const

  it('times its quantity is what the line costs, whatever stood in, and it has a page', () => {
    const queries = fc.record({
      model: fc.constantFrom(...models),
      serviceTier: fc.constantFrom(undefined, 'batch', 'priority'),
      geo: fc.constantFrom(undefined, 'us', 'eu'),
      at: fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2027, 0, 1) }),
    })
    const quantities = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 1_000_000 }))
    fc.assert(
      fc.property(queries, fc.constantFrom(...BUCKETS), quantities, ({ model, ...rest }, bucket, quantity) => {
        const query: PriceQuery = { provider: model[0], model: model[1], ...rest }
        for (const line of book.price({ [bucket]: quantity }, query)?.lines ?? []) {
          const rate = book.rateOf(line.rate, line.bucket)
          expect(rate, line.rate).toBeDefined()
          const { usd, per, page, read } = rate!
          expect(scale(parseUsd(usd)! * BigInt(line.quantity), 1n, BigInt(per))).toBe(parseUsd(line.costUsd))
          expect(page).toMatch(/^https:\/\//)
          expect(read).toMatch(/^20\d\d-\d\d-\d\d$/)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it.each(['', '/', 'openai', 'openai/gpt-none', 'nobody/gpt-4o', '__proto__/x', 'constructor/x', 'agreed:1', '#^!*'])(
    'of %j is none',
    (label) => {
      expect(book.rateOf(label, 'input.text')).toBeUndefined()
    },
  )
})

describe('the rows of a model', () => {
  it('are all there, with what holds for many, and each with its page', () => {
    const entry = book.rows('anthropic', 'claude-opus-5-5')!
    expect(entry).toMatchObject({ provider: 'anthropic', model: 'claude-opus-5-5', found: 'listed' })
    expect(new Set(entry.rows.map(({ tier }) => tier))).toEqual(new Set(['standard', 'batch', 'fast', '*']))
    expect(entry.rows.some(({ kind }) => kind === 'fee')).toBe(true)
    expect(entry.modifiers).toMatchObject([{ geo: 'us', multiply: '11/10' }])
    for (const { page, read } of [...entry.rows, ...entry.modifiers]) {
      expect(page).toMatch(/^https:\/\//)
      expect(read).toMatch(/^20\d\d-\d\d-\d\d$/)
    }
    const standard = entry.rows.find(({ tier }) => tier === 'standard')
    expect(standard?.rates).toContainEqual({ bucket: 'input.text', usd: '4', per: 1_000_000 })
  })

  it('say how the id led to them', () => {
    const how = (provider: string, model: string) => book.rows(provider, model)?.found
    expect(how('openai', 'gpt-4o-2024-08-06')).toBeDefined()
    expect(how('anthropic', 'claude-sonnet-5-7')).toBe('family')
    expect(how('openai', 'gpt-none')).toBeUndefined()
    expect(how('nobody', 'gpt-4o')).toBeUndefined()
  })
})

describe('a search', () => {
  it('finds models by part of an id, of all providers or of one', () => {
    const found = book.search('GPT-4o-mini')
    expect(found).toContainEqual({ provider: 'openai', model: 'gpt-4o-mini' })
    expect(found.some(({ provider }) => provider === 'openrouter')).toBe(true)
    expect(book.search('openai/gpt-4o-mini').some(({ provider }) => provider === 'openai')).toBe(true)
    expect(book.search('azure').filter(({ provider }) => provider === 'azure').length).toBeGreaterThan(20)
    expect(book.search('no such model')).toEqual([])
  })
})
