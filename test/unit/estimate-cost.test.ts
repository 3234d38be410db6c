import { beforeAll, describe, expect, test } from 'vitest'
import { createExperience, type EstimateInput, estimateCost } from '../../src/call/estimate.ts'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'

const AT = Date.UTC(2026, 10, 22)
let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

function estimate(over: Partial<EstimateInput['facts']> & { prompt?: string } = {}, experience = createExperience()) {
  const { prompt = 'Hi', ...facts } = over
  return estimateCost(book, experience, {
    provider: 'openai',
    endpoint: 'chat.completions',
    at: AT,
    prompt: () => [prompt],
    facts: { model: 'gpt-4o', stream: false, ...facts },
  })
}

describe('what a call may cost', () => {
  test('is bounded by the output that its request allows', () => {
    const { ceiling, expected } = estimate({ maxOutputTokens: 100 })!
    // $10 a million for output; a prompt of two bytes is at most 64 tokens with its frame, at $2.50.
    expect(ceiling).toBe(100n * 10_000_000n + 64n * 2_500_000n)
    expect(expected).toBe(100n * 10_000_000n + 32n * 2_500_000n)
  })

  test('is bounded by the longest output of the model where it sets no cap, and expected to be what such calls were', () => {
    const experience = createExperience()
    const first = estimate({}, experience)!
    const longest = book.maxOutputTokens({ provider: 'openai', model: 'gpt-4o', at: AT }) ?? 128_000
    expect(first.ceiling).toBe(BigInt(longest) * 10_000_000n + 64n * 2_500_000n)
    expect(first.expected).toBe(1000n * 10_000_000n + 32n * 2_500_000n)
    experience.learn('chat.completions', 'gpt-4o', 200)
    expect(estimate({}, experience)!.expected).toBe(200n * 10_000_000n + 32n * 2_500_000n)
  })

  test('is the dearer of the tier that is asked for and the one that may serve it', () => {
    const standard = estimate({ maxOutputTokens: 100 })!
    for (const tier of ['flex', 'priority', 'auto', 'no-such-tier']) {
      const { ceiling } = estimate({ maxOutputTokens: 100, metadata: { service_tier: tier } })!
      expect(ceiling).toBeGreaterThanOrEqual(standard.ceiling)
    }
  })

  test('is not expected to be more than it can be', () => {
    const { ceiling, expected } = estimate({ maxOutputTokens: 0, prompt: '' })!
    expect(expected).toBeLessThanOrEqual(ceiling)
  })

  test('of a model without a price is not known', () => {
    expect(estimate({ model: 'my-own-model' })).toBeUndefined()
  })
})

describe('experience', () => {
  test('is a guess at first, then what was seen, then a moving average', () => {
    const experience = createExperience()
    expect(experience.outputOf('responses', 'gpt-4o')).toBe(1000)
    experience.learn('responses', 'gpt-4o', 100)
    expect(experience.outputOf('responses', 'gpt-4o')).toBe(100)
    experience.learn('responses', 'gpt-4o', 900)
    expect(experience.outputOf('responses', 'gpt-4o')).toBe(200)
    expect(experience.outputOf('responses', 'gpt-4o-mini')).toBe(1000)
    expect(experience.outputOf('chat.completions', 'gpt-4o')).toBe(1000)
  })

  test('does not grow for ever', () => {
    const experience = createExperience()
    experience.learn('responses', 'first', 7)
    for (let model = 0; model < 10_000; model++) experience.learn('responses', `model-${model}`, 5)
    expect(experience.outputOf('responses', 'first')).toBe(1000)
  })
})
