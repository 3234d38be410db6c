// The most that an image comes to is no less than what OpenAI's guide counts for the largest image that it lets in.

import { describe, expect, test } from 'vitest'
import { MOST_CLAUDE_IMAGE_TOKENS, mostImageTokens } from '../../src/providers/image-tokens.ts'

describe('the most tokens of an image at OpenAI', () => {
  test.each([
    ['gpt-4o', 'high', 1445],
    ['gpt-4o', 'low', 85],
    ['gpt-4o-mini', undefined, 48_169],
    ['gpt-4.1', 'auto', 1445],
    ['gpt-4.1-mini', 'low', 2489],
    ['gpt-5', undefined, 1190],
    ['gpt-5-chat-latest', 'low', 70],
    ['gpt-5.1-2025-11-13', 'high', 1190],
    ['gpt-5-nano', 'high', 3779],
    ['o3', undefined, 1275],
    ['o4-mini', undefined, 2642],
    ['computer-use-preview', undefined, 1097],
    ['gpt-5.5', undefined, 12_000],
    ['gpt-5.4', 'high', 3000],
    ['gpt-5.4-nano', undefined, 24_600],
    ['gpt-5-pro', undefined, 24_600],
    ['gpt-5.6-luna', 'original', 36_000],
    ['gpt-6-astra', undefined, 36_000],
    ['gpt-6-astra', 'high', 3000],
    ['gpt-6-astra', 'low', 308],
    ['gpt-6.1-sol', 'auto', 36_000],
  ])('of %s, %s: %d', (model, detail, tokens) => {
    expect(mostImageTokens('openai', model, detail)).toBe(tokens)
    expect(mostImageTokens('azure', model, detail)).toBe(tokens)
  })

  test.each([
    ['gpt-6-luna', undefined],
    ['gpt-6-luna', 'high'],
    ['gpt-7', 'low'],
    ['my-deployment', undefined],
    ['', undefined],
  ])('of %s, %s, which is not listed, is the worst of any', (model, detail) => {
    expect(mostImageTokens('azure', model, detail)).toBe(73_800)
  })

  test.each([7, null, {}, 'toString', 'LOW'])('a detail that is none, %j, is the most of all', (detail) => {
    expect(mostImageTokens('openai', 'gpt-6-astra', detail)).toBe(36_000)
  })

  // As the guide's worked examples have it, and as the API answered for a photo of 4032 x 3024.
  test.each([
    ['gpt-6-astra', 4096 / 32, 512 / 32, 1.2],
    ['gpt-6-astra', 4032 / 32, Math.ceil(3024 / 32), 1.2],
    ['gpt-5.5', 100, 100, 1.2],
  ])('%s bounds an image of %d by %d patches', (model, wide, high, factor) => {
    expect(mostImageTokens('openai', model, undefined)).toBeGreaterThanOrEqual(Math.ceil(wide * high * factor))
  })
})

test('of another provider nobody has said it', () => {
  expect(mostImageTokens('mistral', 'gpt-4o', undefined)).toBeUndefined()
})

test('an image of Claude is bounded by 4,784 patches of 28 px, as 2,576 by 1,456 px are', () => {
  expect(MOST_CLAUDE_IMAGE_TOKENS).toBe((2576 / 28) * (1456 / 28))
})
