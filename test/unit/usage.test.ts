import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BUCKETS, tokenTotals, type Usage } from '../../src/usage.ts'

const NOTHING = {
  inputTokens: 0,
  outputTokens: 0,
  totalTokens: 0,
  cachedTokens: 0,
  cacheCreationTokens: 0,
  reasoningTokens: 0,
  audioInputTokens: 0,
  audioOutputTokens: 0,
}

describe('tokenTotals', () => {
  it.each<[string, Usage, Partial<typeof NOTHING>]>([
    ['nothing', {}, {}],
    ['text', { 'input.text': 7, 'output.text': 3 }, { inputTokens: 7, outputTokens: 3, totalTokens: 10 }],
    [
      'a cache read counts as input',
      { 'input.text': 1, 'input.text.cache_read': 9 },
      { inputTokens: 10, totalTokens: 10, cachedTokens: 9 },
    ],
    [
      'every lifetime of a cache write counts as input',
      {
        'input.text.cache_write': 1,
        'input.text.cache_write_5m': 2,
        'input.text.cache_write_30m': 4,
        'input.text.cache_write_1h': 8,
        'input.text.cache_write_12h': 16,
      },
      { inputTokens: 31, totalTokens: 31, cacheCreationTokens: 31 },
    ],
    [
      'cache reads of other kinds than text',
      { 'input.audio.cache_read': 1, 'input.image.cache_read': 2, 'input.video.cache_read': 4 },
      { inputTokens: 7, totalTokens: 7, cachedTokens: 7, audioInputTokens: 1 },
    ],
    [
      'audio, cached or not',
      { 'input.audio': 5, 'input.audio.cache_read': 2, 'output.audio': 3 },
      { inputTokens: 7, outputTokens: 3, totalTokens: 10, cachedTokens: 2, audioInputTokens: 7, audioOutputTokens: 3 },
    ],
    ['the prompts of tools', { 'input.text.tool_use': 500 }, { inputTokens: 500, totalTokens: 500 }],
    [
      'reasoning counts as output',
      { 'output.text': 400, 'output.reasoning': 800 },
      { outputTokens: 1200, totalTokens: 1200, reasoningTokens: 800 },
    ],
    [
      'images and video',
      { 'input.image': 1, 'input.video': 2, 'output.image': 4, 'output.video': 8 },
      { inputTokens: 3, outputTokens: 12, totalTokens: 15 },
    ],
    ['a fee is no token', { 'input.text': 1, 'fee.web_search': 3 }, { inputTokens: 1, totalTokens: 1 }],
    ['a bucket of a later version is none of ours', { 'fee.moon_dust': 3 } as Usage, {}],
  ])('%s', (_, usage, totals) => {
    expect(tokenTotals(usage)).toEqual({ ...NOTHING, ...totals })
  })

  const usages = fc.dictionary(fc.constantFrom(...BUCKETS), fc.nat(1_000_000)) as fc.Arbitrary<Usage>

  it('puts every token on exactly one side', () => {
    fc.assert(
      fc.property(usages, (usage) => {
        const tokens = Object.entries(usage).filter(([bucket]) => !/^(?:fee|unit)\./.test(bucket))
        const { inputTokens, outputTokens, totalTokens } = tokenTotals(usage)
        expect(totalTokens).toBe(tokens.reduce((sum, [, quantity]) => sum + quantity, 0))
        expect(inputTokens + outputTokens).toBe(totalTokens)
      }),
    )
  })

  it('keeps the parts within the wholes', () => {
    fc.assert(
      fc.property(usages, (usage) => {
        const totals = tokenTotals(usage)
        expect(totals.cachedTokens + totals.cacheCreationTokens).toBeLessThanOrEqual(totals.inputTokens)
        expect(totals.audioInputTokens).toBeLessThanOrEqual(totals.inputTokens)
        expect(totals.reasoningTokens).toBeLessThanOrEqual(totals.outputTokens)
      }),
    )
  })
})

it('names each bucket once', () => {
  expect(new Set(BUCKETS).size).toBe(BUCKETS.length)
})
